/* math_lex: LaTeX and plain text to tokens.
 *
 * Markup that means nothing (\left, \text{}, $, spaces) leaves no token; what stood inside \text{} is marked, because words and
 * units are read differently from letters in mathematics. A run of plain letters is one token: a function, a keyword, a letter, or
 * a word for the parser to judge. Numbers are read by math_number.c. Linear in the text. */
#include "reward/math/math_lex_int.h"

typedef struct command { const char *name; uint8_t kind, sub; } command;

static const command commands[] = {
    { "frac", T_FRAC, 0 },
    { "dfrac", T_FRAC, 0 },
    { "tfrac", T_FRAC, 0 },
    { "cfrac", T_FRAC, 0 },
    { "sfrac", T_FRAC, 0 },
    { "nicefrac", T_FRAC, 0 },
    { "sqrt", T_SQRT, 2 },
    { "cbrt", T_SQRT, 3 },
    { "binom", T_BINOM, 0 },
    { "dbinom", T_BINOM, 0 },
    { "tbinom", T_BINOM, 0 },
    { "choose", T_BINOM, 1 },
    { "over", T_BINOM, 2 },
    { "overline", T_OVERLINE, 0 },
    { "bar", T_OVERLINE, 0 },
    { "cdot", T_OP, '*' },
    { "times", T_OP, '*' },
    { "ast", T_OP, '*' },
    { "bullet", T_OP, '*' },
    { "div", T_OP, '/' },
    { "pm", T_OP, 'P' },
    { "mp", T_OP, 'M' },
    { "le", T_REL, R_LE },
    { "leq", T_REL, R_LE },
    { "leqslant", T_REL, R_LE },
    { "leqq", T_REL, R_LE },
    { "ge", T_REL, R_GE },
    { "geq", T_REL, R_GE },
    { "geqslant", T_REL, R_GE },
    { "geqq", T_REL, R_GE },
    { "lt", T_REL, R_LT },
    { "gt", T_REL, R_GT },
    { "ne", T_REL, R_NE },
    { "neq", T_REL, R_NE },
    { "in", T_REL, R_IN },
    { "notin", T_REL, R_NOTIN },
    { "approx", T_REL, R_APPROX },
    { "simeq", T_REL, R_APPROX },
    { "doteq", T_REL, R_APPROX },
    { "equiv", T_REL, R_EQUIV },
    { "sim", T_REL, R_OTHER },
    { "to", T_REL, R_OTHER },
    { "rightarrow", T_REL, R_OTHER },
    { "leftarrow", T_REL, R_OTHER },
    { "leftrightarrow", T_REL, R_OTHER },
    { "implies", T_REL, R_OTHER },
    { "Rightarrow", T_REL, R_OTHER },
    { "iff", T_REL, R_OTHER },
    { "Leftrightarrow", T_REL, R_OTHER },
    { "mapsto", T_REL, R_OTHER },
    { "subset", T_REL, R_OTHER },
    { "subseteq", T_REL, R_OTHER },
    { "propto", T_REL, R_OTHER },
    { "perp", T_REL, R_OTHER },
    { "parallel", T_REL, R_OTHER },
    { "cong", T_REL, R_OTHER },
    { "cup", T_SETOP, 'u' },
    { "bigcup", T_SETOP, 'u' },
    { "cap", T_SETOP, 'n' },
    { "bigcap", T_SETOP, 'n' },
    { "setminus", T_SETOP, '-' },
    { "backslash", T_SETOP, '-' },
    { "mid", T_BAR, 1 },
    { "vert", T_BAR, 0 },
    { "lvert", T_BAR, 2 },
    { "rvert", T_BAR, 3 },
    { "Vert", T_NORM, 0 },
    { "lVert", T_NORM, 0 },
    { "rVert", T_NORM, 0 },
    { "lbrace", T_OPEN, '{' },
    { "rbrace", T_CLOSE, '{' },
    { "lbrack", T_OPEN, '[' },
    { "rbrack", T_CLOSE, '[' },
    { "langle", T_OPEN, '<' },
    { "rangle", T_CLOSE, '<' },
    { "lfloor", T_OPEN, 'f' },
    { "rfloor", T_CLOSE, 'f' },
    { "lceil", T_OPEN, 'c' },
    { "rceil", T_CLOSE, 'c' },
    { "ldots", T_DOTS, 0 },
    { "dots", T_DOTS, 0 },
    { "cdots", T_DOTS, 0 },
    { "dotsc", T_DOTS, 0 },
    { "dotsb", T_DOTS, 0 },
    { "vdots", T_DOTS, 0 },
    { "ddots", T_DOTS, 0 },
    { "land", T_AND, 0 },
    { "wedge", T_AND, 0 },
    { "lor", T_OR, 0 },
    { "vee", T_OR, 0 },
    { "infty", T_INFTY, 0 },
    { "emptyset", T_EMPTYSET, 0 },
    { "varnothing", T_EMPTYSET, 0 },
    { "pi", T_CONST, K_PI },
    { "circ", T_DEGREE, 0 },
    { "degree", T_DEGREE, 0 },
    { "prime", T_PRIME, 0 },
    { "pounds", T_CURRENCY, 'L' },
    { "euro", T_CURRENCY, 'E' },
    { "yen", T_CURRENCY, 'Y' },
    { "rupee", T_CURRENCY, 'R' },
    { "textdollar", T_CURRENCY, '$' },
    { "sum", T_SUM, 0 },
    { "prod", T_PROD, 0 },
    { "int", T_CALCULUS, 'i' },
    { "lim", T_CALCULUS, 'l' },
    { "pmod", T_MODULO, 1 },
    { "bmod", T_MODULO, 0 },
    { "mod", T_MODULO, 0 },
    { "degrees", T_DEGREE, 0 },
    { "sin", T_FUNC, F_SIN },
    { "cos", T_FUNC, F_COS },
    { "tan", T_FUNC, F_TAN },
    { "cot", T_FUNC, F_COT },
    { "sec", T_FUNC, F_SEC },
    { "csc", T_FUNC, F_CSC },
    { "arcsin", T_FUNC, F_ASIN },
    { "arccos", T_FUNC, F_ACOS },
    { "arctan", T_FUNC, F_ATAN },
    { "arccot", T_FUNC, F_ACOT },
    { "arcsec", T_FUNC, F_ASEC },
    { "arccsc", T_FUNC, F_ACSC },
    { "sinh", T_FUNC, F_SINH },
    { "cosh", T_FUNC, F_COSH },
    { "tanh", T_FUNC, F_TANH },
    { "coth", T_FUNC, F_COTH },
    { "ln", T_FUNC, F_LN },
    { "log", T_FUNC, F_LOG10 },
    { "lg", T_FUNC, F_LOG10 },
    { "exp", T_FUNC, F_EXP },
    { "max", T_FUNC, F_MAX },
    { "min", T_FUNC, F_MIN },
    { "gcd", T_FUNC, F_GCD },
    { "lcm", T_FUNC, F_LCM },
    { "det", T_FUNC, F_DET },
    { "arg", T_FUNC, F_ARG },
    { "Re", T_FUNC, F_RE },
    { "Im", T_FUNC, F_IM },
    { "cis", T_FUNC, F_CIS },
};

/* Runs of plain letters that are more than letters. `tight` ones are functions only before a bracket or one letter ("min" is a unit too). */
typedef struct run_name { const char *name; uint8_t kind, sub; bool tight; } run_name;
static const run_name run_names[] = {
    { "sin", T_FUNC, F_SIN, false },
    { "cos", T_FUNC, F_COS, false },
    { "tan", T_FUNC, F_TAN, false },
    { "cot", T_FUNC, F_COT, false },
    { "csc", T_FUNC, F_CSC, false },
    { "sec", T_FUNC, F_SEC, true },
    { "arcsin", T_FUNC, F_ASIN, false },
    { "arccos", T_FUNC, F_ACOS, false },
    { "arctan", T_FUNC, F_ATAN, false },
    { "asin", T_FUNC, F_ASIN, true },
    { "acos", T_FUNC, F_ACOS, true },
    { "atan", T_FUNC, F_ATAN, true },
    { "arccot", T_FUNC, F_ACOT, false },
    { "arcsec", T_FUNC, F_ASEC, false },
    { "arccsc", T_FUNC, F_ACSC, false },
    { "sinh", T_FUNC, F_SINH, false },
    { "cosh", T_FUNC, F_COSH, false },
    { "tanh", T_FUNC, F_TANH, false },
    { "arcsinh", T_FUNC, F_ASINH, false },
    { "arccosh", T_FUNC, F_ACOSH, false },
    { "arctanh", T_FUNC, F_ATANH, false },
    { "arsinh", T_FUNC, F_ASINH, false },
    { "arcosh", T_FUNC, F_ACOSH, false },
    { "artanh", T_FUNC, F_ATANH, false },
    { "ln", T_FUNC, F_LN, false },
    { "log", T_FUNC, F_LOG10, false },
    { "exp", T_FUNC, F_EXP, true },
    { "abs", T_FUNC, F_ABS, true },
    { "floor", T_FUNC, F_FLOOR, true },
    { "ceil", T_FUNC, F_CEIL, true },
    { "max", T_FUNC, F_MAX, true },
    { "min", T_FUNC, F_MIN, true },
    { "gcd", T_FUNC, F_GCD, true },
    { "lcm", T_FUNC, F_LCM, true },
    { "det", T_FUNC, F_DET, true },
    { "sgn", T_FUNC, F_SGN, true },
    { "cis", T_FUNC, F_CIS, false },
    { "sign", T_FUNC, F_SGN, true },
    { "Re", T_FUNC, F_RE, true },
    { "Im", T_FUNC, F_IM, true },
    { "arg", T_FUNC, F_ARG, true },
    { "conj", T_FUNC, F_CONJ, true },
    { "sqrt", T_SQRT, 2, true },
    { "cbrt", T_SQRT, 3, true },
    { "binom", T_BINOM, 0, true },
    { "choose", T_BINOM, 1, false },
    { "pi", T_CONST, K_PI, false },
    { "infinity", T_INFTY, 0, false },
    { "infty", T_INFTY, 0, false },
    { "inf", T_INFTY, 0, false },
    { "mod", T_MODULO, 0, false },
    { "union", T_SETOP, 'u', false },
    { "and", T_AND, 0, false },
    { "or", T_OR, 0, false },
    { "AND", T_AND, 0, false },
    { "OR", T_OR, 0, false },
    { "Or", T_OR, 0, false },
    { "And", T_AND, 0, false },
    { "percent", T_PERCENT, 0, false },
    { "degrees", T_DEGREE, 0, false },
    { "degree", T_DEGREE, 0, false },
    { "deg", T_DEGREE, 0, false },
};

static const char *const text_wrappers[] = { "text", "textbf", "textit", "textrm", "texttt", "textsf", "textnormal", "textsc",
                                             "mbox", "hbox",   "emph",   "mathrm", "rm",     "mathsf", "mathtt",     "operatorname" };
static const char *const math_wrappers[] = { "boxed",      "fbox", "mathbf", "boldsymbol", "bm",     "mathit",  "mathcal", "mathfrak", "mathscr", "underline",
                                             "ensuremath", "bold", "bf",     "it",         "mathop", "mathord", "mathbin", "mathrel",  "pmb",     "framebox", "num" };
static const char *const decorations[] = { "vec",  "hat",      "tilde",         "widehat", "widetilde",     "overrightarrow", "dot",
                                           "ddot", "mathring", "overleftarrow", "angle",   "measuredangle", "triangle",       "displaylimits" };
static const char *const nothing[] = { "left",     "right",     "big",   "Big",   "bigg",  "Bigg",       "bigl",         "bigr",      "Bigl",
                                       "Bigr",     "biggl",     "biggr", "Biggl", "Biggr", "middle",     "displaystyle", "textstyle", "scriptstyle",
                                       "limits",   "nolimits",  "quad",  "qquad", "hline", "thinspace",  "enspace",      "space",     "hfill",
                                       "noindent", "centering", "large", "Large", "small", "normalsize", "nonumber",     "notag",     "cdotp" };
static const char *const argument_too[] = { "hspace", "vspace", "phantom", "color", "textcolor", "colorbox", "label", "tag", "hphantom", "vphantom" };
static const char *const greek[] = { "alpha",    "beta",  "gamma",    "delta",  "epsilon", "varepsilon", "zeta",   "eta",     "theta",
                                     "vartheta", "iota",  "kappa",    "lambda", "mu",      "nu",         "xi",     "omicron", "rho",
                                     "varrho",   "sigma", "varsigma", "tau",    "upsilon", "phi",        "varphi", "chi",     "psi",
                                     "omega",    "Gamma", "Delta",    "Theta",  "Lambda",  "Xi",         "Pi",     "Sigma",   "Upsilon",
                                     "Phi",      "Psi",   "Omega",    "ell",    "hbar",    "aleph",      "imath",  "jmath",   "star" };

static bool listed(const char *const *list, size_t count, const char *s, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == n && !memcmp(list[i], s, n)) return true;
    return false;
}
#define LISTED(list, s, n) listed(list, R1_COUNT(list), s, n)

static bool letter(char ch) { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'); }
static bool digit(char ch) { return ch >= '0' && ch <= '9'; }
static bool blank(char ch) { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f' || ch == '\v'; }

r1_token *r1_math_push(r1_lexer *x, r1_tok kind, unsigned sub, size_t from)
{
    if (x->n == x->cap) {
        uint32_t cap = x->cap ? 2 * x->cap : 64;
        r1_token *grown = cap <= R1_MATH_NODES_MAX * 2 ? r1_math_alloc(x->c, (cap + 1) * sizeof *grown) : NULL;
        if (!grown) {
            x->c->over = !x->c->nomem;
            x->n = 0; /* the text is lost, and `over` says so */
            if (!x->cap) return &x->spare;
        } else {
            if (x->n) memcpy(grown, x->t, x->n * sizeof *grown);
            x->t = grown;
            x->cap = cap;
        }
    }
    r1_math_spend(x->c, 4);
    r1_token *t = &x->t[x->n++];
    *t = (r1_token){ .kind = (uint8_t)kind, .sub = (uint8_t)sub, .space = x->space, .text = x->text > 0, .s = x->s + from, .n = (uint32_t)(x->i - from) };
    x->space = false;
    return t;
}

static void skip_blanks(r1_lexer *x)
{
    while (x->i < x->len && blank(x->s[x->i])) x->i++;
}

static void open_wrapper(r1_lexer *x, bool text)
{
    skip_blanks(x);
    if (x->i < x->len && x->s[x->i] == '*') x->i++;
    if (x->i >= x->len || x->s[x->i] != '{') return;
    if (x->depth == R1_COUNT(x->stack)) {
        x->c->over = true;
        return;
    }
    x->stack[x->depth++] = text ? 2 : 1;
    x->text += text;
    x->i++;
}

/* Over one {...}; nothing when there is none. Returns its content, a piece of the text in any case. */
static r1_math_text group(r1_lexer *x)
{
    skip_blanks(x);
    if (x->i >= x->len || x->s[x->i] != '{') return (r1_math_text){ x->s + x->i, 0 };
    size_t from = ++x->i, level = 1;
    while (x->i < x->len) {
        char ch = x->s[x->i++];
        if (ch == '\\' && x->i < x->len) x->i++;
        else if (ch == '{') level++;
        else if (ch == '}' && --level == 0) return (r1_math_text){ x->s + from, x->i - 1 - from };
    }
    return (r1_math_text){ x->s + from, x->i - from };
}

/* Environments that only set lines under each other. */
static bool only_lines(r1_math_text name)
{
    static const char *const list[] = { "aligned", "align",   "align*",      "gathered", "split",     "equation", "equation*",
                                        "gather",  "gather*", "displaymath", "math",     "alignedat", "center" };
    return LISTED(list, name.p, name.n);
}

/* Whether the text at k goes on with what is no condition: a relation, the end of the line. Then & only sets it under another. */
static bool only_aligns(const r1_lexer *x, size_t k)
{
    while (k < x->len && blank(x->s[k])) k++;
    static const char *const list[] = { "=", "<", ">", "&", "\\le", "\\ge", "\\ne", "\\\\", "\\end", "\\lt", "\\gt", "\\approx" };
    for (size_t i = 0; i < R1_COUNT(list); i++)
        if (x->len - k >= strlen(list[i]) && !memcmp(x->s + k, list[i], strlen(list[i]))) return !(x->s[k] == '\\' && x->len - k > 5 && !memcmp(x->s + k, "\\left", 5));
    return k >= x->len;
}

/* Whether the cases that begin before x->i have conditions: a column for them, or words. Else they are a system of equations. */
static bool has_conditions(const r1_lexer *x)
{
    for (size_t k = x->i; k < x->len && (k % 16 || r1_math_spend(x->c, 2)); k++) {
        if (x->s[k] == '\\' && x->len - k > 4 && !memcmp(x->s + k, "\\end", 4)) return false;
        bool word = (x->s[k] == 'i' || x->s[k] == 'o') && k && !letter(x->s[k - 1]);
        if (word && x->len - k > 2 && !memcmp(x->s + k, "if", 2) && !letter(x->s[k + 2])) return true;
        if (word && x->len - k > 9 && !memcmp(x->s + k, "otherwise", 9)) return true;
        if (x->s[k] == '&' && x->s[k - 1] != '\\' && !only_aligns(x, k + 1)) return true;
    }
    return false;
}

/* Whether the array that begins before x->i ends with \right. and holds no other. */
static bool open_array(const r1_lexer *x)
{
    for (size_t k = x->i; k + 4 < x->len && (k % 16 || r1_math_spend(x->c, 2)); k++) {
        if (x->s[k] != '\\') continue;
        if (!memcmp(x->s + k, "\\begin", r1_min((size_t)6, x->len - k))) return false;
        if (memcmp(x->s + k, "\\end", 4)) continue;
        while (k < x->len && x->s[k] != '}') k++;
        for (k += k < x->len; k < x->len && blank(x->s[k]); k++) continue;
        return x->len - k >= 7 && !memcmp(x->s + k, "\\right.", 7);
    }
    return false;
}

static void environment(r1_lexer *x, bool begin, size_t from)
{
    r1_math_text name = group(x);
    if (begin && name.n == 5 && !memcmp(name.p, "array", 5) && x->n && x->t[x->n - 1].kind == T_OPEN && x->t[x->n - 1].sub == '{' && open_array(x)) {
        x->n--; /* \left\{ \begin{array} ... \end{array} \right. are cases */
        group(x);
        x->left_brace = true;
        name = (r1_math_text){ "cases", 5 };
    } else if (!begin && x->left_brace && name.n == 5 && !memcmp(name.p, "array", 5)) {
        name = (r1_math_text){ "cases", 5 };
        x->left_brace = false;
    }
    bool cases = (name.n == 5 && !memcmp(name.p, "cases", 5)) || (name.n == 6 && !memcmp(name.p + 1, "cases", 5));
    if (cases && begin && has_conditions(x)) {
        r1_math_push(x, T_BEGIN, R1_MATH_CASES, from);
        return;
    }
    if (cases && !begin && !x->in_cases) {
        r1_math_push(x, T_ENDENV, 0, from);
        return;
    }
    if (only_lines(name) || cases) { /* lines, a system */
        x->in_lines = begin && !cases;
        x->in_cases = begin && cases;
        x->space = true;
        return;
    }
    r1_token *t = r1_math_push(x, begin ? T_BEGIN : T_ENDENV, 0, from);
    t->s = name.p;
    t->n = (uint32_t)name.n;
    if (begin && (name.n == 5 || name.n == 6) && !memcmp(name.p, "array", 5)) group(x); /* the columns */
}

static void blackboard(r1_lexer *x, size_t from)
{
    r1_math_text name = group(x);
    if (!name.n && x->i < x->len && letter(x->s[x->i])) name = (r1_math_text){ x->s + x->i++, 1 };
    bool known = name.n == 1 && strchr("RZNQC", *name.p);
    r1_token *t = r1_math_push(x, known ? T_NUMBERS : T_UNKNOWN, known ? (unsigned char)*name.p : 0, from);
    t->s = name.p;
    t->n = (uint32_t)name.n;
}

static void named_command(r1_lexer *x, size_t from)
{
    const char *s = x->s + from + 1;
    size_t n = x->i - from - 1;
    r1_math_spend(x->c, 20);
    if (LISTED(text_wrappers, s, n)) {
        open_wrapper(x, true);
        return;
    }
    if (LISTED(math_wrappers, s, n)) {
        open_wrapper(x, false);
        return;
    }
    if (LISTED(decorations, s, n)) {
        size_t k = x->i;
        while (k < x->len && (blank(x->s[k]) || x->s[k] == '{')) k++;
        bool rate = (n == 3 || n == 4) && !memcmp(s + n - 3, "dot", 3); /* \dot{x} is a derivative */
        if (rate || (k < x->len && digit(x->s[k]))) r1_math_push(x, T_UNKNOWN, 0, from); /* a mark on a number means something else */
        return;
    }
    if (LISTED(nothing, s, n)) {
        bool side = (n == 4 && !memcmp(s, "left", 4)) || (n == 5 && !memcmp(s, "right", 5));
        if (side && x->i < x->len && x->s[x->i] == '.') x->i++;
        else if (!side) x->space = true;
        return;
    }
    if (LISTED(argument_too, s, n)) {
        group(x);
        x->space = true;
        return;
    }
    if (n == 6 && !memcmp(s, "mathbb", 6)) {
        blackboard(x, from);
        return;
    }
    if ((n == 5 && !memcmp(s, "begin", 5)) || (n == 3 && !memcmp(s, "end", 3))) {
        environment(x, n == 5, from);
        return;
    }
    for (size_t k = 0; k < R1_COUNT(commands); k++)
        if (strlen(commands[k].name) == n && !memcmp(commands[k].name, s, n)) {
            r1_math_push(x, (r1_tok)commands[k].kind, commands[k].sub, from);
            return;
        }
    r1_math_push(x, LISTED(greek, s, n) ? T_IDENT : T_UNKNOWN, 0, from);
}

/* Whether the next line begins with a relation: then it goes on with the one before. */
static bool continues(const r1_lexer *x)
{
    size_t k = x->i;
    while (k < x->len && (blank(x->s[k]) || x->s[k] == '&')) k++;
    return k >= x->len || x->s[k] == '=' || x->s[k] == '<' || x->s[k] == '>' ||
           (x->len - k > 4 && (!memcmp(x->s + k, "\\le", 3) || !memcmp(x->s + k, "\\ge", 3) || !memcmp(x->s + k, "\\end", 4)));
}

static void backslash(r1_lexer *x)
{
    size_t from = x->i++;
    if (x->i >= x->len) {
        r1_math_push(x, T_UNKNOWN, 0, from);
        return;
    }
    char ch = x->s[x->i];
    if (letter(ch)) {
        while (x->i < x->len && letter(x->s[x->i])) x->i++;
        named_command(x, from);
        return;
    }
    x->i++;
    switch (ch) {
    case ' ': case ',': case ';': case ':': case '>': case '\n': case '/': x->space = true; return;
    case '!': case '(': case ')': case '[': case ']': case '-': return;
    case '{': r1_math_push(x, T_OPEN, '{', from); return;
    case '}': r1_math_push(x, T_CLOSE, '{', from); return;
    case '%': r1_math_push(x, T_PERCENT, 0, from); return;
    case '$': r1_math_push(x, T_CURRENCY, '$', from); return;
    case '|': r1_math_push(x, T_NORM, 0, from); return;
    case '\\':
        if (!x->in_lines || !continues(x)) r1_math_push(x, T_ROW, 0, from);
        return;
    case '&': r1_math_push(x, T_AND, 0, from); return;
    default: r1_math_push(x, T_UNKNOWN, 0, from);
    }
}

/* What follows a run of letters, for names that are units or words elsewhere. */
static bool tight_here(const r1_lexer *x)
{
    size_t k = x->i;
    if (x->text && k < x->len && x->s[k] == '}') k++; /* \operatorname{lcm}( */
    while (k < x->len && blank(x->s[k])) k++;
    if (k >= x->len) return false;
    char ch = x->s[k];
    if (ch == '(' || ch == '^' || ch == '{' || ch == '\\' || ch == '_' || ch == '[') return true;
    return letter(ch) && (k + 1 >= x->len || !letter(x->s[k + 1]));
}

static void letters(r1_lexer *x)
{
    size_t from = x->i;
    while (x->i < x->len && letter(x->s[x->i])) x->i++;
    const char *s = x->s + from;
    size_t n = x->i - from;
    r1_math_spend(x->c, 10);
    for (size_t k = 0; k < R1_COUNT(run_names); k++) {
        const run_name *r = &run_names[k];
        if (strlen(r->name) != n || memcmp(r->name, s, n) || (r->tight && !tight_here(x))) continue;
        r1_math_push(x, (r1_tok)r->kind, r->sub, from);
        return;
    }
    bool behind_caret = x->n && x->t[x->n - 1].kind == T_CARET && !x->text;
    if (n > 1 && behind_caret && !(n == 2 && strchr("snrt", s[0]) && strchr("tdh", s[1]))) { /* e^xe^y: TeX takes one letter; 7^th is an ordinal */
        x->i = from + 1;
        n = 1;
    }
    if (n == 1) {
        bool constant = *s == 'e' || *s == 'i';
        r1_math_push(x, constant ? T_CONST : T_IDENT, constant ? (*s == 'e' ? K_E : K_I) : 0, from);
        return;
    }
    if (n == 4 || n == 3 || n == 5) /* "sinx", "lnx", "2cosx" */
        for (size_t k = 0; k < R1_COUNT(run_names); k++) {
            const run_name *r = &run_names[k];
            size_t m = strlen(r->name);
            if (r->kind != T_FUNC || r->tight || m + 1 != n || memcmp(r->name, s, m) || !strchr("xyztn", s[n - 1])) continue;
            x->i = from + m;
            r1_math_push(x, T_FUNC, r->sub, from);
            return;
        }
    r1_math_push(x, T_WORD, 0, from);
}

static bool at(const r1_lexer *x, const char *what)
{
    size_t n = strlen(what);
    return x->len - x->i >= n && !memcmp(x->s + x->i, what, n);
}

static void push_long(r1_lexer *x, size_t n, r1_tok kind, unsigned sub)
{
    size_t from = x->i;
    x->i += n;
    r1_math_push(x, kind, sub, from);
}

/* Operators of one to three characters; the longest first. */
static void symbol(r1_lexer *x)
{
    static const struct { const char *s; uint8_t kind, sub;
    } ops[] = {
        { "...", T_DOTS, 0 },     { "<=>", T_REL, R_OTHER }, { "**", T_CARET, 0 },  { "<=", T_REL, R_LE }, { ">=", T_REL, R_GE }, { "==", T_REL, R_EQ },
        { "=>", T_REL, R_OTHER }, { "->", T_REL, R_OTHER },  { "<>", T_REL, R_NE }, { ":=", T_REL, R_EQ }, { "+-", T_OP, 'P' },   { "+", T_OP, '+' },
        { "-", T_OP, '-' },       { "*", T_OP, '*' },        { "/", T_OP, '/' },    { "=", T_REL, R_EQ },  { "<", T_REL, R_LT },  { ">", T_REL, R_GT },
        { "(", T_OPEN, '(' },     { ")", T_CLOSE, '(' },     { "[", T_OPEN, '[' },  { "]", T_CLOSE, '[' }, { ",", T_COMMA, 0 },   { ";", T_SEMI, 0 },
        { ":", T_COLON, 0 },      { "|", T_BAR, 0 },         { "^", T_CARET, 0 },   { "_", T_UNDER, 0 },   { "!", T_BANG, 0 },    { "'", T_PRIME, 0 },
        { "%", T_PERCENT, 0 },    { "&", T_AMP, 0 },         { ".", T_STOP, 0 },
    };
    if (at(x, "!=") && x->space) {
        push_long(x, 2, T_REL, R_NE);
        return;
    }
    for (size_t k = 0; k < R1_COUNT(ops); k++)
        if (at(x, ops[k].s)) {
            if (ops[k].kind == T_OPEN) x->brackets++;
            if (ops[k].kind == T_CLOSE && x->brackets) x->brackets--;
            push_long(x, strlen(ops[k].s), (r1_tok)ops[k].kind, ops[k].sub);
            return;
        }
    push_long(x, 1, T_UNKNOWN, 0);
}

/* A dollar sign is money when it has no partner, or when its partner would close a formula before a number. */
static void dollar(r1_lexer *x)
{
    size_t k = x->i + 1;
    while (k < x->len && x->s[k] == ' ') k++;
    bool number = k < x->len && (digit(x->s[k]) || x->s[k] == '.' || x->s[k] == '-');
    size_t next = k;
    while (next < x->len && x->s[next] != '$') next++;
    bool odd = x->dollars % 2 == 1, like_money = next < x->len && next > k && blank(x->s[next - 1]) && next + 1 < x->len && digit(x->s[next + 1]);
    x->dollars--;
    if (number && !x->in_formula && (odd || like_money)) push_long(x, 1, T_CURRENCY, '$');
    else {
        x->i++;
        x->in_formula = !x->in_formula && next < x->len;
        x->space = true;
    }
}

static void brace(r1_lexer *x)
{
    if (x->s[x->i] == '{') {
        if (x->depth == R1_COUNT(x->stack)) {
            x->c->over = true;
            x->i = x->len;
            return;
        }
        x->stack[x->depth++] = 0;
        push_long(x, 1, T_LBRACE, 0);
        return;
    }
    if (!x->depth) {
        push_long(x, 1, T_UNKNOWN, 0);
        return;
    }
    uint8_t kind = x->stack[--x->depth];
    if (kind == 0) push_long(x, 1, T_RBRACE, 0);
    else {
        x->i++;
        x->text -= kind == 2;
    }
}

static void one(r1_lexer *x)
{
    char ch = x->s[x->i];
    if (ch == '~' && at(x, "~~") && !x->in_lines) { /* struck out in Markdown */
        push_long(x, 2, T_UNKNOWN, 0);
        return;
    }
    if (blank(ch) || ch == '~' || (ch == '&' && (x->in_lines || x->in_cases))) {
        x->space = true;
        x->i++;
    } else if (r1_math_lex_number(x)) return;
    else if (ch == '\\') backslash(x);
    else if (letter(ch)) letters(x);
    else if (ch == '{' || ch == '}') brace(x);
    else if (ch == '$') dollar(x);
    else symbol(x);
}

/* "((x))" as "(x)": brackets around brackets cost no depth later. */
static void strip_double(r1_lexer *x)
{
    uint32_t *partner = r1_math_alloc(x->c, (x->n + 1) * 2 * sizeof *partner), top = 0, m = 0;
    if (!partner || x->c->over) return;
    uint32_t *open = partner + x->n + 1;
    for (uint32_t i = 0; i < x->n; i++) {
        const r1_token *t = &x->t[i];
        partner[i] = UINT32_MAX;
        bool opens = t->kind == T_OPEN || t->kind == T_LBRACE, closes = t->kind == T_CLOSE || t->kind == T_RBRACE;
        if (opens) open[top++] = i;
        if (!closes || !top) continue;
        uint32_t j = open[--top];
        bool same = (t->kind == T_RBRACE) == (x->t[j].kind == T_LBRACE) && t->sub == x->t[j].sub;
        if (same) partner[i] = j, partner[j] = i;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        const r1_token *t = &x->t[i];
        uint32_t p = partner[i];
        bool round = p != UINT32_MAX && (t->kind == T_LBRACE || t->kind == T_RBRACE || t->sub == '(');
        if (round && p > i && partner[i + 1] == p - 1 && p > i + 1 && x->t[i + 1].kind == t->kind && x->t[i + 1].sub == t->sub) {
            open[i] = 1; /* marks: this pair goes */
            continue;
        }
        open[i] = 0;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t p = partner[i];
        bool goes = p != UINT32_MAX && (p > i ? open[i] : open[p]);
        if (!goes) x->t[m++] = x->t[i];
    }
    x->n = m;
}

bool r1_math_lex(r1_math_ctx *c, const char *clean, size_t n, unsigned flags, r1_math_tokens *out)
{
    r1_lexer x = { .c = c, .s = clean, .len = n, .flags = flags };
    for (size_t i = 0; i < n; i++) x.dollars += clean[i] == '$' && (i == 0 || clean[i - 1] != '\\');
    while (x.i < n && !c->over && !c->nomem) one(&x);
    if (x.depth) r1_math_push(&x, T_UNKNOWN, 0, x.i);
    strip_double(&x);
    r1_math_push(&x, T_END, 0, x.i);
    *out = (r1_math_tokens){ .t = x.t, .n = x.n ? x.n - 1 : 0, .clean = clean, .n_clean = n, .ambiguous = x.ambiguous };
    return !c->over && !c->nomem && x.t;
}
