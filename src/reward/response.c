/* What a response consists of: thought, answer, the final answer in it. (Mathematics and code have rules of their own: r1_math_extract,
 * r1_code_extract.)
 *
 * Everything is one pass over bytes that borrows from the text. The rules are strict where being generous could be used: what stands
 * in the thought is never an answer, a thought that is not closed has none, a box that is not closed is none.
 */
#define _GNU_SOURCE
#include "reward/reward.h"

/* ---- spans ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

r1_span r1_span_trim(r1_span s)
{
    while (s.n && r1_is_space(s.p[0])) { s.p++; s.n--; }
    while (s.n && r1_is_space(s.p[s.n - 1])) s.n--;
    return s;
}

bool r1_span_is(r1_span s, const char *word) { return s.n == strlen(word) && !memcmp(s.n ? s.p : "", word, s.n); }

/* Whether s begins with a word of small letters, whatever the case of its own. */
static bool begins(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - p) < n) return false;
    for (size_t i = 0; i < n; i++)
        if (lower(p[i]) != word[i]) return false;
    return true;
}

bool r1_span_is_word(r1_span s, const char *lower_word) { return s.n == strlen(lower_word) && (!s.n || begins(s.p, s.p + s.n, lower_word)); }

static const char *find(const char *p, const char *end, const char *what)
{
    return p < end ? memmem(p, (size_t)(end - p), what, strlen(what)) : NULL;
}

/* ---- thought and answer ---- */

void r1_response_split(const char *text, size_t n, bool opened, r1_response *out)
{
    static const char open_tag[] = "<think>", close_tag[] = "</think>";
    const char *end = text + n, *last_open = NULL, *last_close = NULL, *first_open = NULL;
    for (const char *p = text; (p = find(p, end, open_tag)) != NULL; p += sizeof open_tag - 1) {
        if (!first_open) first_open = p;
        last_open = p;
    }
    for (const char *p = text; (p = find(p, end, close_tag)) != NULL; p += sizeof close_tag - 1) last_close = p;
    *out = (r1_response){ { NULL, 0 }, { NULL, 0 } };
    if (!last_close) {
        if (opened || first_open) {
            const char *from = first_open ? first_open + sizeof open_tag - 1 : text;
            out->thought = (r1_span){ from, (size_t)(end - from) };
        } else {
            out->answer = (r1_span){ text, n };
        }
        return;
    }
    const char *from = first_open && first_open < last_close ? first_open + sizeof open_tag - 1 : text;
    out->thought = (r1_span){ from, (size_t)(last_close - from) };
    if (last_open && last_open > last_close) return; /* thinks again and never stops */
    const char *answer = last_close + sizeof close_tag - 1;
    out->answer = (r1_span){ answer, (size_t)(end - answer) };
}

/* ---- the final answer ---- */

/* The content of <answer> tags. A tag that is only mentioned before another opens does not count. */
static r1_final find_tag(r1_span s, r1_span *out)
{
    static const char open_tag[] = "<answer>", close_tag[] = "</answer>";
    const char *p = s.p, *end = s.p + s.n, *close;
    r1_final found = R1_FINAL_NONE;
    while ((close = find(p, end, close_tag)) != NULL) {
        const char *open = NULL;
        for (const char *q = p; (q = find(q, close, open_tag)) != NULL; q += sizeof open_tag - 1) open = q + sizeof open_tag - 1;
        p = close + sizeof close_tag - 1;
        if (!open) continue;
        r1_span content = r1_span_trim((r1_span){ open, (size_t)(close - open) });
        if (found && (content.n != out->n || memcmp(content.p, out->p, content.n))) return R1_FINAL_SEVERAL;
        *out = content;
        found = R1_FINAL_TAG;
    }
    if (found) return out->n ? R1_FINAL_TAG : R1_FINAL_EMPTY;
    return find(s.p, end, open_tag) ? R1_FINAL_EMPTY : R1_FINAL_NONE;
}

enum { BOXES_MOST = 64 }; /* open at once, one in the other */

typedef struct box { const char *mark, *content; size_t depth; } box;

/* Length of "\boxed{" or "\fbox{" with blanks before the brace, 0 for anything else. */
static size_t box_mark(const char *p, const char *end)
{
    static const char *const marks[] = { "\\boxed", "\\fbox" };
    for (size_t i = 0; i < R1_COUNT(marks); i++) {
        size_t n = strlen(marks[i]);
        if ((size_t)(end - p) <= n || memcmp(p, marks[i], n)) continue;
        while (p + n < end && (p[n] == ' ' || p[n] == '\t' || p[n] == '\n')) n++;
        return p + n < end && p[n] == '{' ? n + 1 : 0;
    }
    return 0;
}

/* Whether what stands between two boxes makes them one saying: nothing, or "or", "and". */
static bool joins(const char *p, const char *end)
{
    static const char *const words[] = { "", "or", "and", "ormaybe", "orelse", "orpossibly", "text{or}", "text{and}" };
    char word[16];
    size_t n = 0;
    for (; p < end; p++) {
        if (r1_is_space(*p) || strchr(",;:/&|$.()[]*\\", *p)) continue;
        if (n == sizeof word) return false;
        word[n++] = *p;
    }
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (r1_span_is_word((r1_span){ word, n }, words[i])) return true;
    return false;
}

/* The last box that is closed: one pass that counts braces; an escaped brace is none. Boxes side by side that say different things are several. */
static r1_final find_box(r1_span s, r1_span *out)
{
    box open[BOXES_MOST];
    size_t n_open = 0, depth = 0;
    const char *before = NULL; /* end of the box that was closed last */
    bool mark = false, closed = false, several = false;
    for (const char *p = s.p, *end = s.p + s.n; p < end; p++) {
        size_t n = *p == '\\' ? box_mark(p, end) : 0;
        if (n) {
            mark = true;
            if (n_open < BOXES_MOST) open[n_open++] = (box){ p, p + n, depth };
            depth++;
            p += n - 1;
        } else if (*p == '\\') {
            p++;
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}' && depth) {
            depth--;
            if (n_open && open[n_open - 1].depth == depth) {
                const box *b = &open[--n_open];
                r1_span content = r1_span_trim((r1_span){ b->content, (size_t)(p - b->content) });
                bool joined = before && b->mark >= before && joins(before, b->mark);
                several = joined && (several || content.n != out->n || memcmp(content.p, out->p, content.n) != 0);
                *out = content;
                before = p + 1;
                closed = true;
            }
        }
    }
    if (!mark) return R1_FINAL_NONE;
    if (!closed || !out->n) return R1_FINAL_EMPTY;
    return several ? R1_FINAL_SEVERAL : R1_FINAL_BOX;
}

static const char *skip_marks(const char *p, const char *end)
{
    while (p < end && (*p == '*' || *p == '_' || *p == ' ' || *p == '\t')) p++;
    return p;
}

/* After "answer": where what it says begins, NULL when this is no announcement. */
static const char *after_answer(const char *p, const char *end)
{
    p = skip_marks(p, end);
    bool said = false;
    if (begins(p, end, "is") && (p + 2 == end || r1_is_space(p[2]) || p[2] == ':' || p[2] == '*' || p[2] == '$')) {
        said = true;
        p = skip_marks(p + 2, end);
    }
    if (p < end && (*p == ':' || *p == '=')) {
        said = true;
        p++;
    } else if (begins(p, end, "\xef\xbc\x9a")) { /* a wide colon */
        said = true;
        p += 3;
    }
    return said ? p : NULL;
}

static r1_final find_phrase(r1_span s, r1_span *out)
{
    static const char *const chinese[] = { "\xe6\x98\xaf", "\xe4\xb8\xba", "\xef\xbc\x9a", ":" }; /* is, is, wide colon, colon */
    const char *end = s.p + s.n, *last = NULL;
    for (const char *p = s.p; p < end; p++) {
        const char *from = NULL;
        if ((*p == 'a' || *p == 'A') && begins(p, end, "answer")) from = after_answer(p + 6, end);
        else if (*p == '#' && begins(p, end, "#### ")) from = p + 5;
        else if (*p == '\xe7' && begins(p, end, "\xe7\xad\x94\xe6\xa1\x88")) /* "answer" in Chinese */
            for (size_t i = 0; i < R1_COUNT(chinese) && !from; i++)
                if (begins(p + 6, end, chinese[i])) from = p + 6 + strlen(chinese[i]);
        if (from) last = from;
    }
    if (!last) return R1_FINAL_NONE;
    while (last < end && (r1_is_space(*last) || *last == '*' || *last == ':')) last++;
    const char *eol = last < end ? memchr(last, '\n', (size_t)(end - last)) : NULL;
    r1_span said = r1_span_trim((r1_span){ last, (size_t)((eol ? eol : end) - last) });
    while (said.n && (said.p[said.n - 1] == '*' || r1_is_space(said.p[said.n - 1]))) said.n--;
    if (said.n > 1 && said.p[said.n - 1] == '.') said.n--;
    while (said.n && (said.p[said.n - 1] == '*' || r1_is_space(said.p[said.n - 1]))) said.n--;
    if (!said.n) return R1_FINAL_EMPTY;
    *out = said;
    return R1_FINAL_PHRASE;
}

r1_final r1_response_final(r1_span answer, r1_span *out)
{
    r1_span in_box;
    *out = (r1_span){ NULL, 0 };
    if (!answer.n) return R1_FINAL_NONE;
    r1_final tag = find_tag(answer, out);
    if (tag == R1_FINAL_EMPTY || tag == R1_FINAL_SEVERAL) {
        *out = (r1_span){ NULL, 0 };
        return tag;
    }
    r1_final boxed = find_box(tag == R1_FINAL_TAG ? *out : answer, &in_box);
    if (boxed == R1_FINAL_BOX) *out = in_box;
    if (boxed == R1_FINAL_EMPTY || boxed == R1_FINAL_SEVERAL) *out = (r1_span){ NULL, 0 };
    if (boxed != R1_FINAL_NONE) return boxed;
    return tag == R1_FINAL_TAG ? tag : find_phrase(answer, out);
}
