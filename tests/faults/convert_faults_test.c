/* Writing files survives the failure of each of its allocations: GGUF and safetensors writers, whole conversions both ways,
 * quantising with an importance matrix. Whatever failed, nothing may be left in the folder but a whole file. */
#define _GNU_SOURCE
#include "tests/faults/faults.h"
#include "convert/convert_int.h"
#include "format/safetensors_write.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256], file[300], back[300];

static size_t n_entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void empty(const char *path)
{
    char name[600];
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) && path == dir) {
            empty(name);
            rmdir(name);
        }
    }
    if (d) closedir(d);
}

static void begin(void)
{
    const char *t = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.200s/r1-test-XXXXXX", t && *t ? t : P_tmpdir);
    if (!mkdtemp(dir)) abort();
    snprintf(file, sizeof file, "%s/a.gguf", dir);
    snprintf(back, sizeof back, "%s/back", dir);
}

static void end(void)
{
    empty(dir);
    EXPECT(rmdir(dir) == 0);
}

/* One file or folder when it went well, else nothing. */
static r1_status look(r1_status s)
{
    EXPECT_INT(n_entries(dir), s == R1_OK ? 1 : 0);
    empty(dir);
    return s;
}

static r1_status write_gguf(void *ctx, r1_error *err)
{
    r1_gguf_out *w;
    (void)ctx;
    r1_status s = r1_gguf_out_new(&w, err);
    if (s == R1_OK) s = r1_gguf_out_u32(w, "n", 3, err);
    if (s == R1_OK) s = r1_gguf_out_strings(w, "s", (r1_slice[]){ { "a", 1 }, { "b", 1 } }, 2, err);
    if (s == R1_OK) s = r1_gguf_out_array(w, "a", R1_GGUF_U8, "xyz", 3, err);
    if (s == R1_OK) s = r1_gguf_out_str(w, "s", "other", 5, err);
    if (s == R1_OK) s = r1_gguf_out_tensor(w, &(r1_gguf_info){ "t", R1_F32, 1, { 4 }, 0 }, err);
    if (s == R1_OK) s = r1_gguf_out_begin(w, file, false, err);
    if (s == R1_OK) s = r1_gguf_out_data(w, "0123456789abcdef", 16, err);
    if (s == R1_OK) s = r1_gguf_out_finish(w, err);
    r1_gguf_out_free(w);
    return look(s);
}

static r1_status write_st(void *ctx, r1_error *err)
{
    r1_st_out *w;
    (void)ctx;
    r1_status s = r1_st_out_new(&w, err);
    if (s == R1_OK) s = r1_st_out_tensor(w, "t", R1_F32, 1, (uint64_t[]){ 4 }, err);
    if (s == R1_OK) s = r1_st_out_begin(w, file, false, err);
    if (s == R1_OK) s = r1_st_out_data(w, "0123456789abcdef", 16, err);
    if (s == R1_OK) s = r1_st_out_finish(w, err);
    r1_st_out_free(w);
    return look(s);
}

TEST(r1_gguf_out)
{
    begin();
    FAULTS_SWEEP(write_gguf, NULL);
    end();
}

TEST(r1_st_out)
{
    begin();
    FAULTS_SWEEP(write_st, NULL);
    end();
}

static r1_status convert(void *ctx, r1_error *err)
{
    r1_plan *p;
    const r1_ckpt *c = ctx;
    bool to_gguf = !r1_ckpt_gguf(c);
    r1_status s = r1_plan_new(&p, c, to_gguf, err);
    if (s == R1_OK) s = r1_export(p, to_gguf ? file : back, &(r1_export_options){ 0 }, err);
    r1_plan_free(p);
    return look(s);
}

static void sweep(const char *relative)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    begin();
    EXPECT_OK(r1_ckpt_open(&c, test_path(relative), false, &e), &e);
    FAULTS_SWEEP(convert, c);
    r1_ckpt_close(c);
    end();
}

TEST(r1_export_to_gguf) { sweep("golden/models/llama_256"); }
TEST(r1_export_to_folder) { sweep("golden/models/llama_256/gguf/llama_256.Q2_K.gguf"); }

/* The JSON files of a folder are built, never parsed, so jansson's allocations may fail too. */
static r1_status build_json(void *ctx, r1_error *err)
{
    const r1_plan *p = ctx;
    json_t *config = NULL, *generation = NULL, *tokenizer = NULL, *tokenizer_config = NULL;
    r1_status s = r1_hf_config(&config, &generation, p, err);
    if (s == R1_OK) s = r1_hf_tokenizer(&tokenizer, &tokenizer_config, p->ckpt, 100, err);
    json_decref(config);
    json_decref(generation);
    json_decref(tokenizer);
    json_decref(tokenizer_config);
    return s;
}

static void sweep_json(const char *relative)
{
    r1_ckpt *c;
    r1_plan *p;
    r1_error e = { 0 };
    char why[512];
    EXPECT_OK(r1_ckpt_open(&c, test_path(relative), false, &e), &e);
    EXPECT_OK(r1_plan_new(&p, c, false, &e), &e);
    faults_jansson(true);
    bool good = faults_try(build_json, p, why);
    faults_jansson(false);
    EXPECT_MSG(good, "%s", why);
    r1_plan_free(p);
    r1_ckpt_close(c);
}

TEST(r1_hf_files_of_llama) { sweep_json("golden/models/llama_256/gguf/llama_256.Q2_K.gguf"); }
TEST(r1_hf_files_of_deepseek) { sweep_json("golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.mtp.gguf"); }

static r1_status plan_only(void *ctx, r1_error *err)
{
    r1_plan *p;
    size_t fallbacks;
    r1_quantise_options q = { .target = "Q4_K_M", .requantise = true };
    r1_status s = r1_plan_new(&p, ctx, true, err);
    if (s == R1_OK) s = r1_mix_types(p, &q, &fallbacks, err);
    r1_plan_free(p);
    return s;
}

TEST(r1_mix_types)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    EXPECT_OK(r1_ckpt_open(&c, test_path("golden/models/deepseek_v3"), false, &e), &e);
    FAULTS_SWEEP(plan_only, c);
    r1_ckpt_close(c);
}

/* ---- importance ------------------------------------------------------------------------------------------------- */

/* Sums for the columns of every matrix of a plan, at `path`. */
static void put_importance(const r1_plan *p, const char *path)
{
    r1_gguf_out *w;
    r1_error e = { 0 };
    char name[300];
    EXPECT_OK(r1_gguf_out_new(&w, &e), &e);
    EXPECT_OK(r1_gguf_out_str(w, "general.type", "imatrix", 7, &e), &e);
    for (size_t i = 0; i < p->n; i++) {
        snprintf(name, sizeof name, "%s.in_sum2", p->t[i].name);
        EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ .name = name, .type = R1_F32, .n_dims = 1, .ne = { p->t[i].ne[0] } }, &e), &e);
        snprintf(name, sizeof name, "%s.counts", p->t[i].name);
        EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ .name = name, .type = R1_F32, .n_dims = 1, .ne = { 1 } }, &e), &e);
    }
    EXPECT_OK(r1_gguf_out_begin(w, path, false, &e), &e);
    for (size_t i = 0; i < p->n; i++) {
        for (uint64_t c = 0; c < p->t[i].ne[0]; c++) EXPECT_OK(r1_gguf_out_data(w, &(float){ (float)(c % 7) }, 4, &e), &e);
        EXPECT_OK(r1_gguf_out_data(w, &(float){ 3 }, 4, &e), &e);
    }
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
}

typedef struct quantisation {
    r1_plan *plan;
    const char *importance; /* outside of dir */
} quantisation;

static r1_status open_importance(void *ctx, r1_error *err)
{
    const quantisation *q = ctx;
    r1_imatrix *m;
    size_t n = 0;
    r1_status s = r1_imatrix_open(&m, q->importance, err);
    for (size_t i = 0; i < q->plan->n && s == R1_OK; i++) {
        float *w;
        s = r1_imatrix_weights(m, &q->plan->t[i], &w, &n, err);
        EXPECT((s == R1_OK) == (w != NULL));
        free(w);
    }
    r1_imatrix_close(m);
    return s;
}

static r1_status quantise(void *ctx, r1_error *err)
{
    const quantisation *q = ctx;
    r1_imatrix *m;
    r1_status s = r1_imatrix_open(&m, q->importance, err);
    if (s == R1_OK) s = r1_export_check(q->plan, &(r1_export_options){ .imatrix = m, .target = "Q4_0" }, err);
    if (s == R1_OK) s = r1_export(q->plan, file, &(r1_export_options){ .imatrix = m, .target = "Q4_0" }, err);
    r1_imatrix_close(m);
    return look(s);
}

TEST(r1_export_with_importance)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    size_t fallbacks;
    char outside[300];
    begin();
    snprintf(outside, sizeof outside, "%s.importance", dir);
    quantisation q = { .importance = outside };
    EXPECT_OK(r1_ckpt_open(&c, test_path("golden/models/llama_256"), false, &e), &e);
    EXPECT_OK(r1_plan_new(&q.plan, c, true, &e), &e);
    EXPECT_OK(r1_mix_types(q.plan, &(r1_quantise_options){ .target = "Q4_0" }, &fallbacks, &e), &e);
    put_importance(q.plan, outside);
    FAULTS_SWEEP(open_importance, &q);
    FAULTS_SWEEP(quantise, &q);
    EXPECT(unlink(outside) == 0);
    r1_plan_free(q.plan);
    r1_ckpt_close(c);
    end();
}
