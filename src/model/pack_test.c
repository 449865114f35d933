/* Packed files: the same bits as their source in every type, form, mode and level; used where they lie; what cannot be packed;
 * files that lie about panels. */
#include "model/variant_test.h"
#include "format/gguf_write.h"
#include "model/pack.h"
#include "model/model_int.h"

static const char *const files[] = {
    "golden/models/llama_256/gguf/llama_256.Q4_0.gguf", "golden/models/llama_256/gguf/llama_256.Q4_1.gguf", "golden/models/llama_256/gguf/llama_256.Q5_0.gguf",
    "golden/models/llama_256/gguf/llama_256.Q5_1.gguf", "golden/models/llama_256/gguf/llama_256.Q8_0.gguf", "golden/models/llama_256/gguf/llama_256.Q2_K.gguf",
    "golden/models/llama_256/gguf/llama_256.Q3_K.gguf", "golden/models/llama_256/gguf/llama_256.Q4_K.gguf", "golden/models/llama_256/gguf/llama_256.Q5_K.gguf",
    "golden/models/llama_256/gguf/llama_256.Q6_K.gguf", "golden/models/llama_256/gguf/llama_256.IQ4_NL.gguf", "golden/models/llama_256/gguf/llama_256.IQ4_XS.gguf",
    "golden/models/llama_256/gguf/llama_256.MXFP4.gguf", "golden/models/qwen2/gguf/qwen2.Q4_0.gguf", "golden/models/qwen2_tied/gguf/qwen2_tied.Q8_0.gguf",
    "golden/models/deepseek_v2_lite/gguf/deepseek_v2_lite.Q8_0.gguf", "golden/models/deepseek_v2_lite/gguf/deepseek_v2_lite.Q8_0.combined.gguf",
    "golden/models/deepseek_v3/gguf/deepseek_v3.Q4_0.gguf", "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf",
    "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.combined.gguf", "golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf",
};
static const char lite_file[] = "golden/models/deepseek_v2_lite/gguf/deepseek_v2_lite.Q8_0.gguf";

enum { TOKENS = 6 };

static r1_model *open_as(const char *path, const r1_model_options *o)
{
    r1_model *m;
    r1_error e = { 0 };
    EXPECT_OK(r1_model_open(&m, path, o, &e), &e);
    return m;
}

/* Logits of some tokens. */
static float *logits_of(const char *path, const r1_model_options *o, size_t *n)
{
    static const int32_t ids[TOKENS] = { 5, 17, 200, 3, 44, 9 };
    r1_model *m = open_as(path, o);
    r1_engine *e;
    r1_session *s;
    r1_error err = { 0 };
    size_t V = (size_t)r1_model_get_info(m)->n_vocab;
    *n = TOKENS * V;
    float *y = calloc(*n, sizeof *y);
    EXPECT_OK(r1_engine_open(&e, m, &(r1_engine_options){ .n_threads = 2, .chunk = 4 }, &err), &err);
    EXPECT_OK(r1_session_open(&s, e, 16, &err), &err);
    r1_batch_row row = { s, ids, TOKENS, y, TOKENS };
    EXPECT_OK(r1_batch_step(e, &row, 1, &err), &err);
    EXPECT(y[0] != y[1]);
    r1_session_close(s);
    r1_engine_close(e);
    r1_model_close(m);
    return y;
}

static void expect_same_bits(const char *a, const char *b, const r1_model_options *o)
{
    size_t n, k;
    float *x = logits_of(a, o, &n), *y = logits_of(b, o, &k);
    EXPECT_INT(n, k);
    EXPECT_MSG(!memcmp(x, y, n * sizeof *x), "'%s' and its packed file differ (activations %d, cpu %d, expanded %d)", a, (int)o->activations, (int)o->cpu,
               (int)o->mla_expanded);
    free(x);
    free(y);
}

static void pack_golden(folder *f, const char *file, r1_pack_result *r)
{
    r1_error e = { 0 };
    char dst[1024];
    snprintf(dst, sizeof dst, "%s", folder_path(f, "packed.gguf"));
    EXPECT_OK(r1_pack(test_path(file), dst, &(r1_pack_options){ .force = true, .n_threads = 2 }, r, &e), &e);
    EXPECT(r->n_packed > 0 && r->n_packed < r->n_tensors && r->packed_bytes < r->bytes);
}

static void compare(const char *src, const char *packed, bool latent)
{
    static const r1_model_options ways[] = {
        { .activations = R1_ACTIVATIONS_AUTO }, { .activations = R1_ACTIVATIONS_F32 }, { .activations = R1_ACTIVATIONS_BF16 }, { .cpu = R1_CPU_SCALAR },
        { .mla_expanded = true }, { .mla_expanded = true, .activations = R1_ACTIVATIONS_F32 },
    };
    for (size_t i = 0; i < (latent ? 6 : 4); i++) expect_same_bits(src, packed, &ways[i]);
}

TEST(packed_files_give_the_same_bits)
{
    folder f = folder_new();
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        r1_pack_result r;
        char src[1024];
        snprintf(src, sizeof src, "%s", test_path(files[i]));
        pack_golden(&f, files[i], &r);
        compare(src, folder_path(&f, "packed.gguf"), strstr(files[i], "deepseek") != NULL);
    }
    folder_free(&f);
}

static bool inside(const r1_ckpt *k, const uint8_t *p)
{
    const r1_map *map = r1_gguf_map(r1_ckpt_gguf(k), 0);
    return p && p >= map->data && p < map->data + map->size && (p - map->data) % 64 == 0;
}

TEST(packed_weights_are_used_where_they_lie)
{
    folder f = folder_new();
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        r1_pack_result r;
        pack_golden(&f, files[i], &r);
        r1_model *src = open_as(test_path(files[i]), NULL), *m = open_as(folder_path(&f, "packed.gguf"), NULL);
        const r1_layer *l = &m->layers[0];
        EXPECT(inside(m->ckpt, m->head.packed) && inside(m->ckpt, l->wo.packed) && inside(m->ckpt, l->mlp.gate.packed));
        if (m->c.mla) EXPECT(inside(m->ckpt, l->v_b[0].packed) && inside(m->ckpt, l->v_b[1].packed));
        if (m->n_moe_layers) EXPECT(inside(m->ckpt, m->layers[m->moe_layers[0]].experts[1].down.packed));
        EXPECT(m->embd.data && !m->embd.packed);
        EXPECT_INT(m->info.parameters, src->info.parameters);
        EXPECT_INT(r.parameters, src->info.parameters);
        EXPECT_INT(m->info.parameters_active, src->info.parameters_active);
        EXPECT(src->n_owned > m->n_owned); /* only vectors and tables are copied */
        r1_model_close(src);
        r1_model_close(m);
    }
    folder_free(&f);
}

/* Every matrix of blocks in panels, the embedding and the prediction module too, as no `r1 pack` writes it. */
static void pack_all(const char *src, const char *dst)
{
    r1_gguf *g;
    r1_gguf_out *w;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_open(&g, src, &e), &e);
    EXPECT_OK(r1_gguf_out_new(&w, &e), &e);
    EXPECT_OK(r1_gguf_out_copy_keys(w, g, &e), &e);
    EXPECT_OK(r1_gguf_out_align(w, 64, &e), &e);
    EXPECT_OK(r1_gguf_out_u32(w, R1_PACKED_VERSION_KEY, 1, &e), &e);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
            const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
            bool packs = r1_type_get(t->type)->quantised && t->n_dims > 1;
            size_t row = r1_row_bytes(t->type, (size_t)t->ne[0]), rows = (size_t)t->ne[1], n = (size_t)(t->ne[2] * t->ne[3]), one = r1_packed_bytes(t->type, rows, (size_t)t->ne[0]);
            char name[128];
            snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
            if (pass == 0) {
                r1_gguf_info info = { .name = name, .type = (unsigned)t->type + (packs ? R1_PACKED_ID : 0), .n_dims = t->n_dims, .bytes = packs ? n * one : t->bytes };
                memcpy(info.ne, t->ne, sizeof info.ne);
                EXPECT_OK(r1_gguf_out_tensor(w, &info, &e), &e);
            } else if (!packs) {
                EXPECT_OK(r1_gguf_out_data(w, t->data, (size_t)t->bytes, &e), &e);
            } else {
                uint8_t *panels = calloc(n, one);
                for (size_t j = 0; j < n; j++)
                    for (size_t r = 0; r < rows; r += 16)
                        r1_pack_panel(t->type, panels + j * one + r * row, t->data + (j * rows + r) * row, row, rows - r, (size_t)t->ne[0]);
                EXPECT_OK(r1_gguf_out_data(w, panels, n * one, &e), &e);
                free(panels);
            }
        }
        if (pass == 0) EXPECT_OK(r1_gguf_out_begin(w, dst, true, &e), &e);
    }
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
    r1_gguf_close(g);
}

TEST(any_matrix_may_be_packed)
{
    folder f = folder_new();
    for (size_t i = 0; i < R1_COUNT(files); i++) {
        char src[1024], dst[1024];
        snprintf(src, sizeof src, "%s", test_path(files[i]));
        snprintf(dst, sizeof dst, "%s", folder_path(&f, "all.gguf"));
        pack_all(src, dst);
        r1_model *m;
        r1_error e = { 0 };
        r1_status s = r1_model_open(&m, dst, NULL, &e);
        if (strstr(src, "combined") && s) { /* heads whose rows do not begin where panels do */
            EXPECT_STATUS(s, R1_EFORMAT);
            EXPECT_CONTAINS(e.msg, "attn_kv_b.weight' is packed whole, but a weight starts at its row ");
            continue;
        }
        EXPECT_OK(s, &e);
        r1_model_close(m);
        compare(src, dst, strstr(files[i], "deepseek") != NULL);
    }
    folder_free(&f);
}

/* ---- what is refused ----------------------------------------------------------------------------------------------- */

static void expect_no_pack(const char *src, const char *dst, r1_pack_options o, r1_status want, const char *part)
{
    r1_error e = { 0 };
    r1_pack_result r;
    o.n_threads = 1;
    EXPECT_STATUS(r1_pack(src, dst, &o, &r, &e), want);
    EXPECT_CONTAINS(e.msg, part);
}

static bool stop_late(void *ctx, double fraction)
{
    ++*(int *)ctx;
    return fraction < 0.5;
}

TEST(what_cannot_be_packed_is_refused)
{
    folder f = folder_new();
    char dst[1024], packed[1024], floats[1024];
    r1_pack_result r;
    int calls = 0;
    pack_golden(&f, files[0], &r);
    snprintf(packed, sizeof packed, "%s", folder_path(&f, "packed.gguf"));
    snprintf(dst, sizeof dst, "%s", folder_path(&f, "new.gguf"));
    snprintf(floats, sizeof floats, "%s", test_path("golden/models/llama_256/gguf/llama_256.BF16.gguf"));
    expect_no_pack(packed, dst, (r1_pack_options){ 0 }, R1_EUNSUPPORTED, "is packed already");
    expect_no_pack(floats, dst, (r1_pack_options){ 0 }, R1_EUNSUPPORTED, "nothing to pack");
    expect_no_pack(test_path("golden/models/llama"), dst, (r1_pack_options){ 0 }, R1_EUNSUPPORTED, "is a Hugging Face folder");
    expect_no_pack(folder_path(&f, "absent"), dst, (r1_pack_options){ 0 }, R1_EIO, "cannot open");
    expect_no_pack(test_path(files[1]), packed, (r1_pack_options){ 0 }, R1_EINVAL, "exists");
    expect_no_pack(test_path(files[1]), dst, (r1_pack_options){ .progress = stop_late, .progress_ctx = &calls }, R1_ECANCELLED, "cancel");
    EXPECT(calls > 0);
    EXPECT_INT(n_entries(f.path), 1); /* the packed one: nothing of the others is left */
    folder_free(&f);
}

TEST(a_model_that_lacks_a_tensor_is_not_packed)
{
    folder f = folder_new();
    variant v = variant_gguf(lite_file, true);
    char dst[1024];
    snprintf(dst, sizeof dst, "%s/new.gguf", f.path);
    variant_drop_tensor(&v, "blk.1.ffn_up_exps.weight");
    expect_no_pack(variant_write_gguf(&v, &f), dst, (r1_pack_options){ 0 }, R1_EFORMAT, "tensor 'blk.1.ffn_up_exps.weight' is missing");
    variant_free(&v);
    folder_free(&f);
}

/* Each byte of the header changed in turn: what opens computes, the rest has a sentence. */
TEST(damaged_headers_of_packed_files)
{
    folder f = folder_new();
    r1_pack_result r;
    char *bytes;
    size_t n;
    r1_error e = { 0 };
    uint64_t seed = test_seed();
    pack_golden(&f, lite_file, &r);
    EXPECT_OK(r1_file_read(folder_path(&f, "packed.gguf"), 1 << 24, &bytes, &n, &e), &e);
    r1_gguf *g;
    EXPECT_OK(r1_gguf_parse(&g, bytes, n, &e), &e);
    size_t header = (size_t)(r1_gguf_tensor_at(g, 0)->name.p - bytes), end = (size_t)(r1_gguf_tensor_at(g, 0)->data - (uint8_t *)bytes);
    r1_gguf_close(g);
    int opened = 0, refused = 0;
    for (int i = 0; i < 300; i++) {
        size_t at = header + test_random(&seed) % (r1_min(end, header + 6000) - header);
        char was = bytes[at];
        bytes[at] ^= (char)(1 << test_random(&seed) % 8);
        folder_put(&f, "damaged.gguf", bytes, n);
        bytes[at] = was;
        r1_model *m;
        r1_status s = r1_model_open(&m, folder_path(&f, "damaged.gguf"), &(r1_model_options){ .n_threads = 1 }, &e);
        opened += s == R1_OK;
        refused += s != R1_OK && e.msg[0];
        r1_model_close(m);
    }
    EXPECT_INT(opened + refused, 300);
    EXPECT(refused > 100);
    free(bytes);
    folder_free(&f);
}
