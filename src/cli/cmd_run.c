/* r1 run: an answer, or a conversation. PROMPT, else a pipe on standard input, is one question; else it is a chat. */
#include "cli/chat.h"
#include "base/utf8.h"

#include <unistd.h>

/* The prompt as one text: the arguments joined by blanks (people forget to quote), or standard input. */
static r1_status read_prompt(const r1_cli *c, r1_buf *prompt, r1_error *err)
{
    bool is_stdin = c->n_args < 2 || (c->n_args == 2 && !strcmp(c->args[1], "-"));
    r1_status s = R1_OK;
    if (is_stdin) {
        char *text;
        size_t n;
        s = r1_file_read("-", (size_t)64 << 20, &text, &n, err);
        if (s) return s;
        while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--; /* the end of the last line is not part of a question */
        s = r1_buf_add(prompt, text, n, err);
        free(text);
    }
    for (size_t i = 1; i < c->n_args && !is_stdin && s == R1_OK; i++) {
        if (i > 1) s = r1_buf_adds(prompt, " ", err);
        if (s == R1_OK) s = r1_buf_adds(prompt, c->args[i], err);
    }
    size_t bad;
    if (s == R1_OK && prompt->len == 0) return r1_fail(err, R1_EFORMAT, "the prompt is empty, expected a question");
    if (s == R1_OK && !r1_utf8_is_valid(prompt->data, prompt->len, &bad))
        return r1_fail(err, R1_EFORMAT, "byte %zu of the prompt is 0x%02x, expected UTF-8", bad, (unsigned char)prompt->data[bad]);
    return s;
}

static r1_status print_answer(const r1_answer *a, const r1_setup *u, r1_error *err)
{
    const r1_generation *g = &a->g;
    json_t *v = json_pack("{s:o, s:o, s:s}", "content", r1_json_text(g->content, g->n_content), "reasoning_content",
                          r1_json_text(g->reasoning, g->n_reasoning), "finish_reason", r1_finish_name(g->finish));
    json_t *usage = json_pack("{s:I, s:I, s:I, s:{s:I}, s:{s:I}}", "prompt_tokens", (json_int_t)a->n_prompt, "completion_tokens", (json_int_t)g->n_ids,
                              "total_tokens", (json_int_t)(a->n_prompt + g->n_ids), "prompt_tokens_details", "cached_tokens", (json_int_t)a->n_cached,
                              "completion_tokens_details", "reasoning_tokens", (json_int_t)g->n_reasoning_ids);
    json_t *timings = r1_timings_json(g, a->n_cached, a->n_read, u->load_s);
    r1_status s = v && usage && timings ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    if (v) {
        json_object_set_new(v, "usage", usage);
        json_object_set_new(v, "timings", timings);
    }
    if (s == R1_OK) s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

static r1_status prompt_ids(const r1_cli *c, const r1_setup *u, const r1_buf *prompt, r1_ids *ids, r1_error *err)
{
    json_t *messages = json_array();
    if (c->o.system) json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "system", "content", r1_json_text(c->o.system, strlen(c->o.system))));
    json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "user", "content", r1_json_text(prompt->data, prompt->len)));
    char *request;
    size_t n;
    r1_status s = r1_chat_request(messages, &request, &n, err);
    if (s == R1_OK) s = r1_chat_ids(u->model, c->o.template, request, n, &ids->ids, &ids->n, err);
    free(request);
    json_decref(messages);
    return s;
}

static r1_status answer_once(r1_cli *c, r1_setup *u, const r1_buf *prompt, r1_error *err)
{
    r1_ids ids = { 0 };
    r1_sampling sampling;
    r1_logit_bias bias[64];
    r1_answer a = { 0 };
    r1_status s = prompt_ids(c, u, prompt, &ids, err);
    if (s == R1_OK) s = r1_setup_sampling(&sampling, &c->o, u->model, bias, err);
    if (s == R1_OK && c->o.verbose) r1_note(c, "seed %llu, temperature %g, top-p %g", (unsigned long long)sampling.seed, (double)sampling.temperature, (double)sampling.top_p);
    if (s == R1_OK) {
        r1_echo(false);
        s = r1_answer_make(&a, c, u, ids.ids, ids.n, &sampling, err);
        r1_echo(true);
    }
    if (s == R1_OK && c->o.json) s = print_answer(&a, u, err);
    if (s == R1_OK && !c->o.json) r1_answer_remarks(&a, c);
    if (s == R1_OK && c->o.stats) r1_answer_stats(&a, c);
    if (s == R1_OK && a.stopped) s = r1_fail(err, R1_ECANCELLED, "interrupted after %zu tokens", a.g.n_ids);
    r1_answer_deinit(&a);
    r1_ids_deinit(&ids);
    return s;
}

r1_status r1_cmd_run(r1_cli *c, r1_error *err)
{
    bool chat = c->n_args == 1 && isatty(STDIN_FILENO);
    r1_buf prompt;
    r1_setup u = { 0 };
    r1_buf_init(&prompt, (size_t)64 << 20);
    r1_status s = r1_check_template(c->o.template, err);
    if (s == R1_OK && chat && c->o.json) s = r1_fail(err, R1_EINVAL, "--json needs a PROMPT or a pipe on standard input; a chat has no JSON form");
    if (s == R1_OK && !chat) s = read_prompt(c, &prompt, err);
    if (s == R1_OK) s = r1_setup_open(&u, c, c->args[0], err);
    if (s == R1_OK) s = chat ? r1_chat_loop(c, &u, err) : answer_once(c, &u, &prompt, err);
    r1_setup_close(&u);
    r1_buf_deinit(&prompt);
    return s;
}
