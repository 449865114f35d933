/* Many at once give each what it gets alone: for random requests, everything a request's callbacks see and its whole result are
 * compared with those of r1_generate in a session of its own; with few pages, many beginnings in common, small chunks, guesses.
 * A few tokens are made likely, so that the models, which are noise, repeat themselves and meet their ends by chance. */
#include "model/variant_test.h"
#include "engine/engine_int.h"

static const char llama_file[] = "golden/models/llama_256/gguf/llama_256.Q4_0.gguf", qwen_file[] = "golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf",
                  v3_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf";
static const char *const files[] = { llama_file, qwen_file, v3_file };
enum { PROMPT_MAX = 96, LIKELY = 6, EOS = 1, MANY = 24 };

typedef struct task {
    int32_t ids[PROMPT_MAX];
    size_t n;
    r1_generate_options o;
    r1_logit_bias bias[LIKELY + 1];
    const char *stop[4];
    size_t stop_token, stop_text;     /* stop at this call; 0: never */
    /* What came of it. */
    r1_buf log;
    size_t n_tokens, n_texts, n_done;
    r1_status status;
    r1_finish finish;
    uint64_t ticket;
    size_t drafted, generated;
} task;

static size_t below(uint64_t *seed, size_t n) { return test_random(seed) % n; }
static void put(task *t, const void *p, size_t n) { EXPECT_STATUS(r1_buf_add(&t->log, p, n, NULL), R1_OK); }
static void put_size(task *t, size_t n) { put(t, &n, sizeof n); }

static bool on_token(void *ctx, const r1_sample *s)
{
    task *t = ctx;
    put(t, "t", 1);
    put(t, &s->id, sizeof s->id);
    put(t, &s->logprob, sizeof s->logprob);
    for (int32_t i = 0; i < s->n_top; i++) put(t, &s->top[i].id, sizeof s->top[i].id), put(t, &s->top[i].logprob, sizeof s->top[i].logprob);
    return ++t->n_tokens != t->stop_token;
}

static bool on_text(void *ctx, r1_part part, const char *text, size_t n)
{
    task *t = ctx;
    put(t, part == R1_PART_ANSWER ? "a" : "r", 1);
    put(t, text, n);
    return ++t->n_texts != t->stop_text;
}

static void on_done(void *ctx, uint64_t ticket, r1_generation *g, r1_status status, const r1_error *err)
{
    task *t = ctx;
    EXPECT(t->n_done++ == 0 && ticket == t->ticket && (status == R1_OK || err->msg[0]));
    t->status = status;
    t->finish = g->finish;
    t->drafted = g->n_drafted;
    t->generated = g->n_ids;
    put_size(t, (size_t)status);
    put_size(t, g->n_ids);
    put(t, g->ids, g->n_ids * sizeof *g->ids);
    put(t, g->logprobs, g->n_ids * sizeof *g->logprobs);
    put_size(t, g->n_content);
    if (g->content) put(t, g->content, g->n_content + 1);
    put_size(t, g->n_reasoning);
    if (g->reasoning) put(t, g->reasoning, g->n_reasoning + 1);
    const size_t rest[] = { g->n_prompt, g->n_reasoning_ids, (size_t)g->finish, g->budget_closed, g->loop_closed };
    put(t, rest, sizeof rest);
}

/* The result of r1_generate in the same words. */
static void alone(task *t, r1_engine *e, size_t n_ctx)
{
    r1_session *s;
    r1_generation g;
    r1_error err = { 0 };
    EXPECT_OK(r1_session_open(&s, e, n_ctx, &err), &err);
    r1_status st = r1_generate(s, t->ids, t->n, &t->o, &g, &err);
    on_done(t, t->ticket, &g, st, &err);
    r1_generation_deinit(&g);
    r1_session_close(s);
}

static r1_buf take_log(task *t)
{
    r1_buf log = t->log;
    r1_buf_init(&t->log, SIZE_MAX / 4);
    t->n_tokens = t->n_texts = t->n_done = 0;
    return log;
}

/* ---- settings ---------------------------------------------------------------------------------------------------------- */

static r1_model *open_model(const char *relative)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &(r1_model_options){ .n_threads = 1 }, &e), &e);
    return m;
}

static r1_engine *open_engine(const r1_model *m, int chunk, int threads)
{
    r1_engine *e;
    r1_error err = { 0 };
    EXPECT_OK(r1_engine_open(&e, m, &(r1_engine_options){ .n_threads = threads, .chunk = chunk }, &err), &err);
    return e;
}

static r1_scheduler *open_scheduler(r1_engine *e, size_t parallel, size_t n_ctx, size_t kv_tokens)
{
    r1_scheduler *s;
    r1_error err = { 0 };
    EXPECT_OK(r1_scheduler_open(&s, e, &(r1_scheduler_options){ parallel, n_ctx, kv_tokens }, &err), &err);
    return s;
}

static int32_t id_of(const r1_model *m, const char *text)
{
    int32_t id[8];
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_tokenize(r1_model_get_tokenizer(m), text, strlen(text), R1_SPECIAL_NONE, false, id, 8, &n, &e), &e);
    EXPECT_INT(n, 1);
    return id[0];
}

static void random_sampling(task *t, uint64_t *seed, const int32_t likely[LIKELY])
{
    static const float temperatures[] = { 0, 0, 0.6f, 1, 1.5f };
    size_t n = 1 + below(seed, LIKELY);
    for (size_t i = 0; i < n; i++) t->bias[i] = (r1_logit_bias){ likely[i], 40 };
    t->bias[n] = (r1_logit_bias){ EOS, below(seed, 4) ? 0 : 37 };
    t->o.sampling = (r1_sampling){ .temperature = temperatures[below(seed, R1_COUNT(temperatures))], .top_p = below(seed, 2) ? 1 : 0.9f, .seed = test_random(seed),
                                   .repetition_penalty = below(seed, 2) ? 1 : 1.1f, .penalty_window = (int32_t)below(seed, 20), .n_top = (int32_t)below(seed, 4),
                                   .frequency_penalty = below(seed, 3) ? 0 : 0.5f, .min_p = below(seed, 3) ? 0 : 0.05f, .top_k = (int32_t)below(seed, 3) * 7,
                                   .bias = t->bias, .n_bias = n + 1 };
}

/* Like an earlier task's prompt at its beginning, or one of its own; inside a thought or not. */
static void random_prompt(task *t, const task *earlier, size_t n_earlier, uint64_t *seed, const int32_t likely[LIKELY], const r1_tokenizer *tokenizer, size_t n_ctx)
{
    size_t n = 0, most = 1 + below(seed, r1_min(n_ctx, PROMPT_MAX - 16)), thought = 0;
    const task *like = n_earlier && below(seed, 3) ? &earlier[below(seed, n_earlier)] : NULL;
    if (like) n = below(seed, 2) ? like->n : below(seed, like->n + 1);
    if (like) memcpy(t->ids, like->ids, n * sizeof *t->ids);
    while (n < most) t->ids[n++] = likely[below(seed, LIKELY)];
    r1_error e = { 0 };
    if (!like && below(seed, 2) && n + 16 <= n_ctx)
        EXPECT_OK(r1_tokenize(tokenizer, "<think>\n", 8, R1_SPECIAL_ALL, false, t->ids + n, PROMPT_MAX - n, &thought, &e), &e);
    t->n = n + thought;
}

static void random_tasks(task *tasks, size_t n, const r1_model *m, size_t n_ctx, uint64_t *seed)
{
    static const char *const letters[] = { "a", "b", "e", "t", "o", "n" }, *const stop[] = { "ab", "tt", "aeb", "nono" };
    static const int ways[] = { R1_SPECULATION_AUTO, R1_SPECULATION_AUTO, R1_SPECULATION_OFF, 1, 3, R1_SPECULATION_MAX };
    int32_t likely[LIKELY];
    for (size_t i = 0; i < LIKELY; i++) likely[i] = id_of(m, letters[i]);
    for (size_t i = 0; i < n; i++) {
        task *t = &tasks[i];
        *t = (task){ .ticket = i + 1 };
        r1_buf_init(&t->log, SIZE_MAX / 4);
        t->o = (r1_generate_options){ .max_tokens = below(seed, 4) ? 1 + below(seed, 60) : 0, .think_budget = (long)below(seed, 60) - 20, .ignore_eos = below(seed, 2),
                                      .raw = below(seed, 4) == 0, .no_loop_guard = below(seed, 2), .stop = t->stop, .n_stop = below(seed, R1_COUNT(stop) + 1),
                                      .on_text = on_text, .on_token = on_token, .ctx = t, .speculation = ways[below(seed, R1_COUNT(ways))] };
        memcpy(t->stop, stop, sizeof stop);
        random_sampling(t, seed, likely);
        random_prompt(t, tasks, i, seed, likely, r1_model_get_tokenizer(m), n_ctx);
        if (below(seed, 6) == 0) t->stop_token = 1 + below(seed, 20);
        if (below(seed, 6) == 0) t->stop_text = 1 + below(seed, 10);
    }
}

static void submit(r1_scheduler *s, task *t)
{
    r1_error e = { 0 };
    uint64_t ticket;
    const r1_request r = { t->ids, t->n, t->o, on_done };
    EXPECT_OK(r1_scheduler_submit(s, &r, &ticket, &e), &e);
    EXPECT_INT(ticket, t->ticket);
}

static void expect_same(const r1_buf *a, const r1_buf *b, size_t which)
{
    size_t i = 0;
    while (i < r1_min(a->len, b->len) && a->data[i] == b->data[i]) i++;
    EXPECT_MSG(i == a->len && i == b->len, "request %zu: the logs of %zu and %zu bytes differ from byte %zu on", which, a->len, b->len, i);
}

/* ---- the same bits ------------------------------------------------------------------------------------------------------ */

typedef struct tally { r1_scheduler_state sum; size_t finishes[3]; size_t drafted; } tally;

static void compare(const r1_model *m, uint64_t *seed, int threads, tally *sum)
{
    static const int chunks[] = { 1, 3, 8, 16, 64 };
    static task tasks[MANY];
    r1_buf want[MANY];
    size_t n = 1 + below(seed, MANY), n_ctx = 24 + below(seed, 100), submitted = 0;
    int chunk = chunks[below(seed, R1_COUNT(chunks))];
    random_tasks(tasks, n, m, n_ctx, seed);
    r1_engine *e = open_engine(m, 16, 1);
    for (size_t i = 0; i < n; i++) {
        tasks[i].n = r1_min(tasks[i].n, n_ctx);
        alone(&tasks[i], e, n_ctx);
        want[i] = take_log(&tasks[i]);
    }
    r1_engine_close(e);
    e = open_engine(m, chunk, threads);
    size_t pages = r1_ceil_div(n_ctx, R1_KV_PAGE); /* one fits; often not much more */
    r1_scheduler *s = open_scheduler(e, 1 + below(seed, 12), n_ctx, (pages + below(seed, 3) * below(seed, 4 * pages)) * R1_KV_PAGE);
    r1_error err = { 0 };
    while (submitted < n || r1_scheduler_get_state(s).n_waiting || r1_scheduler_get_state(s).n_running) {
        for (size_t k = below(seed, 4) ? below(seed, 3) : n; k-- && submitted < n; submitted++) submit(s, &tasks[submitted]);
        EXPECT_OK(r1_scheduler_step(s, &err), &err);
        r1_scheduler_state now = r1_scheduler_get_state(s);
        EXPECT(now.n_running <= now.parallel && r1_kv_pool_used(e->kv) * R1_KV_PAGE <= now.kv_tokens);
    }
    for (size_t i = 0; i < n; i++) {
        EXPECT_INT(tasks[i].n_done, 1);
        expect_same(&want[i], &tasks[i].log, i);
        sum->finishes[tasks[i].finish]++;
        sum->drafted += tasks[i].drafted;
        r1_buf_deinit(&want[i]);
        r1_buf_deinit(&tasks[i].log);
    }
    r1_scheduler_state end = r1_scheduler_get_state(s);
    EXPECT(end.n_done == n && end.n_shared <= end.n_prompt);
    sum->sum.n_done += n;
    sum->sum.n_shared += end.n_shared;
    sum->sum.n_prompt += end.n_prompt;
    sum->sum.n_reread += end.n_reread;
    r1_scheduler_close(s);
    EXPECT_INT(r1_kv_pool_used(e->kv), 0);
    r1_engine_close(e);
}

TEST(each_request_gets_what_it_gets_alone)
{
    enum { ROUNDS = 60 };
    uint64_t seed = test_seed();
    tally sum = { 0 };
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        r1_model *m = open_model(files[f]);
        for (int i = 0; i < ROUNDS; i++) compare(m, &seed, 1 + i % 2, &sum);
        r1_model_close(m);
    }
    for (int i = 0; i < 3; i++) EXPECT(sum.finishes[i] > 20); /* all of this happened, often */
    EXPECT_MSG(sum.sum.n_shared > sum.sum.n_prompt / 20 && sum.sum.n_shared < sum.sum.n_prompt, "%zu of %zu tokens of prompts were shared", (size_t)sum.sum.n_shared,
               (size_t)sum.sum.n_prompt);
    EXPECT(sum.drafted > 100 && (R1_KV_PAGE > 3 || sum.sum.n_reread > 100)); /* with larger pages: the next test */
}

/* ---- beginnings ---------------------------------------------------------------------------------------------------------- */

/* Prompts of letters for ever, ended by nothing but their limit. */
static void plain_task(task *t, const r1_model *m, size_t i, size_t n, size_t max_tokens)
{
    static const char *const letters[] = { "a", "b", "e", "t", "o", "n" };
    *t = (task){ .ticket = i + 1, .n = n, .o = { .sampling = R1_SAMPLING_DEFAULT, .think_budget = -1, .max_tokens = max_tokens, .ignore_eos = true, .raw = true, .ctx = t,
                                                 .no_loop_guard = true, .on_token = on_token, .on_text = on_text } };
    r1_buf_init(&t->log, SIZE_MAX / 4);
    t->o.sampling.seed = i;
    for (size_t k = 0; k < n; k++) t->ids[k] = id_of(m, letters[k % R1_COUNT(letters)]);
}

/* So long that pages run out: those begun last are put back, more than once, with and without guesses. */
TEST(answers_longer_than_expected_are_put_back_and_read_again)
{
    enum { N = 6, N_CTX = 900, ANSWER = 800 };
    static task tasks[N], exact[N];
    r1_model *m = open_model(qwen_file);
    r1_engine *e = open_engine(m, 64, 2);
    r1_error err = { 0 };
    r1_scheduler *s = open_scheduler(e, N, N_CTX, N_CTX * 3 / 2);
    for (size_t i = 0; i < N; i++) {
        plain_task(&exact[i], m, i, 50 + 7 * i, ANSWER);
        plain_task(&tasks[i], m, i, 50 + 7 * i, ANSWER);
        tasks[i].o.speculation = (int)i % 3 - 1;
        alone(&exact[i], e, N_CTX);
        submit(s, &tasks[i]);
    }
    EXPECT_OK(r1_scheduler_run(s, &err), &err);
    EXPECT(r1_scheduler_get_state(s).n_reread > ANSWER / 4);
    for (size_t i = 0; i < N; i++) {
        expect_same(&exact[i].log, &tasks[i].log, i);
        r1_buf_deinit(&exact[i].log);
        r1_buf_deinit(&tasks[i].log);
    }
    r1_scheduler_close(s);
    r1_engine_close(e);
    r1_model_close(m);
}

TEST(samples_of_one_prompt_read_it_once)
{
    enum { N = 10, PROMPT = 90 };
    static task tasks[N];
    r1_model *m = open_model(qwen_file);
    for (size_t parallel = 1; parallel <= N; parallel += 3) {
        bool pieces = parallel % 2; /* a beginning of which little is missing is not waited for */
        r1_engine *e = open_engine(m, pieces ? 32 : 128, 1);
        r1_scheduler *s = open_scheduler(e, parallel, 128, 0);
        r1_error err = { 0 };
        for (size_t i = 0; i < N; i++) plain_task(&tasks[i], m, i, PROMPT, 8), submit(s, &tasks[i]);
        EXPECT_OK(r1_scheduler_run(s, &err), &err);
        r1_scheduler_state end = r1_scheduler_get_state(s);
        EXPECT_INT(end.n_prompt, N * PROMPT);
        if (pieces) EXPECT(end.n_shared >= (N - 1) * 64 && end.n_shared <= (N - 1) * (PROMPT - 1));
        else EXPECT_INT(end.n_shared, (N - 1) * (PROMPT - 1)); /* the last token is read by each, for its logits */
        EXPECT_INT(end.n_tokens, N * 8);
        for (size_t i = 0; i < N; i++) {
            EXPECT(tasks[i].n_done == 1 && tasks[i].generated == 8);
            r1_buf_deinit(&tasks[i].log);
        }
        r1_scheduler_close(s);
        r1_engine_close(e);
    }
    r1_model_close(m);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------- */

TEST(wrong_requests_are_refused_and_the_others_go_on)
{
    static task tasks[3];
    r1_model *m = open_model(llama_file);
    r1_engine *e = open_engine(m, 16, 1);
    r1_scheduler *s;
    r1_error err = { 0 };
    EXPECT_STATUS(r1_scheduler_open(&s, e, &(r1_scheduler_options){ .parallel = R1_PARALLEL_MAX + 1 }, &err), R1_EINVAL);
    EXPECT_NULL(s);
    s = open_scheduler(e, 4, 64, 60);
    for (size_t i = 0; i < 3; i++) plain_task(&tasks[i], m, i, 10, 5);
    uint64_t ticket = 7;
    r1_request r = { tasks[1].ids, 0, tasks[1].o, on_done };
    EXPECT_STATUS(r1_scheduler_submit(s, &r, &ticket, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "empty");
    EXPECT_INT(ticket, 0);
    static int32_t many[65];
    r = (r1_request){ many, 65, tasks[1].o, on_done };
    EXPECT_STATUS(r1_scheduler_submit(s, &r, NULL, &err), R1_ELIMIT);
    EXPECT_CONTAINS(err.msg, "65");
    EXPECT_CONTAINS(err.msg, "64");
    many[3] = 1 << 30;
    r.n_prompt = 10;
    EXPECT_STATUS(r1_scheduler_submit(s, &r, NULL, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "place 3");
    if (R1_KV_PAGE == 3) { /* 60 tokens are 20 pages of 3, and one page of 64 */
        r = (r1_request){ tasks[1].ids, 10, tasks[1].o, on_done };
        r.options.max_tokens = 0;
        EXPECT_STATUS(r1_scheduler_submit(s, &r, NULL, &err), R1_ENOMEM);
        EXPECT_CONTAINS(err.msg, "is available");
    }
    tasks[1].o.sampling.temperature = -1; /* found when it begins */
    for (size_t i = 0; i < 3; i++) submit(s, &tasks[i]);
    EXPECT_OK(r1_scheduler_run(s, &err), &err);
    EXPECT(tasks[0].status == R1_OK && tasks[1].status == R1_EINVAL && tasks[2].status == R1_OK && tasks[0].generated == 5 && tasks[2].generated == 5);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(tasks[i].n_done, 1);
        r1_buf_deinit(&tasks[i].log);
    }
    r1_scheduler_close(s);
    r1_scheduler_close(NULL);
    r1_engine_close(e);
    r1_model_close(m);
}

TEST(one_or_all_can_be_cancelled)
{
    enum { N = 6 };
    static task tasks[N];
    r1_model *m = open_model(v3_file);
    r1_engine *e = open_engine(m, 16, 1);
    r1_scheduler *s = open_scheduler(e, 3, 64, 0);
    r1_error err = { 0 };
    for (size_t i = 0; i < N; i++) plain_task(&tasks[i], m, i, 10, 40), submit(s, &tasks[i]);
    for (int i = 0; i < 8; i++) EXPECT_OK(r1_scheduler_step(s, &err), &err);
    r1_scheduler_cancel(s, 2); /* it runs */
    r1_scheduler_cancel(s, 5); /* it waits */
    r1_scheduler_cancel(s, 99);
    EXPECT_OK(r1_scheduler_step(s, &err), &err);
    EXPECT(tasks[1].n_done == 1 && tasks[1].status == R1_OK && tasks[1].finish == R1_FINISH_CANCELLED && tasks[1].generated > 0 && tasks[1].generated < 9);
    EXPECT(tasks[4].n_done == 1 && tasks[4].status == R1_OK && tasks[4].finish == R1_FINISH_CANCELLED && tasks[4].generated == 0);
    r1_scheduler_state now = r1_scheduler_get_state(s);
    EXPECT(now.n_done == 2 && now.n_running == 3 && now.n_waiting == 1);
    r1_scheduler_cancel(s, 0);
    EXPECT_OK(r1_scheduler_run(s, &err), &err);
    for (size_t i = 0; i < N; i++) {
        EXPECT(tasks[i].n_done == 1 && tasks[i].finish == R1_FINISH_CANCELLED);
        r1_buf_deinit(&tasks[i].log);
    }
    plain_task(&tasks[0], m, N, 10, 4); /* and goes on */
    submit(s, &tasks[0]);
    EXPECT_OK(r1_scheduler_run(s, &err), &err);
    EXPECT(tasks[0].finish == R1_FINISH_LENGTH && tasks[0].generated == 4);
    r1_buf_deinit(&tasks[0].log);
    for (size_t i = 0; i < N; i++) plain_task(&tasks[i], m, N + 1 + i, 10, 40), submit(s, &tasks[i]);
    EXPECT_OK(r1_scheduler_step(s, &err), &err);
    r1_scheduler_close(s); /* with running and waiting ones: nobody is called */
    for (size_t i = 0; i < N; i++) {
        EXPECT_INT(tasks[i].n_done, 0);
        r1_buf_deinit(&tasks[i].log);
    }
    EXPECT_INT(r1_kv_pool_used(e->kv), 0);
    r1_engine_close(e);
    r1_model_close(m);
}

typedef struct patience { size_t left, refused; } patience;

static bool go_on(void *ctx)
{
    patience *p = ctx;
    if (p->left) return p->left--, true;
    p->refused++;
    return false;
}

/* A step that was given up between two layers is as if it had not been. */
TEST(an_interrupted_step_can_be_made_again)
{
    enum { N = 5 };
    static task tasks[N], exact[N];
    r1_model *m = open_model(llama_file);
    patience p = { SIZE_MAX, 0 };
    r1_engine *e;
    r1_error err = { 0 };
    EXPECT_OK(r1_engine_open(&e, m, &(r1_engine_options){ .n_threads = 1, .chunk = 8, .go_on = go_on, .go_on_ctx = &p }, &err), &err);
    for (size_t i = 0; i < N; i++) plain_task(&exact[i], m, i, 10 + 3 * i, 20), alone(&exact[i], e, 64);
    r1_scheduler *s = open_scheduler(e, 3, 64, 0);
    for (size_t i = 0; i < N; i++) plain_task(&tasks[i], m, i, 10 + 3 * i, 20), submit(s, &tasks[i]);
    for (size_t k = 0; r1_scheduler_get_state(s).n_done < N; k++) {
        p.left = k % 3 == 2 ? SIZE_MAX : k % 2;
        size_t refused = p.refused;
        r1_status st = r1_scheduler_step(s, &err);
        EXPECT_STATUS(st, p.refused == refused ? R1_OK : R1_ECANCELLED);
    }
    EXPECT(p.refused > 20);
    for (size_t i = 0; i < N; i++) {
        expect_same(&exact[i].log, &tasks[i].log, i);
        r1_buf_deinit(&exact[i].log);
        r1_buf_deinit(&tasks[i].log);
    }
    r1_scheduler_close(s);
    r1_engine_close(e);
    r1_model_close(m);
}

/* ---- callbacks ------------------------------------------------------------------------------------------------------------ */

typedef struct chain { r1_scheduler *s; int32_t prompt[4]; r1_generate_options o; size_t n_done, n_refused, n_ids; } chain;

static void next_of_chain(void *ctx, uint64_t ticket, r1_generation *g, r1_status status, const r1_error *err)
{
    chain *c = ctx;
    (void)err;
    EXPECT(status == R1_OK && ticket == ++c->n_done);
    c->n_ids += g->n_ids;
    r1_error e = { 0 };
    c->n_refused += r1_scheduler_step(c->s, &e) == R1_EINVAL;
    const r1_request r = { c->prompt, 4, c->o, next_of_chain };
    if (c->n_done < 5) EXPECT_OK(r1_scheduler_submit(c->s, &r, NULL, &e), &e);
}

TEST(a_callback_may_submit_and_not_step)
{
    r1_model *m = open_model(llama_file);
    r1_engine *e = open_engine(m, 16, 1);
    chain c = { .s = open_scheduler(e, 2, 32, 0), .prompt = { 5, 6, 7, 8 }, .o = R1_GENERATE_DEFAULT };
    c.o.max_tokens = 3;
    c.o.ignore_eos = true;
    c.o.ctx = &c;
    r1_error err = { 0 };
    const r1_request r = { c.prompt, 4, c.o, next_of_chain };
    EXPECT_OK(r1_scheduler_submit(c.s, &r, NULL, &err), &err);
    EXPECT_OK(r1_scheduler_run(c.s, &err), &err);
    EXPECT(c.n_done == 5 && c.n_refused == 5 && c.n_ids == 15);
    r1_scheduler_close(c.s);
    r1_engine_close(e);
    r1_model_close(m);
}
