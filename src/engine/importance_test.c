/* Importance matrices: sums against what is known of the inputs, the same bits whatever the threads and chunks, counts of experts,
 * combined and split keys and values, packed files. */
#include "tests/test.h"
#include "engine/importance.h"
#include "model/pack.h"

#include <math.h>
#include <unistd.h>

enum { TOKENS = 40 };

typedef struct run {
    r1_model *m;
    r1_engine *e;
    r1_session *s;
    r1_importance *i;
    const r1_importance_tensor *t;
    size_t n;
} run;

static void fill(int32_t ids[TOKENS])
{
    for (int i = 0; i < TOKENS; i++) ids[i] = i * 37 % 250;
}

static run open_run(const char *path, int threads, int chunk)
{
    run r;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&r.m, path, &(r1_model_options){ .n_threads = 1 }, &e), &e);
    EXPECT_OK(r1_engine_open(&r.e, r.m, &(r1_engine_options){ .n_threads = threads, .chunk = chunk }, &e), &e);
    EXPECT_OK(r1_session_open(&r.s, r.e, 64, &e), &e);
    EXPECT_OK(r1_importance_new(&r.i, r.e, &e), &e);
    int32_t ids[TOKENS];
    fill(ids);
    EXPECT_OK(r1_importance_run(r.i, r.s, ids, TOKENS, &e), &e);
    EXPECT_OK(r1_importance_run(r.i, r.s, ids, TOKENS / 2, &e), &e);
    EXPECT_INT(r1_session_length(r.s), 0);
    EXPECT_OK(r1_importance_list(r.i, &r.t, &r.n, &e), &e);
    return r;
}

static void close_run(run *r)
{
    r1_importance_free(r->i);
    r1_session_close(r->s);
    r1_engine_close(r->e);
    r1_model_close(r->m);
}

static const r1_importance_tensor *tensor(const run *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->t[i].name, name)) return &r->t[i];
    return NULL;
}

/* sum2 with the counts behind it; the caller frees. */
static float *values(const run *r, const r1_importance_tensor *t)
{
    float *v = malloc(t->n_matrices * (t->k + 1) * sizeof *v);
    r1_importance_values(r->i, t, v, v + t->n_matrices * t->k);
    return v;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static const float *vector(const run *r, const char *name)
{
    const r1_ckpt_tensor *t = r1_ckpt_find(r1_model_checkpoint(r->m), name);
    EXPECT(t && t->type == R1_F32);
    return (const float *)(const void *)t->data;
}

/* Squares of norm(x) * w added to sum[D] in double. */
static void add_norm(double *sum, const float *x, const float *w, size_t D, double eps)
{
    double ms = 0;
    for (size_t j = 0; j < D; j++) ms += (double)x[j] * (double)x[j] / (double)D;
    for (size_t j = 0; j < D; j++) {
        double y = (double)x[j] / sqrt(ms + eps) * (double)w[j];
        sum[j] += y * y;
    }
}

static void expect_near(const run *r, const char *name, const double *sum, size_t D)
{
    const r1_importance_tensor *t = tensor(r, name);
    EXPECT_MSG(t && t->k == D && t->n_matrices == 1 && t->n_met == 1, "%s", name);
    float *v = values(r, t);
    EXPECT(v[D] == TOKENS + TOKENS / 2);
    for (size_t j = 0; j < D; j++) EXPECT_MSG(fabs((double)v[j] - sum[j]) <= 1e-5 * sum[j], "%s column %zu: %g, expected %g", name, j, (double)v[j], sum[j]);
    free(v);
}

/* What meets the first projections is the normed embedding, what meets the head the normed last hidden state: both can be had
 * another way. */
TEST(sums_are_those_of_the_inputs)
{
    run r = open_run(test_path("golden/models/llama_256/gguf/llama_256.F32.gguf"), 2, 16);
    const r1_model_info *info = r1_model_get_info(r.m);
    size_t D = (size_t)info->n_embd;
    int32_t ids[TOKENS];
    double *first = calloc(D, sizeof *first), *last = calloc(D, sizeof *last), eps;
    float *hidden = calloc(TOKENS * D, sizeof *hidden);
    const float *embd = vector(&r, "token_embd.weight"), *norm = vector(&r, "blk.0.attn_norm.weight"), *out = vector(&r, "output_norm.weight");
    r1_error e = { 0 };
    fill(ids);
    EXPECT_OK(r1_gguf_real(r1_ckpt_gguf(r1_model_checkpoint(r.m)), "llama.attention.layer_norm_rms_epsilon", true, 0, &eps, &e), &e);
    r1_importance_free(r.i); /* gives the engine back, for the trace */
    r1_trace trace = { .hidden_layer = info->n_layers, .hidden = hidden };
    EXPECT_OK(r1_engine_trace(r.s, ids, TOKENS, NULL, 0, &trace, &e), &e);
    for (int i = 0; i < TOKENS + TOKENS / 2; i++) {
        add_norm(first, embd + (size_t)ids[i % TOKENS] * D, norm, D, eps);
        add_norm(last, hidden + (size_t)(i % TOKENS) * D, out, D, eps);
    }
    EXPECT_OK(r1_importance_new(&r.i, r.e, &e), &e);
    EXPECT_OK(r1_importance_run(r.i, r.s, ids, TOKENS, &e), &e);
    EXPECT_OK(r1_importance_run(r.i, r.s, ids, TOKENS / 2, &e), &e);
    EXPECT_OK(r1_importance_list(r.i, &r.t, &r.n, &e), &e);
    expect_near(&r, "blk.0.attn_q.weight", first, D);
    expect_near(&r, "blk.0.attn_k.weight", first, D);
    expect_near(&r, "output.weight", last, D);
    EXPECT_NULL(tensor(&r, "blk.0.attn_norm.weight"));
    free(first);
    free(last);
    free(hidden);
    close_run(&r);
}

TEST(experts_are_counted_apart)
{
    run r = open_run(test_path("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf"), 2, 16);
    const int32_t *layers;
    EXPECT(r1_model_moe_layers(r.m, &layers) > 0);
    for (int i = 0; i < r1_model_moe_layers(r.m, &layers); i++) {
        static const char *const kinds[] = { "gate", "up", "down" };
        char name[64];
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "blk.%d.ffn_%s_exps.weight", layers[i], kinds[k]);
            const r1_importance_tensor *t = tensor(&r, name);
            EXPECT(t && t->n_matrices > 1 && t->n_met > 1);
            float *v = values(&r, t), *counts = v + t->n_matrices * t->k, total = 0;
            for (size_t j = 0; j < t->n_matrices; j++) {
                float sum = 0;
                for (size_t c = 0; c < t->k; c++) sum += v[j * t->k + c];
                EXPECT((counts[j] > 0) == (sum > 0));
                total += counts[j];
            }
            EXPECT(total == (float)((TOKENS + TOKENS / 2) * r1_model_experts_used(r.m)));
            free(v);
        }
        snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.weight", layers[i]);
        EXPECT(tensor(&r, name) != NULL);
    }
    const r1_importance_tensor *k = tensor(&r, "blk.0.attn_k_b.weight"), *v = tensor(&r, "blk.0.attn_v_b.weight");
    EXPECT(k && v && k->n_met == (size_t)r1_model_get_info(r.m)->n_heads && v->n_met == k->n_met);
    close_run(&r);
}

/* ---- the same bits --------------------------------------------------------------------------------------------------- */

static void expect_same(const run *a, const run *b)
{
    EXPECT_INT(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        EXPECT(!strcmp(a->t[i].name, b->t[i].name) && a->t[i].k == b->t[i].k && a->t[i].n_matrices == b->t[i].n_matrices);
        float *x = values(a, &a->t[i]), *y = values(b, &b->t[i]);
        EXPECT_MSG(!memcmp(x, y, a->t[i].n_matrices * (a->t[i].k + 1) * sizeof *x), "%s differs", a->t[i].name);
        free(x);
        free(y);
    }
}

TEST(threads_and_chunks_change_no_bit)
{
    static const char *const files[] = { "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf", "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf",
                                         "golden/models/llama_256/gguf/llama_256.Q4_K.gguf", "golden/models/qwen2/gguf/qwen2.BF16.gguf" };
    for (size_t f = 0; f < R1_COUNT(files); f++) {
        run a = open_run(test_path(files[f]), 1, 64);
        EXPECT(a.n > 7);
        for (int threads = 1; threads <= 3; threads += 2)
            for (int chunk = 1; chunk <= 40; chunk = chunk * 3 + 2) {
                run b = open_run(test_path(files[f]), threads, chunk);
                expect_same(&a, &b);
                close_run(&b);
            }
        close_run(&a);
    }
}

TEST(a_combined_tensor_has_the_sums_of_its_values)
{
    run a = open_run(test_path("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf"), 2, 16);
    const r1_importance_tensor *t = tensor(&a, "blk.0.attn_kv_b.weight");
    size_t H = (size_t)r1_model_get_info(a.m)->n_heads;
    EXPECT(t && t->n == H && t->n_matrices == 1 && t->n_met == 1);
    EXPECT_NULL(tensor(&a, "blk.0.attn_k_b.weight"));
    float *v = values(&a, t);
    EXPECT(v[t->k] == (float)(H * (TOKENS + TOKENS / 2)));
    float *apart = malloc(H * (t->k + 1) * sizeof *apart);
    r1_importance_slices(a.i, t, apart, apart + H * t->k);
    for (size_t j = 0; j < t->k; j++) {
        double sum = 0;
        for (size_t h = 0; h < H; h++) sum += (double)apart[h * t->k + j];
        EXPECT(fabs(sum - (double)v[j]) <= 1e-6 * sum);
    }
    free(apart);
    free(v);
    close_run(&a);
}

/* The keys of a head meet the same queries whichever way they lie in the file. */
TEST(keys_of_a_combined_tensor_are_those_of_the_split_one)
{
    run a = open_run(test_path("golden/models/deepseek_v3"), 2, 16), b = open_run(test_path("golden/models/deepseek_v3/gguf/deepseek_v3.F32.gguf"), 2, 16);
    const r1_importance_tensor *x = tensor(&a, "model.layers.0.self_attn.kv_b_proj.weight"), *y = tensor(&b, "blk.0.attn_k_b.weight");
    size_t H = (size_t)r1_model_get_info(a.m)->n_heads;
    EXPECT(x && y && !x->keys && !y->keys);
    x++;
    EXPECT(x < a.t + a.n && x->keys && !strcmp(x->name, x[-1].name) && x->n == H && x->k == y->k && y->n_matrices == H);
    float *v = values(&b, y), *apart = malloc(H * (x->k + 1) * sizeof *apart);
    r1_importance_slices(a.i, x, apart, apart + H * x->k);
    EXPECT(!memcmp(v, apart, H * (x->k + 1) * sizeof *v));
    free(apart);
    free(v);
    close_run(&a);
    close_run(&b);
}

TEST(packed_files_give_the_same_sums)
{
    char path[] = P_tmpdir "/r1-importance-XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    close(fd);
    r1_pack_result result;
    r1_error e = { 0 };
    const char *src = "golden/models/deepseek_v3/gguf/deepseek_v3.Q4_0.gguf";
    EXPECT_OK(r1_pack(test_path(src), path, &(r1_pack_options){ .force = true, .n_threads = 1 }, &result, &e), &e);
    run a = open_run(test_path(src), 2, 16), b = open_run(path, 2, 16);
    unlink(path);
    expect_same(&a, &b);
    close_run(&a);
    close_run(&b);
}

TEST(ids_are_checked)
{
    run r = open_run(test_path("golden/models/llama_256/gguf/llama_256.Q8_0.gguf"), 1, 16);
    const int32_t wrong[] = { 1, 1 << 20 };
    r1_error e = { 0 };
    EXPECT_STATUS(r1_importance_run(r.i, r.s, wrong, 2, &e), R1_EINVAL);
    close_run(&r);
}
