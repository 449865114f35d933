/* Reading a request: every field is checked before a family renders anything, so that nothing is lost in silence.
 *
 * What no template can show is refused here with the message's index and the field: an unknown role, content that is
 * neither text nor text parts, a message with neither content nor calls, calls in a message that is not the assistant's,
 * an unknown option. Fields that none of the templates looks at (name, tool_call_id, refusal ...) are ignored, as the
 * Jinja texts do.
 */
#include "text/template_int.h"
#include <stdio.h>

static bool is_null(const json_t *v) { return !v || json_is_null(v); }

/* ---- messages ----------------------------------------------------------------------------------------------------- */

static bool read_role(r1_writer *w, size_t i, const json_t *o, r1_role *role)
{
    const json_t *v = json_object_get(o, "role");
    if (!json_is_string(v)) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].role is %s, expected system, user, assistant or tool", i, r1_json_kind(v));
        return false;
    }
    r1_slice s = r1_json_slice(v);
    if (r1_slice_equal(s, R1_SLICE("system")) || r1_slice_equal(s, R1_SLICE("developer"))) *role = R1_ROLE_SYSTEM;
    else if (r1_slice_equal(s, R1_SLICE("user"))) *role = R1_ROLE_USER;
    else if (r1_slice_equal(s, R1_SLICE("assistant"))) *role = R1_ROLE_ASSISTANT;
    else if (r1_slice_equal(s, R1_SLICE("tool"))) *role = R1_ROLE_TOOL;
    else if (w->t->tool_json && r1_slice_equal(s, R1_SLICE("ipython"))) *role = R1_ROLE_TOOL;
    else {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].role is '%.*s', expected system, user, assistant or tool", i, (int)r1_min(s.n, 64), s.p);
        return false;
    }
    return true;
}

/* The text of a list of parts, joined without separator. */
static void read_parts(r1_writer *w, size_t i, const json_t *list, r1_message *m)
{
    r1_buf b;
    r1_buf_init(&b, R1_TEMPLATE_TEXT_MAX);
    for (size_t k = 0; k < json_array_size(list) && !w->s; k++) {
        const json_t *part = json_array_get(list, k), *type = json_object_get(part, "type"), *text = json_object_get(part, "text");
        if (!json_is_object(part))
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu].content[%zu] is %s, expected {\"type\":\"text\",\"text\":...}", i, k, r1_json_kind(part));
        else if (!json_is_string(type))
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu].content[%zu].type is %s, expected \"text\"", i, k, r1_json_kind(type));
        else if (!r1_slice_equal(r1_json_slice(type), R1_SLICE("text")))
            r1_writer_fail(w, R1_EUNSUPPORTED, "messages[%zu].content[%zu].type is '%.64s', expected \"text\"", i, k, json_string_value(type));
        else if (!json_is_string(text))
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu].content[%zu].text is %s, expected a string", i, k, r1_json_kind(text));
        else
            w->s = r1_buf_add(&b, json_string_value(text), json_string_length(text), w->err);
    }
    if (!w->s) w->s = r1_buf_add(&b, "", 0, w->err);
    m->content.n = b.len;
    m->joined = r1_buf_take(&b, NULL);
    m->content.p = m->joined ? m->joined : "";
    r1_buf_deinit(&b);
}

static void read_content(r1_writer *w, size_t i, const json_t *o, r1_message *m)
{
    static const char *const names[] = { "system", "user", "assistant", "tool" };
    const json_t *v = json_object_get(o, "content");
    bool parts = json_is_array(v) && json_array_size(v) > 0;
    if (json_is_string(v)) {
        m->content = r1_json_slice(v);
    } else if (w->t->tool_json && m->role == R1_ROLE_TOOL && (json_is_object(v) || json_is_array(v))) {
        m->content_json = v;
    } else if (parts) {
        read_parts(w, i, v, m);
    } else if (!is_null(v) && !json_is_array(v)) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].content is %s, expected a string or a list of text parts", i, r1_json_kind(v));
    } else if (m->role == R1_ROLE_ASSISTANT && !m->calls) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu]: assistant message has neither content nor tool calls (content is %s)", i, v ? json_is_null(v) ? "null" : "an empty list" : "missing");
    } else if (m->role != R1_ROLE_ASSISTANT) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu]: %s content is %s, expected a string", i, names[m->role], v ? json_is_null(v) ? "null" : "an empty list" : "missing");
    }
}

static void read_calls(r1_writer *w, size_t i, const json_t *o, r1_message *m)
{
    const json_t *v = json_object_get(o, "tool_calls");
    if (is_null(v)) return;
    if (!json_is_array(v)) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].tool_calls is %s, expected a list", i, r1_json_kind(v));
        return;
    }
    if (!json_array_size(v)) return;
    if (m->role != R1_ROLE_ASSISTANT) {
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].tool_calls: only an assistant message may have tool calls", i);
        return;
    }
    if (w->t->no_tools) {
        r1_writer_fail(w, R1_EUNSUPPORTED, "messages[%zu].tool_calls: the template '%s' cannot show tool calls", i, w->t->name);
        return;
    }
    m->calls = v;
    m->n_calls = json_array_size(v);
}

/* The names under which clients send a thought back; the first that is there counts. */
static void read_reasoning(r1_writer *w, size_t i, const json_t *o, r1_message *m)
{
    static const char *const fields[] = { "reasoning_content", "thinking", "reasoning" };
    for (size_t k = 0; k < R1_COUNT(fields); k++) {
        const json_t *v = json_object_get(o, fields[k]);
        if (is_null(v)) continue;
        if (!json_is_string(v)) r1_writer_fail(w, R1_EFORMAT, "messages[%zu].%s is %s, expected a string", i, fields[k], r1_json_kind(v));
        else m->reasoning = r1_json_slice(v);
        return;
    }
}

static void read_messages(r1_writer *w, const json_t *request)
{
    const json_t *v = json_object_get(request, "messages");
    size_t n = json_array_size(v);
    if (!json_is_array(v)) r1_writer_fail(w, R1_EFORMAT, "'messages' is %s, expected a list of messages", r1_json_kind(v));
    else if (!n) r1_writer_fail(w, R1_EFORMAT, "'messages' is empty, expected at least one message");
    else if (n > R1_TEMPLATE_MESSAGES_MAX) r1_writer_fail(w, R1_ELIMIT, "'messages' holds %zu messages, at most %d are allowed", n, R1_TEMPLATE_MESSAGES_MAX);
    if (w->s) return;
    w->messages = calloc(n, sizeof *w->messages);
    if (!w->messages) {
        r1_writer_fail(w, R1_ENOMEM, "no memory for %zu messages", n);
        return;
    }
    w->n_messages = n;
    for (size_t i = 0; i < n && !w->s; i++) {
        const json_t *o = json_array_get(v, i);
        r1_message *m = &w->messages[i];
        if (!json_is_object(o)) {
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu] is %s, expected an object", i, r1_json_kind(o));
            return;
        }
        if (!read_role(w, i, o, &m->role)) return;
        read_calls(w, i, o, m);
        if (!w->s) read_content(w, i, o, m);
        if (!w->s && m->role == R1_ROLE_ASSISTANT) read_reasoning(w, i, o, m);
    }
}

/* ---- tools, options ----------------------------------------------------------------------------------------------- */

static void read_tools(r1_writer *w, const char *field, const json_t *v)
{
    if (is_null(v)) return;
    if (!json_is_array(v)) {
        r1_writer_fail(w, R1_EFORMAT, "'%s' is %s, expected a list of tools", field, r1_json_kind(v));
        return;
    }
    for (size_t i = 0; i < json_array_size(v) && !w->s; i++)
        if (!json_is_object(json_array_get(v, i)))
            r1_writer_fail(w, R1_EFORMAT, "%s[%zu] is %s, expected an object", field, i, r1_json_kind(json_array_get(v, i)));
    if (w->s || !json_array_size(v)) return;
    if (w->tools) r1_writer_fail(w, R1_EFORMAT, "both 'tools' and 'custom_tools' are given, expected one of them");
    else if (w->t->no_tools) r1_writer_fail(w, R1_EUNSUPPORTED, "'%s' holds tools, but the template '%s' cannot show tools", field, w->t->name);
    else w->tools = v;
}

static void read_builtin_tools(r1_writer *w, const json_t *v)
{
    if (is_null(v)) return;
    if (!json_is_array(v)) {
        r1_writer_fail(w, R1_EFORMAT, "options.builtin_tools is %s, expected a list of names", r1_json_kind(v));
        return;
    }
    for (size_t i = 0; i < json_array_size(v) && !w->s; i++)
        if (!json_is_string(json_array_get(v, i)))
            r1_writer_fail(w, R1_EFORMAT, "options.builtin_tools[%zu] is %s, expected a name", i, r1_json_kind(json_array_get(v, i)));
    w->builtin_tools = v;
}

static void read_options(r1_writer *w, const json_t *request)
{
    const json_t *o = json_object_get(request, "options"), *date;
    const char *key;
    json_t *v;
    bool thinking = true, in_user = true;
    if (is_null(o)) return;
    if (!json_is_object(o)) {
        r1_writer_fail(w, R1_EFORMAT, "'options' is %s, expected an object", r1_json_kind(o));
        return;
    }
    json_object_foreach((json_t *)o, key, v) {
        bool known = !strcmp(key, "enable_thinking") || !strcmp(key, "date_string") || !strcmp(key, "tools_in_user_message");
        bool llama = !strcmp(key, "builtin_tools") || !strcmp(key, "custom_tools");
        if (known || (llama && (w->t->builtin_tools || json_is_null(v)))) continue;
        r1_writer_fail(w, R1_EUNSUPPORTED, "options.%.64s is not known to the template '%s', expected enable_thinking, date_string%s or tools_in_user_message", key,
                       w->t->name, w->t->builtin_tools ? ", builtin_tools, custom_tools" : "");
        return;
    }
    w->s = r1_json_bool(o, "enable_thinking", true, &thinking, w->err);
    if (!w->s) w->s = r1_json_bool(o, "tools_in_user_message", true, &in_user, w->err);
    if (w->s) w->s = r1_context(w->err, w->s, "options");
    w->no_thinking = !thinking;
    w->tools_in_system = !in_user;
    date = json_object_get(o, "date_string");
    if (w->s) return;
    if (json_is_string(date)) w->date = r1_json_slice(date);
    else if (!is_null(date)) r1_writer_fail(w, R1_EFORMAT, "options.date_string is %s, expected a string", r1_json_kind(date));
    if (!w->s) read_tools(w, "custom_tools", json_object_get(o, "custom_tools"));
    if (!w->s) read_builtin_tools(w, json_object_get(o, "builtin_tools"));
}

r1_status r1_writer_read(r1_writer *w, const json_t *request)
{
    if (!json_is_object(request)) {
        r1_writer_fail(w, R1_EFORMAT, "the request is %s, expected an object with 'messages'", r1_json_kind(request));
        return w->s;
    }
    w->s = r1_json_bool(request, "add_generation_prompt", false, &w->generation, w->err);
    if (!w->s) w->s = r1_json_bool(request, "continue_final_message", false, &w->continued, w->err);
    if (!w->s && w->generation && w->continued)
        r1_writer_fail(w, R1_EFORMAT, "both 'add_generation_prompt' and 'continue_final_message' are true, expected at most one of them");
    if (!w->s) read_tools(w, "tools", json_object_get(request, "tools"));
    if (!w->s) read_options(w, request);
    if (!w->s) read_messages(w, request);
    return w->s;
}

void r1_writer_deinit(r1_writer *w)
{
    for (size_t i = 0; i < w->n_messages; i++) free(w->messages[i].joined);
    free(w->messages);
    w->messages = NULL;
    w->n_messages = 0;
}

/* ---- calls -------------------------------------------------------------------------------------------------------- */

static bool read_call(r1_writer *w, const char *where, const json_t *o, r1_call *c)
{
    const json_t *type = json_object_get(o, "type"), *f = json_object_get(o, "function"), *name;
    if (!json_is_object(o)) {
        r1_writer_fail(w, R1_EFORMAT, "%s is %s, expected an object", where, r1_json_kind(o));
        return false;
    }
    c->type = R1_SLICE("function");
    c->outside_type = !is_null(type);
    if (is_null(f) && w->t->flat_calls) f = o;
    if (!is_null(type) && !json_is_string(type)) r1_writer_fail(w, R1_EFORMAT, "%s.type is %s, expected \"function\"", where, r1_json_kind(type));
    else if (c->outside_type) c->type = r1_json_slice(type);
    if (!json_is_object(f)) {
        r1_writer_fail(w, R1_EFORMAT, "%s.function is %s, expected an object with name and arguments", where, r1_json_kind(f));
        return false;
    }
    name = json_object_get(f, "name");
    c->arguments = json_object_get(f, "arguments");
    if (!json_is_string(name)) r1_writer_fail(w, R1_EFORMAT, "%s.function.name is %s, expected a string", where, r1_json_kind(name));
    else c->name = r1_json_slice(name);
    if (!c->arguments) r1_writer_fail(w, R1_EFORMAT, "%s.function.arguments is missing, expected a string or an object", where);
    return !w->s;
}

bool r1_writer_call(r1_writer *w, size_t i, size_t j, r1_call *c)
{
    char where[64];
    *c = (r1_call){ 0 };
    if (w->s) return false;
    snprintf(where, sizeof where, "messages[%zu].tool_calls[%zu]", i, j);
    return read_call(w, where, json_array_get(w->messages[i].calls, j), c);
}

const json_t *r1_parse_arguments(r1_writer *w, size_t message, size_t call, const json_t *v, json_t **owned)
{
    json_error_t e;
    *owned = NULL;
    if (w->s) return NULL;
    if (!json_is_string(v)) return v;
    *owned = json_loadb(json_string_value(v), json_string_length(v), JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (*owned) return *owned;
    switch (json_error_code(&e)) {
    case json_error_numeric_overflow:
        r1_writer_fail(w, R1_EUNSUPPORTED, "messages[%zu].tool_calls[%zu].function.arguments: %s, expected integers of 64 bits and fractions of double precision",
                       message, call, e.text);
        return NULL;
    case json_error_out_of_memory:
        r1_writer_fail(w, R1_ENOMEM, "no memory for the arguments of a call");
        return NULL;
    default:
        return v;
    }
}
