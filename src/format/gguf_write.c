/* Writing GGUF: the header is gathered in memory, the data stream through.
 *
 * Invariants: what is written here is accepted by gguf.c: keys and names are sound and occur once, offsets are multiples of
 * the alignment, every declared byte is there. Each key and value is kept as its encoded bytes, so that copying from another
 * file is bit for bit whatever the type, nested arrays included. Looking keys up is linear: real files have under 100.
 * Names of tensors are checked for doubles once, in _begin, when all are known. */
#define _GNU_SOURCE
#include "format/gguf_write.h"
#include "base/writer.h"
#include "format/format_int.h"

enum {
    MAX_KEY = 65535, MAX_NAME = 127, MAX_ALIGNMENT = 1 << 20, /* as gguf.c reads them */
    MAX_TENSORS = 1 << 20,
    MAX_HEADER = 1 << 30,
};

typedef struct entry {
    char *key;
    uint32_t type;
    uint8_t *value;
    size_t n_value;
} entry;

typedef struct item {
    char *name;
    unsigned type;
    int n_dims;
    uint64_t ne[4], bytes;
} item;

struct r1_gguf_out {
    entry *kv;
    size_t n_kv, cap_kv;
    item *tensors;
    size_t n_tensors, cap_tensors;
    size_t alignment;
    uint64_t header_bytes;      /* of the infos and keys so far, without padding */
    uint64_t data_bytes;        /* padded */
    r1_writer file;
    bool begun;
    size_t now;                 /* the tensor whose data come next */
    uint64_t now_done;          /* bytes of it that are written */
    uint64_t total, reported;
    r1_written watch;
    void *watch_ctx;
};

r1_status r1_gguf_out_new(r1_gguf_out **out, r1_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return r1_fail(err, R1_ENOMEM, "no memory for a GGUF file to write");
    (*out)->alignment = 32;
    (*out)->file.fd = -1;
    (*out)->header_bytes = 4 + 4 + 8 + 8;
    return R1_OK;
}

static void free_entry(entry *e)
{
    free(e->key);
    free(e->value);
}

void r1_gguf_out_free(r1_gguf_out *w)
{
    if (!w) return;
    r1_writer_abandon(&w->file);
    for (size_t i = 0; i < w->n_kv; i++) free_entry(&w->kv[i]);
    for (size_t i = 0; i < w->n_tensors; i++) free(w->tensors[i].name);
    free(w->kv);
    free(w->tensors);
    free(w);
}

/* ---- metadata --------------------------------------------------------------------------------------------------- */

static uint64_t entry_bytes(const entry *e) { return 8 + strlen(e->key) + 4 + e->n_value; }

static size_t find_key(const r1_gguf_out *w, const char *key, size_t n)
{
    for (size_t i = 0; i < w->n_kv; i++)
        if (!strncmp(w->kv[i].key, key, n) && !w->kv[i].key[n]) return i;
    return SIZE_MAX;
}

bool r1_gguf_out_has(const r1_gguf_out *w, const char *key) { return find_key(w, key, strlen(key)) != SIZE_MAX; }

void r1_gguf_out_remove(r1_gguf_out *w, const char *key)
{
    size_t i = find_key(w, key, strlen(key));
    if (i == SIZE_MAX) return;
    w->header_bytes -= entry_bytes(&w->kv[i]);
    free_entry(&w->kv[i]);
    memmove(&w->kv[i], &w->kv[i + 1], (--w->n_kv - i) * sizeof *w->kv);
}

/* Room for one more element of an array of `size`-byte elements. */
static bool grow(void **p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return true;
    size_t more = r1_max(16, *cap * 2);
    void *q = realloc(*p, more * size);
    if (!q) return false;
    *p = q;
    *cap = more;
    return true;
}

/* Takes value (malloc'ed), also after an error. */
static r1_status set_take(r1_gguf_out *w, r1_slice key, r1_gguf_type type, uint8_t *value, size_t n, r1_error *err)
{
    entry e = { NULL, (uint32_t)type, value, n };
    r1_status s = R1_OK;
    if (w->begun) s = r1_fail(err, R1_EINVAL, "the metadata key '%.*s' comes after the header was written", R1_SLICE_ARG(key));
    else if (key.n > MAX_KEY || !r1_name_is_sound(key.p, key.n))
        s = r1_fail(err, R1_EINVAL, "the metadata key '%.*s' is empty, longer than %d bytes or no UTF-8", R1_SLICE_ARG(key), MAX_KEY);
    else if (w->header_bytes + n > MAX_HEADER)
        s = r1_fail(err, R1_ELIMIT, "the metadata have more than %d bytes with key '%.*s'", MAX_HEADER, R1_SLICE_ARG(key));
    if (s == R1_OK) {
        e.key = strndup(key.p, key.n);
        if (!value || !e.key || !grow((void **)&w->kv, w->n_kv, &w->cap_kv, sizeof *w->kv))
            s = r1_fail(err, R1_ENOMEM, "no memory for metadata key '%.*s' of %zu bytes", R1_SLICE_ARG(key), n);
    }
    if (s) {
        free_entry(&e);
        return s;
    }
    size_t i = find_key(w, e.key, key.n);
    if (i == SIZE_MAX) {
        w->kv[w->n_kv++] = e;
    } else {
        w->header_bytes -= entry_bytes(&w->kv[i]);
        free_entry(&w->kv[i]);
        w->kv[i] = e;
    }
    w->header_bytes += entry_bytes(&e);
    return R1_OK;
}

static r1_slice slice_of(const char *s) { return (r1_slice){ s, strlen(s) }; }

static void put_le(uint8_t *p, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> 8 * i);
}

r1_status r1_gguf_out_copy(r1_gguf_out *w, const r1_gguf_kv *kv, r1_error *err)
{
    uint8_t *p = malloc(r1_max(kv->stored_bytes, 1));
    if (p) memcpy(p, kv->stored, kv->stored_bytes);
    return set_take(w, kv->key, kv->type, p, kv->stored_bytes, err);
}

r1_status r1_gguf_out_copy_keys(r1_gguf_out *w, const r1_gguf *g, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < r1_gguf_n_kv(g) && s == R1_OK; i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        bool split = kv->key.n > 6 && !memcmp(kv->key.p, "split.", 6);
        bool alignment = kv->key.n == 17 && !memcmp(kv->key.p, "general.alignment", 17);
        if (!split && !alignment) s = r1_gguf_out_copy(w, kv, err);
    }
    return s;
}

static r1_status set_bits(r1_gguf_out *w, const char *key, r1_gguf_type type, uint64_t bits, r1_error *err)
{
    size_t n = r1_gguf_type_size(type);
    uint8_t *p = malloc(8);
    if (p) put_le(p, bits, n);
    return set_take(w, slice_of(key), type, p, n, err);
}

r1_status r1_gguf_out_int(r1_gguf_out *w, const char *key, r1_gguf_type type, int64_t v, r1_error *err)
{
    int64_t lo = 0, hi = 0;
    switch (type) {
    case R1_GGUF_U8: hi = UINT8_MAX; break;
    case R1_GGUF_I8: lo = INT8_MIN, hi = INT8_MAX; break;
    case R1_GGUF_U16: hi = UINT16_MAX; break;
    case R1_GGUF_I16: lo = INT16_MIN, hi = INT16_MAX; break;
    case R1_GGUF_U32: hi = UINT32_MAX; break;
    case R1_GGUF_I32: lo = INT32_MIN, hi = INT32_MAX; break;
    case R1_GGUF_U64: hi = INT64_MAX; break;
    case R1_GGUF_I64: lo = INT64_MIN, hi = INT64_MAX; break;
    default: return r1_fail(err, R1_EINVAL, "'%s': %s is no type of integers", key, r1_gguf_type_name(type));
    }
    if (v < lo || v > hi) return r1_fail(err, R1_EINVAL, "'%s' is %lld, which is no %s", key, (long long)v, r1_gguf_type_name(type));
    return set_bits(w, key, type, (uint64_t)v, err);
}

r1_status r1_gguf_out_u32(r1_gguf_out *w, const char *key, uint32_t v, r1_error *err) { return set_bits(w, key, R1_GGUF_U32, v, err); }
r1_status r1_gguf_out_bool(r1_gguf_out *w, const char *key, bool v, r1_error *err) { return set_bits(w, key, R1_GGUF_BOOL, v, err); }

r1_status r1_gguf_out_real(r1_gguf_out *w, const char *key, r1_gguf_type type, double v, r1_error *err)
{
    float f = (float)v;
    uint64_t bits = 0;
    if (type == R1_GGUF_F32) memcpy(&bits, &f, sizeof f); /* little-endian machine */
    else if (type == R1_GGUF_F64) memcpy(&bits, &v, sizeof v);
    else return r1_fail(err, R1_EINVAL, "'%s': %s is no type of reals", key, r1_gguf_type_name(type));
    return set_bits(w, key, type, bits, err);
}

r1_status r1_gguf_out_str(r1_gguf_out *w, const char *key, const char *text, size_t n, r1_error *err)
{
    uint8_t *p = malloc(8 + n);
    if (p) {
        put_le(p, n, 8);
        if (n) memcpy(p + 8, text, n);
    }
    return set_take(w, slice_of(key), R1_GGUF_STRING, p, 8 + n, err);
}

r1_status r1_gguf_out_array(r1_gguf_out *w, const char *key, r1_gguf_type type, const void *values, size_t n, r1_error *err)
{
    size_t size = r1_gguf_type_size(type), bytes = 12 + n * size;
    if (!size) return r1_fail(err, R1_EINVAL, "'%s': %s is no type of fixed size", key, r1_gguf_type_name(type));
    if (n > MAX_HEADER / size) return r1_fail(err, R1_ELIMIT, "'%s' has %zu values, expected at most %zu", key, n, MAX_HEADER / size);
    uint8_t *p = malloc(bytes);
    if (p) {
        put_le(p, type, 4);
        put_le(p + 4, n, 8);
        if (n) memcpy(p + 12, values, n * size);
    }
    return set_take(w, slice_of(key), R1_GGUF_ARRAY, p, bytes, err);
}

r1_status r1_gguf_out_strings(r1_gguf_out *w, const char *key, const r1_slice *texts, size_t n, r1_error *err)
{
    size_t bytes = 12;
    for (size_t i = 0; i < n; i++) bytes += 8 + texts[i].n;
    uint8_t *p = malloc(bytes), *at = p;
    if (p) {
        put_le(at, R1_GGUF_STRING, 4);
        put_le(at + 4, n, 8);
        at += 12;
        for (size_t i = 0; i < n; i++) {
            put_le(at, texts[i].n, 8);
            if (texts[i].n) memcpy(at + 8, texts[i].p, texts[i].n);
            at += 8 + texts[i].n;
        }
    }
    return set_take(w, slice_of(key), R1_GGUF_ARRAY, p, bytes, err);
}

r1_status r1_gguf_out_align(r1_gguf_out *w, size_t alignment, r1_error *err)
{
    if (alignment < 8 || alignment > MAX_ALIGNMENT || alignment & (alignment - 1))
        return r1_fail(err, R1_EINVAL, "an alignment of %zu, expected a power of two from 8 to %d", alignment, (int)MAX_ALIGNMENT);
    if (w->n_tensors) return r1_fail(err, R1_EINVAL, "the alignment must be set before the first tensor");
    w->alignment = alignment;
    if (alignment != 32) return r1_gguf_out_u32(w, "general.alignment", (uint32_t)alignment, err);
    r1_gguf_out_remove(w, "general.alignment");
    return R1_OK;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

static r1_status tensor_bytes(const r1_gguf_info *t, uint64_t *bytes, r1_error *err)
{
    uint64_t rows = 1, count;
    if (t->n_dims < 1 || t->n_dims > 4) return r1_fail(err, R1_EINVAL, "tensor '%s' has %d dimensions, expected 1 to 4", t->name, t->n_dims);
    for (int i = 0; i < t->n_dims; i++) {
        if (t->ne[i] == 0) return r1_fail(err, R1_EINVAL, "dimension %d of tensor '%s' is 0", i, t->name);
        if (i && !r1_mul_ok(rows, t->ne[i], &rows)) return r1_fail(err, R1_EINVAL, "tensor '%s' has more than 2^64 rows", t->name);
    }
    if (!r1_mul_ok(rows, t->ne[0], &count) || count > INT64_MAX) return r1_fail(err, R1_EINVAL, "tensor '%s' has more than 2^63 elements", t->name);
    *bytes = t->bytes;
    if (*bytes) return R1_OK;
    const r1_type_info *info = r1_type_get(t->type);
    if (!info || t->type >= R1_F8_E4M3) return r1_fail(err, R1_EINVAL, "tensor '%s' has type %u, whose size is not known", t->name, t->type);
    if (t->ne[0] % info->block)
        return r1_fail(err, R1_EINVAL, "rows of tensor '%s' have %llu values, expected a multiple of %u for %s", t->name, (unsigned long long)t->ne[0],
                       info->block, info->name);
    if (!r1_mul_ok(count / info->block, info->bytes, bytes)) return r1_fail(err, R1_EINVAL, "tensor '%s' has more than 2^64 bytes", t->name);
    return R1_OK;
}

r1_status r1_gguf_out_tensor(r1_gguf_out *w, const r1_gguf_info *t, r1_error *err)
{
    size_t n = strlen(t->name);
    uint64_t bytes = 0;
    if (w->begun) return r1_fail(err, R1_EINVAL, "tensor '%s' comes after the header was written", t->name);
    if (n > MAX_NAME || !r1_name_is_sound(t->name, n))
        return r1_fail(err, R1_EINVAL, "the tensor name '%.160s' is empty, longer than %d bytes or no UTF-8", t->name, (int)MAX_NAME);
    r1_status s = tensor_bytes(t, &bytes, err);
    if (s) return s;
    if (w->n_tensors == MAX_TENSORS) return r1_fail(err, R1_ELIMIT, "more than %d tensors", (int)MAX_TENSORS);
    if (bytes > INT64_MAX / 2 || w->data_bytes > INT64_MAX / 2 - bytes) return r1_fail(err, R1_EINVAL, "tensor '%s' makes the file larger than 2^62 bytes", t->name);
    char *name = strdup(t->name);
    if (!name || !grow((void **)&w->tensors, w->n_tensors, &w->cap_tensors, sizeof *w->tensors)) {
        free(name);
        return r1_fail(err, R1_ENOMEM, "no memory for tensor '%s'", t->name);
    }
    item *it = &w->tensors[w->n_tensors++];
    *it = (item){ .name = name, .type = t->type, .n_dims = t->n_dims, .bytes = bytes };
    for (int i = 0; i < t->n_dims; i++) it->ne[i] = t->ne[i];
    w->header_bytes += 8 + n + 4 + 8 * (uint64_t)t->n_dims + 4 + 8;
    w->data_bytes += r1_round_up(bytes, w->alignment);
    return R1_OK;
}

uint64_t r1_gguf_out_bytes(const r1_gguf_out *w) { return r1_round_up(w->header_bytes, w->alignment) + w->data_bytes; }

/* ---- writing ---------------------------------------------------------------------------------------------------- */

void r1_gguf_out_watch(r1_gguf_out *w, r1_written fn, void *ctx)
{
    w->watch = fn;
    w->watch_ctx = ctx;
}

static r1_status check_names(const r1_gguf_out *w, r1_error *err)
{
    r1_names names;
    r1_status s = r1_names_init(&names, w->n_tensors, err);
    if (s) return s;
    for (size_t i = 0; i < w->n_tensors; i++) names.e[i] = (r1_name){ slice_of(w->tensors[i].name), i };
    const r1_name *twice = r1_names_sort(&names);
    if (twice) s = r1_fail(err, R1_EINVAL, "the tensor '%.*s' is declared twice", R1_SLICE_ARG(twice->name));
    r1_names_deinit(&names);
    return s;
}

static r1_status add_le(r1_gguf_out *w, uint64_t v, size_t bytes, r1_error *err)
{
    uint8_t b[8];
    put_le(b, v, bytes);
    return r1_writer_add(&w->file, b, bytes, err);
}

static r1_status add_text(r1_gguf_out *w, const char *s, r1_error *err)
{
    r1_status st = add_le(w, strlen(s), 8, err);
    return st ? st : r1_writer_add(&w->file, s, strlen(s), err);
}

static r1_status add_padding(r1_gguf_out *w, r1_error *err)
{
    static const uint8_t zeros[256];
    r1_status s = R1_OK;
    for (size_t left = (size_t)(-w->file.done & (w->alignment - 1)); left && s == R1_OK;) {
        size_t n = r1_min(left, sizeof zeros);
        s = r1_writer_add(&w->file, zeros, n, err);
        left -= n;
    }
    return s;
}

static r1_status add_header(r1_gguf_out *w, r1_error *err)
{
    uint64_t offset = 0;
    r1_status s = r1_writer_add(&w->file, "GGUF", 4, err);
    if (s == R1_OK) s = add_le(w, 3, 4, err);
    if (s == R1_OK) s = add_le(w, w->n_tensors, 8, err);
    if (s == R1_OK) s = add_le(w, w->n_kv, 8, err);
    for (size_t i = 0; i < w->n_kv && s == R1_OK; i++) {
        s = add_text(w, w->kv[i].key, err);
        if (s == R1_OK) s = add_le(w, w->kv[i].type, 4, err);
        if (s == R1_OK) s = r1_writer_add(&w->file, w->kv[i].value, w->kv[i].n_value, err);
    }
    for (size_t i = 0; i < w->n_tensors && s == R1_OK; i++) {
        const item *t = &w->tensors[i];
        s = add_text(w, t->name, err);
        if (s == R1_OK) s = add_le(w, (uint64_t)t->n_dims, 4, err);
        for (int d = 0; d < t->n_dims && s == R1_OK; d++) s = add_le(w, t->ne[d], 8, err);
        if (s == R1_OK) s = add_le(w, t->type, 4, err);
        if (s == R1_OK) s = add_le(w, offset, 8, err);
        offset += r1_round_up(t->bytes, w->alignment);
    }
    return s ? s : add_padding(w, err);
}

void r1_gguf_out_tell(r1_gguf_out *w, r1_temporary fn, void *ctx)
{
    w->file.tell = fn;
    w->file.ctx = ctx;
}

r1_status r1_gguf_out_begin(r1_gguf_out *w, const char *path, bool force, r1_error *err)
{
    if (w->begun) return r1_fail(err, R1_EINVAL, "the file is begun already");
    r1_status s = check_names(w, err);
    if (s) return s;
    w->total = r1_gguf_out_bytes(w);
    s = r1_writer_open(&w->file, path, w->total, force, err);
    if (s) return s;
    w->begun = true;
    return add_header(w, err);
}

static r1_status report(r1_gguf_out *w, r1_error *err)
{
    enum { EVERY = 1 << 20 };
    if (!w->watch || (w->file.done - w->reported < EVERY && w->file.done < w->total)) return R1_OK;
    w->reported = w->file.done;
    if (w->watch(w->watch_ctx, w->file.done, w->total)) return R1_OK;
    return r1_fail(err, R1_ECANCELLED, "writing '%s' was cancelled", w->file.path);
}

r1_status r1_gguf_out_data(r1_gguf_out *w, const void *data, size_t n, r1_error *err)
{
    enum { PIECE = 4 << 20 }; /* between two looks at whether to go on */
    const uint8_t *p = data;
    if (!w->begun) return r1_fail(err, R1_EINVAL, "data come before the header");
    while (n) {
        if (w->now == w->n_tensors) return r1_fail(err, R1_EINVAL, "%zu bytes more than the tensors of '%s' have", n, w->file.path);
        const item *t = &w->tensors[w->now];
        size_t k = r1_min(r1_min(n, PIECE), (size_t)(t->bytes - w->now_done));
        r1_status s = r1_writer_add(&w->file, p, k, err);
        p += k;
        n -= k;
        w->now_done += k;
        if (s == R1_OK && w->now_done == t->bytes) {
            w->now++;
            w->now_done = 0;
            s = add_padding(w, err);
        }
        if (s == R1_OK) s = report(w, err);
        if (s) return s;
    }
    return R1_OK;
}

r1_status r1_gguf_out_finish(r1_gguf_out *w, r1_error *err)
{
    if (!w->begun) return r1_fail(err, R1_EINVAL, "the file was not begun");
    if (w->now < w->n_tensors)
        return r1_fail(err, R1_EINVAL, "tensor '%s' has %llu bytes, %llu were given", w->tensors[w->now].name, (unsigned long long)w->tensors[w->now].bytes,
                       (unsigned long long)w->now_done);
    return r1_writer_finish(&w->file, err);
}
