/* The main function of every test program: runs what TEST() registered, through cmocka, and counts. */
#define _GNU_SOURCE
#include "tests/test.h"

#include <time.h>
#include <unistd.h>

static test_case *first, *last;
static size_t n_registered;

void test_register(test_case *t)
{
    if (last) last->next = t;
    else first = t;
    last = t;
    n_registered++;
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i])) return true;
    return argc < 2;
}

void test_expect_int(long long a, long long b, const char *what, const char *file, int line)
{
    if (a != b) fail_msg("%s:%d: expected %s, got %lld and %lld", file, line, what, a, b);
}

void test_expect_str(const char *a, const char *b, const char *what, const char *file, int line)
{
    if (!a || !b || strcmp(a, b)) fail_msg("%s:%d: %s is \"%s\", expected \"%s\"", file, line, what, a ? a : "(null)", b ? b : "(null)");
}

void test_expect_contains(const char *s, const char *part, const char *file, int line)
{
    if (!s || !strstr(s, part)) fail_msg("%s:%d: \"%s\" does not contain \"%s\"", file, line, s ? s : "(null)", part);
}

void test_expect_status(r1_status got, r1_status want, const char *what, const char *file, int line)
{
    if (got != want) fail_msg("%s:%d: %s gave status %d, expected %d", file, line, what, (int)got, (int)want);
}

void test_expect_ok(r1_status got, const r1_error *e, const char *what, const char *file, int line)
{
    if (got != R1_OK) fail_msg("%s:%d: %s failed with status %d: %s", file, line, what, (int)got, e ? e->msg : "");
}

const char *test_path(const char *relative)
{
    static char path[8][1024];
    static int i;
    i = (i + 1) % 8;
    const char *root = getenv("R1_TESTS");
    snprintf(path[i], sizeof path[i], "%s/%s", root ? root : "tests", relative);
    return path[i];
}

const char *test_cache(const char *relative)
{
    static char path[8][1024];
    static int i;
    i = (i + 1) % 8;
    const char *x = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (x && *x) snprintf(path[i], sizeof path[i], "%s/r1/%s", x, relative);
    else snprintf(path[i], sizeof path[i], "%s/.cache/r1/%s", home ? home : ".", relative);
    return access(path[i], R_OK) == 0 ? path[i] : NULL;
}

uint64_t test_seed(void)
{
    static uint64_t seed;
    if (!seed) {
        const char *s = getenv("R1_SEED");
        seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
        if (!seed) seed = 1;
        printf("seed %llu (R1_SEED repeats it)\n", (unsigned long long)seed);
    }
    return seed;
}

uint32_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state * 0x2545F4914F6CDD1Dull >> 32);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && !strcmp(argv[1], "-l")) {
        for (test_case *t = first; t; t = t->next) puts(t->name);
        return 0;
    }
    struct CMUnitTest *tests = calloc(n_registered + 1, sizeof *tests);
    if (!tests) return 1;
    size_t n = 0;
    for (test_case *t = first; t; t = t->next)
        if (wanted(t->name, argc, argv)) tests[n++] = (struct CMUnitTest){ .name = t->name, .test_func = t->fn };
    int bad = 0, skipped = 0;
    for (size_t i = 0; i < n; i++) { /* one group a test: cmocka's own summary does not count skips for us */
        int r = _cmocka_run_group_tests(tests[i].name, &tests[i], 1, NULL, NULL);
        if (r) bad++;
    }
    free(tests);
    printf("%zu passed, %d failed, %d skipped\n", n - (size_t)bad, bad, skipped);
    if (n == 0) fprintf(stderr, "no test ran\n");
    return bad || n == 0;
}
