/* The page pool: slabs of reserved address space, and a list of free pages.
 *
 * Pages have numbers, so that what is known of them lies beside them. A session that copies a shared page always finds a free one:
 * every session was promised as many pages as it can hold, and those that are shared are counted in several promises.
 */
#define _GNU_SOURCE
#include "kv/kv.h"
#include "base/half.h"

#include <sys/mman.h>

typedef struct slab {
    uint8_t *data;
    size_t bytes;
} slab;

struct r1_kv_pool {
    r1_kv_shape shape;
    size_t layer_bytes, page_bytes, value_offset; /* value_offset: of V inside a layer */
    slab *slabs; size_t n_slabs;
    size_t n_pages, n_free;
    uint8_t **pages;                              /* [n_pages] by number */
    uint32_t *holders;                            /* [n_pages] sessions that hold it */
    uint32_t *free_numbers;                       /* [n_free], room for all n_pages */
    size_t n_promised;                            /* pages sessions may still ask for or hold */
};

struct r1_kv {
    r1_kv_pool *pool;
    uint8_t **pages; size_t n_pages, max_pages;
    uint32_t *numbers;                            /* [n_pages] of the pages */
};

size_t r1_kv_row_bytes(r1_kv_type type, size_t n)
{
    switch (type) {
    case R1_KV_F32: return 4 * n;
    case R1_KV_Q8_0: return r1_ceil_div(n, 32) * 34;
    default: return 2 * n;
    }
}

r1_status r1_kv_pool_new(r1_kv_pool **out, const r1_kv_shape *shape, r1_error *err)
{
    *out = NULL;
    r1_kv_pool *p = calloc(1, sizeof *p);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for a page pool");
    p->shape = *shape;
    size_t heads = (size_t)shape->n_heads * R1_KV_PAGE;
    p->value_offset = r1_round_up(heads * r1_kv_row_bytes(shape->type, (size_t)shape->key_dim), 64);
    p->layer_bytes = p->value_offset + r1_round_up(heads * r1_kv_row_bytes(shape->type, (size_t)shape->value_dim), 64);
    p->page_bytes = p->layer_bytes * (size_t)shape->n_layers;
    *out = p;
    return R1_OK;
}

void r1_kv_pool_free(r1_kv_pool *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->n_slabs; i++) munmap(p->slabs[i].data, p->slabs[i].bytes);
    free(p->slabs);
    free(p->pages);
    free(p->holders);
    free(p->free_numbers);
    free(p);
}

const r1_kv_shape *r1_kv_pool_shape(const r1_kv_pool *p) { return &p->shape; }
size_t r1_kv_token_bytes(const r1_kv_pool *p) { return p->page_bytes / R1_KV_PAGE; }
size_t r1_kv_page_bytes(const r1_kv_pool *p) { return p->page_bytes; }
size_t r1_kv_pool_used(const r1_kv_pool *p) { return p->n_pages - p->n_free; }

/* "a context ... needs ..., ... is available": what the user of a context that cannot be had should know. */
static r1_status too_large(const r1_kv_pool *p, size_t n_ctx, r1_error *err)
{
    double needed = (double)n_ctx * (double)r1_kv_token_bytes(p), available = (double)r1_memory_available();
    return r1_fail(err, R1_ENOMEM, "a context of %zu tokens needs %.1f MiB for keys and values, %.1f MiB is available; a smaller --ctx needs less",
                   n_ctx, needed / 1048576, available / 1048576);
}

/* Make a table longer; it stays as it is when that fails. */
static bool longer(void *table, size_t n, size_t size)
{
    void **t = table, *p = realloc(*t, n * size);
    if (p) *t = p;
    return p != NULL;
}

/* Reserve address space for n more pages. */
static r1_status grow(r1_kv_pool *p, size_t n, r1_error *err)
{
    uint64_t bytes = (uint64_t)n * p->page_bytes; /* r1_kv_new has looked that it fits */
    size_t all = p->n_pages + n;
    if (all > UINT32_MAX || !longer(&p->slabs, p->n_slabs + 1, sizeof *p->slabs) || !longer(&p->pages, all, sizeof *p->pages) ||
        !longer(&p->holders, all, sizeof *p->holders) || !longer(&p->free_numbers, all, sizeof *p->free_numbers))
        return r1_fail(err, R1_ENOMEM, "no memory for a table of %zu pages", all);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) return too_large(p, n * R1_KV_PAGE, err);
    p->slabs[p->n_slabs++] = (slab){ data, bytes };
    for (size_t i = n; i-- > 0;) {
        p->pages[p->n_pages + i] = (uint8_t *)data + i * p->page_bytes;
        p->holders[p->n_pages + i] = 0;
        p->free_numbers[p->n_free++] = (uint32_t)(p->n_pages + i);
    }
    p->n_pages = all;
    return R1_OK;
}

r1_status r1_kv_new(r1_kv **out, r1_kv_pool *p, size_t n_ctx, r1_error *err)
{
    *out = NULL;
    size_t n = n_ctx / R1_KV_PAGE + (n_ctx % R1_KV_PAGE != 0);
    uint64_t bytes;
    if (!r1_mul_ok(p->n_promised + n, r1_max(p->page_bytes, 1), &bytes) || bytes > (uint64_t)1 << 46)
        return too_large(p, n_ctx, err);
    r1_kv *kv = calloc(1, sizeof *kv);
    uint8_t **pages = calloc(r1_max(n, 1), sizeof *pages);
    uint32_t *numbers = calloc(r1_max(n, 1), sizeof *numbers);
    r1_status s = kv && pages && numbers ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a page table of %zu entries", n);
    if (s == R1_OK && p->n_promised + n > p->n_pages) s = grow(p, p->n_promised + n - p->n_pages, err);
    if (s) {
        free(kv);
        free(pages);
        free(numbers);
        return s;
    }
    *kv = (r1_kv){ .pool = p, .pages = pages, .max_pages = n, .numbers = numbers };
    p->n_promised += n;
    *out = kv;
    return R1_OK;
}

/* Hold a page as number i. */
static void hold(r1_kv *kv, size_t i, uint32_t number)
{
    kv->numbers[i] = number;
    kv->pages[i] = kv->pool->pages[number];
    kv->pool->holders[number]++;
}

static void let_go(r1_kv_pool *p, uint32_t number)
{
    if (--p->holders[number] == 0) p->free_numbers[p->n_free++] = number;
}

void r1_kv_resize(r1_kv *kv, size_t n)
{
    r1_kv_pool *p = kv->pool;
    size_t want = r1_min(r1_ceil_div(n, R1_KV_PAGE), kv->max_pages);
    while (kv->n_pages > want) let_go(p, kv->numbers[--kv->n_pages]);
    for (; kv->n_pages < want; kv->n_pages++) hold(kv, kv->n_pages, p->free_numbers[--p->n_free]);
}

void r1_kv_share(r1_kv *kv, const r1_kv *from, size_t n)
{
    size_t want = r1_min(r1_ceil_div(n, R1_KV_PAGE), r1_min(kv->max_pages, from->n_pages));
    for (; kv->n_pages < want; kv->n_pages++) hold(kv, kv->n_pages, from->numbers[kv->n_pages]);
}

void r1_kv_own(r1_kv *kv, size_t t)
{
    r1_kv_pool *p = kv->pool;
    for (size_t i = t / R1_KV_PAGE; i < kv->n_pages; i++) {
        uint32_t old = kv->numbers[i];
        if (p->holders[old] == 1) continue;
        hold(kv, i, p->free_numbers[--p->n_free]);
        memcpy(kv->pages[i], p->pages[old], p->page_bytes);
        let_go(p, old);
    }
}

void r1_kv_free(r1_kv *kv)
{
    if (!kv) return;
    r1_kv_resize(kv, 0);
    kv->pool->n_promised -= kv->max_pages;
    free(kv->pages);
    free(kv->numbers);
    free(kv);
}

const r1_kv_shape *r1_kv_shape_of(const r1_kv *kv) { return &kv->pool->shape; }
size_t r1_kv_bytes(const r1_kv *kv) { return kv->n_pages * kv->pool->page_bytes; }
size_t r1_kv_pages(const r1_kv *kv) { return kv->n_pages; }
bool r1_kv_shared(const r1_kv *kv, size_t t) { return t / R1_KV_PAGE < kv->n_pages && kv->pool->holders[kv->numbers[t / R1_KV_PAGE]] > 1; }

uint8_t *r1_kv_keys(const r1_kv *kv, int layer, int head, size_t t)
{
    const r1_kv_pool *p = kv->pool;
    return kv->pages[t / R1_KV_PAGE] + (size_t)layer * p->layer_bytes +
           (size_t)head * R1_KV_PAGE * r1_kv_row_bytes(p->shape.type, (size_t)p->shape.key_dim);
}

uint8_t *r1_kv_values(const r1_kv *kv, int layer, int head, size_t t)
{
    const r1_kv_pool *p = kv->pool;
    return kv->pages[t / R1_KV_PAGE] + (size_t)layer * p->layer_bytes + p->value_offset +
           (size_t)head * R1_KV_PAGE * r1_kv_row_bytes(p->shape.type, (size_t)p->shape.value_dim);
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* As the Q8_0 weight format: d = amax / 127 stored as f16, codes rounded to nearest even with the unrounded d; what is missing
 * in a started block is zero. A block that holds something not finite becomes NaN as a whole, so that it is seen. */
static void store_q8_0(const r1_kernels *k, uint8_t *dst, const float *x, size_t n)
{
    enum { AT_ONCE = 8 };
    int8_t q[32 * AT_ONCE];
    float d[AT_ONCE], last[32] = { 0 };
    int32_t sum[AT_ONCE];
    const r1_act8 a = { .q = q, .d = d, .sum = sum, .group = 32, .sub = 32 };
    for (size_t i = 0, m; i < n; i += m) {
        m = r1_min(n - i, 32 * AT_ONCE);
        if (m >= 32) m = m / 32 * 32;
        if (m < 32) memcpy(last, x + i, m * sizeof(float));
        k->quantize(&a, 0, m < 32 ? last : x + i, r1_round_up(m, 32));
        for (size_t b = 0; b < r1_ceil_div(m, 32); b++, dst += 34) {
            uint16_t h = r1_f16_from_f32(d[b]);
            memcpy(dst, &h, 2);
            memcpy(dst + 2, q + 32 * b, 32);
        }
    }
}

void r1_kv_store(r1_kv_type type, const r1_kernels *k, uint8_t *dst, const float *x, size_t n)
{
    switch (type) {
    case R1_KV_F32: memcpy(dst, x, 4 * n); break;
    case R1_KV_BF16: k->f32_to_bf16((uint16_t *)(void *)dst, x, n); break;
    case R1_KV_Q8_0: store_q8_0(k, dst, x, n); break;
    default: k->f32_to_f16((uint16_t *)(void *)dst, x, n); break;
    }
}

void r1_kv_load(r1_kv_type type, const r1_kernels *k, float *dst, const uint8_t *src, size_t n)
{
    r1_type t = type == R1_KV_F32 ? R1_F32 : type == R1_KV_BF16 ? R1_BF16 : type == R1_KV_Q8_0 ? R1_Q8_0 : R1_F16;
    size_t whole = type == R1_KV_Q8_0 ? n / 32 * 32 : n;
    if (k->decode[t]) k->decode[t](src, dst, whole);
    else r1_decode(t, src, dst, whole);
    if (whole < n) { /* the started block at the end of a row */
        float last[32];
        r1_decode(R1_Q8_0, src + whole / 32 * 34, last, 32);
        memcpy(dst + whole, last, (n - whole) * sizeof(float));
    }
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

enum { PART = 256 /* values of a column moved at a time; a multiple of 32 */ };

/* Values of column `slot`, as a row has them, to or from a page whose keys are columns: n values from value `first`. */
static void move_column(r1_kv_type type, uint8_t *page, size_t slot, uint8_t *row, size_t first, size_t n, bool store)
{
    size_t size = type == R1_KV_F32 ? 4 : type == R1_KV_Q8_0 ? 1 : 2;
    if (type != R1_KV_Q8_0) {
        uint8_t *at = page + (first * R1_KV_PAGE + slot) * size;
        for (size_t j = 0; j < n; j++, at += R1_KV_PAGE * size) {
            uint8_t *a = store ? at : row + j * size;
            const uint8_t *b = store ? row + j * size : at;
            if (size == 2) memcpy(a, b, 2);
            else memcpy(a, b, 4);
        }
        return;
    }
    for (size_t i = 0; i < n; i += 32, row += 34) {
        uint8_t *d = page + (first + i) / 32 * (R1_KV_PAGE * 34), *q = d + R1_KV_PAGE * 2;
        memcpy(store ? d + 2 * slot : row, store ? row : d + 2 * slot, 2);
        for (size_t j = 0; j < 32; j++)
            if (store) q[j * R1_KV_PAGE + slot] = row[2 + j];
            else row[2 + j] = q[j * R1_KV_PAGE + slot];
    }
}

void r1_kv_store_key(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, const float *x)
{
    const r1_kv_shape *s = &kv->pool->shape;
    uint8_t *page = r1_kv_keys(kv, layer, head, t), row[4 * PART];
    size_t n = (size_t)s->key_dim, slot = t % R1_KV_PAGE;
    if (!s->value_dim) {
        r1_kv_store(s->type, k, page + slot * r1_kv_row_bytes(s->type, n), x, n);
        return;
    }
    for (size_t i = 0; i < n; i += PART) {
        r1_kv_store(s->type, k, row, x + i, r1_min(PART, n - i));
        move_column(s->type, page, slot, row, i, r1_min(PART, n - i), true);
    }
}

void r1_kv_load_key(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, float *x)
{
    const r1_kv_shape *s = &kv->pool->shape;
    uint8_t *page = r1_kv_keys(kv, layer, head, t), row[4 * PART];
    size_t n = (size_t)s->key_dim, slot = t % R1_KV_PAGE;
    if (!s->value_dim) {
        r1_kv_load(s->type, k, x, page + slot * r1_kv_row_bytes(s->type, n), n);
        return;
    }
    for (size_t i = 0; i < n; i += PART) {
        move_column(s->type, page, slot, row, i, r1_min(PART, n - i), false);
        r1_kv_load(s->type, k, x + i, row, r1_min(PART, n - i));
    }
}

static uint8_t *value_row(const r1_kv *kv, int layer, int head, size_t t)
{
    const r1_kv_shape *s = &kv->pool->shape;
    return r1_kv_values(kv, layer, head, t) + t % R1_KV_PAGE * r1_kv_row_bytes(s->type, (size_t)s->value_dim);
}

void r1_kv_store_value(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, const float *x)
{
    const r1_kv_shape *s = &kv->pool->shape;
    r1_kv_store(s->type, k, value_row(kv, layer, head, t), x, (size_t)s->value_dim);
}

void r1_kv_load_value(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, float *x)
{
    const r1_kv_shape *s = &kv->pool->shape;
    r1_kv_load(s->type, k, x, value_row(kv, layer, head, t), (size_t)s->value_dim);
}

static const char *const type_names[] = { "auto", "f16", "bf16", "q8_0", "f32" };

const char *r1_kv_type_name(r1_kv_type type) { return type_names[type]; }

bool r1_kv_type_parse(const char *s, r1_kv_type *out)
{
    for (size_t i = 0; i < R1_COUNT(type_names); i++) {
        if (strcmp(s, type_names[i])) continue;
        *out = (r1_kv_type)i;
        return true;
    }
    return false;
}
