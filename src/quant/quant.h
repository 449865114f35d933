/* quant: weight formats. Names, sizes, exact decoding, packing.
 *
 * A weight matrix is [rows, k], row after row; a row is k / block blocks of a few bytes. Decoding here is the meaning of
 * every format: kernels must agree with it (quantised values exactly). Block layouts: docs/formats.md, originally ggml's
 * ggml-common.h.
 *
 * Packed form: panels of 16 rows, one after the other. A panel is its blocks in ascending order, each 16 * block bytes;
 * in a block the fields of the original layout follow in their original order, each stored as
 *     field[unit][row 0..15]
 * so a kernel holds one row per lane. A unit U is 4 bytes (of the row's own byte order), h is a 2-byte and e a 1-byte one.
 * Offsets within the block of a panel:
 *
 *   Q4_0 IQ4_NL   288   d h 0           qs 4U 32
 *   Q4_1          320   d h 0   m h 32  qs 4U 64
 *   Q5_0          352   d h 0           qh 1U 32        qs 4U 96
 *   Q5_1          384   d h 0   m h 32  qh 1U 64        qs 4U 128
 *   Q8_0          544   d h 0           qs 8U 32
 *   MXFP4         272   e e 0           qs 4U 16
 *   Q2_K         1344   scales 4U 0     qs 16U 256      d h 1280        dmin h 1312
 *   Q3_K         1760   hmask 8U 0      qs 16U 512      scales 3U 1536  d h 1728
 *   Q4_K         2304   d h 0           dmin h 32       scales 3U 64    qs 32U 256
 *   Q5_K         2816   d h 0           dmin h 32       scales 3U 64    qh 8U 256      qs 32U 768
 *   Q6_K         3360   ql 32U 0        qh 16U 2048     scales 4U 3072  d h 3328
 *   IQ4_XS       2176   d h 0           scales_h h 32   scales_l 1U 64  qs 32U 128
 *
 * Example: byte 4u + b of the qs of row r in a Q4_0 block is at 32 + (16u + r) * 4 + b. Every field keeps its natural
 * alignment; a block starts at a multiple of 32 bytes (MXFP4: 16) from the matrix, a panel too. A packed matrix has the
 * size of the original, rows rounded up to 16; missing rows are zero bytes.
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

/* Fields of the packed form, in order; *n receives their number, at most R1_PACKED_FIELDS. NULL when t has none. */
typedef struct r1_packed_field {
    uint8_t unit;       /* bytes of a unit: 4, 2 or 1 */
    uint8_t n_units;
} r1_packed_field;

enum { R1_PACKED_FIELDS = 5 };

const r1_packed_field *r1_packed_fields(r1_type t, size_t *n);

/* Pack rows [first, first + 16) of a quantised matrix (fewer at the end) into one panel of 16 * row_bytes bytes.
 *   rows_left  rows that exist from `first` on, >= 1;  stride  bytes from row to row in src */
void r1_pack_panel(r1_type t, void *panel, const void *src, size_t stride, size_t rows_left, size_t k);

/* The inverse, for one row of a panel: k values of row (0..15) in the original layout, r1_row_bytes(t, k) bytes. To look up
 * one block, give the block of the panel and k = the type's block. */
void r1_unpack_row(r1_type t, void *dst, const void *panel, size_t row, size_t k);

/* One block taken apart into integers, for every quantised type:
 *     value[i] = (d * scale[i / run]) * code[i]  -  (dmin * min[i / run])
 * 32-value types have run 32, scale 1 and, where the format has an added m, min 1 and dmin = -m. Without minimum dmin is 0. */
typedef struct r1_codes {
    float d, dmin;
    int n, run;         /* values; values that share a scale: 32 or 16 */
    bool has_min;
    int8_t code[256];   /* offset taken off, or looked up */
    int8_t scale[16];
    uint8_t min[16];
} r1_codes;

void r1_codes_get(r1_type t, const void *block, r1_codes *out);

#endif
