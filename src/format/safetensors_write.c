/* Writing safetensors: a header of JSON whose length is a multiple of 8, then the tensors without gaps, as safetensors.c
 * demands. */
#define _GNU_SOURCE
#include "format/safetensors_write.h"
#include "base/utf8.h"
#include "base/writer.h"
#include "format/format_int.h"

enum { MAX_HEADER = 100 << 20 }; /* as readers have it */

struct r1_st_out {
    r1_buf names;            /* with their NULs: checked for doubles at the end */
    r1_buf header;           /* from the second tensor on with a leading comma */
    size_t n;
    uint64_t data_bytes, data_done, reported;
    r1_writer file;
    bool begun;
    r1_written watch;
    void *watch_ctx;
    uint64_t total;
};

r1_status r1_st_out_new(r1_st_out **out, r1_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return r1_fail(err, R1_ENOMEM, "no memory for a safetensors file to write");
    r1_buf_init(&(*out)->names, MAX_HEADER);
    r1_buf_init(&(*out)->header, MAX_HEADER);
    (*out)->file.fd = -1;
    return R1_OK;
}

void r1_st_out_free(r1_st_out *w)
{
    if (!w) return;
    r1_writer_abandon(&w->file);
    r1_buf_deinit(&w->names);
    r1_buf_deinit(&w->header);
    free(w);
}

/* A JSON string. Names are valid UTF-8 here. */
static r1_status add_string(r1_buf *b, const char *s, r1_error *err)
{
    r1_status st = r1_buf_adds(b, "\"", err);
    for (; *s && st == R1_OK; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') st = r1_buf_addf(b, err, "\\%c", c);
        else if (c < 0x20) st = r1_buf_addf(b, err, "\\u%04x", c);
        else st = r1_buf_add(b, s, 1, err);
    }
    return st ? st : r1_buf_adds(b, "\"", err);
}

r1_status r1_st_out_tensor(r1_st_out *w, const char *name, r1_type type, int n_dims, const uint64_t *ne, r1_error *err)
{
    size_t mark = w->header.len, mark_names = w->names.len;
    uint64_t bytes = type == R1_F32 ? 4 : type == R1_F16 || type == R1_BF16 ? 2 : 1, end;
    if (w->begun) return r1_fail(err, R1_EINVAL, "tensor '%s' comes after the header was written", name);
    if (!r1_name_is_sound(name, strlen(name)) || !strcmp(name, "__metadata__"))
        return r1_fail(err, R1_EINVAL, "the tensor name '%.160s' is empty, no UTF-8 or __metadata__", name);
    if (bytes == 1 && type != R1_F8_E4M3) return r1_fail(err, R1_EINVAL, "tensor '%s' is %s, which safetensors files do not have", name, r1_type_get(type)->name);
    if (n_dims < 0 || n_dims > 4) return r1_fail(err, R1_EINVAL, "tensor '%s' has %d dimensions, expected 0 to 4", name, n_dims);
    for (int i = 0; i < n_dims; i++)
        if (!r1_mul_ok(bytes, ne[i], &bytes)) return r1_fail(err, R1_EINVAL, "tensor '%s' has more than 2^64 bytes", name);
    if (!r1_add_ok(w->data_bytes, bytes, &end) || end > INT64_MAX / 2) return r1_fail(err, R1_EINVAL, "tensor '%s' makes the file larger than 2^62 bytes", name);
    r1_status s = r1_buf_add(&w->names, name, strlen(name) + 1, err);
    if (s == R1_OK && w->n) s = r1_buf_adds(&w->header, ",", err);
    if (s == R1_OK) s = add_string(&w->header, name, err);
    if (s == R1_OK) s = r1_buf_addf(&w->header, err, ":{\"dtype\":\"%s\",\"shape\":[", r1_type_get(type)->name);
    for (int i = n_dims - 1; i >= 0 && s == R1_OK; i--) s = r1_buf_addf(&w->header, err, "%llu%s", (unsigned long long)ne[i], i ? "," : "");
    if (s == R1_OK)
        s = r1_buf_addf(&w->header, err, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)w->data_bytes, (unsigned long long)end);
    if (s) {
        w->header.len = mark;
        w->names.len = mark_names;
        return s;
    }
    w->n++;
    w->data_bytes = end;
    return R1_OK;
}

static const char head[] = "{\"__metadata__\":{\"format\":\"pt\"}";

/* Header with its opening, closing and padding. */
static size_t header_bytes(const r1_st_out *w) { return r1_round_up(sizeof head - 1 + (w->n ? 1 : 0) + w->header.len + 1, 8); }

uint64_t r1_st_out_bytes(const r1_st_out *w) { return 8 + header_bytes(w) + w->data_bytes; }

void r1_st_out_watch(r1_st_out *w, r1_written fn, void *ctx)
{
    w->watch = fn;
    w->watch_ctx = ctx;
}

static r1_status check_names(const r1_st_out *w, r1_error *err)
{
    r1_names names;
    r1_status s = r1_names_init(&names, w->n, err);
    if (s) return s;
    const char *at = w->names.data;
    for (size_t i = 0; i < w->n; i++) {
        names.e[i] = (r1_name){ { at, strlen(at) }, i };
        at += strlen(at) + 1;
    }
    const r1_name *twice = r1_names_sort(&names);
    if (twice) s = r1_fail(err, R1_EINVAL, "the tensor '%.*s' is declared twice", R1_SLICE_ARG(twice->name));
    r1_names_deinit(&names);
    return s;
}

r1_status r1_st_out_begin(r1_st_out *w, const char *path, bool force, r1_error *err)
{
    uint8_t length[8];
    size_t n = header_bytes(w), used = sizeof head - 1 + (w->n ? 1 : 0) + w->header.len + 1;
    if (w->begun) return r1_fail(err, R1_EINVAL, "the file is begun already");
    if (n > MAX_HEADER) return r1_fail(err, R1_ELIMIT, "a header of %zu bytes, expected at most %d", n, (int)MAX_HEADER);
    r1_status s = check_names(w, err);
    if (s) return s;
    w->total = r1_st_out_bytes(w);
    s = r1_writer_open(&w->file, path, w->total, force, err);
    if (s) return s;
    w->begun = true;
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)n >> 8 * i);
    s = r1_writer_add(&w->file, length, 8, err);
    if (s == R1_OK) s = r1_writer_add(&w->file, head, sizeof head - 1, err);
    if (s == R1_OK && w->n) s = r1_writer_add(&w->file, ",", 1, err);
    if (s == R1_OK) s = r1_writer_add(&w->file, w->header.data, w->header.len, err);
    if (s == R1_OK) s = r1_writer_add(&w->file, "}", 1, err);
    return s ? s : r1_writer_add(&w->file, "        ", n - used, err);
}

r1_status r1_st_out_data(r1_st_out *w, const void *data, size_t n, r1_error *err)
{
    enum { PIECE = 4 << 20, EVERY = 1 << 20 };
    const uint8_t *p = data;
    if (!w->begun) return r1_fail(err, R1_EINVAL, "data come before the header");
    if (n > w->data_bytes - w->data_done)
        return r1_fail(err, R1_EINVAL, "%llu bytes more than the tensors of '%s' have", (unsigned long long)(n - (w->data_bytes - w->data_done)), w->file.path);
    while (n) {
        size_t k = r1_min(n, PIECE);
        r1_status s = r1_writer_add(&w->file, p, k, err);
        if (s) return s;
        p += k;
        n -= k;
        w->data_done += k;
        if (!w->watch || (w->file.done - w->reported < EVERY && w->file.done < w->total)) continue;
        w->reported = w->file.done;
        if (!w->watch(w->watch_ctx, w->file.done, w->total)) return r1_fail(err, R1_ECANCELLED, "writing '%s' was cancelled", w->file.path);
    }
    return R1_OK;
}

r1_status r1_st_out_finish(r1_st_out *w, r1_error *err)
{
    if (!w->begun) return r1_fail(err, R1_EINVAL, "the file was not begun");
    if (w->data_done != w->data_bytes)
        return r1_fail(err, R1_EINVAL, "the tensors have %llu bytes, %llu were given", (unsigned long long)w->data_bytes, (unsigned long long)w->data_done);
    return r1_writer_finish(&w->file, err);
}
