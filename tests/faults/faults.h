/* faults: allocations that fail on purpose.
 *
 * Programs of this folder are linked with --wrap for malloc and its relatives (Makefile), so every allocation of the
 * library's own code passes through faults.c, which counts them, keeps a list of live blocks, and can let one fail. What the C
 * library and PCRE2 allocate inside themselves is not seen; jansson's blocks are seen, but fail only after faults_jansson.
 *
 *   static r1_status make_pool(void *ctx, r1_error *err) { ... new, free, return the status ... }
 *   TEST(pool) { FAULTS_SWEEP(make_pool, NULL); }
 */
#ifndef R1_TESTS_FAULTS_H
#define R1_TESTS_FAULTS_H

#include "tests/test.h"

/* Builds something, destroys all of it again, and returns the first bad status. */
typedef r1_status (*faults_fn)(void *ctx, r1_error *err);

/* Run fn without failures (it must succeed and allocate), then with allocation 1, 2, 3 ... failing until a run has fewer
 * allocations than that; and all of it again with every later allocation failing too. Each run must return R1_ENOMEM with
 * a sentence, or R1_OK, and leave no block behind that was not there before. false: why[] says what was wrong. */
bool faults_try(faults_fn fn, void *ctx, char why[512]);

/* The same, as an expectation. */
#define FAULTS_SWEEP(fn, ctx) do { \
        char why_[512]; \
        if (!faults_try((fn), (ctx), why_)) test_fail(__FILE__, __LINE__, "%s: %s", #fn, why_); \
    } while (0)

/* Let jansson's allocations count and fail too: for code that builds JSON. Not for code that parses it: the parser of jansson
 * 2.14 ignores failures while it collects a token, and then writes past the end of its buffer. */
void faults_jansson(bool too);

/* Allocations since the last faults_reset, by all threads: malloc, calloc, realloc and the others, not free. */
size_t faults_count(void);
void faults_reset(void);
/* Blocks allocated and not yet freed. */
size_t faults_live(void);

#endif
