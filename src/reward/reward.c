/* One item of any kind: which text is judged, which checker judges it, and what came of it.
 *
 * Each kind is a line of a table: its fields and its function. Fields are checked before anything runs, so that a mistyped one is
 * named and not taken for its default.
 */
#define _GNU_SOURCE
#include "reward/reward.h"
#include "reward/code/code.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { FIELDS_MOST = 6, USUAL_NGRAM = 4 };
#define LANGUAGE_THRESHOLD 0.9
#define REPETITION_THRESHOLD 0.5

typedef struct request {
    const r1_reward_options *o;
    const json_t *item;
    r1_span gold;       /* p NULL: none */
    r1_span text;       /* answer or response */
    bool is_response, opened;
    char gold_number[32], text_number[32];
} request;

typedef struct kind {
    const char *name;
    bool gold;          /* needs one */
    bool text;          /* needs answer or response */
    const char *fields[FIELDS_MOST];
    r1_status (*check)(request *q, r1_verdict *v, r1_error *err);
} kind;

/* ---- verdicts ---- */

void r1_verdict_deinit(r1_verdict *v)
{
    if (!v) return;
    free(v->extracted);
    free(v->details);
    *v = (r1_verdict){ 0 };
}

r1_status r1_verdict_set(r1_verdict *v, bool right, const char *reason, r1_span extracted, r1_error *err)
{
    char *copy = NULL;
    if (extracted.p) {
        copy = malloc(extracted.n + 1);
        if (!copy) return r1_fail(err, R1_ENOMEM, "no memory for an answer of %zu bytes", extracted.n);
        memcpy(copy, extracted.p, extracted.n);
        copy[extracted.n] = 0;
    }
    free(v->extracted);
    v->extracted = copy;
    v->n_extracted = copy ? extracted.n : 0;
    v->right = right;
    v->score = right;
    r1_error printable; /* one line, valid UTF-8 */
    (void)r1_fail(&printable, R1_OK, "%s", reason);
    size_t n = r1_min(strlen(printable.msg), sizeof v->reason - 1);
    while (n && n < strlen(printable.msg) && ((unsigned char)printable.msg[n] & 0xC0) == 0x80) n--;
    memcpy(v->reason, printable.msg, n);
    v->reason[n] = 0;
    return R1_OK;
}

r1_status r1_verdict_details(r1_verdict *v, json_t *details, r1_error *err)
{
    v->details = details ? json_dumps(details, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(details);
    return v->details ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the details of a verdict");
}

/* ---- fields ---- */

/* A string, or an integer taken as its digits. */
static r1_status text_of(const json_t *item, const char *key, char number[32], r1_span *out, r1_error *err)
{
    const json_t *v = json_object_get(item, key);
    *out = (r1_span){ NULL, 0 };
    if (!v || json_is_null(v)) return R1_OK;
    if (json_is_integer(v)) {
        *out = (r1_span){ number, (size_t)snprintf(number, 32, "%lld", (long long)json_integer_value(v)) };
        return R1_OK;
    }
    if (!json_is_string(v)) return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a string or an integer", key, r1_json_kind(v));
    *out = (r1_span){ json_string_value(v), json_string_length(v) };
    if (out->n > R1_RESPONSE_BYTES_MAX) return r1_fail(err, R1_ELIMIT, "'%s' has %zu bytes, the limit is %zu", key, out->n, R1_RESPONSE_BYTES_MAX);
    return R1_OK;
}

static bool is_among(const char *key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n && names[i]; i++)
        if (!strcmp(key, names[i])) return true;
    return false;
}

static r1_status check_fields(const request *q, const kind *k, r1_error *err)
{
    static const char *const all[] = { "id", "kind", "gold", "answer", "response", "opened" };
    static const char *const about[] = { "problem", "question", "solution", "category", "subject", "level", "source", "note", "meta", "n_solutions" };
    const char *key;
    json_t *value;
    if (!strcmp(k->name, "custom")) return R1_OK; /* what it means is the command's affair */
    json_object_foreach ((json_t *)(uintptr_t)q->item, key, value) {
        if (is_among(key, all, R1_COUNT(all)) || is_among(key, about, R1_COUNT(about)) || is_among(key, k->fields, FIELDS_MOST)) continue;
        char known[160] = "";
        for (size_t i = 0; i < FIELDS_MOST && k->fields[i]; i++) {
            size_t n = strlen(known);
            snprintf(known + n, sizeof known - n, ", %s", k->fields[i]);
        }
        return r1_fail(err, R1_EFORMAT, "unknown field '%.64s'; an item of kind %s has id, kind, gold, answer or response, opened%s", key, k->name, known);
    }
    return R1_OK;
}

static r1_status read_common(request *q, const kind *k, r1_error *err)
{
    r1_span answer, response;
    const json_t *id = json_object_get(q->item, "id");
    if (id && !json_is_null(id) && !json_is_string(id) && !json_is_integer(id)) return r1_fail(err, R1_EFORMAT, "'id' is %s, expected a string or an integer", r1_json_kind(id));
    r1_status s = text_of(q->item, "gold", q->gold_number, &q->gold, err);
    if (s == R1_OK) s = text_of(q->item, "answer", q->text_number, &answer, err);
    if (s == R1_OK) s = text_of(q->item, "response", q->text_number, &response, err);
    if (s == R1_OK) s = r1_json_bool(q->item, "opened", false, &q->opened, err);
    if (s) return s;
    if (answer.p && response.p) return r1_fail(err, R1_EFORMAT, "there are both 'answer' and 'response', expected one of them");
    if (k->text && !answer.p && !response.p) return r1_fail(err, R1_EFORMAT, "'answer' (bare) or 'response' (the whole text) is missing");
    if (k->gold && !q->gold.p) return r1_fail(err, R1_EFORMAT, "'gold' is missing");
    q->is_response = response.p != NULL;
    q->text = response.p ? response : answer;
    return R1_OK;
}

/* One of some words, the first when the field is absent. */
static r1_status word_of(const request *q, const char *key, const char *const *words, size_t *index, r1_error *err)
{
    const char *s;
    *index = 0;
    r1_status st = r1_json_str(q->item, key, false, words[0], &s, err);
    if (st) return st;
    char list[120] = "";
    for (size_t i = 0; words[i]; i++) {
        if (!strcmp(s, words[i])) {
            *index = i;
            return R1_OK;
        }
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", words[i]);
    }
    return r1_fail(err, R1_EFORMAT, "'%s' is '%.40s', expected one of %s", key, s, list);
}

static r1_status share_of(const request *q, const char *key, double fallback, double *out, r1_error *err)
{
    r1_status s = r1_json_real(q->item, key, false, fallback, out, err);
    if (s == R1_OK && !(*out >= 0 && *out <= 1)) s = r1_fail(err, R1_EFORMAT, "'%s' is %g, expected 0 to 1", key, *out);
    return s;
}

/* ---- the text to judge ---- */

/* The last line with more in it than signs of Markdown. */
static r1_span last_line(r1_span s)
{
    for (;;) {
        s = r1_span_trim(s);
        const char *from = s.n ? memrchr(s.p, '\n', s.n) : NULL;
        r1_span line = from ? r1_span_trim((r1_span){ from + 1, (size_t)(s.p + s.n - from - 1) }) : s;
        size_t i = 0;
        while (i < line.n && strchr("`*-_~#", line.p[i])) i++;
        if (i < line.n || !from) return line;
        s.n = (size_t)(from - s.p);
    }
}

/* The answer that is compared: NULL and *out, or why there is none. Without any mark it is the last line, or all of the answer. */
static const char *final_answer(const request *q, bool whole, r1_span *out)
{
    *out = r1_span_trim(q->text);
    if (!q->is_response) return out->n ? NULL : "no_answer";
    r1_response r;
    r1_response_split(q->text.p, q->text.n, q->opened, &r);
    *out = (r1_span){ NULL, 0 };
    if (!r.answer.p) return "open_thought";
    switch (r1_response_final(r.answer, out)) {
    case R1_FINAL_EMPTY: return "no_answer";
    case R1_FINAL_SEVERAL: return "several_answers";
    case R1_FINAL_NONE: *out = whole ? r1_span_trim(r.answer) : last_line(r.answer); break;
    default: break;
    }
    if (out->n) return NULL;
    *out = (r1_span){ NULL, 0 };
    return "no_answer";
}

/* "thinking", "answer" or "all" of the text; none is an empty span with a place. */
static r1_status part_of(const request *q, r1_span *out, r1_error *err)
{
    static const char *const parts[] = { "thinking", "answer", "all", NULL };
    size_t which;
    r1_response r;
    *out = q->text;
    r1_status s = word_of(q, "part", parts, &which, err);
    if (s || !q->is_response || which == 2) return s;
    r1_response_split(q->text.p, q->text.n, q->opened, &r);
    *out = which == 0 ? r.thought : r.answer;
    if (!out->p) *out = (r1_span){ q->text.p, 0 };
    return R1_OK;
}

/* ---- kinds ---- */

static r1_status check_math(request *q, r1_verdict *v, r1_error *err)
{
    if (!r1_span_trim(q->gold).n) return r1_fail(err, R1_EFORMAT, "'gold' is empty, expected the right answer");
    if (q->is_response && q->opened) { /* the checker knows the thought by its tags */
        r1_response r;
        r1_response_split(q->text.p, q->text.n, true, &r);
        if (!r.answer.p) return r1_verdict_set(v, false, "open_thought", r.answer, err);
    }
    return r1_reward_math(q->gold, q->text, q->is_response, v, err);
}

/* What was judged stands beside the verdict. */
static r1_status keep(r1_verdict *v, r1_span text, r1_error *err)
{
    v->extracted = malloc(text.n + 1);
    if (!v->extracted) {
        r1_verdict_deinit(v);
        return r1_fail(err, R1_ENOMEM, "no memory for an answer of %zu bytes", text.n);
    }
    memcpy(v->extracted, text.p, text.n);
    v->extracted[text.n] = 0;
    v->n_extracted = text.n;
    return R1_OK;
}

/* A response without code for the task: why. */
static r1_status no_code(const request *q, const r1_code_task *t, bool closed, r1_verdict *v, r1_error *err)
{
    char why[160] = "the thought is never closed, so there is no code";
    const char *other;
    size_t n = closed ? r1_code_other_language(t, q->text.p, q->text.n, &other) : 0;
    if (n) snprintf(why, sizeof why, "the response has no block of %s, only of '%.*s'", r1_code_language_name(t->language), (int)r1_min(n, 40), other);
    else if (closed) snprintf(why, sizeof why, "the response has no code");
    return r1_reward_code_without(t, r1_code_verdict_name(R1_CODE_WRONG_ANSWER), why, v, err);
}

/* The program of an item: the answer as it is, or the code in a response. */
static r1_status check_solution(request *q, const r1_code_task *t, r1_verdict *v, r1_error *err)
{
    char *code = NULL;
    size_t n = 0;
    r1_response parts;
    if (!q->is_response) {
        r1_status s = r1_reward_code(q->o, t, q->text, v, err);
        return s ? s : keep(v, q->text, err);
    }
    r1_response_split(q->text.p, q->text.n, q->opened, &parts);
    r1_status s = parts.answer.p ? r1_code_extract(t, q->text.p, q->text.n, &code, &n, err) : R1_OK;
    if (s) return s;
    if (code) {
        s = r1_reward_code(q->o, t, (r1_span){ code, n }, v, err);
        if (s == R1_OK) { /* the verdict owns what was extracted */
            v->extracted = code;
            v->n_extracted = n;
            return R1_OK;
        }
    } else {
        s = no_code(q, t, parts.answer.p != NULL, v, err);
    }
    free(code);
    return s;
}

static r1_status check_code(request *q, r1_verdict *v, r1_error *err)
{
    r1_code_task *t;
    json_t *task = json_object_get(q->item, "task");
    if (!task) return r1_fail(err, R1_EFORMAT, "'task' is missing, expected an object as `r1 verify code` takes it");
    r1_status s = r1_context(err, r1_code_task_parse(&t, task, err), "'task'");
    if (s) return s;
    s = check_solution(q, t, v, err);
    r1_code_task_free(t);
    return s;
}

/* Without any mark, a first line that is only a letter counts, unless what follows gives another; then the last line does. */
static const char *choose(const request *q, const r1_choices *choices, r1_span *answer, char found[R1_CHOICES_MOST + 1])
{
    r1_response r;
    r1_span marked;
    if (q->is_response) {
        r1_response_split(q->text.p, q->text.n, q->opened, &r);
        if (r1_response_final(r.answer, &marked) == R1_FINAL_NONE && r1_choice_leads(r.answer)) {
            const char *why = r1_choice_check(q->gold.p, choices, r.answer, found);
            if (!why || strcmp(why, "hedged")) return why;
        }
    }
    return r1_choice_check(q->gold.p, choices, *answer, found);
}

static r1_status check_choice(request *q, r1_verdict *v, r1_error *err)
{
    const char *texts[R1_CHOICES_MOST], *gold = q->gold.p;
    const json_t *list = json_object_get(q->item, "choices");
    r1_choices choices = { texts, json_array_size(list) };
    char found[R1_CHOICES_MOST + 1];
    r1_span answer;
    if (list && (!json_is_array(list) || choices.n < 2 || choices.n > R1_CHOICES_MOST))
        return r1_fail(err, R1_EFORMAT, "'choices' is %s of %zu, expected an array of 2 to %d strings", r1_json_kind(list), choices.n, R1_CHOICES_MOST);
    for (size_t i = 0; i < choices.n; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (!texts[i]) return r1_fail(err, R1_EFORMAT, "choice %zu is %s, expected a string", i + 1, r1_json_kind(json_array_get(list, i)));
    }
    if (r1_choice_check(gold, &choices, q->gold, found))
        return r1_fail(err, R1_EFORMAT, "'gold' is '%.40s', expected the letter of a choice, or several parted by commas", gold);
    char last = found[strlen(found) - 1]; /* they are in order */
    if (choices.n && last >= 'A' + (int)choices.n)
        return r1_fail(err, R1_EFORMAT, "'gold' is '%.40s', but there are %zu choices, expected A to %c", gold, choices.n, (char)('A' + (int)choices.n - 1));
    const char *why = final_answer(q, false, &answer);
    if (why) return r1_verdict_set(v, false, why, answer, err);
    why = choose(q, &choices, &answer, found);
    return r1_verdict_set(v, !why, why ? why : "right", *found ? r1_span_of(found) : answer, err);
}

static r1_status check_countdown(request *q, r1_verdict *v, r1_error *err)
{
    static const char *const uses[] = { "all", "some", NULL };
    const int64_t most = (int64_t)1 << 53;
    const json_t *nums = json_object_get(q->item, "nums");
    r1_countdown task = { .n_nums = json_array_size(nums) };
    size_t use;
    r1_span answer;
    if (!json_is_array(nums) || task.n_nums < 1 || task.n_nums > R1_COUNTDOWN_MOST)
        return r1_fail(err, R1_EFORMAT, "'nums' is %s of %zu, expected an array of 1 to %d integers", r1_json_kind(nums), task.n_nums, R1_COUNTDOWN_MOST);
    for (size_t i = 0; i < task.n_nums; i++) {
        const json_t *x = json_array_get(nums, i);
        task.nums[i] = json_integer_value(x);
        if (!json_is_integer(x) || task.nums[i] < 0 || task.nums[i] > most)
            return r1_fail(err, R1_EFORMAT, "number %zu of 'nums' is %s, expected an integer from 0 to %lld", i + 1,
                           json_is_integer(x) ? "out of range" : r1_json_kind(x), (long long)most);
    }
    r1_status s = r1_json_int(q->item, "target", true, 0, -most, most, &task.target, err);
    if (s == R1_OK) s = word_of(q, "use", uses, &use, err);
    if (s) return s;
    task.some = use == 1;
    const char *why = final_answer(q, false, &answer);
    if (!why) why = r1_countdown_check(&task, answer);
    return r1_verdict_set(v, !why, why ? why : "right", answer, err);
}

static r1_status check_exact(request *q, r1_verdict *v, r1_error *err)
{
    bool ignore_case;
    r1_span answer;
    r1_status s = r1_json_bool(q->item, "ignore_case", false, &ignore_case, err);
    if (s) return s;
    const char *why = final_answer(q, true, &answer);
    if (!why) s = r1_exact_check(q->gold, answer, ignore_case, &why, err);
    return s ? s : r1_verdict_set(v, !why, why ? why : "equal", answer, err);
}

static r1_status check_regex(request *q, r1_verdict *v, r1_error *err)
{
    r1_span answer;
    r1_status s = R1_OK;
    const char *why = final_answer(q, true, &answer), *ignored;
    if (why) s = r1_regex_check(q->gold, (r1_span){ "", 0 }, &ignored, err); /* a wrong pattern is told all the same */
    else s = r1_regex_check(q->gold, answer, &why, err);
    return s ? s : r1_verdict_set(v, !why, why ? why : "match", answer, err);
}

static r1_status check_language(request *q, r1_verdict *v, r1_error *err)
{
    double threshold;
    r1_span part;
    r1_language_share share;
    char code[24] = "";
    if (q->gold.n < sizeof code) memcpy(code, q->gold.p, q->gold.n);
    r1_status s = share_of(q, "threshold", LANGUAGE_THRESHOLD, &threshold, err);
    if (s == R1_OK) s = part_of(q, &part, err);
    if (s == R1_OK) s = r1_language_check(code, part.p, part.n, &share, err);
    if (s == R1_EINVAL) s = r1_context(err, R1_EFORMAT, "'gold'");
    if (s) return s;
    bool right = share.n_words && share.share >= threshold;
    s = r1_verdict_set(v, right, !share.n_words ? "no_words" : right ? "language" : "other_language", (r1_span){ NULL, 0 }, err);
    v->score = share.share;
    if (s == R1_OK) s = r1_verdict_details(v, json_pack("{s:I, s:I}", "words", (json_int_t)share.n_words, "target_words", (json_int_t)share.n_target), err);
    return s;
}

static r1_status check_format(request *q, r1_verdict *v, r1_error *err)
{
    static const char *const words[] = { "optional", "required", "none", NULL }; /* in the order of r1_answer_tags */
    size_t tags;
    r1_response parts = { { NULL, 0 }, { NULL, 0 } };
    r1_format_options o = { .opened = q->opened };
    r1_status s = word_of(q, "answer_tags", words, &tags, err);
    if (s == R1_OK) s = r1_json_bool(q->item, "empty_thought", false, &o.empty_thought, err);
    if (s == R1_OK && !q->is_response) s = r1_fail(err, R1_EFORMAT, "'response' is missing; a bare answer has no format");
    if (s) return s;
    o.answer_tags = (r1_answer_tags)tags;
    const char *why = r1_format_check(q->text.p, q->text.n, &o, &parts);
    return r1_verdict_set(v, !why, why ? why : "format", parts.answer, err);
}

static r1_status check_repetition(request *q, r1_verdict *v, r1_error *err)
{
    double threshold, share;
    int64_t ngram;
    r1_span part;
    r1_status s = share_of(q, "threshold", REPETITION_THRESHOLD, &threshold, err);
    if (s == R1_OK) s = r1_json_int(q->item, "ngram", false, USUAL_NGRAM, 1, 16, &ngram, err);
    if (s == R1_OK) s = part_of(q, &part, err);
    if (s == R1_OK) s = r1_repetition(part.p, part.n, (unsigned)ngram, &share, err);
    if (s == R1_OK) s = r1_verdict_set(v, share <= threshold, share <= threshold ? "varied" : "repeats", (r1_span){ NULL, 0 }, err);
    v->score = s ? 0 : 1 - share;
    return s;
}

static r1_status check_length(request *q, r1_verdict *v, r1_error *err)
{
    int64_t tokens, most, cache;
    r1_status s = r1_json_int(q->item, "tokens", true, 0, 0, INT32_MAX, &tokens, err);
    if (s == R1_OK) s = r1_json_int(q->item, "max_tokens", true, 0, 1, INT32_MAX, &most, err);
    if (s == R1_OK) s = r1_json_int(q->item, "cache_tokens", false, 0, 0, most, &cache, err);
    if (s == R1_OK) s = r1_verdict_set(v, tokens <= most, tokens <= most ? "within" : "overlong", (r1_span){ NULL, 0 }, err);
    v->score = s ? 0 : r1_reward_overlong((size_t)tokens, (size_t)most, (size_t)cache);
    return s;
}

static r1_status check_custom(request *q, r1_verdict *v, r1_error *err)
{
    if (!q->o->custom) return r1_fail(err, R1_EUNSUPPORTED, "an item of kind custom needs a command, and none was given");
    return r1_custom_check(q->o->custom, q->item, v, err);
}

static const kind kinds[] = {
    { "math", true, true, { NULL }, check_math },
    { "code", false, true, { "task" }, check_code },
    { "choice", true, true, { "choices" }, check_choice },
    { "countdown", false, true, { "nums", "target", "use" }, check_countdown },
    { "exact", true, true, { "ignore_case" }, check_exact },
    { "regex", true, true, { NULL }, check_regex },
    { "language", true, true, { "part", "threshold" }, check_language },
    { "format", false, true, { "answer_tags", "empty_thought" }, check_format },
    { "repetition", false, true, { "ngram", "threshold", "part" }, check_repetition },
    { "length", false, false, { "tokens", "max_tokens", "cache_tokens" }, check_length },
    { "custom", false, false, { NULL }, check_custom },
};

static r1_status find_kind(const char *name, const kind **out, r1_error *err)
{
    char list[160] = "";
    for (size_t i = 0; i < R1_COUNT(kinds); i++) {
        *out = &kinds[i];
        if (!strcmp(kinds[i].name, name)) return R1_OK;
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", kinds[i].name);
    }
    *out = NULL;
    return r1_fail(err, R1_EUNSUPPORTED, "kind '%.40s' is not known, expected one of %s", name, list);
}

static double thread_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

r1_status r1_reward_check(const r1_reward_options *o, const json_t *item, r1_verdict *v, r1_error *err)
{
    static const r1_reward_options usual = { 0 };
    const char *name;
    const kind *k;
    request q = { .o = o ? o : &usual, .item = item };
    double start = thread_ms();
    *v = (r1_verdict){ 0 };
    if (!json_is_object(item)) return r1_fail(err, R1_EFORMAT, "the item is %s, expected an object", r1_json_kind(item));
    r1_status s = r1_json_str(item, "kind", false, "math", &name, err);
    if (s == R1_OK) s = find_kind(name, &k, err);
    if (s == R1_OK) s = check_fields(&q, k, err);
    if (s == R1_OK) s = read_common(&q, k, err);
    if (s == R1_OK) s = k->check(&q, v, err);
    if (s) r1_verdict_deinit(v);
    else if (v->cpu_ms == 0) v->cpu_ms = thread_ms() - start;
    return s;
}
