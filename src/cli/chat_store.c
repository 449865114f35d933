/* Conversations as files: what /save writes and /load reads. A file from outside is checked whole before anything changes. */
#include "cli/chat.h"

#include "base/map.h"

const r1_opt_table r1_chat_settings[] = { r1_opts_sampling, r1_opts_speculate, r1_opts_answer, r1_opts_run, NULL };

static json_t *texts_json(const r1_texts *t)
{
    json_t *v = json_array();
    for (size_t i = 0; i < t->n; i++) json_array_append_new(v, r1_json_text(t->items[i], strlen(t->items[i])));
    return v;
}

static json_t *settings_json(const r1_opts *o)
{
    r1_opts usual;
    r1_opts_init(&usual);
    json_t *v = json_object();
    for (const r1_opt_table *t = r1_chat_settings; *t; t++)
        for (const r1_opt *p = *t; p->name; p++) {
            r1_buf now, before;
            r1_buf_init(&now, 1 << 20);
            r1_buf_init(&before, 1 << 20);
            bool ok = p->kind != R1_OPT_TEXTS && r1_opt_print(p, o, &now, NULL) == R1_OK && r1_opt_print(p, &usual, &before, NULL) == R1_OK;
            if (ok && now.data && before.data && strcmp(now.data, before.data) != 0)
                json_object_set_new(v, p->name, r1_json_text(now.data, now.len));
            r1_buf_deinit(&now);
            r1_buf_deinit(&before);
        }
    json_object_set_new(v, "stop", texts_json(&o->stop));
    json_object_set_new(v, "logit-bias", texts_json(&o->logit_bias));
    return v;
}

r1_status r1_chat_save(const char *path, const char *model, const json_t *messages, const r1_opts *o, bool force, r1_error *err)
{
    json_t *v = json_pack("{s:i, s:o, s:o, s:O}", "r1_chat", 1, "model", r1_json_text(model, strlen(model)), "settings", settings_json(o), "messages", (json_t *)messages);
    char *text = v ? json_dumps(v, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    r1_status s = text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the conversation");
    r1_buf b;
    r1_buf_init(&b, SIZE_MAX / 4);
    if (text && s == R1_OK) s = r1_buf_addf(&b, err, "%s\n", text);
    if (s == R1_OK) s = r1_file_write(path, b.data, b.len, force, err);
    r1_buf_deinit(&b);
    free(text);
    json_decref(v);
    return s;
}

static r1_status check_message(const json_t *m, size_t i, r1_error *err)
{
    static const char *const roles[] = { "system", "user", "assistant", "tool", NULL };
    if (!json_is_object(m)) return r1_fail(err, R1_EFORMAT, "message %zu is %s, expected an object", i, r1_json_kind(m));
    const char *role = json_string_value(json_object_get(m, "role"));
    bool known = false;
    for (size_t k = 0; roles[k]; k++) known = known || (role && !strcmp(role, roles[k]));
    if (!known) return r1_fail(err, R1_EFORMAT, "the role of message %zu is %s%s%s, expected system, user, assistant or tool", i, role ? "'" : "",
                               role ? role : r1_json_kind(json_object_get(m, "role")), role ? "'" : "");
    if (!json_is_string(json_object_get(m, "content")))
        return r1_fail(err, R1_EFORMAT, "the content of message %zu is %s, expected a string", i, r1_json_kind(json_object_get(m, "content")));
    return R1_OK;
}

static r1_status load_settings(const json_t *settings, r1_opts *o, r1_error *err)
{
    static const char *const no_commands[] = { NULL };
    if (!settings) return R1_OK;
    return r1_context(err, r1_args_config(r1_chat_settings, r1_chat_settings, no_commands, "", settings, o, err), "settings");
}

r1_status r1_chat_load(const char *path, json_t **messages, json_t **keep, r1_opts *o, r1_error *err)
{
    json_t *v;
    *messages = *keep = NULL;
    r1_status s = r1_json_read(&v, path, (size_t)64 << 20, err);
    if (s) return s;
    const json_t *list = json_object_get(v, "messages"), *version = json_object_get(v, "r1_chat"), *settings = json_object_get(v, "settings");
    if (!json_is_object(v)) s = r1_fail(err, R1_EFORMAT, "it is %s, expected a saved chat, an object with 'r1_chat'", r1_json_kind(v));
    else if (!json_is_integer(version))
        s = r1_fail(err, R1_EFORMAT, "'r1_chat' is %s, expected the number 1: this is no saved chat", version ? r1_json_kind(version) : "missing");
    else if (json_integer_value(version) != 1)
        s = r1_fail(err, R1_EFORMAT, "'r1_chat' is %lld, expected 1: another version of r1 saved this chat", (long long)json_integer_value(version));
    else if (!json_is_array(list)) s = r1_fail(err, R1_EFORMAT, "'messages' is %s, expected an array", r1_json_kind(list));
    for (size_t i = 0; s == R1_OK && i < json_array_size(list); i++) s = check_message(json_array_get(list, i), i + 1, err);
    r1_opts fresh = *o;
    if (json_object_get(settings, "stop")) fresh.stop = (r1_texts){ 0 };
    if (json_object_get(settings, "logit-bias")) fresh.logit_bias = (r1_texts){ 0 };
    if (s == R1_OK) s = load_settings(settings, &fresh, err);
    if (s == R1_OK) {
        *messages = json_incref((json_t *)list);
        *keep = json_incref(v);
        *o = fresh;
    }
    json_decref(v);
    return r1_context(err, s, "'%s'", path);
}
