/* Fuzz target: the answer checker.
 *
 * Input: a byte whose lowest bit asks for a whole response; a gold up to the first line break; the candidate. What must hold: the
 * verdict is consistent and within its budget, the same again for the same texts, the extracted answer lies in the candidate; tokens
 * lie in their text; and the gold read twice is equal to itself, unless it has no value or is too much. */
#include "tests/fuzz/require.h"

#include "reward/math/math_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void verify(const char *gold, size_t n_gold, const char *answer, size_t n, r1_math_mode mode)
{
    r1_math_verdict v, again;
    r1_error e = { 0 };
    require(r1_math_verify(gold, n_gold, answer, n, mode, NULL, &v, &e) == R1_OK);
    require(v.reason < R1_MATH_REASONS && v.equal == (v.reason <= R1_MATH_EQUAL_NUMERIC) && v.operations <= R1_MATH_BUDGET);
    require(!v.equal || v.extracted);
    if (v.extracted) require(strlen(v.extracted) <= R1_MATH_ANSWER_MAX);
    require(r1_math_verify(gold, n_gold, answer, n, mode, &(r1_math_options){ .budget = R1_MATH_BUDGET }, &again, &e) == R1_OK);
    require(again.reason == v.reason && again.operations == v.operations);
    r1_math_verdict_deinit(&v);
    r1_math_verdict_deinit(&again);
}

/* A small budget gives up somewhere in the middle, or comes to a verdict all the same. */
static void give_up(const char *gold, size_t n_gold, const char *answer, size_t n, uint64_t budget)
{
    r1_math_verdict v;
    r1_error e = { 0 };
    require(r1_math_verify(gold, n_gold, answer, n, R1_MATH_ANSWER, &(r1_math_options){ .budget = budget }, &v, &e) == R1_OK);
    require(v.operations <= budget);
    r1_math_verdict_deinit(&v);
}

static void extract(const char *text, size_t n)
{
    const char *p;
    size_t m;
    r1_math_reason r = r1_math_extract(text, n, &p, &m);
    require((r == R1_MATH_EQUAL_TEXT) == (p != NULL));
    require(!p || (p >= text && m > 0 && p + m <= text + n));
}

/* Every token is a piece of the text, and they come in its order: what lies between two of them is read as words. */
static void tokens_lie_in_the_text(const char *text, size_t n)
{
    r1_math_ctx c;
    r1_math_tokens all;
    const char *clean;
    size_t n_clean;
    r1_math_ctx_init(&c, R1_MATH_BUDGET, 7);
    if (n <= 2000 && r1_math_clean(&c, text, n, &clean, &n_clean) && r1_math_lex(&c, clean, n_clean, 0, &all))
        for (uint32_t i = 0; i < all.n; i++) {
            uintptr_t from = (uintptr_t)clean, at = (uintptr_t)all.t[i].s;
            require(at >= from && at - from + all.t[i].n <= n_clean);
            require(i == 0 || at >= (uintptr_t)all.t[i - 1].s);
        }
    r1_math_ctx_deinit(&c);
}

static void equals_itself(const char *text, size_t n)
{
    r1_math_ctx c;
    bool two;
    if (n > 2000) return;
    r1_math_ctx_init(&c, R1_MATH_BUDGET, 7);
    r1_node *a = r1_math_parse_text(&c, text, n, 0, &two), *b = a ? r1_math_parse_text(&c, text, n, 0, &two) : NULL;
    if (a && !c.over) {
        require(b != NULL || c.over);
        r1_math_reason r = c.over ? R1_MATH_OVER_BUDGET : r1_math_compare(&c, a, b);
        require(r <= R1_MATH_EQUAL_NUMERIC || r == R1_MATH_OVER_BUDGET || r == R1_MATH_UNDEFINED || r == R1_MATH_UNDECIDED || r == R1_MATH_DIFFERENT ||
                r == R1_MATH_WRONG_TYPE);
        if (r1_math_is_scalar(a) && !c.over)
            require(r <= R1_MATH_EQUAL_NUMERIC || r == R1_MATH_UNDEFINED || r == R1_MATH_UNDECIDED || r1_math_has(a, K_INF) || r1_math_has(a, K_PM));
    }
    r1_math_ctx_deinit(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    const char *text = (const char *)data + 1, *end = memchr(text, '\n', size - 1);
    size_t n_gold = end ? (size_t)(end - text) : size - 1, rest = end ? size - 2 - n_gold : 0;
    const char *answer = end ? end + 1 : text;
    verify(text, n_gold, answer, rest, data[0] & 1 ? R1_MATH_RESPONSE : R1_MATH_ANSWER);
    for (unsigned k = 0; k < 3; k++) give_up(text, n_gold, answer, rest, 50 + 37u * data[0] + (size * 131 << 2 * k));
    extract(answer, rest);
    tokens_lie_in_the_text(text, n_gold);
    tokens_lie_in_the_text(answer, rest);
    equals_itself(text, n_gold);
    equals_itself(answer, rest);
    return 0;
}
