/* Making a tensor's bytes: rows decoded from the source, put into their new places, encoded, given to a sink in order.
 *
 * Memory is bounded: a batch of some million values at a time, a scratch of rows for each thread. Pieces of a batch go to
 * threads; each writes its own bytes, so the result does not depend on how many there are. Where type and rows stay, bytes
 * are copied and nothing is decoded. The unit that cannot be divided is a row, or a head where rows become columns, or the 128 rows that
 * have a scale of F8_E4M3 in common. */
#include "convert/convert.h"
#include "quant/encode.h"

enum {
    BATCH_VALUES = 4 << 20,   /* between two looks at whether to go on: half a second of the slowest encoder */
    PIECE_VALUES = 1 << 16,
    FP8_BLOCK = 128,
};

typedef struct job {
    const r1_made *m;
    uint64_t first, n;        /* rows of this batch */
    uint64_t piece;           /* rows of a piece */
    size_t k, row_bytes;
    bool copy;                /* bytes as they are */
    const float *importance;
    size_t n_matrices;
    uint8_t *out;
    float *scratch;           /* [threads][scratch_floats] */
    size_t scratch_floats;
    r1_made_error *errors;    /* [pieces] */
    bool measure;
} job;

/* Rows that can only be made together. */
static uint64_t unit_rows(const r1_made *m)
{
    return m->layout == R1_LAYOUT_KEYS ? m->lora : m->layout == R1_LAYOUT_KEYS_VALUES ? m->head : 1;
}

/* The same for what is encoded: bands of F8_E4M3 hold whole heads. */
static uint64_t band_rows(const r1_made *m)
{
    uint64_t a = unit_rows(m), b = m->type == R1_F8_E4M3 ? FP8_BLOCK : 1, band = a;
    while (band % b) band += a;
    return band;
}

/* The source of a row, where rows stay rows. */
static const r1_ckpt_tensor *place(const r1_made *m, uint64_t r, uint64_t *row)
{
    uint64_t h, q;
    switch (m->layout) {
    case R1_LAYOUT_TO_PAIRS:
        h = r / m->head, q = r % m->head;
        *row = h * m->head + q % 2 * (m->head / 2) + q / 2;
        return m->src[0];
    case R1_LAYOUT_TO_HALVES:
        h = r / m->head, q = r % m->head;
        *row = h * m->head + q % (m->head / 2) * 2 + q / (m->head / 2);
        return m->src[0];
    case R1_LAYOUT_VALUES:
        h = r / (m->head - m->nope), q = r % (m->head - m->nope);
        *row = h * m->head + m->nope + q;
        return m->src[0];
    default:
        *row = m->first_row + r % m->src_rows;
        return m->src[r / m->src_rows];
    }
}

static const uint8_t *row_bytes(const r1_ckpt_tensor *t, uint64_t row) { return t->data + row * r1_row_bytes(t->type, (size_t)t->ne[0]); }

static void decode_row(const r1_ckpt_tensor *t, uint64_t row, float *x)
{
    size_t k = (size_t)t->ne[0];
    r1_decode(t->type, row_bytes(t, row), x, k);
    if (!t->scale) return;
    const uint8_t *scales = t->scale + row / 128 * r1_ceil_div(k, 128) * 4;
    for (size_t i = 0; i < k; i++) {
        float s;
        memcpy(&s, scales + i / 128 * 4, sizeof s);
        x[i] *= s;
    }
}

/* Head h of attn_k_b: [lora][nope] from the key rows [nope][lora]. */
static void transpose_keys(const r1_made *m, uint64_t h, float *x, float *line)
{
    for (uint64_t n = 0; n < m->nope; n++) {
        decode_row(m->src[0], h * m->head + n, line);
        for (uint64_t l = 0; l < m->lora; l++) x[l * m->nope + n] = line[l];
    }
}

/* Head h of kv_b: key rows [nope][lora] from attn_k_b [lora][nope], then the value rows. */
static void join_head(const r1_made *m, uint64_t h, float *x, float *line)
{
    uint64_t v = m->head - m->nope;
    for (uint64_t l = 0; l < m->lora; l++) {
        decode_row(m->src[0], h * m->lora + l, line);
        for (uint64_t n = 0; n < m->nope; n++) x[n * m->lora + l] = line[n];
    }
    for (uint64_t j = 0; j < v; j++) decode_row(m->src[1], h * v + j, x + (m->nope + j) * m->lora);
}

/* Rows [r, r + n), whole units, as floats. */
static void decode_rows(const r1_made *m, uint64_t r, uint64_t n, float *x, float *line)
{
    uint64_t unit = unit_rows(m), k = m->ne[0];
    for (uint64_t i = 0; i < n; i += unit) {
        float *to = x + i * k;
        uint64_t row;
        if (m->layout == R1_LAYOUT_KEYS) transpose_keys(m, (r + i) / unit, to, line);
        else if (m->layout == R1_LAYOUT_KEYS_VALUES) join_head(m, (r + i) / unit, to, line);
        else if (m->layout == R1_LAYOUT_GIVEN) memcpy(to, m->given + (r + i) * k, k * sizeof *to);
        else {
            const r1_ckpt_tensor *t = place(m, r + i, &row);
            decode_row(t, row, to);
        }
    }
}

static void measure(r1_type type, const float *x, const uint8_t *bytes, float *line, size_t k, r1_made_error *e)
{
    r1_decode(type, bytes, line, k);
    for (size_t i = 0; i < k; i++) {
        double d = (double)line[i] - (double)x[i];
        if (!(d - d == 0)) continue; /* counted as bad */
        e->error2 += d * d;
        e->value2 += (double)x[i] * (double)x[i];
    }
}

/* Rows from `first` on, which begins a band. */
static void encode_fp8(const r1_made *m, uint64_t first, uint64_t n, const float *x, uint8_t *out, r1_made_error *e)
{
    size_t k = (size_t)m->ne[0], per_row = r1_ceil_div(k, FP8_BLOCK);
    for (uint64_t r = 0; r < n; r += FP8_BLOCK)
        for (size_t b = 0; b < per_row; b++) {
            size_t at = (size_t)r * k + b * FP8_BLOCK, rows = r1_min((size_t)(n - r), FP8_BLOCK), columns = r1_min(k - b * FP8_BLOCK, FP8_BLOCK);
            float scale;
            e->n_bad += r1_encode_fp8(x + at, k, rows, columns, out + at, &scale);
            if (m->scales) m->scales[(first + r) / FP8_BLOCK * per_row + b] = scale;
            for (size_t i = 0; i < rows; i++)
                for (size_t c = 0; c < columns; c++) {
                    double v = (double)x[at + i * k + c], d = (double)(r1_e4m3_table[out[at + i * k + c]] * scale) - v;
                    if (!(d - d == 0)) continue;
                    e->error2 += d * d;
                    e->value2 += v * v;
                }
        }
}

static void make_piece(void *ctx, size_t i, int thread)
{
    const job *j = ctx;
    const r1_made *m = j->m;
    uint64_t at = i * j->piece, n = j->n - at < j->piece ? j->n - at : j->piece, first = j->first + at;
    uint8_t *out = j->out + at * j->row_bytes;
    if (j->copy) {
        for (uint64_t r = 0; r < n; r++) {
            uint64_t row;
            const r1_ckpt_tensor *t = place(m, first + r, &row);
            memcpy(out + r * j->row_bytes, row_bytes(t, row), j->row_bytes);
        }
        return;
    }
    float *x = j->scratch + (size_t)thread * j->scratch_floats, *line = x + j->piece * j->k;
    r1_made_error e = { 0 };
    decode_rows(m, first, n, x, line);
    if (m->type == R1_F8_E4M3) encode_fp8(m, first, n, x, out, &e);
    for (uint64_t r = 0; r < n && m->type != R1_F8_E4M3; r++) {
        size_t matrix = j->n_matrices > 1 ? (size_t)((first + r) / m->ne[1]) : 0;
        uint8_t *to = out + r * j->row_bytes;
        e.n_bad += r1_encode(m->type, x + r * j->k, to, j->k, j->importance ? j->importance + matrix * j->k : NULL);
        if (j->measure) measure(m->type, x + r * j->k, to, line, j->k, &e);
    }
    j->errors[i] = e;
}

static bool same_type(const r1_made *m)
{
    if (m->n_src == 0 || unit_rows(m) > 1 || (m->type == R1_F8_E4M3 && (m->layout != R1_LAYOUT_SAME || m->n_src > 1 || m->first_row))) return false;
    for (size_t i = 0; i < m->n_src; i++)
        if (m->src[i]->type != m->type) return false;
    return true;
}

static r1_status run(job *j, uint64_t rows, uint64_t batch, r1_pool *pool, r1_made_error *e, r1_sink sink, void *ctx, r1_error *err)
{
    r1_status s = R1_OK;
    for (j->first = 0; j->first < rows && s == R1_OK; j->first += batch) {
        j->n = rows - j->first < batch ? rows - j->first : batch;
        size_t pieces = (size_t)((j->n + j->piece - 1) / j->piece);
        r1_pool_run(pool, pieces, make_piece, j);
        for (size_t i = 0; e && !j->copy && i < pieces; i++) {
            e->error2 += j->errors[i].error2;
            e->value2 += j->errors[i].value2;
            e->n_bad += j->errors[i].n_bad;
        }
        s = sink(ctx, j->out, (size_t)j->n * j->row_bytes, err);
    }
    return s;
}

/* Give back the pages of the file that were read. */
static void forget(const r1_made *m)
{
    for (size_t i = 0; i < m->n_src; i++)
        if (m->src[i]->map) r1_map_forget(m->src[i]->map, m->src[i]->data, (size_t)m->src[i]->bytes);
}

r1_status r1_make(const r1_made *m, r1_pool *pool, const float *importance, size_t n_matrices, r1_made_error *e, r1_sink sink, void *ctx,
                  r1_error *err)
{
    uint64_t rows = m->ne[1] * m->ne[2] * m->ne[3], unit = band_rows(m), k = m->ne[0];
    uint64_t piece = r1_max(1, PIECE_VALUES / r1_max((size_t)(k * unit), 1)) * unit, batch = r1_max(1, BATCH_VALUES / r1_max((size_t)(k * piece), 1)) * piece;
    job j = { .m = m, .piece = piece, .k = (size_t)k, .row_bytes = r1_row_bytes(m->type, (size_t)k), .copy = same_type(m), .importance = importance,
              .n_matrices = n_matrices, .measure = e && m->type != R1_F32 };
    r1_made_error sum = { 0 };
    uint64_t threads = pool ? (uint64_t)r1_pool_threads(pool) : 1, line = k > m->lora ? k : m->lora;
    if (piece > rows) piece = j.piece = rows;
    if (batch > rows) batch = rows;
    j.scratch_floats = r1_round_up((size_t)(piece * k + line), 16);
    j.out = malloc((size_t)batch * j.row_bytes);
    j.errors = calloc((size_t)((batch + piece - 1) / piece), sizeof *j.errors);
    j.scratch = j.copy ? NULL : r1_alloc_scratch((size_t)threads * j.scratch_floats * sizeof *j.scratch);
    r1_status s = R1_OK;
    if (!j.out || !j.errors || (!j.copy && !j.scratch))
        s = r1_fail(err, R1_ENOMEM, "tensor '%s' needs %.1f MiB to be made, %.1f MiB is available", m->name,
                    (double)((size_t)batch * j.row_bytes + (size_t)threads * j.scratch_floats * 4) / 1048576, (double)r1_memory_available() / 1048576);
    if (s == R1_OK && j.copy && m->scales) memcpy(m->scales, m->src[0]->scale, (size_t)r1_made_scales(m) * sizeof *m->scales);
    if (s == R1_OK) s = run(&j, rows, batch, pool, &sum, sink, ctx, err);
    if (e) {
        e->error2 += sum.error2;
        e->value2 += sum.value2;
        e->n_bad += sum.n_bad;
    }
    free(j.out);
    free(j.errors);
    free(j.scratch);
    forget(m);
    return s;
}
