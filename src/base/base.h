/* base: what every other folder stands on.
 *
 * This header: error text and growable buffers. Beside it: half.h (16- and 8-bit floats), map.h (files in memory),
 * thread.h (pool), rng.h (counter-based random numbers), json.h (JSON from outside), utf8.h.
 * Nothing here knows of models. Memory comes from malloc and friends; tests make them fail by wrapping them at link
 * time (tests/faults), so there is no allocator parameter.
 */
#ifndef R1_BASE_BASE_H
#define R1_BASE_BASE_H

#include <r1/r1.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define R1_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define R1_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline size_t r1_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t r1_max(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t r1_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
static inline size_t r1_round_up(size_t a, size_t b) { return r1_ceil_div(a, b) * b; }

/* A blank or one of \t \n \v \f \r, whatever the locale. */
static inline bool r1_is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* a * b, or false when it does not fit. */
static inline bool r1_mul_ok(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool r1_add_ok(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }

/* Replace control characters, invalid UTF-8 and what turns the direction of text by '?', byte for byte. */
void r1_make_printable(char *s);

/* Write the sentence (control characters and invalid UTF-8 from outside are replaced by '?') and return s. */
r1_status r1_fail(r1_error *err, r1_status s, const char *fmt, ...) R1_PRINTF(3, 4);

/* Put "context: " before the sentence that is there, and return s. Does nothing when s is R1_OK. */
r1_status r1_context(r1_error *err, r1_status s, const char *fmt, ...) R1_PRINTF(3, 4);

/* Memory for kernels, 64-byte aligned; large blocks ask for huge pages. Free with free(). Zeroed; scratch is not (its pages
 * are taken as they are first used; builds with R1_TINY fill it with NaN, so that a forgotten write shows). */
void *r1_alloc_aligned(size_t bytes);
void *r1_alloc_scratch(size_t bytes);

/* Bytes this process may still take: what the system has without swapping, within the limit of the address space (ulimit -v). A
 * guess for messages and early refusals; UINT64_MAX when the system does not say. */
uint64_t r1_memory_available(void);

/* A growable byte buffer, born with its maximum. data is NUL-terminated whenever it is not NULL. */
typedef struct r1_buf {
    char *data;
    size_t len, cap, max;
} r1_buf;

void r1_buf_init(r1_buf *b, size_t max);
void r1_buf_deinit(r1_buf *b);
void r1_buf_clear(r1_buf *b);
/* R1_ENOMEM or, past max, R1_ELIMIT; b is then as before. */
r1_status r1_buf_add(r1_buf *b, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_buf_adds(r1_buf *b, const char *s, r1_error *err) R1_MUST_CHECK;
r1_status r1_buf_addf(r1_buf *b, r1_error *err, const char *fmt, ...) R1_PRINTF(3, 4) R1_MUST_CHECK;
char *r1_buf_take(r1_buf *b, size_t *n); /* gives the memory away; b is empty again */

double r1_now(void); /* seconds, monotonic */

#endif
