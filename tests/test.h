/* test: the words tests are written in. A thin layer over cmocka.
 *
 *   TEST(name) { EXPECT(n == 3); ... }       registers itself; a failed expectation ends the test
 *
 * Link with tests/test_main.c. A program ends with "N passed, N failed, N skipped" and fails when something failed or
 * nothing ran. With arguments only tests whose name contains one of them run; `-l` lists them.
 */
#ifndef R1_TESTS_TEST_H
#define R1_TESTS_TEST_H

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

#define EXPECT(cond) do { if (!(cond)) fail_msg("%s:%d: expected %s", __FILE__, __LINE__, #cond); } while (0)
#define EXPECT_INT(a, b) test_expect_int((long long)(a), (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define EXPECT_STR(a, b) test_expect_str((a), (b), #a, __FILE__, __LINE__)
#define EXPECT_CONTAINS(s, part) test_expect_contains((s), (part), __FILE__, __LINE__)
#define EXPECT_STATUS(got, want) test_expect_status((got), (want), #got, __FILE__, __LINE__)
/* OK, or print the error's sentence. */
#define EXPECT_OK(got, e) test_expect_ok((got), (e), #got, __FILE__, __LINE__)
#define EXPECT_NULL(p) EXPECT((p) == NULL)
#define SKIP(why) do { printf("skipped: %s\n", (why)); skip(); } while (0)

void test_expect_int(long long a, long long b, const char *what, const char *file, int line);
void test_expect_str(const char *a, const char *b, const char *what, const char *file, int line);
void test_expect_contains(const char *s, const char *part, const char *file, int line);
void test_expect_status(r1_status got, r1_status want, const char *what, const char *file, int line);
void test_expect_ok(r1_status got, const r1_error *e, const char *what, const char *file, int line);

/* Path of a file under tests/ (or of a folder), found from the environment variable R1_TESTS or the working directory. */
const char *test_path(const char *relative);
/* The cache folder's model or tokenizer folder ("models", "tokenizers"): see tools/fetch. NULL when absent. */
const char *test_cache(const char *relative);
/* Seed of this run, printed; R1_SEED repeats one. */
uint64_t test_seed(void);
/* xorshift for test data. */
uint32_t test_random(uint64_t *state);

#endif
