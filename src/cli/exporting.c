/* Writing a plan and summing it up. Kinds of tensors are their names without numbers: all "blk.N.attn_v.weight" are one line. */
#include "cli/exporting.h"
#include "quant/encode.h"

#include <math.h>

typedef struct kind {
    char name[128];
    char types[64];
    size_t tensors;
    uint64_t elements, bytes;
    r1_made_error e;
} kind;

typedef struct summary {
    kind *kinds;
    size_t n;
    uint64_t elements, bytes, source_bytes;
    r1_made_error e;
    double seconds;
} summary;

/* "blk.12.attn_v.weight" and "model.layers.3.mlp.experts.7.up_proj.weight" without their numbers. */
static void kind_name(char out[128], const char *name)
{
    size_t n = 0;
    for (const char *p = name; *p && n < 120; p++) {
        bool number = *p >= '0' && *p <= '9' && (p == name || p[-1] == '.');
        if (number) {
            size_t k = strspn(p, "0123456789");
            if (p[k] == '.' || p[k] == 0) {
                out[n++] = 'N';
                p += k - 1;
                continue;
            }
        }
        out[n++] = *p;
    }
    out[n] = 0;
    if (!strncmp(out, "blk.N.", 6)) memmove(out, out + 6, n - 5);
    else if (!strncmp(out, "model.layers.N.", 15)) memmove(out, out + 15, n - 14);
}

static void add_error(r1_made_error *to, const r1_made_error *e)
{
    to->error2 += e->error2;
    to->value2 += e->value2;
    to->n_bad += e->n_bad;
}

static void add_type(char types[64], const char *name)
{
    char list[66], word[34];
    snprintf(list, sizeof list, "%s ", types);
    snprintf(word, sizeof word, "%.32s ", name);
    const char *at = strstr(list, word);
    if (at && (at == list || at[-1] == ' ')) return;
    size_t n = strlen(types);
    snprintf(types + n, 64 - n, "%s%s", n ? " " : "", name);
}

static r1_status sum_up(summary *x, const r1_plan *p, const r1_made_error *errors, r1_error *err)
{
    *x = (summary){ .kinds = calloc(r1_max(p->n, 1), sizeof *x->kinds), .source_bytes = r1_ckpt_file_bytes(p->ckpt) };
    if (!x->kinds) return r1_fail(err, R1_ENOMEM, "no memory for a summary of %zu tensors", p->n);
    for (size_t i = 0; i < p->n; i++) {
        const r1_made *m = &p->t[i];
        char name[128];
        size_t k = 0;
        kind_name(name, m->name);
        while (k < x->n && strcmp(x->kinds[k].name, name)) k++;
        kind *to = &x->kinds[k];
        if (k == x->n) memcpy(x->kinds[x->n++].name, name, sizeof name);
        add_type(to->types, r1_type_get(m->type)->name);
        to->tensors++;
        to->elements += r1_made_elements(m);
        to->bytes += r1_made_bytes(m) + 4 * r1_made_scales(m);
        x->elements += r1_made_elements(m);
        x->bytes += r1_made_bytes(m) + 4 * r1_made_scales(m);
        if (!errors) continue;
        add_error(&to->e, &errors[i]);
        add_error(&x->e, &errors[i]);
    }
    return R1_OK;
}

static double relative(const r1_made_error *e) { return e->value2 > 0 ? sqrt(e->error2 / e->value2) : 0; }

static json_t *error_json(const r1_made_error *e) { return e->value2 > 0 ? json_real(relative(e)) : json_null(); }

static r1_status print_object(const r1_cli *c, const summary *x, const char *path, r1_error *err)
{
    json_t *kinds = json_array();
    for (size_t i = 0; i < x->n; i++) {
        const kind *k = &x->kinds[i];
        json_array_append_new(kinds, json_pack("{s:o,s:s,s:I,s:I,s:I,s:f,s:o,s:I}", "name", r1_json_text(k->name, strlen(k->name)), "types", k->types, "tensors",
                                               (json_int_t)k->tensors, "elements", (json_int_t)k->elements, "bytes", (json_int_t)k->bytes, "bits_per_weight",
                                               8.0 * (double)k->bytes / (double)k->elements, "relative_error", error_json(&k->e), "values_out_of_range",
                                               (json_int_t)k->e.n_bad));
    }
    json_t *v = json_pack("{s:o,s:o,s:b,s:I,s:I,s:I,s:f,s:o,s:f,s:o}", "source", r1_json_text(c->args[0], strlen(c->args[0])), "destination",
                          r1_json_text(path, strlen(path)), "written", !c->o.dry_run, "source_bytes", (json_int_t)x->source_bytes, "tensor_bytes",
                          (json_int_t)x->bytes, "elements", (json_int_t)x->elements, "bits_per_weight",
                          x->elements ? 8.0 * (double)x->bytes / (double)x->elements : 0.0, "relative_error", error_json(&x->e), "seconds", x->seconds, "kinds", kinds);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the summary");
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

static void print_table(const r1_cli *c, const summary *x, const char *path)
{
    int width = 12;
    for (size_t i = 0; i < x->n; i++) width = (int)r1_max((size_t)width, strlen(x->kinds[i].name));
    printf("%-*s  %7s  %-12s %10s  %6s  %s\n", width, "tensors", "number", "types", "MiB", "bits", "relative error");
    for (size_t i = 0; i < x->n; i++) {
        const kind *k = &x->kinds[i];
        printf("%-*s  %7zu  %-12s %10.2f  %6.2f", width, k->name, k->tensors, k->types, (double)k->bytes / 1048576, 8.0 * (double)k->bytes / (double)k->elements);
        if (k->e.value2 > 0) printf("  %.3g", relative(&k->e));
        putchar('\n');
    }
    printf("%s'%s': %.2f MiB of weights, %.2f bits each (source: %.2f MiB)", c->o.dry_run ? "not written: " : "", path, (double)x->bytes / 1048576,
           x->elements ? 8.0 * (double)x->bytes / (double)x->elements : 0.0, (double)x->source_bytes / 1048576);
    if (x->e.value2 > 0) printf(", relative error %.3g", relative(&x->e));
    if (!c->o.dry_run) printf(", %.1f s", x->seconds);
    putchar('\n');
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

r1_status r1_export_and_tell(r1_cli *c, const r1_plan *p, const char *path, const char *target, const r1_imatrix *imatrix, r1_error *err)
{
    r1_export_options o = { .force = c->o.force, .target = target, .imatrix = imatrix, .temporary = r1_temporary_folder };
    summary x = { 0 };
    double start = r1_now();
    r1_status s = R1_OK;
    o.errors = calloc(r1_max(p->n, 1), sizeof *o.errors);
    if (!o.errors) s = r1_fail(err, R1_ENOMEM, "no memory for the errors of %zu tensors", p->n);
    for (size_t i = 0; i < p->n && c->o.verbose; i++) r1_note(c, "%s: %s", p->t[i].name, r1_type_get(p->t[i].type)->name);
    if (s == R1_OK) s = c->o.dry_run ? r1_export_check(p, &o, err) : write_plan(c, p, path, &o, err);
    if (s == R1_OK) s = sum_up(&x, p, o.errors, err);
    if (s == R1_OK) {
        x.seconds = r1_now() - start;
        if (x.e.n_bad)
            r1_note(c, "%llu values are not finite or too large for their new type; they became the nearest it has", (unsigned long long)x.e.n_bad);
        if (c->o.json) s = print_object(c, &x, path, err);
        else print_table(c, &x, path);
    }
    if (s == R1_OK) s = r1_flush(c, err);
    free(x.kinds);
    free(o.errors);
    return s;
}
