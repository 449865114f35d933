/* writer: a large file written piece by piece, there under its name only when it is whole.
 *
 * Until _finish the bytes have no name at all where the file system can do that (O_TMPFILE), so that not even a killed
 * process leaves anything behind; elsewhere they have a temporary name in the same folder, which _abandon removes and `tell` is told.
 */
#ifndef R1_BASE_WRITER_H
#define R1_BASE_WRITER_H

#include "base/base.h"
#include "base/temporary.h"

typedef struct r1_writer {
    int fd;               /* -1: closed */
    char *path, *tmp;     /* tmp: NULL while the file has no name */
    bool force;
    r1_temporary tell;    /* may be NULL */
    void *ctx;
    uint8_t *buffer;      /* small pieces are gathered here */
    size_t n_buffer;
    uint64_t done;        /* bytes taken so far */
} r1_writer;

/* Refuse early what cannot end well, then create the file.
 *
 *   bytes  how many will be written, for comparing with the free space; 0: unknown
 *   force  an existing file is replaced by _finish; else it is R1_EINVAL
 *
 * tell and ctx are the caller's and stay, the rest is set.
 * Errors: R1_EINVAL (exists, path too long), R1_ENOMEM (memory; disk: needed and available), R1_EIO. *w is then closed. */
r1_status r1_writer_open(r1_writer *w, const char *path, uint64_t bytes, bool force, r1_error *err) R1_MUST_CHECK;
/* Errors: R1_ENOMEM (disk full: needed and available), R1_EIO. The writer can then only be abandoned. */
r1_status r1_writer_add(r1_writer *w, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
/* Everything to the disk, then its name: atomic. The writer is closed, after an error too, and nothing is left of it then. */
r1_status r1_writer_finish(r1_writer *w, r1_error *err) R1_MUST_CHECK;
/* Remove what was written; does nothing after _finish or to a zeroed writer. */
void r1_writer_abandon(r1_writer *w);

/* R1_OK when the disk that holds the folder of `path` has room for `bytes`; else R1_ENOMEM with both numbers. */
r1_status r1_disk_check(const char *path, uint64_t bytes, r1_error *err) R1_MUST_CHECK;
/* R1_EIO when nothing of this name can be created: its folder is not there, or may not be written to. */
r1_status r1_create_check(const char *path, r1_error *err) R1_MUST_CHECK;
/* R1_EINVAL when something is there and `force` is false; R1_EIO when it is no regular file, or nothing can be created in its folder. */
r1_status r1_overwrite_check(const char *path, bool force, r1_error *err) R1_MUST_CHECK;

#endif
