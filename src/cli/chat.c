/* The chat: reads, obeys slash commands, asks, shows, remembers.
 *
 * An answer that Ctrl-C stopped stays in the conversation as far as it came; if it had not come further than thinking, the
 * question is taken back, since a conversation of the model's templates alternates.
 */
#define _GNU_SOURCE
#include "cli/chat.h"
#include "text/reasoning.h"

#include <stdio.h>
#include <strings.h>

typedef struct chat {
    r1_cli *c;
    r1_setup *u;
    r1_lines *lines;
    json_t *messages;
    json_t *keep;            /* array of texts given by /set and of loaded files: options borrow their strings */
    r1_answer last;
    bool any;                /* last is one */
    bool refused;            /* a question after it came to nothing */
    char *file;              /* where this chat was saved or loaded; it may be written again */
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
    r1_answer a = { .chat = true };
    r1_status s = r1_chat_request(h->messages, &request, &n, err);
    if (s == R1_OK) s = r1_chat_ids(h->u->model, h->c->o.template, request, n, &ids.ids, &ids.n, err);
    free(request);
    if (s == R1_OK) s = r1_setup_sampling(&sampling, &h->c->o, h->u->model, bias, err);
    if (s == R1_OK) {
        r1_echo(false);
        s = r1_answer_make(&a, h->c, h->u, ids.ids, ids.n, &sampling, err);
        r1_echo(true);
    }
    r1_ids_deinit(&ids);
    h->refused = s != R1_OK;
    if (s) {
        r1_answer_deinit(&a);
        return s;
    }
    if (h->any) r1_answer_deinit(&h->last);
    h->last = a;
    h->any = true;
    return R1_OK;
}

/* Whatever goes wrong with one question, the chat goes on. */
static void ask(chat *h, const char *text, size_t n)
{
    r1_error err = { 0 };
    json_array_append_new(h->messages, message("user", text, n));
    r1_status s = answer(h, &err);
    if (s) {
        drop_last(h);
        say(h, "%s", err.msg);
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

r1_status r1_chat_check(const r1_opts *o, const r1_setup *u, r1_error *err)
{
    r1_sampling sampling;
    r1_logit_bias bias[64];
    r1_sampler *sampler = NULL;
    r1_reasoning *reasoning = NULL;
    static const char probe[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"?\"}]}";
    r1_ids ids = { 0 };
    const r1_model_info *info = r1_model_get_info(u->model);
    const r1_tokenizer *t = r1_model_get_tokenizer(u->model);
    const r1_reasoning_options ro = { .think_budget = (long)o->think_budget, .stop = o->stop.items, .n_stop = o->stop.n };
    if (o->template && !r1_template_find(o->template))
        return r1_fail(err, R1_EINVAL, "there is no template '%s'; there are %s", o->template, r1_template_names());
    r1_status s = r1_setup_sampling(&sampling, o, u->model, bias, err);
    if (s == R1_OK) s = r1_sampler_new(&sampler, info->n_vocab, info->n_tokens, &sampling, err);
    if (s == R1_OK && t) s = r1_reasoning_new(&reasoning, t, NULL, 0, &ro, err);
    if (s == R1_OK) s = r1_chat_ids(u->model, o->template, probe, sizeof probe - 1, &ids.ids, &ids.n, err);
    r1_ids_deinit(&ids);
    r1_sampler_free(sampler);
    r1_reasoning_free(reasoning);
    return s;
}

/* Before a chat opens: whether the shortest of questions could be asked. */
static r1_status check_question(const chat *h, r1_error *err)
{
    r1_ids ids = { 0 };
    char *request;
    size_t n;
    r1_status s = r1_chat_check(&h->c->o, h->u, err);
    if (s) return s;
    json_array_append_new(h->messages, message("user", "?", 1));
    s = r1_chat_request(h->messages, &request, &n, err);
    if (s == R1_OK) s = r1_chat_ids(h->u->model, h->c->o.template, request, n, &ids.ids, &ids.n, err);
    if (s == R1_OK) s = r1_answer_fits(ids.n, h->u, false, err);
    free(request);
    r1_ids_deinit(&ids);
    json_array_remove(h->messages, json_array_size(h->messages) - 1);
    return s;
}

/* ---- slash commands -------------------------------------------------------------------------------------------- */

static bool is_quoted(const char *s)
{
    size_t n = strlen(s);
    return n >= 2 && s[0] == '"' && s[n - 1] == '"';
}

static char *unquoted(char *s)
{
    if (!is_quoted(s)) return s;
    s[strlen(s) - 1] = 0;
    return s + 1;
}

/* An option's text must outlive the line it came from. NULL: no memory. */
static const char *own(chat *h, const char *text, size_t n)
{
    json_t *v = r1_json_text(text, n);
    return json_array_append_new(h->keep, v) ? NULL : json_string_value(v);
}

/* What "none" means. */
static const struct off { const char *name, *value; } offs[] = {
    { "top-k", "0" }, { "top-p", "1" }, { "min-p", "0" }, { "repetition-penalty", "1" }, { "presence-penalty", "0" },
    { "frequency-penalty", "0" }, { "penalty-window", "0" }, { "max-tokens", "0" }, { "think-budget", "-1" }, { "speculate", "off" },
};

static const char *off_value(const r1_opt *p)
{
    for (size_t i = 0; i < R1_COUNT(offs); i++)
        if (!strcmp(offs[i].name, p->name)) return offs[i].value;
    return NULL;
}

static void print_setting(const chat *h, const r1_opt *p)
{
    r1_buf b;
    r1_buf_init(&b, 1 << 16);
    r1_status s = R1_OK;
    const r1_texts *list = (const r1_texts *)((const char *)&h->c->o + p->offset);
    if (p->kind != R1_OPT_TEXTS || list->n == 0) s = r1_opt_print(p, &h->c->o, &b, NULL);
    else
        for (size_t i = 0; i < list->n && s == R1_OK; i++) s = r1_buf_addf(&b, NULL, "%s\"%s\"", i ? " " : "", list->items[i]); /* as it is typed */
    const char *text = b.data ? b.data : "";
    bool none = (!strcmp(p->name, "max-tokens") && !strcmp(text, "0")) || (!strcmp(p->name, "think-budget") && !strcmp(text, "-1"));
    bool own_template = !strcmp(p->name, "template") && !h->c->o.template;
    if (s == R1_OK) say(h, "  %-20s %s", p->name, none ? "none" : own_template ? "default" : text);
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

static void unknown_setting(const chat *h, const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (const r1_opt_table *t = r1_chat_settings; *t; t++)
        for (const r1_opt *q = *t; q->name && n < 63; q++) names[n++] = q->name;
    names[n] = NULL;
    const char *near = r1_nearest(name, names);
    say(h, "there is no setting '%s'%s%s%s", name, near ? "; did you mean '" : "; /set lists them", near ? near : "", near ? "'?" : "");
}

static void reset(const r1_opt *p, r1_opts *o)
{
    static const size_t sizes[] = { [R1_OPT_FLAG] = sizeof(bool), [R1_OPT_INT] = sizeof(int64_t), [R1_OPT_SEED] = sizeof(uint64_t),
                                    [R1_OPT_REAL] = sizeof(double), [R1_OPT_TEXT] = sizeof(char *), [R1_OPT_CHOICE] = sizeof(int64_t),
                                    [R1_OPT_TEXTS] = sizeof(r1_texts) };
    r1_opts usual;
    r1_opts_init(&usual);
    memcpy((char *)o + p->offset, (const char *)&usual + p->offset, sizes[p->kind]);
    if (p->given != R1_NO_GIVEN) *(bool *)((char *)o + p->given) = false;
}

/* A list is given whole: "a" "b", each between quotes, or one text without. Biases hold no blanks, so blanks part them. */
static r1_status set_list(chat *h, const r1_opt *p, const char *value, r1_error *err)
{
    bool words = !strcmp(p->name, "logit-bias");
    reset(p, &h->c->o);
    for (const char *from = value; *from;) {
        bool quoted = *from == '"';
        if (quoted) from++;
        size_t n = quoted ? strcspn(from, "\"") : words ? strcspn(from, " \t") : strlen(from);
        const char *next = from + n;
        if (quoted && *next != '"') return r1_fail(err, R1_EINVAL, "%s has a quote without its end; several texts are given as \"a\" \"b\"", p->name);
        next += quoted;
        if (quoted && *next && *next != ' ' && *next != '\t')
            return r1_fail(err, R1_EINVAL, "%s has '%s' right after a quote, expected a blank; several texts are given as \"a\" \"b\"", p->name, next);
        const char *mine = own(h, from, n);
        r1_status s = mine ? r1_opt_set(p, &h->c->o, p->name, mine, R1_PLACE_LINE, err) : r1_fail(err, R1_ENOMEM, "no memory for the setting");
        if (s) return s;
        from = next + strspn(next, " \t");
    }
    return R1_OK;
}

static r1_status set_value(chat *h, const r1_opt *p, char *value, r1_error *err)
{
    const char *off = off_value(p);
    bool none = !strcmp(value, "none") || !strcmp(value, "off");
    if (!strcmp(value, "default") || (none && p->kind == R1_OPT_TEXTS)) {
        reset(p, &h->c->o);
        return R1_OK;
    }
    if (p->kind == R1_OPT_TEXTS) return set_list(h, p, value, err);
    value = unquoted(value);
    const char *mine = none && off ? off : own(h, value, strlen(value));
    return mine ? r1_opt_set(p, &h->c->o, p->name, mine, R1_PLACE_LINE, err) : r1_fail(err, R1_ENOMEM, "no memory for the setting");
}

static void cmd_system(chat *h, char *rest);

/* A value that is wrong, or that no question could be asked with, changes nothing. */
static void set_option(chat *h, const char *name, char *value)
{
    r1_error err = { 0 };
    const r1_opt *p = r1_opt_find(r1_chat_settings, name, strlen(name));
    if (!p) return unknown_setting(h, name);
    if (!strcmp(p->name, "system")) {
        char nothing[] = "\"\"";
        bool none = value && (!strcmp(value, "none") || !strcmp(value, "default"));
        return cmd_system(h, none ? nothing : value ? value : nothing + 2);
    }
    if (!value) return print_setting(h, p);
    bool several = p->kind == R1_OPT_TEXTS && *value != '"' && strcmp(p->name, "logit-bias") && strpbrk(value, " \t");
    r1_opts before = h->c->o;
    r1_status s = set_value(h, p, value, &err);
    if (s == R1_OK) s = r1_chat_check(&h->c->o, h->u, &err);
    if (s) {
        h->c->o = before;
        say(h, "%s", err.msg);
        return;
    }
    print_setting(h, p);
    if (several) say(h, "  this is one text; several are given as /set %s \"a\" \"b\"", p->name);
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
    set_option(h, rest, *value ? value : NULL);
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
        rest = unquoted(rest);
        const char *mine = clear ? NULL : own(h, rest, strlen(rest));
        if (!clear && !mine) return say(h, "no memory for the system message");
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

static void save(chat *h, char *rest, bool force)
{
    const char *path = *rest ? unquoted(rest) : h->file;
    if (!path || !*path) return say(h, "/save needs a file name");
    r1_error err = { 0 };
    r1_status s = r1_chat_save(path, h->c->args[0], h->messages, &h->c->o, force || (h->file && !strcmp(path, h->file)), &err);
    if (s == R1_EINVAL) return say(h, "'%s' exists and is not of this chat: /save! %s overwrites it", path, path);
    if (s) return say(h, "%s", err.msg);
    say(h, "saved %zu messages to '%s'", json_array_size(h->messages), path);
    if (path != h->file) remember_file(h, path);
}

static void cmd_save(chat *h, char *rest) { save(h, rest, false); }
static void cmd_save_over(chat *h, char *rest) { save(h, rest, true); }

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void cmd_load(chat *h, char *rest)
{
    const char *path = unquoted(rest);
    r1_error err = { 0 };
    json_t *messages, *keep;
    r1_opts o = h->c->o;
    if (!*path) return say(h, "/load needs a file name");
    if (r1_chat_load(path, &messages, &keep, &o, &err)) return say(h, "%s", err.msg);
    if (r1_chat_check(&o, h->u, &err)) {
        say(h, "'%s': %s", path, err.msg);
        json_decref(messages);
        json_decref(keep);
        return;
    }
    json_decref(h->messages);
    h->messages = messages;
    json_array_append_new(h->keep, keep);
    h->c->o = o;
    const json_t *first = json_array_get(messages, 0);
    const char *role = json_string_value(json_object_get(first, "role"));
    h->c->o.system = role && !strcmp(role, "system") ? json_string_value(json_object_get(first, "content")) : NULL;
    say(h, "loaded %zu messages from '%s'", json_array_size(messages), path);
    const char *model = json_string_value(json_object_get(keep, "model"));
    if (model && strcmp(file_name(model), file_name(h->c->args[0])) != 0) say(h, "(they were written with another model, '%s')", model);
    remember_file(h, path);
}

static void cmd_stats(chat *h, char *rest)
{
    (void)rest;
    if (h->refused) say(h, h->any ? "the last question was refused; this is the answer before it" : "the last question was refused");
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
    const char *name, *args, *what; /* args "": it takes nothing */
    void (*run)(chat *h, char *rest);
} slashes[] = {
    { "/help", "", "this list", cmd_help },
    { "/think", "show|dim|hide", "how the thinking is shown", cmd_think },
    { "/set", "[NAME VALUE]", "settings, or change one: /set temperature 0.7", cmd_set },
    { "/system", "[TEXT]", "the system message; \"\" removes it", cmd_system },
    { "/clear", "", "begin a new conversation", cmd_clear },
    { "/save", "FILE", "write the conversation and its settings", cmd_save },
    { "/save!", "FILE", "the same over a file that exists", cmd_save_over },
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
    say(h, "/set NAME default takes a value back, /set NAME none turns off what can be off.");
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
    const char *meant = !strcmp(line, "/exit") || !strcmp(line, "/quit") ? "/bye" : !strcmp(line, "/?") ? "/help" : line;
    for (size_t i = 0; i < R1_COUNT(slashes); i++) {
        names[i] = slashes[i].name;
        if (strcasecmp(meant, slashes[i].name) != 0) continue;
        if (*rest && !*slashes[i].args) return say(h, "%s takes nothing behind it, found '%s'", line, rest);
        return slashes[i].run(h, rest);
    }
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
    r1_status s = h.messages && h.keep ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a conversation");
    if (s == R1_OK) {
        put_system(&h, c->o.system);
        s = check_question(&h, err);
    }
    if (s == R1_OK) s = r1_lines_open(&h.lines, c, history, err);
    if (s == R1_OK) {
        greet(&h);
        while (!h.leave) one_turn(&h, &text);
        r1_lines_close(h.lines);
    }
    c->o.system = c->o.template = NULL; /* they may point into what is freed now */
    c->o.stop = c->o.logit_bias = (r1_texts){ 0 };
    if (h.any) r1_answer_deinit(&h.last);
    json_decref(h.messages);
    json_decref(h.keep);
    free(h.file);
    free(history);
    r1_buf_deinit(&text);
    return s;
}
