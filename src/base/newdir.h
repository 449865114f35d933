/* newdir: a folder made under a temporary name beside its final one, there under its name only when it is whole.
 *
 * An old folder of that name is exchanged for the new one in one step, with everything in it that the new one does not
 * replace; until then nothing of it is touched. Its files must be plain ones: newdir removes no folder in a folder. What a
 * killed process left undone is done by the next one for the same name, as far as that is certain: what was not whole is removed,
 * what should have gone along goes along.
 * Threads: one at a time. Tests: newdir_test.c */
#ifndef R1_BASE_NEWDIR_H
#define R1_BASE_NEWDIR_H

#include "base/base.h"
#include "base/temporary.h"

typedef struct r1_newdir {
    char *path, *tmp;        /* final and temporary name; tmp: NULL when there is none */
    bool force;              /* an old folder with something in it may be replaced */
    const char *const *dropped; /* NULL-terminated: names the new folder has or must not have, so that old files of these names go; NULL: none */
    r1_temporary tell;       /* may be NULL */
    void *ctx;
    int fd, lock;            /* of the temporary folder and of the mark in it; 0 or -1: closed */
    bool no_exchange;        /* as where the file system cannot exchange two names: for tests */
} r1_newdir;

/* Do what killed processes left to do at `path`, and nothing where there is nothing. Without it r1_newdir_open does so; before, it shows what is really there.
 * Errors: R1_EINVAL (path), R1_ENOMEM, R1_EIO: something of the old folder is still in one that the sentence names. */
r1_status r1_newdir_recover(const char *path, const char *const *dropped, r1_error *err) R1_MUST_CHECK;
/* r1_newdir_recover, then make the temporary folder d->tmp; force, dropped, tell and ctx are the caller's, the rest is zero. Where `path` is a symbolic link, what
 * it leads to will be replaced. Errors: R1_EINVAL (path), R1_ENOMEM (memory, disk), R1_EIO. *d is then empty. */
r1_status r1_newdir_open(r1_newdir *d, const char *path, r1_error *err) R1_MUST_CHECK;
/* Give it its name. What an old folder holds under other names than `dropped` goes along. Everything is on the disk then. *d is empty afterwards, after an error too.
 * Errors: R1_EINVAL (an old folder that is not empty, without force), R1_EIO; the old folder is then what it was, unless the sentence says that a part of it stayed behind. */
r1_status r1_newdir_finish(r1_newdir *d, r1_error *err) R1_MUST_CHECK;
/* Remove the temporary folder; does nothing after _finish or to a zeroed one. */
void r1_newdir_abandon(r1_newdir *d);

/* Remove a folder and the files in it, but no folder in it. Async-signal-safe. */
bool r1_newdir_remove(const char *path);

#endif
