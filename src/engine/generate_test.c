/* Generation: the tokens are those of single steps; every end, every place to stop, every refusal leaves a session that goes
 * on as its ids say. A bias on one token makes the golden models, which are noise, say what a test needs. */
#include "model/variant_test.h"
#include "engine/engine_int.h"

#include <math.h>

static const char llama_file[] = "golden/models/llama_256/gguf/llama_256.Q4_0.gguf", qwen_file[] = "golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf",
                  v3_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf";
static const char *const files[] = { llama_file, qwen_file, v3_file };
static const int32_t prompt[] = { 11, 42, 7, 100, 63, 9, 150 };
enum { N_PROMPT = 7, EOS = 1 };

typedef struct bench {
    r1_model *m;
    r1_engine *e;
    size_t V;
} bench;

static bench bench_of(r1_model *m, int chunk)
{
    bench b = { .m = m, .V = (size_t)r1_model_get_info(m)->n_vocab };
    r1_error e = { 0 };
    EXPECT_OK(r1_engine_open(&b.e, m, &(r1_engine_options){ .n_threads = 1, .chunk = chunk }, &e), &e);
    return b;
}

static bench bench_open(const char *relative, int chunk)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &(r1_model_options){ .n_threads = 1 }, &e), &e);
    return bench_of(m, chunk);
}

static void bench_close(bench *b)
{
    r1_engine_close(b->e);
    r1_model_close(b->m);
}

static r1_session *open_session(const bench *b, size_t n_ctx)
{
    r1_session *s;
    r1_error e = { 0 };
    EXPECT_OK(r1_session_open(&s, b->e, n_ctx, &e), &e);
    return s;
}

static r1_generate_options greedy(size_t max_tokens)
{
    return (r1_generate_options){ .sampling = { .top_p = 1, .repetition_penalty = 1 }, .max_tokens = max_tokens, .think_budget = -1, .ignore_eos = true };
}

/* The session goes on as one that was fed `want` does. */
static void expect_session(const bench *b, r1_session *s, const int32_t *want, size_t n)
{
    r1_error e = { 0 };
    float *got = malloc(b->V * sizeof *got), *exact = malloc(b->V * sizeof *exact);
    EXPECT_INT(r1_session_length(s), n);
    EXPECT(n == 0 || !memcmp(r1_session_ids(s), want, n * sizeof *want));
    if (n < r1_session_context(s)) {
        r1_session *fresh = open_session(b, 0);
        int32_t next = 33;
        r1_batch_row a = { s, &next, 1, got, 1 }, c[] = { { fresh, want, n, NULL, 0 }, { fresh, &next, 1, exact, 1 } };
        EXPECT_OK(r1_batch_step(b->e, &a, 1, &e), &e);
        if (n) EXPECT_OK(r1_batch_step(b->e, &c[0], 1, &e), &e);
        EXPECT_OK(r1_batch_step(b->e, &c[1], 1, &e), &e);
        EXPECT(!memcmp(got, exact, b->V * sizeof *got));
        r1_session_close(fresh);
    }
    free(got);
    free(exact);
}

/* After an end of any kind: prompt and all generated tokens but the last. */
static void expect_all_but_last(const bench *b, r1_session *s, const r1_generation *g)
{
    int32_t want[1024];
    EXPECT(g->n_ids > 0 && g->n_ids + N_PROMPT < 1024);
    memcpy(want, prompt, sizeof prompt);
    memcpy(want + N_PROMPT, g->ids, g->n_ids * sizeof *want);
    expect_session(b, s, want, N_PROMPT + g->n_ids - 1);
}

/* ---- the tokens ------------------------------------------------------------------------------------------------------- */

TEST(greedy_tokens_are_those_of_single_steps)
{
    enum { N = 40 };
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 3);
        int32_t n_tokens = r1_model_get_info(b.m)->n_tokens;
        r1_session *s = open_session(&b, 0), *t = open_session(&b, 0);
        r1_generation g;
        r1_error e = { 0 };
        r1_generate_options o = greedy(N);
        EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &g, &e), &e);
        EXPECT(g.n_ids == N && g.n_prompt == N_PROMPT && g.finish == R1_FINISH_LENGTH && !g.budget_closed && !g.loop_closed);
        EXPECT(g.prefill_s >= 0 && g.decode_s >= 0 && strlen(g.content) == g.n_content && g.n_reasoning == 0 && g.n_reasoning_ids == 0);
        float *y = malloc(b.V * sizeof *y);
        r1_batch_row row = { t, prompt, N_PROMPT, y, 1 };
        for (size_t i = 0; i < N; i++) {
            EXPECT_OK(r1_batch_step(b.e, &row, 1, &e), &e);
            int32_t best = 0;
            double sum = 0;
            for (int32_t v = 1; v < n_tokens; v++)
                if (y[v] > y[best]) best = v;
            for (int32_t v = 0; v < n_tokens; v++) sum += exp((double)y[v] - y[best]);
            EXPECT_INT(g.ids[i], best);
            EXPECT(fabs(g.logprobs[i] + log(sum)) < 1e-5);
            row = (r1_batch_row){ t, &g.ids[i], 1, y, 1 };
        }
        expect_all_but_last(&b, s, &g);
        free(y);
        r1_generation_deinit(&g);
        r1_generation_deinit(&g); /* twice is fine */
        r1_session_close(s);
        r1_session_close(t);
        bench_close(&b);
    }
}

/* A conversation in pieces: the tokens depend on what is in the session, not on how it came there or on the chunks. */
TEST(sampled_tokens_depend_on_the_ids_before_them_only)
{
    int32_t first[24];
    for (int chunk = 1; chunk <= 16; chunk *= 4) {
        for (size_t split = 0; split < N_PROMPT; split += 3) {
            bench b = bench_open(v3_file, chunk);
            r1_session *s = open_session(&b, 0);
            r1_generation g;
            r1_error e = { 0 };
            r1_generate_options o = greedy(24);
            o.sampling = (r1_sampling)R1_SAMPLING_DEFAULT;
            o.sampling.seed = 5;
            o.sampling.repetition_penalty = 1.1f;
            r1_batch_row before = { s, prompt, split, NULL, 0 };
            if (split) EXPECT_OK(r1_batch_step(b.e, &before, 1, &e), &e);
            EXPECT_OK(r1_generate(s, prompt + split, N_PROMPT - split, &o, &g, &e), &e);
            EXPECT_INT(g.n_ids, 24);
            if (chunk == 1 && split == 0) memcpy(first, g.ids, sizeof first);
            EXPECT(!memcmp(first, g.ids, sizeof first));
            r1_generation_deinit(&g);
            r1_session_truncate(s, 0);
            o.sampling.seed = 6;
            EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &g, &e), &e);
            EXPECT(memcmp(first, g.ids, sizeof first)); /* another seed, another answer */
            r1_generation_deinit(&g);
            r1_session_close(s);
            bench_close(&b);
        }
    }
}

TEST(a_second_turn_goes_on_where_the_first_ended)
{
    bench b = bench_open(qwen_file, 4);
    r1_session *s = open_session(&b, 0);
    r1_generation a, c;
    r1_error e = { 0 };
    r1_generate_options o = greedy(10);
    o.sampling = (r1_sampling)R1_SAMPLING_DEFAULT; /* random numbers belong to places of the session */
    o.sampling.seed = 77;
    EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &a, &e), &e);
    o.max_tokens = 5;
    EXPECT_OK(r1_generate(s, &a.ids[9], 1, &o, &c, &e), &e); /* the last token was not run yet */
    r1_generation_deinit(&a);
    r1_session_truncate(s, 0);
    o.max_tokens = 15;
    EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &a, &e), &e);
    EXPECT(!memcmp(a.ids + 10, c.ids, 5 * sizeof *c.ids) && !memcmp(a.logprobs + 10, c.logprobs, 5 * sizeof *c.logprobs));
    r1_generation_deinit(&a);
    r1_generation_deinit(&c);
    r1_session_close(s);
    bench_close(&b);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------- */

TEST(the_context_ends_a_generation)
{
    for (size_t n_ctx = N_PROMPT; n_ctx < 20; n_ctx++) { /* from a prompt that fills it */
        bench b = bench_open(llama_file, 4);
        r1_session *s = open_session(&b, n_ctx);
        r1_generation g;
        r1_error e = { 0 };
        r1_generate_options o = greedy(n_ctx % 2 ? 0 : 1000);
        EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &g, &e), &e);
        EXPECT_INT(g.n_ids, n_ctx - N_PROMPT + 1); /* the last one needs no place */
        EXPECT_INT(g.finish, R1_FINISH_LENGTH);
        expect_all_but_last(&b, s, &g);
        r1_generation_deinit(&g);
        r1_session_close(s);
        bench_close(&b);
    }
}

/* What is generated when one token is made certain. */
static void generate_biased(bench *b, int32_t id, r1_generate_options o, r1_generation *g)
{
    r1_error e = { 0 };
    const r1_logit_bias bias = { id, 1000 };
    r1_session *s = open_session(b, 0);
    o.sampling.bias = &bias;
    o.sampling.n_bias = 1;
    EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, g, &e), &e);
    expect_all_but_last(b, s, g);
    r1_session_close(s);
}

static size_t encode(const bench *b, const char *text, int32_t *ids, size_t cap)
{
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(b->m), text, strlen(text), R1_SPECIAL_NONE, false, ids, cap, &n, &e), &e);
    return n;
}

static int32_t id_of(const bench *b, const char *text)
{
    int32_t id[8];
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(b->m), text, strlen(text), R1_SPECIAL_NONE, false, id, 8, &n, &e), &e);
    EXPECT_INT(n, 1);
    return id[0];
}

TEST(end_tokens_and_stop_strings_end_a_generation)
{
    bench b = bench_open(v3_file, 4);
    r1_generation g;
    r1_generate_options o = greedy(0);
    o.ignore_eos = false;
    generate_biased(&b, EOS, o, &g);
    EXPECT(g.finish == R1_FINISH_STOP && g.n_ids == 1 && g.ids[0] == EOS && g.n_content == 0 && g.content[0] == 0);
    r1_generation_deinit(&g);

    o.max_tokens = 6;
    o.ignore_eos = true;
    generate_biased(&b, EOS, o, &g);
    EXPECT(g.finish == R1_FINISH_LENGTH && g.n_ids == 6 && g.n_content == 0);
    r1_generation_deinit(&g);

    static const char *const stop[] = { "aaa" };
    o.max_tokens = 20;
    o.stop = stop;
    o.n_stop = 1;
    generate_biased(&b, id_of(&b, "a"), o, &g);
    EXPECT(g.finish == R1_FINISH_STOP && g.n_ids == 3 && g.n_content == 0);
    r1_generation_deinit(&g);

    o.n_stop = 0;
    generate_biased(&b, id_of(&b, "a"), o, &g);
    EXPECT(g.finish == R1_FINISH_LENGTH && g.n_ids == 20);
    EXPECT_STR(g.content, "aaaaaaaaaaaaaaaaaaaa");
    r1_generation_deinit(&g);
    bench_close(&b);
}

/* One letter for ever: a thought that does so is closed after 1,024 tokens. */
TEST(the_loop_guard_closes_a_thought_unless_told_not_to)
{
    enum { MANY = 1100 };
    bench b = bench_open(qwen_file, 64);
    r1_session *s = open_session(&b, 1200);
    r1_generation g;
    r1_error e = { 0 };
    int32_t ids[64];
    size_t n = encode(&b, "<think>\n", ids, 64);
    const r1_logit_bias bias = { id_of(&b, "a"), 1000 };
    r1_generate_options o = greedy(MANY);
    o.sampling.bias = &bias;
    o.sampling.n_bias = 1;
    for (int guard = 0; guard < 2; guard++) {
        r1_session_truncate(s, 0);
        o.no_loop_guard = !guard;
        EXPECT_OK(r1_generate(s, ids, n, &o, &g, &e), &e);
        EXPECT(g.finish == R1_FINISH_LENGTH && g.n_ids == MANY && !g.budget_closed && g.loop_closed == guard);
        EXPECT(guard ? g.n_reasoning_ids >= 1024 && g.n_reasoning_ids < MANY && g.n_content > 0 : g.n_reasoning_ids == MANY && g.n_content == 0);
        EXPECT_INT(r1_session_length(s), n + MANY - 1);
        r1_generation_deinit(&g);
    }
    r1_session_close(s);
    bench_close(&b);
}

/* ---- thinking -------------------------------------------------------------------------------------------------------------- */

/* The golden vocabularies spell the tags, so the closing is several tokens. */
TEST(a_spent_budget_forces_the_end_of_the_thought)
{
    bench b = bench_open(v3_file, 8);
    int32_t ids[64], closing[32];
    size_t n = encode(&b, "<think>\n", ids, 64), n_closing = encode(&b, "\n</think>\n\n", closing, 32);
    r1_error e = { 0 };
    const r1_logit_bias bias = { id_of(&b, "a"), 1000 };
    for (long budget = 0; budget < 6; budget++) {
        r1_session *s = open_session(&b, 0);
        r1_generation g;
        r1_generate_options o = greedy(60);
        o.sampling.bias = &bias;
        o.sampling.n_bias = 1;
        o.think_budget = budget;
        EXPECT_OK(r1_generate(s, ids, n, &o, &g, &e), &e);
        EXPECT(g.budget_closed && g.n_ids == 60 && g.finish == R1_FINISH_LENGTH);
        EXPECT_INT(g.n_reasoning_ids, budget);
        EXPECT_INT(g.n_reasoning, budget);
        EXPECT(strspn(g.reasoning, "a") == (size_t)budget && strspn(g.content, "a") == g.n_content);
        EXPECT_INT(g.n_content, 60 - (size_t)budget - n_closing);
        EXPECT(!memcmp(g.ids + budget, closing, n_closing * sizeof *closing));
        for (size_t i = 0; i < g.n_ids; i++) EXPECT(g.logprobs[i] <= 0 && isfinite(g.logprobs[i])); /* of forced tokens too */
        EXPECT_INT(r1_session_length(s), n + 59);
        r1_generation_deinit(&g);
        /* cut in the middle of the closing: the limit counts forced tokens too */
        r1_session_truncate(s, 0);
        o.max_tokens = (size_t)budget + 2;
        EXPECT_OK(r1_generate(s, ids, n, &o, &g, &e), &e);
        EXPECT(g.n_ids == (size_t)budget + 2 && g.finish == R1_FINISH_LENGTH && g.n_content == 0);
        r1_generation_deinit(&g);
        r1_session_close(s);
    }
    bench_close(&b);
}

TEST(raw_output_is_all_answer)
{
    bench b = bench_open(v3_file, 8);
    int32_t ids[64];
    size_t n = encode(&b, "<think>\n", ids, 64);
    r1_session *s = open_session(&b, 0);
    r1_generation g;
    r1_error e = { 0 };
    const r1_logit_bias bias = { id_of(&b, "a"), 1000 };
    r1_generate_options o = greedy(10);
    o.sampling.bias = &bias;
    o.sampling.n_bias = 1;
    o.raw = true;
    EXPECT_OK(r1_generate(s, ids, n, &o, &g, &e), &e);
    EXPECT_STR(g.content, "aaaaaaaaaa");
    EXPECT(g.n_reasoning == 0 && g.reasoning[0] == 0);
    r1_generation_deinit(&g);
    r1_session_close(s);
    bench_close(&b);
}

/* ---- stopping ----------------------------------------------------------------------------------------------------------------- */

typedef struct listener {
    int prefills, tokens, texts, stop_prefill, stop_token, stop_text; /* stop at this call, 0: never */
    size_t done;
    bool stopped;
    int32_t ids[256];
    char text[2][4096];
    size_t n_text[2];
} listener;

static bool on_prefill(void *ctx, size_t done, size_t total)
{
    listener *l = ctx;
    EXPECT(!l->stopped && total == N_PROMPT && done <= total && (l->prefills == 0 ? done == 0 : done > l->done));
    l->done = done;
    l->stopped = ++l->prefills == l->stop_prefill;
    return !l->stopped;
}

static bool on_token(void *ctx, const r1_sample *t)
{
    listener *l = ctx;
    EXPECT(!l->stopped && l->done == N_PROMPT);
    l->ids[l->tokens++] = t->id;
    l->stopped = l->tokens == l->stop_token;
    return !l->stopped;
}

static bool on_text(void *ctx, r1_part part, const char *text, size_t n)
{
    listener *l = ctx;
    EXPECT(n > 0 && l->n_text[part] + n < sizeof l->text[0]);
    EXPECT(!(l->stopped && l->stop_text)); /* who said stop is not called again */
    memcpy(l->text[part] + l->n_text[part], text, n);
    l->n_text[part] += n;
    if (++l->texts != l->stop_text) return true;
    l->stopped = true;
    return false;
}

static void listen(bench *b, listener *l, bool expect_cancelled)
{
    r1_session *s = open_session(b, 0);
    r1_generation g;
    r1_error e = { 0 };
    r1_generate_options o = greedy(30);
    o.on_prefill = on_prefill;
    o.on_token = on_token;
    o.on_text = on_text;
    o.ctx = l;
    EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &g, &e), &e); /* to be stopped is not an error */
    EXPECT_INT(g.finish, expect_cancelled ? R1_FINISH_CANCELLED : R1_FINISH_LENGTH);
    EXPECT_INT(g.n_ids, l->tokens);
    EXPECT(g.n_ids == 0 || !memcmp(g.ids, l->ids, g.n_ids * sizeof *g.ids));
    EXPECT(g.content && g.reasoning);
    const char *whole[] = { g.reasoning, g.content };
    const size_t n_whole[] = { g.n_reasoning, g.n_content };
    for (int p = 0; p < 2; p++) { /* what was held back still belongs to the result, but who said stop is not told */
        EXPECT(l->stop_text ? n_whole[p] >= l->n_text[p] : n_whole[p] == l->n_text[p]);
        EXPECT(!memcmp(whole[p], l->text[p], l->n_text[p]));
    }
    if (g.n_ids) expect_all_but_last(b, s, &g);
    else expect_session(b, s, prompt, l->done);
    r1_generation_deinit(&g);
    r1_session_close(s);
}

TEST(a_generation_can_be_stopped_anywhere)
{
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 3);
        listener all = { 0 };
        listen(&b, &all, false);
        EXPECT(all.prefills == 4 && all.tokens == 30 && all.texts > 0); /* 0, 3, 6 and 7 of 7 */
        for (int i = 1; i <= all.prefills; i++) {
            listener l = { .stop_prefill = i };
            listen(&b, &l, true);
            EXPECT_INT(l.tokens, 0);
        }
        for (int i = 1; i <= all.tokens; i += 1 + i / 4) {
            listener l = { .stop_token = i };
            listen(&b, &l, true);
            EXPECT_INT(l.tokens, i);
            EXPECT(!memcmp(l.ids, all.ids, (size_t)i * sizeof *l.ids));
        }
        for (int i = 1; i <= all.texts; i += 1 + i / 4) {
            listener l = { .stop_text = i };
            listen(&b, &l, true);
            EXPECT_INT(l.texts, i);
            for (int p = 0; p < 2; p++) EXPECT(!memcmp(l.text[p], all.text[p], l.n_text[p])); /* a beginning of the whole */
        }
        bench_close(&b);
    }
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------------ */

static void expect_refused(const bench *b, r1_session *s, const int32_t *ids, size_t n, const r1_generate_options *o, r1_status want, const char *a, const char *c)
{
    r1_generation g;
    r1_error e = { 0 };
    size_t length = r1_session_length(s);
    memset(&g, 0xA5, sizeof g);
    EXPECT_STATUS(r1_generate(s, ids, n, o, &g, &e), want);
    EXPECT_CONTAINS(e.msg, a);
    EXPECT_CONTAINS(e.msg, c);
    EXPECT_INT(g.n_ids, 0);
    EXPECT_INT(r1_session_length(s), length);
    r1_generation_deinit(&g);
    (void)b;
}

TEST(what_cannot_be_generated_is_refused)
{
    bench b = bench_open(qwen_file, 4);
    r1_session *s = open_session(&b, N_PROMPT + 2);
    r1_error e = { 0 };
    r1_generate_options o = greedy(5), bad = o;
    r1_batch_row row = { s, prompt, 3, NULL, 0 };
    EXPECT_OK(r1_batch_step(b.e, &row, 1, &e), &e);
    expect_refused(&b, s, prompt, N_PROMPT, &o, R1_ELIMIT, "7 tokens after 3", "context of 9");
    expect_refused(&b, s, prompt, 0, &o, R1_EINVAL, "empty", "");
    expect_refused(&b, s, (int32_t[]){ 4, -7 }, 2, &o, R1_EINVAL, "id -7", "place 1");
    bad.sampling.temperature = -1;
    expect_refused(&b, s, prompt, 3, &bad, R1_EINVAL, "temperature", "-1");
    bad = o;
    static const char *const empty_stop[] = { "" };
    bad.stop = empty_stop;
    bad.n_stop = 1;
    expect_refused(&b, s, prompt, 3, &bad, R1_EINVAL, "stop", "");
    static const char *const stops[17] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q" };
    bad.stop = stops;
    bad.n_stop = 17;
    expect_refused(&b, s, prompt, 3, &bad, R1_EINVAL, "17", "16");
    expect_session(&b, s, prompt, 3);
    r1_session_close(s);
    bench_close(&b);
}

TEST(a_model_without_a_tokenizer_generates_ids)
{
    variant v = variant_gguf(qwen_file, false);
    folder f = folder_new();
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, variant_write_gguf(&v, &f), NULL, &e), &e);
    EXPECT_NULL(r1_model_get_tokenizer(m));
    bench b = bench_of(m, 4), with = bench_open(qwen_file, 4);
    r1_session *s = open_session(&b, 0), *t = open_session(&with, 0);
    r1_generation g, h;
    r1_generate_options o = greedy(12);
    o.sampling.bias = &(r1_logit_bias){ 60, 1000 }; /* padding rows count where no tokenizer tells of them: keep to one token */
    o.sampling.n_bias = 1;
    EXPECT_OK(r1_generate(s, prompt, N_PROMPT, &o, &g, &e), &e);
    EXPECT_OK(r1_generate(t, prompt, N_PROMPT, &o, &h, &e), &e);
    EXPECT(g.n_ids == 12 && !memcmp(g.ids, h.ids, 12 * sizeof *g.ids) && g.finish == R1_FINISH_LENGTH);
    EXPECT_STR(g.content, "");
    EXPECT_STR(g.reasoning, "");
    expect_all_but_last(&b, s, &g);
    r1_generation_deinit(&g);
    r1_generation_deinit(&h);
    static const char *const stop[] = { "x" };
    o.stop = stop;
    o.n_stop = 1;
    expect_refused(&b, s, prompt, 3, &o, R1_EUNSUPPORTED, "stop strings", "tokenizer"); /* they would never match */
    int32_t *ids;
    size_t n;
    EXPECT_STATUS(r1_chat_ids(m, "chatml", "{}", 2, &ids, &n, &e), R1_EUNSUPPORTED);
    EXPECT_CONTAINS(e.msg, "no tokenizer");
    r1_session_close(s);
    r1_session_close(t);
    bench_close(&b);
    bench_close(&with);
    variant_free(&v);
    folder_free(&f);
}

/* ---- conversations ---------------------------------------------------------------------------------------------------------------- */

TEST(conversations_become_ids)
{
    static const char request[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"hello <|eos|>\"}], \"add_generation_prompt\": true}";
    bench b = bench_open(v3_file, 4);
    int32_t *ids = NULL;
    size_t n = 0;
    r1_error e = { 0 };
    EXPECT_OK(r1_chat_ids(b.m, "r1", request, sizeof request - 1, &ids, &n, &e), &e);
    EXPECT(n > 10 && ids[0] == 0); /* the model's own BOS */
    for (size_t i = 1; i < n; i++) EXPECT(ids[i] != EOS); /* what a user wrote is text */
    free(ids);
    const struct { const char *name, *request; r1_status status; const char *says[2]; } wrong[] = {
        { "vicuna", request, R1_EUNSUPPORTED, { "'vicuna'", "r1_distill" } }, { NULL, request, R1_EUNSUPPORTED, { "--template", "r1_distill" } },
        { "r1", "{\"messages\": [", R1_EFORMAT, { "column 14", "" } }, { "r1", "{\"messages\": 3}", R1_EFORMAT, { "messages", "" } },
    };
    for (size_t i = 0; i < R1_COUNT(wrong); i++) {
        ids = (int32_t *)&n;
        n = 99;
        EXPECT_STATUS(r1_chat_ids(b.m, wrong[i].name, wrong[i].request, strlen(wrong[i].request), &ids, &n, &e), wrong[i].status);
        EXPECT_NULL(ids);
        EXPECT_INT(n, 0);
        for (int j = 0; j < 2; j++) EXPECT_CONTAINS(e.msg, wrong[i].says[j]);
    }
    bench_close(&b);
}
