/* Fuzz target: what rewards read of a model's text.
 *
 * The first byte chooses a part; the rest is its text, where two are wanted the first line and what follows it. Items as JSON are judged
 * whole, those of code and custom commands aside (they run programs). Demanded: spans lie in the text, shares in 0..1, an answer equals itself, a
 * verdict is the same the second time, errors have a sentence. */
#include "reward/reward.h"
#include "reward/reward_int.h"
#include "base/utf8.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool within(r1_span s, r1_span all) { return !s.p || (s.p >= all.p && s.n <= all.n && (size_t)(s.p - all.p) <= all.n - s.n); }

static void fuzz_response(r1_span text, bool flag)
{
    r1_response r, f;
    r1_span out;
    r1_response_split(text.p, text.n, flag, &r);
    require(within(r.thought, text) && within(r.answer, text));
    if (r.answer.p) {
        r1_final k = r1_response_final(r.answer, &out);
        require((k >= R1_FINAL_BOX) == (out.n > 0) && within(out, r.answer));
    }
    for (int tags = 0; tags < 3; tags++) {
        r1_format_options o = { .opened = flag, .answer_tags = (r1_answer_tags)tags };
        if (r1_format_check(text.p, text.n, &o, &f)) continue;
        require(within(f.thought, text) && within(f.answer, text) && f.thought.n && f.answer.n && r.answer.p);
    }
}

static void fuzz_shares(r1_span text, unsigned which)
{
    r1_language_share a, b;
    double share;
    size_t n = 0;
    while (r1_languages[n].code) n++;
    const char *code = r1_languages[which % n].code;
    require(r1_language_check(code, text.p, text.n, &a, NULL) == R1_OK && r1_language_check(code, text.p, text.n, &b, NULL) == R1_OK);
    require(a.n_target <= a.n_words && a.n_words <= text.n && a.share >= 0 && a.share <= 1 && a.n_words == b.n_words && a.n_target == b.n_target);
    require(r1_repetition(text.p, text.n, which % 16 + 1, &share, NULL) == R1_OK);
    require(share >= 0 && share < 1);
}

static void fuzz_countdown(r1_span text, unsigned which)
{
    r1_countdown t = { .nums = { 2, 5, 4, 10 }, .n_nums = 4, .target = (int)(which >> 1) - 40, .some = which & 1 };
    const char *why = r1_countdown_check(&t, text);
    if (why) return;
    t.target++;
    require(r1_countdown_check(&t, text) != NULL); /* one value at the most */
}

static void fuzz_choice(r1_span gold, r1_span text, unsigned which)
{
    static const char *const texts[] = { "one", "A", "B and C", "" };
    r1_choices choices = { texts, which % 5 };
    char letter[40] = "", found[R1_CHOICES_MOST + 1], other[R1_CHOICES_MOST + 1];
    memcpy(letter, gold.p, r1_min(gold.n, sizeof letter - 1));
    const char *why = r1_choice_check(letter, &choices, text, found);
    if (why || found[1] || !found[0]) return;
    letter[0] = found[0] == 'A' ? 'B' : 'A';
    letter[1] = 0;
    why = r1_choice_check(letter, &choices, text, other);
    require(why != NULL); /* right for one letter, wrong for any other */
}

static void fuzz_texts(r1_span first, r1_span second)
{
    r1_error e = { 0 };
    const char *why;
    r1_status s = r1_exact_check(first, first, true, &why, &e);
    if (s) require_error(s, &e);
    else require(why == NULL);
    s = r1_exact_check(first, second, false, &why, &e);
    if (s) require_error(s, &e);
    if (second.n > 2000) return; /* the budget is for single answers, not for a million of them */
    s = r1_regex_check(first, second, &why, &e);
    if (s) require_error(s, &e);
}

static void fuzz_item(r1_span text)
{
    json_t *item;
    r1_error e = { 0 };
    r1_verdict v;
    if (r1_json_parse(&item, text.p, text.n, NULL)) return;
    const char *kind = json_string_value(json_object_get(item, "kind"));
    if (!kind || (strcmp(kind, "code") && strcmp(kind, "custom"))) {
        r1_status s = r1_reward_check(NULL, item, &v, &e);
        if (s) require_error(s, &e);
        else require(v.reason[0] && r1_utf8_is_valid(v.reason, strlen(v.reason), NULL) && v.right == (v.score >= 1 || v.right));
        r1_verdict_deinit(&v);
    }
    json_decref(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    unsigned which = data[1];
    r1_span all = { (const char *)data + 2, size - 2 };
    const char *eol = memchr(all.p, '\n', all.n);
    r1_span first = { all.p, eol ? (size_t)(eol - all.p) : all.n }, second = eol ? (r1_span){ eol + 1, all.n - first.n - 1 } : all;
    switch (data[0] % 6) {
    case 0: fuzz_response(all, which & 1); break;
    case 1: fuzz_shares(all, which); break;
    case 2: fuzz_countdown(all, which); break;
    case 3: fuzz_choice(first, second, which); break;
    case 4: fuzz_texts(first, second); break;
    default: fuzz_item((r1_span){ all.p - 1, all.n + 1 }); break;
    }
    return 0;
}
