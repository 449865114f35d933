/* The general path: the steps of a tokenizer.json one after the other, regular expressions in PCRE2.
 *
 * The reference runs patterns in Oniguruma with Ruby's syntax. Most of what tokenizers use means the same in PCRE2 (UTF,
 * UCP, MULTILINE because Ruby's ^ and $ always are); the rest is translated or refused by name, never guessed:
 *   \s \S       written out as White_Space, because PCRE2's has U+180E
 *   \uXXXX      \x{XXXX}
 *   refused     \w \b \h \R and others whose meaning differs, back references, sets in sets, &&, (?m), {n,m}+, {,n}
 * One difference is left: Oniguruma's (?i:ss) also matches a single character whose case folding is "ss".
 *
 * A list of steps that is one of the families' is recognised by its text and runs in pretok.c instead.
 */
#define _GNU_SOURCE /* memmem */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pretok_int.h"
#include "text/tokenizer.h"
#include "base/utf8.h"

#include <pcre2.h>

/* Backtracking steps for one search. The known patterns need a few for each character; this stops a hostile pair of
 * pattern and text after about a second. */
#define MATCH_LIMIT 50000000
#define JIT_STACK_BYTES (4u << 20)

/* Unicode's White_Space, and all else, for use inside a class. */
#define WHITE "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_WHITE "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
                  "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"

typedef struct translation {
    const char *s; size_t n, i;
    bool in_class;
    r1_buf out;
} translation;

static r1_status refuse(const translation *t, const char *what, r1_error *err)
{
    return r1_fail(err, R1_EUNSUPPORTED, "the regular expression '%.*s' has %s at byte %zu, which r1 does not know",
                   (int)r1_min(t->n, 200), t->s, what, t->i);
}

/* \u4e00: four hexadecimal digits after the place. */
static r1_status unicode_escape(translation *t, r1_error *err)
{
    if (t->n - t->i < 6) return refuse(t, "a short \\u", err);
    for (size_t k = 2; k < 6; k++)
        if (!memchr("0123456789abcdefABCDEF", t->s[t->i + k], 22)) return refuse(t, "a \\u without four digits", err);
    r1_status s = r1_buf_addf(&t->out, err, "\\x{%.4s}", t->s + t->i + 2);
    t->i += 6;
    return s;
}

static r1_status escape(translation *t, r1_error *err)
{
    if (t->i + 1 >= t->n) return refuse(t, "a lone \\", err);
    char c = t->s[t->i + 1];
    if (c == 'u') return unicode_escape(t, err);
    r1_status s = R1_OK;
    if (c == 'p' || c == 'P') {
        const char *close = memchr(t->s + t->i, '}', t->n - t->i);
        if (!close || t->s[t->i + 2] != '{') return refuse(t, "a property without {name}", err);
        size_t n = (size_t)(close + 1 - (t->s + t->i));
        s = r1_buf_add(&t->out, t->s + t->i, n, err);
        t->i += n;
        return s;
    }
    if (c == 's' || c == 'S') {
        const char *set = c == 's' ? WHITE : NOT_WHITE;
        s = t->in_class ? r1_buf_adds(&t->out, set, err) : r1_buf_addf(&t->out, err, "[%s]", set);
    } else if (c == 'd' || c == 'D' || c == 't' || c == 'n' || c == 'r' || c == 'f' ||
               !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80))) {
        s = r1_buf_add(&t->out, t->s + t->i, 2, err);
    } else {
        return refuse(t, (char[]){ '\\', c & 0x80 ? '?' : c, 0 }, err);
    }
    t->i += 2;
    return s;
}

static r1_status group(translation *t, r1_error *err)
{
    static const char *const known[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:" };
    const char *p = t->s + t->i;
    size_t left = t->n - t->i, n = 0;
    if (left > 1 && p[1] == '?') {
        for (size_t k = 0; k < R1_COUNT(known); k++)
            if (strlen(known[k]) <= left && !memcmp(known[k], p, strlen(known[k]))) n = strlen(known[k]);
        if (!n) return refuse(t, "a group that is none of (?: (?= (?! (?<= (?<! (?> (?i:", err);
    } else {
        if (left > 1 && p[1] == '*') return refuse(t, "a verb", err);
        n = 1;
    }
    t->i += n;
    return r1_buf_add(&t->out, p, n, err);
}

static r1_status open_class(translation *t, r1_error *err)
{
    if (t->in_class) return refuse(t, "a set inside a set", err);
    t->in_class = true;
    size_t n = t->i + 1 < t->n && t->s[t->i + 1] == '^' ? 2 : 1;
    if (t->i + n < t->n && t->s[t->i + n] == ']') return refuse(t, "an empty set", err);
    r1_status s = r1_buf_add(&t->out, t->s + t->i, n, err);
    t->i += n;
    return s;
}

static r1_status braces(translation *t, r1_error *err)
{
    size_t k = t->i + 1;
    while (k < t->n && ((t->s[k] >= '0' && t->s[k] <= '9') || t->s[k] == ',')) k++;
    if (k >= t->n || t->s[k] != '}' || k == t->i + 1 || t->s[t->i + 1] == ',')
        return refuse(t, "a { that is none of {n} {n,} {n,m}", err);
    if (k + 1 < t->n && (t->s[k + 1] == '+' || t->s[k + 1] == '?')) return refuse(t, "a + or ? after {n,m}", err);
    r1_status s = r1_buf_add(&t->out, t->s + t->i, k + 1 - t->i, err);
    t->i = k + 1;
    return s;
}

static r1_status translate(translation *t, r1_error *err)
{
    r1_status s = R1_OK;
    while (!s && t->i < t->n) {
        char c = t->s[t->i];
        if (c == '\\') s = escape(t, err);
        else if (c == '[') s = open_class(t, err);
        else if (c == '(' && !t->in_class) s = group(t, err);
        else if (c == '{' && !t->in_class) s = braces(t, err);
        else if (c == '&' && t->in_class && t->i + 1 < t->n && t->s[t->i + 1] == '&') s = refuse(t, "&&", err);
        else {
            if (c == ']') t->in_class = false;
            s = r1_buf_add(&t->out, &c, 1, err);
            t->i++;
        }
    }
    return s;
}

static r1_status compile(pcre2_code **out, const char *pattern, size_t n, r1_error *err)
{
    translation t = { .s = pattern, .n = n };
    size_t bad, where = 0;
    int code = 0;
    *out = NULL;
    if (n > R1_PRETOK_MAX_PATTERN)
        return r1_fail(err, R1_EUNSUPPORTED, "a regular expression has %zu bytes, expected at most %d", n, R1_PRETOK_MAX_PATTERN);
    if (!r1_utf8_is_valid(pattern, n, &bad)) return r1_fail(err, R1_EFORMAT, "a regular expression is not UTF-8 at byte %zu", bad);
    r1_buf_init(&t.out, 32 * R1_PRETOK_MAX_PATTERN);
    r1_status s = translate(&t, err);
    pcre2_compile_context *ctx = s ? NULL : pcre2_compile_context_create(NULL);
    if (!s && !ctx) s = r1_fail(err, R1_ENOMEM, "no memory for a regular expression");
    if (!s) {
        pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
        *out = pcre2_compile((PCRE2_SPTR)(t.out.data ? t.out.data : ""), t.out.len,
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &where, ctx);
        if (!*out) {
            PCRE2_UCHAR why[256];
            pcre2_get_error_message(code, why, sizeof why);
            s = r1_fail(err, R1_EFORMAT, "the regular expression '%.*s' is wrong: %s", (int)r1_min(n, 200), pattern, (char *)why);
        } else {
            (void)pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE); /* without it the same, slower */
        }
    }
    pcre2_compile_context_free(ctx);
    r1_buf_deinit(&t.out);
    return s;
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

void r1_pretok_free_steps(r1_pretok *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        free(p->steps[i].text);
        pcre2_code_free(p->steps[i].code);
    }
    p->n_steps = 0;
}

static r1_status add_step(r1_pretok *p, r1_step_kind kind, const char *text, size_t n, r1_error *err)
{
    if (p->n_steps == R1_PRETOK_MAX_STEPS)
        return r1_fail(err, R1_EUNSUPPORTED, "the pre-tokenizer has more than %d steps", R1_PRETOK_MAX_STEPS);
    r1_step *st = &p->steps[p->n_steps];
    *st = (r1_step){ .kind = kind, .n = n };
    if (n) {
        st->text = malloc(n);
        if (!st->text) return r1_fail(err, R1_ENOMEM, "no memory for splitting rules");
        memcpy(st->text, text, n);
    }
    p->n_steps++;
    return R1_OK;
}

/* \s+$ is in V2's rules and quadratic in an engine: each character of a long run of spaces begins a new attempt. */
#define TRAILING_SPACE "\\s+$"

r1_status r1_pretok_add_regex(r1_pretok *p, const char *pattern, size_t n, r1_error *err)
{
    pcre2_code *code;
    if (n == sizeof TRAILING_SPACE - 1 && !memcmp(pattern, TRAILING_SPACE, n)) return add_step(p, R1_STEP_TRAILING_SPACE, NULL, 0, err);
    r1_status s = compile(&code, pattern, n, err);
    if (s) return s;
    s = add_step(p, R1_STEP_REGEX, pattern, n, err);
    if (s) pcre2_code_free(code);
    else p->steps[p->n_steps - 1].code = code;
    return s;
}

r1_status r1_pretok_add_literal(r1_pretok *p, const char *s, size_t n, r1_error *err)
{
    if (n == 0) return r1_fail(err, R1_EFORMAT, "a Split step has an empty string");
    return add_step(p, R1_STEP_LITERAL, s, n, err);
}

r1_status r1_pretok_add_digits(r1_pretok *p, bool individual, r1_error *err)
{
    return add_step(p, individual ? R1_STEP_DIGITS : R1_STEP_DIGIT_RUNS, NULL, 0, err);
}

r1_status r1_pretok_add_gpt2(r1_pretok *p, r1_error *err) { return add_step(p, R1_STEP_GPT2, NULL, 0, err); }

/* DeepSeek-V2 and V2-Lite, as far as a GGUF file names them ("deepseek-llm"): cased letters as the model's own tokenizer.json
 * lists them, signs, Chinese and more; after them every digit alone. The range :-~ holds the ASCII letters, so that the third
 * step cuts a word before its first accented letter. So the model learned it. */
static const char *const v2_patterns[] = {
    "[\r\n]",
    "\\s?["
    "A-Za-z\\u00B5\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u01BA\\u01BC-\\u01BF\\u01C4-\\u0293\\u0295-\\u02AF"
    "\\u0370-\\u0373\\u0376\\u0377\\u037B-\\u037D\\u037F\\u0386\\u0388-\\u038A\\u038C\\u038E-\\u03A1"
    "\\u03A3-\\u03F5\\u03F7-\\u0481\\u048A-\\u052F\\u0531-\\u0556\\u10A0-\\u10C5\\u13A0-\\u13F5"
    "\\u13F8-\\u13FD\\u1C90-\\u1CBA\\u1CBD-\\u1CBF\\u1D00-\\u1D2B\\u1D6B-\\u1D77\\u1D79-\\u1D9A"
    "\\u1E00-\\u1F15\\u1F18-\\u1F1D\\u1F20-\\u1F45\\u1F48-\\u1F4D\\u1F50-\\u1F57\\u1F59\\u1F5B\\u1F5D"
    "\\u1F5F-\\u1F7D\\u1F80-\\u1FB4\\u1FB6-\\u1FBC\\u1FBE\\u1FC2-\\u1FC4\\u1FC6-\\u1FCC\\u1FD0-\\u1FD3"
    "\\u1FD6-\\u1FDB\\u1FE0-\\u1FEC\\u1FF2-\\u1FF4\\u1FF6-\\u1FFC\\u2102\\u2107\\u210A-\\u2113\\u2115"
    "\\u2119-\\u211D\\u2124\\u2126\\u2128\\u212A-\\u212D\\u212F-\\u2134\\u2139\\u213C-\\u213F\\u2145-\\u2149"
    "\\u214E\\u2183\\u2184\\u2C00-\\u2C7B\\u2C7E-\\u2CE4\\u2CEB-\\u2CEE\\u2CF2\\u2CF3\\uA640-\\uA66D"
    "\\uA680-\\uA69B\\uA722-\\uA76F\\uA771-\\uA787\\uA78B-\\uA78E\\uAB70-\\uABBF\\uFB00-\\uFB06"
    "\\uFB13-\\uFB17\\uFF21-\\uFF3A\\uFF41-\\uFF5A\xF0\x90\x90\x80-\xF0\x90\x91\x8F"
    "\xF0\x90\x92\xB0-\xF0\x90\x93\x93\xF0\x90\x93\x98-\xF0\x90\x93\xBB\xF0\x90\xB2\x80-\xF0\x90\xB2\xB2"
    "\xF0\x90\xB3\x80-\xF0\x90\xB3\xB2\xF0\x91\xA2\xA0-\xF0\x91\xA3\x9F\xF0\x9E\xA4\x80-\xF0\x9E\xA5\x83"
    "]+",
    "\\s?[!-/:-~\\uFF01-\\uFF0F\\uFF1A-\\uFF5E\\u2018-\\u201F\\u3000-\\u3002]+",
    TRAILING_SPACE,
    "[\\u4E00-\\u9FA5\\u0800-\\u4E00\\uAC00-\\uD7FF]+",
};

r1_status r1_pretok_add_deepseek_llm(r1_pretok *p, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; !s && i < R1_COUNT(v2_patterns); i++) s = r1_pretok_add_regex(p, v2_patterns[i], strlen(v2_patterns[i]), err);
    if (!s) s = r1_pretok_add_digits(p, true, err);
    if (!s) p->name = "deepseek-llm";
    return s;
}

#define QWEN_WORDS(digits) \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

typedef struct family { r1_pretok_kind kind; size_t n_steps; r1_step_kind kinds[3]; const char *patterns[3]; } family;
static const family families[] = {
    { R1_PRETOK_DEEPSEEK_V3, 3, { R1_STEP_REGEX, R1_STEP_REGEX, R1_STEP_REGEX },
      { "\\p{N}{1,3}", "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
        " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" } },
    { R1_PRETOK_QWEN2, 1, { R1_STEP_REGEX }, { QWEN_WORDS("\\p{N}") } },
    { R1_PRETOK_LLAMA3, 1, { R1_STEP_REGEX }, { QWEN_WORDS("\\p{N}{1,3}") } },
    { R1_PRETOK_GPT2, 1, { R1_STEP_GPT2 }, { NULL } },
    { R1_PRETOK_SMOLLM, 2, { R1_STEP_DIGITS, R1_STEP_GPT2 }, { NULL } },
};

const char *r1_tokenizer_pattern(const char *pre, size_t i)
{
    static const struct { const char *name; r1_pretok_kind kind; } known[] = {
        { "deepseek-v3", R1_PRETOK_DEEPSEEK_V3 }, { "qwen2", R1_PRETOK_QWEN2 }, { "llama-bpe", R1_PRETOK_LLAMA3 },
    };
    if (!strcmp(pre, "deepseek-llm")) return i < R1_COUNT(v2_patterns) ? v2_patterns[i] : NULL;
    for (size_t k = 0; k < R1_COUNT(known); k++)
        for (size_t f = 0; f < R1_COUNT(families) && !strcmp(pre, known[k].name); f++)
            if (families[f].kind == known[k].kind) return i < families[f].n_steps ? families[f].patterns[i] : NULL;
    return NULL;
}

/* Whether a pattern is `known` up to two spellings seen in files: line ends as themselves and a needless \". */
static bool same_pattern(const r1_step *s, const char *known)
{
    for (size_t i = 0; i < s->n; i++) {
        char c = s->text[i];
        if (c == '\r' || c == '\n') {
            if (*known++ != '\\') return false;
            c = c == '\r' ? 'r' : 'n';
        } else if (c == '\\' && i + 1 < s->n) {
            if (s->text[i + 1] == '"') continue;
            if (*known++ != '\\') return false;
            c = s->text[++i];
        }
        if (*known++ != c) return false;
    }
    return *known == 0;
}

void r1_pretok_finish(r1_pretok *p)
{
    for (size_t f = 0; f < R1_COUNT(families); f++) {
        const family *k = &families[f];
        bool same = p->kind == R1_PRETOK_STEPS && p->n_steps == k->n_steps;
        for (size_t i = 0; same && i < k->n_steps; i++)
            same = p->steps[i].kind == k->kinds[i] && (!k->patterns[i] || same_pattern(&p->steps[i], k->patterns[i]));
        if (!same) continue;
        r1_pretok_free_steps(p);
        p->kind = k->kind;
        r1_pretok_put_stops(p);
        return;
    }
}

/* ---- running --------------------------------------------------------------------------------------------------- */

typedef struct spans { uint32_t *end; size_t n, cap; } spans;

static r1_status span_add(spans *v, size_t end, r1_error *err)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        uint32_t *p = realloc(v->end, cap * sizeof *p);
        if (!p) return r1_fail(err, R1_ENOMEM, "no memory for %zu pieces of text", cap);
        v->end = p;
        v->cap = cap;
    }
    v->end[v->n++] = (uint32_t)end;
    return R1_OK;
}

/* One text on its way through the steps. */
typedef struct splitter {
    const r1_pretok *t;
    const char *text;
    spans out; /* of the present step */
    pcre2_match_data *data;
    pcre2_match_context *ctx;
    pcre2_jit_stack *stack;
} splitter;

/* One piece text[from..to): matches and what is between them. The piece is a whole subject of its own. */
static r1_status split_regex(splitter *w, const r1_step *st, size_t from, size_t to, r1_error *err)
{
    const char *s = w->text + from;
    size_t n = to - from, done = 0, at = 0;
    uint32_t options = 0; /* the first search checks the UTF-8 of the piece, the others need not again */
    while (at < n) {
        int r = pcre2_match(st->code, (PCRE2_SPTR)s, n, at, options, w->data, w->ctx);
        if (r == PCRE2_ERROR_NOMATCH) break;
        if (r == PCRE2_ERROR_NOMEMORY) return r1_fail(err, R1_ENOMEM, "no memory to match a regular expression");
        if (r < 0)
            return r1_fail(err, R1_ELIMIT, "the tokenizer's regular expression '%.*s' takes too many steps on this text (code %d)",
                           (int)r1_min(st->n, 200), st->text, r);
        options = PCRE2_NO_UTF_CHECK;
        const PCRE2_SIZE *o = pcre2_get_ovector_pointer(w->data);
        if (o[1] <= o[0]) { /* an empty match cuts nothing */
            at = r1_max(o[0], at) + 1;
            while (at < n && (s[at] & 0xC0) == 0x80) at++;
            continue;
        }
        r1_status e = R1_OK;
        if (o[0] > done) e = span_add(&w->out, from + o[0], err);
        if (!e) e = span_add(&w->out, from + o[1], err);
        if (e) return e;
        done = at = o[1];
    }
    return done < n ? span_add(&w->out, to, err) : R1_OK;
}

static r1_status split_literal(splitter *w, const r1_step *st, size_t from, size_t to, r1_error *err)
{
    r1_status s = R1_OK;
    while (!s && to - from >= st->n) {
        const char *hit = memmem(w->text + from, to - from, st->text, st->n);
        if (!hit) break;
        size_t at = (size_t)(hit - w->text);
        if (at > from) s = span_add(&w->out, at, err);
        if (!s) s = span_add(&w->out, at + st->n, err);
        from = at + st->n;
    }
    return !s && from < to ? span_add(&w->out, to, err) : s;
}

static r1_status split_digits(splitter *w, const r1_step *st, size_t from, size_t to, r1_error *err)
{
    r1_status s = R1_OK;
    bool was_digit = false;
    for (size_t i = from; !s && i < to;) {
        uint32_t cp = 0;
        int len = r1_utf8_decode(w->text + i, to - i, &cp);
        bool digit = len > 0 && (w->t->classes[cp] & R1_CLASS_N);
        if (i > from && (digit != was_digit || (digit && st->kind == R1_STEP_DIGITS))) s = span_add(&w->out, i, err);
        was_digit = digit;
        i += (size_t)(len > 0 ? len : -len);
    }
    return s ? s : span_add(&w->out, to, err);
}

/* \s+$: of each run of white space what is before its last line end, or all of it at the end of the piece. */
static r1_status split_trailing_space(splitter *w, size_t from, size_t to, r1_error *err)
{
    const char *p = w->text;
    r1_status s = R1_OK;
    for (size_t i = from, run = from, line = from; !s && i < to;) { /* a run starts at `run`, its last line end is at `line` */
        uint32_t cp = 0;
        int len = r1_utf8_decode(p + i, to - i, &cp);
        size_t next = i + (size_t)(len > 0 ? len : -len);
        bool white = len > 0 && (w->t->classes[cp] & R1_CLASS_SPACE);
        if (white && p[i] == '\n') line = i;
        size_t end = !white ? line : next == to ? to : from; /* where a match ends, if it does here */
        if (end > run) {
            if (run > from) s = span_add(&w->out, run, err);
            if (!s && end < to) s = span_add(&w->out, end, err);
            from = end;
        }
        if (!white) run = line = next;
        i = next;
    }
    return s ? s : span_add(&w->out, to, err);
}

static r1_status split_family(splitter *w, r1_pretok_kind kind, size_t from, size_t to, r1_error *err)
{
    r1_pretok rules = { .kind = kind, .classes = w->t->classes };
    r1_status s = R1_OK;
    for (const char *p = w->text + from, *end = w->text + to; !s && p < end;) {
        p = r1_pretok_next(&rules, p, end);
        s = span_add(&w->out, (size_t)(p - w->text), err);
    }
    return s;
}

/* Cut every piece of `in`. */
static r1_status run_step(splitter *w, const r1_step *st, const spans *in, r1_error *err)
{
    r1_status s = R1_OK;
    size_t from = 0;
    for (size_t i = 0; !s && i < in->n; i++) {
        size_t to = in->end[i];
        switch (st->kind) {
        case R1_STEP_REGEX: s = split_regex(w, st, from, to, err); break;
        case R1_STEP_LITERAL: s = split_literal(w, st, from, to, err); break;
        case R1_STEP_TRAILING_SPACE: s = split_trailing_space(w, from, to, err); break;
        case R1_STEP_GPT2: s = split_family(w, R1_PRETOK_GPT2, from, to, err); break;
        case R1_STEP_DIGITS: case R1_STEP_DIGIT_RUNS: s = split_digits(w, st, from, to, err); break;
        }
        from = to;
    }
    return s;
}

static r1_status run_steps(splitter *w, size_t n, r1_error *err)
{
    spans in = { 0 };
    w->data = pcre2_match_data_create(1, NULL);
    w->ctx = pcre2_match_context_create(NULL);
    w->stack = pcre2_jit_stack_create(32768, JIT_STACK_BYTES, NULL);
    if (!w->data || !w->ctx || !w->stack) return r1_fail(err, R1_ENOMEM, "no memory to match a regular expression");
    pcre2_set_match_limit(w->ctx, MATCH_LIMIT);
    pcre2_jit_stack_assign(w->ctx, NULL, w->stack);
    r1_status s = span_add(&w->out, n, err);
    for (size_t i = 0; !s && i < w->t->n_steps; i++) {
        spans swap = in;
        in = w->out;
        w->out = swap;
        w->out.n = 0;
        s = run_step(w, &w->t->steps[i], &in, err);
    }
    free(in.end);
    return s;
}

r1_status r1_pretok_split(const r1_pretok *t, const char *text, size_t n, uint32_t **ends, size_t *n_ends, r1_error *err)
{
    splitter w = { .t = t, .text = text };
    *ends = NULL;
    *n_ends = 0;
    if (n == 0) return R1_OK;
    if (n > UINT32_MAX) return r1_fail(err, R1_EINVAL, "a text of %zu bytes is too long to split, expected at most %u", n, UINT32_MAX);
    r1_status s = t->kind == R1_PRETOK_STEPS ? run_steps(&w, n, err) : split_family(&w, t->kind, 0, n, err);
    pcre2_match_data_free(w.data);
    pcre2_match_context_free(w.ctx);
    pcre2_jit_stack_free(w.stack);
    if (s) {
        free(w.out.end);
        return s;
    }
    *ends = w.out.end;
    *n_ends = w.out.n;
    return R1_OK;
}
