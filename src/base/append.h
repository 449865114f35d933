/* append: a file that grows by whole lines, so that a killed process loses nothing but the line it was writing.
 *
 * It is locked while it is open, so that two processes do not write into each other's results. Nothing of an old file is touched
 * before _begin. Tests: append_test.c */
#ifndef R1_BASE_APPEND_H
#define R1_BASE_APPEND_H

#include "base/base.h"

typedef enum r1_append_mode {
    R1_APPEND_NEW,    /* a file with something in it is R1_EINVAL */
    R1_APPEND_FORCE,  /* its contents go */
    R1_APPEND_RESUME  /* goes on behind its last whole line; a piece of one that a killed process left is cut off */
} r1_append_mode;

typedef struct r1_append {
    int fd;           /* -1: closed */
    char *path;
    uint64_t keep;    /* bytes of the old contents that stay */
    uint64_t torn;    /* bytes that will be cut off by RESUME */
    bool regular, made, begun, unsynced;
    double synced;    /* when */
} r1_append;

/* Errors: R1_EINVAL (see the modes), R1_EIO (also: another process has it open), R1_EFORMAT (to resume: a file without a line that does
 * not begin as JSON), R1_ENOMEM. *a is then closed. */
r1_status r1_append_open(r1_append *a, const char *path, r1_append_mode mode, r1_error *err) R1_MUST_CHECK;
/* From here on the old contents are changed. Errors: R1_EIO. */
r1_status r1_append_begin(r1_append *a, r1_error *err) R1_MUST_CHECK;
/* One line and its end, at once with the system; on the disk a second later at the latest, if lines or _close follow.
 * Errors: R1_ENOMEM (disk full), R1_EIO; the file then ends with the line before. */
r1_status r1_append_line(r1_append *a, const char *text, size_t n, r1_error *err) R1_MUST_CHECK;
/* Everything to the disk. A file that was made here and never begun is removed. Errors: R1_EIO; it is closed all the same. */
r1_status r1_append_close(r1_append *a, r1_error *err) R1_MUST_CHECK;

#endif
