/* The chat: reads, obeys slash commands, asks, shows, remembers.
 *
 * An answer that Ctrl-C stopped stays in the conversation as far as it came; if it had not come further than thinking, the
 * question is taken back, since a conversation of the model's templates alternates.
 */
#define _GNU_SOURCE
#include "cli/chat.h"

#include <stdio.h>
#include <strings.h>

typedef struct chat {
    r1_cli *c;
    r1_setup *u;
    r1_lines *lines;
    json_t *messages;
    json_t *keep;            /* array of loaded files: options may borrow their strings */
    r1_answer last;
    bool any;                /* last is one */
    char *file;              /* where this chat was saved or loaded; it may be written again */
    char *owned[64]; size_t n_owned; /* texts given to options by /set */
    bool leave;
} chat;

#define say(h, ...) r1_aside(&(h)->c->err, __VA_ARGS__)

r1_status r1_chat_request(const json_t *messages, char **text, size_t *n, r1_error *err)
{
    json_t *v = json_pack("{s:O, s:b}", "messages", (json_t *)messages, "add_generation_prompt", 1);
    *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
    *n = *text ? strlen(*text) : 0;
    json_decref(v);
    return *text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the conversation");
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static json_t *message(const char *role, const char *text, size_t n)
{
    return json_pack("{s:s, s:o}", "role", role, "content", r1_json_text(text ? text : "", n));
}

static void drop_last(chat *h) { json_array_remove(h->messages, json_array_size(h->messages) - 1); }

static void keep_answer(chat *h)
{
    const r1_generation *g = &h->last.g;
    json_t *m = message("assistant", g->content, g->n_content);
    if (g->n_reasoning) json_object_set_new(m, "reasoning_content", r1_json_text(g->reasoning, g->n_reasoning));
    json_array_append_new(h->messages, m);
}

static r1_status answer(chat *h, r1_error *err)
{
    r1_ids ids = { 0 };
    char *request;
    size_t n;
    r1_sampling sampling;
    r1_logit_bias bias[64];
    r1_status s = r1_chat_request(h->messages, &request, &n, err);
    if (s == R1_OK) s = r1_chat_ids(h->u->model, h->c->o.template, request, n, &ids.ids, &ids.n, err);
    free(request);
    if (s == R1_OK) s = r1_setup_sampling(&sampling, &h->c->o, h->u->model, bias, err);
    if (s == R1_OK) {
        if (h->any) r1_answer_deinit(&h->last);
        h->any = true;
        r1_echo(false);
        s = r1_answer_make(&h->last, h->c, h->u, ids.ids, ids.n, &sampling, err);
        r1_echo(true);
    }
    r1_ids_deinit(&ids);
    return s;
}

/* Whatever goes wrong with one question, the chat goes on. */
static void ask(chat *h, const char *text, size_t n)
{
    r1_error err = { 0 };
    json_array_append_new(h->messages, message("user", text, n));
    r1_status s = answer(h, &err);
    if (s) {
        drop_last(h);
        say(h, "r1: %s", err.msg);
        return;
    }
    if (h->last.stopped && h->last.g.n_content == 0) {
        drop_last(h);
        say(h, "(stopped before the answer; the question was taken back, the arrow up brings it here)");
        return;
    }
    keep_answer(h);
    if (h->last.stopped) say(h, "(stopped; the answer so far stays in the conversation)");
    r1_answer_remarks(&h->last, h->c);
    if (h->c->o.stats) r1_answer_stats(&h->last, h->c);
}

/* ---- slash commands -------------------------------------------------------------------------------------------- */

static char *unquoted(char *s)
{
    size_t n = strlen(s);
    if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
        s[n - 1] = 0;
        s++;
    }
    return s;
}

/* An option's text must outlive the line it came from. */
static const char *own(chat *h, const char *s)
{
    if (h->n_owned == R1_COUNT(h->owned)) return NULL;
    char *p = strdup(s);
    if (p) h->owned[h->n_owned++] = p;
    return p;
}

static void print_setting(const chat *h, const r1_opt *p)
{
    r1_buf b;
    r1_buf_init(&b, 1 << 16);
    if (r1_opt_print(p, &h->c->o, &b, NULL) == R1_OK) say(h, "  %-20s %s", p->name, b.data ? b.data : "");
    r1_buf_deinit(&b);
}

/* The numbers in use where the model or r1 chose them. */
static void print_sampling(const chat *h)
{
    r1_sampling p;
    r1_logit_bias bias[64];
    if (r1_setup_sampling(&p, &h->c->o, h->u->model, bias, NULL)) return;
    say(h, "in use: temperature %g, top-p %g, top-k %d, min-p %g, repetition-penalty %g", (double)p.temperature, (double)p.top_p, p.top_k,
        (double)p.min_p, (double)p.repetition_penalty);
}

static void set_option(chat *h, const char *name, const char *value)
{
    r1_error err = { 0 };
    const r1_opt *p = r1_opt_find(r1_chat_settings, name, strlen(name));
    if (!p) {
        const char *names[64];
        size_t n = 0;
        for (const r1_opt_table *t = r1_chat_settings; *t; t++)
            for (const r1_opt *q = *t; q->name && n < 63; q++) names[n++] = q->name;
        names[n] = NULL;
        const char *near = r1_nearest(name, names);
        say(h, "there is no setting '%s'%s%s%s", name, near ? "; did you mean '" : "; /set lists them", near ? near : "", near ? "'?" : "");
        return;
    }
    if (!value) {
        print_setting(h, p);
        return;
    }
    if (!strcmp(p->name, "template") && !r1_template_find(value)) {
        say(h, "there is no template '%s'; there are %s", value, r1_template_names());
        return;
    }
    const char *mine = own(h, value);
    r1_opts before = h->c->o;
    if (p->kind == R1_OPT_TEXTS) *(r1_texts *)((char *)&h->c->o + p->offset) = (r1_texts){ .place = R1_PLACE_LINE };
    if (p->kind == R1_OPT_TEXTS && (!strcmp(value, "none") || !strcmp(value, "off"))) return print_setting(h, p);
    r1_status s = mine ? r1_opt_set(p, &h->c->o, p->name, mine, R1_PLACE_LINE, &err) : r1_fail(&err, R1_ELIMIT, "too many settings were made in this chat");
    if (s) {
        h->c->o = before;
        say(h, "r1: %s", err.msg);
    } else {
        print_setting(h, p);
    }
}

static void cmd_set(chat *h, char *rest)
{
    if (!*rest) {
        for (const r1_opt_table *t = r1_chat_settings; *t; t++)
            for (const r1_opt *p = *t; p->name; p++) print_setting(h, p);
        print_sampling(h);
        return;
    }
    char *value = rest + strcspn(rest, " =\t");
    if (*value) {
        *value++ = 0;
        value += strspn(value, " =\t");
    }
    set_option(h, rest, *value ? unquoted(value) : NULL);
}

static void cmd_think(chat *h, char *rest) { set_option(h, "think", *rest ? rest : NULL); }

static void put_system(chat *h, const char *text)
{
    const json_t *first = json_array_get(h->messages, 0);
    const char *role = json_string_value(json_object_get(first, "role"));
    if (role && !strcmp(role, "system")) json_array_remove(h->messages, 0);
    if (text && *text) json_array_insert_new(h->messages, 0, message("system", text, strlen(text)));
}

static void cmd_system(chat *h, char *rest)
{
    if (*rest) {
        bool clear = !strcmp(rest, "\"\"");
        const char *mine = clear ? NULL : own(h, unquoted(rest));
        if (!clear && !mine) return say(h, "too many settings were made in this chat");
        h->c->o.system = mine;
        put_system(h, mine);
    }
    say(h, h->c->o.system ? "system message: %s" : "no system message", h->c->o.system);
}

static void cmd_clear(chat *h, char *rest)
{
    (void)rest;
    json_array_clear(h->messages);
    put_system(h, h->c->o.system);
    r1_session_truncate(h->u->session, 0);
    say(h, "a new conversation begins%s", h->c->o.system ? "; the system message stays" : "");
}

static void remember_file(chat *h, const char *path)
{
    char *p = strdup(path);
    if (!p) return;
    free(h->file);
    h->file = p;
}

static void cmd_save(chat *h, char *rest)
{
    bool force = !strncmp(rest, "--force ", 8);
    if (force) rest += 8 + strspn(rest + 8, " ");
    const char *path = *rest ? unquoted(rest) : h->file;
    if (!path) return say(h, "/save needs a file name");
    force = force || (h->file && !strcmp(path, h->file));
    r1_error err = { 0 };
    if (r1_chat_save(path, h->c->args[0], h->messages, &h->c->o, force, &err)) {
        bool exists = err.status == R1_EINVAL;
        say(h, "r1: %s%s", err.msg, exists ? ": /save --force FILE" : "");
        return;
    }
    say(h, "saved %zu messages to '%s'", json_array_size(h->messages), path);
    if (path != h->file) remember_file(h, path);
}

static void cmd_load(chat *h, char *rest)
{
    const char *path = unquoted(rest);
    r1_error err = { 0 };
    json_t *messages, *keep;
    r1_opts o = h->c->o;
    if (!*path) return say(h, "/load needs a file name");
    if (r1_chat_load(path, &messages, &keep, &o, &err)) return say(h, "r1: %s", err.msg);
    json_decref(h->messages);
    h->messages = messages;
    json_array_append_new(h->keep, keep);
    h->c->o = o;
    const json_t *first = json_array_get(messages, 0);
    const char *role = json_string_value(json_object_get(first, "role"));
    h->c->o.system = role && !strcmp(role, "system") ? json_string_value(json_object_get(first, "content")) : NULL;
    say(h, "loaded %zu messages from '%s'", json_array_size(messages), path);
    remember_file(h, path);
}

static void cmd_stats(chat *h, char *rest)
{
    (void)rest;
    if (h->any) r1_answer_stats(&h->last, h->c);
    say(h, "context: %zu of %zu tokens, %.1f MB", r1_session_length(h->u->session), r1_session_context(h->u->session),
        (double)r1_session_kv_bytes(h->u->session) / 1e6);
}

static void cmd_bye(chat *h, char *rest)
{
    (void)rest;
    h->leave = true;
}

static void cmd_help(chat *h, char *rest);

static const struct slash {
    const char *name, *args, *what;
    void (*run)(chat *h, char *rest);
} slashes[] = {
    { "/help", "", "this list", cmd_help },
    { "/think", "show|dim|hide", "how the thinking is shown", cmd_think },
    { "/set", "[NAME VALUE]", "settings, or change one: /set temperature 0.7", cmd_set },
    { "/system", "[TEXT]", "the system message; \"\" removes it", cmd_system },
    { "/clear", "", "begin a new conversation", cmd_clear },
    { "/save", "[--force] FILE", "write the conversation and its settings", cmd_save },
    { "/load", "FILE", "go on with a saved conversation", cmd_load },
    { "/stats", "", "speed and context of the last answer", cmd_stats },
    { "/bye", "", "leave; so does Ctrl-D", cmd_bye },
};

static void cmd_help(chat *h, char *rest)
{
    (void)rest;
    for (size_t i = 0; i < R1_COUNT(slashes); i++) {
        char head[64];
        snprintf(head, sizeof head, "%s %s", slashes[i].name, slashes[i].args);
        say(h, "  %-24s %s", head, slashes[i].what);
    }
    say(h, "%s", "Several lines: begin and end them with \"\"\", or end a line with \\. Ctrl-C stops an answer.");
    say(h, "A message that begins with / needs a blank before it.");
}

static void obey(chat *h, char *line)
{
    char *rest = line + strcspn(line, " \t");
    if (*rest) {
        *rest++ = 0;
        rest += strspn(rest, " \t");
    }
    for (size_t n = strlen(rest); n && (rest[n - 1] == ' ' || rest[n - 1] == '\t'); n--) rest[n - 1] = 0;
    const char *names[R1_COUNT(slashes) + 1] = { NULL };
    for (size_t i = 0; i < R1_COUNT(slashes); i++) {
        names[i] = slashes[i].name;
        if (!strcasecmp(line, slashes[i].name)) return slashes[i].run(h, rest);
    }
    if (!strcmp(line, "/exit") || !strcmp(line, "/quit") || !strcmp(line, "/?")) return line[1] == '?' ? cmd_help(h, rest) : cmd_bye(h, rest);
    const char *near = r1_nearest(line, names);
    say(h, "there is no command %s%s%s%s", line, near ? "; did you mean " : "; /help lists them", near ? near : "", near ? "?" : "");
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool ends_with(const r1_buf *b, const char *end)
{
    size_t n = strlen(end);
    return b->len >= n && !memcmp(b->data + b->len - n, end, n);
}

static void cut(r1_buf *b, size_t n)
{
    b->len -= n;
    b->data[b->len] = 0;
}

/* A message: one line, lines that end with a backslash, or everything between """ and """. */
static r1_key read_message(chat *h, r1_buf *text)
{
    static const char quotes[] = "\"\"\"";
    r1_buf_clear(text);
    r1_key key = r1_lines_read(h->lines, ">>> ", text);
    if (key != R1_KEY_LINE) return key;
    if (text->len && text->data[text->len - 1] == '\\') {
        while (key == R1_KEY_LINE && ends_with(text, "\\")) {
            text->data[text->len - 1] = '\n';
            key = r1_lines_read(h->lines, "... ", text);
        }
        return key;
    }
    if (text->len < 3 || memcmp(text->data, quotes, 3) != 0) return key;
    memmove(text->data, text->data + 3, text->len - 3);
    cut(text, 3);
    while (!ends_with(text, quotes)) {
        if (r1_buf_add(text, "\n", 1, NULL)) return R1_KEY_END;
        key = r1_lines_read(h->lines, "... ", text);
        if (key != R1_KEY_LINE) return key;
    }
    cut(text, 3);
    if (text->len && text->data[0] == '\n') {
        memmove(text->data, text->data + 1, text->len - 1);
        cut(text, 1);
    }
    if (text->len && text->data[text->len - 1] == '\n') cut(text, 1);
    return R1_KEY_LINE;
}

static bool is_blank(const r1_buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (!strchr(" \t\n", b->data[i])) return false;
    return true;
}

static void one_turn(chat *h, r1_buf *text)
{
    r1_key key = read_message(h, text);
    if (key == R1_KEY_END) {
        if (text->len == 0) fputc('\n', h->c->err.f);
        h->leave = true;
    } else if (key == R1_KEY_INTERRUPT) {
        if (is_blank(text)) say(h, "(/bye or Ctrl-D leaves)");
    } else if (!is_blank(text)) {
        r1_lines_remember(h->lines, text->data);
        if (text->data[0] == '/') obey(h, text->data);
        else if (text->data[0] == ' ' && text->data[1] == '/') ask(h, text->data + 1, text->len - 1);
        else ask(h, text->data, text->len);
        fflush(stdout);
    }
}

static void greet(const chat *h)
{
    const r1_model_info *info = r1_model_get_info(h->u->model);
    if (h->c->o.quiet) return;
    const char *name = info->name[0] ? info->name : h->c->args[0];
    const char *template = h->c->o.template ? h->c->o.template : info->template_name;
    say(h, "%s (%s, template %s, context %zu). /help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.", name, info->architecture,
        template[0] ? template : "unknown", r1_session_context(h->u->session));
}

r1_status r1_chat_loop(r1_cli *c, r1_setup *u, r1_error *err)
{
    chat h = { .c = c, .u = u, .messages = json_array(), .keep = json_array() };
    char *history = r1_user_path("DATA", "history");
    r1_buf text;
    r1_buf_init(&text, (size_t)64 << 20);
    r1_status s = h.messages && h.keep ? r1_lines_open(&h.lines, c, history, err) : r1_fail(err, R1_ENOMEM, "no memory for a conversation");
    if (s == R1_OK) {
        put_system(&h, c->o.system);
        greet(&h);
        while (!h.leave) one_turn(&h, &text);
        r1_lines_close(h.lines);
    }
    c->o.system = c->o.template = NULL; /* they may point into what is freed now */
    if (h.any) r1_answer_deinit(&h.last);
    for (size_t i = 0; i < h.n_owned; i++) free(h.owned[i]);
    json_decref(h.messages);
    json_decref(h.keep);
    free(h.file);
    free(history);
    r1_buf_deinit(&text);
    return s;
}
