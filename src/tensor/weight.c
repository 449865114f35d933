/* Rows of weights in the form they have in the file. */
#include "tensor/weight.h"

r1_weight r1_weight_rows(const r1_weight *w, size_t first, size_t n)
{
    r1_weight s = *w;
    s.data = w->data + first * w->stride;
    s.rows = n;
    s.row0 = w->row0 + first;
    s.packed = NULL;
    return s;
}

void r1_weight_decode(const r1_weight *w, const r1_kernels *k, size_t r, float *dst)
{
    const uint8_t *src = w->data + r * w->stride;
    if (k->decode[w->type]) k->decode[w->type](src, dst, w->k);
    else r1_decode(w->type, src, dst, w->k);
    if (w->type != R1_F8_E4M3) return;
    const uint8_t *scale = w->scale + (w->row0 + r) / 128 * w->scale_ld * sizeof(float);
    for (size_t b = 0; b * 128 < w->k; b++) {
        float s;
        memcpy(&s, scale + b * sizeof s, sizeof s);
        k->scale(dst + b * 128, s, r1_min(128, w->k - b * 128));
    }
}
