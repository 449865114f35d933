/* Element by element: the small operations between products, rounding, and picking the largest. */
#include "base/half.h"
#include "kernels/scalar/scalar_int.h"

#include <math.h>

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void axpy(float *y, float s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = fmaf(s, x[i], y[i]);
}

static void scale(float *x, float s, size_t n)
{
    for (size_t i = 0; i < n; i++) x[i] *= s;
}

static void silu_mul(float *y, const float *g, const float *u, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = g[i] / (1 + r1_exp(-g[i])) * u[i];
}

static float exp_sum(float *x, float m, size_t n)
{
    float lane[16] = { 0 };
    for (size_t i = 0; i < r1_round_up(n, 16); i++) {
        float e = 0; /* the padding of the last step is added too */
        if (i < n) x[i] = e = r1_exp(x[i] - m);
        lane[i % 16] += e;
    }
    return r1_lanes_sum_scalar(lane);
}

static float max(const float *x, size_t n)
{
    float m = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (x[i] > m) m = x[i];
    return m + 0.0f; /* -0 becomes +0 */
}

static void f32_to_f16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = r1_f16_from_f32(x[i]);
}

static void f32_to_bf16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = r1_bf16_from_f32(x[i]);
}

static int32_t argmax(const float *x, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && (best == n || x[i] > x[best])) best = i;
    return best == n ? -1 : (int32_t)best;
}

void r1_kernels_init_vector_scalar(r1_kernels *k)
{
    k->add = add;
    k->axpy = axpy;
    k->scale = scale;
    k->silu_mul = silu_mul;
    k->exp_sum = exp_sum;
    k->max = max;
    k->f32_to_f16 = f32_to_f16;
    k->f32_to_bf16 = f32_to_bf16;
    k->argmax = argmax;
}
