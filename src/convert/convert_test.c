/* Tests of conversion and quantising on the golden models, whose GGUF files an independent converter wrote. */
#define _GNU_SOURCE
#include "convert/convert.h"
#include "format/build_test.h"

#include <fcntl.h>
#include <math.h>
#include <sys/file.h>

static r1_ckpt *open_model(const char *relative)
{
    r1_ckpt *c = NULL;
    r1_error e = { 0 };
    EXPECT_OK(r1_ckpt_open(&c, relative[0] == '/' ? relative : test_path(relative), false, &e), &e);
    return c;
}

static r1_plan *plan_of(const r1_ckpt *c, bool to_gguf)
{
    r1_plan *p = NULL;
    r1_error e = { 0 };
    EXPECT_OK(r1_plan_new(&p, c, to_gguf, &e), &e);
    return p;
}

static void remove_tree(const char *dir)
{
    folder f = { 0 };
    snprintf(f.path, sizeof f.path, "%.250s", dir);
    folder_free(&f);
}

static r1_status export_to(const char *source, const char *path, bool to_gguf, const r1_export_options *o, r1_type type, r1_error *err)
{
    r1_ckpt *c = open_model(source);
    r1_plan *p = plan_of(c, to_gguf);
    if (type != R1_TYPE_END) r1_plan_set_type(p, type);
    r1_status s = r1_export(p, path, o, err);
    r1_plan_free(p);
    r1_ckpt_close(c);
    return s;
}

static void expect_same_tensor(const r1_ckpt_tensor *a, const r1_ckpt_tensor *b, const char *name)
{
    EXPECT_MSG(b != NULL, "'%s' is missing", name);
    if (!b) return;
    EXPECT_MSG(a->type == b->type, "'%s' has type %d, expected %d", name, b->type, a->type);
    EXPECT_MSG(!memcmp(a->ne, b->ne, sizeof a->ne) && a->bytes == b->bytes, "'%s' has another shape", name);
    if (a->bytes == b->bytes) EXPECT_MSG(!memcmp(a->data, b->data, a->bytes), "'%s' has other bytes", name);
}

/* Every tensor of a is in b, the same to the bit. */
static void expect_contains(const r1_ckpt *a, const r1_ckpt *b)
{
    for (size_t i = 0; i < r1_ckpt_n_tensors(a); i++) expect_same_tensor(r1_ckpt_at(a, i), r1_ckpt_find(b, r1_ckpt_at(a, i)->name), r1_ckpt_at(a, i)->name);
}

/* ---- there ------------------------------------------------------------------------------------------------------ */

static void expect_golden(const char *name, const char *golden, r1_type type, size_t more)
{
    char source[256], want[256];
    folder f = folder_new();
    r1_error e = { 0 };
    snprintf(source, sizeof source, "golden/models/%s", name);
    snprintf(want, sizeof want, "golden/models/%s/gguf/%s", name, golden);
    EXPECT_OK(export_to(source, folder_path(&f, "a.gguf"), true, &(r1_export_options){ 0 }, type, &e), &e);
    r1_ckpt *a = open_model(want), *b = open_model(folder_path(&f, "a.gguf"));
    expect_contains(a, b);
    EXPECT_INT(r1_ckpt_n_tensors(b), r1_ckpt_n_tensors(a) + more);
    const r1_gguf *ga = r1_ckpt_gguf(a), *gb = r1_ckpt_gguf(b);
    size_t same = 0;
    for (size_t i = 0; i < r1_gguf_n_kv(ga); i++) {
        const r1_gguf_kv *x = r1_gguf_kv_at(ga, i);
        char key[128];
        snprintf(key, sizeof key, "%.*s", (int)x->key.n, x->key.p);
        if (!strncmp(key, "general.", 8) || (more && strstr(key, ".block_count"))) continue;
        const r1_gguf_kv *y = r1_gguf_find(gb, key);
        EXPECT_MSG(y && y->type == x->type && y->stored_bytes == x->stored_bytes && !memcmp(x->stored, y->stored, x->stored_bytes), "the key '%s' differs", key);
        same++;
    }
    EXPECT(same > 15);
    r1_ckpt_close(a);
    r1_ckpt_close(b);
    folder_free(&f);
}

TEST(convert_makes_the_golden_gguf_of_llama) { expect_golden("llama_256", "llama_256.F32.gguf", R1_TYPE_END, 0); }
TEST(convert_makes_the_golden_gguf_of_llama_in_f16) { expect_golden("llama_256", "llama_256.F16.gguf", R1_F16, 0); }
TEST(convert_makes_the_golden_gguf_of_qwen2) { expect_golden("qwen2", "qwen2.F32.gguf", R1_TYPE_END, 0); }
TEST(convert_makes_the_golden_gguf_of_qwen2_in_bf16) { expect_golden("qwen2", "qwen2.BF16.gguf", R1_BF16, 0); }
TEST(convert_makes_the_golden_gguf_of_deepseek_v2) { expect_golden("deepseek_v2_lite", "deepseek_v2_lite.F32.gguf", R1_TYPE_END, 0); }
TEST(convert_makes_the_golden_gguf_of_deepseek_v3) { expect_golden("deepseek_v3", "deepseek_v3.F32.gguf", R1_TYPE_END, 24); } /* the prediction module */

/* ---- and back --------------------------------------------------------------------------------------------------- */

static void there_and_back(const char *name, bool equal)
{
    char source[256];
    folder f = folder_new();
    r1_error e = { 0 };
    char back[1100];
    snprintf(source, sizeof source, "golden/models/%s", name);
    snprintf(back, sizeof back, "%s/back", f.path);
    EXPECT_OK(export_to(source, folder_path(&f, "a.gguf"), true, &(r1_export_options){ 0 }, R1_TYPE_END, &e), &e);
    EXPECT_OK(export_to(folder_path(&f, "a.gguf"), back, false, &(r1_export_options){ 0 }, R1_TYPE_END, &e), &e);
    r1_ckpt *a = open_model(source), *b = open_model(back);
    EXPECT_INT(r1_ckpt_n_tensors(b), r1_ckpt_n_tensors(a));
    if (equal) expect_contains(a, b);
    r1_config x, y;
    EXPECT_OK(r1_config_read(&x, a, &e), &e);
    EXPECT_OK(r1_config_read(&y, b, &e), &e);
    EXPECT(x.arch == y.arch && x.eps == y.eps && x.softmax_scale == y.softmax_scale && x.n_mtp == y.n_mtp && x.tied == y.tied && x.expert_scale == y.expert_scale);
    EXPECT(x.rope.theta == y.rope.theta && x.rope.scaling == y.rope.scaling && x.rope.multiplier == y.rope.multiplier);
    EXPECT(!memcmp(x.rope.inv_freq, y.rope.inv_freq, (size_t)x.rope.dim / 2 * sizeof *x.rope.inv_freq));
    r1_config_deinit(&x);
    r1_config_deinit(&y);
    r1_tokenizer *ta, *tb;
    EXPECT_OK(r1_ckpt_tokenizer(a, &ta, &e), &e);
    EXPECT_OK(r1_ckpt_tokenizer(b, &tb, &e), &e);
    EXPECT_STR(r1_tokenizer_pre(tb), r1_tokenizer_pre(ta));
    EXPECT(r1_tokenizer_bos(ta) == r1_tokenizer_bos(tb) && r1_tokenizer_eos(ta) == r1_tokenizer_eos(tb) && r1_tokenizer_adds_bos(ta) == r1_tokenizer_adds_bos(tb));
    static const char text[] = "He said: \"1234 it's\n\n  a test<|eos|> of na\xc3\xafve \xe6\xbc\xa2\xe5\xad\x97\"";
    r1_ids ia = { 0 }, ib = { 0 };
    for (int special = 0; special < 3; special++) {
        EXPECT_OK(r1_tokenizer_encode(ta, text, sizeof text - 1, special, &ia, &e), &e);
        EXPECT_OK(r1_tokenizer_encode(tb, text, sizeof text - 1, special, &ib, &e), &e);
    }
    EXPECT(ia.n > 20 && ia.n == ib.n && !memcmp(ia.ids, ib.ids, ia.n * sizeof *ia.ids));
    r1_ids_deinit(&ia);
    r1_ids_deinit(&ib);
    r1_tokenizer_free(ta);
    r1_tokenizer_free(tb);
    r1_ckpt_close(a);
    r1_ckpt_close(b);
    remove_tree(back);
    folder_free(&f);
}

TEST(convert_there_and_back_llama) { there_and_back("llama", true); }
TEST(convert_there_and_back_llama_tied) { there_and_back("llama_tied", true); }
TEST(convert_there_and_back_qwen2) { there_and_back("qwen2", true); }
TEST(convert_there_and_back_qwen2_bf16_shards) { there_and_back("qwen2_bf16", true); }
TEST(convert_there_and_back_deepseek_v2) { there_and_back("deepseek_v2_lite", true); }
TEST(convert_there_and_back_deepseek_v3_with_prediction) { there_and_back("deepseek_v3", true); }
TEST(convert_there_and_back_deepseek_v3_bf16) { there_and_back("deepseek_v3_bf16", true); }
TEST(convert_there_and_back_fp8) { there_and_back("deepseek_v3_fp8", false); }

/* FP8 values times their block's scale, as float32. */
TEST(convert_applies_the_scales_of_fp8)
{
    folder f = folder_new();
    r1_error e = { 0 };
    char path[1100];
    snprintf(path, sizeof path, "%s/f32", f.path);
    EXPECT_OK(export_to("golden/models/deepseek_v3_fp8", path, false, &(r1_export_options){ 0 }, R1_F32, &e), &e);
    r1_ckpt *a = open_model("golden/models/deepseek_v3_fp8"), *b = open_model(path);
    size_t fp8 = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(a); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(a, i), *u = r1_ckpt_find(b, t->name);
        if (t->type != R1_F8_E4M3) continue;
        EXPECT(u && u->type == R1_F32);
        fp8++;
        for (uint64_t r = 0; u && r < t->ne[1]; r += 37)
            for (uint64_t c = 0; c < t->ne[0]; c += 13) {
                float scale, got;
                memcpy(&scale, t->scale + 4 * (r / 128 * ((t->ne[0] + 127) / 128) + c / 128), 4);
                memcpy(&got, u->data + 4 * (r * t->ne[0] + c), 4);
                EXPECT(got == r1_e4m3_table[t->data[r * t->ne[0] + c]] * scale);
            }
    }
    EXPECT(fp8 > 20);
    EXPECT_NULL(json_object_get(r1_ckpt_config(b), "quantization_config"));
    r1_ckpt_close(a);
    r1_ckpt_close(b);
    remove_tree(path);
    folder_free(&f);
}

static const uint8_t *scales_of(const r1_ckpt_tensor *t, size_t *bytes)
{
    *bytes = t->scale ? r1_ceil_div((size_t)t->ne[0], 128) * r1_ceil_div((size_t)t->ne[1], 128) * 4 : 0;
    return t->scale;
}

TEST(convert_keeps_fp8_from_folder_to_folder)
{
    folder f = folder_new();
    r1_error e = { 0 };
    char path[1100];
    snprintf(path, sizeof path, "%s/same", f.path);
    EXPECT_OK(export_to("golden/models/deepseek_v3_fp8", path, false, &(r1_export_options){ 0 }, R1_TYPE_END, &e), &e);
    r1_ckpt *a = open_model("golden/models/deepseek_v3_fp8"), *b = open_model(path);
    expect_contains(a, b);
    EXPECT_INT(r1_ckpt_n_tensors(a), r1_ckpt_n_tensors(b));
    size_t fp8 = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(a); i++) {
        size_t na, nb;
        const r1_ckpt_tensor *u = r1_ckpt_find(b, r1_ckpt_at(a, i)->name);
        const uint8_t *x = scales_of(r1_ckpt_at(a, i), &na), *y = scales_of(u, &nb);
        EXPECT(na == nb && (!na || !memcmp(x, y, na)));
        fp8 += na > 0;
    }
    EXPECT(fp8 > 20);
    EXPECT(json_object_get(r1_ckpt_config(b), "quantization_config") != NULL);
    EXPECT_STR(json_string_value(json_object_get(r1_ckpt_config(b), "torch_dtype")), "bfloat16");
    r1_ckpt_close(a);
    r1_ckpt_close(b);
    remove_tree(path);
    folder_free(&f);
}

static void export_fp8(const char *source, const char *path, int threads, r1_made_error *sum)
{
    r1_error e = { 0 };
    r1_pool *pool;
    r1_ckpt *c = open_model(source);
    r1_plan *p = plan_of(c, false);
    r1_plan_set_fp8(p);
    r1_made_error *errors = calloc(p->n, sizeof *errors);
    EXPECT_OK(r1_pool_new(&pool, threads, &e), &e);
    EXPECT_OK(r1_export(p, path, &(r1_export_options){ .pool = pool, .errors = errors }, &e), &e);
    for (size_t i = 0; i < p->n; i++) sum->error2 += errors[i].error2, sum->value2 += errors[i].value2;
    r1_pool_free(pool);
    free(errors);
    r1_plan_free(p);
    r1_ckpt_close(c);
}

/* From float weights, and from a GGUF file whose keys and values are joined by heads that are no multiple of a block. */
static void makes_fp8(const char *source)
{
    folder f = folder_new();
    r1_made_error sum = { 0 };
    char path[1100], again[1100], name[1200];
    snprintf(path, sizeof path, "%s/fp8", f.path);
    snprintf(again, sizeof again, "%s/again", f.path);
    export_fp8(source, path, 1, &sum);
    EXPECT(sum.value2 > 0 && sum.error2 / sum.value2 < 0.03 * 0.03);
    r1_ckpt *b = open_model(path);
    for (size_t i = 0; i < r1_ckpt_n_tensors(b); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(b, i);
        bool linear = strstr(t->name, "_proj") && !strstr(t->name, "eh_proj");
        r1_type want = linear ? R1_F8_E4M3 : strstr(t->name, "e_score") ? R1_F32 : R1_BF16;
        EXPECT_MSG(t->type == want && (t->scale != NULL) == linear, "'%s' is %s", t->name, r1_type_get(t->type)->name);
    }
    r1_ckpt_close(b);
    sum = (r1_made_error){ 0 };
    export_fp8(path, again, 3, &sum); /* copies */
    snprintf(name, sizeof name, "%s/model.safetensors", path);
    char *x, *y;
    size_t nx, ny;
    r1_error e = { 0 };
    EXPECT_OK(r1_file_read(name, 1 << 26, &x, &nx, &e), &e);
    snprintf(name, sizeof name, "%s/model.safetensors", again);
    EXPECT_OK(r1_file_read(name, 1 << 26, &y, &ny, &e), &e);
    EXPECT(nx == ny && !memcmp(x, y, nx));
    free(y);
    remove_tree(again);
    export_fp8(source, again, 3, &sum); /* the same with any number of threads */
    EXPECT_OK(r1_file_read(name, 1 << 26, &y, &ny, &e), &e);
    EXPECT(nx == ny && !memcmp(x, y, nx));
    free(x);
    free(y);
    remove_tree(path);
    remove_tree(again);
    folder_free(&f);
}

TEST(convert_makes_fp8_of_a_folder) { makes_fp8("golden/models/deepseek_v3"); }
TEST(convert_makes_fp8_of_a_gguf_file) { makes_fp8("golden/models/deepseek_v3/gguf/deepseek_v3.F32.gguf"); }
TEST(convert_makes_fp8_of_llama) { makes_fp8("golden/models/llama_256"); }

/* ---- refusals, interruptions ------------------------------------------------------------------------------------ */

TEST(convert_refuses_a_tensor_without_a_place)
{
    folder f = folder_new();
    r1_error e = { 0 };
    static const char *const names[] = { "config.json", "tokenizer.json", "tokenizer_config.json" };
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        char relative[128], *text;
        size_t n;
        snprintf(relative, sizeof relative, "golden/models/qwen2/%s", names[i]);
        EXPECT_OK(r1_file_read(test_path(relative), 1 << 24, &text, &n, &e), &e);
        folder_put(&f, names[i], text, n);
        free(text);
    }
    folder_put_build(&f, "model.safetensors", st_file("{\"model.embed_tokens.weight\":{\"dtype\":\"F32\",\"shape\":[304,96],\"data_offsets\":[0,116736]}}", 116736));
    r1_ckpt *c = open_model(f.path);
    r1_plan *p;
    EXPECT_STATUS(r1_plan_new(&p, c, true, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'model.norm.weight' is missing");
    EXPECT_NULL(p);
    r1_ckpt_close(c);
    folder_free(&f);
}

/* What r1_model_open would refuse; the command line has more of these (tests/e2e/files.py). */
TEST(convert_refuses_a_transposed_tensor)
{
    folder f = folder_new();
    r1_error e = { 0 };
    char path[1100], *text;
    static const char *const names[] = { "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors" };
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        char relative[128];
        size_t n;
        snprintf(relative, sizeof relative, "golden/models/qwen2/%s", names[i]);
        EXPECT_OK(r1_file_read(test_path(relative), 1 << 24, &text, &n, &e), &e);
        static const char down[] = "model.layers.0.mlp.down_proj.weight\":{\"dtype\":\"F32\",\"shape\":";
        char *at = i == 3 ? memmem(text, n, down, strlen(down)) : NULL;
        EXPECT((at != NULL) == (i == 3));
        if (at) memcpy(at + strlen(down), "[224,96]", 8);
        folder_put(&f, names[i], text, n);
        free(text);
    }
    size_t before = n_entries(f.path);
    for (int to_gguf = 0; to_gguf < 2; to_gguf++) {
        snprintf(path, sizeof path, "%s/out%s", f.path, to_gguf ? ".gguf" : "");
        EXPECT_STATUS(export_to(f.path, path, to_gguf, &(r1_export_options){ 0 }, R1_TYPE_END, &e), R1_EFORMAT);
        EXPECT_CONTAINS(e.msg, "down_proj.weight' has shape [224 x 96], expected [96 x 224]");
        EXPECT_INT(n_entries(f.path), before);
    }
    folder_free(&f);
}

static bool never(void *ctx, uint64_t done, uint64_t total)
{
    ++*(size_t *)ctx;
    return done > total;
}

TEST(convert_that_is_cancelled_leaves_nothing)
{
    folder f = folder_new();
    r1_error e = { 0 };
    size_t calls = 0;
    char path[1100];
    r1_export_options o = { .progress = never, .progress_ctx = &calls };
    snprintf(path, sizeof path, "%s/folder", f.path);
    EXPECT_STATUS(export_to("golden/models/llama", folder_path(&f, "a.gguf"), true, &o, R1_TYPE_END, &e), R1_ECANCELLED);
    EXPECT_STATUS(export_to("golden/models/llama_256/gguf/llama_256.F32.gguf", path, false, &o, R1_TYPE_END, &e), R1_ECANCELLED);
    EXPECT_INT(calls, 2);
    EXPECT_INT(n_entries(f.path), 0);
    folder_free(&f);
}

TEST(convert_overwrites_a_folder_only_by_force)
{
    folder f = folder_new();
    r1_error e = { 0 };
    folder_text(&f, "model.safetensors", "precious");
    folder_text(&f, "notes.txt", "mine");
    static const char source[] = "golden/models/llama_256/gguf/llama_256.Q8_0.gguf";
    EXPECT_STATUS(export_to(source, f.path, false, &(r1_export_options){ 0 }, R1_TYPE_END, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--force");
    EXPECT_OK(export_to(source, f.path, false, &(r1_export_options){ .force = true }, R1_TYPE_END, &e), &e);
    EXPECT_INT(n_entries(f.path), 6); /* four JSON files and the weights, beside the notes */
    r1_ckpt_close(open_model(f.path));
    folder_text(&f, "model.safetensors.index.json", "{}");
    EXPECT_STATUS(export_to(source, f.path, false, &(r1_export_options){ .force = true }, R1_TYPE_END, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "several files");
    folder_free(&f);
}

/* ---- quantising ------------------------------------------------------------------------------------------------- */

static r1_status quantise(const char *source, const char *path, const r1_quantise_options *q, const r1_export_options *o, r1_error *err)
{
    r1_ckpt *c = open_model(source);
    r1_plan *p = plan_of(c, true);
    size_t fallbacks;
    r1_status s = r1_mix_types(p, q, &fallbacks, err);
    if (s == R1_OK && path) s = r1_export(p, path, o, err);
    r1_plan_free(p);
    r1_ckpt_close(c);
    return s;
}

/* A folder NAME of f with a file in it, and the mark of an unfinished one if wanted; its lock is held while the result is open. */
static int put_left(folder *f, const char *name, bool marked)
{
    char inside[64];
    EXPECT(mkdir(folder_path(f, name), 0700) == 0);
    snprintf(inside, sizeof inside, "%s/model.safetensors", name);
    EXPECT_OK(r1_file_write(folder_path(f, inside), "x", 1, false, NULL), NULL);
    if (!marked) return -1;
    snprintf(inside, sizeof inside, "%s/.r1-unfinished", name);
    return open(folder_path(f, inside), O_RDWR | O_CREAT, 0600);
}

static bool is_there(folder *f, const char *name) { return access(folder_path(f, name), F_OK) == 0; }

TEST(convert_removes_folders_of_dead_processes)
{
    folder f = folder_new();
    r1_error e = { 0 };
    static const char source[] = "golden/models/llama_256/gguf/llama_256.Q8_0.gguf";
    static const char *const names[] = { "m.tmp-abcdef", "m.tmp-locked", "m.tmp-nomark", "n.tmp-abcdef", "m.tmp-abcdefg" };
    int fd[R1_COUNT(names)];
    for (size_t i = 0; i < R1_COUNT(names); i++) fd[i] = put_left(&f, names[i], i != 2);
    EXPECT(flock(fd[1], LOCK_EX) == 0);
    EXPECT_OK(export_to(source, folder_path(&f, "m"), false, &(r1_export_options){ 0 }, R1_TYPE_END, &e), &e);
    EXPECT(!is_there(&f, names[0]));
    for (size_t i = 1; i < R1_COUNT(names); i++) EXPECT_MSG(is_there(&f, names[i]), "%s is gone", names[i]);
    EXPECT(flock(fd[1], LOCK_UN) == 0);
    EXPECT_OK(export_to(source, folder_path(&f, "m"), false, &(r1_export_options){ .force = true }, R1_TYPE_END, &e), &e);
    EXPECT(!is_there(&f, names[1]) && is_there(&f, names[2]));
    EXPECT_INT(n_entries(folder_path(&f, "m")), 5); /* four JSON files and the weights, no mark */
    EXPECT(!is_there(&f, "m/.r1-unfinished"));
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (fd[i] >= 0) close(fd[i]);
    static const char *const rest[] = { "m", "m.tmp-nomark", "n.tmp-abcdef", "m.tmp-abcdefg" };
    for (size_t i = 0; i < R1_COUNT(rest); i++) remove_tree(folder_path(&f, rest[i]));
    folder_free(&f);
}

TEST(quantise_is_the_same_with_any_number_of_threads)
{
    folder f = folder_new();
    r1_error e = { 0 };
    char *a, *b;
    size_t na, nb;
    r1_quantise_options q = { .target = "q4_k_m" };
    for (int threads = 1; threads <= 3; threads += 2) {
        r1_pool *pool;
        EXPECT_OK(r1_pool_new(&pool, threads, &e), &e);
        EXPECT_OK(quantise("golden/models/deepseek_v3", folder_path(&f, threads == 1 ? "1.gguf" : "3.gguf"), &q, &(r1_export_options){ .pool = pool, .target = "Q4_K_M" }, &e), &e);
        r1_pool_free(pool);
    }
    EXPECT_OK(r1_file_read(folder_path(&f, "1.gguf"), 1 << 24, &a, &na, &e), &e);
    EXPECT_OK(r1_file_read(folder_path(&f, "3.gguf"), 1 << 24, &b, &nb, &e), &e);
    EXPECT(na > 100000 && na == nb && !memcmp(a, b, na));
    free(a);
    free(b);
    folder_free(&f);
}

/* Types by name in a plan of the 28-layer shape of llama; no weights are read. */
static const char *type_in(const r1_ckpt *c, const r1_quantise_options *q, const char *name)
{
    r1_plan *p = plan_of(c, true);
    r1_error e = { 0 };
    size_t fallbacks;
    const char *type = "(none)";
    EXPECT_OK(r1_mix_types(p, q, &fallbacks, &e), &e);
    for (size_t i = 0; i < p->n; i++)
        if (!strcmp(p->t[i].name, name)) type = r1_type_get(p->t[i].type)->name;
    r1_plan_free(p);
    return type;
}

/* A file of so many layers whose tensors share their few bytes' worth of shape; attn_q has so many rows, the others two. */
static void put_layers(folder *f, int layers, uint64_t q_rows)
{
    r1_gguf_out *w;
    r1_error e = { 0 };
    static const char *const parts[] = { "attn_norm.weight", "attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight", "ffn_gate.weight", "ffn_down.weight" };
    static float row[2048];
    EXPECT_OK(r1_gguf_out_new(&w, &e), &e);
    EXPECT_OK(r1_gguf_out_str(w, "general.architecture", "llama", 5, &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "token_embd.weight", R1_F32, 2, { 256, 2 }, 0 }, &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "output.weight", R1_F32, 2, { 256, 2 }, 0 }, &e), &e);
    for (int l = 0; l < layers; l++)
        for (size_t i = 0; i < R1_COUNT(parts); i++) {
            char name[64];
            snprintf(name, sizeof name, "blk.%d.%s", l, parts[i]);
            EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ name, R1_F32, i ? 2 : 1, { l == 9 && i == 5 ? 96 : 256, i == 1 ? q_rows : 2 }, 0 }, &e), &e);
        }
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(f, "l.gguf"), false, &e), &e);
    for (size_t i = 0; i < 2 + (size_t)layers * R1_COUNT(parts); i++) {
        bool query = i >= 2 && (i - 2) % R1_COUNT(parts) == 1, norm = i >= 2 && (i - 2) % R1_COUNT(parts) == 0, narrow = i == 2 + 9 * R1_COUNT(parts) + 5;
        EXPECT_OK(r1_gguf_out_data(w, row, (norm ? 256 : narrow ? 192 : query ? 256 * q_rows : 512) * 4, &e), &e);
    }
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
}

TEST(quantise_mixes_types_by_rule)
{
    folder f = folder_new();
    put_layers(&f, 16, 2);
    r1_ckpt *c = open_model(folder_path(&f, "l.gguf"));
    static const struct { const char *target, *name, *type; } want[] = {
        { "Q4_K_M", "output.weight", "Q6_K" }, { "Q4_K_M", "token_embd.weight", "Q4_K" }, { "Q4_K_M", "blk.0.attn_norm.weight", "F32" },
        { "Q4_K_M", "blk.0.attn_v.weight", "Q6_K" }, { "Q4_K_M", "blk.1.ffn_down.weight", "Q6_K" }, { "Q4_K_M", "blk.2.attn_v.weight", "Q4_K" },
        { "Q4_K_M", "blk.4.ffn_down.weight", "Q6_K" }, { "Q4_K_M", "blk.5.ffn_down.weight", "Q4_K" }, { "Q4_K_M", "blk.14.attn_v.weight", "Q6_K" },
        { "Q4_K_M", "blk.3.attn_q.weight", "Q4_K" }, { "Q4_K", "blk.14.attn_v.weight", "Q6_K" }, { "Q4_K_M", "blk.9.ffn_gate.weight", "Q5_0" },
        { "Q4_K_S", "blk.3.attn_v.weight", "Q5_K" }, { "Q4_K_S", "blk.4.attn_v.weight", "Q4_K" }, { "Q4_K_S", "blk.1.ffn_down.weight", "Q5_K" },
        { "Q3_K_M", "blk.0.ffn_down.weight", "Q5_K" }, { "Q3_K_M", "blk.1.ffn_down.weight", "Q4_K" }, { "Q3_K_M", "blk.1.attn_v.weight", "Q5_K" },
        { "Q3_K_M", "blk.2.attn_output.weight", "Q4_K" }, { "Q3_K_L", "blk.7.attn_output.weight", "Q5_K" }, { "Q2_K", "blk.7.ffn_down.weight", "Q3_K" },
        { "Q2_K", "blk.7.attn_k.weight", "Q2_K" }, { "Q2_K", "blk.9.ffn_gate.weight", "IQ4_NL" }, { "IQ4_XS", "blk.1.ffn_down.weight", "Q5_K" },
        { "Q8_0", "output.weight", "Q8_0" }, { "MXFP4", "output.weight", "Q8_0" }, { "F16", "blk.0.attn_q.weight", "F16" },
    };
    for (size_t i = 0; i < R1_COUNT(want); i++) EXPECT_STR(type_in(c, &(r1_quantise_options){ .target = want[i].target }, want[i].name), want[i].type);
    const char *overrides[] = { "blk.*.attn_?.weight=Q8_0", "blk.1.*=F16" };
    r1_quantise_options q = { .target = "Q4_K_M", .output = "q5_k", .embedding = "Q8_0", .overrides = overrides, .n_overrides = 2 };
    EXPECT_STR(type_in(c, &q, "output.weight"), "Q5_K");
    EXPECT_STR(type_in(c, &q, "token_embd.weight"), "Q8_0");
    EXPECT_STR(type_in(c, &q, "blk.0.attn_v.weight"), "Q8_0");
    EXPECT_STR(type_in(c, &q, "blk.1.attn_v.weight"), "F16");
    EXPECT_STR(type_in(c, &q, "blk.1.attn_norm.weight"), "F32");
    EXPECT_STR(type_in(c, &(r1_quantise_options){ .target = "Q4_K_M", .pure = true }, "output.weight"), "Q4_K");
    r1_ckpt_close(c);
    folder_free(&f);
}

TEST(quantise_gives_the_narrow_values_of_80_layers_more)
{
    static const struct { int layers; uint64_t q_rows; const char *target, *name, *type; } cases[] = {
        { 80, 8, "Q4_K_M", "blk.10.attn_v.weight", "Q5_K" }, { 80, 8, "Q4_K_M", "blk.0.attn_v.weight", "Q6_K" }, { 80, 8, "Q3_K_M", "blk.10.attn_v.weight", "Q5_K" },
        { 80, 8, "Q4_K_M", "blk.10.attn_k.weight", "Q4_K" }, { 80, 2, "Q4_K_M", "blk.10.attn_v.weight", "Q4_K" }, { 64, 8, "Q4_K_M", "blk.8.attn_v.weight", "Q4_K" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        folder f = folder_new();
        put_layers(&f, cases[i].layers, cases[i].q_rows);
        r1_ckpt *c = open_model(folder_path(&f, "l.gguf"));
        EXPECT_STR(type_in(c, &(r1_quantise_options){ .target = cases[i].target }, cases[i].name), cases[i].type);
        r1_ckpt_close(c);
        folder_free(&f);
    }
}

TEST(quantise_refuses)
{
    r1_error e = { 0 };
    static const char q8[] = "golden/models/qwen2/gguf/qwen2.Q8_0.gguf", f32[] = "golden/models/qwen2/gguf/qwen2.F32.gguf";
    EXPECT_STATUS(quantise(q8, NULL, &(r1_quantise_options){ .target = "Q4_0" }, NULL, &e), R1_EUNSUPPORTED);
    EXPECT_CONTAINS(e.msg, "quantised already (Q8_0)");
    EXPECT_OK(quantise(q8, NULL, &(r1_quantise_options){ .target = "Q4_0", .requantise = true }, NULL, &e), &e);
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_K_X" }, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "Q4_K_M");
    const char *none[] = { "nothing=Q8_0" }, *wrong[] = { "*attn_q.weight=Q9" }, *form[] = { "attn_q" }, *blocks[] = { "*attn_q.weight=Q4_K" };
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = none, .n_overrides = 1 }, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'nothing' fits no tensor; `r1 show`");
    const char *part[] = { "*ffn_up*=F16", "attn_v=q8_0" }, *norms[] = { "*norm*=Q8_0" }, *floats[] = { "*norm*=F32" }, *both[] = { "*attn_q*=Q8_0" };
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = part, .n_overrides = 2 }, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'attn_v' fits no tensor");
    EXPECT_CONTAINS(e.msg, "did you mean '*attn_v*', which fits 'blk.0.attn_v.weight'?");
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = norms, .n_overrides = 1 }, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'*norm*' fits only vectors, such as '");
    EXPECT_CONTAINS(e.msg, "stay F32");
    EXPECT_OK(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = floats, .n_overrides = 1 }, NULL, &e), &e);
    EXPECT_OK(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = both, .n_overrides = 1 }, NULL, &e), &e); /* with their biases */
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = wrong, .n_overrides = 1 }, NULL, &e), R1_EINVAL);
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = form, .n_overrides = 1 }, NULL, &e), R1_EINVAL);
    EXPECT_STATUS(quantise(f32, NULL, &(r1_quantise_options){ .target = "Q4_0", .overrides = blocks, .n_overrides = 1 }, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "96 values");
}

/* ---- importance ------------------------------------------------------------------------------------------------- */

/* An importance matrix of one tensor "x": sums [rows][64 / rows], counts [rows]. */
static void put_sums(folder *f, const char *type, const float sums[64], const float *counts, size_t rows)
{
    r1_gguf_out *w;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_out_new(&w, &e), &e);
    EXPECT_OK(r1_gguf_out_str(w, "general.type", type, strlen(type), &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "x.in_sum2", R1_F32, 2, { 64 / rows, rows }, 0 }, &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "x.counts", R1_F32, 2, { 1, rows }, 0 }, &e), &e);
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(f, "i.gguf"), true, &e), &e);
    EXPECT_OK(r1_gguf_out_data(w, sums, 64 * sizeof *sums, &e), &e);
    EXPECT_OK(r1_gguf_out_data(w, counts, rows * sizeof *counts, &e), &e);
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
}

/* Of two matrices; column c has in_sum2 c * 4 of 2 counts in the first, and the second has no counts. */
static void put_imatrix(folder *f, const char *type, float bad)
{
    float sums[64];
    for (int i = 0; i < 64; i++) sums[i] = i < 32 ? (float)i * 4 : bad;
    put_sums(f, type, sums, (const float[]){ 2, 0 }, 2);
}

TEST(imatrix_gives_mean_squares)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_imatrix *m;
    float *w;
    size_t n;
    char name[] = "x", other[] = "y";
    r1_made t = { .name = name, .n_dims = 3, .ne = { 32, 5, 2, 1 } };
    put_imatrix(&f, "imatrix", 0);
    EXPECT_OK(r1_imatrix_open(&m, folder_path(&f, "i.gguf"), &e), &e);
    EXPECT_OK(r1_imatrix_weights(m, &t, &w, &n, &e), &e);
    EXPECT_INT(n, 2);
    EXPECT(w && w[0] == 0 && w[3] == 6 && w[31] == 62 && w[32] == 1 && w[63] == 1);
    free(w);
    t.ne[2] = 3;
    EXPECT_STATUS(r1_imatrix_weights(m, &t, &w, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, folder_path(&f, "i.gguf"));
    EXPECT_CONTAINS(e.msg, "'x.in_sum2' has 2 x 32 sums, expected one for each of 32 columns for all matrices or for each of 3; it is of another model");
    t.name = other;
    EXPECT_OK(r1_imatrix_weights(m, &t, &w, &n, &e), &e);
    EXPECT_NULL(w);
    r1_imatrix_close(m);
    put_imatrix(&f, "imatrix", NAN);
    t = (r1_made){ .name = name, .n_dims = 3, .ne = { 32, 5, 2, 1 } };
    EXPECT_OK(r1_imatrix_open(&m, folder_path(&f, "i.gguf"), &e), &e);
    EXPECT_STATUS(r1_imatrix_weights(m, &t, &w, &n, &e), R1_EFORMAT);
    EXPECT_NULL(w);
    r1_imatrix_close(m);
    put_imatrix(&f, "model", 0);
    EXPECT_STATUS(r1_imatrix_open(&m, folder_path(&f, "i.gguf"), &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "expected 'imatrix'");
    EXPECT_NULL(m);
    static const char older[] = "\3\0\0\0\x10\0\0\0blk.0.attn_q.wei\1\0\0\0\x20\0\0\0"; /* three entries, the first name has 16 bytes */
    folder_put(&f, "i.dat", older, sizeof older - 1);
    EXPECT_STATUS(r1_imatrix_open(&m, folder_path(&f, "i.dat"), &e), R1_EUNSUPPORTED);
    EXPECT_CONTAINS(e.msg, "older binary form");
    EXPECT_NULL(m);
    folder_text(&f, "i.dat", "a text of some other kind");
    EXPECT_STATUS(r1_imatrix_open(&m, folder_path(&f, "i.dat"), &e), R1_EFORMAT);
    EXPECT_NULL(m);
    folder_free(&f);
}

/* llama.cpp writes what meets attn_k_b and attn_v_b as one row of all heads with one count, which is that of each head. */
TEST(imatrix_of_heads_in_one_row)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_imatrix *m;
    float sums[64], *w;
    size_t n;
    char name[] = "x";
    r1_made t = { .name = name, .n_dims = 3, .ne = { 16, 5, 4, 1 } };
    for (int i = 0; i < 64; i++) sums[i] = (float)(i * i);
    put_sums(&f, "imatrix", sums, (const float[]){ 8 }, 1);
    EXPECT_OK(r1_imatrix_open(&m, folder_path(&f, "i.gguf"), &e), &e);
    EXPECT_OK(r1_imatrix_weights(m, &t, &w, &n, &e), &e);
    EXPECT_INT(n, 4);
    for (int i = 0; i < 64; i++) EXPECT(w[i] == (float)(i * i) / 8);
    free(w);
    t.ne[2] = 2;
    EXPECT_STATUS(r1_imatrix_weights(m, &t, &w, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "has 1 x 64 sums, expected one for each of 16 columns for all matrices or for each of 2");
    t.ne[2] = 1; /* a plain matrix has no heads */
    EXPECT_STATUS(r1_imatrix_weights(m, &t, &w, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "has 1 x 64 sums, expected one for each of 16 columns; it is");
    r1_imatrix_close(m);
    folder_free(&f);
}

/* What does not fit is found before anything is encoded, and when nothing is to be. */
TEST(imatrix_that_does_not_fit_is_refused_before_writing)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_imatrix *m;
    size_t calls = 0, fallbacks;
    r1_ckpt *c = open_model("golden/models/llama_256");
    r1_plan *p = plan_of(c, true);
    r1_quantise_options q = { .target = "Q4_0" };
    EXPECT_OK(r1_mix_types(p, &q, &fallbacks, &e), &e);
    put_imatrix(&f, "imatrix", 0);
    EXPECT_OK(r1_imatrix_open(&m, folder_path(&f, "i.gguf"), &e), &e);
    r1_export_options o = { .imatrix = m, .progress = never, .progress_ctx = &calls };
    EXPECT_OK(r1_export_check(p, &o, &e), &e);
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->t[i].name, "blk.0.ffn_down.weight")) continue;
        free(p->t[i].name);
        p->t[i].name = strdup("x");
    }
    EXPECT_STATUS(r1_export_check(p, &o, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'x.in_sum2' has 2 x 32");
    EXPECT_STATUS(r1_export(p, folder_path(&f, "a.gguf"), &o, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'x.in_sum2' has 2 x 32");
    EXPECT_INT(calls, 0);
    EXPECT_INT(n_entries(f.path), 1);
    r1_imatrix_close(m);
    r1_plan_free(p);
    r1_ckpt_close(c);
    folder_free(&f);
}

static r1_status keep_bytes(void *ctx, const void *data, size_t n, r1_error *err) { return r1_buf_add(ctx, data, n, err); }

/* Columns that count have less error than columns that do not. */
TEST(imatrix_moves_errors_to_columns_that_do_not_count)
{
    enum { K = 32, ROWS = 64 };
    r1_ckpt_tensor t = { .name = "x", .type = R1_F32, .n_dims = 2, .ne = { K, ROWS, 1, 1 } };
    static float x[K * ROWS];
    float weights[K], y[K];
    double error[2][2] = { { 0 } };
    char name[] = "x";
    const r1_ckpt_tensor *src[] = { &t };
    r1_made m = { .name = name, .type = R1_Q4_0, .n_dims = 2, .ne = { K, ROWS, 1, 1 }, .src = src, .n_src = 1, .src_rows = ROWS };
    uint32_t seed = 1;
    for (int i = 0; i < K * ROWS; i++) x[i] = (float)((seed = seed * 1664525 + 1013904223) >> 8) / 8388608 - 1;
    for (int i = 0; i < K; i++) weights[i] = i < 4 ? 1000 : 1;
    t.data = (const uint8_t *)x;
    t.bytes = sizeof x;
    for (int weighted = 0; weighted < 2; weighted++) {
        r1_buf out;
        r1_error e = { 0 };
        r1_made_error sum = { 0 };
        r1_buf_init(&out, 1 << 20);
        EXPECT_OK(r1_make(&m, NULL, weighted ? weights : NULL, 1, &sum, keep_bytes, &out, &e), &e);
        EXPECT_INT(out.len, ROWS * 18);
        double all = 0;
        for (int r = 0; r < ROWS; r++) {
            r1_decode(R1_Q4_0, out.data + 18 * r, y, K);
            for (int i = 0; i < K; i++) {
                double d = (double)y[i] - (double)x[r * K + i];
                error[weighted][i >= 4] += d * d;
                all += d * d;
            }
        }
        EXPECT(fabs(sum.error2 - all) < 1e-9 * all && sum.n_bad == 0);
        r1_buf_deinit(&out);
    }
    EXPECT(error[1][0] < 0.8 * error[0][0]);
    EXPECT(error[1][1] > error[0][1]);
}
