/* Items from JSONL. Every field a check needs is looked at here, once, so that a wrong file is refused before anything is
 * generated; what is optional and strange is refused too, for a mistyped field would silently change a result. */
#define _GNU_SOURCE
#include "eval/benchmark.h"
#include "base/map.h"
#include "base/rng.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { CHOICES_MAX = 26 };

typedef struct parse {
    const r1_benchmark *b;
    const r1_items_options *o;
    r1_items *out;
    size_t cap, line;
    r1_error *err;
} parse;

static uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001B3ull; /* FNV-1a */
    return (h ^ 0xFF) * 0x100000001B3ull; /* ends a text: no UTF-8 has this byte */
}

uint64_t r1_eval_seed(uint64_t seed, const char *task, const char *id, uint32_t sample)
{
    uint32_t r[4];
    r1_rng_block(seed, hash_text(hash_text(0xCBF29CE484222325ull, task), id), 0, r);
    return (r[0] + sample) & 0x7FFFFFFF;
}

/* A string or a number as text; NULL when it is neither. *made receives what the caller must free. */
static const char *text_of(const json_t *v, char **made)
{
    if (json_is_string(v)) return json_string_value(v);
    if (!json_is_number(v)) return NULL;
    *made = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    return *made;
}

static const json_t *first_of(const json_t *o, const char *const *names, const char **which)
{
    for (; *names; names++) {
        const json_t *v = json_object_get(o, *names);
        *which = *names;
        if (v && !json_is_null(v)) return v;
    }
    return NULL;
}

static r1_status wrong(const parse *p, const char *field, const json_t *found, const char *expected)
{
    return r1_fail(p->err, R1_EFORMAT, "'%s' is %s, expected %s", field, r1_json_kind(found), expected);
}

static bool is_list_of(const json_t *v, bool (*ok)(const json_t *))
{
    if (!json_is_array(v)) return false;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!ok(json_array_get(v, i))) return false;
    return true;
}

static bool is_text(const json_t *v) { return json_is_string(v); }
static bool is_whole(const json_t *v) { return json_is_integer(v); }
static bool is_test_of_call(const json_t *v) { return json_is_string(json_object_get(v, "input")) && json_is_string(json_object_get(v, "output")); }
static bool is_test_of_program(const json_t *v)
{
    return (json_is_string(json_object_get(v, "stdin")) && json_is_string(json_object_get(v, "stdout"))) || is_test_of_call(v);
}

/* float:E */
static bool is_tolerance(const json_t *v)
{
    const char *text = json_string_value(v), *e = text && !strncmp(text, "float:", 6) ? text + 6 : "";
    char *end = NULL;
    double value = strtod(e, &end);
    return *e && strspn(e, "0123456789.eE+-") == strlen(e) && !*end && value >= 0 && isfinite(value);
}

/* ---- fields ---------------------------------------------------------------------------------------------------- */

static r1_status read_id(parse *p, r1_item *t)
{
    static const char *const names[] = { "id", "task_id", "question_id", "unique_id", "instance_id", NULL };
    const char *which;
    const json_t *v = first_of(t->fields, names, &which);
    if (!v) {
        char number[24];
        snprintf(number, sizeof number, "%zu", p->line);
        t->id = t->own_id = strdup(number);
    } else if (json_is_string(v) || json_is_integer(v)) {
        t->id = text_of(v, &t->own_id);
    } else {
        return wrong(p, which, v, "a string or an integer");
    }
    if (!t->id) return r1_fail(p->err, R1_ENOMEM, "no memory for an id");
    size_t n = strlen(t->id);
    if (n == 0 || n > R1_ITEM_ID_MAX) return r1_fail(p->err, R1_EFORMAT, "'%s' has %zu bytes, expected 1 to %d", which, n, R1_ITEM_ID_MAX);
    return R1_OK;
}

static r1_status read_problem(parse *p, r1_item *t)
{
    static const char *const names[] = { "problem", "question", "question_content", "problem_statement", NULL };
    static const char *const whole[] = { "text", "problem", "problem_statement", NULL };
    const char *which;
    const json_t *v = first_of(t->fields, t->check == R1_EVAL_PATCH ? whole : names, &which);
    if (!json_is_string(v) || !*json_string_value(v)) return wrong(p, v ? which : "problem", v, "a text");
    t->problem = json_string_value(v);
    return R1_OK;
}

static r1_status read_category(parse *p, r1_item *t)
{
    static const char *const names[] = { "category", "subject", "type", "domain", "difficulty", "level", NULL };
    const char *which;
    const json_t *v = first_of(t->fields, names, &which), *rating = json_object_get(t->fields, "rating");
    t->category = "";
    t->rating = NAN;
    if (v) {
        const char *c = text_of(v, &t->own_category);
        if (c) t->category = c;
    }
    if (rating && !json_is_null(rating)) {
        if (!json_is_number(rating) || !(fabs(json_number_value(rating)) <= 10000)) return wrong(p, "rating", rating, "a number from -10000 to 10000");
        t->rating = json_number_value(rating);
    }
    char made[64] = "";
    if (!*t->category && t->check == R1_EVAL_COUNTDOWN) snprintf(made, sizeof made, "%zu numbers", json_array_size(json_object_get(t->fields, "nums")));
    if (!*t->category && !isnan(t->rating)) snprintf(made, sizeof made, "rating %.0f to %.0f", floor(t->rating / 400) * 400, floor(t->rating / 400) * 400 + 399);
    if (!*made) return R1_OK;
    free(t->own_category);
    t->category = t->own_category = strdup(made);
    return t->category ? R1_OK : r1_fail(p->err, R1_ENOMEM, "no memory for a category");
}

static r1_status read_gold(parse *p, r1_item *t)
{
    const json_t *v = json_object_get(t->fields, "answer");
    t->gold = "";
    if (t->check != R1_EVAL_MATH) return R1_OK;
    if (!json_is_string(v) && !json_is_number(v)) return wrong(p, "answer", v, "a text or a number");
    t->gold = text_of(v, &t->own_gold);
    if (!t->gold) return r1_fail(p->err, R1_ENOMEM, "no memory for an answer");
    return *t->gold ? R1_OK : r1_fail(p->err, R1_EFORMAT, "'answer' is empty, expected the right answer");
}

static r1_status set_letter(parse *p, r1_item *t)
{
    char letter[2] = { (char)('A' + t->right_choice), 0 };
    t->gold = t->own_gold = strdup(letter);
    return t->gold ? R1_OK : r1_fail(p->err, R1_ENOMEM, "no memory for a letter");
}

/* {"answer": text, "incorrect": [texts]}: no order is meant, so they are shuffled. */
static r1_status read_incorrect(parse *p, r1_item *t, const json_t *others)
{
    const json_t *right = json_object_get(t->fields, "answer");
    size_t n = json_array_size(others) + 1;
    if (!is_list_of(others, is_text) || n < 2 || n > CHOICES_MAX) return wrong(p, "incorrect", others, "a list of 1 to 25 texts");
    if (!json_is_string(right) || !*json_string_value(right)) return wrong(p, "answer", right, "the text of the right choice");
    t->choices = calloc(n, sizeof *t->choices);
    if (!t->choices) return r1_fail(p->err, R1_ENOMEM, "no memory for %zu choices", n);
    t->n_choices = n;
    t->choices[0] = json_string_value(right);
    for (size_t i = 1; i < n; i++) t->choices[i] = json_string_value(json_array_get(others, i - 1));
    uint64_t stream = hash_text(hash_text(hash_text(0xCBF29CE484222325ull, "choices"), p->o->task), t->id);
    for (size_t i = n - 1; i > 0; i--) { /* Fisher and Yates */
        size_t j = (size_t)(r1_rng_uniform(p->o->seed, stream, i) * (double)(i + 1));
        const char *c = t->choices[i];
        t->choices[i] = t->choices[j];
        t->choices[j] = c;
        if (t->right_choice == i) t->right_choice = j;
        else if (t->right_choice == j) t->right_choice = i;
    }
    return set_letter(p, t);
}

/* {"choices": [texts], "answer": letter or text}: shown as they stand. */
static r1_status read_choices(parse *p, r1_item *t, const json_t *list)
{
    const char *right = json_string_value(json_object_get(t->fields, "answer"));
    size_t n = json_array_size(list);
    if (!is_list_of(list, is_text) || n < 2 || n > CHOICES_MAX) return wrong(p, "choices", list, "a list of 2 to 26 texts");
    if (!right) return wrong(p, "answer", json_object_get(t->fields, "answer"), "the letter or the text of the right choice");
    t->choices = calloc(n, sizeof *t->choices);
    if (!t->choices) return r1_fail(p->err, R1_ENOMEM, "no memory for %zu choices", n);
    t->n_choices = n;
    t->right_choice = n;
    for (size_t i = 0; i < n; i++) {
        t->choices[i] = json_string_value(json_array_get(list, i));
        bool letter = right[0] == (char)('A' + i) && right[1] == 0;
        if (letter || (t->right_choice == n && !strcmp(t->choices[i], right))) t->right_choice = i;
    }
    if (t->right_choice == n) return r1_fail(p->err, R1_EFORMAT, "'answer' is '%.80s', expected the letter (A to %c) or the text of one of the choices", right, (char)('A' + n - 1));
    return set_letter(p, t);
}

static r1_status read_countdown(parse *p, r1_item *t)
{
    const json_t *nums = json_object_get(t->fields, "nums"), *target = json_object_get(t->fields, "target");
    size_t n = json_array_size(nums);
    if (!is_list_of(nums, is_whole) || n < 1 || n > 16) return wrong(p, "nums", nums, "a list of 1 to 16 integers");
    return json_is_integer(target) ? R1_OK : wrong(p, "target", target, "an integer");
}

static r1_status read_code(parse *p, r1_item *t)
{
    static const char *const languages[] = { "python", "c", "cpp", "javascript", NULL };
    const json_t *o = t->fields, *language = json_object_get(o, "language");
    t->language = p->b->language ? p->b->language : "python";
    if (language && !json_is_null(language)) {
        size_t i = 0;
        while (json_is_string(language) && languages[i] && strcmp(languages[i], json_string_value(language))) i++;
        if (!json_is_string(language) || !languages[i]) return wrong(p, "language", language, "python, c, cpp or javascript");
        t->language = languages[i];
    }
    t->usual_imports = !strcmp(t->language, "python") && (!strcmp(p->b->name, "livecodebench") || json_is_string(json_object_get(o, "starter_code")));
    const json_t *tests = json_object_get(o, "tests"), *list = json_object_get(o, "test_list"), *test = json_object_get(o, "test"), *entry = json_object_get(o, "entry_point");
    if (entry && !json_is_null(entry) && !json_is_string(entry)) return wrong(p, "entry_point", entry, "a name");
    if (t->check == R1_EVAL_STDIO && json_is_string(entry)) t->check = R1_EVAL_FUNCTION;
    if (t->check == R1_EVAL_STDIO)
        return json_array_size(tests) && is_list_of(tests, is_test_of_program) ? R1_OK : wrong(p, "tests", tests, "a list of objects with the texts stdin and stdout, or input and output");
    const json_t *checker = json_object_get(o, "checker");
    if (checker && !json_is_null(checker) && !(tests && !test && is_tolerance(checker)))
        return r1_fail(p->err, R1_EFORMAT, tests && !test ? "'checker' is no float:E with a decimal number E >= 0, such as float:1e-6"
                                                          : "'checker' belongs to 'tests'; 'test' and 'test_list' compare themselves");
    if (tests && !test)
        return json_array_size(tests) && is_list_of(tests, is_test_of_call) ? R1_OK : wrong(p, "tests", tests, "a list of objects with the texts input and output");
    if (list) {
        const json_t *imports = json_object_get(o, "test_imports");
        if (imports && !is_list_of(imports, is_text)) return wrong(p, "test_imports", imports, "a list of texts");
        return json_array_size(list) && is_list_of(list, is_text) ? R1_OK : wrong(p, "test_list", list, "a list of texts");
    }
    if (!json_is_string(test)) return wrong(p, "test", test, "the source of a test");
    return json_is_string(entry) ? R1_OK : wrong(p, "entry_point", entry, "the name of the function");
}

static r1_eval_check check_of(const r1_benchmark *b, const json_t *o)
{
    if (b->check != R1_EVAL_BY_ITEM) return b->check;
    if (json_object_get(o, "target") && json_object_get(o, "nums")) return R1_EVAL_COUNTDOWN;
    if (json_object_get(o, "choices") || json_object_get(o, "incorrect")) return R1_EVAL_CHOICE;
    if (json_object_get(o, "test") || json_object_get(o, "test_list")) return R1_EVAL_FUNCTION;
    return json_object_get(o, "tests") ? R1_EVAL_STDIO : R1_EVAL_MATH;
}

static r1_status read_check(parse *p, r1_item *t)
{
    const json_t *incorrect = json_object_get(t->fields, "incorrect"), *choices = json_object_get(t->fields, "choices");
    switch (t->check) {
    case R1_EVAL_CHOICE:
        if (incorrect) return read_incorrect(p, t, incorrect);
        if (choices) return read_choices(p, t, choices);
        return wrong(p, "incorrect", NULL, "a list of the wrong choices, or 'choices'");
    case R1_EVAL_COUNTDOWN: return read_countdown(p, t);
    case R1_EVAL_FUNCTION: case R1_EVAL_STDIO: return read_code(p, t);
    case R1_EVAL_MATH: case R1_EVAL_PATCH: case R1_EVAL_BY_ITEM: break;
    }
    return R1_OK;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void item_deinit(r1_item *t)
{
    free(t->choices);
    free(t->own_id);
    free(t->own_gold);
    free(t->own_category);
    json_decref(t->fields);
    *t = (r1_item){ 0 };
}

void r1_items_deinit(r1_items *t)
{
    for (size_t i = 0; i < t->n; i++) item_deinit(&t->items[i]);
    free(t->items);
    *t = (r1_items){ 0 };
}

/* Whether the item is one of those asked for: "field=text". */
static bool is_wanted(const json_t *o, const char *where)
{
    if (!where) return true;
    const char *equals = strchr(where, '=');
    char name[128], *made = NULL;
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - where) : 0, where);
    const json_t *v = json_object_get(o, name);
    const char *text = json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : text_of(v, &made);
    bool yes = text && equals && !strcmp(text, equals + 1);
    free(made);
    return yes;
}

static r1_status add_item(parse *p, const char *text, size_t n)
{
    r1_items *out = p->out;
    if (n > R1_ITEM_BYTES_MAX) return r1_fail(p->err, R1_ELIMIT, "it has %zu bytes, the limit is %zu", n, R1_ITEM_BYTES_MAX);
    if (out->n == R1_ITEMS_MAX) return r1_fail(p->err, R1_ELIMIT, "there are more than %zu items", R1_ITEMS_MAX);
    if (out->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        r1_item *more = realloc(out->items, cap * sizeof *more);
        if (!more) return r1_fail(p->err, R1_ENOMEM, "no memory for %zu items", cap);
        out->items = more;
        p->cap = cap;
    }
    r1_item *t = &out->items[out->n];
    *t = (r1_item){ 0 };
    r1_status s = r1_json_parse(&t->fields, text, n, p->err);
    if (s == R1_OK && !json_is_object(t->fields)) s = r1_fail(p->err, R1_EFORMAT, "it is %s, expected an object", r1_json_kind(t->fields));
    if (s || !is_wanted(t->fields, p->o->where)) {
        item_deinit(t);
        return s;
    }
    t->check = check_of(p->b, t->fields);
    s = read_id(p, t);
    if (s == R1_OK) s = read_problem(p, t);
    if (s == R1_OK) s = read_gold(p, t);
    if (s == R1_OK) s = read_check(p, t);
    if (s == R1_OK) s = read_category(p, t);
    if (s) item_deinit(t);
    else out->n++;
    return s;
}

static int by_id(const void *a, const void *b) { return strcmp((*(const r1_item *const *)a)->id, (*(const r1_item *const *)b)->id); }

static r1_status check_ids(const r1_items *out, r1_error *err)
{
    const r1_item **order = malloc((out->n + 1) * sizeof *order);
    r1_status s = R1_OK;
    if (!order) return r1_fail(err, R1_ENOMEM, "no memory for %zu items", out->n);
    for (size_t i = 0; i < out->n; i++) order[i] = &out->items[i];
    qsort(order, out->n, sizeof *order, by_id);
    for (size_t i = 1; i < out->n && s == R1_OK; i++)
        if (!strcmp(order[i - 1]->id, order[i]->id)) s = r1_fail(err, R1_EFORMAT, "two items have the id '%s'", order[i]->id);
    free(order);
    return s;
}

r1_status r1_items_parse(r1_items *out, const r1_benchmark *b, const r1_items_options *o, const char *text, size_t n, r1_error *err)
{
    parse p = { .b = b, .o = o, .out = out, .err = err };
    r1_status s = R1_OK;
    *out = (r1_items){ 0 };
    for (size_t at = 0; at < n && s == R1_OK && (o->limit == 0 || out->n < o->limit);) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t stop = end ? (size_t)(end - text) : n, len = stop - at;
        p.line++;
        while (len && (text[at + len - 1] == '\r' || text[at + len - 1] == ' ' || text[at + len - 1] == '\t')) len--;
        if (len) s = r1_context(err, add_item(&p, text + at, len), "line %zu", p.line);
        at = stop + 1;
    }
    if (s == R1_OK && out->n == 0)
        s = o->where && p.line ? r1_fail(err, R1_EFORMAT, "none of %zu lines is an item with %s", p.line, o->where)
                               : r1_fail(err, R1_EFORMAT, "it is empty, expected a JSON object a line with id, %s", b->form);
    if (s == R1_OK) s = check_ids(out, err);
    if (s) r1_items_deinit(out);
    return s;
}

r1_status r1_items_read(r1_items *out, const r1_benchmark *b, const r1_items_options *o, const char *path, r1_error *err)
{
    r1_map m;
    *out = (r1_items){ 0 };
    r1_status s = r1_map_open(&m, path, err);
    if (s) return s;
    s = r1_context(err, r1_items_parse(out, b, o, (const char *)m.data, m.size, err), "'%s'", path);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (s == R1_OK && EVP_Digest(m.data, m.size, digest, &n, EVP_sha256(), NULL) != 1) s = r1_fail(err, R1_ENOMEM, "no memory for a hash");
    for (unsigned i = 0; i < n && i < 32; i++) snprintf(out->sha256 + 2 * i, 3, "%02x", digest[i]);
    r1_map_close(&m);
    if (s) r1_items_deinit(out);
    return s;
}
