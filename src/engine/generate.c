/* From a prompt to an answer: one sequence (sequence.h), stepped until it ends; and conversations to ids. */
#include "engine/sequence.h"
#include "base/json.h"

void r1_generation_deinit(r1_generation *g)
{
    free(g->content);
    free(g->reasoning);
    free(g->ids);
    free(g->logprobs);
    *g = (r1_generation){ 0 };
}

/* A row at a time; a prompt a chunk at a time, so that it can be watched and cancelled. rows: [1 + max_guesses, n_vocab]. */
static void run(r1_sequence *q, float *rows)
{
    r1_engine *e = q->s->e;
    r1_batch_row row;
    while (q->state != R1_SEQUENCE_ENDED && r1_sequence_next(q, e->chunk, R1_DRAFT_MAX, &row)) {
        row.logits = rows;
        double t = r1_now();
        r1_status s = r1_batch_step(e, &row, 1, q->err);
        if (s) {
            r1_sequence_end(q, s);
            return;
        }
        r1_sequence_took(q, &row, r1_now() - t);
        while (q->state == R1_SEQUENCE_READY) {
            r1_sequence_choose(q);
            r1_sequence_accept(q);
        }
    }
}

r1_status r1_generate(r1_session *session, const int32_t *prompt, size_t n_prompt, const r1_generate_options *o, r1_generation *out, r1_error *err)
{
    r1_sequence q = { .s = session, .prompt = prompt, .n_prompt = n_prompt, .o = o, .out = out, .err = err };
    float *rows = NULL;
    r1_status s = r1_sequence_start(&q);
    if (s == R1_OK) s = r1_sequence_guess(&q, true);
    if (s == R1_OK && !(rows = malloc((1 + q.max_guesses) * (size_t)r1_model_get_info(session->e->m)->n_vocab * sizeof *rows)))
        s = r1_fail(err, R1_ENOMEM, "no memory for logits");
    if (s) r1_sequence_end(&q, s);
    else run(&q, rows);
    s = r1_sequence_finish(&q);
    free(rows);
    return s;
}

/* ---- conversations --------------------------------------------------------------------------------------------- */

r1_status r1_chat_ids(const r1_model *m, const char *name, const char *request, size_t n, int32_t **ids, size_t *n_ids, r1_error *err)
{
    const r1_tokenizer *tokenizer = r1_model_get_tokenizer(m);
    const r1_template *t = name ? r1_template_find(name) : r1_model_template(m);
    *ids = NULL;
    *n_ids = 0;
    if (!tokenizer) return r1_fail(err, R1_EUNSUPPORTED, "the model has no tokenizer");
    if (!t && name) return r1_fail(err, R1_EUNSUPPORTED, "template '%s' is not known; known are %s", name, r1_template_names());
    if (!t) return r1_fail(err, R1_EUNSUPPORTED, "the model's chat template is not one r1 knows; name one with --template: %s", r1_template_names());
    json_t *j;
    r1_rendering r;
    r1_ids v = { 0 };
    size_t n_bos = 0;
    const char *bos = r1_token_bytes(tokenizer, r1_tokenizer_bos(tokenizer), &n_bos); /* where the template writes BOS, it is the model's */
    char text[256];
    bool own = bos && n_bos < sizeof text;
    if (own) memcpy(text, bos, n_bos);
    if (own) text[n_bos] = 0;
    r1_status s = r1_json_parse(&j, request, n, err);
    if (s) return s;
    s = r1_template_render(t, j, own ? text : NULL, &r, err);
    if (s == R1_OK) {
        s = r1_rendering_encode(&r, tokenizer, &v, err);
        r1_rendering_deinit(&r);
    }
    json_decref(j);
    if (s) {
        r1_ids_deinit(&v);
        return s;
    }
    *ids = v.ids;
    *n_ids = v.n;
    return R1_OK;
}
