/* The Llama templates: llama3 (short, no tools) and llama3_1.
 *
 * Both trim white space around every content. llama3_1 opens with a system message that holds two dates, lists tools in
 * the first user message (or in the system message when asked to), writes a call as JSON and a result as a JSON string,
 * and takes one call a message. As shipped, content beside a call is not shown. Repair: arguments given as a string are
 * not quoted a second time. The built-in tools of the "ipython" mode are there as an option.
 */
#include "text/template_int.h"

static void header(r1_writer *w, const char *role)
{
    r1_put_text(w, "<|start_header_id|>");
    r1_put_text(w, role);
    r1_put_text(w, "<|end_header_id|>\n\n");
}

static void message(r1_writer *w, size_t i)
{
    static const char *const names[] = { "system", "user", "assistant", "tool" };
    header(w, names[w->messages[i].role]);
    r1_put_trimmed(w, i);
    r1_put_text(w, "<|eot_id|>");
}

void r1_template_llama3(r1_writer *w)
{
    r1_put_text(w, w->bos);
    for (size_t i = 0; i < w->n_messages && !w->s; i++) message(w, i);
    if (w->generation) header(w, "assistant");
}

/* ---- Llama 3.1 ---------------------------------------------------------------------------------------------------- */

static void definitions(r1_writer *w)
{
    r1_put_text(w, "Respond in the format {\"name\": function name, \"parameters\": dictionary of argument name and its value}."
                   "Do not use variables.\n\n");
    for (size_t i = 0; i < json_array_size(w->tools); i++) {
        r1_put_json(w, json_array_get(w->tools, i), 4);
        r1_put_text(w, "\n\n");
    }
}

static bool is_builtin(const r1_writer *w, r1_slice name)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)w->builtin_tools, i, v)
        if (r1_slice_equal(r1_json_slice(v), name)) return true;
    return false;
}

static void builtin_names(r1_writer *w)
{
    size_t i;
    json_t *v;
    bool first = true;
    r1_put_text(w, "Tools: ");
    json_array_foreach((json_t *)w->builtin_tools, i, v) {
        r1_slice name = r1_json_slice(v);
        if (r1_slice_equal(name, R1_SLICE("code_interpreter"))) continue;
        if (!first) r1_put_text(w, ", ");
        r1_put_outside(w, name);
        first = false;
    }
    r1_put_text(w, "\n\n");
}

/* <|python_tag|>name.call(key="value", ...) */
static void builtin_call(r1_writer *w, size_t i, const r1_call *c)
{
    json_t *owned = NULL, *v;
    const json_t *arguments = r1_parse_arguments(w, i, 0, c->arguments, &owned);
    const char *key;
    bool first = true;
    if (arguments && !json_is_object(arguments))
        r1_writer_fail(w, R1_EFORMAT, "messages[%zu].tool_calls[0].function.arguments is %s, expected an object for a built-in tool", i, r1_json_kind(arguments));
    r1_put_text(w, "<|python_tag|>");
    r1_put_outside(w, c->name);
    r1_put_text(w, ".call(");
    json_object_foreach((json_t *)arguments, key, v) {
        if (!json_is_string(v))
            r1_writer_fail(w, R1_EFORMAT, "messages[%zu].tool_calls[0].function.arguments: '%s' is %s, expected a string for a built-in tool", i, key, r1_json_kind(v));
        if (!first) r1_put_text(w, ", ");
        r1_put_outside(w, (r1_slice){ key, strlen(key) });
        r1_put_text(w, "=\"");
        r1_put_outside(w, r1_json_slice(v));
        r1_put_text(w, "\"");
        first = false;
    }
    r1_put_text(w, ")");
    json_decref(owned);
}

static void call(r1_writer *w, size_t i)
{
    r1_call c;
    if (w->messages[i].n_calls != 1) {
        r1_writer_fail(w, R1_EUNSUPPORTED, "messages[%zu].tool_calls has %zu calls, but '%s' allows one tool call a message", i, w->messages[i].n_calls, w->t->name);
        return;
    }
    if (!r1_writer_call(w, i, 0, &c)) return;
    header(w, "assistant");
    if (is_builtin(w, c.name)) {
        builtin_call(w, i, &c);
    } else {
        r1_put_text(w, "{\"name\": \"");
        r1_put_outside(w, c.name);
        r1_put_text(w, "\", \"parameters\": ");
        r1_put_arguments(w, i, 0, c.arguments);
        r1_put_text(w, "}");
    }
    r1_put_text(w, w->builtin_tools ? "<|eom_id|>" : "<|eot_id|>");
}

static void result(r1_writer *w, size_t i)
{
    const r1_message *m = &w->messages[i];
    header(w, "ipython");
    if (m->content_json) {
        r1_put_json(w, m->content_json, -1);
    } else {
        r1_put_json_open_string(w, m->content);
        if (i + 1 == w->n_messages) w->end_of_last = w->out->text.len;
        r1_put_text(w, "\"");
    }
    r1_put_text(w, "<|eot_id|>");
}

/* The message with index i becomes the user's first, with the definitions before it. */
static void tools_in_user_message(r1_writer *w, size_t i)
{
    if (i == w->n_messages) {
        r1_writer_fail(w, R1_EUNSUPPORTED, "'%s' puts tools in the first user message, but messages holds only a system message", w->t->name);
        return;
    }
    if (!w->messages[i].content.p || w->messages[i].n_calls) {
        r1_writer_fail(w, R1_EUNSUPPORTED, "'%s' puts tools in the first user message, but messages[%zu] is not a user message with text", w->t->name, i);
        return;
    }
    header(w, "user");
    r1_put_text(w, "Given the following functions, please respond with a JSON for a function call with its proper arguments that best "
                   "answers the given prompt.\n\n");
    definitions(w);
    r1_put_trimmed(w, i);
    r1_put_text(w, "<|eot_id|>");
}

void r1_template_llama3_1(r1_writer *w)
{
    size_t i = w->messages[0].role == R1_ROLE_SYSTEM;
    r1_put_text(w, w->bos);
    header(w, "system");
    if (w->tools || w->builtin_tools) r1_put_text(w, "Environment: ipython\n");
    if (w->builtin_tools) builtin_names(w);
    r1_put_text(w, "Cutting Knowledge Date: December 2023\nToday Date: ");
    if (w->date.p) r1_put_outside(w, w->date);
    else r1_put_text(w, "26 Jul 2024");
    r1_put_text(w, "\n\n");
    if (w->tools && w->tools_in_system) {
        r1_put_text(w, "You have access to the following functions. To call a function, please respond with JSON for a function call.");
        definitions(w);
    }
    if (i) r1_put_trimmed(w, 0);
    r1_put_text(w, "<|eot_id|>");
    if (w->tools && !w->tools_in_system) tools_in_user_message(w, i++);
    for (; i < w->n_messages && !w->s; i++) {
        if (w->messages[i].n_calls) call(w, i);
        else if (w->messages[i].role == R1_ROLE_TOOL) result(w, i);
        else message(w, i);
    }
    if (w->generation) header(w, "assistant");
}
