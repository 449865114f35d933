/* Requests in JSON. See request.h. */
#include "engine/request.h"
#include "base/rng.h"
#include "text/reasoning.h"

#include <float.h>

static const char *const fields[] = { "id", "prompt", "messages", "temperature", "top_p", "top_k", "min_p", "seed", "max_tokens", "stop", "repetition_penalty",
                                      "presence_penalty", "frequency_penalty", "penalty_window", "logit_bias", "think_budget", "ignore_eos" };

static r1_status check_fields(const json_t *o, r1_error *err)
{
    const char *key;
    json_t *v;
    char known[320] = "";
    json_object_foreach((json_t *)o, key, v) {
        size_t i = 0;
        while (i < R1_COUNT(fields) && strcmp(fields[i], key)) i++;
        if (i < R1_COUNT(fields)) continue;
        for (i = 0; i < R1_COUNT(fields); i++) {
            strcat(known, i ? ", " : "");
            strcat(known, fields[i]);
        }
        return r1_fail(err, R1_EFORMAT, "'%.64s' is no field of a request; there are %s", key, known);
    }
    return R1_OK;
}

static r1_status read_id(r1_ask *a, r1_error *err)
{
    const json_t *v = json_object_get(a->json, "id");
    if (!v || json_is_null(v)) return R1_OK;
    if (!json_is_string(v) && !json_is_integer(v)) return r1_fail(err, R1_EFORMAT, "'id' is %s, expected a string or an integer", r1_json_kind(v));
    size_t n = json_string_length(v); /* 0 for integers */
    if (n > R1_ASK_ID_MAX) return r1_fail(err, R1_EFORMAT, "'id' has %zu bytes, expected at most %d", n, R1_ASK_ID_MAX);
    a->id = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    return a->id ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a request");
}

static r1_status read_question(const r1_ask *a, r1_error *err)
{
    const json_t *prompt = json_object_get(a->json, "prompt"), *messages = json_object_get(a->json, "messages");
    if (prompt && json_is_null(prompt)) prompt = NULL;
    if (messages && json_is_null(messages)) messages = NULL;
    if (prompt && messages) return r1_fail(err, R1_EFORMAT, "both 'prompt' and 'messages' are given, expected one of them");
    if (!prompt && !messages) return r1_fail(err, R1_EFORMAT, "neither 'prompt' nor 'messages' is given, expected one of them");
    if (prompt && !json_is_string(prompt)) return r1_fail(err, R1_EFORMAT, "'prompt' is %s, expected a string", r1_json_kind(prompt));
    if (prompt && !json_string_length(prompt)) return r1_fail(err, R1_EFORMAT, "'prompt' is empty, expected a question");
    if (messages && !json_is_array(messages)) return r1_fail(err, R1_EFORMAT, "'messages' is %s, expected an array", r1_json_kind(messages));
    if (messages && !json_array_size(messages)) return r1_fail(err, R1_EFORMAT, "'messages' is empty, expected at least one message");
    return R1_OK;
}

static r1_status read_real(const json_t *o, const char *key, double lo, double hi, float *out, r1_error *err)
{
    double x;
    r1_status s = r1_json_real(o, key, false, (double)*out, &x, err);
    if (s) return s;
    if (!(x >= lo && x <= hi)) return r1_fail(err, R1_EFORMAT, "'%s' is %g, expected %g to %g", key, x, lo, hi);
    *out = (float)x;
    return R1_OK;
}

static r1_status read_reals(const json_t *o, r1_sampling *p, r1_error *err)
{
    r1_status s = read_real(o, "temperature", 0, 100, &p->temperature, err);
    if (s == R1_OK) s = read_real(o, "top_p", 0, 1, &p->top_p, err);
    if (s == R1_OK) s = read_real(o, "min_p", 0, 1, &p->min_p, err);
    if (s == R1_OK) s = read_real(o, "repetition_penalty", 0.01, 10, &p->repetition_penalty, err);
    if (s == R1_OK) s = read_real(o, "presence_penalty", -100, 100, &p->presence_penalty, err);
    if (s == R1_OK) s = read_real(o, "frequency_penalty", -100, 100, &p->frequency_penalty, err);
    return s;
}

static r1_status read_integers(r1_ask *a, r1_error *err)
{
    const json_t *o = a->json;
    r1_generate_options *g = &a->options;
    int64_t top_k, seed, window, most, budget;
    const json_t *given = json_object_get(o, "seed");
    r1_status s = r1_json_int(o, "top_k", false, g->sampling.top_k, -1, INT32_MAX, &top_k, err);
    if (s == R1_OK) s = r1_json_int(o, "seed", false, -1, 0, INT64_MAX, &seed, err);
    if (s == R1_OK) s = r1_json_int(o, "penalty_window", false, g->sampling.penalty_window, -1, 1 << 24, &window, err);
    if (s == R1_OK) s = r1_json_int(o, "max_tokens", false, (int64_t)g->max_tokens, 1, INT32_MAX, &most, err);
    if (s == R1_OK) s = r1_json_int(o, "think_budget", false, g->think_budget, -1, INT32_MAX, &budget, err);
    if (s == R1_OK) s = r1_json_bool(o, "ignore_eos", g->ignore_eos, &g->ignore_eos, err);
    if (s) return s;
    a->seed_given = given && !json_is_null(given);
    if (a->seed_given) g->sampling.seed = (uint64_t)seed;
    g->sampling.top_k = (int32_t)(top_k < 0 ? 0 : top_k);
    g->sampling.penalty_window = (int32_t)window;
    g->max_tokens = (size_t)most;
    g->think_budget = (long)budget;
    return R1_OK;
}

static r1_status read_stop(r1_ask *a, r1_error *err)
{
    const json_t *v = json_object_get(a->json, "stop");
    if (!v || json_is_null(v)) return R1_OK;
    bool one = json_is_string(v);
    if (!one && !json_is_array(v)) return r1_fail(err, R1_EFORMAT, "'stop' is %s, expected a string or an array of strings", r1_json_kind(v));
    size_t n = one ? 1 : json_array_size(v);
    if (n > R1_STOP_MAX) return r1_fail(err, R1_EFORMAT, "'stop' has %zu strings, expected at most %d", n, R1_STOP_MAX);
    a->stop = calloc(n + 1, sizeof *a->stop);
    if (!a->stop) return r1_fail(err, R1_ENOMEM, "no memory for a request");
    for (size_t i = 0; i < n; i++) {
        const json_t *text = one ? v : json_array_get(v, i);
        if (!json_is_string(text)) return r1_fail(err, R1_EFORMAT, "'stop' %zu is %s, expected a string", i, r1_json_kind(text));
        size_t length = json_string_length(text);
        if (length == 0 || length > R1_STOP_BYTES_MAX)
            return r1_fail(err, R1_EFORMAT, "'stop' %zu has %zu bytes, expected 1 to %d", i, length, R1_STOP_BYTES_MAX);
        a->stop[i] = json_string_value(text);
        if (strlen(a->stop[i]) != length) return r1_fail(err, R1_EFORMAT, "'stop' %zu holds a NUL, expected text", i);
    }
    a->options.stop = a->stop;
    a->options.n_stop = n;
    return R1_OK;
}

static r1_status read_bias(r1_ask *a, r1_error *err)
{
    const json_t *v = json_object_get(a->json, "logit_bias");
    if (!v || json_is_null(v)) return R1_OK;
    if (!json_is_object(v)) return r1_fail(err, R1_EFORMAT, "'logit_bias' is %s, expected an object such as {\"13\": -5}", r1_json_kind(v));
    size_t n = json_object_size(v), i = 0;
    if (n > R1_ASK_BIAS_MAX) return r1_fail(err, R1_EFORMAT, "'logit_bias' has %zu tokens, expected at most %d", n, R1_ASK_BIAS_MAX);
    a->bias = calloc(n + 1, sizeof *a->bias);
    if (!a->bias) return r1_fail(err, R1_ENOMEM, "no memory for a request");
    const char *key;
    json_t *x;
    json_object_foreach((json_t *)v, key, x) {
        size_t digits = strspn(key, "0123456789");
        if (!digits || digits > 9 || key[digits] || (digits > 1 && *key == '0'))
            return r1_fail(err, R1_EFORMAT, "'logit_bias' names token '%.32s', expected the number of one", key);
        if (!json_is_number(x)) return r1_fail(err, R1_EFORMAT, "'logit_bias' of token %s is %s, expected a number", key, r1_json_kind(x));
        double bias = json_number_value(x);
        if (!(bias >= -1e6 && bias <= 1e6)) return r1_fail(err, R1_EFORMAT, "'logit_bias' of token %s is %g, expected -1e+06 to 1e+06", key, bias);
        a->bias[i++] = (r1_logit_bias){ (int32_t)strtol(key, NULL, 10), (float)bias };
    }
    a->options.sampling.bias = a->bias;
    a->options.sampling.n_bias = n;
    return R1_OK;
}

void r1_ask_deinit(r1_ask *a)
{
    free(a->id);
    json_decref(a->json);
    free(a->stop);
    free(a->bias);
    *a = (r1_ask){ 0 };
}

r1_status r1_ask_parse(r1_ask *out, const char *text, size_t n, const r1_generate_options *usual, r1_error *err)
{
    *out = (r1_ask){ .options = *usual };
    r1_status s = r1_json_parse(&out->json, text, n, err);
    if (s == R1_OK && !json_is_object(out->json)) s = r1_fail(err, R1_EFORMAT, "a request is %s, expected an object", r1_json_kind(out->json));
    if (s == R1_OK) s = read_id(out, err);
    if (s == R1_OK) s = check_fields(out->json, err);
    if (s == R1_OK) s = read_question(out, err);
    if (s == R1_OK) s = read_reals(out->json, &out->options.sampling, err);
    if (s == R1_OK) s = read_integers(out, err);
    if (s == R1_OK) s = read_stop(out, err);
    if (s == R1_OK) s = read_bias(out, err);
    if (s == R1_OK) return R1_OK;
    char *id = out->id;
    out->id = NULL;
    r1_ask_deinit(out);
    out->id = id;
    return s;
}

/* Takes content. */
static json_t *message(const char *role, json_t *content) { return json_pack("{s:s, s:o}", "role", role, "content", content); }

r1_status r1_ask_ids(const r1_ask *a, const r1_model *m, const char *template, const char *system, int32_t **ids, size_t *n, r1_error *err)
{
    int32_t n_tokens = r1_model_get_info(m)->n_tokens;
    *ids = NULL;
    *n = 0;
    for (size_t i = 0; i < a->options.sampling.n_bias; i++)
        if (a->bias && a->bias[i].id >= n_tokens)
            return r1_fail(err, R1_EINVAL, "'logit_bias' names token %d, expected 0 to %d", a->bias[i].id, n_tokens - 1);
    const json_t *given = json_object_get(a->json, "messages");
    json_t *prompt = json_object_get(a->json, "prompt"); /* may hold a NUL */
    json_t *messages = json_is_array(given) ? json_copy((json_t *)given) : json_array();
    bool ok = messages != NULL;
    if (ok && json_is_string(prompt)) ok = !json_array_append_new(messages, message("user", json_incref(prompt)));
    const char *first = ok ? json_string_value(json_object_get(json_array_get(messages, 0), "role")) : NULL;
    if (ok && system && !(first && !strcmp(first, "system"))) ok = !json_array_insert_new(messages, 0, message("system", json_string(system)));
    json_t *request = ok ? json_pack("{s:O, s:b}", "messages", messages, "add_generation_prompt", 1) : NULL;
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    r1_status s = text ? r1_chat_ids(m, template, text, strlen(text), ids, n, err) : r1_fail(err, R1_ENOMEM, "no memory for a request");
    free(text);
    json_decref(request);
    json_decref(messages);
    return s;
}

uint64_t r1_seed_of(uint64_t seed, const char *text, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a */
    uint32_t word[4];
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)text[i]) * 0x100000001B3u;
    r1_rng_block(seed, h, 0, word);
    return ((uint64_t)word[1] << 32 | word[0]) >> 1;
}
