/* quant: weight formats. Names, sizes, exact decoding, packing.
 *
 * A weight matrix is [rows, k], row after row; a row is k / block blocks of a few bytes. Decoding here is the meaning of
 * every format: kernels must agree with it (quantised values exactly). Block layouts: shared facts in docs/formats.md,
 * originally ggml's ggml-common.h.
 *
 * Packed form: panels of 16 rows. For each block (32 or 256 values) of the panel, the fields of the 16 rows are
 * interleaved by units of 4 bytes (2 for half-float scales, 1 for MXFP4 exponents):
 *     field[unit][row 0..15]
 * so a kernel holds one row per 32-bit lane. A packed matrix has the same size as the original, rows rounded up to 16
 * (missing rows are zero bytes). packed.c lists the fields.
 */
#ifndef R1_QUANT_QUANT_H
#define R1_QUANT_QUANT_H

#include "base/base.h"

/* Values are the ggml type ids of GGUF files; E4M3 and I64 come from safetensors and have ids outside GGUF's range. */
typedef enum r1_type {
    R1_F32 = 0, R1_F16 = 1, R1_Q4_0 = 2, R1_Q4_1 = 3, R1_Q5_0 = 6, R1_Q5_1 = 7, R1_Q8_0 = 8,
    R1_Q2_K = 10, R1_Q3_K = 11, R1_Q4_K = 12, R1_Q5_K = 13, R1_Q6_K = 14,
    R1_IQ4_NL = 20, R1_IQ4_XS = 23, R1_BF16 = 30, R1_MXFP4 = 39,
    R1_F8_E4M3 = 64,
    R1_TYPE_END = 65
} r1_type;

typedef struct r1_type_info {
    const char *name;   /* "Q4_K"; NULL: not a supported type */
    uint16_t block;     /* values in a block */
    uint16_t bytes;     /* bytes of a block */
    bool quantised;     /* block format with integer codes: has a packed form and an int8 path */
    bool by_256;        /* quantised, 256-value blocks with integer sub-scales (the _K types and IQ4_XS) */
} r1_type_info;

/* NULL for an unknown or unsupported id. */
const r1_type_info *r1_type_get(unsigned id);

/* Name of any id ggml ever used, for messages ("IQ2_XXS" is known, though not supported); NULL if unknown. */
const char *r1_type_ggml_name(unsigned id);

/* Bytes of a row of k values; 0 when k is no multiple of the block. */
size_t r1_row_bytes(r1_type t, size_t k);

/* Decode n values (a multiple of the block) from src (any alignment): products and differences each rounded to f32, no
 * fused multiply-add. E4M3 gives the bare code values; the caller applies the block scale. */
void r1_decode(r1_type t, const void *src, float *dst, size_t n);

/* 256 values of F8_E4M3. */
extern const float r1_e4m3_table[256];
/* The 16 values of IQ4_NL/IQ4_XS, and of MXFP4 (doubled E2M1). */
extern const int8_t r1_iq4_values[16], r1_mxfp4_values[16];

/* Bytes of a packed matrix. */
size_t r1_packed_bytes(r1_type t, size_t rows, size_t k);

/* Pack rows [first, first + 16) of a quantised matrix (fewer at the end) into one panel of 16 * row_bytes bytes.
 *   rows_left  rows that exist from `first` on, >= 1;  stride  bytes from row to row in src */
void r1_pack_panel(r1_type t, void *panel, const void *src, size_t stride, size_t rows_left, size_t k);

#endif
