/* r1 generate: the raw continuation of ids, without template or reasoning machine. */
#include "cli/cli.h"

#include <stdio.h>

typedef struct output {
    r1_cli *c;
    r1_flow flow;
    r1_detok detok;
    r1_buf text;             /* of all ids, special ones by their names, but the one that ended it */
    size_t n_given;          /* bytes of it that went to the flow */
    r1_error *err;
    r1_status s;
    const r1_tokenizer *t;
    r1_progress bar;
} output;

static void show_text(output *w)
{
    if (!w->c->o.json && !w->c->o.logprobs) r1_flow_add(&w->flow, w->text.data + w->n_given, w->text.len - w->n_given);
    w->n_given = w->text.len;
}

/* The engine's own text leaves special tokens out; here it is what `r1 detokenize` makes of the ids. */
static void add_text(output *w, int32_t id)
{
    bool ends = !w->c->o.ignore_eos && w->t && r1_token_is_eog(w->t, id);
    if (!w->t || ends) return;
    w->s = r1_detok_token(&w->detok, w->t, id, &w->text, w->err);
    if (w->s == R1_OK) show_text(w);
}

static bool on_token(void *ctx, const r1_sample *token)
{
    output *w = ctx;
    if (w->c->o.logprobs && !w->c->o.json) {
        size_t n;
        const char *p = w->t ? r1_token_bytes(w->t, token->id, &n) : NULL;
        json_t *piece = r1_json_text(p ? p : "", p ? n : 0);
        char *text = piece ? json_dumps(piece, JSON_ENCODE_ANY) : NULL;
        printf("%d\t%.6f\t%s\n", token->id, (double)token->logprob, text ? text : "");
        free(text);
        json_decref(piece);
        r1_term_flush(stdout);
    }
    add_text(w, token->id);
    return w->s == R1_OK && !r1_interrupted();
}

static bool on_prefill(void *ctx, size_t done, size_t total)
{
    output *w = ctx;
    if (done < total) r1_progress_step(&w->bar, (double)done, (double)total);
    else r1_progress_end(&w->bar);
    return !r1_interrupted();
}

static r1_status print_result(const r1_generation *g, const r1_buf *text, const r1_setup *u, bool logprobs, r1_error *err)
{
    json_t *ids = json_array(), *list = logprobs ? json_array() : NULL;
    for (size_t i = 0; i < g->n_ids; i++) {
        json_array_append_new(ids, json_integer(g->ids[i]));
        if (list) json_array_append_new(list, json_real((double)g->logprobs[i]));
    }
    static const char *const finish[] = { "stop", "length", "cancelled" };
    json_t *v = json_pack("{s:o, s:o, s:s}", "ids", ids, "text", r1_json_text(text->data, text->len), "finish_reason", finish[g->finish]);
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    if (list) json_object_set_new(v, "logprobs", list);
    json_object_set_new(v, "timings", r1_timings_json(g, 0, g->n_prompt, u->load_s));
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

static r1_status generate(r1_cli *c, r1_setup *u, r1_ids *ids, r1_error *err)
{
    const size_t usual = 256;
    r1_logit_bias bias[64];
    output w = { .c = c, .flow = { .term = &c->out }, .t = r1_model_get_tokenizer(u->model), .err = err };
    r1_generate_options go = { .think_budget = -1, .raw = true, .no_loop_guard = true, .ignore_eos = c->o.ignore_eos, .speculation = r1_setup_speculation(&c->o),
                               .max_tokens = c->o.max_tokens_given ? (size_t)c->o.max_tokens : usual,
                               .on_token = on_token, .on_prefill = on_prefill, .ctx = &w };
    r1_status s = r1_setup_sampling(&go.sampling, &c->o, u->model, bias, err);
    if (s) return s;
    if (c->o.verbose) r1_note(c, "seed %llu", (unsigned long long)go.sampling.seed);
    r1_generation g = { 0 };
    r1_buf_init(&w.text, SIZE_MAX / 4);
    r1_progress_begin(&w.bar, &c->err, c->o.quiet, "reading", "tokens");
    r1_interrupt_arm(true);
    s = r1_generate(u->session, ids->ids, ids->n, &go, &g, err);
    bool stopped = r1_interrupted();
    r1_interrupt_arm(false);
    r1_progress_end(&w.bar);
    if (s == R1_OK) s = w.s;
    if (s == R1_OK) s = r1_detok_end(&w.detok, &w.text, err);
    if (w.text.len > w.n_given) show_text(&w);
    if (c->out.tty) r1_flow_end(&w.flow);
    if (s == R1_OK && c->o.json) s = print_result(&g, &w.text, u, c->o.logprobs, err);
    if (s == R1_OK && stopped) s = r1_fail(err, R1_ECANCELLED, "interrupted after %zu tokens", g.n_ids);
    r1_buf_deinit(&w.text);
    r1_generation_deinit(&g);
    return s;
}

r1_status r1_cmd_generate(r1_cli *c, r1_error *err)
{
    if (!c->o.ids_file) return r1_fail(err, R1_EINVAL, "'generate' needs --ids FILE, a file of ids separated by blanks");
    r1_ids ids = { 0 };
    r1_setup u = { 0 };
    r1_status s = r1_read_ids(c->o.ids_file, &ids, err);
    if (s == R1_OK) s = r1_setup_open(&u, c, c->args[0], err);
    if (s == R1_OK) s = r1_check_ids(&ids, &u, c->o.ids_file, err);
    if (s == R1_OK) s = generate(c, &u, &ids, err);
    r1_setup_close(&u);
    r1_ids_deinit(&ids);
    return s;
}
