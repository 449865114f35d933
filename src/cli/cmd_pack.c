/* r1 pack: a GGUF file whose matrices are already in the form kernels read. */
#include "base/writer.h"
#include "cli/summary.h"
#include "model/pack.h"

static bool step(void *ctx, double fraction)
{
    r1_progress_step(ctx, fraction, 1);
    return !r1_interrupted();
}

/* The tensors of the packed file, which is opened for that: its header is read. */
static r1_status sum_up(r1_summary *x, const char *path, r1_error *err)
{
    r1_ckpt *k;
    uint64_t weights = 0;
    r1_status s = r1_ckpt_open(&k, path, false, err);
    for (size_t i = 0; s == R1_OK && i < r1_ckpt_n_tensors(k); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(k, i);
        uint64_t n = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
        if (!r1_ckpt_head_is_copy(k) || strcmp(t->name, "output.weight")) weights += n;
        if (r1_summary_add(x, t->name, r1_type_get(t->type)->name, n, t->bytes, NULL))
            s = r1_fail(err, R1_ENOMEM, "no memory for a summary of %zu tensors", r1_ckpt_n_tensors(k));
    }
    if (weights) x->bits_per_weight = 8.0 * (double)x->bytes / (double)weights;
    r1_ckpt_close(k);
    return s;
}

static r1_status print_result(const r1_cli *c, const r1_pack_result *r, double seconds, r1_error *err)
{
    r1_summary x = { .source_bytes = r->source_bytes, .file_bytes = r->bytes, .seconds = seconds, .lossless = true };
    if (!c->o.json) {
        r1_shown_name shown;
        if (!c->o.quiet)
            printf("%s: %zu tensors, %zu of them packed, %.2f MiB (the source has %.2f MiB)\n", r1_shown(shown, c->args[1]), r->n_tensors, r->n_packed,
                   (double)r->bytes / 1048576, (double)r->source_bytes / 1048576);
        return R1_OK;
    }
    r1_status s = sum_up(&x, c->args[1], err);
    json_t *more = json_pack("{s:I, s:I, s:I, s:I}", "tensors", (json_int_t)r->n_tensors, "packed", (json_int_t)r->n_packed, "packed_bytes",
                             (json_int_t)r->packed_bytes, "parameters", (json_int_t)r->parameters);
    if (s == R1_OK && !more) s = r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    if (s == R1_OK) s = r1_summary_print_json(c, &x, c->args[1], more, err);
    else json_decref(more);
    r1_summary_deinit(&x);
    return s;
}

r1_status r1_cmd_pack(r1_cli *c, r1_error *err)
{
    r1_progress bar;
    r1_pack_result r;
    double start = r1_now();
    if (!strcmp(c->args[1], "-")) return r1_fail(err, R1_EINVAL, "'-' as DST: a packed file is made to be mapped, expected the name of a file");
    r1_status s = r1_check_target(c->args[1], c->args[0], err); /* before the work, not after it */
    if (s == R1_OK) s = r1_overwrite_check(c->args[1], c->o.force, err);
    if (s) return s;
    r1_pack_options o = { .force = c->o.force, .n_threads = (int)c->o.threads, .progress = step, .progress_ctx = &bar, .temporary = r1_temporary_file };
    r1_progress_begin(&bar, &c->err, c->o.quiet, "packing", "");
    r1_interrupt_arm(true);
    s = r1_pack(c->args[0], c->args[1], &o, &r, err);
    r1_interrupt_arm(false);
    r1_progress_end(&bar);
    return s == R1_OK ? print_result(c, &r, r1_now() - start, err) : s;
}
