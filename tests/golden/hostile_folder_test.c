/* Hostile folders: every truncation of a safetensors file and of config.json, and every key of config.json replaced by nasty
 * values. What opens must run, what does not must say why in one line; nothing may crash. The beginning of hostile_test.c says more. */
#include "tests/test.h"
#include "base/json.h"
#include "base/map.h"
#include "engine/engine.h"

#include <limits.h>
#include <unistd.h>

enum { TOKENS = 5 };

/* ---- a folder -------------------------------------------------------------------------------------------------- */

typedef struct folder { char path[256], file[512]; } folder;

static const char *in_folder(folder *f, const char *name)
{
    snprintf(f->file, sizeof f->file, "%s/%s", f->path, name);
    return f->file;
}

static folder folder_new(void)
{
    folder f;
    const char *t = getenv("TMPDIR");
    snprintf(f.path, sizeof f.path, "%.200s/r1-hostile-XXXXXX", t && *t ? t : P_tmpdir);
    EXPECT(mkdtemp(f.path) != NULL);
    return f;
}

static void put(folder *f, const char *name, const void *p, size_t n)
{
    unlink(in_folder(f, name)); /* some file systems write a file that is overwritten to the disk at once */
    FILE *out = fopen(in_folder(f, name), "wb");
    EXPECT(out && fwrite(p, 1, n, out) == n && fclose(out) == 0);
}

static void folder_free(folder *f)
{
    unlink(in_folder(f, "config.json"));
    unlink(in_folder(f, "model.safetensors"));
    EXPECT(rmdir(f->path) == 0);
}

/* ---- opening and running --------------------------------------------------------------------------------------- */

static void run(r1_model *m, const char *what)
{
    r1_engine *engine;
    r1_session *s;
    r1_error e = { 0 };
    const r1_model_info *info = r1_model_get_info(m);
    EXPECT_OK(r1_engine_open(&engine, m, &(r1_engine_options){ .n_threads = 1, .chunk = 3 }, &e), &e);
    EXPECT_OK(r1_session_open(&s, engine, 16, &e), &e);
    float *logits = calloc((size_t)info->n_vocab, sizeof *logits);
    int32_t ids[TOKENS];
    for (int i = 0; i < TOKENS; i++) ids[i] = i % info->n_vocab;
    r1_status st = r1_batch_step(engine, &(r1_batch_row){ s, ids, TOKENS, logits, 1 }, 1, &e);
    EXPECT_MSG(st == R1_OK, "%s: opened, but does not run: %s", what, e.msg);
    free(logits);
    r1_session_close(s);
    r1_engine_close(engine);
}

static bool try_folder(const folder *f, const char *what, r1_error *e)
{
    r1_model *m;
    *e = (r1_error){ 0 };
    r1_status s = r1_model_open(&m, f->path, &(r1_model_options){ .n_threads = 1 }, e);
    EXPECT((s == R1_OK) == (m != NULL));
    if (s) EXPECT_MSG(e->status == s && e->msg[0] && !strchr(e->msg, '\n') && !strchr(e->msg, '\r'), "%s: status %d, sentence '%s'", what, (int)s, e->msg);
    else run(m, what);
    r1_model_close(m);
    return s == R1_OK;
}

/* ---- truncation ------------------------------------------------------------------------------------------------ */

static const char small_config[] =
    "{\"model_type\":\"llama\",\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2,\"num_key_value_heads\":1,\"intermediate_size\":8,"
    "\"vocab_size\":16,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true,\"rope_theta\":10000.0,"
    "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"original_max_position_embeddings\":32,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0}}";

/* model.safetensors of the model above, BF16 noise; the caller frees. */
static uint8_t *small_weights(size_t *n)
{
    static const struct { const char *name; int rows, k; } list[] = {
        { "embed_tokens", 16, 8 }, { "norm", 0, 8 }, { "layers.0.input_layernorm", 0, 8 }, { "layers.0.post_attention_layernorm", 0, 8 },
        { "layers.0.self_attn.q_proj", 8, 8 }, { "layers.0.self_attn.k_proj", 4, 8 }, { "layers.0.self_attn.v_proj", 4, 8 },
        { "layers.0.self_attn.o_proj", 8, 8 }, { "layers.0.mlp.gate_proj", 8, 8 }, { "layers.0.mlp.up_proj", 8, 8 }, { "layers.0.mlp.down_proj", 8, 8 },
    };
    static char header[4096];
    size_t at = 0, data = 0;
    for (size_t i = 0; i < R1_COUNT(list); i++) {
        char shape[32];
        size_t bytes = (size_t)(list[i].rows ? list[i].rows : 1) * (size_t)list[i].k * 2;
        if (list[i].rows) snprintf(shape, sizeof shape, "%d,%d", list[i].rows, list[i].k);
        else snprintf(shape, sizeof shape, "%d", list[i].k);
        at += (size_t)snprintf(header + at, sizeof header - at, "%c\"model.%s.weight\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                               i ? ',' : '{', list[i].name, shape, data, data + bytes);
        data += bytes;
    }
    at += (size_t)snprintf(header + at, sizeof header - at, "}");
    *n = 8 + at + data;
    uint8_t *p = malloc(*n);
    uint64_t rng = test_seed() | 1, length = at;
    memcpy(p, &length, 8);
    memcpy(p + 8, header, at);
    for (size_t i = 8 + at; i < *n; i += 2) {
        p[i] = (uint8_t)test_random(&rng);
        p[i + 1] = (uint8_t)(0x3d + (test_random(&rng) & 0x80)); /* about 0.05 */
    }
    return p;
}

TEST(no_part_of_a_safetensors_file_opens)
{
    folder f = folder_new();
    size_t n;
    r1_error e;
    uint8_t *p = small_weights(&n);
    put(&f, "config.json", small_config, strlen(small_config));
    put(&f, "model.safetensors", p, n);
    EXPECT_MSG(try_folder(&f, "the whole", &e), "%s", e.msg);
    while (n-- > 0) {
        char what[64];
        snprintf(what, sizeof what, "the first %zu bytes", n);
        EXPECT(truncate(in_folder(&f, "model.safetensors"), (off_t)n) == 0);
        EXPECT_MSG(!try_folder(&f, what, &e), "%s open", what);
    }
    free(p);
    folder_free(&f);
}

TEST(no_part_of_a_config_opens)
{
    folder f = folder_new();
    size_t n;
    r1_error e;
    uint8_t *p = small_weights(&n);
    put(&f, "model.safetensors", p, n);
    put(&f, "config.json", small_config, strlen(small_config));
    for (size_t k = strlen(small_config); k-- > 0;) {
        char what[64];
        snprintf(what, sizeof what, "the first %zu bytes", k);
        EXPECT(truncate(in_folder(&f, "config.json"), (off_t)k) == 0);
        EXPECT_MSG(!try_folder(&f, what, &e), "%s open", what);
    }
    free(p);
    folder_free(&f);
}

/* ---- single values --------------------------------------------------------------------------------------------- */

static const char *const values[] = {
    "0", "1", "2", "3", "-1", "1048576", "67108864", "2147483647", "2147483648", "4294967295", "9223372036854775807", "-9223372036854775808", "0.5", "-1.0",
    "1e-300", "1e300", "true", "false", "null", "\"\"", "\"x\\ny\"", "[]", "[1]", "{}",
};

typedef struct tally { int opened, refused; } tally;

/* `key` of object o (a part of the whole config) becomes each of the values, and is left out. */
static void try_key(folder *f, json_t *config, json_t *o, const char *key, tally *t)
{
    json_t *old = json_incref(json_object_get(o, key));
    for (size_t i = 0; i <= R1_COUNT(values); i++) {
        char what[128];
        r1_error e;
        const char *value = i < R1_COUNT(values) ? values[i] : "left out";
        snprintf(what, sizeof what, "%.64s is %s", key, value);
        if (i < R1_COUNT(values)) json_object_set_new(o, key, json_loads(value, JSON_DECODE_ANY, NULL));
        else json_object_del(o, key);
        char *text = json_dumps(config, 0);
        put(f, "config.json", text, strlen(text));
        free(text);
        if (try_folder(f, what, &e)) t->opened++;
        else t->refused++;
    }
    json_object_set_new(o, key, old);
}

/* The keys of o in a list of their own: o is changed on the way. */
static void try_keys(folder *f, json_t *config, json_t *o, tally *t)
{
    char keys[64][64];
    size_t n = 0;
    for (void *it = json_object_iter(o); it && n < 64; it = json_object_iter_next(o, it)) snprintf(keys[n++], 64, "%s", json_object_iter_key(it));
    for (size_t i = 0; i < n; i++) {
        try_key(f, config, o, keys[i], t);
        json_t *inner = json_object_get(o, keys[i]);
        if (json_is_object(inner)) try_keys(f, config, inner, t);
    }
}

TEST(every_key_of_a_config_may_be_anything)
{
    static const char *const names[] = { "llama", "qwen2_tied", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_fp8" };
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        char path[256], real[PATH_MAX];
        folder f = folder_new();
        json_t *config;
        r1_error e = { 0 };
        tally t = { 0, 0 };
        snprintf(path, sizeof path, "golden/models/%s/model.safetensors", names[i]);
        EXPECT(realpath(test_path(path), real) && symlink(real, in_folder(&f, "model.safetensors")) == 0);
        snprintf(path, sizeof path, "golden/models/%s/config.json", names[i]);
        EXPECT_OK(r1_json_read(&config, test_path(path), 1 << 20, &e), &e);
        try_keys(&f, config, config, &t);
        EXPECT_MSG(t.opened > 20 && t.refused > 100, "%s: %d opened, %d were refused", names[i], t.opened, t.refused);
        json_decref(config);
        folder_free(&f);
    }
}
