/* Importance matrices: how much each input column of a weight was used on some text, collected by `r1 imatrix` or llama.cpp.
 *
 * A column's weight is the mean square of its input, in_sum2 / counts. What is not finite or below zero in the file is an
 * error; a matrix of a stack (an expert) that no token came to says nothing and counts every column alike. llama.cpp keeps the
 * sums of a stack that every token passes (attn_k_b and attn_v_b: a matrix for each head) as one long row with one count, which
 * is that of each matrix; `r1 imatrix` writes them as those of experts. */
#define _GNU_SOURCE
#include "convert/convert.h"

#include <math.h>
#include <stdio.h>

struct r1_imatrix {
    r1_gguf *g;
    char *path;      /* for messages */
};

/* The older form: int32 number of entries, then for each the int32 length of its name, the name, ... */
static bool is_older_form(const char *path)
{
    uint8_t head[8 + 64] = { 0 };
    FILE *f = fopen(path, "rb");
    size_t got = f ? fread(head, 1, sizeof head, f) : 0;
    uint32_t entries, length, i = 0;
    if (f) fclose(f);
    memcpy(&entries, head, 4);
    memcpy(&length, head + 4, 4);
    if (got < 16 || entries == 0 || entries > 1 << 20 || length < 5 || length > 4096) return false;
    while (i < length && i < 64 && head[8 + i] > ' ' && head[8 + i] < 0x7f) i++;
    return i == (length < 64 ? length : 64);
}

r1_status r1_imatrix_open(r1_imatrix **out, const char *path, r1_error *err)
{
    r1_slice type = { 0 };
    *out = calloc(1, sizeof **out);
    if (*out) (*out)->path = strdup(path);
    if (!*out || !(*out)->path) {
        r1_imatrix_close(*out);
        *out = NULL;
        return r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    }
    r1_status s = r1_gguf_open(&(*out)->g, path, err);
    if (s == R1_EFORMAT && is_older_form(path))
        s = r1_fail(err, R1_EUNSUPPORTED, "'%s' is an importance matrix in the older binary form; `r1 imatrix` and newer llama-imatrix write a GGUF file, which is "
                    "what is supported", path);
    if (s == R1_EFORMAT) s = r1_context(err, s, "an importance matrix is expected as a GGUF file, which `r1 imatrix` and newer llama-imatrix write");
    if (s == R1_OK) s = r1_context(err, r1_gguf_str((*out)->g, "general.type", false, &type, err), "'%s'", path);
    if (s == R1_OK && (type.n != 7 || memcmp(type.p, "imatrix", 7)))
        s = r1_fail(err, R1_EFORMAT, "'%s' has general.type '%.*s', expected 'imatrix'", path, (int)r1_min(type.n, 64), type.n ? type.p : "");
    if (s) {
        r1_imatrix_close(*out);
        *out = NULL;
    }
    return s;
}

void r1_imatrix_close(r1_imatrix *m)
{
    if (!m) return;
    r1_gguf_close(m->g);
    free(m->path);
    free(m);
}

/* Whether the sums are those of all matrices of a stack in one row. */
static bool in_one_row(const r1_gguf_tensor *sums, const r1_made *t)
{
    return t->ne[2] > 1 && sums->ne[0] == t->ne[0] * t->ne[2] && sums->ne[1] * sums->ne[2] * sums->ne[3] == 1;
}

static r1_status check(const r1_gguf_tensor *sums, const r1_gguf_tensor *counts, const r1_made *t, r1_error *err)
{
    if (!counts) return r1_fail(err, R1_EFORMAT, "it has '%s.in_sum2', but no '%s.counts'", t->name, t->name);
    if (sums->type != R1_F32 || counts->type != R1_F32 || sums->packed || counts->packed)
        return r1_fail(err, R1_EFORMAT, "'%s.in_sum2' or its counts are not F32", t->name);
    uint64_t n = sums->ne[1] * sums->ne[2] * sums->ne[3], n_counts = counts->ne[0] * counts->ne[1] * counts->ne[2] * counts->ne[3];
    bool fits = in_one_row(sums, t) || (sums->ne[0] == t->ne[0] && (n == 1 || n == t->ne[2]));
    if (fits && n_counts == n) return R1_OK;
    char many[80] = "";
    if (t->ne[2] > 1) snprintf(many, sizeof many, " for all matrices or for each of %llu", (unsigned long long)t->ne[2]);
    if (fits)
        return r1_fail(err, R1_EFORMAT, "'%s.counts' has %llu numbers, expected %llu, as many as '%s.in_sum2' has rows", t->name, (unsigned long long)n_counts,
                       (unsigned long long)n, t->name);
    return r1_fail(err, R1_EFORMAT, "'%s.in_sum2' has %llu x %llu sums, expected one for each of %llu columns%s; it is of another model", t->name,
                   (unsigned long long)n, (unsigned long long)sums->ne[0], (unsigned long long)t->ne[0], many);
}

r1_status r1_imatrix_weights(const r1_imatrix *m, const r1_made *t, float **w, size_t *n_matrices, r1_error *err)
{
    char name[300];
    *w = NULL;
    *n_matrices = 0;
    snprintf(name, sizeof name, "%.200s.in_sum2", t->name);
    const r1_gguf_tensor *sums = r1_gguf_find_tensor(m->g, name);
    if (!sums) return R1_OK;
    snprintf(name, sizeof name, "%.200s.counts", t->name);
    const r1_gguf_tensor *counts = r1_gguf_find_tensor(m->g, name);
    r1_status s = r1_context(err, check(sums, counts, t, err), "the importance matrix '%s'", m->path);
    if (s) return s;
    bool row = in_one_row(sums, t);
    size_t n = (size_t)(row ? t->ne[2] : sums->ne[1] * sums->ne[2] * sums->ne[3]), k = (size_t)t->ne[0];
    *w = malloc(n * k * sizeof **w);
    if (!*w) return r1_fail(err, R1_ENOMEM, "no memory for the importance of '%s'", t->name);
    r1_decode(R1_F32, sums->data, *w, n * k);
    for (size_t i = 0; i < n && s == R1_OK; i++) {
        float count;
        memcpy(&count, counts->data + (row ? 0 : 4 * i), 4);
        for (size_t c = 0; c < k && s == R1_OK; c++) {
            float *x = &(*w)[i * k + c];
            if (!(*x >= 0) || !isfinite(*x) || !(count >= 0) || !isfinite(count))
                s = r1_fail(err, R1_EFORMAT, "the importance matrix '%s' holds %g of %g for column %zu of '%s', expected numbers from 0", m->path, (double)*x,
                            (double)count, c, t->name);
            *x = count > 0 ? *x / count : 1;
        }
    }
    if (s) {
        free(*w);
        *w = NULL;
    } else {
        *n_matrices = n;
    }
    return s;
}
