/* Templates and what stands in their places. */
#include "eval/question.h"

#include <stdio.h>

static const char math_prompt[] = "{problem}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}.";
static const char choice_prompt[] = "{problem}\n\n{choices}\n\nPlease reason step by step, and put the letter of your choice within \\boxed{{}}.";
static const char countdown_prompt[] = "{problem}\n\nThink first, between <think> and </think>. Then put the final expression, without an equals sign, between <answer> and "
    "</answer>, for example <answer>(1 + 2) / 3</answer>.";
static const char function_prompt[] = "{problem}\n\n{starter}Write the code in {language}, in one block that begins with ```{fence}.";
static const char stdio_prompt[] = "{problem}\n\nWrite a program in {language} that reads from standard input and writes to standard output. Put the whole program in one block "
    "that begins with ```{fence}.";
static const char patch_prompt[] = "{problem}\n\nAnswer with a patch in the unified format of git, in one block that begins with ```diff.";

const char *r1_question_template(const r1_benchmark *b, const r1_item *item)
{
    if (b->prompt) return b->prompt;
    switch (item->check) {
    case R1_EVAL_CHOICE: return choice_prompt;
    case R1_EVAL_COUNTDOWN: return countdown_prompt;
    case R1_EVAL_FUNCTION: return function_prompt;
    case R1_EVAL_STDIO: return stdio_prompt;
    case R1_EVAL_PATCH: return patch_prompt;
    case R1_EVAL_MATH: case R1_EVAL_BY_ITEM: break;
    }
    return math_prompt;
}

static const char *language_name(const char *language)
{
    static const char *const names[][2] = { { "python", "Python" }, { "c", "C" }, { "cpp", "C++" }, { "javascript", "JavaScript" } };
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (language && !strcmp(names[i][0], language)) return names[i][1];
    return "Python";
}

static r1_status add_choices(const r1_item *t, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < t->n_choices && s == R1_OK; i++) s = r1_buf_addf(out, err, "%s%c) %s", i ? "\n" : "", (char)('A' + i), t->choices[i]);
    return s;
}

static r1_status add_lines(const json_t *list, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < json_array_size(list) && s == R1_OK; i++)
        s = r1_buf_addf(out, err, "%s%s", i ? "\n" : "", json_string_value(json_array_get(list, i)));
    return s;
}

static r1_status add_field(const r1_item *t, const char *name, r1_buf *out, r1_error *err)
{
    const json_t *v = json_object_get(t->fields, name);
    if (json_is_string(v)) return r1_buf_add(out, json_string_value(v), json_string_length(v), err);
    bool lines = json_is_array(v) && json_array_size(v);
    for (size_t i = 0; i < json_array_size(v); i++) lines = lines && json_is_string(json_array_get(v, i));
    if (lines) return add_lines(v, out, err);
    if (!v) {
        r1_buf names;
        r1_buf_init(&names, 600);
        const char *key;
        json_t *x;
        json_object_foreach(t->fields, key, x) {
            if (r1_buf_addf(&names, err, ", %s", key)) break;
        }
        r1_status s = r1_fail(err, R1_EFORMAT, "the prompt names {%s}, which item '%s' has not: it has choices, fence, language, problem, starter, tests%s; a brace is {{ or }}", name, t->id,
                              names.data ? names.data : "");
        r1_buf_deinit(&names);
        return s;
    }
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    r1_status s = text ? r1_buf_adds(out, text, err) : r1_fail(err, R1_ENOMEM, "no memory for a prompt");
    free(text);
    return s;
}

static r1_status add_place(const r1_item *t, const char *name, r1_buf *out, r1_error *err)
{
    if (!strcmp(name, "problem")) return r1_buf_adds(out, t->problem, err);
    if (!strcmp(name, "choices") && t->n_choices) return add_choices(t, out, err);
    if (!strcmp(name, "language")) return r1_buf_adds(out, language_name(t->language), err);
    if (!strcmp(name, "fence")) return r1_buf_adds(out, t->language ? t->language : "python", err);
    if (!strcmp(name, "tests") && json_object_get(t->fields, "test_list")) return add_lines(json_object_get(t->fields, "test_list"), out, err);
    if (!strcmp(name, "starter")) {
        const char *code = json_string_value(json_object_get(t->fields, "starter_code"));
        return code && *code ? r1_buf_addf(out, err, "Begin with this code:\n\n```%s\n%s\n```\n\n", t->language ? t->language : "python", code) : R1_OK;
    }
    return add_field(t, name, out, err);
}

r1_status r1_question_make(const char *template, const r1_item *item, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    for (const char *p = template; *p && s == R1_OK;) {
        size_t plain = strcspn(p, "{}");
        s = r1_buf_add(out, p, plain, err);
        p += plain;
        if (!*p || s) continue;
        if (p[0] == p[1]) {
            s = r1_buf_add(out, p, 1, err);
            p += 2;
            continue;
        }
        const char *end = *p == '{' ? strpbrk(p + 1, "{}") : NULL;
        char name[128];
        if (!end || *end != '}' || end - p - 1 >= (long)sizeof name || end == p + 1)
            return r1_fail(err, R1_EFORMAT, "byte %zu of the prompt is '%c' alone, expected {name}, {{ or }}", (size_t)(p - template), *p);
        snprintf(name, sizeof name, "%.*s", (int)(end - p - 1), p + 1);
        s = add_place(item, name, out, err);
        p = end + 1;
    }
    return s;
}
