/* What is found wrong before a byte is written: what the source would be refused for when it is run, numbers that the target cannot
 * hold, an importance matrix that does not fit. A conversion of hours must not end in a file that r1 refuses, or on its last tensor. */
#include "convert/convert_int.h"
#include "model/model.h"

#include <math.h>

/* Advice about sampling, within the bounds the commands have for it (r1-run.md). */
static r1_status check_advice(const r1_ckpt *c, r1_error *err)
{
    static const struct { const char *json, *key; double lo, hi; } reals[] = {
        { "temperature", "general.sampling.temp", 0, 100 }, { "top_p", "general.sampling.top_p", 0, 1 }, { "min_p", "general.sampling.min_p", 0, 1 },
        { "repetition_penalty", "general.sampling.penalty_repeat", 0.01, 100 }, { "top_k", "general.sampling.top_k", -1, 1e9 },
    };
    const r1_gguf *g = r1_ckpt_gguf(c);
    for (size_t i = 0; i < R1_COUNT(reals); i++) {
        const json_t *v = json_object_get(r1_ckpt_generation(c), reals[i].json);
        const r1_gguf_kv *kv = g ? r1_gguf_find(g, reals[i].key) : NULL;
        double x = reals[i].lo;
        r1_status s = R1_OK;
        int64_t n = 0;
        if (kv && i == 4) {
            s = r1_gguf_int(g, reals[i].key, false, 0, INT32_MIN, INT32_MAX, &n, err);
            x = (double)n;
        } else if (kv) {
            s = r1_gguf_real(g, reals[i].key, false, x, &x, err);
        } else if (v && !json_is_null(v)) {
            if (!json_is_number(v)) s = r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a number from %g to %g", reals[i].json, r1_json_kind(v), reals[i].lo, reals[i].hi);
            x = json_number_value(v);
        }
        if (s == R1_OK && !((float)x >= (float)reals[i].lo && x <= reals[i].hi))
            s = r1_fail(err, R1_EFORMAT, "'%s' is %g, expected a number from %g to %g", g ? reals[i].key : reals[i].json, x, reals[i].lo, reals[i].hi);
        if (s) return r1_context(err, s, "'%s': %s", r1_ckpt_path(c), g ? "metadata" : "generation_config.json");
    }
    return R1_OK;
}

static r1_status check_importance(const r1_plan *p, const r1_imatrix *m, r1_error *err)
{
    for (size_t i = 0; m && i < p->n; i++) {
        float *w;
        size_t n;
        if (!r1_type_get(p->t[i].type)->quantised) continue;
        r1_status s = r1_imatrix_weights(m, &p->t[i], &w, &n, err);
        free(w);
        if (s) return s;
    }
    return R1_OK;
}

r1_status r1_check_source(const r1_plan *p, const r1_imatrix *m, r1_error *err)
{
    r1_status s = r1_model_check(p->ckpt, err);
    if (s == R1_OK) s = check_advice(p->ckpt, err);
    return s ? s : check_importance(p, m, err);
}
