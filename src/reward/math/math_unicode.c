/* math_unicode: Unicode mathematics as ASCII and LaTeX, before anything else looks at the text.
 *
 * Every character becomes at most a short string, runs of superscripts and subscripts become groups, invalid bytes become '?'.
 * What is not in the table stays as it is: the lexer calls it unknown, and the text is then words. */
#include "base/utf8.h"
#include "reward/math/math_int.h"

typedef struct mapping { uint32_t cp; const char *to; } mapping;

/* In order of code points, for the search. */
static const mapping table[] = {
    { 0xA0, " " },
    { 0xA2, " cents " },
    { 0xA3, "\\pounds " },
    { 0xA5, "\\yen " },
    { 0xAC, "\\neg " },
    { 0xB0, "\\degree " },
    { 0xB1, "\\pm " },
    { 0xB4, "'" },
    { 0xB5, "\\mu " },
    { 0xB7, "\\cdot " },
    { 0xBC, "\\frac{1}{4}" },
    { 0xBD, "\\frac{1}{2}" },
    { 0xBE, "\\frac{3}{4}" },
    { 0xD7, "\\times " },
    { 0xF7, "\\div " },
    { 0x2BC, "'" },
    { 0x302, "" },
    { 0x391, "A" },
    { 0x392, "B" },
    { 0x393, "\\Gamma " },
    { 0x394, "\\Delta " },
    { 0x398, "\\Theta " },
    { 0x39B, "\\Lambda " },
    { 0x39E, "\\Xi " },
    { 0x3A0, "\\Pi " },
    { 0x3A3, "\\Sigma " },
    { 0x3A6, "\\Phi " },
    { 0x3A8, "\\Psi " },
    { 0x3A9, "\\Omega " },
    { 0x3B1, "\\alpha " },
    { 0x3B2, "\\beta " },
    { 0x3B3, "\\gamma " },
    { 0x3B4, "\\delta " },
    { 0x3B5, "\\varepsilon " },
    { 0x3B6, "\\zeta " },
    { 0x3B7, "\\eta " },
    { 0x3B8, "\\theta " },
    { 0x3B9, "\\iota " },
    { 0x3BA, "\\kappa " },
    { 0x3BB, "\\lambda " },
    { 0x3BC, "\\mu " },
    { 0x3BD, "\\nu " },
    { 0x3BE, "\\xi " },
    { 0x3C0, "\\pi " },
    { 0x3C1, "\\rho " },
    { 0x3C2, "\\sigma " },
    { 0x3C3, "\\sigma " },
    { 0x3C4, "\\tau " },
    { 0x3C5, "\\upsilon " },
    { 0x3C6, "\\varphi " },
    { 0x3C7, "\\chi " },
    { 0x3C8, "\\psi " },
    { 0x3C9, "\\omega " },
    { 0x3D5, "\\phi " },
    { 0x3F5, "\\varepsilon " },
    { 0x2000, " " },
    { 0x2001, " " },
    { 0x2002, " " },
    { 0x2003, " " },
    { 0x2004, " " },
    { 0x2005, " " },
    { 0x2006, " " },
    { 0x2007, " " },
    { 0x2008, " " },
    { 0x2009, "\\," },
    { 0x200A, " " },
    { 0x200B, "" },
    { 0x200C, "" },
    { 0x200D, "" },
    { 0x2010, "-" },
    { 0x2011, "-" },
    { 0x2012, "-" },
    { 0x2013, "-" },
    { 0x2014, "-" },
    { 0x2015, "-" },
    { 0x2016, "\\|" },
    { 0x2018, "'" },
    { 0x2019, "'" },
    { 0x201C, "\"" },
    { 0x201D, "\"" },
    { 0x2022, "\\cdot " },
    { 0x2026, "\\ldots " },
    { 0x202F, "\\," },
    { 0x2032, "'" },
    { 0x2033, "''" },
    { 0x203E, "" },
    { 0x2044, "/" },
    { 0x2060, "" },
    { 0x2061, "" },
    { 0x2062, "\\cdot " },
    { 0x2063, "," },
    { 0x20AC, "\\euro " },
    { 0x20B9, "\\rupee " },
    { 0x2102, "\\mathbb{C}" },
    { 0x2103, "\\degree C" },
    { 0x2107, "e" },
    { 0x2109, "\\degree F" },
    { 0x210E, "h" },
    { 0x2115, "\\mathbb{N}" },
    { 0x211A, "\\mathbb{Q}" },
    { 0x211D, "\\mathbb{R}" },
    { 0x2124, "\\mathbb{Z}" },
    { 0x2126, "\\Omega " },
    { 0x212A, "K" },
    { 0x2147, "e" },
    { 0x2148, "i" },
    { 0x2150, "\\frac{1}{7}" },
    { 0x2151, "\\frac{1}{9}" },
    { 0x2152, "\\frac{1}{10}" },
    { 0x2153, "\\frac{1}{3}" },
    { 0x2154, "\\frac{2}{3}" },
    { 0x2155, "\\frac{1}{5}" },
    { 0x2156, "\\frac{2}{5}" },
    { 0x2157, "\\frac{3}{5}" },
    { 0x2158, "\\frac{4}{5}" },
    { 0x2159, "\\frac{1}{6}" },
    { 0x215A, "\\frac{5}{6}" },
    { 0x215B, "\\frac{1}{8}" },
    { 0x215C, "\\frac{3}{8}" },
    { 0x215D, "\\frac{5}{8}" },
    { 0x215E, "\\frac{7}{8}" },
    { 0x2190, "\\leftarrow " },
    { 0x2192, "\\to " },
    { 0x2194, "\\leftrightarrow " },
    { 0x21D2, "\\implies " },
    { 0x21D4, "\\iff " },
    { 0x2200, "\\forall " },
    { 0x2203, "\\exists " },
    { 0x2205, "\\emptyset " },
    { 0x2206, "\\Delta " },
    { 0x2208, "\\in " },
    { 0x2209, "\\notin " },
    { 0x220A, "\\in " },
    { 0x220F, "\\prod " },
    { 0x2211, "\\sum " },
    { 0x2212, "-" },
    { 0x2213, "\\mp " },
    { 0x2215, "/" },
    { 0x2216, "\\setminus " },
    { 0x2217, "*" },
    { 0x2219, "\\cdot " },
    { 0x221A, "\\sqrt " },
    { 0x221B, "\\sqrt[3] " },
    { 0x221C, "\\sqrt[4] " },
    { 0x221D, "\\propto " },
    { 0x221E, "\\infty " },
    { 0x2220, "\\angle " },
    { 0x2223, "\\mid " },
    { 0x2227, "\\land " },
    { 0x2228, "\\lor " },
    { 0x2229, "\\cap " },
    { 0x222A, "\\cup " },
    { 0x222B, "\\int " },
    { 0x2234, "" },
    { 0x2236, ":" },
    { 0x2248, "\\approx " },
    { 0x2260, "\\ne " },
    { 0x2261, "\\equiv " },
    { 0x2264, "\\le " },
    { 0x2265, "\\ge " },
    { 0x2266, "\\le " },
    { 0x2267, "\\ge " },
    { 0x2282, "\\subset " },
    { 0x2286, "\\subseteq " },
    { 0x2295, "\\oplus " },
    { 0x22A5, "\\perp " },
    { 0x22C5, "\\cdot " },
    { 0x22EF, "\\cdots " },
    { 0x2308, "\\lceil " },
    { 0x2309, "\\rceil " },
    { 0x230A, "\\lfloor " },
    { 0x230B, "\\rfloor " },
    { 0x2329, "\\langle " },
    { 0x232A, "\\rangle " },
    { 0x25B3, "\\triangle " },
    { 0x25CB, "\\circ " },
    { 0x27E8, "\\langle " },
    { 0x27E9, "\\rangle " },
    { 0x2A7D, "\\le " },
    { 0x2A7E, "\\ge " },
    { 0x3000, " " },
    { 0x3001, "," },
    { 0x3002, "." },
    { 0x3008, "\\langle " },
    { 0x3009, "\\rangle " },
    { 0xFE63, "-" },
    { 0xFEFF, "" },
};

static const char *look_up(uint32_t cp)
{
    size_t lo = 0, hi = R1_COUNT(table);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (table[mid].cp < cp) lo = mid + 1;
        else hi = mid;
    }
    return lo < R1_COUNT(table) && table[lo].cp == cp ? table[lo].to : NULL;
}

/* The plain character of a superscript (which 1) or subscript (which 2), 0 when cp is none. */
static char script_of(uint32_t cp, int *which)
{
    static const char ops[] = "+-=()";
    *which = 1;
    if (cp == 0xB2 || cp == 0xB3) return (char)('2' + (cp - 0xB2));
    if (cp == 0xB9) return '1';
    if (cp == 0x2070 || (cp >= 0x2074 && cp <= 0x2079)) return (char)('0' + (cp - 0x2070));
    if (cp >= 0x207A && cp <= 0x207E) return ops[cp - 0x207A];
    if (cp == 0x2071) return 'i';
    if (cp == 0x207F) return 'n';
    if (cp == 0x1D43) return 'a';
    if (cp == 0x1D47) return 'b';
    if (cp == 0x02E3) return 'x';
    if (cp == 0x1D4F) return 'k';
    if (cp == 0x1D50) return 'm';
    if (cp == 0x1D57) return 't';
    *which = 2;
    if (cp >= 0x2080 && cp <= 0x2089) return (char)('0' + (cp - 0x2080));
    if (cp >= 0x208A && cp <= 0x208E) return ops[cp - 0x208A];
    if (cp == 0x2090) return 'a';
    if (cp == 0x2099) return 'n';
    if (cp == 0x2093) return 'x';
    if (cp == 0x2096) return 'k';
    return 0;
}

/* Mathematical letters and digits, full width forms: the ASCII character, 0 when cp is none. */
static char plain_of(uint32_t cp)
{
    if (cp >= 0x1D400 && cp <= 0x1D6A3) {
        uint32_t k = (cp - 0x1D400) % 52;
        return (char)(k < 26 ? 'A' + k : 'a' + (k - 26));
    }
    if (cp >= 0x1D7CE && cp <= 0x1D7FF) return (char)('0' + (cp - 0x1D7CE) % 10);
    if (cp >= 0xFF01 && cp <= 0xFF5E) return (char)(cp - 0xFF01 + '!');
    return 0;
}

typedef struct writer { char *p; size_t n, cap; } writer;

static void put(writer *w, const char *s, size_t n)
{
    if (w->n + n > w->cap) n = w->cap - w->n; /* cannot happen: see the factor below */
    memcpy(w->p + w->n, s, n);
    w->n += n;
}

bool r1_math_clean(r1_math_ctx *c, const char *s, size_t n, const char **out, size_t *n_out)
{
    /* the longest replacement of a character of 2 bytes has 12, of 3 bytes 14; a run of scripts adds 3 */
    writer w = { .cap = 7 * n + 8 };
    *out = "";
    *n_out = 0;
    if (!r1_math_spend(c, n / 4 + 1)) return false;
    w.p = r1_math_alloc(c, w.cap + 1);
    if (!w.p) return false;
    int open = 0; /* the kind of script that is being written */
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int len = r1_utf8_decode(s + i, n - i, &cp), which = 0;
        const char *from = s + i;
        i += (size_t)(len < 0 ? -len : len);
        char plain = len > 0 && cp >= 0x80 ? script_of(cp, &which) : 0;
        if (!plain) which = 0;
        if (open && which != open) {
            put(&w, "}", 1);
            open = 0;
        }
        if (len < 0 || cp == 0) {
            put(&w, "?", 1);
            continue;
        }
        if (cp < 0x80) {
            put(&w, from, 1);
            continue;
        }
        if (which) {
            if (!open) put(&w, which == 1 ? "^{" : "_{", 2);
            open = which;
        } else plain = plain_of(cp);
        const char *to = plain ? NULL : look_up(cp);
        if (plain) put(&w, &plain, 1);
        else if (to) put(&w, to, strlen(to));
        else put(&w, from, (size_t)len);
    }
    if (open) put(&w, "}", 1);
    char *exact = r1_math_alloc(c, w.n + 1); /* without the room to spare, in which reading past the end would go unseen */
    if (!exact) return false;
    memcpy(exact, w.p, w.n);
    *out = exact;
    *n_out = w.n;
    return !c->over && !c->nomem;
}
