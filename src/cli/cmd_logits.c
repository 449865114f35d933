/* r1 logits: the numbers a model computes for given ids, as NPY or JSON files: logits, hidden states, routes, MTP.
 *
 * Logits of a long text with a large vocabulary are gigabytes, so plain logits go to the file in pieces of one chunk;
 * what the traces give is small, but for the MTP logits, and comes in one piece.
 */
#include "cli/cli.h"
#include "base/writer.h"

typedef struct job {
    r1_cli *c;
    r1_setup u;
    const r1_model_info *info;
    r1_ids ids;
    r1_outfile out;
} job;

static r1_status no_memory(uint64_t bytes, const char *what, r1_error *err)
{
    return r1_fail(err, R1_ENOMEM, "no memory for %s: %llu bytes are needed", what, (unsigned long long)bytes);
}

static r1_status alloc_floats(float **p, uint64_t rows, uint64_t columns, const char *what, r1_error *err)
{
    uint64_t n, bytes;
    *p = NULL;
    if (!r1_mul_ok(rows, columns, &n) || !r1_mul_ok(n, sizeof(float), &bytes) || bytes > SIZE_MAX) return no_memory(UINT64_MAX, what, err);
    *p = malloc(bytes ? bytes : 1);
    return *p ? R1_OK : no_memory(bytes, what, err);
}

static r1_status write_header(job *j, size_t rows, size_t columns, r1_error *err)
{
    char header[192];
    r1_status s = j->out.tmp ? r1_disk_check(j->c->o.out, sizeof header + (uint64_t)rows * columns * sizeof(float), err) : R1_OK;
    return s ? s : r1_outfile_add(&j->out, header, r1_npy_header(header, rows, columns), err);
}

/* Rows of a trace: all, or with --last the last one. */
static r1_status write_rows(job *j, const float *p, size_t rows, size_t columns, r1_error *err)
{
    size_t first = j->c->o.last && rows ? rows - 1 : 0;
    r1_status s = write_header(j, rows - first, columns, err);
    if (s == R1_OK) s = r1_outfile_add(&j->out, p + first * columns, (rows - first) * columns * sizeof *p, err);
    return s;
}

/* ---- plain logits ---------------------------------------------------------------------------------------------- */

static r1_status plain_logits(job *j, r1_error *err)
{
    const size_t piece_bytes = (size_t)64 << 20;
    size_t V = (size_t)j->info->n_vocab, n = j->ids.n, done = 0;
    bool last = j->c->o.last;
    size_t piece = j->c->o.chunk ? (size_t)j->c->o.chunk : r1_max(1, r1_min(512, piece_bytes / (V * sizeof(float))));
    if (last || piece > n) piece = n;
    float *logits;
    r1_status s = alloc_floats(&logits, last ? 1 : piece, V, "the logits", err);
    if (s == R1_OK) s = write_header(j, last ? 1 : n, V, err);
    r1_progress bar;
    r1_progress_begin(&bar, &j->c->err, j->c->o.quiet, "logits", "tokens");
    while (done < n && s == R1_OK) {
        size_t k = r1_min(piece, n - done), rows = last ? 1 : k;
        r1_batch_row row = { j->u.session, j->ids.ids + done, k, logits, rows };
        s = r1_batch_step(j->u.engine, &row, 1, err);
        if (s == R1_OK) s = r1_outfile_add(&j->out, logits, rows * V * sizeof *logits, err);
        if (s == R1_OK && r1_interrupted()) s = r1_fail(err, R1_ECANCELLED, "interrupted after %zu of %zu tokens", done + k, n);
        done += k;
        r1_progress_step(&bar, (double)done, (double)n);
    }
    r1_progress_end(&bar);
    free(logits);
    return s;
}

/* ---- traces ---------------------------------------------------------------------------------------------------- */

static r1_status hidden_states(job *j, r1_error *err)
{
    int64_t layer = j->c->o.hidden;
    size_t D = (size_t)j->info->n_embd, n = j->ids.n;
    if (layer > j->info->n_layers)
        return r1_fail(err, R1_EINVAL, "--hidden is %lld, expected 0 (the embedding) to %d (after the last layer)", (long long)layer, j->info->n_layers);
    float *hidden;
    r1_status s = alloc_floats(&hidden, n, D, "the hidden states", err);
    r1_trace trace = { .hidden_layer = (int)layer, .hidden = hidden };
    if (s == R1_OK) s = r1_engine_trace(j->u.session, j->ids.ids, n, NULL, 0, &trace, err);
    if (s == R1_OK) s = write_rows(j, hidden, n, D, err);
    free(hidden);
    return s;
}

static r1_status mtp_logits(job *j, r1_error *err)
{
    size_t V = (size_t)j->info->n_vocab, n = j->ids.n;
    if (!r1_model_has_mtp(j->u.model)) return r1_fail(err, R1_EUNSUPPORTED, "'%s' has no MTP module", j->c->args[0]);
    if (n < 2) return r1_fail(err, R1_EFORMAT, "'%s' has %zu id, expected at least 2 for MTP logits", j->c->o.ids_file, n);
    float *logits;
    r1_status s = alloc_floats(&logits, n - 1, V, "the MTP logits", err);
    r1_trace trace = { .hidden_layer = -1, .mtp_logits = logits };
    if (s == R1_OK) s = r1_engine_trace(j->u.session, j->ids.ids, n, NULL, 0, &trace, err);
    if (s == R1_OK) s = write_rows(j, logits, n - 1, V, err);
    free(logits);
    return s;
}

static json_t *route_rows(const job *j, const int32_t *ids, const float *weights, size_t K)
{
    size_t n = j->ids.n, first = j->c->o.last && n ? n - 1 : 0;
    json_t *rows = json_array();
    for (size_t t = first; t < n; t++) {
        json_t *row = json_array();
        for (size_t i = 0; i < K; i++)
            json_array_append_new(row, ids ? json_integer(ids[t * K + i]) : json_real((double)weights[t * K + i]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static r1_status routes(job *j, r1_error *err)
{
    const int32_t *layers;
    size_t L = (size_t)r1_model_moe_layers(j->u.model, &layers), K = (size_t)r1_model_experts_used(j->u.model), n = j->ids.n;
    if (L == 0) return r1_fail(err, R1_EUNSUPPORTED, "'%s' has no routed layers", j->c->args[0]);
    float *weights = NULL;
    int32_t *ids = malloc(L * n * K * sizeof *ids);
    r1_status s = ids ? alloc_floats(&weights, L * n, K, "the routes", err) : no_memory(L * n * K * sizeof *ids, "the routes", err);
    r1_trace trace = { .hidden_layer = -1, .route_ids = ids, .route_weights = weights };
    if (s == R1_OK) s = r1_engine_trace(j->u.session, j->ids.ids, n, NULL, 0, &trace, err);
    json_t *list = json_array();
    for (size_t l = 0; l < L && s == R1_OK; l++)
        json_array_append_new(list, json_pack("{s:i, s:o, s:o}", "layer", layers[l], "ids", route_rows(j, ids + l * n * K, NULL, K),
                                              "weights", route_rows(j, NULL, weights + l * n * K, K)));
    json_t *v = json_pack("{s:o}", "layers", list);
    char *text = v && s == R1_OK ? json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (s == R1_OK && !text) s = no_memory(L * n * K * 16, "the routes", err);
    if (s == R1_OK) s = r1_outfile_add(&j->out, text, strlen(text), err);
    if (s == R1_OK) s = r1_outfile_add(&j->out, "\n", 1, err);
    free(text);
    json_decref(v);
    free(ids);
    free(weights);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------- */

static r1_status check_options(const r1_opts *o, r1_error *err)
{
    if (!o->ids_file) return r1_fail(err, R1_EINVAL, "'logits' needs --ids FILE, a file of ids separated by blanks");
    if (!o->out && !o->router) return r1_fail(err, R1_EINVAL, "'logits' needs --out FILE; '-' is standard output");
    if ((o->hidden != INT64_MIN) + o->router + o->mtp > 1)
        return r1_fail(err, R1_EINVAL, "--hidden, --router and --mtp exclude each other: one run writes one file");
    return R1_OK;
}

r1_status r1_cmd_logits(r1_cli *c, r1_error *err)
{
    job j = { .c = c };
    r1_status s = check_options(&c->o, err);
    if (s == R1_OK) s = r1_read_ids(c->o.ids_file, &j.ids, err);
    if (s == R1_OK && c->o.out) s = r1_check_target(c->o.out, c->o.ids_file, err);
    if (s == R1_OK) s = r1_outfile_open(&j.out, c->o.out ? c->o.out : "-", c->o.force, err); /* a refused name should not cost a load */
    if (s == R1_OK) s = r1_setup_open(&j.u, c, c->args[0], err);
    if (s == R1_OK && c->o.out) s = r1_ckpt_check_target(r1_model_checkpoint(j.u.model), c->o.out, err);
    if (s == R1_OK) {
        j.info = r1_model_get_info(j.u.model);
        s = r1_check_ids(&j.ids, &j.u, c->o.ids_file, err);
    }
    if (s == R1_OK) {
        r1_interrupt_arm(true);
        s = c->o.router ? routes(&j, err) : c->o.mtp ? mtp_logits(&j, err) : c->o.hidden != INT64_MIN ? hidden_states(&j, err) : plain_logits(&j, err);
        r1_interrupt_arm(false);
    }
    if (s == R1_OK) s = r1_outfile_finish(&j.out, err);
    r1_outfile_abandon(&j.out);
    r1_setup_close(&j.u);
    r1_ids_deinit(&j.ids);
    return s;
}
