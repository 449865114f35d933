/* The main function of every test program: runs what TEST() registered, through cmocka, and counts.
 *
 * Every test is a cmocka group of its own, because cmocka's summary does not tell skipped from passed. cmocka reports
 * through print_message and print_error; defining them here takes the place of its own, so that its four lines for each
 * passed test are not printed, and what it says of a failed one is. Should a cmocka not be overridden so, the output is
 * longer and nothing else changes.
 */
#define _GNU_SOURCE
#include "tests/test.h"

#include <time.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default"))) /* cmocka and the sanitizers call these */

SHOWN void __asan_on_error(void);

static struct {
    test_case *first, *last;
    const char *current;    /* name of the running test */
    bool verbose, told, skipped;
    char said[4096];        /* by cmocka, in the running test */
    size_t n_said;
    uint64_t seed;          /* 0: not asked for */
} run;

void test_register(test_case *t)
{
    if (run.last) run.last->next = t;
    else run.first = t;
    run.last = t;
}

/* ---- cmocka's voice ---- */

static void say(const char *fmt, va_list ap)
{
    if (run.n_said + 1 >= sizeof run.said) return;
    int n = vsnprintf(run.said + run.n_said, sizeof run.said - run.n_said, fmt, ap);
    if (n > 0) run.n_said += (size_t)n;
    if (run.n_said >= sizeof run.said) run.n_said = sizeof run.said - 1;
}

SHOWN void vprint_message(const char *const fmt, va_list ap) { say(fmt, ap); }
SHOWN void vprint_error(const char *const fmt, va_list ap) { say(fmt, ap); }

SHOWN void print_message(const char *const fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

SHOWN void print_error(const char *const fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(fmt, ap);
    va_end(ap);
}

/* A sanitizer ends the program: say in which test. */
SHOWN void __asan_on_error(void)
{
    if (run.current) fprintf(stderr, "FAILED %s: a sanitizer stopped it\n", run.current);
}

/* ---- expectations ---- */

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    printf("FAILED %s: %s:%d: ", run.current, file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    run.told = true;
    _fail(file, line);
    abort(); /* _fail does not return */
}

void test_skip(const char *why)
{
    printf("skipped %s: %s\n", run.current, why);
    run.skipped = true;
}

void test_expect_int(long long a, long long b, const char *what, const char *file, int line)
{
    if (a != b) test_fail(file, line, "expected %s, got %lld and %lld", what, a, b);
}

void test_expect_str(const char *a, const char *b, const char *what, const char *file, int line)
{
    if (!a || !b || strcmp(a, b)) test_fail(file, line, "%s is \"%s\", expected \"%s\"", what, a ? a : "(null)", b ? b : "(null)");
}

void test_expect_contains(const char *s, const char *part, const char *file, int line)
{
    if (!s || !strstr(s, part)) test_fail(file, line, "\"%s\" does not contain \"%s\"", s ? s : "(null)", part);
}

void test_expect_status(r1_status got, r1_status want, const char *what, const char *file, int line)
{
    if (got != want) test_fail(file, line, "%s gave status %d, expected %d", what, (int)got, (int)want);
}

void test_expect_ok(r1_status got, const r1_error *e, const char *what, const char *file, int line)
{
    if (got != R1_OK) test_fail(file, line, "%s failed with status %d: %s", what, (int)got, e ? e->msg : "");
}

/* ---- where things are ---- */

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

/* ---- random data ---- */

uint64_t test_seed(void)
{
    if (!run.seed) {
        const char *s = getenv("R1_SEED");
        run.seed = s ? strtoull(s, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
        if (!run.seed) run.seed = 1;
    }
    return run.seed;
}

uint32_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state * 0x2545F4914F6CDD1Dull >> 32);
}

/* ---- running ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What cmocka said of a failure that did not come from an expectation above (its own asserts, a signal), in one line. */
static void tell(const char *name)
{
    static const char *const strip[] = { "[  ERROR   ] --- ", "[   LINE   ] --- ", "ERROR: " };
    printf("FAILED %s", name);
    char *save = NULL;
    for (char *line = strtok_r(run.said, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        bool stripped = false;
        for (size_t i = 0; i < sizeof strip / sizeof *strip; i++) {
            if (strncmp(line, strip[i], strlen(strip[i]))) continue;
            line += strlen(strip[i]);
            stripped = true;
        }
        if (*line && (stripped || *line != '[') && !strstr(line, "FAILED TEST(S)")) printf(": %s", line);
    }
    putchar('\n');
}

/* Whether the arguments choose this test; options choose nothing. */
static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') continue;
        any = true;
        if (strstr(name, argv[i])) return true;
    }
    return !any;
}

static bool run_one(const test_case *t)
{
    run.current = t->name;
    run.told = run.skipped = false;
    run.n_said = 0;
    run.said[0] = 0;
    double start = seconds();
    const struct CMUnitTest test = { .name = t->name, .test_func = t->fn };
    bool failed = _cmocka_run_group_tests(t->name, &test, 1, NULL, NULL) != 0;
    if (failed && !run.told) tell(t->name);
    else if (run.verbose) printf("%-7s %s (%.3f s)\n", failed ? "failed" : run.skipped ? "skipped" : "ok", t->name, seconds() - start);
    run.current = NULL;
    return !failed;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-v")) {
            run.verbose = true;
        } else if (!strcmp(argv[i], "-l")) {
            for (const test_case *t = run.first; t; t = t->next) puts(t->name);
            return 0;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: %s [-l] [-v] [PART_OF_A_NAME...]\n", argv[0]);
            return 2;
        }
    }
    size_t n_passed = 0, n_failed = 0, n_skipped = 0;
    for (const test_case *t = run.first; t; t = t->next) {
        if (!wanted(t->name, argc, argv)) continue;
        if (!run_one(t)) n_failed++;
        else if (run.skipped) n_skipped++;
        else n_passed++;
    }
    bool nothing = n_passed + n_failed + n_skipped == 0;
    if (nothing) fprintf(stderr, "no test ran\n");
    if (run.seed && (n_failed || run.verbose)) printf("seed %llu (R1_SEED repeats it)\n", (unsigned long long)run.seed);
    fflush(stderr);
    printf("%zu passed, %zu failed, %zu skipped\n", n_passed, n_failed, n_skipped);
    return n_failed || nothing;
}
