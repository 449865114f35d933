/* Every golden conversation (templates/README.md): the text byte by byte, or a refusal; the ids, plain and safe.
 *
 * Ids need the tokenizers in the cache; a test for one that is absent is skipped and says so. The ids of the whole text
 * with every added token parsed are compared as well, which shows that rendering and tokenizer agree apart from safety.
 */
#include "tests/test.h"
#include "base/map.h"
#include "text/template.h"

typedef struct cases {
    char *text;
    char *next; /* start of the next line */
} cases;

static cases cases_open(void)
{
    r1_error e = { 0 };
    size_t n;
    cases c = { 0 };
    EXPECT_OK(r1_file_read(test_path("golden/templates/cases.jsonl"), 1 << 24, &c.text, &n, &e), &e);
    c.next = c.text;
    return c;
}

/* The next conversation, NULL at the end; the caller releases it. */
static json_t *cases_next(cases *c)
{
    r1_error e = { 0 };
    json_t *o;
    size_t n = strcspn(c->next, "\n");
    if (!n) return NULL;
    EXPECT_OK(r1_json_parse(&o, c->next, n, &e), &e);
    c->next += n + (c->next[n] == '\n');
    return o;
}

static const char *text_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

/* What r1 must render; NULL: it must refuse. */
static const char *wanted(const json_t *c)
{
    if (json_object_get(c, "refuse")) return NULL;
    return text_of(c, json_object_get(c, "intended") ? "intended" : "expected");
}

/* ---- texts -------------------------------------------------------------------------------------------------------- */

static void check_segments(const r1_rendering *r, const char *id)
{
    size_t at = 0;
    for (size_t i = 0; i < r->n_segments; i++) {
        if (r->segments[i].start != at || !r->segments[i].n) fail_msg("%s: segment %zu starts at %zu, expected %zu", id, i, r->segments[i].start, at);
        at += r->segments[i].n;
    }
    EXPECT_INT(at, r->text.len);
}

TEST(every_conversation_is_rendered_or_refused)
{
    cases all = cases_open();
    size_t n = 0, n_refused = 0;
    for (json_t *c; (c = cases_next(&all)); json_decref(c)) {
        r1_error e = { 0 };
        r1_rendering r;
        const char *id = text_of(c, "id"), *want = wanted(c);
        const r1_template *t = r1_template_find(text_of(c, "template"));
        EXPECT(t);
        r1_status s = r1_template_render(t, c, NULL, &r, &e);
        n++;
        if (!want) {
            if (s != R1_EFORMAT && s != R1_EUNSUPPORTED) fail_msg("%s: status %d, expected a refusal", id, (int)s);
            EXPECT(e.msg[0] && !r.text.data && !r.n_segments);
            n_refused++;
            continue;
        }
        if (s) fail_msg("%s: %s", id, e.msg);
        if (strcmp(r.text.data, want) != 0) fail_msg("%s:\n%s\nexpected\n%s", id, r.text.data, want);
        check_segments(&r, id);
        const char *end = strlen(want) >= 8 ? want + strlen(want) - 8 : want;
        if (json_is_true(json_object_get(c, "add_generation_prompt"))) EXPECT_INT(r.opens_thinking, !strcmp(end, "<think>\n"));
        r1_rendering_deinit(&r);
    }
    free(all.text);
    EXPECT_INT(n, 410);
    EXPECT_INT(n_refused, 26);
}

/* The reason given names the message. */
TEST(a_refusal_says_where)
{
    cases all = cases_open();
    for (json_t *c; (c = cases_next(&all)); json_decref(c)) {
        r1_error e = { 0 };
        r1_rendering r;
        if (wanted(c)) continue;
        EXPECT(r1_template_render(r1_template_find(text_of(c, "template")), c, NULL, &r, &e));
        if (!strstr(e.msg, "messages[") && !strstr(e.msg, "tools")) fail_msg("%s: %s", text_of(c, "id"), e.msg);
    }
    free(all.text);
}

/* ---- ids ---------------------------------------------------------------------------------------------------------- */

static r1_tokenizer *open_tokenizer(const char *name)
{
    r1_error e = { 0 };
    r1_tokenizer *t = NULL;
    char path[128], *text;
    size_t n;
    snprintf(path, sizeof path, "tokenizers/%s.json", name);
    const char *file = test_cache(path);
    if (!file) return NULL;
    EXPECT_OK(r1_file_read(file, 1 << 26, &text, &n, &e), &e);
    EXPECT_OK(r1_tokenizer_from_json(&t, text, n, NULL, 0, NULL, 0, &e), &e);
    free(text);
    return t;
}

static void expect_ids(const char *id, const char *what, const r1_ids *got, const json_t *want)
{
    size_t i = 0, n = json_array_size(want);
    while (i < n && i < got->n && got->ids[i] == json_integer_value(json_array_get(want, i))) i++;
    if (i < n || i < got->n)
        fail_msg("%s: %s differ at %zu of %zu: %d, expected %lld", id, what, i, n, i < got->n ? (int)got->ids[i] : -1, i < n ? (long long)json_integer_value(json_array_get(want, i)) : -1);
}

static size_t check_ids(const r1_tokenizer *t, const json_t *c)
{
    r1_error e = { 0 };
    r1_rendering r;
    r1_ids all = { 0 }, safe = { 0 };
    const char *id = text_of(c, "id");
    const json_t *want = json_object_get(c, "ids"), *want_safe = json_object_get(c, "ids_safe");
    if (!json_is_array(want)) return 0;
    EXPECT_OK(r1_template_render(r1_template_find(text_of(c, "template")), c, NULL, &r, &e), &e);
    EXPECT_OK(r1_tokenizer_encode(t, r.text.data, r.text.len, R1_SPECIAL_ALL, &all, &e), &e);
    expect_ids(id, "ids", &all, want);
    EXPECT_OK(r1_rendering_encode(&r, t, &safe, &e), &e);
    if (!json_is_null(want_safe)) expect_ids(id, "safe ids", &safe, want_safe ? want_safe : want);
    r1_ids_deinit(&all);
    r1_ids_deinit(&safe);
    r1_rendering_deinit(&r);
    return 1;
}

static void check_tokenizer(const char *name)
{
    r1_tokenizer *t = open_tokenizer(name);
    if (!t) {
        printf("no tokenizers/%s.json in the cache: its ids are not checked\n", name);
        SKIP("a tokenizer is not in the cache");
    }
    cases all = cases_open();
    size_t n = 0;
    for (json_t *c; (c = cases_next(&all)); json_decref(c))
        if (!strcmp(text_of(c, "tokenizer"), name)) n += check_ids(t, c);
    EXPECT(n > 20);
    free(all.text);
    r1_tokenizer_free(t);
}

TEST(ids_deepseek_v3) { check_tokenizer("deepseek_v3"); }
TEST(ids_deepseek_r1) { check_tokenizer("deepseek_r1"); }
TEST(ids_r1_distill_qwen) { check_tokenizer("r1_distill_qwen"); }
TEST(ids_qwen2_5) { check_tokenizer("qwen2_5"); }
TEST(ids_qwen3) { check_tokenizer("qwen3"); }
TEST(ids_smollm2) { check_tokenizer("smollm2"); }
TEST(ids_llama3_1) { check_tokenizer("llama3_1"); }

/* A golden text that is changed in one byte is noticed: the comparison above is not one that always holds. */
TEST(a_planted_fault_is_found)
{
    cases all = cases_open();
    r1_error e = { 0 };
    r1_rendering r;
    json_t *c = cases_next(&all), *m = json_array_get(json_object_get(c, "messages"), 0);
    EXPECT_INT(json_object_set_new(m, "content", json_string("Hello?")), 0);
    EXPECT_OK(r1_template_render(r1_template_find(text_of(c, "template")), c, NULL, &r, &e), &e);
    EXPECT(strcmp(r.text.data, wanted(c)) != 0);
    r1_rendering_deinit(&r);
    json_decref(c);
    free(all.text);
}
