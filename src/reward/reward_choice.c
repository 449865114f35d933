/* Multiple choice: does the answer choose the gold letter, and nothing else?
 *
 * The answer is read from the front: wrappers and a few leading words go, then a letter must stand alone. Only this letter can be right,
 * so naming several gains nothing; naming another beside it is hedging and wrong. Sentences after its full stop, or paragraphs after a
 * first line that is only the letter, may speak of others, but not call them right.
 */
#define _GNU_SOURCE
#include "reward/reward.h"

enum { ANSWER_MOST = 4096 };

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
static bool is_letter(char c) { return upper(c) >= 'A' && upper(c) <= 'Z'; }
/* Part of a word, whatever its script. */
static bool is_word(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '\'' || (unsigned char)c >= 0x80; }

static bool drop(r1_span *s, const char *front, const char *back)
{
    size_t a = strlen(front), b = strlen(back);
    if (s->n < a + b || memcmp(s->p, front, a) != 0 || memcmp(s->p + s->n - b, back, b) != 0) return false;
    *s = r1_span_trim((r1_span){ s->p + a, s->n - a - b });
    return true;
}

/* "the correct answer is": small letters; whole words only. */
static bool drop_word(r1_span *s, const char *word)
{
    size_t n = strlen(word);
    if (s->n <= n || is_word(s->p[n])) return false;
    if (!r1_span_is_word((r1_span){ s->p, n }, word)) return false;
    *s = r1_span_trim((r1_span){ s->p + n, s->n - n });
    return true;
}

static bool balanced_in(r1_span s, char open, char close)
{
    size_t depth = 0;
    for (size_t i = 0; i + 1 < s.n; i++) { /* the first one may close only at the end */
        if (s.p[i] == open) depth++;
        else if (s.p[i] == close && (depth == 0 || --depth == 0)) return false;
    }
    return true;
}

static bool unwrap_once(r1_span *s)
{
    static const char *const pairs[][2] = {
        { "**", "**" }, { "__", "__" }, { "$$", "$$" }, { "$", "$" }, { "\\(", "\\)" }, { "\\[", "\\]" }, { "`", "`" }, { "\"", "\"" },
    };
    static const char *const groups[][2] = {
        { "\\text{", "}" }, { "\\textbf{", "}" }, { "\\mathrm{", "}" }, { "\\mathbf{", "}" }, { "\\boxed{", "}" }, { "\\fbox{", "}" }, { "{", "}" },
        { "(", ")" }, { "[", "]" },
    };
    static const char *const words[] = { "the", "correct", "right", "best", "final", "answer", "option", "choice", "letter", "is", "i think", "i choose",
                                        "hence,", "thus,", "therefore,", "so,", "hence", "thus", "therefore", "so" };
    for (size_t i = 0; i < R1_COUNT(pairs); i++)
        if (s->n > 2 * strlen(pairs[i][0]) && drop(s, pairs[i][0], pairs[i][1])) return true;
    for (size_t i = 0; i < R1_COUNT(groups); i++) {
        char open = groups[i][0][strlen(groups[i][0]) - 1], close = groups[i][1][0];
        if (s->n && s->p[s->n - 1] == close && balanced_in(*s, open, close) && drop(s, groups[i][0], groups[i][1])) return true;
    }
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (drop_word(s, words[i])) return true;
    return s->n > 1 && (drop(s, ":", "") || drop(s, "", ".") || drop(s, "", "\xe3\x80\x82") || drop(s, "\\ ", ""));
}

static r1_span unwrap(r1_span s)
{
    enum { LAYERS = 16 };
    s = r1_span_trim(s);
    for (int i = 0; i < LAYERS && unwrap_once(&s); i++) {}
    return s;
}

/* ---- texts of choices ---- */

/* The next character without white space, wrappers and the case of ASCII letters; 0 at the end. */
static char next_plain(const char **p, const char *end)
{
    while (*p < end && (r1_is_space(**p) || strchr("*$`\"'", **p))) ++*p;
    return *p < end ? upper(*(*p)++) : 0;
}

static bool same_text(r1_span a, r1_span b)
{
    const char *p = a.p, *q = b.p;
    if (a.n && a.p[a.n - 1] == '.') a.n--;
    if (b.n && b.p[b.n - 1] == '.') b.n--;
    for (;;) {
        char x = next_plain(&p, a.p + a.n), y = next_plain(&q, b.p + b.n);
        if (x != y) return false;
        if (!x) return a.n > 0;
    }
}

/* The only choice whose text this is, -1 for none or several. */
static int choice_of_text(r1_span s, const r1_choices *choices)
{
    int found = -1;
    for (size_t i = 0; i < choices->n && i < R1_CHOICES_MOST; i++)
        if (same_text(s, r1_span_trim(r1_span_of(choices->texts[i])))) {
            if (found >= 0) return -1;
            found = (int)i;
        }
    return found;
}

/* ---- letters ---- */

/* Whether the explanation names another choice: a capital that stands alone, but for the words "A" and "I" in a sentence. */
static bool names_another(r1_span s, char chosen, char last)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c < 'A' || c > last || c == chosen) continue;
        if ((i > 0 && is_word(s.p[i - 1])) || (i + 1 < s.n && is_word(s.p[i + 1]))) continue;
        bool before_word = i + 2 < s.n && s.p[i + 1] == ' ' && is_letter(s.p[i + 2]);
        if ((c == 'A' || c == 'I') && before_word) continue;
        return true;
    }
    return false;
}

/* "or", "and", "not", "maybe" ... at the front of what follows a letter. */
static bool hedges(r1_span s)
{
    static const char *const words[] = { "or", "and", "not", "nor", "but", "maybe", "possibly", "perhaps", "also", "either" };
    bool listed = false;
    s = r1_span_trim(s);
    for (; s.n && strchr(",;/&+|-", s.p[0]); listed = true) s = r1_span_trim((r1_span){ s.p + 1, s.n - 1 });
    for (size_t i = 0; i < R1_COUNT(words); i++)
        if (drop_word(&s, words[i]) || r1_span_is_word(s, words[i])) return true;
    return listed && s.n > 0 && is_letter(s.p[0]) && (s.n == 1 || !is_word(s.p[1]));
}

static bool drop_any(r1_span *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (drop_word(s, words[i])) return true;
        if (!r1_span_is_word(*s, words[i])) continue;
        s->n = 0;
        return true;
    }
    return false;
}

/* "is correct", "is the right answer" ... at the front of what follows a letter. */
static bool affirms(r1_span s)
{
    static const char *const words[] = { "correct", "right", "true", "answer" };
    s = r1_span_trim(s);
    if (!drop_word(&s, "is")) return false;
    (void)drop_word(&s, "the");
    return drop_any(&s, words, R1_COUNT(words));
}

/* "is wrong", "cannot be" ... there. */
static bool denies(r1_span s)
{
    static const char *const alone[] = { "isn't", "cannot", "can't" }, *const words[] = { "not", "never", "wrong", "incorrect", "false", "impossible" };
    s = r1_span_trim(s);
    return drop_any(&s, alone, R1_COUNT(alone)) || (drop_word(&s, "is") && drop_any(&s, words, R1_COUNT(words)));
}

/* A list of letters: "A, C", "A and C", "AC" is none. Each letter once. */
static bool read_letters(r1_span s, char found[R1_CHOICES_MOST + 1])
{
    size_t n = 0;
    bool taken[R1_CHOICES_MOST] = { false }, any = false;
    while (s.n) {
        r1_span one = s;
        size_t k = 0;
        while (k < s.n && s.p[k] != ',' && s.p[k] != ';' && s.p[k] != '&' && !r1_is_space(s.p[k])) k++;
        one.n = k;
        s = r1_span_trim((r1_span){ s.p + k, s.n - k });
        while (s.n && (s.p[0] == ',' || s.p[0] == ';' || s.p[0] == '&')) s = r1_span_trim((r1_span){ s.p + 1, s.n - 1 });
        if (r1_span_is_word(one, "and") && any) continue;
        one = unwrap(one);
        if (one.n != 1 || !is_letter(one.p[0]) || taken[upper(one.p[0]) - 'A']) return false;
        taken[upper(one.p[0]) - 'A'] = any = true;
    }
    for (int i = 0; i < R1_CHOICES_MOST; i++)
        if (taken[i]) found[n++] = (char)('A' + i);
    found[n] = 0;
    return n > 0;
}

/* "\\textbf{(C) } because": the group at the front, unwrapped, is *inner, what follows it *rest. */
static bool front_group(r1_span s, r1_span *inner, r1_span *rest)
{
    static const char *const fronts[] = { "\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "**", "(", "[" };
    static const char *const backs[] = { "}", "}", "}", "}", "**", ")", "]" };
    for (size_t i = 0; i < R1_COUNT(fronts); i++) {
        size_t n = strlen(fronts[i]);
        if (s.n <= n || memcmp(s.p, fronts[i], n) != 0) continue;
        const char *close = memmem(s.p + n, s.n - n, backs[i], strlen(backs[i])), *end = s.p + s.n;
        if (!close) return false;
        *inner = unwrap((r1_span){ s.p + n, (size_t)(close - s.p) - n });
        close += strlen(backs[i]);
        *rest = (r1_span){ close, (size_t)(end - close) };
        return true;
    }
    return false;
}

/* The letter an answer begins with: 0 for none. *parted: a sign stands behind it; *ended: a full stop, so that what follows is a sentence of
 * its own, which may speak of other choices. */
static char front_letter(r1_span s, r1_span *rest, bool *parted, bool *ended)
{
    r1_span inner;
    *parted = *ended = false;
    if (s.n && !is_letter(s.p[0]) && front_group(s, &inner, rest)) {
        *parted = true;
        s = inner;
        if (s.n != 1) return 0;
    } else {
        *rest = (r1_span){ s.p + 1, s.n ? s.n - 1 : 0 };
    }
    if (!s.n || !is_letter(s.p[0]) || (!*parted && rest->n && is_word(rest->p[0]))) return 0;
    for (*rest = r1_span_trim(*rest); rest->n && strchr(").:*]}", rest->p[0]); *rest = r1_span_trim((r1_span){ rest->p + 1, rest->n - 1 })) {
        *parted = true;
        *ended |= rest->p[0] == '.';
    }
    bool small = s.p[0] >= 'a';
    if (rest->n && !*parted && !hedges(*rest) && !affirms(*rest) && (small || (s.p[0] == 'A' && is_letter(rest->p[0])))) return 0; /* an article: "a dog", "A dog" */
    return upper(s.p[0]);
}

static char last_letter(const r1_choices *choices) { return choices->n ? (char)('A' + r1_min(choices->n, R1_CHOICES_MOST) - 1) : 'J'; }

/* The letter that is all of the first line, where a blank line follows; *rest: what comes after. 0 for none. */
static char leading_letter(r1_span s, r1_span *rest)
{
    const char *lf = s.n ? memchr(s.p, '\n', r1_min(s.n, ANSWER_MOST)) : NULL, *end = s.p + s.n, *p = lf;
    if (!lf) return 0;
    for (p++; p < end && (*p == ' ' || *p == '\t' || *p == '\r'); p++) {}
    if (p == end || *p != '\n') return 0;
    r1_span line = unwrap((r1_span){ s.p, (size_t)(lf - s.p) });
    *rest = r1_span_trim((r1_span){ p, (size_t)(end - p) });
    return line.n == 1 && is_letter(line.p[0]) && rest->n ? upper(line.p[0]) : 0;
}

/* Whether an explanation gives another letter than the one before it: as a line of its own, or as one that is right. */
static bool gives_another(r1_span s, char chosen, char last)
{
    if (hedges(s)) return true;
    for (size_t i = 0; i < s.n;) {
        const char *lf = memchr(s.p + i, '\n', s.n - i);
        r1_span line = { s.p + i, (lf ? (size_t)(lf - s.p) : s.n) - i };
        i += line.n + 1;
        line = r1_span_trim(line); /* once, not behind each letter */
        for (size_t k = 0; k < line.n; k++) {
            char c = line.p[k];
            if (c < 'A' || c > last || c == chosen || (k > 0 && is_word(line.p[k - 1])) || (k + 1 < line.n && is_word(line.p[k + 1]))) continue;
            r1_span behind = { line.p + k + 1, line.n - k - 1 };
            while (behind.n && strchr(").*]}", behind.p[0])) behind = (r1_span){ behind.p + 1, behind.n - 1 };
            if (affirms(behind)) return true;
        }
        line = unwrap(line);
        if (line.n == 1 && is_letter(line.p[0]) && upper(line.p[0]) != chosen) return true;
    }
    return false;
}

bool r1_choice_leads(r1_span answer)
{
    r1_span rest;
    return leading_letter(r1_span_trim(answer), &rest) != 0;
}

static const char *check_one(char gold, const r1_choices *choices, r1_span answer, char found[R1_CHOICES_MOST + 1])
{
    char last = last_letter(choices), leading;
    r1_span s, rest;
    bool parted, ended;
    if ((leading = leading_letter(answer, &rest)) != 0) {
        if (gives_another(rest, leading, last)) return "hedged";
        found[0] = leading;
        return leading == gold ? NULL : "wrong_choice";
    }
    if (answer.n > ANSWER_MOST) return "no_choice";
    s = unwrap(answer);
    int by_text = choice_of_text(s, choices);
    if (by_text < 0) by_text = choice_of_text(answer, choices);
    if (by_text >= 0) {
        found[0] = (char)('A' + by_text);
        return found[0] == gold ? NULL : "wrong_choice";
    }
    char letter = front_letter(s, &rest, &parted, &ended);
    if (!letter) return "no_choice";
    if (rest.n) {
        if (!parted && denies(rest) && choice_of_text(rest, choices) < 0) return "no_choice";
        int of_rest = choice_of_text(rest, choices);
        if (of_rest >= 0 && of_rest != letter - 'A') return "mismatch";
        if (of_rest < 0 && (hedges(rest) || (!ended && names_another(rest, letter, last)))) return "hedged";
    }
    found[0] = letter;
    return letter == gold ? NULL : "wrong_choice";
}

const char *r1_choice_check(const char *gold, const r1_choices *choices, r1_span answer, char found[R1_CHOICES_MOST + 1])
{
    static const r1_choices unknown = { NULL, 0 };
    char wanted[R1_CHOICES_MOST + 1] = "", chosen[R1_CHOICES_MOST + 1] = "";
    if (!choices) choices = &unknown;
    if (!found) found = chosen;
    memset(found, 0, R1_CHOICES_MOST + 1);
    answer = r1_span_trim(answer);
    if (!answer.n || !read_letters(r1_span_trim(r1_span_of(gold)), wanted)) return "no_choice";
    if (!wanted[1]) return check_one(wanted[0], choices, answer, found);
    r1_span s = unwrap(answer);
    if (answer.n > ANSWER_MOST || !read_letters(s, found)) return "no_choice";
    return strcmp(found, wanted) ? "wrong_choice" : NULL;
}
