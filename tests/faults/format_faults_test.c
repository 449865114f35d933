/* format survives the failure of each of its allocations: readers from memory, whole checkpoints of every form, and the
 * tokenizers made from them. */
#include "tests/faults/faults.h"
#include "format/checkpoint.h"
#include "format/gguf.h"
#include "format/safetensors.h"

typedef struct bytes { char *p; size_t n; } bytes;

static bytes load(const char *relative)
{
    bytes b;
    r1_error e = { 0 };
    EXPECT_OK(r1_file_read(test_path(relative), 16 << 20, &b.p, &b.n, &e), &e);
    return b;
}

static r1_status parse_gguf(void *ctx, r1_error *err)
{
    const bytes *b = ctx;
    r1_gguf *g;
    r1_status s = r1_gguf_parse(&g, b->p, b->n, err);
    if (s) return s;
    r1_slice *strings;
    size_t n;
    s = r1_gguf_strings(g, "tokenizer.ggml.tokens", true, 1 << 20, &strings, &n, err);
    if (s == R1_OK) free(strings);
    int32_t *ints;
    if (s == R1_OK) s = r1_gguf_ints(g, "tokenizer.ggml.token_type", true, 1 << 20, &ints, &n, err);
    if (s == R1_OK) free(ints);
    r1_gguf_close(g);
    return s;
}

TEST(r1_gguf_parse)
{
    bytes b = load("golden/models/llama_256/gguf/llama_256.Q2_K.gguf");
    FAULTS_SWEEP(parse_gguf, &b);
    free(b.p);
}

static r1_status print_values(void *ctx, r1_error *err)
{
    const r1_gguf *g = ctx;
    r1_status s = R1_OK;
    for (size_t i = 0; s == R1_OK && i < r1_gguf_n_kv(g); i++) {
        r1_buf out;
        json_t *v;
        r1_buf_init(&out, 1 << 20);
        s = r1_gguf_print(r1_gguf_kv_at(g, i), &out, err);
        r1_buf_deinit(&out);
        if (s == R1_OK) s = r1_gguf_json(&v, r1_gguf_kv_at(g, i), 10, err);
        if (s == R1_OK) json_decref(v);
    }
    return s;
}

TEST(r1_gguf_json)
{
    bytes b = load("golden/models/llama_256/gguf/llama_256.Q2_K.gguf");
    r1_gguf *g;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    faults_jansson(true);
    char why[512];
    bool good = faults_try(print_values, g, why);
    faults_jansson(false);
    EXPECT_MSG(good, "%s", why);
    r1_gguf_close(g);
    free(b.p);
}

static r1_status parse_st(void *ctx, r1_error *err)
{
    const bytes *b = ctx;
    r1_st *st;
    r1_status s = r1_st_parse(&st, b->p, b->n, err);
    if (s == R1_OK) r1_st_close(st);
    return s;
}

TEST(r1_st_parse)
{
    bytes b = load("golden/models/fp8.safetensors");
    FAULTS_SWEEP(parse_st, &b);
    free(b.p);
}

static r1_status open_checkpoint(void *ctx, r1_error *err)
{
    r1_ckpt *c;
    r1_status s = r1_ckpt_open(&c, ctx, false, err);
    if (s == R1_OK) r1_ckpt_close(c);
    return s;
}

TEST(r1_ckpt_open_gguf) { FAULTS_SWEEP(open_checkpoint, (void *)test_path("golden/models/llama_256/gguf/llama_256.Q2_K.gguf")); }
TEST(r1_ckpt_open_folder) { FAULTS_SWEEP(open_checkpoint, (void *)test_path("golden/models/llama_tied")); }
TEST(r1_ckpt_open_shards) { FAULTS_SWEEP(open_checkpoint, (void *)test_path("golden/models/qwen2_bf16")); }
TEST(r1_ckpt_open_fp8) { FAULTS_SWEEP(open_checkpoint, (void *)test_path("golden/models/deepseek_v3_fp8")); }

static r1_status make_tokenizer(void *ctx, r1_error *err)
{
    r1_tokenizer *t;
    r1_status s = r1_ckpt_tokenizer(ctx, &t, err);
    if (s == R1_OK) r1_tokenizer_free(t);
    return s;
}

static void sweep_tokenizer(const char *relative)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_ckpt_open(&c, test_path(relative), true, &e), &e);
    FAULTS_SWEEP(make_tokenizer, c);
    r1_ckpt_close(c);
}

TEST(r1_tokenizer_from_vocab) { sweep_tokenizer("golden/models/llama_256/gguf/llama_256.Q2_K.gguf"); }
TEST(r1_tokenizer_from_json_llama) { sweep_tokenizer("golden/models/llama"); }
TEST(r1_tokenizer_from_json_qwen) { sweep_tokenizer("golden/models/qwen2"); }
TEST(r1_tokenizer_from_json_deepseek) { sweep_tokenizer("golden/models/deepseek_v3"); }
