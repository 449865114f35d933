/* Writing a plan and summing it up. */
#define _GNU_SOURCE
#include "cli/exporting.h"
#include "cli/summary.h"

#include <stdio.h>
#include <sys/stat.h>

r1_status r1_check_ending(const char *path, r1_error *err)
{
    const char *slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, ".gguf")) return R1_OK;
    return r1_fail(err, R1_EINVAL, "'%s' has nothing before its ending, expected a name such as model.gguf", path);
}

/* The size of the file, or of a folder's weights. */
static uint64_t size_of(const r1_plan *p, const char *path)
{
    char name[4400];
    struct stat st;
    snprintf(name, sizeof name, "%.4000s%s", path, p->to_gguf ? "" : "/model.safetensors");
    return stat(name, &st) ? 0 : (uint64_t)st.st_size;
}

static r1_status sum_up(r1_summary *x, const r1_plan *p, const r1_made_error *errors, r1_error *err)
{
    x->source_bytes = r1_ckpt_file_bytes(p->ckpt);
    for (size_t i = 0; i < p->n; i++) {
        const r1_made *m = &p->t[i];
        if (r1_summary_add(x, m->name, r1_type_get(m->type)->name, r1_made_elements(m), r1_made_bytes(m) + 4 * r1_made_scales(m), &errors[i]))
            return r1_fail(err, R1_ENOMEM, "no memory for a summary of %zu tensors", p->n);
    }
    if (x->elements) x->bits_per_weight = 8.0 * (double)x->bytes / (double)x->elements;
    return R1_OK;
}

static bool show_progress(void *ctx, uint64_t done, uint64_t total)
{
    r1_progress_step(ctx, (double)done, (double)total);
    return !r1_interrupted();
}

static r1_status write_plan(r1_cli *c, const r1_plan *p, const char *path, r1_export_options *o, r1_error *err)
{
    r1_pool *pool = NULL;
    r1_progress bar;
    int threads = c->o.threads ? (int)c->o.threads : r1_physical_cores();
    r1_status s = r1_pool_new(&pool, threads, err);
    if (s) return s;
    r1_progress_begin(&bar, &c->err, c->o.quiet, "writing", "");
    r1_interrupt_arm(true);
    o->pool = pool;
    o->progress = show_progress;
    o->progress_ctx = &bar;
    s = r1_export(p, path, o, err);
    o->progress_ctx = NULL;
    o->pool = NULL;
    r1_interrupt_arm(false);
    r1_progress_end(&bar);
    r1_pool_free(pool);
    return s;
}

/* What the target will lack, before the work: who minds can stop it. */
static void note_losses(const r1_cli *c, const r1_plan *p, const char *path, const json_t *dropped)
{
    char list[600] = "";
    size_t n = 0, i = 0, all = json_array_size(dropped);
    if (!r1_plan_has_tokenizer(p))
        r1_note(c, "'%s' has no %s, so '%s' will have none: only ids can go in and out of it, and llama.cpp will not open it", r1_ckpt_path(p->ckpt),
                r1_ckpt_gguf(p->ckpt) ? "tokenizer" : "tokenizer.json", path);
    for (; i < all && n < sizeof list - 150; i++) n += (size_t)snprintf(list + n, sizeof list - n, "%s%.128s", i ? ", " : "", json_string_value(json_array_get(dropped, i)));
    if (all) r1_note(c, "folders have no place for these metadata of '%s', which are left out: %s%s", r1_ckpt_path(p->ckpt), list, i < all ? ", ..." : "");
}

static r1_status print_result(const r1_cli *c, const r1_summary *x, const r1_plan *p, const char *path, json_t *dropped, r1_error *err)
{
    if (!c->o.json) {
        if (!c->o.quiet) r1_summary_print_table(c, x, path);
        return R1_OK;
    }
    json_t *more = json_pack("{s:b, s:O}", "tokenizer", r1_plan_has_tokenizer(p), "dropped_keys", dropped);
    return more ? r1_summary_print_json(c, x, path, more, err) : r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
}

r1_status r1_export_and_tell(r1_cli *c, const r1_plan *p, const char *path, const char *target, const r1_imatrix *imatrix, r1_error *err)
{
    r1_export_options o = { .force = c->o.force, .target = target, .imatrix = imatrix, .temporary = p->to_gguf ? r1_temporary_file : r1_temporary_folder };
    r1_summary x = { 0 };
    double start = r1_now();
    r1_status s = r1_ckpt_check_target(p->ckpt, path, err);
    if (s == R1_OK && imatrix) s = r1_check_target(path, c->o.imatrix, err);
    if (s) return s;
    json_t *dropped = r1_plan_dropped_keys(p);
    o.errors = calloc(r1_max(p->n, 1), sizeof *o.errors);
    if (!o.errors || !dropped) s = r1_fail(err, R1_ENOMEM, "no memory for the errors of %zu tensors", p->n);
    for (size_t i = 0; i < p->n && c->o.verbose; i++) r1_note(c, "%s: %s", p->t[i].name, r1_type_get(p->t[i].type)->name);
    if (s == R1_OK) note_losses(c, p, path, dropped);
    if (s == R1_OK) s = c->o.dry_run ? r1_export_check(p, &o, err) : write_plan(c, p, path, &o, err);
    if (s == R1_OK) s = sum_up(&x, p, o.errors, err);
    if (s == R1_OK) {
        x.seconds = r1_now() - start;
        if (x.e.n_bad)
            r1_note(c, x.e.n_bad == 1 ? "%llu value is not finite or too large for its new type; it became the nearest that has"
                                      : "%llu values are not finite or too large for their new type; they became the nearest it has", (unsigned long long)x.e.n_bad);
        if (!c->o.dry_run) x.file_bytes = size_of(p, path);
        s = print_result(c, &x, p, path, dropped, err);
    }
    if (s == R1_OK) s = r1_flush(c, err);
    r1_summary_deinit(&x);
    json_decref(dropped);
    free(o.errors);
    return s;
}
