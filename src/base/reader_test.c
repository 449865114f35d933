/* Lines as they come: any cut into reads, any length at the limit, the end without a line end, pipes that are slow. */
#include "tests/test.h"
#include "base/reader.h"

#include <fcntl.h>
#include <unistd.h>

enum { LIMIT = 8 };

/* A file that is gone when it is closed; its path. */
static const char *file_of(const void *text, size_t n)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/r1-reader-XXXXXX");
    int fd = mkstemp(path);
    EXPECT(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    close(fd);
    return path;
}

static void expect_line(r1_reader *r, r1_line_kind kind, const char *text, uint64_t number, bool whole)
{
    r1_line l;
    r1_error e = { 0 };
    EXPECT_OK(r1_reader_next(r, true, &l, &e), &e);
    EXPECT_INT(l.kind, kind);
    if (kind == R1_LINE_END) return;
    EXPECT_INT(l.number, number);
    EXPECT_INT(l.whole, whole);
    EXPECT_INT(l.n, strlen(text));
    EXPECT(!memcmp(l.text, text, l.n));
}

TEST(lines_end_with_lf_or_cr_lf_or_the_end)
{
    static const char text[] = "one\ntwo\r\n\n\r\n\rx\r\r\n12345678\n123456789\n12345678\r\n1234567\r8\nlast";
    r1_reader r;
    r1_error e = { 0 };
    const char *path = file_of(text, sizeof text - 1);
    EXPECT_OK(r1_reader_open(&r, path, LIMIT, &e), &e);
    static const char *const want[] = { "one", "two", "", "", "\rx\r", "12345678" };
    for (size_t i = 0; i < 6; i++) expect_line(&r, R1_LINE_TEXT, want[i], i + 1, true);
    expect_line(&r, R1_LINE_TOO_LONG, "", 7, true);
    expect_line(&r, R1_LINE_TEXT, "12345678", 8, true);
    expect_line(&r, R1_LINE_TOO_LONG, "", 9, true);
    expect_line(&r, R1_LINE_TEXT, "last", 10, false);
    for (int i = 0; i < 2; i++) expect_line(&r, R1_LINE_END, "", 0, false);
    r1_reader_close(&r);
    r1_reader_close(&r);
    uint64_t n;
    EXPECT_OK(r1_reader_count(path, &n, &e), &e);
    EXPECT_INT(n, 8); /* two are blank */
    unlink(path);
}

/* Longer than any buffer, and just as long as is allowed. */
TEST(a_byte_order_mark_at_the_start_is_no_part_of_the_line)
{
    static const char text[] = "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n";
    r1_reader r;
    r1_error e = { 0 };
    for (int only = 0; only < 2; only++) {
        const char *path = file_of(text, only ? 3 : sizeof text - 1);
        EXPECT_OK(r1_reader_open(&r, path, LIMIT, &e), &e);
        expect_line(&r, R1_LINE_TEXT, only ? "" : "one", 1, !only);
        if (!only) expect_line(&r, R1_LINE_TEXT, "\xEF\xBB\xBFtwo", 2, true);
        expect_line(&r, R1_LINE_END, "", 0, false);
        r1_reader_close(&r);
        unlink(path);
    }
}

TEST(long_lines_are_passed_over_or_given_whole)
{
    enum { MANY = 300000 };
    char *text = malloc(3 * MANY);
    r1_error e = { 0 };
    for (size_t max = MANY - 1; max <= MANY; max++) {
        r1_reader r;
        r1_line l;
        memset(text, 'x', 3 * MANY);
        text[MANY] = text[2 * MANY] = '\n';
        const char *path = file_of(text, 3 * MANY);
        EXPECT_OK(r1_reader_open(&r, path, max, &e), &e);
        for (uint64_t i = 1; i <= 3; i++) {
            EXPECT_OK(r1_reader_next(&r, true, &l, &e), &e);
            bool fits = (i == 1 ? MANY : MANY - 1) <= max;
            EXPECT(l.kind == (fits ? R1_LINE_TEXT : R1_LINE_TOO_LONG) && l.number == i && l.whole == (i < 3));
            EXPECT_INT(l.n, !fits ? 0 : i == 1 ? MANY : MANY - 1);
            for (size_t k = 0; k < l.n; k++) EXPECT(l.text[k] == 'x');
        }
        expect_line(&r, R1_LINE_END, "", 0, false);
        EXPECT(max > 2 * (1 << 16) && r.cap <= 4 * MANY); /* what is too long is not kept */
        r1_reader_close(&r);
        unlink(path);
    }
    free(text);
}

TEST(a_slow_pipe_is_not_waited_for)
{
    int p[2];
    r1_error e = { 0 };
    r1_reader r;
    r1_line l;
    char path[64];
    EXPECT(pipe(p) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
    EXPECT_OK(r1_reader_open(&r, path, LIMIT, &e), &e);
    static const char text[] = "ab\ncd\n123456789\nx";
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        EXPECT_OK(r1_reader_next(&r, false, &l, &e), &e);
        EXPECT_INT(l.kind, R1_LINE_NONE);
        EXPECT(write(p[1], text + i, 1) == 1);
        if (text[i] != '\n') continue;
        EXPECT_OK(r1_reader_next(&r, false, &l, &e), &e);
        EXPECT(l.kind == (number < 2 ? R1_LINE_TEXT : R1_LINE_TOO_LONG) && l.number == ++number);
    }
    close(p[1]);
    expect_line(&r, R1_LINE_TEXT, "x", 4, false);
    expect_line(&r, R1_LINE_END, "", 0, false);
    r1_reader_close(&r);
    close(p[0]);
}

TEST(what_cannot_be_read_is_refused)
{
    r1_reader r;
    r1_error e = { 0 };
    uint64_t n;
    EXPECT_STATUS(r1_reader_open(&r, "/nowhere/x", LIMIT, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "/nowhere/x");
    EXPECT_STATUS(r1_reader_open(&r, "/", LIMIT, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "a folder");
    r1_reader_close(&r);
    EXPECT_STATUS(r1_reader_count("/nowhere/x", &n, &e), R1_EIO);
    EXPECT_OK(r1_reader_count("/dev/null", &n, &e), &e);
    EXPECT(n == UINT64_MAX);
    const char *path = file_of("", 0);
    EXPECT_OK(r1_reader_count(path, &n, &e), &e);
    EXPECT_INT(n, 0);
    unlink(path);
}
