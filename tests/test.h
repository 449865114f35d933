/* test: the words tests are written in. A thin layer over cmocka.
 *
 *   TEST(name) { EXPECT(n == 3); ... }       registers itself; a failed expectation ends the test
 *
 * Link with tests/test_main.c. A program prints one line for each failed or skipped test, ends with "N passed, N failed,
 * N skipped", and fails when something failed or nothing ran. With arguments only tests whose name contains one of them
 * run; -l lists the names, -v prints each with its time. Expectations are for the test's own thread.
 */
#ifndef R1_TESTS_TEST_H
#define R1_TESTS_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* tests may use what the system has */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <r1/r1.h>

typedef struct test_case {
    const char *name;
    CMUnitTestFunction fn;
    struct test_case *next;
} test_case;

void test_register(test_case *t);

#define TEST(id)                                                                     \
    static void test_##id(void **state);                                             \
    static test_case case_##id = { #id, test_##id, NULL };                           \
    __attribute__((constructor)) static void register_##id(void) { test_register(&case_##id); } \
    static void test_##id(void **state __attribute__((unused)))

#define EXPECT(cond) do { if (!(cond)) test_fail(__FILE__, __LINE__, "expected %s", #cond); } while (0)
/* The same with a sentence of values: EXPECT_MSG(a < b, "a %g, b %g", a, b). */
#define EXPECT_MSG(cond, ...) do { if (!(cond)) test_fail(__FILE__, __LINE__, __VA_ARGS__); } while (0)
#define EXPECT_INT(a, b) test_expect_int((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define EXPECT_STR(a, b) test_expect_str((a), (b), #a, __FILE__, __LINE__)
#define EXPECT_CONTAINS(s, part) test_expect_contains((s), (part), __FILE__, __LINE__)
#define EXPECT_STATUS(got, want) test_expect_status((got), (want), #got, __FILE__, __LINE__)
/* OK, or print the error's sentence. */
#define EXPECT_OK(got, e) test_expect_ok((got), (e), #got, __FILE__, __LINE__)
#define EXPECT_NULL(p) EXPECT((p) == NULL)
/* End the test as skipped; the reason is printed. For what this machine or a fetch that could not be done lacks. */
#define SKIP(why) do { test_skip(why); skip(); } while (0)

/* Print one line and end the test as failed. */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why);
void test_expect_int(long long a, long long b, const char *what, const char *file, int line);
void test_expect_str(const char *a, const char *b, const char *what, const char *file, int line);
void test_expect_contains(const char *s, const char *part, const char *file, int line);
void test_expect_status(r1_status got, r1_status want, const char *what, const char *file, int line);
void test_expect_ok(r1_status got, const r1_error *e, const char *what, const char *file, int line);

/* Path of a file under tests/ (or of a folder), found from the environment variable R1_TESTS or the working directory. */
const char *test_path(const char *relative);
/* A path in the cache folder that tools/fetch fills ("models/X.gguf", "tokenizers"). NULL when absent. */
const char *test_cache(const char *relative);
/* Seed of this run, printed when something fails; R1_SEED repeats one. */
uint64_t test_seed(void);
/* xorshift64* for test data; *state must not be 0. */
uint32_t test_random(uint64_t *state);

#endif
