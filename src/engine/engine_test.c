/* Engines and sessions: what is refused, and that sessions are then as before; which rows get logits; cutting back, feeding
 * again, chunks and neighbours change no bit; traces. tests/golden/models_test.c has the numbers themselves. */
#include "model/variant_test.h"
#include "engine/engine_int.h"

#include <math.h>

static const char llama_file[] = "golden/models/llama_256/gguf/llama_256.Q4_0.gguf", qwen_file[] = "golden/models/qwen2/gguf/qwen2.F32.gguf",
                  mtp_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf";
static const char *const files[] = { llama_file, qwen_file, mtp_file };

typedef struct bench {
    r1_model *m;
    r1_engine *e;
    size_t V;
} bench;

static bench bench_open(const char *relative, int threads, int chunk, r1_kv_type kv)
{
    bench b;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&b.m, test_path(relative), &(r1_model_options){ .n_threads = 2 }, &e), &e);
    EXPECT_OK(r1_engine_open(&b.e, b.m, &(r1_engine_options){ .n_threads = threads, .chunk = chunk, .kv = kv }, &e), &e);
    b.V = (size_t)r1_model_get_info(b.m)->n_vocab;
    return b;
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
    EXPECT_INT(r1_session_length(s), 0);
    if (n_ctx) EXPECT_INT(r1_session_context(s), n_ctx);
    return s;
}

static void step(const bench *b, r1_session *s, const int32_t *ids, size_t n, float *logits, size_t n_logits)
{
    r1_error e = { 0 };
    r1_batch_row row = { s, ids, n, logits, n_logits };
    EXPECT_OK(r1_batch_step(b->e, &row, 1, &e), &e);
}

static void random_ids(int32_t *ids, size_t n, size_t V, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)(test_random(seed) % V);
}

static float *floats(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i <= n; i++) p[i] = 12345.5f;
    return p;
}

/* ---- what is refused ------------------------------------------------------------------------------------------------- */

/* A step that must fail, and leave both sessions as they are: length, ids, memory, and what the next token gives. */
typedef struct unchanged {
    const bench *b;
    r1_session *s[2];
    int32_t ids[2][8];
    size_t n[2];
    uint64_t bytes[2];
} unchanged;

static void remember(unchanged *u, const bench *b)
{
    uint64_t seed = test_seed();
    u->b = b;
    for (int i = 0; i < 2; i++) {
        u->n[i] = (size_t)(8 - i);
        u->s[i] = open_session(b, 10);
        random_ids(u->ids[i], 8, b->V, &seed);
        step(b, u->s[i], u->ids[i], u->n[i], NULL, 0);
        u->bytes[i] = r1_session_kv_bytes(u->s[i]);
    }
}

static void expect_refused(const unchanged *u, r1_batch_row *rows, size_t n, r1_status want, const char *const *words, size_t n_words)
{
    r1_error e = { 0 };
    EXPECT_STATUS(r1_batch_step(u->b->e, rows, n, &e), want);
    for (size_t i = 0; i < n_words; i++) EXPECT_CONTAINS(e.msg, words[i]);
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(r1_session_length(u->s[i]), u->n[i]);
        EXPECT_INT(r1_session_kv_bytes(u->s[i]), u->bytes[i]);
        EXPECT(!memcmp(r1_session_ids(u->s[i]), u->ids[i], u->n[i] * sizeof(int32_t)));
    }
}

/* The two sessions go on as if nothing had been tried. */
static void expect_unchanged(unchanged *u)
{
    float *got = floats(u->b->V), *want = floats(u->b->V);
    for (int i = 0; i < 2; i++) {
        r1_session *fresh = open_session(u->b, 0);
        step(u->b, fresh, u->ids[i], u->n[i], NULL, 0);
        step(u->b, fresh, (int32_t[]){ 7 }, 1, want, 1);
        step(u->b, u->s[i], (int32_t[]){ 7 }, 1, got, 1);
        EXPECT(!memcmp(got, want, u->b->V * sizeof *got));
        r1_session_close(fresh);
        r1_session_close(u->s[i]);
    }
    free(got);
    free(want);
}

#define REFUSED(rows, status, ...) expect_refused(&u, rows, R1_COUNT(rows), status, (const char *const[]){ __VA_ARGS__ }, R1_COUNT(((const char *const[]){ __VA_ARGS__ })))

TEST(a_context_that_would_overflow_is_refused_with_its_numbers)
{
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 2, 4, R1_KV_AUTO);
        unchanged u;
        int32_t ids[12] = { 1, 2, 3 };
        remember(&u, &b);
        r1_batch_row one[] = { { u.s[0], ids, 3, NULL, 0 } };
        REFUSED(one, R1_ELIMIT, "3 tokens", "after 8", "context of 10", "row 0");
        r1_batch_row huge[] = { { u.s[0], ids, SIZE_MAX, NULL, 0 } };
        REFUSED(huge, R1_ELIMIT, "after 8", "context of 10");
        r1_batch_row second[] = { { u.s[0], ids, 2, NULL, 0 }, { u.s[1], ids, 4, NULL, 0 } };
        REFUSED(second, R1_ELIMIT, "4 tokens", "after 7", "context of 10", "row 1");
        expect_unchanged(&u);
        bench_close(&b);
    }
}

TEST(ids_out_of_range_are_refused)
{
    bench b = bench_open(qwen_file, 1, 4, R1_KV_AUTO);
    unchanged u;
    remember(&u, &b);
    const int32_t bad[] = { -1, (int32_t)b.V, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        char id[24];
        snprintf(id, sizeof id, "id %d", (int)bad[i]);
        int32_t ids[3] = { 0, (int32_t)b.V - 1, bad[i] };
        r1_batch_row rows[] = { { u.s[1], ids, 2, NULL, 0 }, { u.s[0], ids + 1, 2, NULL, 0 } };
        REFUSED(rows, R1_EINVAL, id, "place 1", "0 to 303", "row 1");
    }
    expect_unchanged(&u);
    bench_close(&b);
}

TEST(rows_that_make_no_sense_are_refused)
{
    bench b = bench_open(llama_file, 1, 4, R1_KV_AUTO), other = bench_open(llama_file, 1, 4, R1_KV_AUTO);
    unchanged u;
    remember(&u, &b);
    r1_session *stranger = open_session(&other, 10);
    float *y = floats(3 * b.V);
    int32_t ids[2] = { 1, 2 };
    r1_batch_row twice[] = { { u.s[0], ids, 1, NULL, 0 }, { u.s[1], ids, 1, NULL, 0 }, { u.s[0], ids, 1, NULL, 0 } };
    REFUSED(twice, R1_EINVAL, "rows 0 and 2");
    r1_batch_row foreign[] = { { u.s[0], ids, 1, NULL, 0 }, { stranger, ids, 1, NULL, 0 } };
    REFUSED(foreign, R1_EINVAL, "row 1", "another engine");
    r1_batch_row empty[] = { { u.s[0], ids, 0, NULL, 0 } };
    REFUSED(empty, R1_EINVAL, "row 0", "0 ids");
    r1_batch_row more[] = { { u.s[0], ids, 2, y, 3 } };
    REFUSED(more, R1_EINVAL, "2 ids", "3 logits");
    r1_batch_row nowhere[] = { { u.s[0], ids, 2, NULL, 1 } };
    REFUSED(nowhere, R1_EINVAL, "row 0", "1 logits");
    EXPECT_OK(r1_batch_step(b.e, NULL, 0, NULL), NULL); /* nothing to do */
    expect_unchanged(&u);
    free(y);
    r1_session_close(stranger);
    bench_close(&b);
    bench_close(&other);
}

TEST(options_out_of_range_are_refused)
{
    bench b = bench_open(llama_file, 1, 0, R1_KV_AUTO);
    const struct { r1_engine_options o; const char *says; } cases[] = {
        { { .n_threads = 1, .chunk = -1 }, "chunk of -1" }, { { .n_threads = 1, .chunk = 70000 }, "65536" }, { { .n_threads = -2 }, "-2 threads" },
        { { .n_threads = 4000 }, "4000 threads" }, { { .n_threads = 1, .kv = (r1_kv_type)99 }, "99" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_engine *e = b.e;
        r1_error err = { 0 };
        EXPECT_STATUS(r1_engine_open(&e, b.m, &cases[i].o, &err), R1_EINVAL);
        EXPECT_NULL(e);
        EXPECT_CONTAINS(err.msg, cases[i].says);
    }
    r1_session *s = open_session(&b, 0);
    EXPECT_INT(r1_session_context(s), 256); /* the model's own */
    r1_session_close(s);
    r1_error err = { 0 };
    EXPECT_STATUS(r1_session_open(&s, b.e, SIZE_MAX, &err), R1_ENOMEM);
    EXPECT_NULL(s);
    EXPECT(err.msg[0]);
    EXPECT_STATUS(r1_session_open(&s, b.e, (size_t)1 << 60, &err), R1_ENOMEM);
    r1_session_close(NULL);
    r1_engine_close(NULL);
    bench_close(&b);
}

TEST(a_model_of_words_only_has_no_engine)
{
    r1_model *m;
    r1_engine *e;
    r1_error err = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(llama_file), &(r1_model_options){ .vocabulary_only = true }, &err), &err);
    EXPECT_STATUS(r1_engine_open(&e, m, NULL, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "vocabulary only");
    EXPECT_NULL(e);
    r1_model_close(m);
}

/* ---- the same bits ----------------------------------------------------------------------------------------------------- */

TEST(logits_are_of_the_last_tokens)
{
    enum { N = 11 };
    uint64_t seed = test_seed();
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 1, 4, R1_KV_AUTO);
        int32_t ids[N];
        random_ids(ids, N, b.V, &seed);
        r1_session *s = open_session(&b, N);
        float *all = floats(N * b.V);
        step(&b, s, ids, N, all, N);
        for (size_t n = 0; n <= N; n++) {
            float *y = floats(n * b.V);
            r1_session_truncate(s, 0);
            step(&b, s, ids, N, n ? y : NULL, n);
            EXPECT(!memcmp(y, all + (N - n) * b.V, n * b.V * sizeof *y));
            EXPECT(y[n * b.V] == 12345.5f); /* and not one float more */
            free(y);
        }
        free(all);
        r1_session_close(s);
        bench_close(&b);
    }
}

/* Forks share pages; whoever writes into one first, the others keep theirs. */
TEST(a_fork_goes_on_by_itself)
{
    enum { N = 75, FORKS = 4 };
    static const r1_kv_type kv[] = { R1_KV_AUTO, R1_KV_F16, R1_KV_Q8_0 };
    uint64_t seed = test_seed();
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 2, 7, kv[f]);
        int32_t ids[FORKS][N];
        float *want = floats(N * b.V), *y = floats(N * b.V);
        random_ids(ids[0], N, b.V, &seed);
        r1_session *s[FORKS] = { open_session(&b, N) };
        size_t n[FORKS] = { 1 + test_random(&seed) % (N - 1) };
        step(&b, s[0], ids[0], n[0], NULL, 0);
        for (size_t i = 1; i < FORKS; i++) { /* of each other, at any place; then all go on, the first ones first or last */
            size_t from = test_random(&seed) % i, keep = test_random(&seed) % (n[from] + 1);
            r1_error e = { 0 };
            EXPECT_OK(r1_session_fork(&s[i], s[from], keep, i % 2 ? 0 : N, &e), &e);
            EXPECT(r1_session_context(s[i]) == N && r1_session_length(s[i]) == keep);
            random_ids(ids[i], N, b.V, &seed);
            memcpy(ids[i], ids[from], keep * sizeof **ids);
            n[i] = keep;
        }
        for (size_t k = 0; k < FORKS; k++) {
            size_t i = f % 2 ? k : FORKS - 1 - k;
            r1_session *fresh = open_session(&b, N);
            step(&b, fresh, ids[i], N, want, N);
            step(&b, s[i], ids[i] + n[i], N - n[i], y, N - n[i]);
            EXPECT(!memcmp(y, want + n[i] * b.V, (N - n[i]) * b.V * sizeof *y) && !memcmp(r1_session_ids(s[i]), ids[i], sizeof *ids));
            r1_session_close(fresh);
        }
        r1_session *t = s[0];
        r1_error e = { 0 };
        EXPECT_STATUS(r1_session_fork(&t, s[0], N + 1, 0, &e), R1_EINVAL);
        EXPECT_NULL(t);
        EXPECT_STATUS(r1_session_fork(&t, s[0], N, N - 1, &e), R1_ELIMIT);
        EXPECT_NULL(t);
        for (size_t i = 0; i < FORKS; i++) r1_session_close(s[i]);
        free(want);
        free(y);
        bench_close(&b);
    }
}

TEST(a_session_cut_back_goes_on_like_a_fresh_one)
{
    enum { N = 75, STEP = 9 };
    static const r1_kv_type kv[] = { R1_KV_AUTO, R1_KV_F16, R1_KV_Q8_0 };
    uint64_t seed = test_seed();
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 2, 7, kv[f]);
        int32_t ids[N], wrong[N];
        random_ids(ids, N, b.V, &seed);
        random_ids(wrong, N, b.V, &seed);
        r1_session *s = open_session(&b, N), *t = open_session(&b, 2 * N);
        float *all = floats(N * b.V), *y = floats(N * b.V);
        step(&b, s, ids, N, all, N);
        for (size_t keep = 0; keep < N; keep += 1 + keep % STEP) {
            r1_session_truncate(t, keep);
            EXPECT_INT(r1_session_length(t), keep);
            if (keep) EXPECT(!memcmp(r1_session_ids(t), ids, keep * sizeof *ids));
            step(&b, t, wrong, N - keep, NULL, 0); /* leaves other keys behind */
            r1_session_truncate(t, keep);
            r1_session_truncate(t, keep + 5); /* longer than it is: nothing happens */
            EXPECT_INT(r1_session_length(t), keep);
            step(&b, t, ids + keep, N - keep, y, N - keep);
            EXPECT(!memcmp(y, all + keep * b.V, (N - keep) * b.V * sizeof *y));
        }
        free(all);
        free(y);
        r1_session_close(s);
        r1_session_close(t);
        bench_close(&b);
    }
}

/* Sessions of all lengths come and go and grow together; each must see what it would see alone. */
typedef struct patience { int asked, most; } patience;

static bool is_patient(void *ctx)
{
    patience *p = ctx;
    return p->asked++ != p->most;
}

/* Given up at every layer of every chunk in turn, a step leaves its sessions as they were. */
TEST(a_step_can_be_given_up)
{
    patience p = { .most = -1 };
    r1_error e = { 0 };
    bench b;
    EXPECT_OK(r1_model_open(&b.m, test_path("golden/models/llama"), &(r1_model_options){ .n_threads = 2 }, &e), &e);
    EXPECT_OK(r1_engine_open(&b.e, b.m, &(r1_engine_options){ .n_threads = 2, .chunk = 4, .go_on = is_patient, .go_on_ctx = &p }, &e), &e);
    b.V = (size_t)r1_model_get_info(b.m)->n_vocab;
    r1_session *s = open_session(&b, 32), *t = open_session(&b, 32);
    int32_t ids[9] = { 3, 1, 4, 1, 5, 9, 2, 6, 5 };
    float *want = floats(2 * b.V), *got = floats(2 * b.V);
    step(&b, s, ids, 2, NULL, 0);
    for (int i = 0; i < 2; i++) { /* what comes of it uninterrupted, and how often is asked */
        p.asked = 0;
        r1_batch_row rows[] = { { s, ids + 2, 7, want, 1 }, { t, ids, 3, want + b.V, 1 } };
        EXPECT_OK(r1_batch_step(b.e, rows, 2, &e), &e);
        r1_session_truncate(s, 2);
        r1_session_truncate(t, 0);
    }
    int layers = r1_model_get_info(b.m)->n_layers, asked = p.asked;
    EXPECT_INT(asked, 3 * layers); /* 10 tokens in chunks of 4 */
    uint64_t bytes = r1_session_kv_bytes(s);
    for (int most = 0; most < asked; most++) {
        p = (patience){ .most = most };
        r1_batch_row rows[] = { { s, ids + 2, 7, got, 1 }, { t, ids, 3, got + b.V, 1 } };
        EXPECT_STATUS(r1_batch_step(b.e, rows, 2, &e), R1_ECANCELLED);
        EXPECT(p.asked == most + 1 && r1_session_length(s) == 2 && r1_session_length(t) == 0 && r1_session_kv_bytes(s) == bytes);
        p.most = -1;
        EXPECT_OK(r1_batch_step(b.e, rows, 2, &e), &e);
        EXPECT(!memcmp(want, got, 2 * b.V * sizeof *want));
        r1_session_truncate(s, 2);
        r1_session_truncate(t, 0);
    }
    free(want);
    free(got);
    r1_session_close(s);
    r1_session_close(t);
    bench_close(&b);
}

TEST(many_sessions_do_not_see_each_other)
{
    enum { SESSIONS = 24, N = 60 };
    uint64_t seed = test_seed();
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 2, 5, R1_KV_AUTO);
        int32_t ids[SESSIONS][N];
        r1_session *s[SESSIONS] = { 0 };
        float *alone[SESSIONS], *y = floats(SESSIONS * N * b.V);
        for (size_t i = 0; i < SESSIONS; i++) {
            r1_session *one = open_session(&b, N);
            random_ids(ids[i], N, b.V, &seed);
            alone[i] = floats(N * b.V);
            step(&b, one, ids[i], N, alone[i], N);
            r1_session_close(one);
        }
        for (int round = 0; round < 15; round++) {
            r1_batch_row rows[SESSIONS];
            size_t from[SESSIONS], of[SESSIONS], n = 0;
            for (size_t i = 0; i < SESSIONS; i++) {
                if (test_random(&seed) % 3 == 0) continue;
                if (!s[i]) s[i] = open_session(&b, N);
                size_t at = r1_session_length(s[i]), k = 1 + test_random(&seed) % 9;
                if (at + k > N) continue;
                from[n] = at;
                of[n] = i;
                rows[n] = (r1_batch_row){ s[i], ids[i] + at, k, y + n * N * b.V, test_random(&seed) % (k + 1) };
                n++;
            }
            r1_error e = { 0 };
            EXPECT_OK(r1_batch_step(b.e, rows, n, &e), &e);
            for (size_t i = 0; i < n; i++) {
                size_t first = from[i] + rows[i].n_ids - rows[i].n_logits;
                EXPECT_INT(r1_session_length(rows[i].session), from[i] + rows[i].n_ids);
                EXPECT(!memcmp(rows[i].logits, alone[of[i]] + first * b.V, rows[i].n_logits * b.V * sizeof *y));
            }
            for (size_t i = 0; i < SESSIONS; i++) {
                if (!s[i] || test_random(&seed) % 8) continue;
                r1_session_close(s[i]);
                s[i] = NULL;
            }
        }
        for (size_t i = 0; i < SESSIONS; i++) {
            r1_session_close(s[i]);
            free(alone[i]);
        }
        free(y);
        bench_close(&b);
    }
}

/* Steps of one token each, as many as make a thread attend for whole tokens; rows of logits lie one after the other, or with gaps. */
TEST(many_short_steps_give_what_each_gives_alone)
{
    enum { SESSIONS = 45, N = 90, ROUNDS = 6 };
    uint64_t seed = test_seed();
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        bench b = bench_open(files[f], 1 + (int)f % 3, 64, R1_KV_AUTO);
        int32_t ids[SESSIONS][N];
        r1_session *s[SESSIONS];
        float *alone[SESSIONS], *y = floats(2 * SESSIONS * b.V);
        for (size_t i = 0; i < SESSIONS; i++) {
            size_t before = test_random(&seed) % (N - ROUNDS);
            s[i] = open_session(&b, N);
            random_ids(ids[i], N, b.V, &seed);
            alone[i] = floats(N * b.V);
            step(&b, s[i], ids[i], N, alone[i], N);
            r1_session_truncate(s[i], before);
        }
        for (int round = 0; round < ROUNDS; round++) {
            r1_batch_row rows[SESSIONS];
            r1_error e = { 0 };
            size_t at = 0;
            for (size_t i = 0; i < SESSIONS; i++) {
                size_t n = r1_session_length(s[i]);
                rows[i] = (r1_batch_row){ s[i], ids[i] + n, 1, y + at * b.V, round == 1 && i % 7 == 0 ? 0 : 1 };
                at += round > 3 ? 1 + test_random(&seed) % 2 : 1;
            }
            EXPECT_OK(r1_batch_step(b.e, rows, SESSIONS, &e), &e);
            for (size_t i = 0; i < SESSIONS; i++)
                EXPECT(!memcmp(rows[i].logits, alone[i] + (r1_session_length(s[i]) - 1) * b.V, rows[i].n_logits * b.V * sizeof *y));
        }
        for (size_t i = 0; i < SESSIONS; i++) {
            r1_session_close(s[i]);
            free(alone[i]);
        }
        free(y);
        bench_close(&b);
    }
}

TEST(a_step_may_be_given_ids_of_the_session_itself)
{
    enum { N = 20 };
    uint64_t seed = test_seed();
    bench b = bench_open(qwen_file, 1, 4, R1_KV_AUTO);
    int32_t ids[N], shifted[N];
    float *want = floats(b.V), *got = floats(b.V);
    random_ids(ids, N, b.V, &seed);
    memcpy(shifted, ids, 5 * sizeof *ids);
    memcpy(shifted + 5, ids + 3, 14 * sizeof *ids);
    r1_session *s = open_session(&b, N), *fresh = open_session(&b, N);
    step(&b, s, ids, N, NULL, 0);
    r1_session_truncate(s, 5);
    step(&b, s, r1_session_ids(s) + 3, 14, got, 1); /* overlaps the place it is copied to */
    EXPECT(!memcmp(r1_session_ids(s), shifted, 19 * sizeof *ids));
    step(&b, fresh, shifted, 19, want, 1);
    EXPECT(!memcmp(got, want, b.V * sizeof *got));
    r1_session_close(s);
    r1_session_close(fresh);
    free(want);
    free(got);
    bench_close(&b);
}

TEST(memory_of_a_session_follows_its_length)
{
    bench b = bench_open(llama_file, 1, 16, R1_KV_F16);
    int32_t ids[200] = { 0 };
    r1_session *s = open_session(&b, 200);
    EXPECT_INT(r1_session_kv_bytes(s), 0);
    uint64_t page = (uint64_t)R1_KV_PAGE * r1_kv_token_bytes(b.e->kv);
    for (size_t n = 1; n < 200; n += 13) {
        step(&b, s, ids, n - r1_session_length(s), NULL, 0);
        EXPECT_INT(r1_session_kv_bytes(s), r1_ceil_div(n, R1_KV_PAGE) * page);
        EXPECT_INT(r1_engine_kv_bytes(b.e, n), r1_session_kv_bytes(s));
    }
    r1_session_truncate(s, 1);
    EXPECT_INT(r1_session_kv_bytes(s), page);
    r1_session_truncate(s, 0);
    EXPECT_INT(r1_session_kv_bytes(s), 0);
    r1_session_close(s);
    s = open_session(&b, 1); /* the shortest context */
    step(&b, s, ids, 1, NULL, 0);
    r1_error e = { 0 };
    r1_batch_row row = { s, ids, 1, NULL, 0 };
    EXPECT_STATUS(r1_batch_step(b.e, &row, 1, &e), R1_ELIMIT);
    EXPECT_CONTAINS(e.msg, "context of 1");
    r1_session_close(s);
    bench_close(&b);
}

/* ---- traces -------------------------------------------------------------------------------------------------------------- */

typedef struct wrong_trace {
    size_t n_ids, n_logits;
    bool no_logits, mtp, hidden;
    int layer, first_id;
    r1_status status;
    const char *says[2];
} wrong_trace;

TEST(a_trace_that_cannot_be_made_is_refused)
{
    static const wrong_trace cases[] = {
        { 0, 0, false, false, false, 0, 1, R1_EINVAL, { "0 ids", "" } },
        { 3, 4, false, false, false, 0, 1, R1_EINVAL, { "3 ids", "4 logits" } },
        { 3, 2, true, false, false, 0, 1, R1_EINVAL, { "3 ids", "2 logits" } },
        { 3, 1, false, false, true, -1, 1, R1_EINVAL, { "layer -1", "to 3" } },
        { 3, 1, false, false, true, 4, 1, R1_EINVAL, { "layer 4", "to 3" } },
        { 3, 1, false, true, false, 0, 1, R1_EUNSUPPORTED, { "multi-token prediction", "" } },
        { 11, 1, false, false, false, 0, 1, R1_ELIMIT, { "11 tokens", "context of 10" } },
        { 3, 1, false, false, false, 0, 304, R1_EINVAL, { "id 304", "0 to 303" } },
    };
    bench b = bench_open(qwen_file, 1, 4, R1_KV_AUTO);
    r1_session *s = open_session(&b, 10);
    float *y = floats(12 * b.V), *hidden = floats(12 * 96);
    int32_t ids[12] = { 0 };
    r1_error e = { 0 };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        const wrong_trace *w = &cases[i];
        ids[0] = w->first_id;
        r1_trace t = { .hidden_layer = w->layer, .hidden = w->hidden ? hidden : NULL, .mtp_logits = w->mtp ? y : NULL };
        EXPECT_STATUS(r1_engine_trace(s, ids, w->n_ids, w->no_logits ? NULL : y, w->n_logits, &t, &e), w->status);
        for (int j = 0; j < 2; j++) EXPECT_CONTAINS(e.msg, w->says[j]);
        EXPECT(r1_session_length(s) == 0 && r1_session_kv_bytes(s) == 0);
    }
    step(&b, s, ids + 1, 2, NULL, 0);
    EXPECT_STATUS(r1_engine_trace(s, ids, 3, NULL, 0, &(r1_trace){ .hidden_layer = -1 }, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "empty session");
    EXPECT_CONTAINS(e.msg, "2 tokens");
    EXPECT_INT(r1_session_length(s), 2);
    free(y);
    free(hidden);
    r1_session_close(s);
    bench_close(&b);
}

/* Each array alone, all together, in chunks and whole: the same numbers, and the logits of a plain step. */
TEST(a_trace_fills_what_it_is_given)
{
    enum { N = 13, LAYERS = 2, USED = 4, D = 64 };
    uint64_t seed = test_seed();
    bench b = bench_open(mtp_file, 2, 5, R1_KV_AUTO), whole = bench_open(mtp_file, 1, 64, R1_KV_AUTO);
    int32_t ids[N], route[LAYERS * N * USED], route2[LAYERS * N * USED];
    float weights[LAYERS * N * USED], weights2[LAYERS * N * USED];
    float *y = floats(N * b.V), *want = floats(N * b.V), *mtp = floats(N * b.V), *mtp2 = floats(N * b.V), *h = floats(N * D), *h2 = floats(N * D);
    r1_session *s = open_session(&b, N), *t = open_session(&whole, N);
    r1_error e = { 0 };
    random_ids(ids, N, b.V, &seed);
    step(&whole, t, ids, N, want, N);
    r1_session_truncate(t, 0);
    r1_trace all = { 2, h, route, weights, mtp };
    EXPECT_OK(r1_engine_trace(s, ids, N, y, N, &all, &e), &e);
    EXPECT(!memcmp(y, want, N * b.V * sizeof *y));
    EXPECT(r1_session_length(s) == N && !memcmp(r1_session_ids(s), ids, sizeof ids));
    EXPECT(mtp[(N - 1) * b.V] == 12345.5f && mtp[(N - 1) * b.V - 1] != 12345.5f); /* one row less than ids */
    const r1_trace parts[] = { { 2, h2, NULL, NULL, NULL }, { -1, NULL, route2, NULL, NULL }, { -1, NULL, NULL, weights2, NULL }, { -1, NULL, NULL, NULL, mtp2 } };
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        r1_session_truncate(t, 0);
        EXPECT_OK(r1_engine_trace(t, ids, N, NULL, 0, &parts[i], &e), &e);
    }
    EXPECT(!memcmp(h, h2, N * D * sizeof *h) && !memcmp(route, route2, sizeof route) && !memcmp(weights, weights2, sizeof weights));
    EXPECT(!memcmp(mtp, mtp2, (N - 1) * b.V * sizeof *mtp));
    for (size_t i = 0; i < LAYERS * N * USED; i++) {
        EXPECT(route[i] >= 0 && route[i] < 16 && (i % USED == 0 || route[i] > route[i - 1]));
        EXPECT(weights[i] > 0 && weights[i] <= 2.5f);
    }
    r1_session_truncate(t, 0); /* one token has no next one to start the module from */
    mtp2[0] = 12345.5f;
    EXPECT_OK(r1_engine_trace(t, ids, 1, NULL, 0, &parts[3], &e), &e);
    EXPECT(mtp2[0] == 12345.5f);
    step(&whole, t, ids + 1, N - 1, y, N - 1); /* and the session goes on */
    EXPECT(!memcmp(y, want + b.V, (N - 1) * b.V * sizeof *y));
    float *all_floats[] = { y, want, mtp, mtp2, h, h2 };
    for (size_t i = 0; i < R1_COUNT(all_floats); i++) free(all_floats[i]);
    r1_session_close(s);
    r1_session_close(t);
    bench_close(&b);
    bench_close(&whole);
}
