/* Requests and replies of the OpenAI dialect. Replies are from outside: every member may be missing or of another type. */
#define _GNU_SOURCE
#include "eval/url_reply.h"

#include <math.h>
#include <stdio.h>

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && !memcmp(s + n - k, end, k);
}

r1_status r1_url_route(const char *base, const char *route, char **out, r1_error *err)
{
    *out = NULL;
    size_t scheme = !strncmp(base, "http://", 7) ? 7 : !strncmp(base, "https://", 8) ? 8 : 0, n = strlen(base);
    const char *host = base + scheme;
    size_t n_host = strcspn(host, "/?#");
    if (!scheme || n_host == 0 || strpbrk(base, " \t\r\n?#"))
        return r1_fail(err, R1_EINVAL, "the address is '%s', expected http://HOST:PORT or https://HOST, with or without /v1", base);
    if (memchr(host, '@', n_host)) return r1_fail(err, R1_EINVAL, "the address has a user's name in it; a key belongs into a file, for --api-key-file");
    while (n > scheme && base[n - 1] == '/') n--;
    if (ends_with(base, n, "/chat/completions")) n -= strlen("/chat/completions");
    bool bare = n <= scheme + n_host; /* nothing but a host */
    r1_buf b;
    r1_buf_init(&b, 8192);
    r1_status s = r1_buf_add(&b, base, n, err);
    if (s == R1_OK) s = r1_buf_addf(&b, err, "%s/%s", bare ? "/v1" : "", route);
    if (s == R1_OK) *out = r1_buf_take(&b, NULL);
    r1_buf_deinit(&b);
    return s;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

r1_status r1_url_request(const r1_url_options *o, const r1_ask *ask, char **out, r1_error *err)
{
    const r1_eval_sampling *p = &o->sampling;
    *out = NULL;
    json_t *prompt = json_string(ask->prompt);
    if (!prompt) return r1_fail(err, R1_EFORMAT, "the prompt is no UTF-8");
    json_t *v = json_pack("{s:s, s:[{s:s, s:o}], s:f, s:f, s:I, s:I, s:b}", "model", o->model, "messages", "role", "user", "content", prompt, "temperature", p->temperature,
                          "top_p", p->top_p, o->completion_tokens ? "max_completion_tokens" : "max_tokens", (json_int_t)p->max_tokens, "seed", (json_int_t)ask->seed, "stream", 0);
    int bad = !v;
    if (v && p->top_k > 0) bad |= json_object_set_new(v, "top_k", json_integer(p->top_k));
    if (v && p->min_p > 0) bad |= json_object_set_new(v, "min_p", json_real(p->min_p));
    if (v && p->think_budget >= 0) bad |= json_object_set_new(v, "thinking_budget", json_integer(p->think_budget));
    if (!bad) *out = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(v);
    return *out ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a request");
}

/* ---- replies --------------------------------------------------------------------------------------------------- */

static char *trimmed(const char *s, size_t n)
{
    while (n && r1_is_space(*s)) { s++; n--; }
    while (n && r1_is_space(s[n - 1])) n--;
    return strndup(s, n);
}

/* "<think>a</think>b", "a</think>b" and "<think>a" are thinking a, answer b; anything else is answer. */
static bool split_thinking(const char *text, r1_eval_sample *a)
{
    static const char open[] = "<think>", close[] = "</think>";
    const char *p = text;
    while (r1_is_space(*p)) p++;
    bool opened = !strncmp(p, open, sizeof open - 1);
    const char *end = strstr(text, close), *start = opened ? p + sizeof open - 1 : text;
    if (!opened && !end) {
        a->content = strdup(text);
        return a->content != NULL;
    }
    a->reasoning = trimmed(start, end ? (size_t)(end - start) : strlen(start));
    a->content = end ? trimmed(end + sizeof close - 1, strlen(end + sizeof close - 1)) : strdup("");
    return a->reasoning && a->content;
}

static int64_t count_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_integer(v) && json_integer_value(v) >= 0) return json_integer_value(v);
    return -1;
}

/* A word of a server, as one of ours; unknown ones must not grow into anything. */
static const char *finish_of(const json_t *choice)
{
    static const char *const known[] = { "stop", "length", "content_filter", "tool_calls", "insufficient_system_resource" };
    const char *v = json_string_value(json_object_get(choice, "finish_reason"));
    for (size_t i = 0; v && i < R1_COUNT(known); i++)
        if (!strcmp(known[i], v)) return known[i];
    return "unknown";
}

r1_status r1_url_reply(const char *text, size_t n, r1_eval_sample *answer, r1_error *err)
{
    json_t *o;
    r1_eval_sample a = { .prompt_tokens = -1, .completion_tokens = -1, .reasoning_tokens = -1, .verdict = -1 };
    r1_status s = r1_json_parse(&o, text, n, err);
    if (s) return r1_context(err, s, "the reply");
    const json_t *choice = json_array_get(json_object_get(o, "choices"), 0), *message = json_object_get(choice, "message"), *usage = json_object_get(o, "usage");
    const json_t *content = json_object_get(message, "content"), *reasoning = json_object_get(message, "reasoning_content");
    if (!reasoning || json_is_null(reasoning)) reasoning = json_object_get(message, "reasoning");
    const char *thought = json_string_value(reasoning);
    if (!json_is_object(message)) {
        s = r1_fail(err, R1_EFORMAT, "the reply has no choices[0].message; it is: %.*s", (int)r1_min(n, 200), text);
    } else if (content && !json_is_null(content) && !json_is_string(content)) {
        s = r1_fail(err, R1_EFORMAT, "the content of the reply is %s, expected a string", r1_json_kind(content));
    } else {
        const char *said = json_is_string(content) ? json_string_value(content) : "";
        bool ok;
        if (thought && *thought) {
            a.reasoning = strdup(thought);
            a.content = strdup(said);
            ok = a.reasoning && a.content;
        } else {
            ok = split_thinking(said, &a);
        }
        if (!ok) s = r1_fail(err, R1_ENOMEM, "no memory for an answer");
        a.prompt_tokens = count_of(usage, "prompt_tokens");
        a.completion_tokens = count_of(usage, "completion_tokens");
        a.reasoning_tokens = count_of(json_object_get(usage, "completion_tokens_details"), "reasoning_tokens");
        if (a.reasoning_tokens < 0 && !a.reasoning) a.reasoning_tokens = 0;
        a.finish = finish_of(choice);
    }
    json_decref(o);
    if (s) r1_eval_sample_deinit(&a);
    else *answer = a;
    return s;
}

void r1_url_complaint(const char *text, size_t n, char *out, size_t cap)
{
    json_t *o = NULL;
    const char *said = NULL;
    r1_error clean = { 0 };
    if (r1_json_parse(&o, text, n, NULL) == R1_OK) {
        const json_t *e = json_object_get(o, "error");
        said = json_string_value(json_is_object(e) ? json_object_get(e, "message") : e);
        if (!said) said = json_string_value(json_object_get(o, "message"));
        if (!said) said = json_string_value(json_object_get(o, "detail"));
    }
    if (said) (void)r1_fail(&clean, R1_OK, "%.300s", said); /* makes it one printable line */
    else (void)r1_fail(&clean, R1_OK, "%.*s", (int)r1_min(n, 200), text);
    snprintf(out, cap, "%s", clean.msg);
    json_decref(o);
}

json_t *r1_url_models(const char *text, size_t n)
{
    json_t *o, *names = NULL;
    if (r1_json_parse(&o, text, n, NULL)) return NULL;
    const json_t *data = json_object_get(o, "data");
    if (json_is_array(data)) names = json_array();
    for (size_t i = 0; names && i < json_array_size(data); i++) {
        json_t *id = json_object_get(json_array_get(data, i), "id");
        if (json_is_string(id) && json_array_append(names, id)) break;
    }
    json_decref(o);
    return names;
}

double r1_url_wait(int tries, double retry_after, double random)
{
    double wait = fmin(60, pow(2, fmin(tries - 1, 10))) * (0.5 + 0.5 * random);
    return fmin(300, fmax(wait, retry_after));
}
