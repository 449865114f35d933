/* utf8: strict decoding of UTF-8 from outside. */
#ifndef R1_BASE_UTF8_H
#define R1_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* The first character of s[0..n). Returns its length 1..4 and sets *cp; 0 when n is 0; -k when the bytes are a maximal
 * invalid part of k bytes (Unicode 3.9, "substitution of maximal subparts"); -k also for a truncated but so far valid
 * sequence that takes all k = n bytes, see r1_utf8_is_partial. No surrogates, no overlong forms. */
int r1_utf8_decode(const char *s, size_t n, uint32_t *cp);

/* Whether s[0..n) is a proper prefix of some valid character (n is 1..3). */
bool r1_utf8_is_partial(const char *s, size_t n);

/* Whether all of s[0..n) is valid; if not, *bad (may be NULL) is the first wrong byte. */
bool r1_utf8_is_valid(const char *s, size_t n, size_t *bad);

/* Write cp (at most 0x10FFFF) to out[4]; returns the length. */
int r1_utf8_encode(uint32_t cp, char out[4]);

#endif
