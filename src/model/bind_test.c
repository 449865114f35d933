/* Binding: each missing, extra or misshapen tensor is named; both layouts of latent attention; what files may leave out or
 * hold twice. Golden files are changed one tensor at a time. */
#include "model/variant_test.h"
#include "model/model_int.h"

#include <math.h>

static const char qwen_file[] = "golden/models/qwen2/gguf/qwen2.Q8_0.gguf", tied_file[] = "golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf",
                  llama_file[] = "golden/models/llama_256/gguf/llama_256.Q4_0.gguf",
                  v3_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf", mtp_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf",
                  combined_file[] = "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf",
                  lite_file[] = "golden/models/deepseek_v2_lite/gguf/deepseek_v2_lite.F32.gguf";

static r1_status open_with(const variant *v, r1_model **m, const r1_model_options *options, r1_error *err)
{
    folder f = folder_new();
    char path[1024];
    snprintf(path, sizeof path, "%s", v->config ? variant_write_checkpoint(v, &f) : variant_write_gguf(v, &f));
    r1_status s = r1_model_open(m, path, options, err);
    folder_free(&f); /* what is mapped stays */
    return s;
}

static r1_model *open_variant(const variant *v)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(open_with(v, &m, &(r1_model_options){ .n_threads = 2 }, &e), &e);
    return m;
}

static r1_model *open_golden(const char *relative)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(relative), &(r1_model_options){ .n_threads = 2 }, &e), &e);
    return m;
}

static void expect_refused(const variant *v, const char *what, r1_status want, const char *a, const char *b)
{
    r1_model *m = (r1_model *)&m;
    r1_error e = { 0 };
    r1_status s = open_with(v, &m, &(r1_model_options){ .n_threads = 1 }, &e);
    EXPECT_NULL(m);
    if (s != want || !strstr(e.msg, a) || !strstr(e.msg, b)) fail_msg("%s: status %d, '%s'; expected %d, '%s' and '%s'", what, (int)s, e.msg, (int)want, a, b);
}

/* Logits of a few tokens, for equality. */
static void logits_of(const r1_model *m, float *y)
{
    static const int32_t ids[] = { 5, 17, 200, 3, 44, 9 };
    r1_engine *e;
    r1_session *s;
    r1_error err = { 0 };
    EXPECT_OK(r1_engine_open(&e, m, &(r1_engine_options){ .n_threads = 1, .chunk = 8 }, &err), &err);
    EXPECT_OK(r1_session_open(&s, e, 16, &err), &err);
    r1_batch_row row = { s, ids, 6, y, 6 };
    EXPECT_OK(r1_batch_step(e, &row, 1, &err), &err);
    r1_session_close(s);
    r1_engine_close(e);
}

enum { LOGITS = 6 * 400 };

static void expect_same_logits(const r1_model *a, const r1_model *b)
{
    size_t n = 6 * (size_t)r1_model_get_info(a)->n_vocab;
    float *x = calloc(LOGITS, sizeof *x), *y = calloc(LOGITS, sizeof *y);
    EXPECT(n <= LOGITS && r1_model_get_info(b)->n_vocab == r1_model_get_info(a)->n_vocab);
    logits_of(a, x);
    logits_of(b, y);
    EXPECT(!memcmp(x, y, n * sizeof *x));
    EXPECT(x[0] != x[1]);
    free(x);
    free(y);
}

/* ---- missing, extra, misshapen --------------------------------------------------------------------------------------- */

/* What a file may lack: it then means something else, or nothing. */
static bool optional(const char *name)
{
    static const char *const ends[] = { "rope_freqs.weight", "nextn.embed_tokens.weight", "nextn.shared_head_head.weight" };
    for (size_t i = 0; i < R1_COUNT(ends); i++)
        if (strstr(name, ends[i])) return true;
    return !strcmp(name, "output.weight"); /* GGUF: the head is the embedding then */
}

static void check_each_missing(variant *v)
{
    for (size_t i = 0; i < v->n_tensors; i++) {
        char quoted[160];
        variant_tensor t = v->tensors[i];
        if (optional(t.name)) continue;
        bool dropped_mtp = strstr(t.name, "eh_proj") != NULL; /* tells whether there is a module at all: the rest is then left over */
        v->tensors[i] = v->tensors[--v->n_tensors];
        snprintf(quoted, sizeof quoted, "tensor '%s' is missing", t.name);
        if (dropped_mtp) expect_refused(v, t.name, R1_EFORMAT, "is not part of a deepseek_v3 model with 3 layers", "tensor '");
        else expect_refused(v, t.name, R1_EFORMAT, quoted, "");
        v->tensors[v->n_tensors++] = v->tensors[i];
        v->tensors[i] = t;
    }
}

static void check_each_misshapen(variant *v)
{
    for (size_t i = 0; i < v->n_tensors; i++) {
        variant_tensor *t = &v->tensors[i], was = *t;
        int d = v->config ? 0 : t->n_dims - 1; /* the slowest: rows, or the only one */
        char quoted[160], found[32];
        size_t slice = t->bytes / t->ne[d];
        t->ne[d]--;
        t->bytes -= slice;
        if (t->ne[d] == 0) continue;
        snprintf(quoted, sizeof quoted, "tensor '%s' has shape [", t->name);
        snprintf(found, sizeof found, "%llu", (unsigned long long)t->ne[d]);
        expect_refused(v, t->name, R1_EFORMAT, strcmp(t->name, "token_embd.weight") ? quoted : "token_embd.weight", found);
        *t = was;
    }
}

TEST(each_missing_tensor_of_a_gguf_file_is_named)
{
    static const char *const files[] = { qwen_file, tied_file, llama_file, mtp_file, lite_file };
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        variant v = variant_gguf(files[i], false);
        check_each_missing(&v);
        variant_free(&v);
    }
}

TEST(each_misshapen_tensor_of_a_gguf_file_is_named)
{
    static const char *const files[] = { qwen_file, tied_file, llama_file, mtp_file, combined_file };
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        variant v = variant_gguf(files[i], false);
        check_each_misshapen(&v);
        variant_free(&v);
    }
}

/* Of a checkpoint some of each kind: it has a tensor for every expert. */
TEST(missing_and_misshapen_tensors_of_a_checkpoint_are_named)
{
    static const struct { const char *model, *tensor; } cases[] = {
        { "qwen2_tied", "model.layers.0.self_attn.q_proj.bias" }, { "qwen2_tied", "model.layers.2.mlp.up_proj.weight" }, { "qwen2_tied", "model.norm.weight" },
        { "qwen2_tied", "model.embed_tokens.weight" }, { "deepseek_v3", "lm_head.weight" }, { "deepseek_v3", "model.layers.1.mlp.experts.15.down_proj.weight" },
        { "deepseek_v3", "model.layers.2.mlp.gate.e_score_correction_bias" }, { "deepseek_v3", "model.layers.0.self_attn.kv_b_proj.weight" },
        { "deepseek_v3", "model.layers.3.shared_head.norm.weight" }, { "deepseek_v3", "model.layers.3.self_attn.o_proj.weight" },
        { "deepseek_v2_lite", "model.layers.0.self_attn.q_proj.weight" }, { "deepseek_v2_lite", "model.layers.1.mlp.shared_experts.gate_proj.weight" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char path[128], quoted[160];
        snprintf(path, sizeof path, "golden/models/%s", cases[i].model);
        variant v = variant_checkpoint(path, true);
        variant_tensor *t = variant_find(&v, cases[i].tensor);
        snprintf(quoted, sizeof quoted, "tensor '%s' has shape [", t->name);
        t->bytes -= t->bytes / t->ne[0];
        t->ne[0]--;
        expect_refused(&v, "misshapen", R1_EFORMAT, quoted, "expected [");
        variant_drop_tensor(&v, cases[i].tensor);
        snprintf(quoted, sizeof quoted, "tensor '%s' is missing", cases[i].tensor);
        expect_refused(&v, "missing", R1_EFORMAT, quoted, "");
        variant_free(&v);
    }
}

TEST(an_extra_tensor_is_named)
{
    static const struct { const char *file, *name; } cases[] = {
        { qwen_file, "blk.3.attn_q.weight" }, { qwen_file, "blk.0.attn_q_norm.weight" }, { llama_file, "blk.0.attn_q.bias" }, { v3_file, "blk.3.nextn.enorm.weight" },
        { lite_file, "blk.1.exp_probs_b.bias" }, { v3_file, "blk.0.attn_q.weight" }, { tied_file, "rope_freqs.weights" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        char quoted[160];
        variant v = variant_gguf(cases[i].file, false);
        variant_add_tensor(&v, cases[i].name, 256)->ne[0] = 64;
        snprintf(quoted, sizeof quoted, "tensor '%s' is not part of", cases[i].name);
        expect_refused(&v, cases[i].name, R1_EFORMAT, quoted, "layers");
        variant_free(&v);
    }
    variant v = variant_checkpoint("golden/models/qwen2_tied", true);
    variant_add_tensor(&v, "model.layers.0.self_attn.rotary_emb.inv_freq", 64)->ne[0] = 16; /* of old checkpoints: says nothing new */
    r1_model_close(open_variant(&v));
    variant_add_tensor(&v, "model.layers.0.self_attn.q_norm.weight", 64)->ne[0] = 16;
    expect_refused(&v, "q_norm", R1_EFORMAT, "tensor 'model.layers.0.self_attn.q_norm.weight' is not part of a qwen2 model with 3 layers", "");
    variant_free(&v);
}

TEST(a_quantised_vector_is_refused)
{
    static const struct { const char *file, *name; } cases[] = { { qwen_file, "blk.1.attn_norm.weight" }, { qwen_file, "blk.0.attn_k.bias" }, { v3_file, "output_norm.weight" } };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        variant v = variant_gguf(cases[i].file, false);
        variant_tensor *t = variant_find(&v, cases[i].name);
        char quoted[160];
        snprintf(quoted, sizeof quoted, "tensor '%s' is Q8_0", t->name);
        t->type = R1_Q8_0;
        t->bytes = r1_row_bytes(R1_Q8_0, (size_t)t->ne[0]);
        expect_refused(&v, t->name, R1_EUNSUPPORTED, quoted, "F32, F16 or BF16");
        variant_free(&v);
    }
}

TEST(vectors_may_be_half_floats)
{
    variant v = variant_gguf(qwen_file, false);
    r1_model *want = open_variant(&v);
    variant_tensor *t = variant_find(&v, "output_norm.weight");
    for (size_t i = 0; i < t->ne[0]; i++) memcpy(t->data + 4 * i, &(float){ 0.5f + (float)(i % 3) }, 4);
    r1_model *a = open_variant(&v);
    for (size_t i = 0; i < t->ne[0]; i++) { /* in place: 2 bytes never overtake 4 */
        static const uint16_t half[] = { 0x3800, 0x3E00, 0x4100 };
        memcpy(t->data + 2 * i, &half[i % 3], 2);
    }
    t->type = R1_F16;
    t->bytes /= 2;
    r1_model *b = open_variant(&v);
    expect_same_logits(a, b);
    r1_model_close(want);
    r1_model_close(a);
    r1_model_close(b);
    variant_free(&v);
}

/* ---- the head -------------------------------------------------------------------------------------------------------- */

TEST(without_output_weight_the_embedding_is_the_head)
{
    variant v = variant_gguf(qwen_file, false);
    variant_tensor *embd = variant_find(&v, "token_embd.weight"), *head = variant_find(&v, "output.weight");
    EXPECT_INT(embd->bytes, head->bytes);
    memcpy(head->data, embd->data, embd->bytes);
    r1_model *twice = open_variant(&v);
    EXPECT(!twice->c.tied);
    variant_drop_tensor(&v, "output.weight");
    r1_model *once = open_variant(&v);
    EXPECT(once->c.tied);
    expect_same_logits(twice, once);
    EXPECT_INT(r1_model_get_info(twice)->parameters - r1_model_get_info(once)->parameters, 96 * 304);
    r1_model_close(twice);
    r1_model_close(once);
    variant_free(&v);
}

TEST(a_tied_checkpoint_may_hold_a_copy_of_the_embedding)
{
    variant v = variant_checkpoint("golden/models/qwen2_tied", true);
    r1_model *plain = open_variant(&v);
    variant_tensor *embd = variant_find(&v, "model.embed_tokens.weight"), *copy = variant_add_tensor(&v, "lm_head.weight", embd->bytes);
    copy->n_dims = 2;
    memcpy(copy->ne, embd->ne, sizeof copy->ne);
    r1_model *with = open_variant(&v); /* of zeros: it has no say */
    expect_same_logits(plain, with);
    EXPECT_INT(r1_model_get_info(plain)->parameters, r1_model_get_info(with)->parameters);
    json_object_set_new(v.config, "tie_word_embeddings", json_false());
    memcpy(copy->data, embd->data, embd->bytes);
    r1_model *untied = open_variant(&v);
    EXPECT(plain->c.tied && with->c.tied && !untied->c.tied);
    expect_same_logits(plain, untied);
    variant_drop_tensor(&v, "lm_head.weight");
    expect_refused(&v, "untied without a head", R1_EFORMAT, "tensor 'lm_head.weight' is missing", "");
    r1_model_close(plain);
    r1_model_close(with);
    r1_model_close(untied);
    variant_free(&v);
}

/* ---- latent attention --------------------------------------------------------------------------------------------------- */

/* The combined tensor of a split F32 file: per head the nope rows of k, then the rows of v. */
static void combine(variant *v, int layer, size_t H, size_t nope, size_t vd, size_t lora)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.attn_k_b.weight", layer);
    const float *kb = (const float *)(const void *)variant_find(v, name)->data;
    snprintf(name, sizeof name, "blk.%d.attn_v_b.weight", layer);
    const float *vb = (const float *)(const void *)variant_find(v, name)->data;
    snprintf(name, sizeof name, "blk.%d.attn_kv_b.weight", layer);
    variant_tensor *t = variant_add_tensor(v, name, H * (nope + vd) * lora * 4);
    t->n_dims = 2;
    t->ne[0] = lora;
    t->ne[1] = H * (nope + vd);
    float *out = (float *)(void *)t->data;
    for (size_t h = 0; h < H; h++) {
        for (size_t r = 0; r < nope; r++)
            for (size_t l = 0; l < lora; l++) *out++ = kb[(h * lora + l) * nope + r];
        memcpy(out, vb + h * vd * lora, vd * lora * 4);
        out += vd * lora;
    }
}

TEST(both_layouts_of_latent_attention_give_the_same_bits)
{
    variant v = variant_gguf(lite_file, false);
    const size_t H = 2, nope = 32, vd = 64, lora = 64;
    r1_model *split = open_variant(&v);
    for (int i = 0; i < 3; i++) combine(&v, i, H, nope, vd, lora);
    for (int i = 0; i < 3; i++) { /* the first forks: both forms, the split ones as matrices */
        char name[64];
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "blk.%d.attn_%c_b.weight", i, "kv"[k]);
            variant_tensor *t = variant_find(&v, name);
            t->ne[1] *= t->ne[2];
            t->ne[2] = 1;
            t->n_dims = 2;
        }
    }
    r1_model *both = open_variant(&v);
    for (int i = 0; i < 3; i++) {
        char name[64];
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "blk.%d.attn_%c_b.weight", i, "kv"[k]);
            variant_drop_tensor(&v, name);
        }
    }
    r1_model *combined = open_variant(&v);
    expect_same_logits(split, combined);
    expect_same_logits(split, both);
    EXPECT_INT(r1_model_get_info(split)->parameters, r1_model_get_info(combined)->parameters);
    EXPECT_INT(r1_model_get_info(split)->parameters, r1_model_get_info(both)->parameters); /* no weight counts twice */
    EXPECT_INT(r1_model_get_info(combined)->weight_bytes, r1_model_get_info(both)->weight_bytes);
    r1_model_close(split);
    r1_model_close(both);
    r1_model_close(combined);
    variant_free(&v);
}

/* ---- the prediction module --------------------------------------------------------------------------------------------- */

TEST(a_configuration_may_speak_of_a_module_that_was_dropped)
{
    variant v = variant_gguf(v3_file, false);
    variant_u32(&v, "deepseek2.block_count", 4);
    variant_u32(&v, "deepseek2.nextn_predict_layers", 1);
    r1_model *a = open_golden(v3_file), *b = open_variant(&v);
    EXPECT(!r1_model_has_mtp(b) && b->c.n_layers == 3);
    expect_same_logits(a, b);
    r1_model_close(a);
    r1_model_close(b);
    variant_free(&v);

    v = variant_checkpoint("golden/models/deepseek_v3", true);
    a = open_golden("golden/models/deepseek_v3");
    for (size_t i = v.n_tensors; i-- > 0;)
        if (!strncmp(v.tensors[i].name, "model.layers.3.", 15)) variant_drop_tensor(&v, v.tensors[i].name);
    b = open_variant(&v);
    EXPECT(r1_model_has_mtp(a) && !r1_model_has_mtp(b));
    expect_same_logits(a, b);
    EXPECT_INT(r1_model_get_info(a)->parameters, r1_model_get_info(b)->parameters); /* the module is not counted */
    EXPECT_INT(r1_model_get_info(a)->weight_bytes, r1_model_get_info(b)->weight_bytes);
    r1_model_close(a);
    r1_model_close(b);
    variant_free(&v);
}

TEST(the_module_may_leave_out_its_copies_of_embedding_and_head)
{
    variant v = variant_gguf(mtp_file, false);
    r1_model *m = open_variant(&v);
    EXPECT(m->mtp->embd.data != m->embd.data && m->mtp->head.data != m->head.data);
    EXPECT(m->mtp->layer.moe && m->mtp->layer.experts && m->mtp->eh_proj.k == 128 && !m->mtp->eh_proj.packed);
    r1_model_close(m);
    variant_drop_tensor(&v, "blk.3.nextn.embed_tokens.weight");
    variant_drop_tensor(&v, "blk.3.nextn.shared_head_head.weight");
    m = open_variant(&v);
    EXPECT(r1_model_has_mtp(m));
    EXPECT(!memcmp(&m->mtp->embd, &m->embd, sizeof m->embd) && !memcmp(&m->mtp->head, &m->head, sizeof m->head));
    r1_model_close(m);
    variant_free(&v);
}

/* ---- rope_freqs ------------------------------------------------------------------------------------------------------- */

TEST(divisors_that_no_formula_gives_are_used_as_they_are)
{
    variant v = variant_gguf(llama_file, false);
    variant_tensor *t = variant_find(&v, "rope_freqs.weight");
    float divisors[32];
    for (int i = 0; i < 32; i++) divisors[i] = 1 + (float)i * 0.37f;
    memcpy(t->data, divisors, sizeof divisors);
    r1_model *m = open_variant(&v);
    for (int i = 0; i < 32; i++) EXPECT(m->c.rope.inv_freq[i] == pow(500000, -2.0 * i / 64) / divisors[i]);
    r1_model_close(m);
    static const float bad[] = { 0, -1, NAN, INFINITY };
    for (size_t i = 0; i < R1_COUNT(bad); i++) {
        memcpy(t->data + 4 * 7, &bad[i], 4);
        expect_refused(&v, "a bad divisor", R1_EFORMAT, "tensor 'rope_freqs.weight' holds", "at 7");
    }
    variant_free(&v);
}

/* Beside another scaling the divisors come on top, as a file that has both says. */
TEST(divisors_beside_linear_scaling_divide_its_frequencies)
{
    variant v = variant_gguf(llama_file, false);
    float divisors[32];
    memcpy(divisors, variant_find(&v, "rope_freqs.weight")->data, sizeof divisors);
    variant_text(&v, "llama.rope.scaling.type", "linear");
    variant_f32(&v, "llama.rope.scaling.factor", 2);
    r1_model *m = open_variant(&v);
    EXPECT(m->c.rope.scaling == R1_ROPE_LINEAR);
    for (int i = 0; i < 32; i++) EXPECT(fabs(m->c.rope.inv_freq[i] / (pow(500000, -2.0 * i / 64) / 2 / divisors[i]) - 1) < 1e-15);
    r1_model_close(m);
    variant_free(&v);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

typedef struct watcher { int calls, stop_at; double last; } watcher;

static bool watch(void *ctx, double fraction)
{
    watcher *w = ctx;
    EXPECT(fraction >= w->last && fraction <= 1);
    w->last = fraction;
    return ++w->calls != w->stop_at;
}

TEST(opening_can_be_watched_and_cancelled)
{
    watcher w = { .stop_at = -1 };
    r1_model_options o = { .n_threads = 1, .progress = watch, .progress_ctx = &w };
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, test_path(mtp_file), &o, &e), &e);
    r1_model_close(m);
    int calls = w.calls;
    EXPECT(calls >= 3);
    for (int stop = 1; stop <= calls; stop++) {
        w = (watcher){ .stop_at = stop };
        EXPECT_STATUS(r1_model_open(&m, test_path(mtp_file), &o, &e), R1_ECANCELLED);
        EXPECT_NULL(m);
        EXPECT_INT(w.calls, stop); /* not asked again */
    }
}

TEST(options_out_of_range_are_refused)
{
    r1_model *m;
    r1_error e = { 0 };
    const struct { r1_model_options o; const char *says; } cases[] = {
        { { .n_threads = -1 }, "-1 threads" }, { { .n_threads = 1025 }, "1025 threads" }, { { .n_threads = 1, .cpu = (r1_cpu_level)77 }, "77" },
        { { .n_threads = 1, .activations = (r1_activations)9 }, "9" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        EXPECT_STATUS(r1_model_open(&m, test_path(qwen_file), &cases[i].o, &e), R1_EINVAL);
        EXPECT_NULL(m);
        EXPECT_CONTAINS(e.msg, cases[i].says);
    }
    EXPECT_STATUS(r1_model_open(&m, test_path("golden/models/none.gguf"), NULL, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "none.gguf");
}

TEST(what_is_said_of_a_model)
{
    static const struct { const char *path, *arch; int32_t layers, heads, kv_heads, vocab, ctx; } cases[] = {
        { qwen_file, "qwen2", 3, 6, 2, 304, 1024 }, { mtp_file, "deepseek_v3", 3, 4, 4, 288, 768 }, { lite_file, "deepseek_v2", 3, 2, 2, 320, 512 },
        { "golden/models/llama", "llama", 3, 6, 2, 320, 512 },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_model *m = open_golden(cases[i].path);
        const r1_model_info *f = r1_model_get_info(m);
        EXPECT_STR(f->architecture, cases[i].arch);
        EXPECT(f->n_layers == cases[i].layers && f->n_heads == cases[i].heads && f->n_kv_heads == cases[i].kv_heads);
        EXPECT(f->n_vocab == cases[i].vocab && f->n_ctx_train == cases[i].ctx && f->n_tokens <= f->n_vocab && f->n_tokens > 0);
        r1_model_close(m);
    }
    /* deepseek_v2_lite, counted by hand: embedding and head, 3 x attention, a dense layer, 2 x (router, 12 + 2 experts), norms */
    r1_model *m = open_golden(lite_file);
    uint64_t attention = 64 * 96 + 64 * 80 + 64 * 2 * (32 + 64) + 128 * 64, norms = 3 * (64 + 64 + 64) + 64, expert = 3 * 64 * 32;
    EXPECT_INT(r1_model_get_info(m)->parameters, 2 * 64 * 320 + 3 * attention + 3 * 64 * 224 + 2 * (64 * 12 + 14 * expert) + norms);
    EXPECT_INT(r1_model_get_info(m)->parameters_active, 2 * 64 * 320 + 3 * attention + 3 * 64 * 224 + 2 * (64 * 12 + 5 * expert) + norms);
    EXPECT_INT(r1_model_token_bytes(m), 4 * (64 * 320 + 3 * attention + 3 * 64 * 224 + 2 * (64 * 12 + 5 * expert))); /* no embedding, no norms */
    r1_model_close(m);
    m = open_golden(mtp_file);
    r1_model *without = open_golden(v3_file);
    EXPECT_INT(r1_model_get_info(m)->parameters, r1_model_get_info(without)->parameters);
    EXPECT_INT(r1_model_get_info(m)->parameters_active, r1_model_get_info(without)->parameters_active);
    r1_model_close(m);
    r1_model_close(without);
}
