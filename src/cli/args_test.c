/* Options: parsing, places, messages, and that the help pages list exactly the options there are. */
#include "tests/test.h"
#include "cli/cli.h"
#include "cli/help.h"

#include <ctype.h>
#include <math.h>

static const r1_opt_table tables[] = { r1_opts_run, r1_opts_answer, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, r1_opts_common, NULL };
static const r1_opt_table all[] = { r1_opts_run, r1_opts_answer, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, r1_opts_common, r1_opts_logits,
                                    r1_opts_perplexity, r1_opts_generate, r1_opts_tokenize, r1_opts_template, NULL };
static const char *const commands[] = { "run", "show", "tokenize", NULL };

typedef struct parsed { r1_opts o; const char *args[32]; size_t n; r1_error err; r1_status s; } parsed;

static parsed *parse(const char *line)
{
    static parsed p; /* the words live until the next call, as argv does */
    static char copy[512], *argv[32];
    memset(&p, 0, sizeof p);
    r1_opts_init(&p.o);
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    p.s = r1_args_parse(tables, &p.o, argc, argv, p.args, &p.n, &p.err);
    return &p;
}

TEST(args_take_options_anywhere)
{
    parsed *p = parse("--threads 3 model --top-p=0.5 -c 4096 what --json -n7 now");
    EXPECT_OK(p->s, &p->err);
    EXPECT_INT(p->n, 3);
    EXPECT_STR(p->args[0], "model");
    EXPECT_STR(p->args[2], "now");
    EXPECT_INT(p->o.threads, 3);
    EXPECT_INT(p->o.ctx, 4096);
    EXPECT_INT(p->o.max_tokens, 7);
    EXPECT(p->o.top_p == 0.5 && p->o.json && isnan(p->o.temperature));
}

TEST(args_end_at_two_dashes)
{
    parsed *p = parse("m -q -- --json -x -");
    EXPECT_OK(p->s, &p->err);
    EXPECT_INT(p->n, 4);
    EXPECT_STR(p->args[1], "--json");
    EXPECT_STR(p->args[3], "-");
    EXPECT(p->o.quiet && !p->o.json);
}

TEST(args_bundle_letters_and_take_negative_values)
{
    parsed *p = parse("-qv --think-budget -1 --presence-penalty -2 --quiet=false");
    EXPECT_OK(p->s, &p->err);
    EXPECT(!p->o.quiet && p->o.verbose && p->o.presence_penalty == -2);
    EXPECT_INT(p->o.think_budget, -1);
}

/* The words of a line after r1_args_signs, with blanks between. */
static const char *signs(const char *line)
{
    static const r1_opt_table t[] = { r1_opts_verify, r1_opts_json, r1_opts_common, NULL };
    static char copy[512], text[512], *argv[32], *out[33];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    int n = r1_args_signs(t, "math", argc, argv, out);
    text[0] = 0;
    for (int i = 0; i < n; i++) {
        size_t k = strlen(text);
        snprintf(text + k, sizeof text - k, "%s%s", i ? " " : "", out[i]);
    }
    return text;
}

TEST(args_take_a_minus_for_a_sign_where_told)
{
    EXPECT_STR(signs("math 5 5"), "-- math 5 5");
    EXPECT_STR(signs("math -5 -x+1 --json"), "--json -- math -5 -x+1");
    EXPECT_STR(signs("--threads 2 math -\\frac12 - -q"), "--threads 2 -q -- math -\\frac12 -");
    EXPECT_STR(signs("-t 2 math -t 3 -2"), "-t 2 -t 3 -- math -2");
    EXPECT_STR(signs("-t4 math -t4 -1"), "-t4 -- math -t4 -1"); /* after it, only a letter alone is an option */
    EXPECT_STR(signs("math --response -- --5 -q"), "--response -- math --5 -q");
    EXPECT_STR(signs("math --threads=2 -5"), "--threads=2 -- math -5");
    EXPECT_STR(signs("file.jsonl -t4"), "file.jsonl -t4");
    EXPECT_STR(signs("--tsv -q file"), "--tsv -q file");
    EXPECT_STR(signs("-- math -5"), "-- math -5");
    EXPECT_STR(signs("math"), "-- math");
    EXPECT_STR(signs("math --threads"), "--threads -- math");
    EXPECT_STR(signs(""), "");
}

static void refuses(const char *line, const char *found, const char *expected)
{
    parsed *p = parse(line);
    EXPECT_STATUS(p->s, R1_EINVAL);
    EXPECT_CONTAINS(p->err.msg, found);
    EXPECT_CONTAINS(p->err.msg, expected);
}

TEST(args_messages_name_found_and_expected)
{
    refuses("--thread 1", "'--thread'", "'--threads'");
    refuses("--temprature 1", "'--temprature'", "'--temperature'");
    refuses("--zzzzz", "'--zzzzz'", "--help");
    refuses("-z", "'-z'", "--help");
    refuses("--threads x", "--threads is 'x'", "an integer from 0 to 1024");
    refuses("--threads 1025", "'1025'", "0 to 1024");
    refuses("--threads 1e3", "'1e3'", "integer");
    refuses("--top-p 1.5", "--top-p is '1.5'", "a number from 0 to 1");
    refuses("--top-p nan", "'nan'", "a number");
    refuses("--cpu avx51", "--cpu is 'avx51'", "did you mean 'avx512'");
    const struct { const char *line, *list; } digits[] = {
        { "--kv q4_0", "expected one of auto, f16, bf16, q8_0, f32" }, { "--speculate 9", "6, 7, 8" }, { "--activations f16", "auto, f32, bf16, int8" },
        { "--cpu avx521", "avx2, avx512" }, { "--activations fp16", "bf16, int8" },
    };
    for (size_t i = 0; i < R1_COUNT(digits); i++) {
        parsed *p = parse(digits[i].line);
        EXPECT_STATUS(p->s, R1_EINVAL);
        EXPECT_CONTAINS(p->err.msg, digits[i].list);
        EXPECT_MSG(!strstr(p->err.msg, "did you mean"), "%s", p->err.msg);
    }
    refuses("--kv Q8-0", "--kv is 'Q8-0'", "did you mean 'q8_0'");
    refuses("--cpu avx-512", "--cpu is 'avx-512'", "did you mean 'avx512'");
    refuses("--cpu salar", "--cpu is 'salar'", "did you mean 'scalar'");
    refuses("--seed -1", "--seed is '-1'", "an integer from 0");
    refuses("--seed 18446744073709551616", "--seed is", "18446744073709551615");
    refuses("--json=maybe", "'maybe'", "true or false");
    refuses("model --top-k", "--top-k", "needs a value");
}

TEST(args_take_the_largest_seed_and_lists)
{
    parsed *p = parse("--seed 18446744073709551615 --stop a --stop b");
    EXPECT_OK(p->s, &p->err);
    EXPECT(p->o.seed == UINT64_MAX && p->o.seed_given);
    EXPECT_INT(p->o.stop.n, 2);
    EXPECT_STR(p->o.stop.items[1], "b");
}

static r1_status config(r1_opts *o, const char *text, r1_error *err)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    EXPECT(v != NULL);
    r1_status s = r1_args_config(tables, all, commands, "run", v, o, err);
    /* strings of the options borrow from v, so tests read numbers after this */
    json_decref(v);
    return s;
}

TEST(config_sets_options_and_a_command_wins)
{
    r1_opts o;
    r1_error err = { 0 };
    r1_opts_init(&o);
    EXPECT_OK(config(&o, "{\"run\": {\"temperature\": 0.25, \"think\": \"hide\"}, \"temperature\": 0.5, \"top_k\": 40, \"quiet\": true, \"window\": 9, \"show\": {\"threads\": 7}}", &err), &err);
    EXPECT(o.temperature == 0.25 && o.quiet);
    EXPECT_INT(o.top_k, 40);
    EXPECT_INT(o.think, R1_THINK_HIDE);
    EXPECT_INT(o.threads, 0);
}

TEST(config_names_wrong_keys_and_values)
{
    static const struct { const char *text, *found; } cases[] = {
        { "{\"tempreture\": 1}", "'tempreture'; did you mean 'temperature'" }, { "{\"run\": {\"qqqqq\": 1}}", "in 'run': unknown key 'qqqqq'" },
        { "{\"threads\": true}", "'threads' is a boolean, expected a number" }, { "{\"quiet\": 3}", "'quiet' is an integer, expected true or false" },
        { "{\"threads\": -3}", "'threads' is '-3', expected an integer" }, { "[1]", "an array, expected an object" },
        { "{\"stop\": [1]}", "element 1 of 'stop' is an integer" }, { "{\"cpu\": null}", "'cpu' is null" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_opts o;
        r1_error err = { 0 };
        r1_opts_init(&o);
        EXPECT_STATUS(config(&o, cases[i].text, &err), R1_EFORMAT);
        EXPECT_CONTAINS(err.msg, cases[i].found);
    }
}

TEST(environment_comes_between)
{
    r1_opts o;
    r1_error err = { 0 };
    r1_opts_init(&o);
    EXPECT_OK(config(&o, "{\"top-k\": 1, \"chunk\": 5}", &err), &err);
    setenv("R1_TOP_K", "2", 1);
    EXPECT_OK(r1_args_env(tables, &o, &err), &err);
    EXPECT_INT(o.top_k, 2);
    EXPECT_INT(o.chunk, 5);
    setenv("R1_TOP_K", "two", 1);
    EXPECT_STATUS(r1_args_env(tables, &o, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "R1_TOP_K is 'two'");
    unsetenv("R1_TOP_K");
}

TEST(options_print_what_they_were_set_to)
{
    r1_opts o;
    r1_error err = { 0 };
    r1_opts_init(&o);
    for (const r1_opt_table *t = all; *t; t++)
        for (const r1_opt *p = *t; p->name; p++) {
            const char *value = p->kind == R1_OPT_FLAG ? "true" : p->kind == R1_OPT_CHOICE ? p->words[1] : p->hi > 1 ? "2" : !strcmp(p->name, "logit-bias") ? "1=2" : "1";
            r1_buf b;
            r1_buf_init(&b, 1000);
            EXPECT_OK(r1_opt_set(p, &o, p->name, value, R1_PLACE_LINE, &err), &err);
            EXPECT_OK(r1_opt_print(p, &o, &b, &err), &err);
            EXPECT_STR(b.data, p->kind != R1_OPT_TEXTS ? value : *value && value[1] ? "'1=2'" : "'1'");
            r1_buf_deinit(&b);
        }
}

TEST(nearest_words)
{
    static const char *const words[] = { "run", "show", "tokenize", "detokenize", "template", NULL };
    EXPECT_STR(r1_nearest("rnu", words), "run");
    EXPECT_STR(r1_nearest("tokenise", words), "tokenize");
    EXPECT_STR(r1_nearest("tok", words), "tokenize");
    EXPECT_STR(r1_nearest("rn", words), "run");
    EXPECT_NULL(r1_nearest("run2", words));
    EXPECT_NULL(r1_nearest("serve", words));
    EXPECT_INT(r1_edit_distance("abcd", "acbd"), 1);
    EXPECT_INT(r1_edit_distance("", "abc"), 3);
    EXPECT_INT(r1_edit_distance("kitten", "sitting"), 3);
}

/* ---- the pages ------------------------------------------------------------------------------------------------- */

static const char *page_of(const char *name)
{
    for (size_t i = 0; i < r1_n_help_pages; i++)
        if (!strcmp(r1_help_pages[i].name, name)) return r1_help_pages[i].text;
    return NULL;
}

/* The "Options" section, up to the next line that begins a section. */
static void options_section(const char *page, char *out, size_t cap)
{
    const char *p = strstr(page, "\nOptions:\n");
    EXPECT(p != NULL);
    p += strlen("\nOptions:\n");
    const char *end = p;
    while (*end && !(end[0] == '\n' && isalpha((unsigned char)end[1]))) end++;
    EXPECT((size_t)(end - p) < cap);
    memcpy(out, p, (size_t)(end - p));
    out[end - p] = 0;
}

static bool lists(const char *section, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = section; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, "  -", 3) != 0) continue;
        for (const char *p = line; (p = strstr(p, "--")) && p < line + 26; p += 2)
            if (!strncmp(p + 2, name, n) && !isalnum((unsigned char)p[2 + n]) && p[2 + n] != '-') return true;
    }
    return false;
}

/* Each option of the tables stands in the section, with its letter. */
static void all_listed(const char *page, const char *section, const r1_opt_table *list)
{
    for (; *list; list++)
        for (const r1_opt *p = *list; p->name; p++) {
            if (!lists(section, p->name)) fail_msg("the page of '%s' does not list --%s", page, p->name);
            char head[64];
            snprintf(head, sizeof head, "-%c, --%s", p->letter, p->name);
            if (p->letter && !strstr(section, head)) fail_msg("the page of '%s' does not list '%s'", page, head);
        }
}

/* Each option listed is in the tables. */
static void all_known(const char *page, const char *section, const r1_opt_table *list)
{
    for (const char *line = section; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *p = strncmp(line, "  -", 3) ? NULL : strstr(line, "--");
        if (!p) continue;
        size_t n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-0123456789");
        if (!r1_opt_find(list, p + 2, n)) fail_msg("the page of '%s' lists --%.*s, which there is not", page, (int)n, p + 2);
    }
}

/* main.c has the table of commands and main() itself, so it is not linked here; this repeats which tables go where. */
static const struct { const char *name; r1_opt_table tables[8]; } pages[] = {
    { "r1", { r1_opts_common, NULL } },
    { "run", { r1_opts_run, r1_opts_answer, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, NULL } },
    { "batch", { r1_opts_batch, r1_opts_answer, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_force, NULL } },
    { "show", { r1_opts_json, NULL } },
    { "tokenize", { r1_opts_tokenize, NULL } },
    { "detokenize", { r1_opts_detokenize, NULL } },
    { "template", { r1_opts_template, NULL } },
    { "generate", { r1_opts_generate, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, NULL } },
    { "logits", { r1_opts_logits, r1_opts_force, r1_opts_model, NULL } },
    { "perplexity", { r1_opts_perplexity, r1_opts_model, r1_opts_json, NULL } },
    { "convert", { r1_opts_convert, r1_opts_force, r1_opts_json, NULL } },
    { "quantize", { r1_opts_quantize, r1_opts_force, r1_opts_json, NULL } },
    { "imatrix", { r1_opts_imatrix, r1_opts_force, r1_opts_json, NULL } },
    { "pack", { r1_opts_force, r1_opts_json, NULL } },
    { "eval", { r1_opts_eval, r1_opts_model, r1_opts_json, NULL } },
    { "bench", { r1_opts_bench, r1_opts_model, r1_opts_json, NULL } },
    { "verify", { r1_opts_verify, r1_opts_json, NULL } },
};

TEST(pages_list_exactly_the_options)
{
    static char section[16384];
    EXPECT_INT(r1_n_help_pages, R1_COUNT(pages));
    for (size_t i = 0; i < R1_COUNT(pages); i++) {
        const char *page = page_of(pages[i].name);
        if (!page) fail_msg("there is no page of '%s'", pages[i].name);
        options_section(page, section, sizeof section);
        all_listed(pages[i].name, section, pages[i].tables);
        all_known(pages[i].name, section, pages[i].tables);
    }
}
