/* r1 quantize: any model to a GGUF file of quantised weights. The rules are in convert/mix.c. */
#include "cli/exporting.h"

static r1_status check_destination(const r1_cli *c, r1_error *err)
{
    const char *to = c->args[1];
    size_t n = strlen(to);
    if (n < 5 || strcmp(to + n - 5, ".gguf")) return r1_fail(err, R1_EINVAL, "'%s' does not end in .gguf; quantised weights are written as GGUF", to);
    r1_status s = r1_check_ending(to, err);
    if (s == R1_OK) s = r1_check_target(to, c->args[0], err); /* --force would not help */
    if (s == R1_OK && !c->o.dry_run) s = r1_export_target(to, true, c->o.force, err);
    if (s) return s;
    return r1_mix_file_type(c->args[2]) < 0 ? r1_fail(err, R1_EINVAL, "'%.64s' is no type to quantise to; there are %s", c->args[2], r1_mix_names()) : R1_OK;
}

/* Tell when a matrix has no importance although there is a file of them. */
static void note_missing(const r1_cli *c, const r1_plan *p, const r1_imatrix *m)
{
    size_t missing = 0, all = 0;
    const char *first = NULL;
    for (size_t i = 0; i < p->n; i++) {
        float *w;
        size_t n;
        if (!r1_type_get(p->t[i].type)->quantised || !strcmp(p->t[i].name, "token_embd.weight")) continue; /* rows of it are looked up, never multiplied */
        all++;
        if (r1_imatrix_weights(m, &p->t[i], &w, &n, NULL)) continue; /* told when it is used */
        if (!w && !missing++) first = p->t[i].name;
        free(w);
    }
    if (missing) r1_note(c, "%zu of %zu quantised tensors are not in '%s' and are quantised as without one; the first is '%s'", missing, all, c->o.imatrix, first);
}

r1_status r1_cmd_quantize(r1_cli *c, r1_error *err)
{
    r1_ckpt *ckpt = NULL;
    r1_plan *plan = NULL;
    r1_imatrix *imatrix = NULL;
    size_t fallbacks = 0;
    r1_quantise_options q = { .target = c->args[2], .output = c->o.output_type, .embedding = c->o.embedding_type, .overrides = c->o.tensor_type.items,
                              .n_overrides = c->o.tensor_type.n, .pure = c->o.pure, .requantise = c->o.allow_requantize };
    r1_status s = check_destination(c, err);
    if (s == R1_OK && c->o.imatrix) s = r1_imatrix_open(&imatrix, c->o.imatrix, err);
    if (s == R1_OK) s = r1_ckpt_open(&ckpt, c->args[0], false, err);
    if (s == R1_OK) s = r1_plan_new(&plan, ckpt, true, err);
    if (s == R1_OK) s = r1_mix_types(plan, &q, &fallbacks, err);
    if (s == R1_OK && fallbacks)
        r1_note(c, "the rows of some tensors (%zu) are no multiple of the block of their type; these get another type (see the table)", fallbacks);
    if (s == R1_OK && imatrix) note_missing(c, plan, imatrix);
    if (s == R1_OK) s = r1_export_and_tell(c, plan, c->args[1], c->args[2], imatrix, err);
    r1_plan_free(plan);
    r1_ckpt_close(ckpt);
    r1_imatrix_close(imatrix);
    return s;
}
