/* Tests of checkpoint*.c: golden folders and files, shards and scales made here, what a path may be, tokenizer and template. */
#include "format/build_test.h"

#include "format/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

static void expect_refused(const char *path, bool vocabulary_only, r1_status want, const char *part)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_ckpt_open(&c, path, vocabulary_only, &e), want);
    EXPECT_NULL(c);
    EXPECT_CONTAINS(e.msg, part);
}

static r1_ckpt *expect_open(const char *path, bool vocabulary_only)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_ckpt_open(&c, path, vocabulary_only, &e), &e);
    return c;
}

static const char *golden(const char *relative)
{
    static char path[4][1200];
    static int i;
    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", test_path("golden/models"), relative);
    return path[i];
}

/* ---- golden checkpoints ----------------------------------------------------------------------------------------- */

static void expect_same(const r1_ckpt *a, const char *name_a, const r1_ckpt *b, const char *name_b)
{
    const r1_ckpt_tensor *x = r1_ckpt_find(a, name_a), *y = r1_ckpt_find(b, name_b);
    EXPECT(x && y);
    EXPECT(x->type == R1_F32 && y->type == R1_F32 && x->n_dims == y->n_dims && x->bytes == y->bytes);
    for (int i = 0; i < 4; i++) EXPECT_INT(x->ne[i], y->ne[i]);
    EXPECT(!memcmp(x->data, y->data, (size_t)x->bytes));
}

TEST(checkpoint_reads_both_forms_of_a_model)
{
    static const struct { const char *folder, *file, *architecture[2]; } models[] = {
        { "llama_256", "llama_256/gguf/llama_256.F32.gguf", { "llama", "llama" } },
        { "qwen2", "qwen2/gguf/qwen2.F32.gguf", { "qwen2", "qwen2" } },
        { "deepseek_v2_lite", "deepseek_v2_lite/gguf/deepseek_v2_lite.F32.gguf", { "deepseek_v2", "deepseek2" } },
        { "deepseek_v3", "deepseek_v3/gguf/deepseek_v3.F32.gguf", { "deepseek_v3", "deepseek2" } },
    };
    for (size_t i = 0; i < R1_COUNT(models); i++) {
        r1_ckpt *a = expect_open(golden(models[i].folder), false), *b = expect_open(golden(models[i].file), false);
        EXPECT_STR(r1_ckpt_architecture(a), models[i].architecture[0]);
        EXPECT_STR(r1_ckpt_architecture(b), models[i].architecture[1]);
        EXPECT(r1_ckpt_config(a) && r1_ckpt_generation(a) && r1_ckpt_tokenizer_config(a) && !r1_ckpt_gguf(a));
        EXPECT(!r1_ckpt_config(b) && !r1_ckpt_generation(b) && r1_ckpt_gguf(b));
        expect_same(a, "model.embed_tokens.weight", b, "token_embd.weight");
        expect_same(a, "model.norm.weight", b, "output_norm.weight");
        expect_same(a, "model.layers.0.mlp.down_proj.weight", b, "blk.0.ffn_down.weight");
        expect_same(a, "model.layers.0.input_layernorm.weight", b, "blk.0.attn_norm.weight");
        r1_ckpt_close(a);
        r1_ckpt_close(b);
    }
}

/* Every tensor is as large as its type and shape say and can be read to its last byte. */
static void check_tensors(const r1_ckpt *c)
{
    EXPECT(r1_ckpt_n_tensors(c) > 10);
    uint64_t sum = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(c); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(c, i);
        EXPECT(r1_ckpt_find(c, t->name) == t);
        EXPECT(t->n_dims >= 1 && t->n_dims <= 4);
        EXPECT(t->bytes == r1_row_bytes(t->type, (size_t)t->ne[0]) * t->ne[1] * t->ne[2] * t->ne[3]);
        EXPECT(t->map && t->data >= t->map->data && t->data + t->bytes <= t->map->data + t->map->size);
        EXPECT((t->scale != NULL) == (t->type == R1_F8_E4M3));
        sum += t->bytes;
    }
    EXPECT(sum < r1_ckpt_file_bytes(c));
}

TEST(checkpoint_opens_the_golden_folders)
{
    static const char *const names[] = { "llama", "llama_tied", "llama_256", "qwen2", "qwen2_tied", "qwen2_bf16",
                                         "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_bf16", "deepseek_v3_fp8" };
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        r1_ckpt *c = expect_open(golden(names[i]), false);
        check_tensors(c);
        EXPECT_STR(r1_ckpt_path(c), golden(names[i]));
        r1_ckpt_close(c);
    }
}

TEST(checkpoint_pairs_golden_scales)
{
    r1_ckpt *c = expect_open(golden("deepseek_v3_fp8"), false);
    size_t n = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(c); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(c, i);
        EXPECT(!strstr(t->name, "_scale_inv"));
        if (!t->scale) continue;
        for (uint64_t k = 0; k < r1_ceil_div(t->ne[0], 128) * r1_ceil_div(t->ne[1], 128); k++) {
            float f;
            memcpy(&f, t->scale + 4 * k, 4);
            EXPECT(f > 0 && f < 1); /* weights of size 1 over codes up to 448 */
        }
        n++;
    }
    EXPECT_INT(n, 72);
    r1_ckpt_close(c);
}

/* ---- folders made here ------------------------------------------------------------------------------------------ */

/* A folder with config.json and one model.safetensors. */
static folder model_folder(const char *config, const char *header, size_t data)
{
    folder f = folder_new();
    folder_text(&f, "config.json", config);
    if (header) folder_put_build(&f, "model.safetensors", st_file(header, data));
    return f;
}

static void expect_weights(const char *header, size_t data, r1_status want, const char *part)
{
    folder f = model_folder("{\"model_type\":\"llama\"}", header, data);
    expect_refused(f.path, false, want, part);
    folder_free(&f);
}

#define F8(rows, columns) "{\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[" #rows "," #columns "],\"data_offsets\":[0,390]},"

TEST(checkpoint_checks_weights)
{
    expect_weights("{\"w\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, R1_EUNSUPPORTED,
                   "tensor 'w' has dtype I32; supported are F32, F16, BF16 and F8_E4M3");
    expect_weights("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, R1_EUNSUPPORTED, "'w' has 5 dimensions, expected at most 4");
    expect_weights("{\"w\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[0,0]}}", 0, R1_EFORMAT, "dimension 1 of tensor 'w' is 0");
    expect_weights("{\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[3,130],\"data_offsets\":[0,390]}}", 390, R1_EFORMAT, "the F8_E4M3 tensor 'w' has no 'w_scale_inv'");
    expect_weights(F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[390,394]}}", 394, R1_EUNSUPPORTED,
                   "the scale 'w_scale_inv' has dtype BF16, expected F32");
    expect_weights(F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[390,398]}}", 398, R1_EFORMAT,
                   "has shape [2, 1] (2 dimensions), expected [1, 2] for a weight of [3, 130]");
    expect_weights(F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[390,406]}}", 406, R1_EFORMAT, "has shape [2, 2]");
    expect_weights(F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[390,394]}}", 394, R1_EFORMAT, "has shape [1, 1]");
    expect_weights(F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[390,398]}}", 398, R1_EFORMAT, "(1 dimensions), expected [1, 2]");
    expect_weights("{\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[390],\"data_offsets\":[0,390]},\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[390,394]}}",
                   394, R1_EFORMAT, "'w' has 1 dimensions, expected 2");
    expect_weights("{\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, R1_EFORMAT, "belongs to 'w', which is missing, expected F8_E4M3");
    expect_weights("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
                   R1_EFORMAT, "belongs to 'w', which is F32, expected F8_E4M3");
    expect_weights("{\"w\":[]}", 0, R1_EFORMAT, "model.safetensors': byte 5 of the JSON header is '['");
    expect_weights(NULL, 0, R1_EFORMAT, "has config.json, but neither model.safetensors nor model.safetensors.index.json");
}

TEST(checkpoint_lists_tensors)
{
    folder f = model_folder("{\"quantization_config\":null}",
                            F8(3, 130) "\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[390,398]},"
                            "\"model.layers.0.self_attn.rotary_emb.inv_freq\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[398,406]},"
                            "\"s\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[406,408]}}", 408);
    r1_ckpt *c = expect_open(f.path, false);
    EXPECT_INT(r1_ckpt_n_tensors(c), 2); /* neither the scale nor the table of angles */
    const r1_ckpt_tensor *w = r1_ckpt_find(c, "w"), *s = r1_ckpt_find(c, "s");
    EXPECT(w && w->type == R1_F8_E4M3 && w->ne[0] == 130 && w->ne[1] == 3 && w->scale == w->data + 390);
    EXPECT(s && s->type == R1_BF16 && s->n_dims == 1 && s->ne[0] == 1 && !s->scale);
    EXPECT_NULL(r1_ckpt_find(c, "w_scale_inv"));
    EXPECT_STR(r1_ckpt_architecture(c), "");
    r1_ckpt_close(c);
    folder_free(&f);
}

static void expect_quantization(const char *q, r1_status want, const char *part)
{
    char config[512];
    snprintf(config, sizeof config, "{\"quantization_config\":%s}", q);
    folder f = model_folder(config, "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
    if (part) expect_refused(f.path, false, want, part);
    else r1_ckpt_close(expect_open(f.path, false));
    folder_free(&f);
}

TEST(checkpoint_checks_quantization)
{
    expect_quantization("{\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"weight_block_size\":[128,128],\"activation_scheme\":\"dynamic\"}", R1_OK, NULL);
    expect_quantization("{\"quant_method\":\"fp8\",\"weight_block_size\":[128,128]}", R1_OK, NULL);
    expect_quantization("[]", R1_EFORMAT, "'quantization_config' is an array, expected an object");
    expect_quantization("{\"quant_method\":\"awq\"}", R1_EUNSUPPORTED, "'quantization_config': 'quant_method' is 'awq'; supported is 'fp8'");
    expect_quantization("{}", R1_EUNSUPPORTED, "'quant_method' is ''");
    expect_quantization("{\"quant_method\":3}", R1_EFORMAT, "'quant_method' is an integer, expected a string");
    expect_quantization("{\"quant_method\":\"fp8\",\"fmt\":\"e5m2\"}", R1_EUNSUPPORTED, "'fmt' is 'e5m2'; supported is 'e4m3'");
    expect_quantization("{\"quant_method\":\"fp8\",\"activation_scheme\":\"static\"}", R1_EUNSUPPORTED, "'activation_scheme' is 'static'");
    expect_quantization("{\"quant_method\":\"fp8\",\"weight_block_size\":[64,128]}", R1_EUNSUPPORTED, "'weight_block_size' is not [128, 128]");
    expect_quantization("{\"quant_method\":\"fp8\"}", R1_EUNSUPPORTED, "'weight_block_size' is not [128, 128]");
}

/* ---- shards ----------------------------------------------------------------------------------------------------- */

#define INDEX "model.safetensors.index.json"

/* The FP8 weight in one file, its scale in the other. */
static folder sharded_folder(const char *map)
{
    char index[1024];
    folder f = folder_new();
    folder_text(&f, "config.json", "{}");
    folder_put_build(&f, "model-1.safetensors", st_file(F8(3, 130) "\"v\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[390,392]}}", 392));
    folder_put_build(&f, "model-2.safetensors", st_file("{\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}", 8));
    snprintf(index, sizeof index, "{\"metadata\":{\"total_size\":400},\"weight_map\":%s}", map);
    folder_text(&f, INDEX, index);
    return f;
}

TEST(checkpoint_joins_shards)
{
    folder f = sharded_folder("{\"w_scale_inv\":\"model-2.safetensors\",\"w\":\"model-1.safetensors\",\"v\":\"model-1.safetensors\"}");
    folder_text(&f, "model.safetensors", "not looked at, since there is an index");
    r1_ckpt *c = expect_open(f.path, false);
    EXPECT_INT(r1_ckpt_n_tensors(c), 2);
    EXPECT(r1_ckpt_find(c, "w")->scale != NULL);
    r1_ckpt_close(c);
    folder_free(&f);
}

static void expect_map(const char *map, r1_status want, const char *part)
{
    folder f = sharded_folder(map);
    expect_refused(f.path, false, want, part);
    folder_free(&f);
}

TEST(checkpoint_compares_index_and_shards)
{
    expect_map("3", R1_EFORMAT, INDEX "': 'weight_map' is an integer, expected an object");
    expect_map("{}", R1_EFORMAT, "'weight_map' is empty");
    expect_map("{\"w\":1}", R1_EFORMAT, "the file of 'w' is an integer, expected a string");
    expect_map("{\"w\":\"../model-1.safetensors\"}", R1_EFORMAT, "'../model-1.safetensors' is not a plain name that ends in .safetensors");
    expect_map("{\"w\":\"/etc/passwd\"}", R1_EFORMAT, "'/etc/passwd' is not a plain name");
    expect_map("{\"w\":\"sub/model-1.safetensors\"}", R1_EFORMAT, "'sub/model-1.safetensors' is not a plain name");
    expect_map("{\"w\":\"..\"}", R1_EFORMAT, "'..' is not a plain name");
    expect_map("{\"w\":\"\"}", R1_EFORMAT, "'' is not a plain name");
    expect_map("{\"w\":\"a\\\\b.safetensors\"}", R1_EFORMAT, "is not a plain name");
    expect_map("{\"w\":\"model-1.bin\"}", R1_EFORMAT, "'model-1.bin' is not a plain name that ends in .safetensors");
    expect_map("{\"w\":\"model-3.safetensors\"}", R1_EIO, "model-3.safetensors': No such file");
    expect_map("{\"w\":\"model-1.safetensors\",\"v\":\"model-1.safetensors\",\"x\":\"model-1.safetensors\"}", R1_EFORMAT,
               "the tensor 'x' is not in 'model-1.safetensors', where the index says it is");
    expect_map("{\"w\":\"model-1.safetensors\",\"v\":\"model-2.safetensors\"}", R1_EFORMAT, "the tensor 'v' is not in 'model-2.safetensors'");
    expect_map("{\"w\":\"model-1.safetensors\"}", R1_EFORMAT, "the tensor 'v' of 'model-1.safetensors' is not in the index");
    expect_map("{\"w\":\"model-1.safetensors\",\"v\":\"model-1.safetensors\"}", R1_EFORMAT, "the F8_E4M3 tensor 'w' has no 'w_scale_inv'");
    expect_map("{\"w\":\"model-1.safetensors\",\"w\":\"model-1.safetensors\"}", R1_EFORMAT, "wrong JSON");
    folder f = sharded_folder("{\"w_scale_inv\":\"model-2.safetensors\",\"w\":\"model-1.safetensors\",\"v\":\"model-1.safetensors\"}");
    folder_put_build(&f, "model-2.safetensors", st_file("{\"w_scale_inv\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                                                        "\"v\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[8,10]}}", 10));
    expect_refused(f.path, false, R1_EFORMAT, "the tensor 'v' of 'model-2.safetensors' is also in 'model-1.safetensors'");
    folder_free(&f);
}

/* ---- what a path is --------------------------------------------------------------------------------------------- */

TEST(checkpoint_says_what_a_path_is)
{
    folder f = folder_new();
    expect_refused(folder_path(&f, "absent"), false, R1_EIO, "absent': No such file");
    expect_refused(f.path, false, R1_EFORMAT, "is empty; expected config.json with .safetensors files, or one .gguf model");
    expect_refused(f.path, true, R1_EFORMAT, "or a tokenizer.json");
    folder_text(&f, "notes.txt", "hello");
    expect_refused(folder_path(&f, "notes.txt"), false, R1_EFORMAT, "starts with the bytes 68 65 6c 6c 6f, expected a .gguf file or a folder with config.json");
    expect_refused(f.path, false, R1_EFORMAT, "has no config.json and no .gguf file");
    folder_text(&f, "x.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:0");
    expect_refused(folder_path(&f, "x.gguf"), false, R1_EFORMAT, "is a Git LFS pointer, not the file it stands for");
    expect_refused(f.path, false, R1_EFORMAT, "x.gguf': this is a Git LFS pointer"); /* the only .gguf of the folder */
    remove(folder_path(&f, "x.gguf"));
    folder_put_build(&f, "model.safetensors", st_file("{}", 0));
    expect_refused(folder_path(&f, "model.safetensors"), false, R1_EFORMAT, "is a safetensors file; name the folder that holds it and its config.json");
    expect_refused(f.path, false, R1_EFORMAT, "has .safetensors files but no config.json");
    remove(folder_path(&f, "model.safetensors"));
    folder_text(&f, "pytorch_model.bin", "PK\003\004");
    expect_refused(folder_path(&f, "pytorch_model.bin"), false, R1_EFORMAT, "is a ZIP archive or a PyTorch checkpoint");
    expect_refused(f.path, false, R1_EFORMAT, "has PyTorch files but no config.json");
    folder_text(&f, "empty", "");
    expect_refused(folder_path(&f, "empty"), false, R1_EFORMAT, "is an empty file");
    folder_text(&f, "tokenizer.json", "{}");
    expect_refused(folder_path(&f, "tokenizer.json"), false, R1_EFORMAT, "is a JSON text, expected a .gguf file");
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    expect_refused(longest, false, R1_EINVAL, "has 4999 bytes, expected less than 4096");
    folder_free(&f);
}

TEST(checkpoint_finds_the_gguf_of_a_folder)
{
    folder f = folder_new();
    folder_put_build(&f, "b.gguf", gguf_sample(3));
    r1_ckpt *c = expect_open(f.path, false);
    EXPECT(r1_ckpt_gguf(c) != NULL);
    EXPECT_CONTAINS(r1_ckpt_path(c), "/b.gguf");
    EXPECT_STR(r1_ckpt_architecture(c), "llama");
    EXPECT_INT(r1_ckpt_n_tensors(c), 4);
    EXPECT_STR(r1_ckpt_find(c, "b.weight")->name, "b.weight");
    r1_ckpt_close(c);
    folder_put_build(&f, "a.gguf", gguf_sample(3));
    expect_refused(f.path, false, R1_EFORMAT, "holds more than one .gguf model (");
    remove(folder_path(&f, "a.gguf"));
    remove(folder_path(&f, "b.gguf"));
    folder_free(&f);
}

/* The parts of one split file count as one model, and its first part is named, in whatever order the folder lists them. */
TEST(checkpoint_finds_the_first_part_in_a_folder)
{
    for (int count = 2; count < 10; count++) {
        folder f = folder_new();
        char name[64];
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "m-%05d-of-%05d.gguf", (count / 2 + i) % count + 1, count);
            folder_text(&f, name, "GGUF");
        }
        snprintf(name, sizeof name, "m-00001-of-%05d.gguf': the file ends inside the version", count);
        expect_refused(f.path, false, R1_EFORMAT, name);
        folder_text(&f, "n-00001-of-00002.gguf", "GGUF");
        expect_refused(f.path, false, R1_EFORMAT, "holds more than one .gguf model (");
        folder_free(&f);
    }
}

static build gguf_part(unsigned no, const char *tensor)
{
    build b = { 0 };
    gguf_head(&b, 3, 1, 2);
    gguf_key(&b, "split.no", 2), add_number(&b, no, 2);
    gguf_key(&b, "split.count", 2), add_number(&b, 2, 2);
    gguf_tensor(&b, tensor, 0, 0, DIMS(2));
    pad(&b, 32);
    add_zeros(&b, 8);
    return b;
}

static void expect_target(const r1_ckpt *c, folder *f, const char *name, const char *part)
{
    r1_error e = { 0 };
    r1_status s = r1_ckpt_check_target(c, folder_path(f, name), &e);
    EXPECT_MSG(s == (part ? R1_EINVAL : R1_OK), "'%s': status %d, '%s'", name, (int)s, e.msg);
    if (part) EXPECT_CONTAINS(e.msg, part);
}

TEST(checkpoint_knows_its_files_by_any_name)
{
    folder f = folder_new();
    folder_put_build(&f, "m-00001-of-00002.gguf", gguf_part(0, "a"));
    folder_put_build(&f, "m-00002-of-00002.gguf", gguf_part(1, "b"));
    folder_text(&f, "else.gguf", "GGUF");
    r1_ckpt *c = expect_open(folder_path(&f, "m-00001-of-00002.gguf"), false);
    char second[1200];
    snprintf(second, sizeof second, "%s", folder_path(&f, "m-00002-of-00002.gguf"));
    EXPECT(!link(second, folder_path(&f, "hard")) && !symlink("hard", folder_path(&f, "soft")));
    expect_target(c, &f, "m-00001-of-00002.gguf", "is the source, too");
    for (size_t i = 0; i < 4; i++) expect_target(c, &f, (const char *[]){ "m-00002-of-00002.gguf", "./m-00002-of-00002.gguf", "hard", "soft" }[i], "is what '");
    expect_target(c, &f, "else.gguf", NULL);
    expect_target(c, &f, "nothing", NULL);
    expect_target(c, &f, "", NULL); /* the folder of a file may take a model */
    r1_ckpt_close(c);
    remove(folder_path(&f, "hard"));
    remove(folder_path(&f, "soft"));
    folder_free(&f);
    f = sharded_folder("{\"w_scale_inv\":\"model-2.safetensors\",\"w\":\"model-1.safetensors\",\"v\":\"model-1.safetensors\"}");
    c = expect_open(f.path, false);
    for (size_t i = 0; i < 5; i++) expect_target(c, &f, (const char *[]){ "", "model-1.safetensors", "model-2.safetensors", "config.json", INDEX }[i], "would be lost");
    expect_target(c, &f, "new.gguf", NULL);
    EXPECT(!symlink("model-2.safetensors", folder_path(&f, "model.safetensors")) && !mkdir(folder_path(&f, "sub"), 0700));
    EXPECT(!symlink("../model-2.safetensors", folder_path(&f, "sub/model.safetensors")));
    expect_target(c, &f, "sub", "holds weights that");
    r1_ckpt_close(c);
    remove(folder_path(&f, "sub/model.safetensors"));
    remove(folder_path(&f, "sub"));
    folder_free(&f);
}

TEST(checkpoint_opens_vocabularies)
{
    folder f = folder_new();
    folder_text(&f, "tokenizer.json", "{}");
    folder_text(&f, "other.json", "{}");
    r1_ckpt *c = expect_open(f.path, true);
    EXPECT_INT(r1_ckpt_n_tensors(c), 0);
    EXPECT_NULL(r1_ckpt_config(c));
    r1_ckpt_close(c);
    expect_refused(f.path, false, R1_EFORMAT, "has no config.json and no .gguf file");
    folder_text(&f, "tokenizer_config.json", "{\"chat_template\":\"T\"}");
    c = expect_open(folder_path(&f, "tokenizer.json"), true); /* brings its neighbours */
    EXPECT_INT(r1_ckpt_chat_template(c).n, 1);
    EXPECT_STR(r1_ckpt_architecture(c), "");
    r1_ckpt_close(c);
    c = expect_open(folder_path(&f, "other.json"), true); /* stands alone */
    EXPECT(r1_ckpt_chat_template(c).p == NULL);
    r1_ckpt_close(c);
    folder_text(&f, "config.json", "{\"model_type\":\"qwen2\"}");
    c = expect_open(f.path, true); /* no weights needed */
    EXPECT_STR(r1_ckpt_architecture(c), "qwen2");
    r1_ckpt_close(c);
    folder_text(&f, "tokenizer.json", "");
    expect_refused(f.path, true, R1_EFORMAT, "tokenizer.json' is empty");
    folder_free(&f);
}

TEST(checkpoint_checks_its_json_files)
{
    folder f = model_folder("{", NULL, 0);
    expect_refused(f.path, false, R1_EFORMAT, "config.json': wrong JSON");
    folder_text(&f, "config.json", "[]");
    expect_refused(f.path, false, R1_EFORMAT, "config.json' holds an array, expected an object");
    folder_text(&f, "config.json", "{\"model_type\":7}");
    expect_refused(f.path, true, R1_EFORMAT, "config.json': 'model_type' is an integer, expected a string");
    folder_text(&f, "config.json", "{}");
    folder_text(&f, "generation_config.json", "nonsense");
    expect_refused(f.path, true, R1_EFORMAT, "generation_config.json': wrong JSON");
    remove(folder_path(&f, "generation_config.json"));
    EXPECT_INT(symlink("nowhere", folder_path(&f, "tokenizer_config.json")), 0); /* an incomplete download, not an absent file */
    expect_refused(f.path, true, R1_EIO, "tokenizer_config.json': No such file");
    folder_free(&f);
}

/* ---- chat template ---------------------------------------------------------------------------------------------- */

static void expect_template(const char *tokenizer_config, const char *jinja, const char *want, const char *message)
{
    folder f = model_folder("{}", NULL, 0);
    if (tokenizer_config) folder_text(&f, "tokenizer_config.json", tokenizer_config);
    if (jinja) folder_text(&f, "chat_template.jinja", jinja);
    if (message) {
        expect_refused(f.path, true, R1_EFORMAT, message);
    } else {
        r1_ckpt *c = expect_open(f.path, true);
        r1_slice t = r1_ckpt_chat_template(c);
        EXPECT((t.p != NULL) == (want != NULL));
        if (want) EXPECT(t.n == strlen(want) && !memcmp(t.p, want, t.n));
        r1_ckpt_close(c);
    }
    folder_free(&f);
}

TEST(checkpoint_finds_the_chat_template)
{
    expect_template(NULL, NULL, NULL, NULL);
    expect_template("{}", NULL, NULL, NULL);
    expect_template("{\"chat_template\":null}", NULL, NULL, NULL);
    expect_template("{\"chat_template\":\"one\"}", NULL, "one", NULL);
    expect_template("{\"chat_template\":\"one\"}", "file", "file", NULL);
    expect_template(NULL, "file", "file", NULL);
    expect_template("{\"chat_template\":[{\"name\":\"tool\",\"template\":\"a\"},{\"name\":\"default\",\"template\":\"b\"}]}", NULL, "b", NULL);
    expect_template("{\"chat_template\":[{\"name\":\"tool\",\"template\":\"a\"}]}", NULL, "a", NULL);
    expect_template("{\"chat_template\":[{\"name\":\"x\",\"template\":\"a\"},{\"name\":\"y\",\"template\":\"b\"}]}", NULL, NULL, NULL);
    expect_template("{\"chat_template\":[]}", NULL, NULL, NULL);
    expect_template("{\"chat_template\":7}", NULL, NULL, "tokenizer_config.json': 'chat_template' is an integer, expected a string or a list");
    expect_template("{\"chat_template\":[\"x\"]}", NULL, NULL, "element 0 of 'chat_template' is not an object with the strings name and template");
    expect_template(NULL, "a\xff", NULL, "the chat template is not UTF-8 (byte 1)");
    char *big = malloc((1 << 20) + 2);
    memset(big, 'x', (1 << 20) + 1);
    big[(1 << 20) + 1] = 0;
    expect_template(NULL, big, NULL, "chat_template.jinja' has more than 1048576 bytes");
    free(big);
}

/* ---- tokenizer -------------------------------------------------------------------------------------------------- */

/* A GGUF file with the metadata of a golden one but for the keys changed, and no tensors. */
typedef struct vocab_file { const char *skip, *bos_text; void (*extra)(build *b); } vocab_file;

static void copy_tokens(build *b, const r1_gguf *g, const char *first)
{
    r1_error e;
    r1_slice *v;
    size_t n;
    EXPECT_OK(r1_gguf_strings(g, "tokenizer.ggml.tokens", true, 1000, &v, &n, &e), &e);
    gguf_key(b, "tokenizer.ggml.tokens", 9), add_u32(b, 8), add_u64(b, n);
    for (size_t i = 0; i < n; i++) {
        if (i == 0) v[i] = (r1_slice){ first, strlen(first) };
        add_u64(b, v[i].n), add(b, v[i].p, v[i].n);
    }
    free(v);
}

static build make_vocab(vocab_file x)
{
    r1_gguf *g;
    r1_error e;
    build b = { 0 };
    EXPECT_OK(r1_gguf_open(&g, golden("deepseek_v3/gguf/deepseek_v3.Q4_0.gguf"), &e), &e);
    uint64_t n_kv = 0;
    gguf_head(&b, 3, 0, 0);
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        const char *end = i + 1 < r1_gguf_n_kv(g) ? r1_gguf_kv_at(g, i + 1)->key.p - 8 : (const char *)kv->data + 1; /* the last one is a bool */
        if (x.skip && kv->key.n == strlen(x.skip) && !memcmp(kv->key.p, x.skip, kv->key.n)) continue;
        n_kv++;
        if (x.bos_text && kv->key.n == 21 && !memcmp(kv->key.p, "tokenizer.ggml.tokens", 21)) copy_tokens(&b, g, x.bos_text);
        else add(&b, kv->key.p - 8, (size_t)(end - kv->key.p + 8));
    }
    if (x.extra) x.extra(&b), n_kv++;
    for (int i = 0; i < 8; i++) b.p[16 + i] = (uint8_t)(n_kv >> 8 * i);
    r1_gguf_close(g);
    return b;
}

static void expect_vocab(vocab_file x, r1_status want, const char *part)
{
    folder f = folder_new();
    r1_tokenizer *t;
    r1_error e = { 0 };
    folder_put_build(&f, "v.gguf", make_vocab(x));
    r1_ckpt *c = expect_open(f.path, true);
    EXPECT_STATUS(r1_ckpt_tokenizer(c, &t, &e), want);
    EXPECT((want == R1_OK) == (t != NULL));
    if (t) EXPECT_STR(r1_tokenizer_pre(t), part);
    else EXPECT_CONTAINS(e.msg, part);
    r1_tokenizer_free(t);
    r1_ckpt_close(c);
    folder_free(&f);
}

static void add_llama(build *b) { gguf_text(b, "tokenizer.ggml.model", "llama"); }
static void add_types(build *b) { gguf_key(b, "tokenizer.ggml.token_type", 9), add_u32(b, 5), add_u64(b, 1), add_u32(b, 1); }
static void add_tokens(build *b) { gguf_key(b, "tokenizer.ggml.tokens", 9), add_u32(b, 8), add_u64(b, 0); }
static void add_bos(build *b) { gguf_u32(b, "tokenizer.ggml.bos_token_id", 100000); }
static void add_pre(build *b) { gguf_text(b, "tokenizer.ggml.pre", "nobody-knows-it"); }

TEST(checkpoint_reads_the_tokenizer_of_a_gguf)
{
    static const char deepseek_bos[] = "<\xEF\xBD\x9C" "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>";
    expect_vocab((vocab_file){ 0 }, R1_OK, "deepseek-v3");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.pre", .bos_text = deepseek_bos }, R1_OK, "deepseek-v3"); /* derived */
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.pre" }, R1_EUNSUPPORTED, "does not name its pre-tokenizer ('tokenizer.ggml.pre')");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.model" }, R1_EFORMAT, "v.gguf': the metadata key 'tokenizer.ggml.model' is missing");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.model", .extra = add_llama }, R1_EUNSUPPORTED, "the tokenizer is 'llama'; supported is 'gpt2'");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.tokens" }, R1_EFORMAT, "'tokenizer.ggml.tokens' is missing");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.tokens", .extra = add_tokens }, R1_EFORMAT, "'tokenizer.ggml.tokens' is empty");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.merges" }, R1_EFORMAT, "'tokenizer.ggml.merges' is missing");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.token_type", .extra = add_types }, R1_EFORMAT, "'tokenizer.ggml.token_type' has 1 elements, expected 288");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.bos_token_id", .extra = add_bos }, R1_EFORMAT, "'tokenizer.ggml.bos_token_id' is 100000, expected -1 to 287");
    expect_vocab((vocab_file){ .skip = "tokenizer.ggml.pre", .extra = add_pre }, R1_EUNSUPPORTED, "nobody-knows-it");
}

TEST(checkpoint_makes_equal_tokenizers_from_both_forms)
{
    r1_error e;
    r1_tokenizer *t, *u;
    r1_ckpt *a = expect_open(golden("deepseek_v3"), true), *b = expect_open(golden("deepseek_v3/gguf/deepseek_v3.Q8_0.gguf"), true);
    EXPECT_OK(r1_ckpt_tokenizer(a, &t, &e), &e);
    EXPECT_OK(r1_ckpt_tokenizer(b, &u, &e), &e);
    EXPECT_INT(r1_tokenizer_bos(t), r1_tokenizer_bos(u));
    EXPECT_INT(r1_tokenizer_eos(t), r1_tokenizer_eos(u));
    EXPECT_INT(r1_tokenizer_adds_bos(t), r1_tokenizer_adds_bos(u));
    EXPECT_INT(r1_tokenizer_size(t), r1_tokenizer_size(u));
    static const char text[] = "the quick brown fox, 1234 is it?\n<|bos|>";
    int32_t x[128], y[128];
    size_t n, m;
    for (int special = 0; special < 2; special++) {
        EXPECT_OK(r1_tokenize(t, text, strlen(text), special ? R1_SPECIAL_ALL : R1_SPECIAL_NONE, true, x, 128, &n, &e), &e);
        EXPECT_OK(r1_tokenize(u, text, strlen(text), special ? R1_SPECIAL_ALL : R1_SPECIAL_NONE, true, y, 128, &m, &e), &e);
        EXPECT(n == m && n > 4 && !memcmp(x, y, n * sizeof x[0]));
    }
    r1_tokenizer_free(t);
    r1_tokenizer_free(u);
    r1_ckpt_close(a);
    r1_ckpt_close(b);
}

/* The golden tokenizer with another generation_config.json and config.json. */
static void expect_eos(const char *generation, const char *config, const char *ids, const char *message)
{
    folder f = model_folder(config, NULL, 0);
    char *text;
    size_t n;
    r1_error e = { 0 };
    r1_tokenizer *t;
    EXPECT_OK(r1_file_read(golden("deepseek_v3/tokenizer.json"), 1 << 20, &text, &n, &e), &e);
    folder_put(&f, "tokenizer.json", text, n);
    free(text);
    if (generation) folder_text(&f, "generation_config.json", generation);
    r1_ckpt *c = expect_open(f.path, true);
    r1_status s = r1_ckpt_tokenizer(c, &t, &e);
    if (message) {
        EXPECT_STATUS(s, R1_EFORMAT);
        EXPECT_CONTAINS(e.msg, message);
        EXPECT_NULL(t);
    } else {
        EXPECT_OK(s, &e);
        char found[64] = "";
        for (int i = 0; i < 20; i++)
            if (r1_token_is_eog(t, i)) snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", i);
        EXPECT_STR(found, ids);
    }
    r1_tokenizer_free(t);
    r1_ckpt_close(c);
    folder_free(&f);
}

TEST(checkpoint_knows_what_ends_a_generation)
{
    expect_eos("{\"eos_token_id\":1}", "{\"eos_token_id\":9}", "1 ", NULL);
    expect_eos("{\"eos_token_id\":[1,5,7]}", "{}", "1 5 7 ", NULL);
    expect_eos(NULL, "{\"eos_token_id\":[2,9]}", "2 9 ", NULL);
    expect_eos("{\"eos_token_id\":[1,5000]}", "{}", NULL, "5000");
    expect_eos(NULL, "{\"eos_token_id\":[1,5000]}", NULL, "config.json: 'eos_token_id' holds an id out of range, expected ids from 0 to 285");
    expect_eos("{\"eos_token_id\":-1}", "{}", NULL, "'eos_token_id'");
    expect_eos("{\"eos_token_id\":\"x\"}", "{}", NULL, "'eos_token_id'");
}

TEST(checkpoint_says_when_there_is_no_tokenizer)
{
    folder f = model_folder("{}", NULL, 0);
    r1_tokenizer *t;
    r1_error e = { 0 };
    r1_ckpt *c = expect_open(f.path, true);
    EXPECT_STATUS(r1_ckpt_tokenizer(c, &t, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "has no tokenizer.json");
    EXPECT_NULL(t);
    r1_ckpt_close(c);
    folder_put_build(&f, "v.gguf", gguf_sample(3));
    c = expect_open(folder_path(&f, "v.gguf"), true);
    EXPECT_STATUS(r1_ckpt_tokenizer(c, &t, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'tokenizer.ggml.model' is missing");
    r1_ckpt_close(c);
    folder_free(&f);
}
