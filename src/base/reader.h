/* reader: a text from outside, line by line, of bounded length, from a file or from a pipe that is not waited for. A byte order mark at its
 * start is left out.
 *
 * Threads: one at a time. Tests: reader_test.c */
#ifndef R1_BASE_READER_H
#define R1_BASE_READER_H

#include "base/base.h"

typedef enum r1_line_kind {
    R1_LINE_TEXT,
    R1_LINE_TOO_LONG, /* more than max bytes; it was passed over */
    R1_LINE_NONE,     /* nothing yet: the writer of a pipe is slow, or a signal came while it was waited for */
    R1_LINE_END
} r1_line_kind;

typedef struct r1_line {
    r1_line_kind kind;
    const char *text; size_t n; /* without its end (LF or CR LF); until the next call */
    uint64_t number;            /* 1, 2, 3 and so on */
    bool whole;                 /* it had an end: false only for what stands behind the last one */
} r1_line;

typedef struct r1_reader {
    int fd;                     /* -1: closed */
    char *path;
    char *data;
    size_t start, end, cap, max;/* data[start..end) is not given out yet */
    size_t seen;                /* no line end in data[start..seen) */
    uint64_t number;
    bool at_end, passing;       /* passing over the rest of a long line */
} r1_reader;

/* "-" is standard input. max: bytes of a line. Errors: R1_EIO, R1_ENOMEM; *l is then closed. */
r1_status r1_reader_open(r1_reader *l, const char *path, size_t max, r1_error *err) R1_MUST_CHECK;
/* wait: until there is a line or the end. Errors: R1_EIO, R1_ENOMEM. */
r1_status r1_reader_next(r1_reader *l, bool wait, r1_line *out, r1_error *err) R1_MUST_CHECK;
void r1_reader_close(r1_reader *l); /* also of a zeroed or closed one */

/* How many lines a regular file has that are not blank; *n is UINT64_MAX for anything else. Errors: R1_EIO. */
r1_status r1_reader_count(const char *path, uint64_t *n, r1_error *err) R1_MUST_CHECK;

#endif
