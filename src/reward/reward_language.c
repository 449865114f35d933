/* The share of a text's words that are of one language. reward.h says what counts.
 *
 * One pass. What is no prose (code, formulas, addresses, tags) is stepped over where it begins; a mark that opens and never closes is only a
 * character, and that there is no closing one is remembered, so that a text of nothing but opening marks takes linear time. Words of the
 * Latin script wait in their sentence until it ends; what even the sentence cannot tell waits as a number for the whole text.
 */
#define _GNU_SOURCE
#include "reward/reward_int.h"
#include "base/utf8.h"

#include <stdio.h>
#include <utf8proc.h>

enum { SENTENCE_MOST = 64, WORD_BYTES = 64, TABLE_BITS = 13, TABLE = 1 << TABLE_BITS, UNSPACED_LETTERS = 3 };

typedef struct entry { const char *word; uint32_t n, mask; } entry;

typedef struct latin_word { uint32_t mask, id; } latin_word; /* languages that know it, 0: none; equal ids: probably the same word */

typedef struct reader {
    const char *begin, *p, *end;
    const r1_language *target;
    uint32_t bit;                           /* of the target, 0 when it is not Latin */
    entry *table;                           /* [TABLE] known words */
    bool no_more[8];                        /* closing marks of which there are none behind p */
    latin_word sentence[SENTENCE_MOST];
    size_t n_sentence, n_han, n_kana;       /* n_kana: letters */
    double votes[R1_LATIN_MOST];            /* of the whole text */
    size_t n_undecided, n_unknown;          /* Latin words of sentences that tell too little; those that no list knows */
    size_t n_both[R1_LATIN_MOST + 1];       /* of them: known to the target; [1 + l]: and to language l */
    size_t n_words, n_target;
    size_t letters_words, letters_target;   /* of scripts without blanks, Han aside */
} reader;

/* ---- known words ---- */

static uint32_t full_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t hash(const char *p, size_t n) { return full_hash(p, n) & (TABLE - 1); }

static entry *slot(entry *table, const char *p, size_t n)
{
    uint32_t i = hash(p, n);
    while (table[i].word && (table[i].n != n || memcmp(table[i].word, p, n) != 0)) i = (i + 1) & (TABLE - 1);
    return &table[i];
}

/* The lists have about 1,800 words; the table has room for more than twice as many. */
static entry *build_table(void)
{
    entry *table = calloc(TABLE, sizeof *table);
    for (size_t l = 0; table && r1_latin_words[l]; l++)
        for (const char *p = r1_latin_words[l]; *p;) {
            size_t n = strcspn(p, " ");
            entry *e = slot(table, p, n);
            *e = (entry){ p, (uint32_t)n, e->mask | 1u << l };
            p += n + (p[n] == ' ');
        }
    return table;
}

/* ---- sentences ---- */

/* The language with most votes; -1 when it is not ahead of the next by `margin`. Equal ones: the target, else the first. */
static int winner(const double votes[R1_LATIN_MOST], uint32_t bit, double margin)
{
    int best = -1;
    double next = 0;
    for (int l = 0; l < R1_LATIN_MOST; l++) {
        double ahead = best < 0 ? votes[l] : votes[l] - votes[best];
        bool better = ahead > 1e-9 || (best >= 0 && ahead > -1e-9 && bit == 1u << l);
        if (better) {
            next = best >= 0 ? votes[best] : 0;
            best = l;
        } else if (votes[l] > next) {
            next = votes[l];
        }
    }
    return best >= 0 && votes[best] - next >= margin ? best : -1;
}

/* Whether a word is of the target, where `best` is the language around it. */
static bool is_target(const reader *r, uint32_t mask, int best)
{
    uint32_t best_bit = 1u << best;
    return r->bit && (!mask || mask & best_bit ? best_bit == r->bit : (mask & r->bit) != 0);
}

/* A word that only other languages' lists have may be one of this language that no list has ("car" is French, too). It counts as
 * foreign when the sentence has another one of the same language. */
static void forgive_single_words(reader *r, uint32_t best_bit)
{
    uint32_t first[R1_LATIN_MOST] = { 0 }, seen = 0, several = 0;
    for (size_t i = 0; i < r->n_sentence; i++) {
        const latin_word *w = &r->sentence[i];
        for (uint32_t m = w->mask & best_bit ? 0 : w->mask; m; m &= m - 1) {
            int l = __builtin_ctz(m);
            if (seen & 1u << l && first[l] != w->id) several |= 1u << l;
            if (!(seen & 1u << l)) first[l] = w->id;
            seen |= 1u << l;
        }
    }
    for (size_t i = 0; i < r->n_sentence; i++)
        if (!(r->sentence[i].mask & (several | best_bit))) r->sentence[i].mask = 0;
}

/* Whether a word of the sentence stands in it before: it is no new evidence. */
static bool is_again(const reader *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (r->sentence[k].id == r->sentence[i].id) return true;
    return false;
}

static void end_latin(reader *r)
{
    double votes[R1_LATIN_MOST] = { 0 };
    const double clear = 1.9; /* about two words that no other language has */
    for (size_t i = 0; i < r->n_sentence; i++)
        for (uint32_t m = is_again(r, i) ? 0 : r->sentence[i].mask; m; m &= m - 1) votes[__builtin_ctz(m)] += 1.0 / __builtin_popcount(r->sentence[i].mask);
    int best = winner(votes, r->bit, clear);
    forgive_single_words(r, best >= 0 ? 1u << best : r->bit);
    for (size_t i = 0; i < r->n_sentence; i++) {
        uint32_t mask = r->sentence[i].mask;
        if (best >= 0) {
            r->n_words++;
            r->n_target += is_target(r, mask, best);
            continue;
        }
        r->n_undecided++;
        r->n_unknown += !mask;
        if (!(mask & r->bit)) continue;
        r->n_both[0]++;
        for (uint32_t m = mask; m; m &= m - 1) r->n_both[1 + __builtin_ctz(m)]++;
    }
    for (int l = 0; l < R1_LATIN_MOST; l++) r->votes[l] += votes[l];
    r->n_sentence = 0;
}

/* What the sentences could not tell goes with the whole text, and without any evidence with the target. */
static void end_undecided(reader *r)
{
    int best = winner(r->votes, r->bit, 0);
    r->n_words += r->n_undecided;
    if (!r->bit) return;
    if (best < 0 || r->bit == 1u << best) r->n_target += r->n_unknown + r->n_both[0];
    else r->n_target += r->n_both[0] - r->n_both[1 + best];
}

static void end_sentence(reader *r)
{
    end_latin(r);
    bool japanese = r->target->script == R1_SCRIPT_KANA;
    if (japanese ? r->n_kana > 0 : r->target->script == R1_SCRIPT_HAN && r->n_kana == 0) r->n_target += r->n_han;
    r->n_words += r->n_han;
    r->letters_words += r->n_kana;
    if (japanese) r->letters_target += r->n_kana;
    r->n_han = r->n_kana = 0;
}

/* Words of scripts without blanks come letter by letter. */
static void add_unspaced(reader *r, r1_script s)
{
    if (s == R1_SCRIPT_HAN) r->n_han++;
    else if (s == R1_SCRIPT_KANA) r->n_kana++;
    else {
        r->letters_words++;
        r->letters_target += s == r->target->script;
    }
}

/* ---- words ---- */

typedef struct word {
    char text[WORD_BYTES];  /* small letters, NFC where it fits; n is 0 when it does not */
    size_t n, n_letters;
    r1_script script;       /* of its first letter; OTHER when they differ */
    uint32_t evidence;      /* languages its letters tell */
    bool foreign;           /* has a letter the target does not use */
    bool identifier, capitals;
} word;

static bool is_foreign(const char *letters, uint32_t cp)
{
    char bytes[5] = { 0 };
    r1_utf8_encode(cp, bytes);
    return letters && strstr(letters, bytes) != NULL;
}

static void add_letter(const reader *r, word *w, uint32_t cp, bool after_small)
{
    uint32_t small = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    r1_script s = r1_script_of(cp);
    if (!w->n_letters) w->script = s;
    else if (w->script != s) w->script = R1_SCRIPT_OTHER;
    w->n_letters++;
    w->identifier |= after_small && cp < 0x80 && cp != small;
    w->capitals &= cp < 0x80 && cp != small;
    w->evidence |= r1_letter_languages(small);
    w->foreign |= is_foreign(r->target->foreign, small);
}

/* The word's small letters in NFC, for the lists. Longer words are in none. */
static void normalise(word *w, const char *p, size_t n)
{
    utf8proc_int32_t cps[WORD_BYTES];
    w->n = 0;
    if (n >= WORD_BYTES) return;
    utf8proc_ssize_t k = utf8proc_decompose((const utf8proc_uint8_t *)p, (utf8proc_ssize_t)n, cps, WORD_BYTES, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    if (k < 0 || k > WORD_BYTES) return;
    k = utf8proc_normalize_utf32(cps, k, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (utf8proc_ssize_t i = 0; i < k; i++) {
        char bytes[4];
        uint32_t cp = (uint32_t)utf8proc_tolower(cps[i] == 0x2019 ? '\'' : cps[i]);
        size_t len = (size_t)r1_utf8_encode(cp, bytes);
        if (w->n + len > WORD_BYTES) {
            w->n = 0;
            return;
        }
        memcpy(w->text + w->n, bytes, len);
        w->n += len;
        w->evidence |= r1_letter_languages(cp); /* letters that were written as two */
    }
}

static void add_word(reader *r, word *w)
{
    static const r1_script variables[] = { R1_SCRIPT_LATIN, R1_SCRIPT_GREEK, R1_SCRIPT_CYRILLIC };
    if (!w->n_letters || w->identifier) return;
    for (size_t i = 0; i < R1_COUNT(variables); i++)
        if (w->n_letters == 1 && w->script == variables[i]) return;
    if (w->capitals && w->n_letters <= 4) return;
    if (w->script == R1_SCRIPT_LATIN) {
        if (r1_is_function_name((r1_span){ w->text, w->n })) return;
        uint32_t known = w->n ? slot(r->table, w->text, w->n)->mask : 0;
        if (r->n_sentence == SENTENCE_MOST) end_latin(r);
        r->sentence[r->n_sentence++] = (latin_word){ known ? known : w->evidence, full_hash(w->text, w->n) };
        return;
    }
    r->n_words++;
    r->n_target += w->script == r->target->script && !w->foreign && r->target->script != R1_SCRIPT_OTHER;
}

/* Read one word at r->p: letters, marks, digits, '_', and apostrophes between letters. */
static void read_word(reader *r)
{
    const char *from = r->p;
    word w = { .capitals = true };
    bool after_small = false;
    while (r->p < r->end) {
        uint32_t cp;
        int len = r1_utf8_decode(r->p, (size_t)(r->end - r->p), &cp);
        if (len <= 0) break;
        r1_char_kind kind = r1_char_kind_of(cp);
        if (kind == R1_CHAR_LETTER && r1_script_is_unspaced(r1_script_of(cp))) break;
        if (kind == R1_CHAR_LETTER) {
            add_letter(r, &w, cp, after_small);
            after_small = cp >= 'a' && cp <= 'z';
        } else if (kind == R1_CHAR_DIGIT || cp == '_') {
            w.identifier = true;
        } else if (cp == '\'' || cp == 0x2019) {
            uint32_t next;
            int k = r1_utf8_decode(r->p + len, (size_t)(r->end - r->p - len), &next);
            if (!w.n_letters || k <= 0 || r1_char_kind_of(next) != R1_CHAR_LETTER) break;
        } else if (kind != R1_CHAR_MARK) {
            break;
        }
        r->p += len;
    }
    normalise(&w, from, (size_t)(r->p - from));
    add_word(r, &w);
}

/* ---- what is no prose ---- */

enum { CLOSE_PAREN, CLOSE_BRACKET, CLOSE_DOLLARS, CLOSE_FENCE, CLOSE_TILDES, CLOSE_ENV };

/* Step over everything to the end of `mark`, which is looked for behind `from`. */
static bool skip_to(reader *r, const char *from, const char *mark, int kind)
{
    if (r->no_more[kind] || from >= r->end) return false;
    const char *close = memmem(from, (size_t)(r->end - from), mark, strlen(mark));
    if (!close) {
        r->no_more[kind] = true;
        return false;
    }
    r->p = close + strlen(mark);
    return true;
}

/* From `mark` to its next one in the same paragraph: `code`, $formula$. A dollar is a price where a blank follows it, or where
 * the next one has a blank before it or a digit behind it. */
static bool skip_pair(reader *r, char mark)
{
    const char *from = r->p + 1, *close = from < r->end ? memchr(from, mark, (size_t)(r->end - from)) : NULL;
    if (!close || close == from || memmem(from, (size_t)(close - from), "\n\n", 2)) return false;
    if (mark == '$' && (*from == ' ' || close[-1] == ' ' || close[-1] == '\\' || (close + 1 < r->end && close[1] >= '0' && close[1] <= '9'))) return false;
    r->p = close + 1;
    return true;
}

static bool at(const reader *r, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(r->end - r->p) >= n && !memcmp(r->p, what, n);
}

static bool skip_braces(reader *r)
{
    enum { NAME = 40 };
    const char *close = r->p < r->end && *r->p == '{' ? memchr(r->p, '}', r1_min(NAME, (size_t)(r->end - r->p))) : NULL;
    if (close) r->p = close + 1;
    return close != NULL;
}

/* At a backslash: a formula, an environment, or the name of a command. */
static void skip_latex(reader *r)
{
    if (at(r, "\\(") && skip_to(r, r->p + 2, "\\)", CLOSE_PAREN)) return;
    if (at(r, "\\[") && skip_to(r, r->p + 2, "\\]", CLOSE_BRACKET)) return;
    bool begin = at(r, "\\begin"), end = at(r, "\\end");
    if (begin && skip_to(r, r->p + 6, "\\end", CLOSE_ENV)) {
        skip_braces(r);
        return;
    }
    r->p++;
    if (r->p == r->end) return;
    if (r1_char_kind_of((unsigned char)*r->p) != R1_CHAR_LETTER || (unsigned char)*r->p >= 0x80) {
        if ((unsigned char)*r->p < 0x80 && *r->p != '\n') r->p++;
        return;
    }
    while (r->p < r->end && (unsigned char)*r->p < 0x80 && r1_char_kind_of((unsigned char)*r->p) == R1_CHAR_LETTER) r->p++;
    if (begin || end) skip_braces(r);
}

/* <tag>, </tag>, <tag attribute>. */
static bool skip_tag(reader *r)
{
    enum { TAG = 40 };
    const char *p = r->p + 1, *most = r->end - p > TAG ? p + TAG : r->end;
    if (p < most && *p == '/') p++;
    if (p == most || (unsigned char)*p >= 0x80 || r1_char_kind_of((unsigned char)*p) != R1_CHAR_LETTER) return false;
    while (p < most && *p != '>' && *p != '<' && *p != '\n') p++;
    if (p == most || *p != '>') return false;
    r->p = p + 1;
    return true;
}

static bool is_plain(char c) { return c > ' ' && c < 0x7f; }

/* A run of ASCII without blanks that is an address: it has "://" or '@', or begins with "www.". */
static bool skip_address(reader *r)
{
    enum { MOST = 2048 };
    if (r->p > r->begin && is_plain(r->p[-1]) && r->p[-1] != '(' && r->p[-1] != '[' && r->p[-1] != '"') return false; /* seen at its beginning */
    const char *end = r->p;
    while (end < r->end && end - r->p < MOST && is_plain(*end)) end++;
    size_t n = (size_t)(end - r->p);
    if (n < 5 || !(at(r, "www.") || memmem(r->p, n, "://", 3) || memchr(r->p, '@', n))) return false;
    r->p = end;
    return true;
}

/* Step over something that is no prose; false when r->p is where it was. */
static bool skip_other(reader *r)
{
    switch (*r->p) {
    case '`':
        if (at(r, "```")) return skip_to(r, r->p + 3, "```", CLOSE_FENCE);
        return skip_pair(r, '`');
    case '~': return at(r, "~~~") && skip_to(r, r->p + 3, "~~~", CLOSE_TILDES);
    case '$':
        if (at(r, "$$")) return skip_to(r, r->p + 2, "$$", CLOSE_DOLLARS);
        return skip_pair(r, '$');
    case '\\': skip_latex(r); return true;
    case '<': return skip_tag(r);
    default: return false;
    }
}

/* Marks that end a sentence: before a blank or at the end where they are ASCII, always where they are wide. */
static bool ends_sentence(const reader *r, uint32_t cp)
{
    if (cp == '\n' || cp == 0x3002 || cp == 0xFF01 || cp == 0xFF1F || cp == 0xFF1B || cp == 0x61F || cp == 0x964) return true;
    if (cp != '.' && cp != '!' && cp != '?' && cp != ';') return false;
    return r->p + 1 == r->end || r->p[1] == ' ' || r->p[1] == '\n' || r->p[1] == '\t' || r->p[1] == '\r';
}

static void read_text(reader *r)
{
    while (r->p < r->end) {
        uint32_t cp;
        int len = r1_utf8_decode(r->p, (size_t)(r->end - r->p), &cp);
        if (len <= 0) {
            r->p += len < 0 ? -len : 1;
            continue;
        }
        r1_char_kind kind = r1_char_kind_of(cp);
        if (ends_sentence(r, cp)) {
            end_sentence(r);
            r->p += len;
        } else if (kind == R1_CHAR_LETTER && r1_script_is_unspaced(r1_script_of(cp))) {
            add_unspaced(r, r1_script_of(cp));
            r->p += len;
        } else if (kind == R1_CHAR_LETTER || kind == R1_CHAR_DIGIT || cp == '_') {
            if (cp >= 0x80 || !skip_address(r)) read_word(r);
        } else if (!skip_other(r)) {
            r->p += len;
        }
    }
    end_sentence(r);
}

r1_status r1_language_check(const char *language, const char *text, size_t n, r1_language_share *out, r1_error *err)
{
    const r1_language *target = r1_languages;
    *out = (r1_language_share){ 0 };
    while (target->code && strcmp(target->code, language) != 0) target++;
    if (!target->code) {
        char list[256] = "";
        for (const r1_language *l = r1_languages; l->code; l++) {
            size_t k = strlen(list);
            snprintf(list + k, sizeof list - k, "%s%s", k ? " " : "", l->code);
        }
        return r1_fail(err, R1_EINVAL, "there is no language '%.20s', expected one of %s", language, list);
    }
    reader r = { .begin = text, .p = text, .end = text + n, .target = target, .bit = target->latin < 0 ? 0 : 1u << target->latin };
    r.table = build_table();
    if (!r.table) return r1_fail(err, R1_ENOMEM, "no memory for lists of words");
    read_text(&r);
    free(r.table);
    end_undecided(&r);
    size_t words = r1_ceil_div(r.letters_words, UNSPACED_LETTERS);
    out->n_words = r.n_words + words;
    out->n_target = r.n_target + r1_min(words, r1_ceil_div(r.letters_target, UNSPACED_LETTERS));
    out->share = out->n_words ? (double)out->n_target / (double)out->n_words : 0;
    return R1_OK;
}
