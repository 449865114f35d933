/* The format reward: a thought in its tags, then an answer. Each way to miss the form has its own code, so that a training log shows what
 * a model tries. */
#define _GNU_SOURCE
#include "reward/reward.h"

static const char open_think[] = "<think>", close_think[] = "</think>", open_answer[] = "<answer>", close_answer[] = "</answer>";

static size_t count(r1_span s, const char *tag)
{
    size_t n = 0, len = strlen(tag);
    for (const char *p = s.p, *end = s.p + s.n; p < end && (p = memmem(p, (size_t)(end - p), tag, len)) != NULL; p += len) n++;
    return n;
}

static bool starts(r1_span s, const char *tag) { return s.n >= strlen(tag) && !memcmp(s.p, tag, strlen(tag)); }

/* What <answer> tags have to be; *answer loses them. */
static const char *check_answer_tags(r1_span *answer, r1_answer_tags rule)
{
    const size_t n_open = sizeof open_answer - 1, n_close = sizeof close_answer - 1;
    size_t opens = count(*answer, open_answer), closes = count(*answer, close_answer);
    if (rule == R1_ANSWER_TAGS_NONE) return opens || closes ? "bad_answer_tags" : NULL;
    if (!opens && !closes) return rule == R1_ANSWER_TAGS_REQUIRED ? "no_answer_tag" : NULL;
    if (opens != 1 || closes != 1 || !starts(*answer, open_answer) || answer->n < n_open + n_close) return "bad_answer_tags";
    if (memcmp(answer->p + answer->n - n_close, close_answer, n_close) != 0) return "bad_answer_tags";
    *answer = r1_span_trim((r1_span){ answer->p + n_open, answer->n - n_open - n_close });
    return answer->n ? NULL : "empty_answer";
}

const char *r1_format_check(const char *text, size_t n, const r1_format_options *o, r1_response *out)
{
    static const r1_format_options plain = { 0 };
    if (!o) o = &plain;
    r1_span s = r1_span_trim((r1_span){ text, n });
    size_t opens = count(s, open_think), closes = count(s, close_think);
    if (opens + o->opened == 0 || (!o->opened && !starts(s, open_think))) return opens ? "text_before_think" : "no_think";
    if (opens + o->opened > 1 || closes > 1) return "second_think";
    if (closes == 0) return "unclosed_think";
    if (!o->opened) s = (r1_span){ s.p + sizeof open_think - 1, s.n - (sizeof open_think - 1) };
    const char *close = memmem(s.p, s.n, close_think, sizeof close_think - 1);
    if (!close) return "unclosed_think"; /* it was closed before it was opened */
    r1_response r = { .thought = { s.p, (size_t)(close - s.p) } };
    const char *from = close + sizeof close_think - 1;
    r.thought = r1_span_trim(r.thought);
    r.answer = r1_span_trim((r1_span){ from, (size_t)(s.p + s.n - from) });
    if (!r.thought.n && !o->empty_thought) return "empty_think";
    if (count(r.thought, open_answer) || count(r.thought, close_answer)) return "answer_tag_in_think";
    if (!r.answer.n) return "empty_answer";
    const char *why = check_answer_tags(&r.answer, o->answer_tags);
    if (!why && out) *out = r;
    return why;
}
