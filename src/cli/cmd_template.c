/* r1 template: a conversation as the text or ids a model gets. A template is named, or found for a model. */
#include "cli/cli.h"
#include "text/template.h"

#include <unistd.h>

typedef struct renderer {
    const r1_cli *c;
    r1_ckpt *ckpt;         /* NULL: a template was named */
    r1_tokenizer *tokenizer;
    const r1_template *t;
    char *bos;             /* NULL: the template's own */
} renderer;

static void renderer_close(renderer *r)
{
    free(r->bos);
    r1_tokenizer_free(r->tokenizer);
    r1_ckpt_close(r->ckpt);
}

static r1_status list_names(void)
{
    for (size_t i = 0; r1_template_at(i); i++) puts(r1_template_at(i));
    return R1_OK;
}

static r1_status find_named(const r1_template **t, const char *name, r1_error *err)
{
    *t = r1_template_find(name);
    if (*t) return R1_OK;
    return r1_fail(err, R1_EINVAL, "there is no template '%s'; there are %s", name, r1_template_names());
}

/* The text of the model's BOS token, which the template writes instead of its own. */
static r1_status copy_bos(renderer *r, r1_error *err)
{
    int32_t bos = r1_tokenizer_bos(r->tokenizer);
    size_t n;
    const char *p = bos >= 0 ? r1_token_bytes(r->tokenizer, bos, &n) : NULL;
    if (!p) return R1_OK;
    r->bos = malloc(n + 1);
    if (!r->bos) return r1_fail(err, R1_ENOMEM, "no memory for the BOS token");
    memcpy(r->bos, p, n);
    r->bos[n] = 0;
    return R1_OK;
}

static r1_status open_model(renderer *r, const char *path, r1_error *err)
{
    if (access(path, F_OK) != 0)
        return r1_fail(err, R1_EINVAL, "there is no template and no file '%s'; templates are %s", path, r1_template_names());
    r1_status s = r1_ckpt_open(&r->ckpt, path, true, err);
    if (s) return s;
    s = r1_ckpt_tokenizer(r->ckpt, &r->tokenizer, err);
    if (s == R1_OK) s = copy_bos(r, err);
    if (s) return s;
    if (r->c->o.template) return find_named(&r->t, r->c->o.template, err);
    r1_slice jinja = r1_ckpt_chat_template(r->ckpt);
    r->t = r1_template_detect(jinja.p, jinja.n, r1_ckpt_architecture(r->ckpt), r->tokenizer);
    if (r->t) return R1_OK;
    return r1_fail(err, R1_EUNSUPPORTED, "the chat template of '%s' is not one r1 knows; --template takes %s", path, r1_template_names());
}

static r1_status print_ids(const r1_rendering *out, const r1_tokenizer *t, r1_error *err)
{
    r1_ids ids = { 0 };
    r1_status s = r1_rendering_encode(out, t, &ids, err);
    if (s == R1_OK) {
        putchar('[');
        for (size_t i = 0; i < ids.n; i++) printf(i ? ", %d" : "%d", ids.ids[i]);
        puts("]");
    }
    r1_ids_deinit(&ids);
    return s;
}

static r1_status render(const renderer *r, const json_t *request, r1_error *err)
{
    r1_rendering out;
    r1_status s = r1_template_render(r->t, request, r->bos, &out, err);
    if (s) return s;
    const char *text = out.text.data ? out.text.data : "";
    if (r->c->o.ids) {
        s = print_ids(&out, r->tokenizer, err);
    } else if (r->c->o.jsonl) {
        json_t *v = r1_json_text(text, out.text.len);
        s = r1_print_json(v, err);
        json_decref(v);
    } else if (r->c->out.tty) {
        r1_buf clean;
        r1_buf_init(&clean, SIZE_MAX / 4);
        s = r1_term_clean(text, out.text.len, &clean, err);
        if (s == R1_OK) puts(clean.data ? clean.data : "");
        r1_buf_deinit(&clean);
    } else {
        fwrite(text, 1, out.text.len, stdout);
    }
    r1_rendering_deinit(&out);
    return s;
}

/* With --jsonl a conversation that cannot be rendered is an answer of its own and the next line follows. */
static r1_status render_line(void *ctx, const char *line, size_t n, r1_error *err)
{
    json_t *request;
    r1_status s = r1_json_parse(&request, line, n, err);
    if (s == R1_OK) s = render(ctx, request, err);
    json_decref(request);
    if (s && s != R1_ENOMEM && err) {
        json_t *v = json_pack("{s:s}", "error", err->msg);
        s = r1_print_json(v, err);
        json_decref(v);
    }
    r1_term_flush(stdout);
    return s;
}

static r1_status render_input(renderer *r, r1_error *err)
{
    const r1_cli *c = r->c;
    const char *file = c->n_args > 1 ? c->args[1] : "-";
    if (c->o.jsonl) {
        if (strcmp(file, "-") != 0 && !freopen(file, "r", stdin)) return r1_fail(err, R1_EIO, "cannot open '%s'", file);
        return r1_each_line(render_line, r, err);
    }
    json_t *request;
    r1_status s = r1_json_read(&request, file, (size_t)256 << 20, err);
    if (s == R1_OK) s = render(r, request, err);
    json_decref(request);
    return s;
}

r1_status r1_cmd_template(r1_cli *c, r1_error *err)
{
    if (c->o.list) return list_names();
    if (c->n_args == 0) return r1_fail(err, R1_EINVAL, "'template' needs MODEL-OR-NAME [FILE] or --list");
    renderer r = { .c = c, .t = r1_template_find(c->args[0]) };
    r1_status s = R1_OK;
    if (!r.t) s = open_model(&r, c->args[0], err);
    else if (c->o.ids) s = r1_fail(err, R1_EINVAL, "--ids needs a model with a tokenizer; '%s' is a template (--template %s goes with a model)", c->args[0], c->args[0]);
    else if (c->o.template) s = r1_fail(err, R1_EINVAL, "--template goes with a model; '%s' is a template", c->args[0]);
    if (s == R1_OK) s = render_input(&r, err);
    renderer_close(&r);
    return s;
}
