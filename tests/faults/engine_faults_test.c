/* Models, engines, sessions and samplers survive the failure of each of their allocations; and once warm, decoding
 * allocates nothing. */
#include "tests/faults/faults.h"
#include "engine/importance.h"
#include "kv/kv.h"

static r1_status make_pages(void *ctx, r1_error *err)
{
    (void)ctx;
    const r1_kv_shape shape = { R1_KV_F16, 3, 2, 16, 16 };
    r1_kv_pool *p;
    r1_kv *kv = NULL;
    r1_status s = r1_kv_pool_new(&p, &shape, err);
    if (s) return s;
    s = r1_kv_new(&kv, p, 1000, err);
    if (s == R1_OK) r1_kv_resize(kv, 300);
    r1_kv_free(kv);
    r1_kv_pool_free(p);
    return s;
}

TEST(r1_kv_new) { FAULTS_SWEEP(make_pages, NULL); }

static r1_status make_sampler(void *ctx, r1_error *err)
{
    (void)ctx;
    const r1_logit_bias bias[] = { { 3, -1 }, { 5, 2 } };
    r1_sampling p = R1_SAMPLING_DEFAULT;
    p.bias = bias;
    p.n_bias = 2;
    p.top_k = 5;
    p.n_top = 3;
    r1_sampler *x;
    r1_status s = r1_sampler_new(&x, 100, 90, &p, err);
    if (s) return s;
    float logits[100];
    r1_sample out;
    for (int i = 0; i < 100; i++) logits[i] = (float)(i * 37 % 100) * 0.1f;
    for (int i = 0; i < 90; i++) r1_sampler_accept(x, i);
    s = r1_sampler_sample(x, logits, 0, &out, err);
    r1_sampler_free(x);
    return s;
}

TEST(r1_sampler_new) { FAULTS_SWEEP(make_sampler, NULL); }

static r1_status open_model(void *ctx, r1_error *err)
{
    const r1_model_options o = { .n_threads = 2 };
    r1_model *m;
    r1_status s = r1_model_open(&m, ctx, &o, err);
    if (s == R1_OK) r1_model_close(m);
    return s;
}

TEST(r1_model_open_gguf) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/llama_256/gguf/llama_256.Q4_K.gguf")); }
TEST(r1_model_open_folder) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/qwen2_tied")); }
TEST(r1_model_open_experts) { FAULTS_SWEEP(open_model, (void *)test_path("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf")); }

static r1_model *load_model(const char *relative)
{
    const r1_model_options o = { .n_threads = 2 };
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &o, &e), &e);
    return m;
}

static r1_status generate(void *ctx, r1_error *err)
{
    const r1_engine_options o = { .n_threads = 2, .chunk = 4 };
    const int32_t prompt[] = { 5, 6, 7, 8, 9, 10, 11 };
    const char *const stop[] = { "never said" };
    r1_engine *e;
    r1_session *x = NULL;
    r1_generation g = { 0 };
    r1_generate_options how = { .sampling = R1_SAMPLING_DEFAULT, .max_tokens = 8, .think_budget = -1, .ignore_eos = true, .stop = stop, .n_stop = 1 };
    r1_status s = r1_engine_open(&e, ctx, &o, err);
    if (s) return s;
    s = r1_session_open(&x, e, 64, err);
    if (s == R1_OK) {
        s = r1_generate(x, prompt, 7, &how, &g, err);
        r1_generation_deinit(&g);
    }
    r1_session_close(x);
    r1_engine_close(e);
    return s;
}

static void sweep_generation(const char *relative)
{
    r1_model *m = load_model(relative);
    FAULTS_SWEEP(generate, m);
    r1_model_close(m);
}

TEST(r1_generate_dense) { sweep_generation("golden/models/llama_256/gguf/llama_256.Q4_K.gguf"); }
TEST(r1_generate_experts) { sweep_generation("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf"); }

typedef struct many { const r1_model *m; size_t n_done, n_failed; } many;

static void on_done(void *ctx, uint64_t ticket, r1_generation *g, r1_status status, const r1_error *err)
{
    many *x = ctx;
    (void)ticket;
    (void)g;
    x->n_done++;
    x->n_failed += status == R1_ENOMEM && err->msg[0];
}

/* Three requests, two at once, the last one like the first. A request may fail alone; then the others have their result. */
static r1_status schedule(void *ctx, r1_error *err)
{
    const r1_engine_options o = { .n_threads = 2, .chunk = 4 };
    const int32_t prompt[] = { 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22 };
    const char *const stop[] = { "never said" };
    const r1_logit_bias bias = { 3, 1 };
    many x = { .m = ctx };
    r1_engine *e;
    r1_scheduler *sc = NULL;
    r1_request r = { prompt, 18, { .sampling = R1_SAMPLING_DEFAULT, .max_tokens = 5, .think_budget = -1, .ignore_eos = true, .stop = stop, .n_stop = 1, .ctx = &x }, on_done };
    r.options.sampling.bias = &bias;
    r.options.sampling.n_bias = 1;
    r1_status s = r1_engine_open(&e, ctx, &o, err);
    if (s) return s;
    s = r1_scheduler_open(&sc, e, &(r1_scheduler_options){ .parallel = 2, .n_ctx = 64 }, err);
    size_t taken = 0;
    for (int i = 0; i < 3 && s == R1_OK; i++) {
        r.n_prompt = i == 1 ? 3 : 18;
        r.options.speculation = i == 1 ? 2 : 0;
        s = r1_scheduler_submit(sc, &r, NULL, err);
        taken += s == R1_OK;
    }
    r1_status ran = sc ? r1_scheduler_run(sc, s ? NULL : err) : R1_OK;
    if (s == R1_OK) s = ran;
    if (s == R1_OK && x.n_failed) s = r1_fail(err, R1_ENOMEM, "no memory for %zu of the requests", x.n_failed);
    if (x.n_done != taken) s = r1_fail(err, R1_EFORMAT, "%zu of %zu requests ended", x.n_done, taken);
    r1_scheduler_close(sc);
    r1_engine_close(e);
    return s;
}

static void sweep_schedule(const char *relative)
{
    r1_model *m = load_model(relative);
    FAULTS_SWEEP(schedule, m);
    r1_model_close(m);
}

TEST(r1_scheduler) { sweep_schedule("golden/models/llama_256/gguf/llama_256.Q4_K.gguf"); }

/* Between the beginning and the end of requests, steps allocate nothing: raw, for a reasoning machine has text that grows. */
TEST(steps_of_many_allocate_nothing)
{
    enum { N = 6, WARM = 12, STEPS = 40 };
    r1_model *m = load_model("golden/models/llama_256/gguf/llama_256.Q4_K.gguf");
    many x = { .m = m };
    r1_engine *e;
    r1_scheduler *sc;
    r1_error err = { 0 };
    int32_t prompt[N] = { 5, 6, 7, 8, 9, 10 };
    EXPECT_OK(r1_engine_open(&e, m, NULL, &err), &err);
    EXPECT_OK(r1_scheduler_open(&sc, e, &(r1_scheduler_options){ .parallel = N, .n_ctx = 256 }, &err), &err);
    r1_request r = { prompt, N, R1_GENERATE_DEFAULT, on_done };
    r.options.max_tokens = 200;
    r.options.ctx = &x;
    r.options.ignore_eos = true;
    const r1_logit_bias control = { 1, 1000 }; /* the end token, which is no text */
    r.options.sampling.bias = &control;
    r.options.sampling.n_bias = 1;
    for (int i = 0; i < N; i++) {
        prompt[0] = 5 + i;
        r.options.sampling.repetition_penalty = i % 2 ? 1.1f : 1;
        EXPECT_OK(r1_scheduler_submit(sc, &r, NULL, &err), &err);
    }
    for (int i = 0; i < WARM; i++) EXPECT_OK(r1_scheduler_step(sc, &err), &err);
    faults_reset();
    for (int i = 0; i < STEPS; i++) EXPECT_OK(r1_scheduler_step(sc, &err), &err);
    EXPECT_INT(faults_count(), 0);
    EXPECT(r1_scheduler_get_state(sc).n_running == N && r1_scheduler_get_state(sc).n_tokens >= N * STEPS && x.n_done == 0);
    r1_scheduler_close(sc);
    r1_engine_close(e);
    r1_model_close(m);
}

/* Prefill, a first step and the sampler's first choice may allocate; what follows may not, except the pages of a session,
 * whose addresses are reserved when it opens. */
static void decode_allocates_nothing(const char *relative)
{
    enum { VOCABULARY_MAX = 4096, STEPS = 40 };
    static float logits[VOCABULARY_MAX];
    const int32_t prompt[] = { 5, 6, 7, 8, 9 };
    const r1_sampling how = R1_SAMPLING_DEFAULT;
    r1_error e = { 0 };
    r1_model *m = load_model(relative);
    const r1_model_info *info = r1_model_get_info(m);
    EXPECT(info->n_vocab <= VOCABULARY_MAX);
    r1_engine *engine;
    r1_session *x;
    r1_sampler *sampler;
    EXPECT_OK(r1_engine_open(&engine, m, NULL, &e), &e);
    EXPECT_OK(r1_session_open(&x, engine, 100, &e), &e);
    EXPECT_OK(r1_sampler_new(&sampler, info->n_vocab, info->n_tokens, &how, &e), &e);
    r1_batch_row row = { x, prompt, 5, logits, 1 };
    EXPECT_OK(r1_batch_step(engine, &row, 1, &e), &e);
    for (int i = 0; i < STEPS; i++) {
        r1_sample choice;
        if (i == 2) faults_reset();
        EXPECT_OK(r1_sampler_sample(sampler, logits, (uint64_t)i, &choice, &e), &e);
        r1_sampler_accept(sampler, choice.id);
        row = (r1_batch_row){ x, &choice.id, 1, logits, 1 };
        EXPECT_OK(r1_batch_step(engine, &row, 1, &e), &e);
    }
    EXPECT_INT(faults_count(), 0);
    r1_sampler_free(sampler);
    r1_session_close(x);
    r1_engine_close(engine);
    r1_model_close(m);
}

TEST(decode_allocates_nothing_llama) { decode_allocates_nothing("golden/models/llama_256/gguf/llama_256.Q4_K.gguf"); }
TEST(decode_allocates_nothing_float) { decode_allocates_nothing("golden/models/qwen2"); }
TEST(decode_allocates_nothing_deepseek) { decode_allocates_nothing("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf"); }

/* A generation that guesses ahead allocates what one without guesses does, once its session has its index. */
static void guessing_allocates_nothing(const char *relative)
{
    const int32_t prompt[] = { 5, 6, 7, 5, 6, 7, 5, 6 };
    static const int ways[] = { R1_SPECULATION_MAX, R1_SPECULATION_OFF, R1_SPECULATION_MAX, R1_SPECULATION_AUTO };
    const r1_logit_bias bias[] = { { 5, 40 }, { 6, 40 } };
    r1_generate_options o = { .sampling = R1_SAMPLING_DEFAULT, .think_budget = -1, .ignore_eos = true, .max_tokens = 60 };
    o.sampling.bias = bias;
    o.sampling.n_bias = 2;
    r1_error e = { 0 };
    r1_model *m = load_model(relative);
    r1_engine *engine;
    r1_session *x;
    size_t count[R1_COUNT(ways)], drafted = 0;
    EXPECT_OK(r1_engine_open(&engine, m, NULL, &e), &e);
    EXPECT_OK(r1_session_open(&x, engine, 100, &e), &e);
    for (size_t i = 0; i < R1_COUNT(ways); i++) {
        r1_generation g;
        o.speculation = ways[i];
        r1_session_truncate(x, 0);
        faults_reset();
        EXPECT_OK(r1_generate(x, prompt, R1_COUNT(prompt), &o, &g, &e), &e);
        count[i] = faults_count();
        drafted += g.n_drafted;
        r1_generation_deinit(&g);
    }
    EXPECT(drafted > 40);
    EXPECT(count[0] > count[1]); /* the index */
    EXPECT_INT(count[2], count[1]);
    EXPECT_INT(count[3], count[1]);
    r1_session_close(x);
    r1_engine_close(engine);
    r1_model_close(m);
}

TEST(guessing_allocates_nothing_llama) { guessing_allocates_nothing("golden/models/llama_256/gguf/llama_256.Q4_K.gguf"); }
TEST(guessing_allocates_nothing_deepseek) { guessing_allocates_nothing("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf"); }

typedef struct weighing {
    r1_engine *e;
    r1_session *s;
} weighing;

static r1_status weigh(void *ctx, r1_error *err)
{
    static const int32_t ids[] = { 5, 6, 7, 8, 9, 10 };
    static float sum2[1 << 16], counts[64];
    weighing *x = ctx;
    r1_importance *m;
    const r1_importance_tensor *t = NULL;
    size_t n = 0;
    r1_status s = r1_importance_new(&m, x->e, err);
    if (s == R1_OK) s = r1_importance_run(m, x->s, ids, 6, err);
    if (s == R1_OK) s = r1_importance_list(m, &t, &n, err);
    for (size_t i = 0; i < n && s == R1_OK; i++) r1_importance_values(m, &t[i], sum2, counts);
    r1_importance_free(m);
    r1_session_truncate(x->s, 0);
    return s;
}

TEST(r1_importance)
{
    r1_error e = { 0 };
    r1_model *m = load_model("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf");
    weighing x;
    EXPECT_OK(r1_engine_open(&x.e, m, NULL, &e), &e);
    EXPECT_OK(r1_session_open(&x.s, x.e, 100, &e), &e);
    FAULTS_SWEEP(weigh, &x);
    r1_session_close(x.s);
    r1_engine_close(x.e);
    r1_model_close(m);
}
