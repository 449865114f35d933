/* The page pool: slabs of reserved address space, and a list of free pages. */
#define _GNU_SOURCE
#include "kv/kv.h"
#include "base/half.h"

#include <math.h>
#include <sys/mman.h>

typedef struct slab {
    uint8_t *data;
    size_t bytes;
} slab;

struct r1_kv_pool {
    r1_kv_shape shape;
    size_t layer_bytes, page_bytes, value_offset; /* value_offset: of V inside a layer */
    slab *slabs; size_t n_slabs;
    uint8_t **free_pages; size_t n_free, n_pages; /* free_pages has room for all n_pages */
    size_t n_promised;                            /* pages sessions may still ask for or hold */
};

struct r1_kv {
    r1_kv_pool *pool;
    uint8_t **pages; size_t n_pages, max_pages;
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
    free(p->free_pages);
    free(p);
}

const r1_kv_shape *r1_kv_pool_shape(const r1_kv_pool *p) { return &p->shape; }
size_t r1_kv_token_bytes(const r1_kv_pool *p) { return p->page_bytes / R1_KV_PAGE; }

/* "a context ... needs ..., ... is available": what the user of a context that cannot be had should know. */
static r1_status too_large(const r1_kv_pool *p, size_t n_ctx, r1_error *err)
{
    double needed = (double)n_ctx * (double)r1_kv_token_bytes(p), available = (double)r1_memory_available();
    return r1_fail(err, R1_ENOMEM, "a context of %zu tokens needs %.1f MiB for keys and values, %.1f MiB is available; a smaller --ctx needs less",
                   n_ctx, needed / 1048576, available / 1048576);
}

/* Reserve address space for n more pages. */
static r1_status grow(r1_kv_pool *p, size_t n, r1_error *err)
{
    uint64_t bytes = (uint64_t)n * p->page_bytes; /* r1_kv_new has looked that it fits */
    slab *slabs = realloc(p->slabs, (p->n_slabs + 1) * sizeof *slabs);
    if (slabs) p->slabs = slabs;
    uint8_t **pages = realloc(p->free_pages, (p->n_pages + n) * sizeof *pages);
    if (pages) p->free_pages = pages;
    if (!slabs || !pages) return r1_fail(err, R1_ENOMEM, "no memory for a table of %zu pages", n);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) return too_large(p, n * R1_KV_PAGE, err);
    p->slabs[p->n_slabs++] = (slab){ data, bytes };
    p->n_pages += n;
    for (size_t i = n; i-- > 0;) p->free_pages[p->n_free++] = (uint8_t *)data + i * p->page_bytes;
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
    r1_status s = kv && pages ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a page table of %zu entries", n);
    if (s == R1_OK && p->n_promised + n > p->n_pages) s = grow(p, p->n_promised + n - p->n_pages, err);
    if (s) {
        free(kv);
        free(pages);
        return s;
    }
    *kv = (r1_kv){ .pool = p, .pages = pages, .max_pages = n };
    p->n_promised += n;
    *out = kv;
    return R1_OK;
}

void r1_kv_resize(r1_kv *kv, size_t n)
{
    r1_kv_pool *p = kv->pool;
    size_t want = r1_min(r1_ceil_div(n, R1_KV_PAGE), kv->max_pages);
    while (kv->n_pages > want) p->free_pages[p->n_free++] = kv->pages[--kv->n_pages];
    while (kv->n_pages < want) kv->pages[kv->n_pages++] = p->free_pages[--p->n_free];
}

void r1_kv_free(r1_kv *kv)
{
    if (!kv) return;
    r1_kv_resize(kv, 0);
    kv->pool->n_promised -= kv->max_pages;
    free(kv->pages);
    free(kv);
}

const r1_kv_shape *r1_kv_shape_of(const r1_kv *kv) { return &kv->pool->shape; }
size_t r1_kv_bytes(const r1_kv *kv) { return kv->n_pages * kv->pool->page_bytes; }

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

/* As the Q8_0 weight format: d = amax / 127 stored as f16, codes rounded to nearest even with the unrounded d. A block that
 * holds something not finite becomes NaN as a whole, so that it is seen. */
static void store_q8_0(uint8_t *dst, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 32, dst += 34) {
        size_t m = r1_min(32, n - i);
        float amax = 0;
        bool finite = true;
        for (size_t j = 0; j < m; j++) {
            amax = fmaxf(amax, fabsf(x[i + j]));
            finite = finite && isfinite(x[i + j]);
        }
        float inv = amax > 0 ? 127.0f / amax : 0;
        uint16_t d = r1_f16_from_f32(finite ? amax / 127.0f : NAN);
        memcpy(dst, &d, 2);
        memset(dst + 2, 0, 32);
        for (size_t j = 0; j < m; j++) {
            float q = rintf(x[i + j] * inv);
            ((int8_t *)dst)[2 + j] = (int8_t)(q >= -127 && q <= 127 ? q : 0);
        }
    }
}

void r1_kv_store(r1_kv_type type, const r1_kernels *k, uint8_t *dst, const float *x, size_t n)
{
    switch (type) {
    case R1_KV_F32: memcpy(dst, x, 4 * n); break;
    case R1_KV_BF16: k->f32_to_bf16((uint16_t *)(void *)dst, x, n); break;
    case R1_KV_Q8_0: store_q8_0(dst, x, n); break;
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
