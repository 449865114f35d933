/* Guessing ahead changes nothing that can be seen: the whole of a generation, with every call it makes and what the session
 * looks like then, is written to a log and compared with that of the same generation without guesses; for random settings of
 * everything. A few tokens are made likely, so that the models, which are noise, repeat themselves by chance.
 * tests/golden/real_speculation_test.c does the same with a real model. */
#include "model/variant_test.h"
#include "engine/engine_int.h"

#include <math.h>

static const char llama_file[] = "golden/models/llama_256/gguf/llama_256.Q4_0.gguf", qwen_file[] = "golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf",
                  v3_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf";
static const char *const files[] = { llama_file, qwen_file, v3_file };
enum { PROMPT_MAX = 64, LIKELY = 6, EOS = 1 };

/* One generation to be made more than once. */
typedef struct task {
    const r1_model *m;
    int chunk;
    size_t n_ctx, n_before, n_prompt;    /* ids that are in the session already, and those of the prompt */
    int32_t ids[PROMPT_MAX];
    r1_generate_options o;
    r1_logit_bias bias[LIKELY + 1];
    size_t stop_token, stop_text;        /* stop at this call; 0: never */
    bool again;                          /* cut the session back in the middle and generate from there, too */
} task;

typedef struct record {
    r1_buf log;
    const task *t;
    r1_session *s;
    size_t n_tokens, n_texts;
} record;

static void put(record *r, const void *p, size_t n) { EXPECT_STATUS(r1_buf_add(&r->log, p, n, NULL), R1_OK); }
static void put_size(record *r, size_t n) { put(r, &n, sizeof n); }

/* What a callback can see of the session. */
static void put_session(record *r)
{
    size_t n = r1_session_length(r->s);
    put_size(r, n);
    put(r, r1_session_ids(r->s), n * sizeof(int32_t));
}

static bool on_prefill(void *ctx, size_t done, size_t total)
{
    record *r = ctx;
    put(r, "p", 1);
    put_size(r, done);
    put_size(r, total);
    put_session(r);
    return true;
}

static bool on_token(void *ctx, const r1_sample *t)
{
    record *r = ctx;
    put(r, "t", 1);
    put(r, &t->id, sizeof t->id);
    put(r, &t->logprob, sizeof t->logprob);
    for (int32_t i = 0; i < t->n_top; i++) {
        put(r, &t->top[i].id, sizeof t->top[i].id);
        put(r, &t->top[i].logprob, sizeof t->top[i].logprob);
    }
    put_session(r);
    return ++r->n_tokens != r->t->stop_token;
}

static bool on_text(void *ctx, r1_part part, const char *text, size_t n)
{
    record *r = ctx;
    put(r, part == R1_PART_ANSWER ? "a" : "r", 1);
    put_size(r, n);
    put(r, text, n);
    put_session(r);
    return ++r->n_texts != r->t->stop_text;
}

static void put_generation(record *r, const r1_generation *g)
{
    put_size(r, g->n_ids);
    put(r, g->ids, g->n_ids * sizeof *g->ids);
    put(r, g->logprobs, g->n_ids * sizeof *g->logprobs);
    put_size(r, g->n_content);
    put(r, g->content, g->n_content + 1);
    put_size(r, g->n_reasoning);
    put(r, g->reasoning, g->n_reasoning + 1);
    const size_t rest[] = { g->n_prompt, g->n_reasoning_ids, (size_t)g->finish, g->budget_closed, g->loop_closed };
    put(r, rest, sizeof rest);
    put_session(r);
    put_size(r, (size_t)r1_session_kv_bytes(r->s));
}

typedef struct tally { size_t generations, tokens, drafted, accepted, finishes[3], budget, loop, full; } tally;

static void generate(record *r, const int32_t *ids, size_t n, int speculation, tally *sum)
{
    r1_generation g;
    r1_error e = { 0 };
    r1_generate_options o = r->t->o;
    o.on_token = on_token;
    o.on_text = on_text;
    o.on_prefill = on_prefill;
    o.ctx = r;
    o.speculation = speculation;
    r->n_tokens = r->n_texts = 0;
    EXPECT_OK(r1_generate(r->s, ids, n, &o, &g, &e), &e);
    put_generation(r, &g);
    EXPECT(g.n_accepted <= g.n_drafted && (speculation != R1_SPECULATION_OFF || g.n_drafted == 0));
    sum->generations++;
    sum->tokens += g.n_ids;
    sum->drafted += g.n_drafted;
    sum->accepted += g.n_accepted;
    sum->finishes[g.finish]++;
    sum->budget += g.budget_closed;
    sum->loop += g.loop_closed;
    sum->full += r1_session_length(r->s) == r1_session_context(r->s);
    r1_generation_deinit(&g);
}

/* The session's logits after all of it. */
static void put_next_logits(record *r, r1_engine *e)
{
    size_t V = (size_t)r1_model_get_info(r->t->m)->n_vocab;
    float *y = malloc(V * sizeof *y);
    r1_error err = { 0 };
    if (r1_session_length(r->s) == r1_session_context(r->s)) r1_session_truncate(r->s, r1_session_length(r->s) - 1);
    r1_batch_row row = { r->s, (int32_t[]){ 33 }, 1, y, 1 };
    EXPECT_OK(r1_batch_step(e, &row, 1, &err), &err);
    put(r, y, V * sizeof *y);
    free(y);
}

static void run(const task *t, int speculation, record *r, tally *sum)
{
    r1_engine *e;
    r1_error err = { 0 };
    *r = (record){ .t = t };
    r1_buf_init(&r->log, SIZE_MAX / 4);
    EXPECT_OK(r1_engine_open(&e, t->m, &(r1_engine_options){ .n_threads = 1, .chunk = t->chunk }, &err), &err);
    EXPECT_OK(r1_session_open(&r->s, e, t->n_ctx, &err), &err);
    r1_batch_row before = { r->s, t->ids, t->n_before, NULL, 0 };
    if (t->n_before) EXPECT_OK(r1_batch_step(e, &before, 1, &err), &err);
    generate(r, t->ids + t->n_before, t->n_prompt, speculation, sum);
    if (t->again) {
        r1_session_truncate(r->s, r1_session_length(r->s) / 2);
        generate(r, t->ids, 2, speculation, sum);
    }
    put_next_logits(r, e);
    r1_session_close(r->s);
    r1_engine_close(e);
}

static void expect_same(const record *a, const record *b, int speculation)
{
    size_t i = 0;
    while (i < r1_min(a->log.len, b->log.len) && a->log.data[i] == b->log.data[i]) i++;
    EXPECT_MSG(i == a->log.len && i == b->log.len, "speculation %d: the logs of %zu and %zu bytes differ from byte %zu on", speculation, a->log.len, b->log.len, i);
}

/* ---- settings -------------------------------------------------------------------------------------------------------- */

static size_t below(uint64_t *seed, size_t n) { return test_random(seed) % n; }

static int32_t id_of(const r1_model *m, const char *text)
{
    int32_t id[8];
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(m), text, strlen(text), R1_SPECIAL_NONE, false, id, 8, &n, &e), &e);
    EXPECT_INT(n, 1);
    return id[0];
}

/* A prompt of a few letters, inside a thought or not. */
static void random_prompt(task *t, uint64_t *seed, const int32_t *likely, size_t n_likely)
{
    size_t n = 2 + below(seed, 30), thought = 0;
    for (size_t i = 0; i < n; i++) t->ids[i] = likely[below(seed, n_likely)];
    r1_error e = { 0 };
    if (below(seed, 2))
        EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(t->m), "<think>\n", 8, R1_SPECIAL_ALL, false, t->ids + n, PROMPT_MAX - n, &thought, &e), &e);
    n += thought;
    t->n_before = below(seed, n);
    t->n_prompt = n - t->n_before;
}

static task random_task(const r1_model *m, uint64_t *seed)
{
    static const char *const letters[] = { "a", "b", "e", "t", "o", "n" };
    static const char *const stop[] = { "ab", "tt", "aeb", "nono" };
    static const float temperatures[] = { 0, 0, 0.6f, 1, 1.5f };
    static const int chunks[] = { 1, 2, 3, 5, 16, 64 };
    task t = { .m = m, .chunk = chunks[below(seed, R1_COUNT(chunks))], .again = below(seed, 2) };
    int32_t likely[LIKELY];
    size_t n_likely = 1 + below(seed, LIKELY);
    for (size_t i = 0; i < n_likely; i++) {
        likely[i] = id_of(m, letters[i]);
        t.bias[i] = (r1_logit_bias){ likely[i], 40 };
    }
    t.bias[n_likely] = (r1_logit_bias){ EOS, below(seed, 4) ? 0 : 37 };
    random_prompt(&t, seed, likely, n_likely);
    t.n_ctx = t.n_before + t.n_prompt + below(seed, 3) * below(seed, 40) + 2;
    t.o = (r1_generate_options){ .max_tokens = below(seed, 2) ? 1 + below(seed, 90) : 0, .think_budget = (long)below(seed, 60) - 20, .ignore_eos = below(seed, 2),
                                 .raw = below(seed, 4) == 0, .no_loop_guard = below(seed, 2), .stop = stop, .n_stop = below(seed, R1_COUNT(stop) + 1) };
    t.o.sampling = (r1_sampling){ .temperature = temperatures[below(seed, R1_COUNT(temperatures))], .top_p = below(seed, 2) ? 1 : 0.9f, .seed = test_random(seed),
                                  .repetition_penalty = below(seed, 2) ? 1 : 1.1f, .penalty_window = (int32_t)below(seed, 20), .n_top = (int32_t)below(seed, 4),
                                  .frequency_penalty = below(seed, 3) ? 0 : 0.5f, .n_bias = n_likely + 1 };
    if (below(seed, 4) == 0) t.stop_token = 1 + below(seed, 30);
    if (below(seed, 4) == 0) t.stop_text = 1 + below(seed, 20);
    return t;
}

static r1_model *open_model(const char *relative)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &(r1_model_options){ .n_threads = 1 }, &e), &e);
    return m;
}

static void compare(task *t, int speculation, const record *plain, tally *sum)
{
    record guessed;
    run(t, speculation, &guessed, sum);
    expect_same(plain, &guessed, speculation);
    r1_buf_deinit(&guessed.log);
}

TEST(nothing_shows_whether_tokens_were_guessed)
{
    enum { TASKS = 250 };
    static const int ways[] = { R1_SPECULATION_AUTO, 1, 2, 3, 5, R1_SPECULATION_MAX };
    uint64_t seed = test_seed();
    tally plain_sum = { 0 }, sum = { 0 };
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        r1_model *m = open_model(files[f]);
        for (int i = 0; i < TASKS; i++) {
            task t = random_task(m, &seed);
            record plain;
            t.o.sampling.bias = t.bias;
            run(&t, R1_SPECULATION_OFF, &plain, &plain_sum);
            compare(&t, R1_SPECULATION_MAX, &plain, &sum);
            compare(&t, ways[below(&seed, R1_COUNT(ways))], &plain, &sum);
            r1_buf_deinit(&plain.log);
        }
        r1_model_close(m);
    }
    EXPECT(plain_sum.drafted == 0 && sum.generations == 2 * plain_sum.generations);
    EXPECT(sum.accepted > sum.tokens / 10 && sum.accepted < sum.drafted && sum.drafted - sum.accepted > sum.tokens / 10); /* both happened, often */
    for (int i = 0; i < 3; i++) EXPECT(sum.finishes[i] > 10);
    EXPECT(sum.budget > 10 && sum.full > 10);
}

/* One letter for ever: all guesses come true, and the guard acts at the same token. */
TEST(loops_are_closed_at_the_same_token)
{
    r1_model *m = open_model(qwen_file);
    for (int guard = 0; guard < 2; guard++) {
        task t = { .m = m, .chunk = 16, .n_ctx = 1300, .bias = { { id_of(m, "a"), 1000 } },
                   .o = { .sampling = R1_SAMPLING_DEFAULT, .think_budget = -1, .ignore_eos = true, .no_loop_guard = !guard, .raw = false } };
        EXPECT_STATUS(r1_tokenize(r1_model_get_tokenizer(m), "<think>\n", 8, R1_SPECIAL_NONE, false, t.ids, PROMPT_MAX, &t.n_prompt, NULL), R1_OK);
        t.o.sampling.bias = t.bias;
        t.o.sampling.n_bias = 1;
        record plain;
        tally plain_sum = { 0 }, sum = { 0 };
        run(&t, R1_SPECULATION_OFF, &plain, &plain_sum);
        EXPECT(plain_sum.loop == (size_t)guard && plain_sum.tokens >= 1024);
        compare(&t, R1_SPECULATION_MAX, &plain, &sum);
        EXPECT(sum.accepted * 10 >= sum.tokens * 8 && sum.drafted - sum.accepted < 32);
        compare(&t, R1_SPECULATION_AUTO, &plain, &sum);
        r1_buf_deinit(&plain.log);
    }
    r1_model_close(m);
}

TEST(speculation_out_of_range_is_refused)
{
    r1_model *m = open_model(qwen_file);
    r1_engine *e;
    r1_session *s;
    r1_error err = { 0 };
    EXPECT_OK(r1_engine_open(&e, m, &(r1_engine_options){ .n_threads = 1 }, &err), &err);
    EXPECT_OK(r1_session_open(&s, e, 20, &err), &err);
    static const int wrong[] = { -2, R1_SPECULATION_MAX + 1, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < R1_COUNT(wrong); i++) {
        r1_generation g;
        char value[24];
        r1_generate_options o = R1_GENERATE_DEFAULT;
        o.speculation = wrong[i];
        snprintf(value, sizeof value, "is %d,", wrong[i]);
        EXPECT_STATUS(r1_generate(s, (int32_t[]){ 5 }, 1, &o, &g, &err), R1_EINVAL);
        EXPECT_CONTAINS(err.msg, "speculation");
        EXPECT_CONTAINS(err.msg, value);
        EXPECT_CONTAINS(err.msg, "1 to 8");
        EXPECT_INT(r1_session_length(s), 0);
        r1_generation_deinit(&g);
    }
    r1_session_close(s);
    r1_engine_close(e);
    r1_model_close(m);
}
