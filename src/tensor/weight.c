/* Rows of weights in the form they have in the file: one after the other, or in panels of a packed file. */
#include "tensor/weight.h"

r1_weight r1_weight_rows(const r1_weight *w, size_t first, size_t n)
{
    r1_weight s = *w;
    if (w->data) s.data = w->data + first * w->stride;
    else s.panels = w->panels + first * w->stride; /* 16 rows to a panel of 16 strides */
    s.rows = n;
    s.row0 = w->row0 + first;
    s.packed = NULL;
    return s;
}

static void decode(r1_type t, const r1_kernels *k, const uint8_t *src, float *dst, size_t n)
{
    if (k->decode[t]) k->decode[t](src, dst, n);
    else r1_decode(t, src, dst, n);
}

/* Row r of panels, some blocks at a time. */
static void decode_panels(const r1_weight *w, const r1_kernels *k, size_t r, float *dst)
{
    enum { PART = 2048 };
    uint8_t part[PART];
    const r1_type_info *t = r1_type_get(w->type);
    const uint8_t *src = w->panels + r / R1_PANEL * R1_PANEL * w->stride;
    size_t most = PART / t->bytes * t->block;
    for (size_t i = 0; i < w->k; i += most) {
        size_t n = r1_min(most, w->k - i);
        r1_unpack_row(w->type, part, src + R1_PANEL * r1_row_bytes(w->type, i), r % R1_PANEL, n);
        decode(w->type, k, part, dst + i, n);
    }
}

void r1_weight_decode(const r1_weight *w, const r1_kernels *k, size_t r, float *dst)
{
    if (!w->data) {
        decode_panels(w, k, r, dst);
        return;
    }
    decode(w->type, k, w->data + r * w->stride, dst, w->k);
    if (w->type != R1_F8_E4M3) return;
    const uint8_t *scale = w->scale + (w->row0 + r) / 128 * w->scale_ld * sizeof(float);
    for (size_t b = 0; b * 128 < w->k; b++) {
        float s;
        memcpy(&s, scale + b * sizeof s, sizeof s);
        k->scale(dst + b * 128, s, r1_min(128, w->k - b * 128));
    }
}
