/* Replays a fuzz target without a fuzzer, in every test run.
 *
 *   replay_X [-n MUTATIONS] [FILE...]
 *
 * Linked with tests/fuzz/fuzz_X.c it feeds LLVMFuzzerTestOneInput each file of tests/fuzz/corpus/X (or the files named),
 * every truncation of the small ones, and mutations of each: the same sequence in every run, as far as two seconds reach
 * (-n: so many of each file, whatever the time). Passed counts files. What a crash needs to be repeated is printed by the
 * handler below. Inputs are copied to blocks of exactly their size, so that a sanitizer sees one byte too many.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
SHOWN void __asan_on_error(void);

enum {
    FILES_MAX = 4096,
    FILE_BYTES_MAX = 4 << 20,
    TRUNCATED_MAX = 4096, /* files up to this size are cut at every byte */
    GROWTH = 256          /* bytes a mutation may add */
};
static const double mutation_seconds = 2;

static struct {
    char what[1200]; /* the input being run */
} now;

static void tell(void)
{
    const char head[] = "\nreplay: failed on ";
    (void)!write(STDERR_FILENO, head, sizeof head - 1);
    (void)!write(STDERR_FILENO, now.what, strlen(now.what));
    (void)!write(STDERR_FILENO, "\n", 1);
}

static void on_signal(int sig)
{
    tell();
    signal(sig, SIG_DFL);
    raise(sig);
}

SHOWN void __asan_on_error(void) { tell(); }

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state * 0x2545F4914F6CDD1Dull >> 32);
}

/* Run one input from a block of its own. */
static void run(const uint8_t *data, size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    if (!p) abort();
    if (n) memcpy(p, data, n);
    (void)LLVMFuzzerTestOneInput(p, n);
    free(p);
}

/* Change data[0..n) in one to four places; returns the new size, at most cap. Headers are where parsers decide, so half
 * of the places are in the first 512 bytes. */
static size_t mutate(uint8_t *data, size_t n, size_t cap, uint64_t *rng)
{
    static const uint64_t telling[] = { 0, 1, 2, 3, 4, 7, 8, 9, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 32767, 65535, 65536, 0x7fffffff,
        0x80000000, 0xffffffff, 0x100000000, 0x3fffffffffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff0 };
    static const char bytes[] = "{}[]\",:\\-0123456789eE.nul <>|/\n\xc0\xe2\xed\xf4\xff";
    unsigned steps = 1 + next_random(rng) % 4;
    for (unsigned i = 0; i < steps; i++) {
        if (n == 0) {
            data[n++] = (uint8_t)next_random(rng);
            continue;
        }
        size_t span = next_random(rng) & 1 && n > 512 ? 512 : n, at = next_random(rng) % span;
        size_t len = 1 + next_random(rng) % 16;
        uint64_t v = telling[next_random(rng) % (sizeof telling / sizeof *telling)];
        switch (next_random(rng) % 9) {
        case 0: data[at] ^= (uint8_t)(1u << next_random(rng) % 8); break;
        case 1: data[at] = (uint8_t)next_random(rng); break;
        case 2: data[at] = (uint8_t)bytes[next_random(rng) % (sizeof bytes - 1)]; break;
        case 3: /* a number of 4 or 8 bytes */
        case 4: {
            size_t w = next_random(rng) & 1 ? 4 : 8;
            for (size_t k = 0; k < w && at + k < n; k++) data[at + k] = (uint8_t)(v >> 8 * k);
            break;
        }
        case 5: n = at; break;
        case 6: /* leave out */
            if (len > n - at) len = n - at;
            memmove(data + at, data + at + len, n - at - len);
            n -= len;
            break;
        case 7: /* repeat */
            if (len > n - at) len = n - at;
            if (len > cap - n) len = cap - n;
            memmove(data + at + len, data + at, n - at);
            n += len;
            break;
        default: /* add or subtract a little */
            data[at] = (uint8_t)(data[at] + next_random(rng) % 71 - 35);
        }
    }
    return n;
}

/* Read a file into buf[FILE_BYTES_MAX]; false (and a message) when it cannot be. */
static bool read_file(const char *path, uint8_t *buf, size_t *n)
{
    FILE *f = fopen(path, "rb");
    *n = f ? fread(buf, 1, FILE_BYTES_MAX, f) : 0;
    bool ok = f && !ferror(f) && getc(f) == EOF;
    if (!ok) printf("FAILED %s: cannot be read, or is over %d bytes\n", path, (int)FILE_BYTES_MAX);
    if (f) fclose(f);
    return ok;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The corpus of the target that argv0 names, in order of name. */
static size_t list_corpus(const char *argv0, char **files)
{
    const char *name = strrchr(argv0, '/'), *tests = getenv("R1_TESTS");
    name = name ? name + 1 : argv0;
    if (!strncmp(name, "replay_", 7)) name += 7;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/fuzz/corpus/%s", tests ? tests : "tests", name);
    DIR *d = opendir(folder);
    if (!d) {
        fprintf(stderr, "replay: there is no folder %s\n", folder);
        return 0;
    }
    size_t n = 0;
    for (struct dirent *e; n < FILES_MAX && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        files[n] = strdup(path);
        if (!files[n++]) abort();
    }
    closedir(d);
    qsort(files, n, sizeof *files, by_name);
    return n;
}

static void run_file(const char *path, const uint8_t *data, size_t n)
{
    snprintf(now.what, sizeof now.what, "%s", path);
    run(data, n);
    if (n > TRUNCATED_MAX) return;
    for (size_t k = 0; k < n; k++) {
        snprintf(now.what, sizeof now.what, "the first %zu bytes of %s", k, path);
        run(data, k);
    }
}

/* `count` mutations of one file, or as many as come before `until`. */
static size_t run_mutations(const char *path, const uint8_t *data, size_t n, uint8_t *work, long count, double until)
{
    uint64_t rng = 0x9E3779B97F4A7C15ull;
    long i = 0;
    for (; count >= 0 ? i < count : seconds() < until; i++) {
        memcpy(work, data, n);
        snprintf(now.what, sizeof now.what, "mutation %ld of %s (-n %ld repeats it)", i, path, i + 1);
        run(work, mutate(work, n, n + GROWTH, &rng));
    }
    return (size_t)i;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    static char *files[FILES_MAX];
    size_t n_files = 0, n_failed = 0, n_mutations = 0;
    long count = -1;
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-n") && i + 1 < argc) count = atol(argv[++i]);
        else if (n_files < FILES_MAX) files[n_files++] = argv[i], named = true;
    }
    if (!named) n_files = list_corpus(argv[0], files);
    uint8_t *data = malloc(FILE_BYTES_MAX), *work = malloc(FILE_BYTES_MAX + GROWTH);
    if (!data || !work) return 1;
#if !defined(__SANITIZE_ADDRESS__)
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
    signal(SIGFPE, on_signal);
#endif
    signal(SIGABRT, on_signal);
    for (size_t i = 0; i < n_files; i++) {
        size_t n;
        if (!read_file(files[i], data, &n)) {
            n_failed++;
            continue;
        }
        run_file(files[i], data, n);
        n_mutations += run_mutations(files[i], data, n, work, count, seconds() + mutation_seconds / (double)n_files);
    }
    if (!named)
        for (size_t i = 0; i < n_files; i++) free(files[i]);
    free(data);
    free(work);
    printf("%zu files, %zu mutations\n", n_files, n_mutations);
    if (n_files == 0) fprintf(stderr, "nothing to replay\n");
    printf("%zu passed, %zu failed, 0 skipped\n", n_files - n_failed, n_failed);
    return n_failed || n_files == 0;
}
