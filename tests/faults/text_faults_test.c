/* text survives the failure of each of its allocations: encoding, decoding, templates, the reasoning machine. */
#include "tests/faults/faults.h"
#include "format/checkpoint.h"
#include "text/reasoning.h"
#include "text/template.h"
#include "text/tokenizer.h"

/* The tokenizer of a golden model; the caller frees it. */
static r1_tokenizer *load_tokenizer(const char *relative)
{
    r1_ckpt *c;
    r1_tokenizer *t;
    r1_error e = { 0 };
    EXPECT_OK(r1_ckpt_open(&c, test_path(relative), true, &e), &e);
    EXPECT_OK(r1_ckpt_tokenizer(c, &t, &e), &e);
    r1_ckpt_close(c);
    return t;
}

static const char words[] = "Wie viele Primzahlen gibt es unter 1000?\n\n  e\xcc\x81t\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 <think>\xff\xe2\x82 ok";

static r1_status encode_and_decode(void *ctx, r1_error *err)
{
    const r1_tokenizer *t = ctx;
    r1_ids ids = { 0 };
    r1_buf out;
    r1_detok d = { .n_held = 0 };
    r1_buf_init(&out, 1 << 20);
    r1_status s = r1_tokenizer_encode(t, words, sizeof words - 1, R1_SPECIAL_ALL, &ids, err);
    for (size_t i = 0; s == R1_OK && i < ids.n; i++) s = r1_detok_token(&d, t, ids.ids[i], &out, err);
    if (s == R1_OK) s = r1_detok_end(&d, &out, err);
    r1_ids_deinit(&ids);
    r1_buf_deinit(&out);
    return s;
}

static void sweep_encoding(const char *relative)
{
    r1_tokenizer *t = load_tokenizer(relative);
    FAULTS_SWEEP(encode_and_decode, t);
    r1_tokenizer_free(t);
}

TEST(r1_tokenizer_encode_llama) { sweep_encoding("golden/models/llama"); }
TEST(r1_tokenizer_encode_qwen) { sweep_encoding("golden/models/qwen2"); }
TEST(r1_tokenizer_encode_deepseek) { sweep_encoding("golden/models/deepseek_v3"); }

typedef struct rendering { const r1_template *t; const json_t *request; const r1_tokenizer *tokenizer; } rendering;

static r1_status render(void *ctx, r1_error *err)
{
    const rendering *x = ctx;
    r1_rendering r;
    r1_ids ids = { 0 };
    r1_status s = r1_template_render(x->t, x->request, NULL, &r, err);
    if (s) return s;
    s = r1_rendering_encode(&r, x->tokenizer, &ids, err);
    r1_rendering_deinit(&r);
    r1_ids_deinit(&ids);
    return s;
}

TEST(r1_template_render)
{
    static const char text[] = "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi <think>\"},"
        " {\"role\": \"assistant\", \"content\": \"<think>\\nhm\\n</think>\\n\\nHello.\"}, {\"role\": \"user\", \"content\": \"Bye\"}],"
        " \"add_generation_prompt\": true}";
    r1_error e = { 0 };
    json_t *request;
    EXPECT_OK(r1_json_parse(&request, text, sizeof text - 1, &e), &e);
    r1_tokenizer *tokenizer = load_tokenizer("golden/models/deepseek_v3");
    size_t n = 0;
    for (; r1_template_at(n); n++) {
        rendering x = { r1_template_find(r1_template_at(n)), request, tokenizer };
        char why[512];
        EXPECT_MSG(faults_try(render, &x, why), "template %s: %s", r1_template_at(n), why);
    }
    EXPECT(n > 0);
    r1_tokenizer_free(tokenizer);
    json_decref(request);
}

static bool ignore(void *ctx, r1_part part, const char *text, size_t n)
{
    (void)ctx;
    (void)part;
    (void)text;
    (void)n;
    return true;
}

static r1_status reason(void *ctx, r1_error *err)
{
    static const char *const stop[] = { "STOP", "\n\n\n" };
    const r1_tokenizer *t = ctx;
    r1_reasoning *r;
    int32_t prompt[] = { 1, 2, 3 };
    const r1_reasoning_options o = { .think_budget = 10, .stop = stop, .n_stop = 2, .on_text = ignore };
    r1_status s = r1_reasoning_new(&r, t, prompt, 3, &o, err);
    if (s) return s;
    int32_t n = r1_tokenizer_size(t);
    for (int32_t i = 0; s == R1_OK && i < 200 && !r1_reasoning_done(r); i++) {
        int32_t id = r1_reasoning_forced(r);
        s = r1_reasoning_accept(r, id >= 0 ? id : 3 + i * 7 % (n - 3), err);
    }
    if (s == R1_OK) s = r1_reasoning_finish(r, err);
    r1_reasoning_free(r);
    return s;
}

TEST(r1_reasoning_new)
{
    r1_tokenizer *t = load_tokenizer("golden/models/deepseek_v3");
    FAULTS_SWEEP(reason, t);
    r1_tokenizer_free(t);
}
