/* What a C++ solution may not define, because it would decide the comparisons of the test.
 *
 *   namespaces of the library   only std::hash of any type, and a few other templates (less, tuple_size ...) of a type of the solution's own
 *   comparisons                 between types of its own only: else a wrong result could be equal to everything
 *   arithmetic                  with other types too, when the result is of its own type, which then converts to nothing, or the test has no such sign
 *   the result of a function    that the test calls: no own type that is compared and made out of others without being asked, and no container
 *                               of its own, whose size it could tell as it likes, unless the test or the prompt names the type; or the test
 *                               compares such objects with one another only, asks for plain members, or takes them as the range of a loop over plain values
 *
 *   functions                   none that the test takes from the library for comparing, beside one that is tested; no operator new for everybody
 *
 * A class that the test declares objects of ("Fraction a(1, 2);") may be compared with anything: the test is about it.
 *
 * Looks at words of the solution, not at what the compiler makes of them: where macros could hide a word (one that holds `operator`, or glues
 * it together), the solution is refused. */
#include "reward/code/code_int.h"
#include <ctype.h>

#define OPERATORS_MAX 500 /* each is looked up in all words */
#define DEPTH_MAX 64

typedef r1_code_words source;

static bool is(const source *s, size_t i, const char *text) { return r1_code_word_is(s, i, text); }
static bool is_name(const source *s, size_t i) { return r1_code_word_is_name(s, i); }

static bool one_of(const source *s, size_t i, const char *const *list, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (is(s, i, list[k])) return true;
    return false;
}
#define ONE_OF(s, i, ...) one_of(s, i, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* Whether ## could make the word out of words of the text. */
static bool glued(const source *s, const char *word, size_t n)
{
    bool reach[64] = { true };
    if (!s->glues || n >= sizeof reach) return s->glues;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s->n && reach[i]; k++)
            if (is_name(s, k) && s->t[k].n <= n - i && s->t[k].n < n && !memcmp(s->t[k].s, word + i, s->t[k].n)) reach[i + s->t[k].n] = true;
    return reach[n];
}

/* ---- types of the solution's own ---- */

static bool same(const source *s, size_t a, size_t b)
{
    return s->t[a].n == s->t[b].n && !memcmp(s->t[a].s, s->t[b].s, s->t[a].n);
}

static bool is_library_type(const source *s, size_t i)
{
    return ONE_OF(s, i, "vector", "string", "map", "set", "pair", "tuple", "list", "deque", "array", "optional", "variant", "multiset", "multimap", "unordered_map",
                  "unordered_set", "stack", "queue", "basic_string", "string_view", "complex", "bitset", "function", "shared_ptr", "unique_ptr", "size_t", "any", "valarray");
}

/* Whether word i is the name of a structure, class, union or enumeration that the solution makes, and means nothing else in it. */
static bool own_type(const source *s, size_t i)
{
    bool made = false;
    if (!is_name(s, i) || is_library_type(s, i)) return false;
    for (size_t k = 1; k < s->n; k++) {
        if (!same(s, k, i)) continue;
        if (ONE_OF(s, k - 1, "define", "typename") || (ONE_OF(s, k - 1, "using", "namespace"))) return false;
        bool maker = ONE_OF(s, k - 1, "struct", "class", "union", "enum");
        if (maker && k > 1 && ONE_OF(s, k - 2, "<", ",")) return false; /* a parameter of a template */
        if (maker && (is(s, k + 1, "{") || is(s, k + 1, ":") || is(s, k + 1, "final"))) made = true;
        if (is(s, k - 1, "}") && is(s, k + 1, ";")) made = true;
    }
    return made;
}

/* Whether the test declares an object of the type of word i. */
static bool tested(const source *s, size_t i, const source *test)
{
    for (size_t k = 0; k + 1 < test->n; k++) {
        if (test->t[k].n != s->t[i].n || memcmp(test->t[k].s, s->t[i].s, s->t[i].n) || !is_name(test, k + 1)) continue;
        if (k && (ONE_OF(test, k - 1, ":", ".", ">", "&", "*") || (is_name(test, k - 1) && !ONE_OF(test, k - 1, "const", "static", "auto")))) continue;
        return true;
    }
    return false;
}

/* Whether [from, to) is a parameter or result of an own type: "const A::Own<T> &name". *type: its word. */
static bool is_own(const source *s, size_t from, size_t to, size_t *type)
{
    size_t found = 0;
    bool any = false;
    for (size_t i = from; i < to && !is(s, i, "="); i++) {
        if (ONE_OF(s, i, "const", "volatile", "struct", "class", "enum", "inline", "static", "constexpr", "friend", "virtual", "typename", "&", "*")) continue;
        if (any) { /* arguments of the template, and a name */
            if (is(s, i, "<")) {
                int depth = 0;
                for (; i < to; i++) {
                    depth += is(s, i, "<") - is(s, i, ">");
                    if (!depth) break;
                }
                continue;
            }
            if (is(s, i, ":") || is(s, i, "(")) return false;
            continue;
        }
        if (is_name(s, i) && is(s, i + 1, ":") && is(s, i + 2, ":")) {
            i += 2;
            if (!is_name(s, i + 1) || !own_type(s, i + 1)) return false;
            continue;
        }
        if (ONE_OF(s, i, "vector", "pair", "list", "deque", "optional", "unique_ptr", "shared_ptr") && is(s, i + 1, "<")) {
            if (!own_type(s, i + 2) || is(s, i + 3, ":")) return false;
            *type = i + 2;
            return true;
        }
        if (!own_type(s, i)) return false;
        found = i;
        any = true;
    }
    if (any) *type = found;
    return any;
}

/* ---- operators ---- */

static size_t behind(const source *s, size_t i, const char *open, const char *close)
{
    for (int depth = 0; i < s->n; i++) {
        depth += is(s, i, open) - is(s, i, close);
        if (!depth) return i + 1;
    }
    return s->n;
}

/* Whether one parameter of the list at i, "(", is of another type; *about: whether one is of a tested type. */
static bool has_foreign(const source *s, size_t i, const source *test, size_t *n, bool *about)
{
    size_t end = behind(s, i, "(", ")"), start = i + 1;
    bool foreign = false;
    int angle = 0;
    *n = 0;
    for (size_t k = i + 1; k < end; k++) {
        angle += is(s, k, "<") - is(s, k, ">");
        if (k + 1 != end && !(is(s, k, ",") && angle <= 0)) continue;
        size_t type = 0;
        if (k > start && !(k == start + 1 && is(s, start, "void"))) {
            ++*n;
            bool own = is_own(s, start, k, &type);
            if (!own) foreign = true;
            else if (tested(s, type, test)) *about = true;
        }
        start = k + 1;
    }
    return foreign;
}

/* The word that names the class whose "{" stands at i, 0 when it is no class's. */
static size_t class_of(const source *s, size_t i)
{
    for (size_t k = i; k-- > 0 && !ONE_OF(s, k, ";", "}", "{", ")");)
        if (ONE_OF(s, k, "struct", "class", "union") && is_name(s, k + 1) && !(k && ONE_OF(s, k - 1, "<", ","))) return k + 1; /* Base<struct X> is no head */
    return 0;
}

/* The word that names the class around position i, 0 when there is none. */
static size_t class_around(const source *s, size_t i)
{
    int depth = 0;
    while (i-- > 0) {
        depth += is(s, i, "}") - is(s, i, "{");
        if (depth < 0) return class_of(s, i);
    }
    return 0;
}

static bool converts(const source *s)
{
    for (size_t i = 0; i + 1 < s->n; i++)
        if (is(s, i, "operator") && is_name(s, i + 1) && !ONE_OF(s, i + 1, "new", "delete", "co_await")) return true;
    return false;
}

/* Whether the test may have the sign as an operator between two values, or before one that is no number. */
static bool has_sign(const source *test, char sign)
{
    for (size_t k = 0; k < test->n; k++) {
        char next = k + 1 < test->n && test->t[k].s + 1 == test->t[k + 1].s ? *test->t[k + 1].s : 0, last = k && test->t[k - 1].s + 1 == test->t[k].s ? *test->t[k - 1].s : 0;
        if (*test->t[k].s != sign) continue;
        if (sign != '~' && (next == sign || last == sign || next == '=' || (sign == '-' && next == '>'))) continue; /* ++ += && -> */
        bool first = k && !is_name(test, k - 1) && !isdigit((unsigned char)*test->t[k - 1].s) && !ONE_OF(test, k - 1, ")", "]");
        if (!(sign == '-' && first && next && isdigit((unsigned char)next))) return true;
    }
    return false;
}

static bool bad_operator(const source *s, size_t i, const source *test)
{
    size_t at = i + 1, n = 0, result = 0;
    if (is_name(s, at) || ONE_OF(s, at, "(", "[", "\"")) {
        /* "operator and" and the like; a conversion otherwise */
        return ONE_OF(s, at, "not_eq", "not", "and", "or", "bitand", "bitor", "xor", "compl");
    }
    size_t sign = at;
    while (at < s->n && !is_name(s, at) && !ONE_OF(s, at, "(", ";")) at++;
    if (!is(s, at, "(")) return false;
    size_t len = at - sign;
    bool compares = (len == 2 && is(s, sign + 1, "=") && ONE_OF(s, sign, "=", "!", "<", ">")) || (len == 1 && ONE_OF(s, sign, "<", ">", "!")) || len == 3;
    bool shift = len == 2 && ONE_OF(s, sign, "<", ">") && same(s, sign, sign + 1);
    bool arithmetic = len == 1 && ONE_OF(s, sign, "+", "-", "*", "/", "%", "&", "|", "^", "~");
    bool logical = len == 2 && ONE_OF(s, sign, "&", "|") && same(s, sign, sign + 1);
    if (is(s, sign + len - 1, "=") && len == 3) compares = false; /* <<= >>= */
    if (len == 3 && is(s, sign + 1, "=") && is(s, sign + 2, ">")) compares = true;
    if (shift || !(compares || arithmetic || logical)) return false;
    bool about = false, foreign = has_foreign(s, at, test, &n, &about);
    size_t around = class_around(s, i);
    if (!around && i > 2 && is(s, i - 1, ":") && is(s, i - 2, ":")) around = i - 3; /* Own::operator== */
    if (around && tested(s, around, test)) about = true;
    if (!foreign || about) return false;
    if (compares || logical) return true;
    if (!has_sign(test, *s->t[sign].s)) return false; /* the solution's own affair */
    size_t from = i;
    while (from > 0 && !ONE_OF(s, from - 1, ";", "}", "{", ":", ">", ")")) from--;
    return converts(s) || !is_own(s, from, i, &result);
}

/* ---- namespaces and specialisations of the library's ---- */

/* Whether the specialisation whose "struct" stands at i may be: hash of anything, others of an own type. */
static bool may_specialise(const source *s, size_t i)
{
    size_t name = i + 1, type = 0;
    while (is_name(s, name) && is(s, name + 1, ":") && is(s, name + 2, ":")) name += 3;
    if (!is(s, name + 1, "<")) return false;
    if (is(s, name, "hash")) return true;
    if (!ONE_OF(s, name, "less", "greater", "equal_to", "tuple_size", "tuple_element", "formatter", "numeric_limits", "iterator_traits")) return false;
    for (size_t k = name + 2; k < s->n && !ONE_OF(s, k, ">", "{"); k++)
        if (is_own(s, k, k + 1, &type)) return true;
    return false;
}

/* Whether a namespace of the library is opened at i with more in it than specialisations that may be. */
static bool bad_namespace(const source *s, size_t i)
{
    if (i && is(s, i - 1, "using")) return false;
    if (s->t[i].macro) return true;
    size_t at = i + 1;
    bool library = false;
    for (; at < s->n && !ONE_OF(s, at, "{", ";", "="); at++) {
        if (is(s, at, "std") || s->t[at].s[0] == '_' || is(s, at, "(")) library = true;
        for (size_t k = 1; k < s->n && is_name(s, at); k++) library = library || (is(s, k - 1, "define") && same(s, k, at)); /* a macro */
    }
    if (!library || !is(s, at, "{")) return false;
    size_t end = behind(s, at, "{", "}") - 1;
    for (at++; at < end;) {
        if (is(s, at, ";")) {
            at++;
            continue;
        }
        if (!is(s, at, "template") || !is(s, at + 1, "<")) return true;
        at = behind(s, at + 1, "<", ">");
        if (!ONE_OF(s, at, "struct", "class") || !may_specialise(s, at)) return true;
        while (at < end && !ONE_OF(s, at, "{", ";")) at++;
        if (is(s, at, "{")) at = behind(s, at, "{", "}");
    }
    return false;
}

/* template<> at i of what is not the solution's own. */
static bool bad_specialisation(const source *s, size_t i)
{
    if (!is(s, i + 1, "<") || !is(s, i + 2, ">")) return false;
    size_t at = i + 3;
    bool inside = false; /* in std: bad_namespace judges it */
    if (ONE_OF(s, at, "struct", "class")) {
        for (size_t k = at; k < s->n && !ONE_OF(s, k, "<", "{", ";"); k++) inside = inside || is(s, k, ":");
        return inside && !own_type(s, at + 1) && !may_specialise(s, at);
    }
    int angle = 0;
    for (; at < s->n && !ONE_OF(s, at, "{", ";", "="); at++) {
        angle += is(s, at, "<") - is(s, at, ">");
        if (!angle && is(s, at, "(")) break;
    }
    size_t name = at;
    if (!name) return false;
    for (bool more = true; more;) { /* back over Name<...>:: */
        more = false;
        if (name && is(s, name - 1, ">")) {
            int depth = 0;
            while (name-- > i) {
                depth += is(s, name, ">") - is(s, name, "<");
                if (!depth) break;
            }
        }
        if (name <= i + 3) return false;
        name--;
        if (name > i + 4 && is(s, name - 1, ":") && is(s, name - 2, ":")) {
            inside = more = true;
            name -= 2;
        }
    }
    return inside && !own_type(s, name);
}

/* ---- results ---- */

/* Whether the constructor whose parameters start at i, "(", makes an object out of one value of another type. */
static bool makes_of_others(const source *s, size_t i)
{
    const source none = { .n = 0 };
    size_t n = 0, n_default = 0, end = behind(s, i, "(", ")");
    bool about = false, foreign = has_foreign(s, i, &none, &n, &about);
    for (size_t k = i; k < end; k++) n_default += is(s, k, "=") || is(s, k, ".");
    return foreign && n && n <= 1 + n_default;
}

/* Own types by their words; all: one that is not known, so any. */
typedef struct kinds {
    size_t word[DEPTH_MAX], n;
    bool all;
} kinds;

/* Whether the word of an own class may also name something else: typedef Other Word, template <template <class> class Word>. */
static bool has_other_meaning(const source *s, size_t i)
{
    for (size_t k = 2; k + 1 < s->n; k++) {
        if (!same(s, k, i)) continue;
        bool maker = ONE_OF(s, k - 1, "struct", "class");
        if (is(s, k - 1, ".") || (maker && is(s, k - 2, ">") && ONE_OF(s, k + 1, ">", ",", "=", "."))) return true;
        if (maker || !ONE_OF(s, k + 1, ";", ",", ")", "[", "(")) continue;
        int angle = 0;
        size_t from = k;
        while (from > 0 && !ONE_OF(s, from - 1, ";", "{", "}", "typedef")) from--, angle += is(s, from, "<") - is(s, from, ">");
        bool itself = from + 2 == k && same(s, from + 1, k); /* typedef struct Word Word; */
        if (from && is(s, from - 1, "typedef") && angle <= 0 && !itself) return true;
        if (!from || !is(s, from - 1, "}") || is(s, k + 1, "(")) continue;
        size_t open = from - 1; /* typedef struct Other { ... } *P, Word; */
        for (int depth = 0; open > 0; open--) {
            depth += is(s, open, "}") - is(s, open, "{");
            if (!depth) break;
        }
        size_t class = class_of(s, open);
        if (class && !same(s, class, k)) return true;
    }
    return false;
}

static void add_kind(const source *s, size_t i, kinds *out)
{
    for (size_t k = 0; k < out->n; k++)
        if (same(s, i, out->word[k])) return;
    bool named = false; /* a class of that very name, no other name for one */
    for (size_t k = 1; k + 1 < s->n && !named; k++) named = same(s, k, i) && ONE_OF(s, k - 1, "struct", "class", "union", "enum") && ONE_OF(s, k + 1, "{", ":", "final");
    if (s->glues || !named || !own_type(s, i) || has_other_meaning(s, i) || out->n == DEPTH_MAX) out->all = true;
    if (out->n < DEPTH_MAX) out->word[out->n++] = i;
}

/* The types that take part in the comparison whose `operator` stands at i. */
static void add_compared(const source *s, size_t i, size_t around, kinds *out)
{
    size_t open = i + 1;
    bool found = around != 0;
    while (open < s->n && !ONE_OF(s, open, "(", ";", "{")) open++;
    size_t end = is(s, open, "(") ? behind(s, open, "(", ")") : open;
    if (around) add_kind(s, around, out);
    for (size_t k = open; k < end; k++)
        if (own_type(s, k)) add_kind(s, k, out), found = true;
    if (!found) out->all = true;
}

static bool is_macro(const source *s, size_t i)
{
    for (size_t k = 1; k < s->n; k++)
        if (s->t[k - 1].macro == R1_CODE_DIRECTIVE && s->t[k].macro && same(s, k, i)) return true;
    return false;
}

/* Whether word i declares a constructor that makes an object out of others; around: the word of the class whose braces are around it, 0 when it has none or its head
 * is not understood. */
static bool is_constructor(const source *s, size_t i, size_t around, size_t depth)
{
    if (ONE_OF(s, i - 1, "explicit", "~", "return", "=", "new")) return false;
    if (around && same(s, around, i)) {
        if (is(s, i + 1, ")") && is(s, i + 2, "(")) return makes_of_others(s, i + 2); /* (Own)(int), or by a macro */
        if (is_name(s, i + 1) && is_macro(s, i + 1)) return true;
        return is(s, i + 1, "(") && makes_of_others(s, i + 1);
    }
    bool start = !around && depth && ONE_OF(s, i - 1, ";", "{", "}", ":", ">", "]", "constexpr", "inline");
    return start && is(s, i + 1, "(") && own_type(s, i) && makes_of_others(s, i + 1);
}

/* Whether a macro opens or closes what it does not close or open, or takes away a word by which constructors are told from others. */
static bool has_odd_macro(const source *s)
{
    int depth[3] = { 0 };
    for (size_t i = 1; i < s->n; i++) {
        bool name = s->t[i].macro && s->t[i - 1].macro == R1_CODE_DIRECTIVE;
        if (name && ONE_OF(s, i, "explicit", "return", "new", "struct", "class", "typedef", "using")) return true;
        if (s->t[i].macro == 1 && !name) {
            depth[0] += is(s, i, "{") - is(s, i, "}");
            depth[1] += is(s, i, "(") - is(s, i, ")");
            depth[2] += is(s, i, "[") - is(s, i, "]");
        }
        bool end = s->t[i].macro == 1 && (i + 1 == s->n || s->t[i + 1].macro != 1);
        if (end && (depth[0] || depth[1] || depth[2])) return true;
    }
    return false;
}

/* Whether macros have such a type's name in them, or can glue it together, where a constructor could be hidden. */
static bool is_spoken_of(const source *s, const kinds *types)
{
    for (size_t k = 0; k < types->n; k++) {
        const r1_code_word *w = &s->t[types->word[k]];
        if (glued(s, w->s, w->n)) return true;
        for (size_t i = 1; i < s->n; i++)
            if (s->t[i].macro == 1 && same(s, i, types->word[k]) && !ONE_OF(s, i - 1, "<", ",")) return true;
    }
    return false;
}

/* Whether there is a comparison or difference of an own type that is made out of others without being asked. */
static bool compares_others(const source *s, const source *test)
{
    kinds compared = { .n = 0 }, made = { .n = 0 };
    size_t classes[DEPTH_MAX] = { 0 }, depth = 0; /* of the braces around i */
    bool any = false;
    for (size_t i = 1; i < s->n && !any; i++) any = is(s, i, "operator");
    if (!any) return false;
    if (is(s, 0, "{")) depth++;
    for (size_t i = 1; i + 2 < s->n; i++) {
        if (is(s, i, "{") && ++depth < DEPTH_MAX) classes[depth] = class_of(s, i);
        if (is(s, i, "}") && depth) depth--;
        size_t around = depth < DEPTH_MAX ? classes[depth] : 0;
        bool sign = is(s, i, "operator") && ONE_OF(s, i + 1, "=", "!", "<", ">", "-");
        if (sign && is(s, i + 1, "!") && !is(s, i + 2, "=") && !(around && tested(s, around, test))) return true; /* both true and not */
        if (sign && !(ONE_OF(s, i + 1, "<", ">") && same(s, i + 1, i + 2)) && !(is(s, i + 1, "-") && is(s, i + 2, ">"))) add_compared(s, i, around, &compared);
        if (is(s, i - 1, "using") && is_name(s, i) && is(s, i + 1, ":") && is(s, i + 2, ":") && around) add_kind(s, around, &made); /* inherited constructors */
        if (is_name(s, i) && !tested(s, i, test) && is_constructor(s, i, around, depth)) add_kind(s, i, &made);
    }
    if (compared.n && (has_odd_macro(s) || is_spoken_of(s, &compared))) return true;
    if ((compared.all && made.n) || (made.all && compared.n)) return true;
    for (size_t i = 0; i < compared.n; i++)
        for (size_t k = 0; k < made.n; k++)
            if (same(s, compared.word[i], made.word[k])) return true;
    return false;
}

/* Words of types of the language that are followed by nothing else's. */
static bool is_word_of_types(const source *s, size_t i)
{
    return ONE_OF(s, i, "int", "long", "short", "unsigned", "signed", "char", "bool", "float", "double", "void", "int64_t", "uint64_t", "int32_t", "uint32_t", "const", "static", "inline", "constexpr",
                  "extern", "auto", "std");
}

/* Whether a macro gives a word of types the meaning of something that is none: #define int Own. */
static bool bad_type_macro(const source *s)
{
    for (size_t i = 1; i < s->n; i++) {
        if (s->t[i - 1].macro != R1_CODE_DIRECTIVE || !(is_word_of_types(s, i) || is_library_type(s, i))) continue;
        for (size_t k = i + 1; k < s->n && s->t[k].macro == 1; k++)
            if (!is_word_of_types(s, k) && !is_library_type(s, k) && !ONE_OF(s, k, ":", "__int128", "__extension__")) return true;
    }
    return false;
}

/* Whether the solution makes a class with the name of word i, be it the library's. */
static bool is_remade(const source *s, size_t i)
{
    for (size_t k = 1; k + 1 < s->n; k++) {
        if (!same(s, k, i)) continue;
        if (ONE_OF(s, k - 1, "struct", "class", "union", "enum") && ONE_OF(s, k + 1, "{", ":", "final")) return true;
        if ((is(s, k - 1, "}") && is(s, k + 1, ";")) || (is(s, k - 1, "using") && is(s, k + 1, "="))) return true;
    }
    return false;
}

/* Whether the result [from, to) is a type of the language or the library, or a pointer. */
static bool is_plain(const source *s, size_t from, size_t to)
{
    bool any = false;
    for (size_t i = from; i < to; i++) {
        if (is(s, i, "*")) return true;
        if (!is_name(s, i) || ONE_OF(s, i, "std", "const", "static", "inline", "constexpr", "extern")) continue;
        if (is_library_type(s, i) ? is_remade(s, i) : !ONE_OF(s, i, "int", "long", "short", "unsigned", "signed", "char", "bool", "float", "double", "void", "int64_t", "uint64_t", "int32_t", "uint32_t")) return false;
        any = true;
    }
    return any;
}

/* The same, where names may be short ones of the solution for such types: typedef long long ll. */
static bool is_plain_or_short(const source *s, size_t from, size_t to)
{
    if (is_plain(s, from, to)) return true;
    for (size_t i = from; i < to; i++) {
        bool plain = is_plain(s, i, i + 1) || !is_name(s, i) || ONE_OF(s, i, "std", "const", "static", "inline", "constexpr");
        for (size_t k = 1; k < s->n && !plain; k++) {
            if (!same(s, k, i)) continue;
            size_t a = k + 2, b = a;
            if (is(s, k - 1, "using") && is(s, k + 1, "=")) while (b < s->n && !is(s, b, ";")) b++;
            else if (is(s, k + 1, ";")) {
                for (a = b = k; a > 0 && !ONE_OF(s, a - 1, "typedef", ";", "{", "}");) a--;
                if (!a || !is(s, a - 1, "typedef")) continue;
            } else continue;
            if (!is_plain(s, a, b)) return false;
            plain = true;
        }
        if (!plain) return false;
    }
    return true;
}

static bool called(const source *s, size_t i, const source *test)
{
    for (size_t k = 0; k + 1 < test->n; k++)
        if (is(test, k + 1, "(") && test->t[k].n == s->t[i].n && !memcmp(test->t[k].s, s->t[i].s, s->t[i].n)) return true;
    return false;
}

/* ---- containers that a test would believe ---- */

typedef struct names { size_t word[DEPTH_MAX], n; } names;

static bool is_among(const source *s, size_t i, const names *list)
{
    for (size_t k = 0; k < list->n; k++)
        if (same(s, i, list->word[k])) return true;
    return false;
}

static bool has_any(const source *s, size_t from, size_t to, const names *list)
{
    for (size_t i = from; i < to; i++)
        if (is_among(s, i, list)) return true;
    return false;
}

/* Whether the class whose name is word i is derived from one of the library's or of the list, or says itself how much is in it. */
static bool is_container(const source *s, size_t i, const names *list)
{
    size_t at = i + 1;
    for (; at < s->n && !ONE_OF(s, at, "{", ";", "(", ")", "="); at++)
        if (at > i + 1 && (is_library_type(s, at) || is_among(s, at, list))) return true;
    if (!is(s, at, "{")) return false;
    for (int depth = 0; at + 1 < s->n; at++) {
        depth += is(s, at, "{") - is(s, at, "}");
        if (!depth) return false;
        bool member = depth == 1 && !ONE_OF(s, at - 1, ".", ">", ":", "return", "=", "(", ",");
        if (member && is(s, at + 1, "(") && ONE_OF(s, at, "size", "begin", "end", "length", "empty", "at", "compare", "find", "count")) return true;
        if (member && is(s, at, "operator") && is(s, at + 1, "[")) return true;
    }
    return false;
}

/* ---- classes whose objects the test makes for itself only ---- */

/* The word that names the class of word `type` where it is defined. */
static size_t class_word(const source *s, size_t type)
{
    for (size_t k = 1; k + 1 < s->n; k++)
        if (same(s, k, type) && ONE_OF(s, k - 1, "struct", "class") && ONE_OF(s, k + 1, "{", ":", "final")) return k;
    return type;
}

/* The declaration of a member at word i, directly in a class, starts at the result; 0: it is no declaration. */
static size_t start_of_member(const source *s, size_t i)
{
    if (!(is_name(s, i - 1) && !ONE_OF(s, i - 1, "return", "goto", "case", "new", "else")) && !ONE_OF(s, i - 1, "*", "&", ">")) return 0;
    size_t from = i;
    while (from > 0 && !ONE_OF(s, from - 1, ";", "{", "}", ":")) from--;
    return from;
}

/* Whether the class of word `type`, with no base, has the member of the test's word k, and that is of a type of the language or the library. */
static bool has_plain_member(const source *s, size_t type, const source *test, size_t k)
{
    bool found = false;
    size_t at = type + 1;
    if (!is(s, at, "{")) return false;
    for (int depth = 0; at < s->n; at++) {
        depth += is(s, at, "{") - is(s, at, "}");
        if (!depth) break;
        if (depth != 1 || s->t[at].n != test->t[k].n || memcmp(s->t[at].s, test->t[k].s, s->t[at].n)) continue;
        size_t from = start_of_member(s, at);
        if (!from) continue;
        if (!is_plain_or_short(s, from, at)) return false;
        found = true;
    }
    return found;
}

/* Whether a value of the class of word `type` has in it one of another own class, which the test does not declare. */
static bool has_hidden_member(const source *s, size_t type, const source *test)
{
    size_t at = type + 1;
    while (at < s->n && !ONE_OF(s, at, "{", ";", "(")) at++;
    if (!is(s, at, "{")) return false;
    for (int depth = 0; at + 1 < s->n; at++) {
        depth += is(s, at, "{") - is(s, at, "}");
        if (!depth) return false;
        if (depth == 1 && is_name(s, at) && is_name(s, at + 1) && !same(s, at, type) && !ONE_OF(s, at - 1, "struct", "class", "enum", "union", "friend") && own_type(s, at) && !tested(s, at, test) &&
            !is(s, at + 2, "(")) return true;
    }
    return false;
}

/* Whether the test's word k names the class of word `type`, or a function that the solution lets return it. */
static bool gives(const source *s, size_t type, const source *test, size_t k)
{
    if (k >= test->n || !is_name(test, k) || !is(test, k + 1, "(")) return false;
    if (s->t[type].n == test->t[k].n && !memcmp(s->t[type].s, test->t[k].s, test->t[k].n)) return true;
    for (size_t i = 1; i + 1 < s->n; i++)
        if (s->t[i].n == test->t[k].n && !memcmp(s->t[i].s, test->t[k].s, s->t[i].n) && same(s, i - 1, type) && is(s, i + 1, "(")) return true;
    return false;
}

static bool is_equality(const source *test, size_t k)
{
    return ONE_OF(test, k, "=", "!") && is(test, k + 1, "=") && test->t[k].s + 1 == test->t[k + 1].s;
}

/* Whether the whole condition from the "(" at k is a comparison of two such objects, both made by the solution: what they are equal to is its affair. */
static bool compares_such(const source *s, size_t type, const source *test, size_t k)
{
    if (!k || !ONE_OF(test, k - 1, "assert", "if") || !is(test, k, "(") || !gives(s, type, test, k + 1)) return false;
    size_t sign = behind(test, k + 2, "(", ")");
    return is_equality(test, sign) && gives(s, type, test, sign + 2) && is(test, behind(test, sign + 3, "(", ")"), ")");
}

/* Whether word k of the test is called for a loop over values of a plain type: for (int x : R(5)). */
static bool is_looped(const source *test, size_t k, size_t end)
{
    size_t from = k - 1;
    if (k < 4 || !is(test, k - 1, ":") || !is_name(test, k - 2) || !is(test, end, ")")) return false;
    while (from > 0 && !is(test, from - 1, "(")) from--;
    return from > 1 && is(test, from - 2, "for") && is_plain(test, from, k - 2) && !ONE_OF(test, k - 3, "*");
}

/* Whether the test uses word i of the solution, which makes objects of the class of word `type`, only where such an object is compared with another that the solution
 * makes, or a plain member of it is asked for; or, all the time, as the range of a loop. Then nothing of the test's own is compared with one. */
static bool is_harmless(const source *s, size_t i, size_t type, const source *test)
{
    const names none = { .n = 0 };
    size_t n_loops = 0, n_others = 0;
    for (size_t k = 0; k < test->n; k++) {
        if (test->t[k].n != s->t[i].n || memcmp(test->t[k].s, s->t[i].s, s->t[i].n)) continue;
        if (k < 2 || !is(test, k + 1, "(") || ONE_OF(test, k - 1, ".", ">")) return false;
        size_t end = behind(test, k + 1, "(", ")"), left = k - 2; /* of an equality before the word: the ")" before it, or the word before "(" */
        bool loop = is_looped(test, k, end);
        n_loops += loop;
        n_others += !loop;
        if (loop || (is(test, end, ".") && has_plain_member(s, type, test, end + 1) && !is_container(s, type, &none)) || compares_such(s, type, test, k - 1)) continue;
        if (!is_equality(test, left) || !left || !is(test, left - 1, ")")) return false;
        size_t open = left - 1;
        for (int depth = 0; open > 0; open--) {
            depth += is(test, open, ")") - is(test, open, "(");
            if (!depth) break;
        }
        if (open < 2 || !compares_such(s, type, test, open - 2)) return false;
    }
    return !n_loops || !n_others;
}

/* What the test calls, made by the solution so that its result may be such a type. */
static bool bad_result(const source *s, const source *test, const r1_code_run *run)
{
    r1_code_text entry = run->task->entry_point;
    int depth = 0;
    if (!compares_others(s, test)) return false;
    for (size_t i = 0; i + 1 < s->n; i++) {
        depth += is(s, i, "{") - is(s, i, "}");
        if (!i || !is_name(s, i) || s->t[i].macro || !called(s, i, test)) continue;
        bool after_name = is_name(s, i - 1) && !ONE_OF(s, i - 1, "return", "else", "throw", "case", "new"), list = is(s, i + 1, "(");
        if (is(s, i - 1, ":")) {
            if (i > 3 && is(s, i - 4, "using") && !is(s, i - 3, "std")) return true; /* using other::f; */
            continue;
        }
        bool class = ONE_OF(s, i - 1, "struct", "class") && !(entry.n == s->t[i].n && !memcmp(entry.data, s->t[i].s, entry.n));
        if (class && is(s, i + 1, "{") && !(i > 1 && is(s, i - 2, ">")) && is_harmless(s, i, i, test)) continue;
        if (!list && !depth && (after_name || is(s, i - 1, "}"))) return true; /* a variable that can be called */
        if (!list || depth || !(after_name || ONE_OF(s, i - 1, ">", "&", "*"))) continue;
        size_t from = i;
        while (from > 0 && !ONE_OF(s, from - 1, ";", "}") && !s->t[from - 1].macro) from--;
        if (is(s, from, "template")) from = behind(s, from + 1, "<", ">");
        size_t type = 0;
        if (is_plain_or_short(s, from, i)) continue;
        bool own = is_own(s, from, i, &type), named = own && tested(s, type, test);
        if (named ? has_hidden_member(s, class_word(s, type), test) : !(own && from + 1 == i && is_harmless(s, i, class_word(s, type), test))) return true;
    }
    return false;
}

/* Names of such classes that neither the test nor the prompt speaks of, and other names for them. */
static void find_containers(const source *s, const source *test, r1_code_text prompt, names *out)
{
    out->n = 0;
    for (size_t before = 1; before != out->n && out->n < DEPTH_MAX;) {
        before = out->n;
        for (size_t i = 1; i < s->n && out->n < DEPTH_MAX; i++) {
            size_t end = i;
            bool found = false;
            if (!is_name(s, i) || is_among(s, i, out)) continue;
            bool parameter = i > 1 && ONE_OF(s, i - 2, "<", ","); /* of a template */
            if (ONE_OF(s, i - 1, "struct", "class") && !parameter) found = is_container(s, i, out);
            while (end < s->n && !is(s, end, ";")) end++;
            if (is(s, i - 1, "using") && is(s, i + 1, "=")) found = has_any(s, i + 2, end, out);
            size_t from = i;
            while (is(s, i + 1, ";") && from > 0 && !ONE_OF(s, from - 1, ";", "{", "}", "typedef")) from--;
            if (is(s, i + 1, ";") && from && is(s, from - 1, "typedef")) found = has_any(s, from, i, out);
            if (found && !tested(s, i, test) && !r1_code_has_word(prompt, s->t[i].s, s->t[i].n)) out->word[out->n++] = i;
        }
        if (before == 0 && out->n == 0) return;
    }
}

/* Whether a function that the test calls gives such an object: its size could be another each time it is asked. */
static bool gives_container(const source *s, const source *test, r1_code_text prompt)
{
    names list;
    find_containers(s, test, prompt, &list);
    for (size_t i = 1; i + 1 < s->n && list.n; i++) {
        if (!is_name(s, i) || s->t[i].macro || !called(s, i, test) || ONE_OF(s, i - 1, ".", "return", "=", "(", ",")) continue;
        size_t from = i, end = i + 1;
        while (from > 0 && !ONE_OF(s, from - 1, ";", "{", "}") && !s->t[from - 1].macro) from--;
        if (has_any(s, from, i, &list)) return true;
        if (is(s, end, "(")) end = behind(s, end, "(", ")");
        bool deduced = false;
        for (size_t k = from; k < i; k++) deduced = deduced || ONE_OF(s, k, "auto", "decltype");
        if (!deduced) continue;
        while (end < s->n && !ONE_OF(s, end, "{", ";")) end++;
        if (has_any(s, i, is(s, end, "{") ? behind(s, end, "{", "}") : end, &list)) return true;
    }
    return false;
}

/* ---- functions of the test and the library ---- */

/* Whether word i is a function's name in its definition, outside of classes. */
static bool defines(const source *s, size_t i)
{
    if (!i || !is_name(s, i) || s->t[i].macro || !is(s, i + 1, "(") || ONE_OF(s, i, "if", "while", "for", "switch", "return", "catch", "operator")) return false;
    if (!(is_name(s, i - 1) && !ONE_OF(s, i - 1, "return", "else", "new", "throw", "case", "do")) && !ONE_OF(s, i - 1, ">", "&", "*", "]", ")")) return false;
    size_t at = behind(s, i + 1, "(", ")");
    while (ONE_OF(s, at, "noexcept", "const")) at++;
    return (ONE_OF(s, at, "{", "requires") || (is(s, at, "-") && is(s, at + 1, ">"))) && !class_around(s, i);
}

/* Whether the test calls the word for a range of the library's: equal(a.begin(), ...). */
static bool called_for_range(const source *s, size_t i, const source *test)
{
    for (size_t k = 1; k + 1 < test->n; k++) {
        if (!is(test, k + 1, "(") || test->t[k].n != s->t[i].n || memcmp(test->t[k].s, s->t[i].s, s->t[i].n) || ONE_OF(test, k - 1, ".", ":", ">")) continue;
        for (size_t at = k + 1, end = behind(test, k + 1, "(", ")"); at < end; at++)
            if (ONE_OF(test, at, "begin", "end", "cbegin", "cend", "rbegin", "rend")) return true;
    }
    return false;
}

/* Whether an overload of the solution would be called by the test in the place of the library's function. One that is named as the
 * library's may be what is tested: then no other function of the solution is. */
static bool overloads(const source *s, const source *test, const r1_code_run *run)
{
    size_t n_other = 0, n_taken = 0;
    r1_code_text entry = run->task->entry_point;
    for (size_t i = 1; i + 1 < s->n; i++) {
        if (is(s, i, "operator") && is(s, i + 1, "new") && is(s, i - 1, "*") && !class_around(s, i)) return true; /* sees all that the test makes */
        if (is(s, i, "main") || !called(s, i, test) || !defines(s, i)) continue;
        bool asked = (entry.n == s->t[i].n && !memcmp(entry.data, s->t[i].s, entry.n)) || r1_code_has_word(run->task->prompt, s->t[i].s, s->t[i].n);
        bool taken = !asked && (r1_code_is_taken(run, s->t[i].s, s->t[i].n) || called_for_range(s, i, test));
        if (taken) n_taken++;
        else n_other++;
    }
    return n_taken && (n_other || entry.n);
}

/* Whether the solution declares, but does not define, a function with the name of word i of the test, which the test then has for it. */
static bool is_awaited(const source *s, const source *test, size_t i)
{
    bool declared = false;
    for (size_t k = 1; k + 1 < s->n; k++) {
        if (s->t[k].n != test->t[i].n || memcmp(s->t[k].s, test->t[i].s, s->t[k].n) || !is(s, k + 1, "(")) continue;
        if (defines(s, k)) return false;
        declared = declared || ((is_name(s, k - 1) || ONE_OF(s, k - 1, ">", "&", "*")) && !is(s, k - 1, "return") && is(s, behind(s, k + 1, "(", ")"), ";"));
    }
    return declared;
}

r1_status r1_code_rename(const r1_code_run *run, const char *mark, r1_buf *out, r1_error *err)
{
    const r1_code_task *t = run->task;
    source test, s;
    bool ok = r1_code_split(&s, run->solution, true);
    r1_status status = r1_code_split(&test, t->test, true) && ok ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the words of a test");
    for (size_t i = 1; i < test.n && !status; i++) {
        bool elsewhere = is(&test, i, "main") || !defines(&test, i) || r1_code_has_word(t->prompt, test.t[i].s, test.t[i].n) || is_awaited(&s, &test, i);
        if (t->entry_point.n == test.t[i].n && !memcmp(t->entry_point.data, test.t[i].s, test.t[i].n)) elsewhere = true;
        for (size_t k = 0; k < test.n && !elsewhere; k++) /* a member's or a macro's name, too, or one more overload: defined once for all */
            elsewhere = same(&test, k, i) && (test.t[k].macro || (k && (ONE_OF(&test, k - 1, ".", ":") || (k > 1 && is(&test, k - 1, ">") && is(&test, k - 2, "-")))) || (k < i && defines(&test, k)));
        if (!elsewhere) status = r1_buf_addf(out, err, "#define %.*s r1_%s_%.*s\n", (int)test.t[i].n, test.t[i].s, mark, (int)test.t[i].n, test.t[i].s);
    }
    r1_code_words_free(&test);
    r1_code_words_free(&s);
    return status;
}

/* ---- all of it ---- */

static const char *judge(const source *s, const source *test, const r1_code_run *run)
{
    if (glued(s, "namespace", 9) || glued(s, "operator", 8) || glued(s, "template", 8)) return "hides words of C++ in macros";
    size_t n_operators = 0;
    if (bad_type_macro(s)) return "gives a name of types another meaning by a macro";
    for (size_t i = 0; i < s->n; i++) n_operators += is(s, i, "operator") || is(s, i, "namespace");
    if (n_operators > OPERATORS_MAX) return "has too many operators to be examined";
    for (size_t i = 0; i < s->n; i++) {
        bool word = ONE_OF(s, i, "operator", "namespace", "template");
        if (word && (ONE_OF(s, i + 1, ")", ",") || (i + 1 < s->n && s->t[i + 1].macro != s->t[i].macro))) return "hides words of C++ in macros";
        if (is(s, i, "operator") && s->t[i].macro) return "hides words of C++ in macros";
        if (is(s, i, "namespace") && bad_namespace(s, i)) return "adds to a namespace of the library, which the test relies on";
        if (is(s, i, "template") && bad_specialisation(s, i)) return "specialises what is the library's, which the test relies on";
        if (is(s, i, "operator") && bad_operator(s, i, test)) return "defines a comparison or arithmetic of types that are not its own, which the test could use; it may compile, but a pass would prove nothing";
    }
    if (bad_result(s, test, run)) return "lets a class of its own decide the test's comparisons; it may compile, but a pass would prove nothing";
    if (overloads(s, test, run)) return "defines a function that the test takes from the library";
    return gives_container(s, test, run->task->prompt) ? "returns a container of its own, whose size the test would believe" : NULL;
}

/* Looking for what compares an own class takes time with the square of the words, so long solutions with an operator are not examined. */
static bool too_long(const source *s)
{
    enum { OPERATOR_WORDS_MAX = 16000 };
    bool any = false;
    for (size_t i = 0; s->n > OPERATOR_WORDS_MAX && i < s->n && !any; i++) any = is(s, i, "operator");
    return any;
}

r1_status r1_code_cpp_forbidden(const r1_code_run *run, const char **why, r1_error *err)
{
    source s, test;
    *why = NULL;
    bool ok = r1_code_split(&s, run->solution, true);
    ok = r1_code_split(&test, run->task->test, true) && ok;
    if (ok) *why = s.full || too_long(&s) ? "has too many words to be examined" : judge(&s, &test, run);
    r1_code_words_free(&s);
    r1_code_words_free(&test);
    return ok ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the words of a solution");
}
