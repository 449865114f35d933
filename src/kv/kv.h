/* kv: pages of keys and values (or latents), shared out to sessions.
 *
 * A page holds R1_KV_PAGE tokens of every layer. Its layout for one layer:
 *     K [n_heads][key_dim][R1_KV_PAGE]    then    V [n_heads][R1_KV_PAGE][row bytes of value_dim]
 * Keys lie as columns, so that scores of neighbouring keys come from neighbouring values. In Q8_0 each 32 dimensions of a head
 * are R1_KV_PAGE f16 scales and then [32][R1_KV_PAGE] codes.
 * For latent attention n_heads is 1, key_dim the latent and the rope key, value_dim 0: the value is the start of the key, and
 * keys lie as rows, [R1_KV_PAGE][row bytes of key_dim].
 * Address space for a session's whole context is reserved when it opens, memory is taken by the system as pages are first
 * written, so a step never allocates. Sessions whose texts begin alike may hold the same pages; who wants to write into one that
 * others hold, too, gets a copy first (r1_kv_own). Threads: one at a time.
 */
#ifndef R1_KV_KV_H
#define R1_KV_KV_H

#include "base/base.h"
#include "kernels/kernels.h"

#ifdef R1_TINY
enum { R1_KV_PAGE = 3 };
#else
enum { R1_KV_PAGE = R1_KEYS };
#endif

typedef struct r1_kv_shape {
    r1_kv_type type;          /* not AUTO */
    int n_layers, n_heads;
    int key_dim, value_dim;
} r1_kv_shape;

typedef struct r1_kv_pool r1_kv_pool;
typedef struct r1_kv r1_kv;   /* one session's pages */

r1_status r1_kv_pool_new(r1_kv_pool **out, const r1_kv_shape *shape, r1_error *err) R1_MUST_CHECK;
void r1_kv_pool_free(r1_kv_pool *p);
const r1_kv_shape *r1_kv_pool_shape(const r1_kv_pool *p);
size_t r1_kv_token_bytes(const r1_kv_pool *p); /* one token, all layers */

/* Reserve for n_ctx tokens. Errors: R1_ENOMEM with needed bytes. */
r1_status r1_kv_new(r1_kv **out, r1_kv_pool *p, size_t n_ctx, r1_error *err) R1_MUST_CHECK;
void r1_kv_free(r1_kv *kv);

/* Make pages for tokens [0, n) exist; n at most n_ctx. Pages past n are given back. */
void r1_kv_resize(r1_kv *kv, size_t n);
/* Hold the pages of the first n tokens of another session of the pool together with it. kv is empty and has room for n. */
void r1_kv_share(r1_kv *kv, const r1_kv *from, size_t n);
/* Before tokens from t on are written: copy what pages of them are there and are held by others, too. */
void r1_kv_own(r1_kv *kv, size_t t);
size_t r1_kv_bytes(const r1_kv *kv);           /* of the pages it holds, shared ones too */
size_t r1_kv_pages(const r1_kv *kv);
bool r1_kv_shared(const r1_kv *kv, size_t t);  /* the page of token t is there and held by others, too */
size_t r1_kv_pool_used(const r1_kv_pool *p);   /* pages sessions hold, each counted once */
size_t r1_kv_page_bytes(const r1_kv_pool *p);
const r1_kv_shape *r1_kv_shape_of(const r1_kv *kv);

/* Keys (or values) of head h in the page that holds token t; token t's row or column is number t % R1_KV_PAGE. */
uint8_t *r1_kv_keys(const r1_kv *kv, int layer, int head, size_t t);
uint8_t *r1_kv_values(const r1_kv *kv, int layer, int head, size_t t);

/* Round the key (or value) of token t into the cache; read it back as f32. Threads: different tokens at the same time. */
void r1_kv_store_key(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, const float *x);
void r1_kv_store_value(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, const float *x);
void r1_kv_load_key(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, float *x);
void r1_kv_load_value(const r1_kv *kv, const r1_kernels *k, int layer, int head, size_t t, float *x);

/* Bytes of a row of n values: F32 4n, F16/BF16 2n, Q8_0 34 a started block of 32. */
size_t r1_kv_row_bytes(r1_kv_type type, size_t n);
/* Round a row into the form of the cache; read rows back as f32 (dst may not overlap). */
void r1_kv_store(r1_kv_type type, const r1_kernels *k, uint8_t *dst, const float *x, size_t n);
void r1_kv_load(r1_kv_type type, const r1_kernels *k, float *dst, const uint8_t *src, size_t n);
const char *r1_kv_type_name(r1_kv_type type);
bool r1_kv_type_parse(const char *s, r1_kv_type *out); /* "f16", "bf16", "q8_0", "f32", "auto" */

#endif
