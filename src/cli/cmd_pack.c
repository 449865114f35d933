/* r1 pack: a GGUF file whose matrices are already in the form kernels read. */
#include "cli/cli.h"
#include "model/pack.h"

static bool step(void *ctx, double fraction)
{
    r1_progress_step(ctx, fraction, 1);
    return !r1_interrupted();
}

static r1_status print_result(const r1_cli *c, const r1_pack_result *r, double seconds, r1_error *err)
{
    double bits = r->parameters ? 8.0 * (double)r->bytes / (double)r->parameters : 0;
    if (!c->o.json) {
        printf("%s: %zu tensors, %zu of them packed, %.2f MB (the source has %.2f MB)\n", c->args[1], r->n_tensors, r->n_packed, (double)r->bytes / 1e6,
               (double)r->source_bytes / 1e6);
        return R1_OK;
    }
    json_t *v = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "source", r1_json_text(c->args[0], strlen(c->args[0])),
                          "file", r1_json_text(c->args[1], strlen(c->args[1])), "source_bytes", (json_int_t)r->source_bytes,
                          "file_bytes", (json_int_t)r->bytes, "tensors", (json_int_t)r->n_tensors, "packed", (json_int_t)r->n_packed,
                          "packed_bytes", (json_int_t)r->packed_bytes, "parameters", (json_int_t)r->parameters, "bits_per_weight", bits, "seconds", seconds);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

r1_status r1_cmd_pack(r1_cli *c, r1_error *err)
{
    r1_progress bar;
    r1_pack_result r;
    double start = r1_now();
    if (!strcmp(c->args[1], "-")) return r1_fail(err, R1_EINVAL, "'-' as DST: a packed file is made to be mapped, expected the name of a file");
    r1_pack_options o = { .force = c->o.force, .n_threads = (int)c->o.threads, .progress = step, .progress_ctx = &bar };
    r1_progress_begin(&bar, &c->err, c->o.quiet, "packing", "");
    r1_interrupt_arm(true);
    r1_status s = r1_pack(c->args[0], c->args[1], &o, &r, err);
    r1_interrupt_arm(false);
    r1_progress_end(&bar);
    return s == R1_OK ? print_result(c, &r, r1_now() - start, err) : s;
}
