/* Products of bf16 weights and bf16 activations, AVX-512: matmul_bf16_fours.
 *
 * One lane is one row of a weight and one accumulator, so a chain has no tree at its end. Weights lie row after row as in the file; 32
 * values of 16 rows are turned into 16 registers with 64 shuffles. Of several columns 512 values of two panels are turned at a time
 * and meet 12 columns after 12, with 24 accumulators in registers for all 512 values; between such slabs they rest in y, which is exact.
 * With one column the registers are used at once, and memory is the limit.
 *
 * Without the instruction (Zen 4 and Zen 5 have it) the same chain is made of fused steps in float32, with denormals flushed by the control word. */
#include "kernels/avx512/gemm_avx512.h"

enum { SLAB = 512, SLAB_PAIRS = SLAB / 2, TILE_COLUMNS = 12, TILES = 44 /* whose activations stay in L2 while rows go by */ };

typedef struct fours_call {
    float *y; size_t ldy;
    const uint8_t *w; size_t w_stride, R;
    const uint16_t *x; size_t C, K;
} fours_call;

typedef struct fours_tile {
    const __m512i *w;      /* [pairs][2 panels] */
    const uint16_t *x;     /* the first pair of the first column */
    size_t x_step;         /* bytes from four columns to the next */
    float *sum;            /* [columns][2 panels][16], 64-byte aligned: read and written */
    size_t n;              /* pairs */
} fours_tile;

/* ---- several columns ---- */

#define TAKE(i, q, d, c, n, a, b) "vmovaps 128*" #n "(%[sum]), %%zmm" #a "\n\tvmovaps 128*" #n "+64(%[sum]), %%zmm" #b "\n\t"
#define PUT(i, q, d, c, n, a, b) "vmovaps %%zmm" #a ", 128*" #n "(%[sum])\n\tvmovaps %%zmm" #b ", 128*" #n "+64(%[sum])\n\t"
#define PAIR(i, q, d, c, n, a, b) "vpbroadcastd 4*" #c q ", %%zmm26\n\tvdpbf16ps %%zmm26, %%zmm24, %%zmm" #a "\n\tvdpbf16ps %%zmm26, %%zmm25, %%zmm" #b "\n\t"
#define PAIRS(columns) \
    const __m512i *w = t->w; \
    const uint16_t *q = t->x; \
    size_t n = t->n; \
    __asm__ volatile(columns(TAKE, 0) ".p2align 5\n1:\n\tvmovdqa64 (%[w]), %%zmm24\n\tvmovdqa64 64(%[w]), %%zmm25\n\t" columns(PAIR, 0) \
                     "add $128, %[w]\n\tadd $16, %[q]\n\tdec %[n]\n\tjnz 1b\n\t" columns(PUT, 0) \
                     : [w] "+r"(w), [q] "+r"(q), [n] "+r"(n) : [step] "r"(t->x_step), [sum] "r"(t->sum) : "cc", "memory", ZMMS)

static inline void pairs_4(const fours_tile *t) { PAIRS(EACH_4); }
static inline void pairs_8(const fours_tile *t) { PAIRS(EACH_8); }
static inline void pairs_12(const fours_tile *t) { PAIRS(EACH_12); }

INLINE __m512 even(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }
INLINE __m512 odd(__m512i pairs) { return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000))); }

/* acc + a pair of values in every lane: the instruction in other words, where MXCSR says FTZ and DAZ. */
INLINE __m512 fused_pair(__m512 acc, __m512i w, __m512i x) { return _mm512_fmadd_ps(even(w), even(x), _mm512_fmadd_ps(odd(w), odd(x), acc)); }

/* Four columns. */
static inline void fused_4(const fours_tile *t, const uint16_t *x, float *sum)
{
    __m512 acc[8];
    UNROLL for (int i = 0; i < 8; i++) acc[i] = _mm512_load_ps(sum + 16 * i);
    for (size_t k = 0; k < t->n; k++, x += 8) {
        UNROLL for (int c = 0; c < 4; c++) {
            const __m512i v = every32(x + 2 * c);
            acc[2 * c] = fused_pair(acc[2 * c], t->w[2 * k], v);
            acc[2 * c + 1] = fused_pair(acc[2 * c + 1], t->w[2 * k + 1], v);
        }
    }
    UNROLL for (int i = 0; i < 8; i++) _mm512_store_ps(sum + 16 * i, acc[i]);
}

INLINE void tile_pairs(const bool instruction, const fours_tile *t, size_t columns)
{
    if (!instruction)
        for (size_t g = 0; g < r1_ceil_div(columns, 4); g++) fused_4(t, t->x + g * t->x_step / 2, t->sum + g * 128);
    else if (columns > 8) pairs_12(t);
    else if (columns > 4) pairs_8(t);
    else pairs_4(t);
}

INLINE __mmask32 values_left(size_t n) { return n >= 32 ? 0xFFFFFFFF : (__mmask32)((1u << n) - 1); }

/* 32 values from k on of rows that exist, turned: register i is the pair k + 2i. Of the other lanes nothing is used. */
INLINE void take_pairs(__m512i v[16], const fours_call *a, size_t r, size_t k, size_t end)
{
    const __mmask32 m = values_left(end - k);
    const uint8_t *w = a->w + r * a->w_stride + 2 * k;
    if (a->R - r >= R1_PANEL && end - k >= 32) {
        UNROLL for (size_t i = 0; i < 16; i++) v[i] = load512(w + i * a->w_stride);
    } else {
        const size_t last = a->R - r - 1;
        UNROLL for (size_t i = 0; i < 16; i++) v[i] = _mm512_maskz_loadu_epi16(m, w + r1_min(i, last) * a->w_stride);
    }
    transpose_16(v);
}

/* Values [k, end) of the panel at row r to to[..][panel]. */
static inline void take_apart(__m512i (*to)[2], int panel, const fours_call *a, size_t r, size_t k, size_t end)
{
    for (; k < end; k += 32, to += 16) {
        __m512i v[16];
        take_pairs(v, a, r, k, end);
        UNROLL for (int i = 0; i < 16; i++) to[i][panel] = v[i];
    }
}

/* One tile: y is the element of its first row and column. */
INLINE void tile(const bool instruction, const fours_tile *t, float *y, size_t ldy, size_t rows, size_t columns, bool first)
{
    const __mmask16 m0 = mask16(rows), m1 = rows > 16 ? mask16(rows - 16) : 0;
    KEEP_LOOP for (size_t c = 0; c < r1_round_up(columns, 4); c++) {
        const bool start = first || c >= columns;
        const float *from = y + r1_min(c, columns - 1) * ldy;
        _mm512_store_ps(t->sum + 32 * c, start ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m0, from));
        _mm512_store_ps(t->sum + 32 * c + 16, start ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m1, from + (m1 ? 16 : 0)));
    }
    tile_pairs(instruction, t, columns);
    KEEP_LOOP for (size_t c = 0; c < columns; c++) {
        _mm512_mask_storeu_ps(y + c * ldy, m0, _mm512_load_ps(t->sum + 32 * c));
        if (m1) _mm512_mask_storeu_ps(y + c * ldy + 16, m1, _mm512_load_ps(t->sum + 32 * c + 16));
    }
}

/* Ask for a share of the rows that come next: lines [from, to) of `lines` a row, row after row. May be past the end. */
INLINE void ask_ahead(uintptr_t w, size_t w_stride, size_t lines, size_t from, size_t to)
{
    KEEP_LOOP for (size_t i = from; i < to; i++) _mm_prefetch((const char *)(w + i / lines * w_stride + i % lines * 64), _MM_HINT_T1);
}

/* Columns [c0, c0 + n): a slab of two panels is taken apart once for all of them. */
INLINE void columns(const bool instruction, const fours_call *a, size_t c0, size_t n)
{
    _Alignas(64) __m512i w[SLAB_PAIRS][2];
    _Alignas(64) float sum[TILE_COLUMNS * 32];
    const size_t four = 4 * r1_round_up(a->K, 2), tiles = r1_ceil_div(n, TILE_COLUMNS);
    for (size_t r = 0; r < a->R; r += 2 * R1_PANEL)
        for (size_t k = 0; k < a->K; k += SLAB) {
            const size_t end = r1_min(a->K, k + SLAB), rows = r1_min(2 * R1_PANEL, a->R - r), lines = r1_ceil_div(2 * (end - k), 64);
            const uintptr_t next = (uintptr_t)a->w + (end < a->K ? r * a->w_stride + 2 * end : (r + 2 * R1_PANEL) * a->w_stride);
            take_apart(w, 0, a, r, k, end);
            take_apart(w, 1, a, rows > R1_PANEL ? r + R1_PANEL : r, k, end);
            for (size_t i = 0; i < tiles; i++) {
                const size_t c = c0 + i * TILE_COLUMNS, share = lines * 2 * R1_PANEL;
                const fours_tile t = { .w = w[0], .x = a->x + c / 4 * four + 4 * k, .x_step = 2 * four, .sum = sum, .n = r1_ceil_div(end - k, 2) };
                ask_ahead(next, a->w_stride, lines, i * share / tiles, (i + 1) * share / tiles);
                tile(instruction, &t, a->y + c * a->ldy + r, a->ldy, rows, r1_min(TILE_COLUMNS, c0 + n - c), k == 0);
            }
        }
}

/* ---- one column ---- */

INLINE __m512 pair(const bool instruction, __m512 acc, __m512i w, const uint16_t *x)
{
    if (!instruction) return fused_pair(acc, w, every32(x));
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*(const uint16_t (*)[2])x));
    return acc;
}

INLINE void one_column(const bool instruction, const fours_call *a)
{
    for (size_t r = 0; r < a->R; r += R1_PANEL) {
        __m512 acc = _mm512_setzero_ps();
        __m512i v[16];
        const uint16_t *x = a->x;
        size_t k = 0;
        for (; k + 32 <= a->K; k += 32, x += 128) {
            UNROLL for (size_t i = 0; i < 16; i++) _mm_prefetch((const char *)((uintptr_t)a->w + (r + R1_PANEL + i) * a->w_stride + 2 * k), _MM_HINT_T1);
            take_pairs(v, a, r, k, a->K);
            UNROLL for (int i = 0; i < 16; i++) acc = pair(instruction, acc, v[i], x + 8 * i);
        }
        if (k < a->K) take_pairs(v, a, r, k, a->K);
        for (size_t i = 0; k + 2 * i < a->K; i++) acc = pair(instruction, acc, v[i], x + 8 * i);
        _mm512_mask_storeu_ps(a->y + r, mask16(a->R - r), acc);
    }
}

INLINE void run(const bool instruction, const fours_call *a)
{
    if (a->C == 1) one_column(instruction, a);
    else
        for (size_t c = 0; c < a->C; c += TILES * TILE_COLUMNS) columns(instruction, a, c, r1_min(TILES * TILE_COLUMNS, a->C - c));
}

static void matmul_bf16_fours(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const uint16_t *x, size_t C, size_t K)
{
    run(true, &(fours_call){ y, ldy, w, w_stride, R, x, C, K });
}

/* A function of its own, so that no step leaves the stretch between the changes of MXCSR. */
static __attribute__((noinline)) void run_fused(const fours_call *a) { run(false, a); }

static void matmul_bf16_fours_fused(float *y, size_t ldy, const void *w, size_t w_stride, size_t R, const uint16_t *x, size_t C, size_t K)
{
    enum { ROUND_NEAREST_MASKED = 0x1F80, FTZ = 0x8000, DAZ = 0x40 };
    const unsigned old = _mm_getcsr();
    _mm_setcsr(ROUND_NEAREST_MASKED | FTZ | DAZ);
    run_fused(&(fours_call){ y, ldy, w, w_stride, R, x, C, K });
    _mm_setcsr(old);
}

/* ---- activations ---- */

/* 16 values, those of `m`, as 8 pairs of bf16, nearest even. */
INLINE __m256i to_bf16(const float *x, __mmask16 m)
{
    const __m512 v = _mm512_maskz_loadu_ps(m, x);
    const __m512i u = _mm512_castps_si512(v), high = _mm512_srli_epi32(u, 16), last = _mm512_and_si512(high, _mm512_set1_epi32(1));
    const __m512i up = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), last), 16);
    const __m512i quiet = _mm512_or_si512(high, _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), quiet));
}

static void bf16_fours(uint16_t *to, const float *x, size_t ldx, size_t n, size_t K)
{
    const __m512i low = _mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27), high = _mm512_add_epi32(low, _mm512_set1_epi32(4));
    const size_t pairs = r1_ceil_div(K, 2);
    for (size_t k = 0; k < K; k += 16, to += 64) {
        const __mmask16 m = mask16(K - k);
        __m256i v[4];
        for (size_t i = 0; i < 4; i++) v[i] = i < n ? to_bf16(x + i * ldx + k, m) : _mm256_setzero_si256();
        const __m512i a = _mm512_inserti64x4(_mm512_castsi256_si512(v[0]), v[1], 1), b = _mm512_inserti64x4(_mm512_castsi256_si512(v[2]), v[3], 1);
        const size_t left = 4 * (pairs - k / 2); /* 32-bit lanes to write */
        _mm512_mask_storeu_epi32(to, mask16(left), _mm512_permutex2var_epi32(a, low, b));
        if (left > 16) _mm512_mask_storeu_epi32(to + 32, mask16(left - 16), _mm512_permutex2var_epi32(a, high, b));
    }
}

void r1_avx512_fill_bf16(r1_kernels *k, bool instruction)
{
    k->bf16_fours = bf16_fours;
    k->matmul_bf16_fours = instruction ? matmul_bf16_fours : matmul_bf16_fours_fused;
}
