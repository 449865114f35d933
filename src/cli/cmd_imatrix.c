/* r1 imatrix: runs a text through a model and writes which input columns of each weight matter, in the form of llama.cpp.
 *
 * The text is cut into chunks of --chunk tokens, each read from an empty context; where the model wants a beginning-of-text token
 * the first token of each chunk gives way to it, as in llama-imatrix, so that the numbers can be compared. The last, shorter
 * chunk counts too.
 *
 * What is written has the names and stacks of a GGUF file. The tensors of a Hugging Face folder find theirs in the plan by which
 * the folder would be converted: experts are stacked, and the keys and values of a head come apart.
 */
#include "cli/summary.h"
#include "base/writer.h"
#include "engine/importance.h"
#include "format/gguf_write.h"

typedef struct job {
    r1_cli *c;
    r1_setup u;
    r1_importance *m;
    r1_ids ids;
    size_t chunk, n_chunks;
    r1_plan *plan;                         /* of a folder; NULL: the file has the names to write */
    const r1_importance_tensor *list;      /* [n_list] sorted by name */
    size_t n_list;
    struct entry *entries;                 /* [n_tensors] */
    size_t n_tensors, n_matrices, n_unmet; /* of what was written */
    uint64_t bytes;
} job;

enum { USUAL_CHUNK = 512 };

/* ---- reading --------------------------------------------------------------------------------------------------- */

static r1_status read_text(job *j, r1_error *err)
{
    const r1_tokenizer *t = r1_model_get_tokenizer(j->u.model);
    const char *path = j->c->args[1];
    char *text;
    size_t n, context = r1_session_context(j->u.session);
    if (!t) return r1_fail(err, R1_EFORMAT, "'%s' has no tokenizer, which a text needs", j->c->args[0]);
    j->chunk = j->c->o.chunk ? (size_t)j->c->o.chunk : r1_min(USUAL_CHUNK, context);
    if (j->chunk > context) return r1_fail(err, R1_ELIMIT, "--chunk is %zu, expected at most the context of %zu", j->chunk, context);
    r1_status s = r1_file_read(path, (size_t)1 << 30, &text, &n, err);
    if (s) return s;
    if (r1_tokenizer_adds_bos(t)) s = r1_ids_add(&j->ids, r1_tokenizer_bos(t), err);
    if (s == R1_OK) s = r1_tokenizer_encode(t, text, n, R1_SPECIAL_NONE, &j->ids, err);
    free(text);
    if (s == R1_OK && j->ids.n < 2) s = r1_fail(err, R1_EFORMAT, "'%s' has %zu %s, expected at least 2", path, j->ids.n, j->ids.n == 1 ? "token" : "tokens");
    if (s) return s;
    j->n_chunks = r1_ceil_div(j->ids.n, j->chunk);
    if (j->c->o.max_chunks) j->n_chunks = r1_min(j->n_chunks, (size_t)j->c->o.max_chunks);
    j->ids.n = r1_min(j->ids.n, j->n_chunks * j->chunk);
    return R1_OK;
}

static r1_status run_chunks(job *j, r1_error *err)
{
    const r1_tokenizer *t = r1_model_get_tokenizer(j->u.model);
    r1_progress bar;
    r1_progress_begin(&bar, &j->c->err, j->c->o.quiet, "imatrix", "tokens");
    r1_interrupt_arm(true);
    r1_status s = R1_OK;
    for (size_t i = 0; i < j->n_chunks && s == R1_OK; i++) {
        int32_t *ids = j->ids.ids + i * j->chunk;
        size_t n = r1_min(j->chunk, j->ids.n - i * j->chunk);
        if (r1_tokenizer_adds_bos(t)) ids[0] = r1_tokenizer_bos(t);
        s = r1_importance_run(j->m, j->u.session, ids, n, err);
        r1_progress_step(&bar, (double)(i * j->chunk + n), (double)j->ids.n);
        if (s == R1_OK && r1_interrupted()) s = r1_fail(err, R1_ECANCELLED, "interrupted after %zu of %zu chunks", i + 1, j->n_chunks);
    }
    r1_interrupt_arm(false);
    r1_progress_end(&bar);
    return s;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* A tensor to write: that of a file, or what a plan makes of one or more. */
typedef struct entry {
    const char *name;
    size_t k, n;                           /* columns, matrices */
    const r1_importance_tensor *t;         /* of a file */
    const r1_made *made;                   /* of a folder */
} entry;

static int compare_tensors(const void *a, const void *b)
{
    const r1_importance_tensor *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : x->keys - y->keys;
}

static int compare_entries(const void *a, const void *b) { return strcmp(((const entry *)a)->name, ((const entry *)b)->name); }

/* What met source i of a made tensor; NULL: nothing did. */
static const r1_importance_tensor *met(const job *j, const r1_made *m, size_t i)
{
    r1_importance_tensor key = { .name = m->src[i]->name, .keys = m->layout == R1_LAYOUT_KEYS };
    return bsearch(&key, j->list, j->n_list, sizeof *j->list, compare_tensors);
}

static r1_status name_tensors(job *j, r1_error *err)
{
    size_t n = j->plan ? j->plan->n : j->n_list;
    j->entries = calloc(r1_max(n, 1), sizeof *j->entries);
    if (!j->entries) return r1_fail(err, R1_ENOMEM, "no memory for the names of %zu tensors", n);
    for (size_t i = 0; i < n && !j->plan; i++) {
        const r1_importance_tensor *t = &j->list[i];
        if (!t->keys) j->entries[j->n_tensors++] = (entry){ t->name, t->k, t->n_matrices, t, NULL };
    }
    for (size_t i = 0; i < n && j->plan; i++) {
        const r1_made *m = &j->plan->t[i];
        bool any = false;
        for (size_t s = 0; s < m->n_src && !any; s++) any = met(j, m, s) != NULL;
        if (any) j->entries[j->n_tensors++] = (entry){ m->name, (size_t)m->ne[0], (size_t)m->ne[2], NULL, m };
    }
    qsort(j->entries, j->n_tensors, sizeof *j->entries, compare_entries);
    return R1_OK;
}

/* sum2[n][k] and counts[n] of an entry. */
static void values_of(const job *j, const entry *x, float *sum2, float *counts)
{
    if (x->t) {
        r1_importance_values(j->m, x->t, sum2, counts);
        return;
    }
    bool heads = x->made->layout == R1_LAYOUT_KEYS || x->made->layout == R1_LAYOUT_VALUES;
    for (size_t i = 0; i < x->made->n_src; i++) { /* heads come from one tensor, experts from one each */
        const r1_importance_tensor *t = met(j, x->made, i);
        if (heads) r1_importance_slices(j->m, t, sum2, counts);
        else if (t) r1_importance_values(j->m, t, sum2 + i * x->k, counts + i);
    }
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static r1_status declare(r1_gguf_out *w, const entry *x, r1_error *err)
{
    char name[300];
    snprintf(name, sizeof name, "%.200s.in_sum2", x->name);
    r1_status s = r1_gguf_out_tensor(w, &(r1_gguf_info){ .name = name, .type = R1_F32, .n_dims = 2, .ne = { x->k, x->n } }, err);
    snprintf(name, sizeof name, "%.200s.counts", x->name);
    if (s == R1_OK) s = r1_gguf_out_tensor(w, &(r1_gguf_info){ .name = name, .type = R1_F32, .n_dims = 2, .ne = { 1, x->n } }, err);
    return s;
}

static r1_status write_values(job *j, r1_gguf_out *w, const entry *x, r1_error *err)
{
    float *sum2 = calloc(x->n * (x->k + 1), sizeof *sum2);
    if (!sum2) return r1_fail(err, R1_ENOMEM, "no memory for the sums of '%s'", x->name);
    float *counts = sum2 + x->n * x->k;
    values_of(j, x, sum2, counts);
    r1_status s = r1_gguf_out_data(w, sum2, x->n * x->k * sizeof *sum2, err);
    if (s == R1_OK) s = r1_gguf_out_data(w, counts, x->n * sizeof *counts, err);
    for (size_t i = 0; i < x->n; i++) j->n_unmet += counts[i] == 0;
    j->n_matrices += x->n;
    free(sum2);
    return s;
}

static r1_status write_matrix(job *j, r1_gguf_out *w, const char *path, r1_error *err)
{
    const char *text = j->c->args[1];
    r1_slice dataset = { text, strlen(text) };
    r1_status s = r1_importance_list(j->m, &j->list, &j->n_list, err);
    if (s == R1_OK) s = name_tensors(j, err);
    if (s == R1_OK) s = r1_gguf_out_str(w, "general.type", "imatrix", 7, err);
    if (s == R1_OK) s = r1_gguf_out_strings(w, "imatrix.datasets", &dataset, 1, err);
    if (s == R1_OK) s = r1_gguf_out_u32(w, "imatrix.chunk_count", (uint32_t)j->n_chunks, err);
    if (s == R1_OK) s = r1_gguf_out_u32(w, "imatrix.chunk_size", (uint32_t)j->chunk, err);
    for (size_t i = 0; i < j->n_tensors && s == R1_OK; i++) s = declare(w, &j->entries[i], err);
    if (s == R1_OK) r1_gguf_out_tell(w, r1_temporary_file, NULL);
    if (s == R1_OK) s = r1_gguf_out_begin(w, path, j->c->o.force, err);
    for (size_t i = 0; i < j->n_tensors && s == R1_OK; i++) s = write_values(j, w, &j->entries[i], err);
    j->bytes = r1_gguf_out_bytes(w);
    return s == R1_OK ? r1_gguf_out_finish(w, err) : s;
}

static r1_status print_result(const job *j, const char *path, double seconds, r1_error *err)
{
    if (j->n_unmet) r1_note(j->c, "%zu of %zu matrices met no token (experts that were not chosen); their columns count alike", j->n_unmet, j->n_matrices);
    if (!j->c->o.json) {
        r1_shown_name shown;
        if (!j->c->o.quiet)
            printf("%s: %zu tensors, %zu tokens in %zu %s of %zu, %.2f MiB\n", r1_shown(shown, path), j->n_tensors, j->ids.n, j->n_chunks, j->n_chunks == 1 ? "chunk" : "chunks",
                   j->chunk, (double)j->bytes / 1048576);
        return R1_OK;
    }
    const r1_model_info *info = r1_model_get_info(j->u.model);
    r1_summary x = { .source_bytes = r1_ckpt_file_bytes(r1_model_checkpoint(j->u.model)), .file_bytes = j->bytes, .seconds = seconds, .no_weights = true };
    r1_status s = R1_OK;
    for (size_t i = 0; i < j->n_tensors && s == R1_OK; i++) {
        uint64_t sums = j->entries[i].n * j->entries[i].k;
        s = r1_summary_add(&x, j->entries[i].name, "F32", sums, 4 * (sums + j->entries[i].n), NULL);
    }
    if (info->parameters) x.bits_per_weight = 8.0 * (double)info->weight_bytes / (double)info->parameters; /* of the model that was read */
    json_t *more = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tokens", (json_int_t)j->ids.n, "chunks", (json_int_t)j->n_chunks, "chunk", (json_int_t)j->chunk,
                             "tensors", (json_int_t)j->n_tensors, "matrices", (json_int_t)j->n_matrices, "matrices_unmet", (json_int_t)j->n_unmet);
    if (s || !more) s = r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    if (s == R1_OK) s = r1_summary_print_json(j->c, &x, path, more, err);
    else json_decref(more);
    r1_summary_deinit(&x);
    return s;
}

r1_status r1_cmd_imatrix(r1_cli *c, r1_error *err)
{
    job j = { .c = c };
    const char *path = c->o.out ? c->o.out : "imatrix.gguf";
    r1_gguf_out *w = NULL;
    double start = r1_now();
    if (!strcmp(path, "-")) return r1_fail(err, R1_EINVAL, "'-' as --out: an importance matrix is written to a file, expected its name");
    r1_status s = r1_check_target(path, c->args[0], err); /* before the work, not after it */
    if (s == R1_OK) s = r1_check_target(path, c->args[1], err);
    if (s == R1_OK) s = r1_overwrite_check(path, c->o.force, err);
    int64_t engine_chunk = c->o.chunk;
    c->o.chunk = 0; /* here it is the length of the pieces of text */
    if (s == R1_OK) s = r1_setup_open(&j.u, c, c->args[0], err);
    c->o.chunk = engine_chunk;
    if (s == R1_OK) s = r1_ckpt_check_target(r1_model_checkpoint(j.u.model), path, err);
    if (s == R1_OK && !r1_ckpt_gguf(r1_model_checkpoint(j.u.model))) s = r1_plan_new(&j.plan, r1_model_checkpoint(j.u.model), true, err);
    if (s == R1_OK) s = read_text(&j, err);
    if (s == R1_OK) s = r1_importance_new(&j.m, j.u.engine, err);
    if (s == R1_OK) s = run_chunks(&j, err);
    if (s == R1_OK) s = r1_gguf_out_new(&w, err);
    if (s == R1_OK) s = write_matrix(&j, w, path, err);
    if (s == R1_OK) s = print_result(&j, path, r1_now() - start, err);
    r1_gguf_out_free(w);
    free(j.entries);
    r1_plan_free(j.plan);
    r1_importance_free(j.m);
    r1_setup_close(&j.u);
    r1_ids_deinit(&j.ids);
    return s;
}
