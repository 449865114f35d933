/* math_words: answers and parts of answers that are words: their normal form, numbers in words, choices, dates, clock times. */
#include "reward/math/math_int.h"

static bool letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); }
static bool digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool blank(char ch) { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r'; }
static char lower(char ch) { return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch; }
static bool alnum(char ch) { return letter(ch) || digit(ch) || (unsigned char)ch >= 0x80; }

bool r1_math_word_is(const char *s, size_t n, const char *low)
{
    if (strlen(low) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (lower(s[i]) != low[i]) return false;
    return true;
}

static bool in_list(const char *const *list, size_t count, const char *s, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (r1_math_word_is(s, n, list[i])) return true;
    return false;
}

bool r1_math_is_stop_word(const char *s, size_t n)
{
    static const char *const list[] = {
        "or",        "and",      "not",       "plus",       "minus",    "times",      "over",     "squared",    "cubed",     "half",    "halves",   "third",
        "thirds",    "fourth",   "fourths",   "fifth",      "fifths",   "tenth",      "tenths",   "point",      "if",        "when",    "but",      "unless",
        "either",    "between",  "than",      "less",       "more",     "greater",    "least",    "most",       "except",    "at",      "with",     "where",
        "factorial", "to",       "divided",   "multiplied", "by",       "mod",        "is",       "are",        "was",       "isn",     "maybe",    "possibly",
        "perhaps",   "wrong",    "incorrect", "base",       "choose",   "equals",     "equal",    "hundredths", "hundredth", "up",      "down",     "no",
        "neither",   "nor",      "versus",    "vs",         "instead",  "rather",     "false",    "true",       "however",   "hundred", "thousand", "million",
        "billion",   "trillion", "eighths",   "sixths",     "sevenths", "ninths",     "quarters", "modulo",     "before",    "after",   "past",     "until",
        "ago",       "through",  "sure",      "except",     "correct",  "impossible", "unknown",  "guess",      "either"
    };
    return in_list(list, R1_COUNT(list), s, n);
}

/* ---- the normal form of words ------------------------------------------------------------------------------------ */

static bool is_wrapper(const char *s, size_t n)
{
    static const char *const list[] = { "text",         "textbf",     "textit", "textrm",    "texttt", "textsf", "textnormal",   "textsc", "mbox",
                                        "hbox",         "emph",       "mathrm", "mathsf",    "mathtt", "mathbf", "mathit",       "boxed",  "fbox",
                                        "operatorname", "boldsymbol", "bm",     "underline", "left",   "right",  "displaystyle", "quad",   "qquad",
                                        "rm",           "bf",         "it",     "mathcal",   "big",    "bigl",   "bigr" };
    return in_list(list, R1_COUNT(list), s, n);
}

/* Markup and wrappers off, blanks kept where they part letters or digits. */
static size_t bare_text(const char *s, size_t n, char *out, bool *mathematics)
{
    size_t m = 0;
    bool gap = false;
    *mathematics = false;
    for (size_t i = 0; i < n;) {
        char ch = s[i];
        size_t from = i++;
        if (ch == '\\' && i < n) {
            while (i < n && letter(s[i])) i++;
            if (i == from + 1) { /* a backslash and a sign: \, is a blank, \% is % */
                if (strchr("%$&#_{}", s[i])) out[m++] = s[i];
                else gap = true;
                i++;
                continue;
            }
            if (is_wrapper(s + from + 1, i - from - 1)) {
                gap = gap || m == 0 || !alnum(out[m - 1]) ? gap : from > 0 && blank(s[from - 1]);
                continue;
            }
            *mathematics = true;
            memcpy(out + m, s + from, i - from);
            m += i - from;
            gap = false;
            continue;
        }
        bool hyphen = ch == '-' && from && i < n && letter(s[from - 1]) && letter(s[i]);
        if (blank(ch) || ch == '~' || hyphen) {
            gap = true;
            continue;
        }
        if (strchr("{}$\"", ch)) continue;
        if (strchr("^=<>_", ch)) *mathematics = true;
        if (gap && m && alnum(out[m - 1]) && alnum(ch)) out[m++] = ' ';
        gap = false;
        out[m++] = ch;
    }
    return m;
}

bool r1_math_words(r1_math_ctx *c, const char *s, size_t n, const char **out, size_t *n_out)
{
    static const char *const articles[] = { "the ", "a ", "an " };
    bool mathematics;
    *out = "";
    *n_out = 0;
    char *p = r1_math_spend(c, n / 8 + 1) ? r1_math_alloc(c, 2 * n + 1) : NULL;
    if (!p) return false;
    size_t m = bare_text(s, n, p, &mathematics);
    while (m && strchr(".!;,", p[m - 1])) m--;
    if (!mathematics) {
        for (size_t i = 0; i < m; i++) p[i] = lower(p[i]);
        for (size_t k = 0; k < R1_COUNT(articles); k++) {
            size_t a = strlen(articles[k]);
            if (m > a && !memcmp(p, articles[k], a)) {
                p += a;
                m -= a;
                break;
            }
        }
    }
    p[m] = 0;
    *out = p;
    *n_out = m;
    return true;
}

/* ---- numbers in words -------------------------------------------------------------------------------------------- */

static const char *const small_numbers[] = { "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
                                             "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen" };
static const char *const tens_names[] = { "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety" };
static const char *const ordinals[] = { "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth" };

uint64_t r1_math_multiplier(const char *s, size_t n)
{
    if (r1_math_word_is(s, n, "hundred")) return 100;
    if (r1_math_word_is(s, n, "thousand")) return 1000;
    if (r1_math_word_is(s, n, "million")) return 1000000;
    if (r1_math_word_is(s, n, "billion")) return 1000000000;
    if (r1_math_word_is(s, n, "trillion")) return 1000000000000;
    return 0;
}

static int index_of(const char *const *list, size_t count, const r1_token *t)
{
    for (size_t i = 0; i < count; i++)
        if (t->kind == T_WORD && r1_math_word_is(t->s, t->n, list[i])) return (int)i;
    return -1;
}

/* The denominator that "halves", "thirds" names; 0 when it is none. */
static long denominator(const r1_token *t)
{
    static const char *const plural[] = {
        "halves", "thirds", "fourths", "fifths", "sixths", "sevenths", "eighths", "ninths", "tenths", "elevenths", "twelfths"
    };
    if (t->kind != T_WORD) return 0;
    if (r1_math_word_is(t->s, t->n, "half")) return 2;
    if (r1_math_word_is(t->s, t->n, "quarter") || r1_math_word_is(t->s, t->n, "quarters")) return 4;
    int k = index_of(plural, R1_COUNT(plural), t);
    if (k >= 0) return k + 2;
    k = index_of(ordinals, R1_COUNT(ordinals), t);
    return k >= 2 ? k + 1 : 0;
}

typedef struct counting { uint64_t total, current, scale; bool any, tens; } counting;

static bool count_word(counting *v, const r1_token *t)
{
    if (t->kind != T_WORD) return false;
    int k = index_of(small_numbers, R1_COUNT(small_numbers), t);
    if (k >= 0) {
        bool fits = v->current % 100 == 0 ? !(k == 0 && v->any) : v->tens && k >= 1 && k <= 9;
        if (!fits || (v->any && v->current == 0 && v->total == 0)) return false;
        v->current += (uint64_t)k;
        v->tens = false;
        return v->any = true;
    }
    k = index_of(tens_names, R1_COUNT(tens_names), t);
    if (k >= 0) {
        if (v->current % 100) return false;
        v->current += (uint64_t)(k + 2) * 10;
        return v->tens = v->any = true;
    }
    uint64_t m = r1_math_multiplier(t->s, t->n);
    if (!m || !v->any || !v->current) return false;
    v->tens = false;
    if (m == 100) {
        if (v->current >= 100) return false;
        v->current *= 100;
        return true;
    }
    if (v->scale && m >= v->scale) return false;
    v->scale = m;
    v->total += v->current * m;
    v->current = 0;
    return true;
}

static r1_node *fraction(r1_math_ctx *c, long num, long den)
{
    r1_node *x = r1_math_num(c, num);
    if (x != &c->bad) {
        mpq_set_si(x->q, num, (unsigned long)den);
        mpq_canonicalize(x->q);
    }
    return x;
}

static bool is_a(const r1_token *t) { return t->kind == T_IDENT && r1_math_word_is(t->s, t->n, "a"); }

uint32_t r1_math_number_words(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_node **out)
{
    counting v = { 0 };
    uint32_t i = 0, end = 0;
    r1_math_spend(c, 20);
    while (i < n && i < 40) {
        uint32_t k = i;
        bool hyphen = v.any && t[k].kind == T_OP && t[k].sub == '-' && !t[k].space;
        if (hyphen || (v.any && t[k].kind == T_AND)) k++;
        if (k >= n) break;
        bool linked = k > i && !hyphen;
        if (linked && v.current % 100 != 0) break;         /* "two and three" are two numbers */
        if (linked && !v.total && v.current < 100) break;
        if (!count_word(&v, &t[k])) break;
        i = end = k + 1;
    }
    if (!end) { /* "third" */
        int k = n ? index_of(ordinals, R1_COUNT(ordinals), t) : -1;
        if (n && r1_math_word_is(t->s, t->n, "half") && t->kind == T_WORD) {
            *out = fraction(c, 1, 2);
            return 1;
        }
        if (k < 0) return 0;
        *out = r1_math_num(c, k + 1);
        return 1;
    }
    uint64_t value = v.total + v.current;
    uint32_t k = end;
    if (k < n && t[k].kind == T_OP && t[k].sub == '-' && !t[k].space) k++;
    long den = k < n && value < 1000 ? denominator(&t[k]) : 0;
    int ordinal = k < n ? index_of(ordinals, 9, &t[k]) : -1;
    if (v.tens && ordinal >= 0) { /* "twenty-first" */
        *out = r1_math_num(c, (long)value + ordinal + 1);
        return k + 1;
    }
    if (den) {
        *out = fraction(c, (long)value, den);
        return k + 1;
    }
    if (end + 2 < n && t[end].kind == T_AND && is_a(&t[end + 1]) && value < 1000 && denominator(&t[end + 2])) { /* "two and a half" */
        den = denominator(&t[end + 2]);
        *out = fraction(c, (long)value * den + 1, den);
        return end + 3;
    }
    *out = r1_math_num(c, (long)value);
    return end;
}

/* ---- choices ----------------------------------------------------------------------------------------------------- */

static size_t skip_word(const char *s, size_t n, const char *word)
{
    size_t m = strlen(word);
    return n > m && r1_math_word_is(s, m, word) && !letter(s[m]) ? m : 0;
}

/* Wrappers, braces and dollar signs off; the rest as it is. */
static size_t unwrap(const char *s, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n;) {
        size_t from = i++;
        if (s[from] == '\\') {
            while (i < n && letter(s[i])) i++;
            if (i > from + 1 && is_wrapper(s + from + 1, i - from - 1)) continue;
            memcpy(out + m, s + from, i - from);
            m += i - from;
        } else if (!strchr("{}$*", s[from])) out[m++] = s[from];
        else if (s[from] != '*' && m && !blank(out[m - 1]) && out[m - 1] != '(') out[m++] = ' ';
    }
    while (m && blank(out[m - 1])) m--;
    return m;
}

/* The start of what follows the letter, SIZE_MAX when this is no choice. */
static size_t after_letter(const char *s, size_t n, char *which)
{
    size_t i = 0;
    bool round = n > 2 && (s[0] == '(' || s[0] == '[');
    char close = round && s[0] == '[' ? ']' : ')';
    while (i < n && (blank(s[i]) || (round && i == 0))) i++;
    if (i >= n || !letter(s[i])) return SIZE_MAX;
    char ch = s[i++];
    *which = (char)(ch >= 'a' ? ch - 'a' + 'A' : ch);
    bool upper = ch <= 'Z';
    if (*which > 'J') return SIZE_MAX;
    while (i < n && blank(s[i])) i++;
    if (i == n) return upper && !round ? i : SIZE_MAX;
    if (round ? s[i] != close : !strchr(").:", s[i])) return SIZE_MAX;
    if (!round && !upper) return SIZE_MAX;
    i++;
    size_t rest = i;
    if (i < n && s[i] == '.') rest = ++i;
    while (i < n && blank(s[i])) i++;
    if (i == n) return i;
    if (i == rest || !upper || strchr("+-*/=^<>,|", s[i])) return SIZE_MAX; /* "(A)x", "(a) b" are products */
    return i;
}

r1_node *r1_math_choice(r1_math_ctx *c, const char *s, size_t n)
{
    enum { BYTES_MAX = 400 };
    static const char *const before[] = { "the", "correct", "final", "answer", "option", "choice", "letter", "is", "(answer)" };
    char buffer[BYTES_MAX + 8], which;
    if (n > BYTES_MAX / 2 || !r1_math_spend(c, n / 4 + 1)) return NULL;
    size_t m = unwrap(s, n, buffer), i = 0;
    for (bool again = true; again;) {
        again = false;
        while (i < m && (blank(buffer[i]) || (i && buffer[i] == ':'))) i++;
        for (size_t k = 0; k < R1_COUNT(before); k++) {
            size_t w = skip_word(buffer + i, m - i, before[k]);
            if (w) i += w, again = true;
        }
    }
    size_t rest = after_letter(buffer + i, m - i, &which);
    if (rest == SIZE_MAX) return NULL;
    r1_node *x = r1_math_node(c, K_CHOICE, 0);
    if (x == &c->bad) return x;
    x->op = (uint8_t)which;
    rest += i;
    if (rest < m) {
        char *copy = r1_math_alloc(c, m - rest + 1);
        if (!copy) return x;
        memcpy(copy, buffer + rest, m - rest);
        x->name = copy;
        x->n_name = (uint32_t)(m - rest);
    }
    return x;
}

/* ---- dates and clock times --------------------------------------------------------------------------------------- */

static int month_of(const char *s, size_t n)
{
    static const char *const names[] = { "january", "february", "march",     "april",   "may",      "june",
                                         "july",    "august",   "september", "october", "november", "december" };
    for (int k = 0; k < 12; k++)
        if (r1_math_word_is(s, n, names[k]) || (n == 3 && lower(s[0]) == names[k][0] && lower(s[1]) == names[k][1] && lower(s[2]) == names[k][2])) return k + 1;
    return 0;
}

r1_node *r1_math_date(r1_math_ctx *c, const char *s, size_t n)
{
    long month = 0, day = 0, year = 0;
    const char *words;
    if (n > 80 || !r1_math_words(c, s, n, &words, &n)) return NULL;
    for (size_t i = 0; i < n;) {
        size_t from = i;
        if (letter(words[i])) {
            while (i < n && letter(words[i])) i++;
            int m = month_of(words + from, i - from);
            bool filler = r1_math_word_is(words + from, i - from, "of") || r1_math_word_is(words + from, i - from, "the");
            if ((!m && !filler) || (m && month)) return NULL;
            if (m) month = m;
        } else if (digit(words[i])) {
            long v = 0;
            while (i < n && digit(words[i]) && i - from < 5) v = 10 * v + (words[i++] - '0');
            bool four = i - from == 4;
            if (i + 1 < n && letter(words[i]) && letter(words[i + 1])) i += 2; /* 1st, 2nd */
            if (four ? year : day || v < 1 || v > 31) return NULL;
            if (four) year = v;
            else day = v;
        } else if (words[i] == ',' || words[i] == ' ' || words[i] == '.') i++;
        else return NULL;
    }
    if (!month || (!day && !year)) return NULL;
    r1_node *x = r1_math_node(c, K_DATE, 0);
    x = r1_math_append(c, x, r1_math_num(c, month));
    x = r1_math_append(c, x, r1_math_num(c, day));
    return r1_math_append(c, x, r1_math_num(c, year));
}

static size_t number_at(const char *s, size_t n, size_t i, uint32_t *v)
{
    size_t from = i;
    for (*v = 0; i < n && digit(s[i]) && i - from < 3; i++) *v = *v * 10 + (uint32_t)(s[i] - '0');
    return i - from;
}

/* rows: hour, cols: minute, digits: second; op: 0, 'a' or 'p'; lo_open: the hour or minutes are padded. */
r1_node *r1_math_clock(r1_math_ctx *c, const char *s, size_t n)
{
    const char *w;
    uint32_t h, m = 0, sec = 0;
    if (n > 60 || !r1_math_words(c, s, n, &w, &n)) return NULL;
    size_t nh = number_at(w, n, 0, &h), i = nh, nm = 0;
    if (!nh || nh > 2 || h > 24) return NULL;
    if (i < n && w[i] == ':') {
        nm = number_at(w, n, ++i, &m);
        i += nm;
        if (nm != 2 || m > 59) return NULL;
        if (i < n && w[i] == ':') {
            size_t ns = number_at(w, n, ++i, &sec);
            i += ns;
            if (ns != 2 || sec > 59) return NULL;
        }
    }
    while (i < n && w[i] == ' ') i++;
    char half = 0;
    if (i < n && (w[i] == 'a' || w[i] == 'p')) {
        half = w[i++];
        if (i < n && (w[i] == '.' || w[i] == ' ')) i++;
        if (i >= n || w[i++] != 'm') return NULL;
        if (h < 1 || h > 12) return NULL;
    }
    if (i != n || (!nm && !half)) return NULL;
    r1_node *x = r1_math_node(c, K_CLOCK, 0);
    if (x == &c->bad) return x;
    x->rows = h;
    x->cols = m;
    x->digits = sec;
    x->op = (uint8_t)half;
    x->lo_open = (nh == 2 && h < 10) || m < 10;
    return x;
}
