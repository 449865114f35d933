/* Has the tail of a stream become the same block over and over?
 *
 * For each period p from 1 to 256 a counter says for how many tokens in a row each equalled the one p before it: 256
 * comparisons a token, no history beyond 256 ids, and no way to miss a loop whatever came before it.
 *
 * Where the line is: models that loop repeat a sentence or a paragraph, and go on until the context is full; 256 tokens of
 * that in a thought are enough. People ask for rulers, tables of zeros and long lists of the same, above all in answers, where
 * a false alarm costs the rest of the answer; these have few different tokens, so such blocks and answers may go on for longer.
 */
#include "text/reasoning_int.h"

enum { TIMES = 8, FEW = 8 };
static const size_t rich[] = { [R1_PART_THINKING] = 256, [R1_PART_ANSWER] = 1024 };  /* tokens the repetition spans */
static const size_t poor[] = { [R1_PART_THINKING] = 1024, [R1_PART_ANSWER] = 4096 }; /* the same with FEW different tokens */

static bool few_different(const int32_t *ids, size_t n)
{
    int32_t seen[FEW];
    size_t n_seen = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < n_seen && seen[k] != ids[i]) k++;
        if (k < n_seen) continue;
        if (n_seen == FEW) return false;
        seen[n_seen++] = ids[i];
    }
    return true;
}

/* Whether a block of p is over its limit since less than one block: each of its tokens, whatever its part, is looked at once. */
static bool just_over(size_t span, size_t p, size_t tokens)
{
    size_t limit = r1_max(TIMES * p, tokens);
    return span >= limit && span < limit + p;
}

bool r1_loop_add(r1_loop *l, int32_t id, r1_part part)
{
    if (l->n == R1_COUNT(l->ids)) {
        memmove(l->ids, l->ids + R1_LOOP_PERIOD_MAX, R1_LOOP_PERIOD_MAX * sizeof *l->ids);
        l->n = R1_LOOP_PERIOD_MAX;
    }
    size_t last = r1_min(l->n, R1_LOOP_PERIOD_MAX);
    const int32_t *at = l->ids + l->n;
    l->ids[l->n++] = id;
    bool loop = false;
    for (size_t p = 1; p <= last; p++) {
        if (at[-(ptrdiff_t)p] != id) {
            l->run[p] = 0;
            continue;
        }
        size_t span = p + ++l->run[p];
        if (just_over(span, p, poor[part])) loop = true;
        else if (just_over(span, p, rich[part])) loop = loop || !few_different(at + 1 - p, p);
    }
    return loop;
}
