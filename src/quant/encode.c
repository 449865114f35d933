/* Encoding: the front. Chooses the encoder, makes input safe for it, and does the formats that have no blocks.
 *
 * A block's values and weights are copied to aligned memory on the way: not finite becomes finite, weights are divided by the largest
 * of the block and get a floor of a millionth, so that no search meets an overflow or a run without any weight.
 */
#include "base/half.h"
#include "quant/encode_int.h"

#include <float.h>

#define MXFP4_REACH 0x1.8p127f /* 12 * 2^124: larger scales would not be finite with all codes */
#define BF16_MAX 0x1.fep127f

bool r1_can_encode(unsigned type) { return r1_type_get(type) && type != R1_F8_E4M3; }

/* Values of a block type within reach; returns how many were not. */
static size_t make_safe(float *x, const float *src, size_t n, float reach)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        float v = src[i];
        if (fabsf(v) <= reach) x[i] = v;
        else {
            x[i] = isnan(v) ? 0 : v > 0 ? reach : -reach;
            bad++;
        }
    }
    return bad;
}

/* Without importance large values count more: w = x^2 + floor * the block's mean square. See docs/results/quantisation.md. */
static void weights_of_values(r1_type t, float *w, const float *x, size_t n)
{
    bool minimum = t == R1_Q4_1 || t == R1_Q5_1 || t == R1_Q2_K || t == R1_Q4_K || t == R1_Q5_K;
    float most = 0, sum = 0, floor = minimum ? 2 : 1;
    for (size_t i = 0; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (size_t i = 0; i < n; i++) {
        float v = most > 0 ? x[i] / most : 1;
        w[i] = v * v;
        sum += w[i];
    }
    sum *= floor / (float)n;
    for (size_t i = 0; i < n; i++) w[i] = (w[i] + sum) / (1 + sum);
}

static void make_weights(r1_type t, float *w, const float *x, const float *importance, size_t n)
{
    float most = 0;
    for (size_t i = 0; importance && i < n; i++)
        if (importance[i] > most && importance[i] <= FLT_MAX) most = importance[i];
    if (!(most > 0)) {
        weights_of_values(t, w, x, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float v = importance[i] > 0 && importance[i] <= FLT_MAX ? importance[i] / most : 0;
        w[i] = v > 1e-6f ? v : 1e-6f;
    }
}

static size_t encode_half(r1_type t, const float *src, uint8_t *b, size_t n)
{
    float max = t == R1_F16 ? 65504 : BF16_MAX;
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        float v = src[i];
        if (!(fabsf(v) <= max)) {
            bad++;
            if (isfinite(v)) v = v > 0 ? max : -max;
        }
        r1_put_u16(b + 2 * i, t == R1_F16 ? r1_f16_from_f32(v) : r1_bf16_from_f32(v));
    }
    return bad;
}

static size_t encode_f32(const float *src, uint8_t *b, size_t n)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) bad += !isfinite(src[i]);
    memcpy(b, src, n * sizeof *src);
    return bad;
}

/* The largest magnitude decoding can give: scale * sub-scale * code. */
static float reach_of(r1_type t)
{
    switch (t) {
    case R1_Q4_0: return 65504.0f * 8;
    case R1_Q4_1: case R1_Q5_1: return 65504;
    case R1_Q5_0: return 65504.0f * 16;
    case R1_Q8_0: return 65504.0f * 128;
    case R1_IQ4_NL: return 65504.0f * 127;
    case R1_MXFP4: return MXFP4_REACH;
    case R1_Q2_K: return 65504.0f * 15;
    case R1_Q3_K: return 65504.0f * 32 * 4;
    case R1_Q4_K: case R1_Q5_K: return 65504.0f * 63;
    case R1_Q6_K: return 65504.0f * 128 * 32;
    default: return 65504.0f * 32 * 127; /* IQ4_XS */
    }
}

size_t r1_encode(r1_type t, const float *src, void *dst, size_t n, const float *importance)
{
    const r1_type_info *info = r1_type_get(t);
    _Alignas(16) float x[256], w[256];
    uint8_t *b = dst;
    size_t bad = 0;
    if (t == R1_F32) return encode_f32(src, b, n);
    if (t == R1_F16 || t == R1_BF16) return encode_half(t, src, b, n);
    for (size_t i = 0; i < n; i += info->block, b += info->bytes) {
        bad += make_safe(x, src + i, info->block, reach_of(t));
        make_weights(t, w, x, importance ? importance + i : NULL, info->block);
        switch (t) {
        case R1_MXFP4: r1_encode_mxfp4(x, w, b); break;
        case R1_Q2_K: case R1_Q4_K: case R1_Q5_K: r1_encode_k_offset(t, x, w, b); break;
        case R1_Q3_K: case R1_Q6_K: case R1_IQ4_XS: r1_encode_k_scale(t, x, w, b); break;
        default: r1_encode_32(t, x, w, b); break;
        }
    }
    return bad;
}

size_t r1_encode_fp8(const float *x, size_t ld, size_t rows, size_t columns, uint8_t *codes, float *scale)
{
    float most = 0;
    size_t bad = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            float v = fabsf(x[r * ld + c]);
            if (v <= FLT_MAX && v > most) most = v;
            bad += !(v <= FLT_MAX);
        }
    *scale = most > 0 ? fmaxf(most / 448, FLT_MIN) : 1; /* a smaller one would have few bits, or none */
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) codes[r * ld + c] = r1_e4m3_from_f32(x[r * ld + c] / *scale);
    return bad;
}
