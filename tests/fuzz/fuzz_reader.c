/* Fuzz target: lines of a file. The first byte is the limit of a line, the rest the file. The lines are those a plain walk over the
 * bytes finds: each once, in order, without its end, and those over the limit passed over. */
#define _GNU_SOURCE
#include "base/reader.h"
#include "tests/fuzz/require.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line by the rule alone: *n bytes of it; returns where the one after it begins. */
static size_t next_line(const char *text, size_t size, size_t at, size_t *n, bool *whole)
{
    size_t end = at;
    while (end < size && text[end] != '\n') end++;
    *whole = end < size;
    *n = end - at;
    if (*whole && *n && text[end - 1] == '\r') --*n;
    return end + *whole;
}

static void check_lines(const char *path, const char *text, size_t size, size_t max)
{
    r1_reader r;
    r1_line l;
    r1_error e = { 0 };
    uint64_t number = 0, filled = 0, count;
    require(r1_reader_open(&r, path, max, &e) == R1_OK);
    for (size_t at = 0; at < size;) {
        size_t n, begin = at;
        bool whole, blank = true;
        at = next_line(text, size, at, &n, &whole);
        for (size_t i = begin; i < begin + n; i++) blank = blank && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r');
        filled += !blank;
        require(r1_reader_next(&r, true, &l, &e) == R1_OK && l.number == ++number && l.whole == whole);
        require(l.kind == (n > max ? R1_LINE_TOO_LONG : R1_LINE_TEXT));
        require(n > max ? l.n == 0 : l.n == n && !memcmp(l.text, text + begin, n));
    }
    for (int i = 0; i < 2; i++) require(r1_reader_next(&r, true, &l, &e) == R1_OK && l.kind == R1_LINE_END);
    r1_reader_close(&r);
    require(r1_reader_count(path, &count, &e) == R1_OK && count == filled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    if (size == 0) return 0;
    int fd = memfd_create("lines", MFD_CLOEXEC);
    if (fd < 0) return 0;
    for (size_t done = 1; done < size;) {
        ssize_t k = write(fd, data + done, size - done);
        require(k > 0);
        done += (size_t)k;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    check_lines(path, (const char *)data + 1, size - 1, data[0]);
    close(fd);
    return 0;
}
