/* math_extract: the final answer inside a response.
 *
 * Only what follows the last </think> counts. The last complete box wins; where there is no box, the last "answer is", "answer:" or
 * "####". One pass for boxes with a short stack of open ones, so that a megabyte of them costs a megabyte's reading. */
#include "reward/math/math_int.h"

enum { OPEN_BOXES_MAX = 200, LINE_MAX_BYTES = 4000 };

static bool blank(char ch) { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r'; }
static bool digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); }
static char lower(char ch) { return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch; }

static bool at(const char *s, size_t n, size_t i, const char *what)
{
    size_t m = strlen(what);
    return i <= n && n - i >= m && !memcmp(s + i, what, m);
}

static bool at_any_case(const char *s, size_t n, size_t i, const char *what)
{
    for (size_t k = 0; what[k]; k++)
        if (i + k >= n || lower(s[i + k]) != what[k]) return false;
    return true;
}

static r1_math_text trim(const char *s, size_t n)
{
    while (n && blank(*s)) s++, n--;
    while (n && blank(s[n - 1])) n--;
    return (r1_math_text){ s, n };
}

typedef struct boxes { r1_math_text last, before; size_t last_from, before_to; bool any, open; } boxes;

/* The start of a box's content at s[i] = '\\', or 0. */
static size_t box_at(const char *s, size_t n, size_t i)
{
    size_t k = at(s, n, i, "\\boxed") ? i + 6 : at(s, n, i, "\\fbox") ? i + 5 : at(s, n, i, "\\framebox") ? i + 9 : 0;
    if (!k || (k < n && letter(s[k]))) return 0;
    while (k < n && blank(s[k])) k++;
    return k;
}

static void note_box(boxes *b, const char *s, size_t command, size_t from, size_t to)
{
    /* a box around the last one takes its place; one beside it makes it the one before */
    if (b->any && command > b->last_from) {
        b->before = b->last;
        b->before_to = (size_t)(b->last.p - s) + b->last.n;
        while (b->before_to < command && s[b->before_to] != '}') b->before_to++;
        b->before_to += b->before_to < command;
    }
    b->any = true;
    b->last = trim(s + from, to - from);
    b->last_from = command;
}

static void find_boxes(const char *s, size_t n, boxes *b)
{
    struct { size_t command, from; long depth; } open[OPEN_BOXES_MAX];
    unsigned n_open = 0;
    long depth = 0;
    *b = (boxes){ .any = false };
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '{') depth++;
        else if (s[i] == '}') {
            depth--;
            if (n_open && open[n_open - 1].depth == depth) {
                n_open--;
                note_box(b, s, open[n_open].command, open[n_open].from, i);
            }
        } else if (s[i] == '\\') {
            size_t k = box_at(s, n, i);
            if (k && k < n && s[k] == '{') {
                if (n_open < OPEN_BOXES_MAX) {
                    open[n_open].command = i;
                    open[n_open].from = k + 1;
                    open[n_open++].depth = depth;
                }
                depth++;
                i = k;
            } else if (k && k < n && digit(s[k])) { /* \boxed 5 */
                size_t to = k;
                while (to < n && digit(s[to])) to++;
                note_box(b, s, i, k, to);
                i = to - 1;
            } else i += !k; /* the character behind a backslash is no brace */
        }
    }
    b->open = n_open > 0;
}

/* Whether nothing but "or" stands between two boxes. */
static bool only_or(const char *s, size_t from, size_t to)
{
    char word[8];
    size_t m = 0;
    if (to - from > 60) return false;
    for (size_t i = from; i < to; i++) {
        if (blank(s[i]) || strchr("${}(),~*", s[i])) continue;
        if (s[i] == '\\') { /* \text, \quad, \( and so on */
            size_t k = i + 1;
            while (k < to && letter(s[k])) k++;
            i = k > i + 1 ? k - 1 : i + 1;
            continue;
        }
        if (m + 1 >= sizeof word) return false;
        word[m++] = lower(s[i]);
    }
    return m == 2 && word[0] == 'o' && word[1] == 'r';
}

/* Whether another answer comes behind the bracket that opens at i + 1: "5 (since a = 5) or 6 (since a = 6)". */
static bool another_behind(const char *s, size_t n, size_t i)
{
    size_t level = 0, k = i, to = r1_min(n, i + LINE_MAX_BYTES);
    for (; k < to && s[k] != '\n'; k++) {
        level += s[k] == '(';
        if (s[k] == ')' && --level == 0) break;
    }
    for (k++; k < to && (blank(s[k]) || s[k] == ','); k++) continue;
    return at_any_case(s, to, k, "or") || at_any_case(s, to, k, "and");
}

/* The end of what "answer is" introduces: the line, the sentence, or the clause. */
static size_t phrase_end(const char *s, size_t n, size_t from)
{
    static const char *const clauses[] = {
        " because ", " since ", " (because ", " (since ", ", which ", ", so ", ", as ", ", not ", "\xE3\x80\x82" /* the Chinese full stop */,
        "\xEF\xBC\x8C\xE5\x9B\xA0" /* ", because" */, "<|", "</"
    };
    bool formula = false;
    size_t i = from;
    for (; i < n && i - from < LINE_MAX_BYTES; i++) {
        if (s[i] == '$') formula = !formula;
        if (s[i] == '\n' && !formula) break;
        if (formula) continue;
        if (s[i] == '.' && (i + 1 == n || blank(s[i + 1]) || s[i + 1] == '*') && i > from) break;
        bool clause = false;
        for (size_t k = 0; k < R1_COUNT(clauses) && !clause; k++) clause = at_any_case(s, n, i, clauses[k]) && (clauses[k][1] != '(' || !another_behind(s, n, i));
        if (clause) break;
    }
    return i;
}

/* "answer is", "answers are", "answer equals", "answer:", "Answer =" at i: where what they introduce begins; 0 when it is none. */
static size_t english(const char *s, size_t n, size_t i)
{
    if (!at_any_case(s, n, i, "answer") || (i && letter(s[i - 1]))) return 0;
    static const char *const verbs[] = { "is", "are", "equals", "will be", "must be" };
    size_t w = i + 6 + (i + 6 < n && (s[i + 6] | 0x20) == 's'), blanks = w;
    while (w < n && w - blanks < 40 && (blank(s[w]) || s[w] == '*' || s[w] == '_')) w++;
    if (w < n && (s[w] == ':' || s[w] == '=')) return w + 1;
    for (size_t k = 0; k < R1_COUNT(verbs) && w > blanks; k++) {
        size_t m = strlen(verbs[k]);
        if (at_any_case(s, n, w, verbs[k]) && w + m < n && !letter(s[w + m])) return w + m;
    }
    return 0;
}

/* The same in Chinese: "answer" followed by one of the two verbs, or a colon of either width. */
static size_t chinese(const char *s, size_t n, size_t i)
{
    static const char *const verbs[] = { "\xE6\x98\xAF", "\xE4\xB8\xBA", "\xEF\xBC\x9A", ":", "=" };
    if (!at(s, n, i, "\xE7\xAD\x94\xE6\xA1\x88")) return 0;
    for (size_t k = 0; k < R1_COUNT(verbs); k++)
        if (at(s, n, i + 6, verbs[k])) return i + 6 + strlen(verbs[k]);
    return 0;
}

/* The last phrase that introduces an answer. Only its place is kept while looking, so the text is read once. */
static r1_math_text phrase(const char *s, size_t n)
{
    size_t from = 0, tag = SIZE_MAX, to = 0;
    bool line = false, tagged = false;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        if (s[i] == '#') {
            if (at(s, n, i, "####")) {
                k = i + 4;
                while (k < n && s[k] == '#') k++;
                i = k - 1;
                line = true;
                tagged = false;
            }
        } else if (s[i] == '<') {
            if (at(s, n, i, "<answer>")) tag = i + 8;
            else if (tag != SIZE_MAX && at(s, n, i, "</answer>")) {
                from = tag;
                to = i;
                tagged = true;
                tag = SIZE_MAX;
            }
        } else {
            k = s[i] == 'a' || s[i] == 'A' ? english(s, n, i) : s[i] == '\xE7' ? chinese(s, n, i) : 0;
            if (k && tag == SIZE_MAX) line = tagged = false;
            else k = 0; /* inside <answer> the tags say where it ends */
        }
        if (k) from = k;
    }
    if (!from) return (r1_math_text){ NULL, 0 };
    while (!tagged && from < n && (blank(s[from]) || strchr(":*_", s[from]) || at(s, n, from, "\xEF\xBC\x9A"))) from += s[from] == '\xEF' ? 3 : 1;
    if (!tagged) {
        to = line ? from : phrase_end(s, n, from);
        while (line && to < n && s[to] != '\n') to++;
    }
    r1_math_text t = trim(s + from, to - from);
    while (t.n && (t.p[t.n - 1] == '*' || t.p[t.n - 1] == '_')) t.n--;
    return trim(t.p, t.n);
}

r1_math_reason r1_math_extract(const char *s, size_t n, const char **out, size_t *n_out)
{
    *out = NULL;
    *n_out = 0;
    size_t from = 0;
    bool thinking = false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '<') continue;
        if (at(s, n, i, "</think>")) {
            from = i + 8;
            thinking = false;
        } else if (at(s, n, i, "<think>")) thinking = true;
    }
    if (thinking) return R1_MATH_OPEN_THOUGHT;
    s += from;
    n -= from;
    boxes b;
    find_boxes(s, n, &b);
    r1_math_text t;
    if (b.any) {
        bool differ = b.before.n != b.last.n || (b.last.n && memcmp(b.before.p, b.last.p, b.last.n));
        if (b.before_to && b.before_to <= b.last_from && differ && only_or(s, b.before_to, b.last_from)) return R1_MATH_SEVERAL_ANSWERS;
        t = b.last;
    } else if (b.open) return R1_MATH_OPEN_BOX;
    else t = phrase(s, n);
    if (!t.n) return R1_MATH_NO_ANSWER;
    *out = t.p;
    *n_out = t.n;
    return R1_MATH_EQUAL_TEXT;
}
