/* More of models and engines under failing allocations: files whose weights are made anew (latent attention in one tensor,
 * shards), traces, thinking with a budget, conversations. And decoding over page borders, for several sessions at once,
 * allocates nothing. The common cases are in engine_faults_test.c. */
#include "tests/faults/faults.h"
#include "engine/engine.h"
#include "model/pack.h"

#include <unistd.h>

static r1_status open_model(void *ctx, r1_error *err)
{
    const r1_model_options o = { .n_threads = 2 };
    r1_model *m;
    r1_status s = r1_model_open(&m, ctx, &o, err);
    if (s == R1_OK) r1_model_close(m);
    return s;
}

TEST(r1_model_open_combined) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf")); }
TEST(r1_model_open_shards) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/qwen2_bf16")); }
TEST(r1_model_open_tied) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf")); }

typedef struct packing {
    const char *src;
    char dst[64];
} packing;

static r1_status pack_model(void *ctx, r1_error *err)
{
    packing *p = ctx;
    r1_pack_result r;
    r1_status s = r1_pack(p->src, p->dst, &(r1_pack_options){ .n_threads = 2 }, &r, err);
    bool there = access(p->dst, F_OK) == 0;
    if (s == R1_OK) s = open_model(p->dst, err);
    unlink(p->dst);
    return there || s ? s : R1_EINVAL;
}

/* Nothing is left of a file that could not be finished; what opens it does without memory for weights. */
TEST(r1_pack)
{
    packing p = { .src = test_path("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf") };
    snprintf(p.dst, sizeof p.dst, "%s/r1-pack-%d.gguf", P_tmpdir, (int)getpid());
    FAULTS_SWEEP(pack_model, &p);
    EXPECT(access(p.dst, F_OK) != 0);
}

static r1_model *load_model(const char *relative)
{
    const r1_model_options o = { .n_threads = 2 };
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &o, &e), &e);
    return m;
}

/* ---- a trace ---------------------------------------------------------------------------------------------------- */

typedef struct tracing {
    r1_engine *e;
    r1_session *s;
} tracing;

static r1_status trace(void *ctx, r1_error *err)
{
    static float mtp[8 * 400], hidden[8 * 64], logits[400];
    static const int32_t ids[] = { 3, 9, 27, 81, 43, 129 };
    tracing *t = ctx;
    const r1_trace what = { .hidden_layer = 1, .hidden = hidden, .mtp_logits = mtp };
    r1_status s = r1_engine_trace(t->s, ids, 6, logits, 1, &what, err);
    bool right = r1_session_length(t->s) == (s ? 0 : 6) && (s == R1_OK || r1_session_kv_bytes(t->s) == 0); /* after a failure as before */
    r1_session_truncate(t->s, 0);
    return right ? s : R1_EINVAL; /* an expectation here would end with the allocations armed */
}

TEST(r1_engine_trace)
{
    r1_model *m = load_model("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf");
    tracing t;
    r1_error e = { 0 };
    EXPECT_OK(r1_engine_open(&t.e, m, &(r1_engine_options){ .n_threads = 2, .chunk = 4 }, &e), &e);
    EXPECT_OK(r1_session_open(&t.s, t.e, 16, &e), &e);
    FAULTS_SWEEP(trace, &t);
    r1_session_close(t.s);
    r1_engine_close(t.e);
    r1_model_close(m);
}

/* ---- an answer -------------------------------------------------------------------------------------------------- */

typedef struct thinker {
    r1_engine *e;
    int32_t prompt[32]; size_t n;
} thinker;

static bool hear(void *ctx, r1_part part, const char *text, size_t n)
{
    (void)ctx;
    (void)part;
    (void)text;
    return n > 0;
}

static r1_status think(void *ctx, r1_error *err)
{
    thinker *t = ctx;
    static const char *const stop[] = { "never said", "nor this" };
    static const r1_logit_bias bias[] = { { 70, 2 }, { 80, -2 } };
    r1_generate_options o = { .sampling = R1_SAMPLING_DEFAULT, .max_tokens = 30, .think_budget = 8, .ignore_eos = true, .stop = stop, .n_stop = 2, .on_text = hear };
    o.sampling.bias = bias;
    o.sampling.n_bias = 2;
    o.sampling.presence_penalty = 0.5f;
    o.sampling.n_top = 3;
    r1_generation g;
    r1_session *x; /* a new one each time: it keeps an index of its text once it has guessed ahead */
    r1_status s = r1_session_open(&x, t->e, 100, err);
    if (s) return s;
    s = r1_generate(x, t->prompt, t->n, &o, &g, err);
    size_t made = g.n_ids ? t->n + g.n_ids - 1 : r1_session_length(x);
    bool right = r1_session_length(x) == made && made <= t->n + 29 && (s != R1_OK || (g.n_ids == 30 && g.content && g.reasoning));
    r1_generation_deinit(&g);
    r1_session_close(x);
    return right ? s : R1_EINVAL;
}

TEST(r1_generate_thinking)
{
    r1_model *m = load_model("golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf");
    thinker t;
    r1_error e = { 0 };
    EXPECT_OK(r1_engine_open(&t.e, m, &(r1_engine_options){ .n_threads = 1, .chunk = 4 }, &e), &e);
    EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(m), "<think>\n", 8, R1_SPECIAL_NONE, false, t.prompt, 32, &t.n, &e), &e);
    EXPECT_OK(think(&t, &e), &e); /* pages of closed sessions stay with the engine */
    FAULTS_SWEEP(think, &t);
    r1_engine_close(t.e);
    r1_model_close(m);
}

static r1_status converse(void *ctx, r1_error *err)
{
    static const char request[] = "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": \"Hi there <|eos|> \xE4\xBD\xA0\"}],"
                                  " \"add_generation_prompt\": true}";
    int32_t *ids;
    size_t n;
    r1_status s = r1_chat_ids(ctx, "r1", request, sizeof request - 1, &ids, &n, err);
    if (s == R1_OK) free(ids);
    return s != R1_OK || n > 5 ? s : R1_EINVAL;
}

TEST(r1_chat_ids)
{
    r1_model *m = load_model("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf");
    FAULTS_SWEEP(converse, m);
    r1_model_close(m);
}

/* ---- decoding --------------------------------------------------------------------------------------------------- */

/* Three sessions in one batch, each at its own place, over several page borders; one is cut back and prefilled again. */
static void decode_allocates_nothing(const char *relative, r1_kv_type kv)
{
    enum { SESSIONS = 3, VOCABULARY_MAX = 512, STEPS = 202, WARM = 2 };
    static float logits[SESSIONS][VOCABULARY_MAX];
    static const int32_t prompt[] = { 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    r1_sampling how = R1_SAMPLING_DEFAULT;
    how.repetition_penalty = 1.1f;
    how.penalty_window = -1;
    how.top_k = 40;
    how.n_top = 5;
    r1_error e = { 0 };
    r1_model *m = load_model(relative);
    const r1_model_info *info = r1_model_get_info(m);
    EXPECT(info->n_vocab <= VOCABULARY_MAX);
    r1_engine *engine;
    r1_session *s[SESSIONS];
    r1_sampler *sampler[SESSIONS];
    r1_batch_row rows[SESSIONS];
    r1_sample choice[SESSIONS];
    EXPECT_OK(r1_engine_open(&engine, m, &(r1_engine_options){ .n_threads = 2, .chunk = 8, .kv = kv }, &e), &e);
    for (size_t i = 0; i < SESSIONS; i++) {
        EXPECT_OK(r1_session_open(&s[i], engine, 256, &e), &e);
        EXPECT_OK(r1_sampler_new(&sampler[i], info->n_vocab, info->n_tokens, &how, &e), &e);
        rows[i] = (r1_batch_row){ s[i], prompt, 3 + 4 * i, logits[i], 1 };
    }
    EXPECT_OK(r1_batch_step(engine, rows, SESSIONS, &e), &e);
    for (uint64_t t = 0; t < STEPS; t++) {
        if (t == WARM) faults_reset();
        for (size_t i = 0; i < SESSIONS; i++) {
            EXPECT_OK(r1_sampler_sample(sampler[i], logits[i], t, &choice[i], &e), &e);
            r1_sampler_accept(sampler[i], choice[i].id);
            rows[i] = (r1_batch_row){ s[i], &choice[i].id, 1, logits[i], 1 };
        }
        if (t == 100) { /* the last one starts anew */
            r1_session_truncate(s[2], 0);
            rows[2] = (r1_batch_row){ s[2], prompt, 11, logits[2], 1 };
        }
        EXPECT_OK(r1_batch_step(engine, rows, SESSIONS, &e), &e);
    }
    EXPECT_INT(faults_count(), 0);
    EXPECT_INT(r1_session_length(s[0]), 3 + STEPS);
    free(malloc(1));
    EXPECT_INT(faults_count(), 1); /* it does count */
    for (size_t i = 0; i < SESSIONS; i++) {
        r1_sampler_free(sampler[i]);
        r1_session_close(s[i]);
    }
    r1_engine_close(engine);
    r1_model_close(m);
}

TEST(decoding_over_page_borders_allocates_nothing_llama) { decode_allocates_nothing("golden/models/llama_256/gguf/llama_256.Q4_K.gguf", R1_KV_Q8_0); }
TEST(decoding_over_page_borders_allocates_nothing_qwen2) { decode_allocates_nothing("golden/models/qwen2/gguf/qwen2.BF16.gguf", R1_KV_AUTO); }
TEST(decoding_over_page_borders_allocates_nothing_deepseek) { decode_allocates_nothing("golden/models/deepseek_v3/gguf/deepseek_v3.Q4_0.gguf", R1_KV_F16); }
