/* Counting kinds of tensors and telling about them, as JSON or as a table. */
#include "cli/summary.h"

#include <math.h>

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

r1_status r1_summary_add(r1_summary *x, const char *name, const char *type, uint64_t elements, uint64_t bytes, const r1_made_error *e)
{
    char kind[128];
    size_t k = 0;
    kind_name(kind, name);
    while (k < x->n && strcmp(x->kinds[k].name, kind)) k++;
    if (k == x->cap) {
        size_t cap = r1_max(32, x->cap * 2);
        r1_summary_kind *v = realloc(x->kinds, cap * sizeof *v);
        if (!v) return R1_ENOMEM;
        x->kinds = v;
        x->cap = cap;
    }
    r1_summary_kind *to = &x->kinds[k];
    if (k == x->n) {
        *to = (r1_summary_kind){ 0 };
        memcpy(to->name, kind, sizeof kind);
        x->n++;
    }
    add_type(to->types, type);
    to->tensors++;
    to->elements += elements;
    to->bytes += bytes;
    x->elements += elements;
    x->bytes += bytes;
    if (e) add_error(&to->e, e);
    if (e) add_error(&x->e, e);
    return R1_OK;
}

void r1_summary_deinit(r1_summary *x)
{
    free(x->kinds);
    *x = (r1_summary){ 0 };
}

static double relative(const r1_made_error *e) { return e->value2 > 0 ? sqrt(e->error2 / e->value2) : 0; }

static json_t *error_json(const r1_summary *x, const r1_made_error *e) { return x->lossless || e->value2 > 0 ? json_real(relative(e)) : json_null(); }

static json_t *kinds_json(const r1_summary *x)
{
    json_t *list = json_array();
    for (size_t i = 0; i < x->n; i++) {
        const r1_summary_kind *k = &x->kinds[i];
        json_array_append_new(list, json_pack("{s:o,s:s,s:I,s:I,s:I,s:o,s:o,s:I}", "name", r1_json_text(k->name, strlen(k->name)), "types", k->types, "tensors",
                                              (json_int_t)k->tensors, "elements", (json_int_t)k->elements, "bytes", (json_int_t)k->bytes, "bits_per_weight",
                                              x->no_weights ? json_null() : json_real(8.0 * (double)k->bytes / (double)k->elements), "relative_error",
                                              error_json(x, &k->e), "values_out_of_range", (json_int_t)k->e.n_bad));
    }
    return list;
}

r1_status r1_summary_print_json(const r1_cli *c, const r1_summary *x, const char *destination, json_t *more, r1_error *err)
{
    json_t *v = json_pack("{s:o,s:o,s:b,s:I,s:o,s:I,s:I,s:f,s:o,s:f}", "source", r1_json_text(c->args[0], strlen(c->args[0])), "destination",
                          r1_json_text(destination, strlen(destination)), "written", !c->o.dry_run, "source_bytes", (json_int_t)x->source_bytes, "file_bytes",
                          x->file_bytes ? json_integer((json_int_t)x->file_bytes) : json_null(), "tensor_bytes", (json_int_t)x->bytes, "elements",
                          (json_int_t)x->elements, "bits_per_weight", x->bits_per_weight, "relative_error", error_json(x, &x->e), "seconds", x->seconds);
    bool ok = v && (!more || json_object_update(v, more) == 0);
    if (ok) ok = json_object_set_new(v, "kinds", kinds_json(x)) == 0;
    r1_status s = ok ? r1_print_json(v, err) : r1_fail(err, R1_ENOMEM, "no memory for the summary");
    json_decref(more);
    json_decref(v);
    return s;
}

void r1_summary_print_table(const r1_cli *c, const r1_summary *x, const char *destination)
{
    r1_shown_name shown;
    int width = 12;
    for (size_t i = 0; i < x->n; i++) width = (int)r1_max((size_t)width, strlen(x->kinds[i].name));
    printf("%-*s  %7s  %-12s %10s  %6s  %s\n", width, "tensors", "number", "types", "MiB", "bits", "relative error");
    for (size_t i = 0; i < x->n; i++) {
        const r1_summary_kind *k = &x->kinds[i];
        printf("%-*s  %7zu  %-12s %10.2f  %6.2f", width, r1_shown(shown, k->name), k->tensors, k->types, (double)k->bytes / 1048576, 8.0 * (double)k->bytes / (double)k->elements);
        if (k->e.value2 > 0) printf("  %.3g", relative(&k->e));
        putchar('\n');
    }
    printf("%s'%s': %.2f MiB of weights, %.2f bits each (source: %.2f MiB)", c->o.dry_run ? "not written: " : "", r1_shown(shown, destination),
           (double)x->bytes / 1048576, x->bits_per_weight, (double)x->source_bytes / 1048576);
    if (x->e.value2 > 0) printf(", relative error %.3g", relative(&x->e));
    if (!c->o.dry_run) printf(", %.1f s", x->seconds);
    putchar('\n');
}
