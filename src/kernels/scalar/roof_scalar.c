/* The roof of a machine none of whose vector units r1 knows: what a compiler makes of plain C. */
#include "kernels/roof_int.h"

static uint64_t read_scalar(const void *p, size_t n)
{
    const uint64_t *x = p;
    uint64_t s[8] = { 0 };
    for (size_t i = 0; i < n / 8; i += 8)
        for (size_t j = 0; j < 8; j++) s[j] += x[i + j];
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

enum { VALUES = 1024 };

/* The operands are volatile pointers to the same arrays, so that each turn is done anew. */
static void int8_scalar(size_t n)
{
    static const int8_t x[VALUES], y[VALUES];
    const int8_t *const volatile px = x, *const volatile py = y;
    for (size_t t = 0; t < n; t++) {
        const int8_t *a = px, *b = py;
        int32_t sum = 0;
        for (size_t i = 0; i < VALUES; i++) sum += a[i] * b[i];
        volatile int32_t keep = sum;
        (void)keep;
    }
}

static void float_scalar(size_t n)
{
    static const float x[VALUES], y[VALUES];
    const float *const volatile px = x, *const volatile py = y;
    for (size_t t = 0; t < n; t++) {
        const float *a = px, *b = py;
        float sum[16] = { 0 };
        for (size_t i = 0; i < VALUES; i += 16)
            for (size_t j = 0; j < 16; j++) sum[j] += a[i + j] * b[i + j];
        for (size_t j = 0; j < 16; j++) {
            volatile float keep = sum[j];
            (void)keep;
        }
    }
}

void r1_roof_init_scalar(r1_roof *r)
{
    *r = (r1_roof){ .read = read_scalar, .int8 = int8_scalar, .bf16 = float_scalar, .int8_ops = 2 * VALUES, .bf16_ops = 2 * VALUES,
                    .int8_name = "plain C", .bf16_name = "plain C, float32" };
}
