/* What `r1 bench` measures beside the model's own speed: loading, the tokenizer, the sampler. */
#include "cli/bench.h"
#include "base/rng.h"

#include <math.h>

static r1_status stop(r1_error *err) { return r1_fail(err, R1_ECANCELLED, "interrupted"); }

/* ---- load: from nothing to the first token ----------------------------------------------------------------------- */

enum { TOTAL, MODEL, ENGINE, FIRST, N_TIMES };

/* One token is the shortest prompt: what is measured is the way there. */
static r1_status open_once(const r1_bench *b, double t[N_TIMES], r1_error *err)
{
    const r1_opts *o = &b->c->o;
    r1_model_options mo = { .cpu = (r1_cpu_level)o->cpu, .activations = (r1_activations)o->activations, .mla_expanded = o->mla != 0, .n_threads = (int)o->threads };
    r1_engine_options eo = { .n_threads = (int)o->threads, .chunk = (int)o->chunk, .kv = (r1_kv_type)o->kv };
    r1_model *m = NULL;
    r1_engine *e = NULL;
    r1_session *session = NULL;
    double begin = r1_now(), opened, ready;
    r1_status s = r1_model_open(&m, b->path, &mo, err);
    if (s == R1_OK) s = r1_setup_check(o, m, err);
    opened = ready = r1_now();
    if (s == R1_OK) s = r1_engine_open(&e, m, &eo, err);
    if (s == R1_OK) s = r1_session_open(&session, e, (size_t)o->ctx, err);
    float *logits = s == R1_OK ? malloc((size_t)r1_model_get_info(m)->n_vocab * sizeof *logits) : NULL;
    if (s == R1_OK && !logits) s = r1_fail(err, R1_ENOMEM, "no memory for the logits");
    if (s == R1_OK) {
        ready = r1_now();
        r1_batch_row row = { session, &(int32_t){ 0 }, 1, logits, 1 };
        s = r1_batch_step(e, &row, 1, err);
    }
    double end = r1_now();
    t[TOTAL] = end - begin;
    t[MODEL] = opened - begin;
    t[ENGINE] = ready - opened;
    t[FIRST] = end - ready;
    free(logits);
    r1_session_close(session);
    r1_engine_close(e);
    r1_model_close(m);
    return s;
}

r1_status r1_bench_load_run(r1_bench *b, r1_error *err)
{
    double t[N_TIMES], *x = malloc(N_TIMES * b->repeat * sizeof *x);
    if (!x) return r1_fail(err, R1_ENOMEM, "no memory for the measurements");
    r1_progress bar;
    r1_progress_begin(&bar, &b->c->err, b->c->o.quiet, "load", "");
    r1_progress_say(&bar, "load", 0, (double)b->repeat);
    r1_status s = open_once(b, t, err);
    if (s == R1_OK) r1_bench_show_begin(b);
    for (size_t i = 0; i < b->repeat && s == R1_OK; i++) {
        s = r1_interrupted() ? stop(err) : open_once(b, t, err);
        for (size_t j = 0; j < N_TIMES; j++) x[j * b->repeat + i] = t[j];
        r1_progress_step(&bar, (double)(i + 1), (double)b->repeat);
    }
    r1_progress_end(&bar);
    if (s == R1_OK) {
        r1_bench_stat *const to[N_TIMES] = { [TOTAL] = &b->load.total, [MODEL] = &b->load.model, [ENGINE] = &b->load.engine, [FIRST] = &b->load.first_step };
        for (size_t j = 0; j < N_TIMES; j++) *to[j] = r1_bench_stat_of(x + j * b->repeat, b->repeat);
        b->load.done = true;
        r1_bench_show_load(b);
    }
    free(x);
    return s;
}

/* ---- tokenizer --------------------------------------------------------------------------------------------------- */

/* Text of several kinds: prose, numbers, code, formulas, other scripts; every other word is put together from syllables, so that most of
 * them are seen once, as in real text. */
static r1_status make_text(r1_buf *out, size_t n, r1_error *err)
{
    static const char *const words[] = {
        "the", "of", "and", "therefore", "derivative", "Wait,", "let", "me", "think", "again.", "quadratic", "equation", "we", "have", "x", "=", "(a + b)",
        "3.14159", "1024", "so that", "\n\n", "return", "for (int i = 0; i < n; i++)", "{\n    ", "}\n", "self.weights", "because", "probability", "isn't", "I'll",
        "Zürich", "naïve", "数学", "证明", "Теорема", "Ελλάδα", "e^{i\\pi}", "\\frac{1}{2}", "https://example.org/a?b=c", "hmm", "internationalization", "###", "$$",
        "answer", "is", "42", "\t", "sqrt(2)", "however,", "suppose", "contradiction", "modulo", "prime", "Let's", "verify:", "==", "->", "\"quoted text\"", "an", "as",
    };
    static const char *const syllables[] = { "con", "ti", "ver", "ing", "pre", "der", "al", "lo", "ma", "ness", "re", "sta", "un", "ble", "ex", "phi", "tion", "o", "gra", "s" };
    r1_status s = R1_OK;
    for (uint64_t i = 0; out->len < n && s == R1_OK; i++) {
        uint32_t w[4];
        r1_rng_block(1, 0, i, w);
        if (w[0] % 2) s = r1_buf_adds(out, words[w[1] % R1_COUNT(words)], err);
        else
            for (uint32_t left = 1 + w[1] % 4, pick = w[2]; left > 0 && s == R1_OK; left--, pick >>= 8)
                s = r1_buf_adds(out, syllables[(pick & 255) % R1_COUNT(syllables)], err);
        if (s == R1_OK) s = r1_buf_adds(out, w[3] % 16 ? " " : "\n", err);
    }
    return s;
}

static r1_status encode_repeatedly(r1_bench *b, const r1_tokenizer *t, const r1_buf *text, r1_error *err)
{
    double *x = malloc(b->repeat * sizeof *x);
    if (!x) return r1_fail(err, R1_ENOMEM, "no memory for the measurements");
    r1_ids ids = { 0 };
    r1_progress bar;
    r1_bench_show_begin(b);
    r1_progress_begin(&bar, &b->c->err, b->c->o.quiet, "tokenizer", "");
    r1_progress_say(&bar, "tokenizer", 0, (double)b->repeat);
    r1_status s = r1_tokenizer_encode(t, text->data, text->len, R1_SPECIAL_NONE, &ids, err);
    for (size_t i = 0; i < b->repeat && s == R1_OK; i++) {
        ids.n = 0;
        double begin = r1_now();
        s = r1_interrupted() ? stop(err) : r1_tokenizer_encode(t, text->data, text->len, R1_SPECIAL_NONE, &ids, err);
        x[i] = 1e-6 * (double)text->len / (r1_now() - begin);
        r1_progress_step(&bar, (double)(i + 1), (double)b->repeat);
    }
    r1_progress_end(&bar);
    if (s == R1_OK) {
        b->tokenizer = r1_bench_stat_of(x, b->repeat);
        r1_bench_show_tokenizer(b);
    }
    r1_ids_deinit(&ids);
    free(x);
    return s;
}

r1_status r1_bench_tokenizer_run(r1_bench *b, r1_error *err)
{
    enum { BYTES = 2 << 20 };
    r1_model *m;
    r1_model_options words_only = { .vocabulary_only = true };
    r1_status s = r1_model_open(&m, b->path, &words_only, err);
    if (s) return s;
    r1_buf text;
    r1_buf_init(&text, 2 * BYTES);
    if (!r1_model_get_tokenizer(m)) s = r1_fail(err, R1_EFORMAT, "'%s' has no tokenizer, which --tokenizer measures", b->path);
    if (s == R1_OK) s = make_text(&text, BYTES, err);
    if (s == R1_OK) s = encode_repeatedly(b, r1_model_get_tokenizer(m), &text, err);
    r1_buf_deinit(&text);
    r1_model_close(m);
    return s;
}

/* ---- sampler ----------------------------------------------------------------------------------------------------- */

enum { VOCAB = 151936 /* of R1-Distill-Qwen */, DRAWS = 50 };

#define NONE .top_p = 1, .repetition_penalty = 1
static const struct { const char *name; r1_sampling p; } settings[] = {
    { "greedy", { NONE } },
    { "temperature 1", { NONE, .temperature = 1 } },
    { "temperature 0.6, top-p 0.95", R1_SAMPLING_DEFAULT },
    { "temperature 0.6, top-k 40", { NONE, .temperature = 0.6f, .top_k = 40 } },
    { "temperature 0.6, min-p 0.05", { NONE, .temperature = 0.6f, .min_p = 0.05f } },
    { "temperature 0.6, top-p 0.95, penalties", { .temperature = 0.6f, .top_p = 0.95f, .repetition_penalty = 1.1f, .presence_penalty = 0.1f, .penalty_window = 64 } },
};

/* A bell as wide as that of a real model's logits, a few tokens above it. */
static void fill_logits(float *x)
{
    const double two_pi = 6.283185307179586;
    for (size_t i = 0; i < VOCAB; i++) {
        double u = r1_rng_uniform(2, 0, i), v = r1_rng_uniform(2, 1, i);
        x[i] = (float)(2.5 * sqrt(-2 * log(1 - u)) * cos(two_pi * v));
    }
    for (size_t i = 0; i < 20; i++) x[i * 7001] = 16 - 0.5f * (float)i;
}

static r1_status sample_repeatedly(const r1_bench *b, const r1_sampling *p, const float *logits, double *us, r1_error *err)
{
    r1_sampler *t;
    r1_sample token;
    r1_status s = r1_sampler_new(&t, VOCAB, VOCAB, p, err);
    for (size_t i = 0; i <= b->repeat && s == R1_OK; i++) { /* the first one warms up and is overwritten */
        double begin = r1_now();
        for (size_t j = 0; j < DRAWS && s == R1_OK; j++) {
            s = r1_sampler_sample(t, logits, i * DRAWS + j, &token, err);
            if (s == R1_OK) r1_sampler_accept(t, token.id);
        }
        us[i ? i - 1 : 0] = 1e6 * (r1_now() - begin) / DRAWS;
        if (s == R1_OK && r1_interrupted()) s = stop(err);
    }
    r1_sampler_free(t);
    return s;
}

r1_status r1_bench_sampler_run(r1_bench *b, r1_error *err)
{
    float *logits = malloc(VOCAB * sizeof *logits);
    double *us = malloc(b->repeat * sizeof *us);
    b->samplers = calloc(R1_COUNT(settings), sizeof *b->samplers);
    r1_status s = logits && us && b->samplers ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for %d logits", VOCAB);
    if (s == R1_OK) fill_logits(logits);
    if (s == R1_OK) r1_bench_show_begin(b);
    r1_progress bar;
    r1_progress_begin(&bar, &b->c->err, b->c->o.quiet, "sampler", "");
    for (size_t i = 0; i < R1_COUNT(settings) && s == R1_OK; i++) {
        r1_progress_say(&bar, "sampler", (double)i, (double)R1_COUNT(settings));
        s = sample_repeatedly(b, &settings[i].p, logits, us, err);
        if (s == R1_OK) {
            b->samplers[b->n_samplers++] = (r1_bench_sampler){ settings[i].name, r1_bench_stat_of(us, b->repeat) };
            r1_progress_hide(&bar);
            r1_bench_show_sampler(b, i);
        }
    }
    r1_progress_end(&bar);
    free(logits);
    free(us);
    return s;
}
