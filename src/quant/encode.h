/* encode: floats to the blocks of every weight type, with the least error we can find.
 *
 * Each encoder looks for the stored scales and minimums (as they are after rounding to F16 or to sub-scales of 4, 6 or 8
 * bits) that minimise sum of weight * (value - decoded)^2 over the block; the codes are then the nearest ones by
 * construction. Decoding is r1_decode (quant.h), layouts: docs/formats.md, measured errors: docs/results/quantisation.md.
 */
#ifndef R1_QUANT_ENCODE_H
#define R1_QUANT_ENCODE_H

#include "quant/quant.h"

/* True for every type r1_encode can write: all supported ones but F8_E4M3. */
bool r1_can_encode(unsigned type);

/* Encode n values of one row.
 *
 *   t           r1_can_encode(t);  n  a multiple of its block
 *   dst         r1_row_bytes(t, n) bytes, any alignment, not overlapping src
 *   importance  [n] weights of the squared errors, or NULL. Negative and non-finite ones count as 0. Only ratios within a
 *               block of 256 (or 32) matter. NULL, or a block with none above 0: the weight is value^2 + the block's
 *               mean square (twice that in types with a minimum), which serves models better than equal weights
 *               (docs/results/quantisation.md).
 *
 * What cannot be stored: in F32, F16 and BF16 infinities and NaN stay what they are; finite values too large become the
 * largest finite one of their sign. In block types NaN becomes 0, and infinities and values out of reach the nearest
 * value in reach: whatever the input, decoding gives finite values. Values below half the smallest F16 scale become 0.
 *
 * Returns the number of values that were not finite or too large for the type, for a warning; 0 is normal.
 * The same bits on every machine, for any thread and any division of a row into calls. Allocates nothing.
 * Tests: encode_test.c, tests/fuzz/fuzz_encode_block.c */
size_t r1_encode(r1_type t, const float *src, void *dst, size_t n, const float *importance);

/* One block of an F8_E4M3 matrix, at most 128 x 128 values as DeepSeek-V3's files have them: value = code * *scale.
 *
 *   x, codes  [rows][columns] in rows of ld values and bytes
 *
 * The largest magnitude becomes 448, the others the nearest code, ties to even; a block of zeros has scale 1. Values that are not
 * finite become the largest code or NaN and are counted. Returns their number. Threads: any. Tests: encode_test.c */
size_t r1_encode_fp8(const float *x, size_t ld, size_t rows, size_t columns, uint8_t *codes, float *scale);

#endif
