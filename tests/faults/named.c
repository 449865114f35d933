/* open() of a file system without nameless files (O_TMPFILE), such as NFS: files under a temporary name are then what a signal must not
 * leave behind. Linked into the program r1_named with --wrap (Makefile), which tests/e2e/files.py runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

int __real_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

static int nameless(int flags)
{
    if ((flags & O_TMPFILE) != O_TMPFILE) return 0;
    errno = EOPNOTSUPP;
    return 1;
}

static int mode_of(int flags, va_list ap) { return flags & O_CREAT ? va_arg(ap, int) : 0; }

int __wrap_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = mode_of(flags, ap);
    va_end(ap);
    return nameless(flags) ? -1 : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = mode_of(flags, ap);
    va_end(ap);
    return nameless(flags) ? -1 : __real_open64(path, flags, mode);
}
