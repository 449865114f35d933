/* pretok: cutting text into the pieces that byte-pair merging never crosses. Private to src/text.
 *
 * A tokenizer's rules are a list of steps; each step cuts every piece the one before it made, as if that piece were a
 * whole text. The rule sets of the supported families have splitters of our own that do all their steps in one pass
 * (R1_PRETOK_DEEPSEEK_V3 ... R1_PRETOK_SMOLLM): several times as fast as a regular expression engine, and with the
 * reference's Unicode version whatever the libraries have. Any other `Split` step of a tokenizer.json runs in PCRE2. That
 * both agree is a test (pretok_test.c). Text given to a splitter is valid UTF-8: the encoder cuts at invalid bytes first.
 */
#ifndef R1_TEXT_PRETOK_H
#define R1_TEXT_PRETOK_H

#include "base/base.h"

/* Properties of a code point. White space is Unicode's White_Space, which has U+0085 and lacks U+180E. */
enum {
    R1_CLASS_L = 1, R1_CLASS_M = 2, R1_CLASS_N = 4, R1_CLASS_P = 8, R1_CLASS_S = 16, R1_CLASS_SPACE = 32,
    R1_CLASS_STOP = 64, /* not a property: an earlier step of the rules has cut here */
    R1_CLASS_NFC = 128  /* may change, or change its neighbours, under NFC */
};
extern const uint32_t r1_unicode_ranges[]; /* start << 8 | class; pretok_unicode.c */
extern const size_t r1_unicode_n_ranges;

/* One byte for each code point; most of the 1.1 MB are never touched. NULL when there is no memory. free() it. */
uint8_t *r1_unicode_table(void);

typedef enum r1_pretok_kind {
    R1_PRETOK_DEEPSEEK_V3, /* digits by three, then runs of Chinese and Japanese, then words */
    R1_PRETOK_QWEN2,
    R1_PRETOK_LLAMA3,      /* qwen2 with digits by three */
    R1_PRETOK_GPT2,        /* what ByteLevel does by itself (use_regex) */
    R1_PRETOK_SMOLLM,      /* every digit alone, then gpt2 */
    R1_PRETOK_STEPS        /* the steps of a tokenizer.json, one after the other */
} r1_pretok_kind;

typedef struct r1_pretok r1_pretok;

r1_status r1_pretok_new(r1_pretok **out, r1_pretok_kind kind, r1_error *err) R1_MUST_CHECK;
void r1_pretok_free(r1_pretok *p);

/* Add a step; kind must be R1_PRETOK_STEPS. A pattern is what a tokenizer.json says (Oniguruma, Ruby syntax). What PCRE2
 * would read differently is translated where that is exact and otherwise R1_EUNSUPPORTED with the place named. */
r1_status r1_pretok_add_regex(r1_pretok *p, const char *pattern, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_pretok_add_literal(r1_pretok *p, const char *s, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_pretok_add_digits(r1_pretok *p, bool individual, r1_error *err) R1_MUST_CHECK;
r1_status r1_pretok_add_gpt2(r1_pretok *p, r1_error *err) R1_MUST_CHECK;
/* All steps of DeepSeek-V2. */
r1_status r1_pretok_add_deepseek_llm(r1_pretok *p, r1_error *err) R1_MUST_CHECK;
/* After the last step: a list that is one of the families' becomes that family's splitter. */
void r1_pretok_finish(r1_pretok *p);

r1_pretok_kind r1_pretok_kind_of(const r1_pretok *p);
const char *r1_pretok_name(const r1_pretok *p); /* "deepseek-v3", ..., "steps" */
const uint8_t *r1_pretok_classes(const r1_pretok *p); /* as r1_unicode_table, with STOP where the rules say so */

/* End of the piece that starts at p; p < end. kind is not R1_PRETOK_STEPS. */
const char *r1_pretok_next(const r1_pretok *t, const char *p, const char *end);

/* Ends of all pieces of text[0..n), ascending, the last is n. Any kind. n at most 2^32 - 1.
 * Memory: *ends is malloc'ed; the caller frees. Errors: R1_ENOMEM; R1_ELIMIT when a regular expression takes too long. */
r1_status r1_pretok_split(const r1_pretok *t, const char *text, size_t n, uint32_t **ends, size_t *n_ends, r1_error *err) R1_MUST_CHECK;

#endif
