/* A real 135M model (SmolLM2-135M-Instruct, Q4_1) against float64 numbers; bounds in real/README.md. Skipped loudly when
 * the model is not in the cache: `tools/fetch model` brings it. */
#include "tests/test.h"
#include "base/json.h"
#include "engine/engine.h"

#include <math.h>

static const char *model_file(void)
{
    return test_cache("models/SmolLM2-135M-Instruct.Q4_1.gguf");
}

typedef struct setup {
    r1_model *m;
    r1_engine *e;
    r1_session *s;
    json_t *j;
    size_t V;
} setup;

static void open_setup(setup *x, r1_activations a)
{
    r1_error e = { 0 };
    r1_model_options o = { .activations = a };
    EXPECT_OK(r1_json_read(&x->j, test_path("golden/real/SmolLM2-135M-Instruct.Q4_1.json"), 1 << 24, &e), &e);
    EXPECT_OK(r1_model_open(&x->m, model_file(), &o, &e), &e);
    EXPECT_OK(r1_engine_open(&x->e, x->m, NULL, &e), &e);
    EXPECT_OK(r1_session_open(&x->s, x->e, 4096, &e), &e);
    x->V = (size_t)r1_model_get_info(x->m)->n_vocab;
}

static void close_setup(setup *x)
{
    r1_session_close(x->s);
    r1_engine_close(x->e);
    r1_model_close(x->m);
    json_decref(x->j);
}

static size_t read_ids(const json_t *list, int32_t **ids)
{
    size_t n = json_array_size(list);
    *ids = malloc(n * sizeof **ids);
    for (size_t i = 0; i < n; i++) (*ids)[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static double log_sum_exp(const float *x, size_t n)
{
    double m = -INFINITY, s = 0;
    for (size_t i = 0; i < n; i++) m = fmax(m, x[i]);
    for (size_t i = 0; i < n; i++) s += exp(x[i] - m);
    return m + log(s);
}

static size_t best(const float *x, size_t n)
{
    size_t b = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[b]) b = i;
    return b;
}

static float *logits_of(setup *x, const int32_t *ids, size_t n)
{
    r1_error e = { 0 };
    float *y = malloc(n * x->V * sizeof *y);
    r1_session_truncate(x->s, 0);
    r1_batch_row row = { x->s, ids, n, y, n };
    EXPECT_OK(r1_batch_step(x->e, &row, 1, &e), &e);
    return y;
}

static double top20_error(const json_t *p, const float *last)
{
    double worst = 0;
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(p, "last_top20"), i, pair) {
        double want = json_number_value(json_array_get(pair, 1));
        worst = fmax(worst, fabs(last[json_integer_value(json_array_get(pair, 0))] - want));
    }
    EXPECT_INT(i, 20);
    return worst;
}

static void check_prompt_float(setup *x, const json_t *p)
{
    int32_t *ids, *greedy;
    size_t n = read_ids(json_object_get(p, "ids"), &ids);
    float *y = logits_of(x, ids, n);
    EXPECT(top20_error(p, y + (n - 1) * x->V) <= 1e-3);
    for (size_t i = 0; i < n; i++) {
        if (json_number_value(json_array_get(json_object_get(p, "margin"), i)) >= 0.01)
            EXPECT_INT(best(y + i * x->V, x->V), json_integer_value(json_array_get(json_object_get(p, "argmax"), i)));
        if (i + 1 == n) break;
        double lp = y[i * x->V + (size_t)ids[i + 1]] - log_sum_exp(y + i * x->V, x->V);
        EXPECT(fabs(lp - json_number_value(json_array_get(json_object_get(p, "next_logprob"), i))) <= 1e-3);
    }
    size_t n_greedy = read_ids(json_object_get(p, "greedy"), &greedy), close = (size_t)json_integer_value(json_object_get(p, "greedy_first_close"));
    float *next = y + (n - 1) * x->V;
    for (size_t i = 0; i < n_greedy && i < close; i++) {
        r1_error e = { 0 };
        EXPECT_INT(best(next, x->V), greedy[i]);
        r1_batch_row row = { x->s, &greedy[i], 1, next, 1 };
        EXPECT_OK(r1_batch_step(x->e, &row, 1, &e), &e);
    }
    free(greedy);
    free(ids);
    free(y);
}

/* Perplexity and the root mean square of the differences of log-probabilities over the 2,000 recorded tokens. */
static double perplexity(setup *x, double *rms)
{
    const json_t *p = json_object_get(x->j, "perplexity");
    int32_t *ids;
    size_t n = read_ids(json_object_get(p, "ids"), &ids);
    float *y = logits_of(x, ids, n);
    double sum = 0, squares = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        double lp = y[i * x->V + (size_t)ids[i + 1]] - log_sum_exp(y + i * x->V, x->V);
        double d = lp - json_number_value(json_array_get(json_object_get(p, "logprob"), i));
        sum -= lp;
        squares += d * d;
    }
    free(ids);
    free(y);
    *rms = sqrt(squares / (double)(n - 1));
    return exp(sum / (double)(n - 1));
}

TEST(a_real_model_with_float_activations)
{
    setup x;
    if (!model_file()) SKIP("the 135M model is not in the cache");
    open_setup(&x, R1_ACTIVATIONS_F32);
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(x.j, "prompts"), i, p) check_prompt_float(&x, p);
    EXPECT_INT(i, 6);
    double rms, ppl = perplexity(&x, &rms), want = json_number_value(json_object_get(json_object_get(x.j, "perplexity"), "ppl"));
    EXPECT(fabs(ppl - want) <= 1e-4 * want);
    close_setup(&x);
}

TEST(a_real_model_with_int8_activations)
{
    setup x;
    if (!model_file()) SKIP("the 135M model is not in the cache");
    open_setup(&x, R1_ACTIVATIONS_AUTO);
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(x.j, "prompts"), i, p) {
        int32_t *ids;
        size_t n = read_ids(json_object_get(p, "ids"), &ids);
        float *y = logits_of(&x, ids, n);
        EXPECT(top20_error(p, y + (n - 1) * x.V) <= 1.0);
        free(ids);
        free(y);
    }
    double rms, ppl = perplexity(&x, &rms), want = json_number_value(json_object_get(json_object_get(x.j, "perplexity"), "ppl"));
    printf("perplexity %.5f (%+.3f %%), rms of log-probabilities %.4f\n", ppl, 100 * (ppl / want - 1), rms);
    EXPECT(fabs(ppl - want) <= 5e-3 * want);
    EXPECT(rms <= 0.1);
    close_setup(&x);
}
