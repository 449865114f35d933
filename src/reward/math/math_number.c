/* math_number: written numbers to exact rationals.
 *
 * Groups of three digits may be parted by a comma, "{,}", a thin or plain blank, an apostrophe, or (twice or more) a full stop.
 * A comma in plain text is ambiguous: outside brackets it parts thousands, inside it parts elements, and the caller may ask for the
 * other reading. Repeating decimals: \overline, \bar, \dot, "(3)", a combining overline, and dots after an obvious period.
 * Digits in another base carry the base as a subscript. */
#include "reward/math/math_lex_int.h"

enum { DIGITS_MAX = 24000, EXPONENT_MAX = 20000 };

static bool digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); }

static char peek(const r1_lexer *x, size_t i) { return i < x->len ? x->s[i] : 0; }

static bool at(const r1_lexer *x, size_t i, const char *what)
{
    size_t n = strlen(what);
    return i <= x->len && x->len - i >= n && !memcmp(x->s + i, what, n);
}

static bool three_digits(const r1_lexer *x, size_t i)
{
    return digit(peek(x, i)) && digit(peek(x, i + 1)) && digit(peek(x, i + 2)) && !digit(peek(x, i + 3));
}

static const char *const separators[] = { "{,}", ",\\! ", ",\\!", "\\!,", ",", "{\\,}", "\\,", "\\ ", "\\;", "\\:", "\\!", " ", "'", "~" };

/* The separator of thousands at i that three digits follow; NULL when none. */
static const char *separator(const r1_lexer *x, size_t i)
{
    for (size_t k = 0; k < R1_COUNT(separators); k++)
        if (at(x, i, separators[k]) && three_digits(x, i + strlen(separators[k]))) return separators[k];
    return NULL;
}

typedef struct scan { char *d; uint32_t n, point, repeat; bool has_point, dotted, grouped; long exponent; } scan; /* repeat: digits that repeat, at the end */

static void take_digits(r1_lexer *x, scan *v, size_t *i)
{
    while (digit(peek(x, *i))) v->d[v->n++] = x->s[(*i)++];
}

/* Groups behind 1 to 3 digits. Nothing is taken when the groups do not come out. */
static void take_groups(r1_lexer *x, scan *v, size_t *i)
{
    const char *sep = v->n <= 3 && v->d[0] != '0' ? separator(x, *i) : NULL;
    if (!sep) return;
    size_t m = strlen(sep), k = *i;
    while (at(x, k, sep) && three_digits(x, k + m)) k += m + 3;
    if (sep[0] == ',' && !sep[1]) {
        x->ambiguous = true;
        if (x->flags & R1_MATH_COMMA_LISTS || x->brackets || (peek(x, k) == ',' && digit(peek(x, k + 1)))) return;
    }
    if (sep[0] == ' ' && k == *i + m + 3) { /* "1 960/997" is a mixed number */
        size_t next = k;
        while (peek(x, next) == ' ') next++;
        if (peek(x, next) == '/') return;
    }
    while (*i < k) {
        *i += m;
        take_digits(x, v, i);
    }
    v->grouped = true;
}

/* "1.250.000" */
static bool take_stops(r1_lexer *x, scan *v, size_t *i)
{
    size_t k = *i;
    while (peek(x, k) == '.' && three_digits(x, k + 1)) k += 4;
    if (v->n > 3 || v->d[0] == '0' || k < *i + 8 || (peek(x, k) == '.' && digit(peek(x, k + 1)))) return false;
    while (*i < k) {
        ++*i;
        take_digits(x, v, i);
    }
    return true;
}

/* Digits under a bar, from i: \overline{45}, \bar3, \dot{3}, (45). Returns where they end, 0 when there are none. */
static size_t take_repeat(r1_lexer *x, scan *v, size_t i)
{
    static const char *const bars[] = { "\\overline", "\\bar", "\\dot" };
    size_t k = 0;
    for (size_t b = 0; b < R1_COUNT(bars) && !k; b++)
        if (at(x, i, bars[b]) && !letter(peek(x, i + strlen(bars[b])))) k = i + strlen(bars[b]);
    char close = '}';
    if (!k && peek(x, i) == '(' && digit(peek(x, i + 1))) k = i, close = ')';
    if (!k) return 0;
    while (peek(x, k) == ' ') k++;
    uint32_t n = v->n;
    if (peek(x, k) == '{' || peek(x, k) == '(') {
        k++;
        while (digit(peek(x, k))) v->d[v->n++] = x->s[k++];
        if (v->n > n && peek(x, k) == close) {
            v->repeat = v->n - n;
            return k + 1;
        }
    } else if (digit(peek(x, k))) {
        v->d[v->n++] = x->s[k++];
        v->repeat = 1;
        return k;
    }
    v->n = n;
    return 0;
}

/* "0.333..." repeats when its last digits show it: a digit three times or a block twice. */
static void guess_period(scan *v)
{
    uint32_t frac = v->n - v->point;
    for (uint32_t p = 1; p <= 6; p++) {
        uint32_t times = p == 1 ? 3 : 2;
        if (frac < p * times) return;
        bool repeats = true;
        for (uint32_t k = 0; k < p * (times - 1) && repeats; k++) repeats = v->d[v->n - 1 - k] == v->d[v->n - 1 - k - p];
        if (!repeats) continue;
        v->repeat = p;
        v->dotted = false;
        return;
    }
}

static size_t take_fraction(r1_lexer *x, scan *v, size_t i)
{
    v->has_point = true;
    v->point = v->n;
    take_digits(x, v, &i);
    size_t k = 0;
    if (at(x, i, "\xCC\x85")) { /* combining overlines behind each digit that repeats; the first stands behind the digit before */
        v->repeat = 1;
        for (k = i + 2; digit(peek(x, k)) && at(x, k + 1, "\xCC\x85"); k += 3) {
            v->d[v->n++] = x->s[k];
            v->repeat++;
        }
        return k;
    }
    k = take_repeat(x, v, i);
    if (k) return k;
    size_t dots = at(x, i, "...") ? 3 : at(x, i, "\\ldots") ? 6 : at(x, i, "\\dots") ? 5 : at(x, i, "\\cdots") ? 6 : 0;
    if (dots && v->n > v->point) {
        v->dotted = true;
        guess_period(v);
        i += dots;
    }
    return i;
}

static size_t take_exponent(const r1_lexer *x, scan *v, size_t i)
{
    char ch = peek(x, i);
    if (ch != 'e' && ch != 'E') return i;
    size_t k = i + 1;
    bool minus = peek(x, k) == '-';
    if (minus || peek(x, k) == '+') k++;
    if (!digit(peek(x, k))) return i;
    long e = 0;
    size_t from = k;
    for (; digit(peek(x, k)); k++) e = e > EXPONENT_MAX ? e : 10 * e + (x->s[k] - '0');
    if (letter(peek(x, k)) || k - from > 6) return i;
    v->exponent = minus ? -e : e;
    return k;
}

/* q = digits, point and repeating part. */
static bool build(r1_math_ctx *c, const scan *v, mpq_t q)
{
    uint32_t frac = v->has_point ? v->n - v->point : 0;
    long e = v->exponent - (long)(frac - v->repeat);
    if (v->n > DIGITS_MAX || e > EXPONENT_MAX || e < -EXPONENT_MAX || !r1_math_spend(c, v->n / 4 + (uint64_t)labs(e) / 4)) return false;
    mpz_t head, power;
    mpz_inits(head, power, NULL);
    char keep = v->d[v->n];
    v->d[v->n] = 0;
    mpz_set_str(head, v->d, 10);
    v->d[v->n] = keep;
    mpz_set_ui(mpq_denref(q), 1);
    if (v->repeat) { /* (all - head) / (10^r - 1) */
        char at_repeat = v->d[v->n - v->repeat];
        v->d[v->n - v->repeat] = 0;
        mpz_t first;
        mpz_init(first);
        if (v->n > v->repeat) mpz_set_str(first, v->d, 10);
        v->d[v->n - v->repeat] = at_repeat;
        mpz_sub(head, head, first);
        mpz_clear(first);
        mpz_ui_pow_ui(mpq_denref(q), 10, v->repeat);
        mpz_sub_ui(mpq_denref(q), mpq_denref(q), 1);
    }
    mpz_ui_pow_ui(power, 10, (unsigned long)labs(e));
    if (e >= 0) mpz_mul(head, head, power);
    else mpz_mul(mpq_denref(q), mpq_denref(q), power);
    mpz_set(mpq_numref(q), head);
    uint64_t limbs = mpz_size(head) + mpz_size(mpq_denref(q));
    if (r1_math_spend(c, mpz_cmp_ui(mpq_denref(q), 1) ? limbs * limbs / 16 : 1)) mpq_canonicalize(q);
    mpz_clears(head, power, NULL);
    return !c->over;
}

static uint32_t significant(const scan *v)
{
    uint32_t lead = 0;
    while (lead < v->n && v->d[lead] == '0') lead++;
    return v->n - lead;
}

static int digit_value(char ch)
{
    if (digit(ch)) return ch - '0';
    if (ch >= 'A' && ch <= 'Z') return ch - 'A' + 10;
    if (ch >= 'a' && ch <= 'z') return ch - 'a' + 10;
    return 99;
}

/* The base at i, behind the underscore: 3, {3}, {\text{three}}, {three}. Returns where it ends, 0 when it is none. */
static size_t take_base(const r1_lexer *x, size_t i, unsigned *base)
{
    static const char *const names[] = { "two", "three",  "four",   "five",     "six",      "seven",   "eight",  "nine",
                                         "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen" };
    unsigned braces = 0;
    while (peek(x, i) == ' ') i++;
    for (;;) {
        if (peek(x, i) == '{') braces++, i++;
        else if (at(x, i, "\\text") && peek(x, i + 5) == '{') i += 5;
        else if (at(x, i, "\\mathrm") && peek(x, i + 7) == '{') i += 7;
        else break;
    }
    *base = 0;
    if (digit(peek(x, i))) {
        for (unsigned k = 0; k < 2 && digit(peek(x, i)); k++) *base = *base * 10 + (unsigned)(x->s[i++] - '0');
        if (digit(peek(x, i))) return 0;
    } else
        for (size_t k = R1_COUNT(names); k-- > 0 && !*base;)
            if (braces && at(x, i, names[k])) {
                *base = (unsigned)k + 2;
                i += strlen(names[k]);
            }
    for (; braces; braces--)
        if (peek(x, i++) != '}') return 0;
    return *base >= 2 && *base <= 36 ? i : 0;
}

/* Digits with a base. from..to is the run, maybe with a point; i stands behind the underscore. */
static bool take_based(r1_lexer *x, size_t from, size_t to, size_t i)
{
    unsigned base;
    size_t end = take_base(x, i, &base);
    if (!end || to - from > 300) return false;
    mpz_t v, scale;
    mpz_init_set_ui(v, 0);
    mpz_init_set_ui(scale, 1);
    bool point = false, ok = true;
    for (size_t k = from; k < to && ok; k++) {
        if (x->s[k] == '.') {
            ok = !point;
            point = true;
            continue;
        }
        int d = digit_value(x->s[k]);
        ok = d < (int)base;
        mpz_mul_ui(v, v, base);
        mpz_add_ui(v, v, (unsigned long)(ok ? d : 0));
        if (point) mpz_mul_ui(scale, scale, base);
    }
    if (ok && r1_math_spend(x->c, 100)) {
        x->i = end;
        r1_token *t = r1_math_push(x, T_NUM, base, from);
        t->num = r1_math_num(x->c, 0);
        if (t->num != &x->c->bad) {
            mpq_set_num(t->num->q, v);
            mpq_set_den(t->num->q, scale);
            mpq_canonicalize(t->num->q);
        }
    }
    mpz_clears(v, scale, NULL);
    return ok;
}

static bool alnum_upper(char ch) { return digit(ch) || (ch >= 'A' && ch <= 'Z'); }

/* A run such as 2A or FF before an underscore and a base above ten. */
static bool based_letters(r1_lexer *x)
{
    size_t k = x->i;
    bool small = digit(peek(x, k)); /* 2a_{16}, but not ab_{16} */
    while ((alnum_upper(peek(x, k)) || (small && letter(peek(x, k)))) && k - x->i < 300) k++;
    if (peek(x, k) != '_' || k - x->i < 2) return false;
    unsigned base;
    size_t end = take_base(x, k + 1, &base);
    return end && base > 10 && take_based(x, x->i, k, k + 1);
}

/* "(2516)_8" */
static bool based_group(r1_lexer *x)
{
    size_t k = x->i + 1;
    while (alnum_upper(peek(x, k)) && k - x->i < 300) k++;
    if (k == x->i + 1 || peek(x, k) != ')' || peek(x, k + 1) != '_') return false;
    size_t from = x->i + 1;
    return take_based(x, from, k, k + 2);
}

bool r1_math_lex_number(r1_lexer *x)
{
    char ch = peek(x, x->i);
    if (ch == '(') return based_group(x);
    bool starts = digit(ch) || (ch == '.' && digit(peek(x, x->i + 1)) && !(x->i && digit(x->s[x->i - 1])));
    if (alnum_upper(ch) && !(x->i && (letter(x->s[x->i - 1]) || x->s[x->i - 1] == '\\')) && based_letters(x)) return true;
    if (!starts) return false;
    size_t from = x->i, i = x->i;
    if (!x->digits) x->digits = r1_math_alloc(x->c, x->len + 8); /* one buffer for all numbers */
    scan v = { .d = x->digits };
    if (!v.d) {
        x->i = x->len;
        return true;
    }
    take_digits(x, &v, &i);
    if (v.n) take_groups(x, &v, &i);
    if (v.n && at(x, i, "{,}") && digit(peek(x, i + 3))) i = take_fraction(x, &v, i + 3); /* a decimal comma */
    else if (!v.n || (peek(x, i) == '.' && !at(x, i, ".."))) {
        bool more = digit(peek(x, i + 1)) || at(x, i + 1, "\\overline") || at(x, i + 1, "\\bar") || at(x, i + 1, "\\dot{") ||
                    (peek(x, i + 1) == '(' && digit(peek(x, i + 2)));
        if (more && !(v.n && take_stops(x, &v, &i))) i = take_fraction(x, &v, i + 1);
    }
    if (peek(x, i) == '_' && !v.grouped && !v.repeat && take_based(x, from, i, i + 1)) return true;
    i = take_exponent(x, &v, i);
    x->i = i;
    r1_token *t = r1_math_push(x, T_NUM, 0, from);
    t->num = r1_math_num(x->c, 0);
    if (t->num == &x->c->bad) return true;
    if (!build(x->c, &v, t->num->q)) t->kind = T_UNKNOWN, x->c->over = true;
    t->num->digits = v.has_point && !v.repeat ? significant(&v) : 0;
    t->num->dotted = v.dotted;
    return true;
}
