/* The inner loops of products with many columns: 32 rows (two panels) x 6 columns, or 4. Private to avx512/.
 *
 * Weights come taken apart: codes [step][panel][16 rows][4], a step being 4 values of a row, so that one loop serves all types. For each
 * column the 4 activations of a step are loaded once and serve two dots. The integers of 6 columns take 12 registers and what they are added to
 * 12 more, so between blocks nothing goes through memory: 12 columns whose sums stay there meet fewer loads, and are a twentieth slower on Zen 5,
 * because the stores of a block hold up the dots of the next.
 *
 * Written in assembler because compilers do not keep 24 accumulators in registers beside their addresses. */
#ifndef R1_KERNELS_AVX512_GEMM_AVX512_H
#define R1_KERNELS_AVX512_GEMM_AVX512_H

#include "kernels/avx512/avx512_int.h"

typedef struct gemm_tile {
    const uint8_t *w;      /* codes, 64-byte aligned, see above; for products straight from panels a slab of the first panel */
    size_t panel_bytes;    /* from there to the same slab of the next panel */
    const void *factor;    /* 64-byte aligned. Blocks of 32: f32 scales [blocks][2 panels][16], with minimums [blocks][2][2][16]: scales, then
                            * minimums. Runs: int32 [runs][2 panels][16] */
    const uint8_t *ahead;  /* what will be read soon, of two panels panel_bytes apart; may be past the end. Not used by blocks of 256 */
    size_t ahead_lines;    /* of each, asked for a block; >= 1 */
    const int8_t *q;       /* first column's codes, r1_act8.q4 */
    size_t q_step;         /* from four columns to the next */
    const float *d;        /* r1_act8.d4 and s4 of the first column; blocks of 32 only */
    const int32_t *s;
    size_t ds_step;        /* bytes from four columns to the next, of both */
    void *sum;             /* [columns][2 panels][16] f32 or int32, 64-byte aligned: read and written */
    size_t n;              /* blocks or runs, >= 1 */
    int columns;           /* 12, 8 or 4 */
} gemm_tile;

#define ZMMS "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", \
    "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31"

/* X(i as given, addresses of q, d and s of the column's group of four, column within it, column, its two registers for integers, two for sums). */
#define GROUP_0(X, i, c, n, a, b, f, g) X(i, "(%[q])", "(%[d])", "(%[s])", c, n, a, b, f, g)
#define GROUP_1(X, i, c, n, a, b, f, g) X(i, "(%[q],%[step])", "(%[d],%[ds])", "(%[s],%[ds])", c, n, a, b, f, g)
#define EACH_OF_4(X, i) \
    GROUP_0(X, i, 0, 0, 0, 1, 12, 13) GROUP_0(X, i, 1, 1, 2, 3, 14, 15) GROUP_0(X, i, 2, 2, 4, 5, 16, 17) GROUP_0(X, i, 3, 3, 6, 7, 18, 19)
#define EACH_OF_6(X, i) EACH_OF_4(X, i) GROUP_1(X, i, 0, 4, 8, 9, 20, 21) GROUP_1(X, i, 1, 5, 10, 11, 22, 23)
/* The second six of twelve: q, d and s are those of the second four. */
#define EACH_OF_LAST_6(X, i) GROUP_0(X, i, 2, 0, 0, 1, 12, 13) GROUP_0(X, i, 3, 1, 2, 3, 14, 15) GROUP_1(X, i, 0, 2, 4, 5, 16, 17) \
    GROUP_1(X, i, 1, 3, 6, 7, 18, 19) GROUP_1(X, i, 2, 4, 8, 9, 20, 21) GROUP_1(X, i, 3, 5, 10, 11, 22, 23)

/* One step: i is its number in the loop's body. */
#define DOTS_AT(i, q, c, a, b) "vpbroadcastd 16*" #i "+4*" #c q ", %%zmm26\n\tvpdpbusd %%zmm26, %%zmm24, %%zmm" #a "\n\tvpdpbusd %%zmm26, %%zmm25, %%zmm" #b "\n\t"
#define LOAD_CODES(i) "vmovdqa64 128*" #i "(%[w]), %%zmm24\n\tvmovdqa64 128*" #i "+64(%[w]), %%zmm25\n\t"
#define DOTS(i, q, d, s, c, n, a, b, f, g) DOTS_AT(i, q, c, a, b)

/* Dots start at -offset * (sum of activations); s holds -8 * sum, which for Q4_0 needs no instruction of the units that do dots (3 % of its loop). */
#define START_AT_S(s, c, a, b) "vpbroadcastd 4*" #c s ", %%zmm" #a "\n\tvmovdqa64 %%zmm" #a ", %%zmm" #b "\n\t"
#define START_AT(shift, s, c, a, b) "vpslld $" #shift ", 4*" #c s "%{1to16%}, %%zmm" #a "\n\tvmovdqa64 %%zmm" #a ", %%zmm" #b "\n\t"
#define START_AT_0(a, b) "vpxord %%zmm" #a ", %%zmm" #a ", %%zmm" #a "\n\tvpxord %%zmm" #b ", %%zmm" #b ", %%zmm" #b "\n\t"

/* sum = fma(float(dot), scale * d, sum); scales in 30 and 31 */
#define SCALE(d, c, a, b, f, g) "vbroadcastss 4*" #c d ", %%zmm26\n\tvmulps %%zmm26, %%zmm30, %%zmm27\n\tvmulps %%zmm26, %%zmm31, %%zmm28\n\t" \
    "vcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\tvcvtdq2ps %%zmm" #b ", %%zmm" #b "\n\t" \
    "vfmadd231ps %%zmm" #a ", %%zmm27, %%zmm" #f "\n\tvfmadd231ps %%zmm" #b ", %%zmm28, %%zmm" #g "\n\t"
/* then sum = fma(sum of activations, minimum * d, sum); d in 26 */
#define MINIMUM(s, c, a, b, f, g) "vmulps 128(%[f]), %%zmm26, %%zmm27\n\tvmulps 192(%[f]), %%zmm26, %%zmm28\n\t" \
    "vpsrad $3, 4*" #c s "%{1to16%}, %%zmm" #a "\n\tvcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\t" \
    "vfnmadd231ps %%zmm" #a ", %%zmm27, %%zmm" #f "\n\tvfnmadd231ps %%zmm" #a ", %%zmm28, %%zmm" #g "\n\t"
/* sum = dot * factor + sum, integers; factors in 30 and 31 */
#define FACTOR(a, b, f, g) "vpmulld %%zmm30, %%zmm" #a ", %%zmm" #a "\n\tvpmulld %%zmm31, %%zmm" #b ", %%zmm" #b "\n\t" \
    "vpaddd %%zmm" #a ", %%zmm" #f ", %%zmm" #f "\n\tvpaddd %%zmm" #b ", %%zmm" #g ", %%zmm" #g "\n\t"
#define SUMS_LOAD(i, q, d, s, c, n, a, b, f, g) "vmovaps 128*" #n "(%[sum]), %%zmm" #f "\n\tvmovaps 128*" #n "+64(%[sum]), %%zmm" #g "\n\t"
#define SUMS_AT_0(i, q, d, s, c, n, a, b, f, g) START_AT_0(f, g)
#define SUMS_STORE(i, q, d, s, c, n, a, b, f, g) "vmovaps %%zmm" #f ", 128*" #n "(%[sum])\n\tvmovaps %%zmm" #g ", 128*" #n "+64(%[sum])\n\t"

/* What comes before the first step and after the last stands among the dots of other columns: apart from them it costs a tenth. */
#define FIRST_OFFSET_8(i, q, d, s, c, n, a, b, f, g) START_AT_S(s, c, a, b) DOTS_AT(i, q, c, a, b)
#define FIRST_OFFSET_16(i, q, d, s, c, n, a, b, f, g) START_AT(1, s, c, a, b) DOTS_AT(i, q, c, a, b)
#define FIRST_OFFSET_128(i, q, d, s, c, n, a, b, f, g) START_AT(4, s, c, a, b) DOTS_AT(i, q, c, a, b)
#define FIRST_AT_0(i, q, d, s, c, n, a, b, f, g) START_AT_0(a, b) DOTS_AT(i, q, c, a, b)
#define LAST_SCALED(i, q, d, s, c, n, a, b, f, g) DOTS_AT(i, q, c, a, b) SCALE(d, c, a, b, f, g)
#define LAST_OF_MIN(i, q, d, s, c, n, a, b, f, g) DOTS_AT(i, q, c, a, b) SCALE(d, c, a, b, f, g) MINIMUM(s, c, a, b, f, g)
#define LAST_OF_RUN(i, q, d, s, c, n, a, b, f, g) DOTS_AT(i, q, c, a, b) FACTOR(a, b, f, g)
#define FOUR_STEPS(EACH, first, last) LOAD_CODES(0) EACH(first, 0) LOAD_CODES(1) EACH(DOTS, 1) LOAD_CODES(2) EACH(DOTS, 2) LOAD_CODES(3) EACH(last, 3)
#define EIGHT_STEPS(EACH, first, last) FOUR_STEPS(EACH, first, DOTS) \
    LOAD_CODES(4) EACH(DOTS, 4) LOAD_CODES(5) EACH(DOTS, 5) LOAD_CODES(6) EACH(DOTS, 6) LOAD_CODES(7) EACH(last, 7)

/* Q4_0 and Q8_0 straight from their panels: the few instructions that take a step apart find room beside 12 dots. Scales in 30 and 31, the
 * constant in 29; 27 and 28 hold what a step of the other half of Q4_0 needs. */
#define LOW_NIBBLES(at) "vmovdqu64 " #at "(%[w]), %%zmm27\n\tvmovdqu64 " #at "(%[w],%[panel]), %%zmm28\n\t" \
    "vpandd %%zmm29, %%zmm27, %%zmm24\n\tvpandd %%zmm29, %%zmm28, %%zmm25\n\t"
#define HIGH_NIBBLES "vpsrlw $4, %%zmm27, %%zmm24\n\tvpsrlw $4, %%zmm28, %%zmm25\n\tvpandd %%zmm29, %%zmm24, %%zmm24\n\tvpandd %%zmm29, %%zmm25, %%zmm25\n\t"
#define SIGNED_BYTES(i) "vpxord 32+64*" #i "(%[w]), %%zmm29, %%zmm24\n\tvpxord 32+64*" #i "(%[w],%[panel]), %%zmm29, %%zmm25\n\t"

/* Bodies of the loop over blocks or runs. */
#define F16_SCALES "vcvtph2ps (%[w]), %%zmm30\n\tvcvtph2ps (%[w],%[panel]), %%zmm31\n\t"
#define FACTORS(r) "vmovaps 128*" #r "(%[f]), %%zmm30\n\tvmovaps 128*" #r "+64(%[f]), %%zmm31\n\t"
#define NEXT(w_bytes, q_bytes, ds_bytes, f_bytes) \
    "add $" #w_bytes ", %[w]\n\tadd $" #q_bytes ", %[q]\n\tadd $" #ds_bytes ", %[d]\n\tadd $" #ds_bytes ", %[s]\n\tadd $" #f_bytes ", %[f]\n\t"
#define BLOCK_Q4_0(EACH) F16_SCALES LOW_NIBBLES(32) EACH(FIRST_OFFSET_8, 0) HIGH_NIBBLES EACH(DOTS, 4) LOW_NIBBLES(96) EACH(DOTS, 1) HIGH_NIBBLES EACH(DOTS, 5) \
    LOW_NIBBLES(160) EACH(DOTS, 2) HIGH_NIBBLES EACH(DOTS, 6) LOW_NIBBLES(224) EACH(DOTS, 3) HIGH_NIBBLES EACH(LAST_SCALED, 7) NEXT(288, 128, 16, 0)
#define BLOCK_Q8_0(EACH) F16_SCALES SIGNED_BYTES(0) EACH(FIRST_OFFSET_128, 0) SIGNED_BYTES(1) EACH(DOTS, 1) SIGNED_BYTES(2) EACH(DOTS, 2) SIGNED_BYTES(3) EACH(DOTS, 3) \
    SIGNED_BYTES(4) EACH(DOTS, 4) SIGNED_BYTES(5) EACH(DOTS, 5) SIGNED_BYTES(6) EACH(DOTS, 6) SIGNED_BYTES(7) EACH(LAST_SCALED, 7) NEXT(544, 128, 16, 0)
#define BLOCK_OFFSET_16(EACH) FACTORS(0) EIGHT_STEPS(EACH, FIRST_OFFSET_16, LAST_SCALED) NEXT(1024, 128, 16, 128)
#define BLOCK_OFFSET_128(EACH) FACTORS(0) EIGHT_STEPS(EACH, FIRST_OFFSET_128, LAST_SCALED) NEXT(1024, 128, 16, 128)
#define BLOCK_MIN(EACH) FACTORS(0) EIGHT_STEPS(EACH, FIRST_AT_0, LAST_OF_MIN) NEXT(1024, 128, 16, 256)
#define RUN_OF_32(EACH) FACTORS(0) EIGHT_STEPS(EACH, FIRST_AT_0, LAST_OF_RUN) NEXT(1024, 128, 0, 128)
#define RUN_OF_16(EACH) FACTORS(0) FOUR_STEPS(EACH, FIRST_AT_0, LAST_OF_RUN) NEXT(512, 64, 0, 128)

/* Needs registers ahead, panel and k, and lines in memory. */
#define ASK_AHEAD "mov %[lines], %[k]\n2:\n\tprefetcht1 (%[ahead])\n\tprefetcht1 (%[ahead],%[panel])\n\tadd $64, %[ahead]\n\tdec %[k]\n\tjnz 2b\n\t"
#define ASK_NOTHING

/* t->n times the body for the columns of EACH; SUMS: what they start from. The constant stands in every byte of 29. */
#define LOOP(t, EACH, SUMS, ASK, BODY, constant) do { \
    const uint8_t *w = (t)->w, *ahead = (t)->ahead; \
    const void *f = (t)->factor; \
    const int8_t *q = (t)->q; \
    const float *d = (t)->d; \
    const int32_t *s = (t)->s; \
    size_t n = (t)->n, k = (constant) * 0x01010101u; \
    __asm__ volatile("vpbroadcastd %k[k], %%zmm29\n\t" EACH(SUMS, 0) "1:\n\t" ASK BODY(EACH) "dec %[n]\n\tjnz 1b\n\t" EACH(SUMS_STORE, 0) \
                     : [w] "+r"(w), [f] "+r"(f), [ahead] "+r"(ahead), [q] "+r"(q), [d] "+r"(d), [s] "+r"(s), [n] "+r"(n), [k] "+r"(k) \
                     : [step] "r"((t)->q_step), [ds] "r"((t)->ds_step), [sum] "r"((t)->sum), [panel] "r"((t)->panel_bytes), [lines] "m"((t)->ahead_lines) \
                     : "cc", "memory", ZMMS); \
    } while (0)

/* The tile from its second four columns on; sums of the first `done` columns are made. */
INLINE gemm_tile gemm_second(const gemm_tile *t, size_t done)
{
    gemm_tile u = *t;
    u.q += t->q_step;
    u.d += t->ds_step / sizeof *u.d;
    u.s += t->ds_step / sizeof *u.s;
    u.sum = (float *)t->sum + done * 32;
    return u;
}

#define COLUMNS(t, SUMS, ASK, BODY, constant) do { \
    if ((t)->columns == 12) { \
        const gemm_tile u = gemm_second(t, 6); \
        LOOP(t, EACH_OF_6, SUMS, ASK, BODY, constant); \
        LOOP(&u, EACH_OF_LAST_6, SUMS, ASK_NOTHING, BODY, constant); \
        break; \
    } \
    LOOP(t, EACH_OF_4, SUMS, ASK, BODY, constant); \
    if ((t)->columns == 8) { \
        const gemm_tile u = gemm_second(t, 4); \
        LOOP(&u, EACH_OF_4, SUMS, ASK_NOTHING, BODY, constant); \
    } \
    } while (0)

static inline void gemm_q4_0(const gemm_tile *t) { COLUMNS(t, SUMS_LOAD, ASK_AHEAD, BLOCK_Q4_0, 15u); }
static inline void gemm_q8_0(const gemm_tile *t) { COLUMNS(t, SUMS_LOAD, ASK_AHEAD, BLOCK_Q8_0, 128u); }
/* 32-value types with an offset of 16 or 128, or with a minimum. */
static inline void gemm_by_32_16(const gemm_tile *t) { COLUMNS(t, SUMS_LOAD, ASK_AHEAD, BLOCK_OFFSET_16, 0u); }
static inline void gemm_by_32_128(const gemm_tile *t) { COLUMNS(t, SUMS_LOAD, ASK_AHEAD, BLOCK_OFFSET_128, 0u); }
static inline void gemm_by_32_min(const gemm_tile *t) { COLUMNS(t, SUMS_LOAD, ASK_AHEAD, BLOCK_MIN, 0u); }
/* Runs of 32 or 16 values of a 256-value block, whose sums start at 0. d and s are not read. */
static inline void gemm_runs_32(const gemm_tile *t) { COLUMNS(t, SUMS_AT_0, ASK_NOTHING, RUN_OF_32, 0u); }
static inline void gemm_runs_16(const gemm_tile *t) { COLUMNS(t, SUMS_AT_0, ASK_NOTHING, RUN_OF_16, 0u); }

/* Q4_K straight from its panels (Q6_K is slower so: too many instructions): two runs of a block, low and high nibbles. w: its codes. */
#define LOW_CODES(at) "vpandd " #at "(%[w]), %%zmm29, %%zmm24\n\tvpandd " #at "(%[w],%[panel]), %%zmm29, %%zmm25\n\t"
#define HIGH_CODES(at) "vpsrlw $4, " #at "(%[w]), %%zmm24\n\tvpsrlw $4, " #at "(%[w],%[panel]), %%zmm25\n\tvpandd %%zmm29, %%zmm24, %%zmm24\n\tvpandd %%zmm29, %%zmm25, %%zmm25\n\t"
#define RUN_Q4_K(EACH, CODES, i0, i1, i2, i3, i4, i5, i6, i7) CODES(0) EACH(FIRST_AT_0, i0) CODES(64) EACH(DOTS, i1) CODES(128) EACH(DOTS, i2) \
    CODES(192) EACH(DOTS, i3) CODES(256) EACH(DOTS, i4) CODES(320) EACH(DOTS, i5) CODES(384) EACH(DOTS, i6) CODES(448) EACH(LAST_OF_RUN, i7)
#define PAIR_Q4_K(EACH) FACTORS(0) RUN_Q4_K(EACH, LOW_CODES, 0, 1, 2, 3, 4, 5, 6, 7) FACTORS(1) RUN_Q4_K(EACH, HIGH_CODES, 8, 9, 10, 11, 12, 13, 14, 15) \
    NEXT(512, 256, 0, 256)
static inline void gemm_pairs_q4_k(const gemm_tile *t) { COLUMNS(t, SUMS_AT_0, ASK_NOTHING, PAIR_Q4_K, 15u); }

/* What ends a block of 256: the sums of activations times their factors, which take steps of their own, and the float steps. `sum` holds the
 * integers of the runs. */
typedef struct gemm_end {
    const void *pair;      /* [factors][2 panels][16] pairs of int16 */
    const void *scale;     /* f32 [2 panels][scale, minimum][16] */
    const int16_t *s;      /* of the first column and this block: four columns of 24 */
    size_t s_step;         /* bytes to the next four */
    const float *d;
    size_t d_step;
    const int32_t *sum;    /* [columns][2 panels][16] */
    float *acc;            /* as sum: read and written */
    int columns;
} gemm_end;

/* Twelve columns at once, for loops without sums: X(i as given, addresses of q and d of the column's group of four, column within it, column, its two registers). */
#define FOURS_0(X, i, c, n, a, b) X(i, "(%[q])", "(%[d])", c, n, a, b)
#define FOURS_1(X, i, c, n, a, b) X(i, "(%[q],%[step])", "(%[d],%[ds])", c, n, a, b)
#define FOURS_2(X, i, c, n, a, b) X(i, "(%[q],%[step],2)", "(%[d],%[ds],2)", c, n, a, b)
#define EACH_4(X, i) FOURS_0(X, i, 0, 0, 0, 1) FOURS_0(X, i, 1, 1, 2, 3) FOURS_0(X, i, 2, 2, 4, 5) FOURS_0(X, i, 3, 3, 6, 7)
#define EACH_8(X, i) EACH_4(X, i) FOURS_1(X, i, 0, 4, 8, 9) FOURS_1(X, i, 1, 5, 10, 11) FOURS_1(X, i, 2, 6, 12, 13) FOURS_1(X, i, 3, 7, 14, 15)
#define EACH_12(X, i) EACH_8(X, i) \
    FOURS_2(X, i, 0, 8, 16, 17) FOURS_2(X, i, 1, 9, 18, 19) FOURS_2(X, i, 2, 10, 20, 21) FOURS_2(X, i, 3, 11, 22, 23)

#define SUMS_AT(k, q, c, a, b) "vpbroadcastd 48*" #c "+4*" #k q ", %%zmm26\n\tvpdpwssd %%zmm26, %%zmm24, %%zmm" #a "\n\tvpdpwssd %%zmm26, %%zmm25, %%zmm" #b "\n\t"
#define SUMS(k, q, d, c, n, a, b) SUMS_AT(k, q, c, a, b)
#define SUMS_FIRST(k, q, d, c, n, a, b) START_AT_0(a, b) SUMS_AT(k, q, c, a, b)
#define LOAD_PAIRS(i) "vmovdqa64 128*" #i "(%[pair]), %%zmm24\n\tvmovdqa64 128*" #i "+64(%[pair]), %%zmm25\n\t"
#define EIGHT_SUMS(EACH) LOAD_PAIRS(0) EACH(SUMS_FIRST, 0) LOAD_PAIRS(1) EACH(SUMS, 1) LOAD_PAIRS(2) EACH(SUMS, 2) LOAD_PAIRS(3) EACH(SUMS, 3) \
    LOAD_PAIRS(4) EACH(SUMS, 4) LOAD_PAIRS(5) EACH(SUMS, 5) LOAD_PAIRS(6) EACH(SUMS, 6) LOAD_PAIRS(7) EACH(SUMS, 7)
#define FOUR_SUMS(EACH) LOAD_PAIRS(0) EACH(SUMS_FIRST, 8) LOAD_PAIRS(1) EACH(SUMS, 9) LOAD_PAIRS(2) EACH(SUMS, 10) LOAD_PAIRS(3) EACH(SUMS, 11)
#define LOAD_SCALES "vmovaps (%[scale]), %%zmm30\n\tvmovaps 128(%[scale]), %%zmm31\n\t"
#define LOAD_MINIMUMS "vmovaps 64(%[scale]), %%zmm24\n\tvmovaps 192(%[scale]), %%zmm25\n\t"
/* acc = fma(float(sum - (u << shift)), scale * d, acc), u in a and b */
#define END_OFFSET(shift, q, d, c, n, a, b) "vbroadcastss 4*" #c d ", %%zmm26\n\tvmulps %%zmm26, %%zmm30, %%zmm27\n\tvmulps %%zmm26, %%zmm31, %%zmm28\n\t" \
    "vpslld $" #shift ", %%zmm" #a ", %%zmm" #a "\n\tvpslld $" #shift ", %%zmm" #b ", %%zmm" #b "\n\t" \
    "vmovdqa64 128*" #n "(%[sum]), %%zmm26\n\tvpsubd %%zmm" #a ", %%zmm26, %%zmm" #a "\n\tvmovdqa64 128*" #n "+64(%[sum]), %%zmm29\n\tvpsubd %%zmm" #b ", %%zmm29, %%zmm" #b "\n\t" \
    "vcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\tvcvtdq2ps %%zmm" #b ", %%zmm" #b "\n\t" \
    "vfmadd213ps 128*" #n "(%[acc]), %%zmm27, %%zmm" #a "\n\tvfmadd213ps 128*" #n "+64(%[acc]), %%zmm28, %%zmm" #b "\n\t" END_STORE(n, a, b)
#define END_STORE(n, a, b) "vmovaps %%zmm" #a ", 128*" #n "(%[acc])\n\tvmovaps %%zmm" #b ", 128*" #n "+64(%[acc])\n\t"
/* acc = fma(float(sum), scale * d, acc), then acc = fma(-float(u), minimum * d, acc) */
#define END_MIN(i, q, d, c, n, a, b) "vbroadcastss 4*" #c d ", %%zmm26\n\tvcvtdq2ps 128*" #n "(%[sum]), %%zmm27\n\tvcvtdq2ps 128*" #n "+64(%[sum]), %%zmm28\n\t" \
    "vmulps %%zmm26, %%zmm30, %%zmm29\n\tvfmadd213ps 128*" #n "(%[acc]), %%zmm29, %%zmm27\n\tvmulps %%zmm26, %%zmm31, %%zmm29\n\tvfmadd213ps 128*" #n "+64(%[acc]), %%zmm29, %%zmm28\n\t" \
    "vcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\tvcvtdq2ps %%zmm" #b ", %%zmm" #b "\n\t" \
    "vmulps %%zmm26, %%zmm24, %%zmm29\n\tvfnmadd213ps %%zmm27, %%zmm29, %%zmm" #a "\n\tvmulps %%zmm26, %%zmm25, %%zmm29\n\tvfnmadd213ps %%zmm28, %%zmm29, %%zmm" #b "\n\t" END_STORE(n, a, b)
/* q and step name the sums of activations here. */
#define END(body) \
    __asm__ volatile(body : : [pair] "r"(e->pair), [scale] "r"(e->scale), [q] "r"(e->s), [step] "r"(e->s_step), [d] "r"(e->d), [ds] "r"(e->d_step), \
                     [sum] "r"(e->sum), [acc] "r"(e->acc) : "memory", ZMMS)
#define END_COLUMNS(SUMS, LOADS, LAST, i) do { \
    if (e->columns == 12) END(SUMS(EACH_12) LOADS EACH_12(LAST, i)); \
    else if (e->columns == 8) END(SUMS(EACH_8) LOADS EACH_8(LAST, i)); \
    else END(SUMS(EACH_4) LOADS EACH_4(LAST, i)); \
    } while (0)

static inline void gemm_end_q2_k(const gemm_end *e) { END_COLUMNS(EIGHT_SUMS, LOAD_SCALES LOAD_MINIMUMS, END_MIN, 0); }
static inline void gemm_end_q3_k(const gemm_end *e) { END_COLUMNS(EIGHT_SUMS, LOAD_SCALES, END_OFFSET, 2); }
static inline void gemm_end_q45_k(const gemm_end *e) { END_COLUMNS(FOUR_SUMS, LOAD_SCALES LOAD_MINIMUMS, END_MIN, 0); }
static inline void gemm_end_q6_k(const gemm_end *e) { END_COLUMNS(EIGHT_SUMS, LOAD_SCALES, END_OFFSET, 5); }
static inline void gemm_end_iq4_xs(const gemm_end *e) { END_COLUMNS(FOUR_SUMS, LOAD_SCALES, END_OFFSET, 7); }

#endif
