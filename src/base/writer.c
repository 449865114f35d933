/* Writing a file piece by piece, atomically.
 *
 * Invariant: the final name is either absent (or the old file) or the whole new one. Order: bytes, fsync, name, fsync of the
 * folder. A nameless file (O_TMPFILE) gets its name by linkat, which cannot replace: with an old file there it is linked under
 * a temporary name and renamed over it, an instant in which SIGKILL would leave the temporary name; other signals wait. */
#define _GNU_SOURCE
#include "base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, MAX_PATH = 4000 };

/* The folder of a path, into `out` (MAX_PATH + 1 bytes). */
static const char *folder_of(char *out, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return ".";
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    memcpy(out, path, n);
    out[n] = 0;
    return out;
}

static r1_status check_length(const char *path, r1_error *err)
{
    if (strlen(path) > MAX_PATH) return r1_fail(err, R1_EINVAL, "the path '%.64s...' is too long", path);
    return R1_OK;
}

static uint64_t free_bytes(const char *path)
{
    char dir[MAX_PATH + 1];
    struct statvfs v;
    if (statvfs(folder_of(dir, path), &v)) return UINT64_MAX; /* the folder's absence is reported by whoever opens the file */
    return (uint64_t)v.f_bavail * v.f_frsize;
}

r1_status r1_disk_check(const char *path, uint64_t bytes, r1_error *err)
{
    r1_status s = check_length(path, err);
    if (s) return s;
    uint64_t left = free_bytes(path);
    if (bytes <= left) return R1_OK;
    return r1_fail(err, R1_ENOMEM, "writing '%s' needs %llu bytes of disk, %llu are available", path, (unsigned long long)bytes,
                   (unsigned long long)left);
}

r1_status r1_create_check(const char *path, r1_error *err)
{
    char dir[MAX_PATH + 1];
    struct stat st;
    r1_status s = check_length(path, err);
    if (s) return s;
    const char *in = folder_of(dir, path);
    bool ok = stat(in, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        ok = false;
    }
    if (ok && access(in, W_OK | X_OK) == 0) return R1_OK;
    return r1_fail(err, R1_EIO, "cannot create '%s': %s", path, strerror(errno));
}

r1_status r1_overwrite_check(const char *path, bool force, r1_error *err)
{
    struct stat st;
    if (lstat(path, &st)) return r1_create_check(path, err);
    if (!force) return r1_fail(err, R1_EINVAL, "'%s' exists; --force overwrites it", path);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return r1_fail(err, R1_EIO, "'%s' is %s, expected a regular file or a name that is free", path, S_ISDIR(st.st_mode) ? "a folder" : "no file");
    return R1_OK;
}

static void tell(const r1_writer *w, const char *path)
{
    if (w->tell) w->tell(w->ctx, path);
}

static r1_status create(r1_writer *w, r1_error *err)
{
    char dir[MAX_PATH + 1];
    w->fd = open(folder_of(dir, w->path), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (w->fd >= 0) return R1_OK;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return r1_fail(err, errno == ENOSPC || errno == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot create '%s': %s", w->path, strerror(errno));
    w->tmp = malloc(MAX_PATH + 16);
    if (!w->tmp) return r1_fail(err, R1_ENOMEM, "no memory for writing '%s'", w->path);
    snprintf(w->tmp, MAX_PATH + 16, "%s.tmp-XXXXXX", w->path);
    sigset_t old;
    r1_signals_hold(&old); /* no moment in which the file is there and nobody would remove it */
    w->fd = mkostemp(w->tmp, O_CLOEXEC);
    int why = errno;
    if (w->fd >= 0) tell(w, w->tmp);
    r1_signals_release(&old);
    if (w->fd >= 0) return R1_OK;
    errno = why;
    r1_status s = r1_fail(err, errno == ENOSPC || errno == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot create '%s': %s", w->path, strerror(errno));
    free(w->tmp); /* not ours to remove */
    w->tmp = NULL;
    return s;
}

r1_status r1_writer_open(r1_writer *w, const char *path, uint64_t bytes, bool force, r1_error *err)
{
    *w = (r1_writer){ .fd = -1, .force = force, .tell = w->tell, .ctx = w->ctx };
    r1_status s = check_length(path, err);
    if (s == R1_OK) s = r1_overwrite_check(path, force, err);
    if (s == R1_OK) s = r1_disk_check(path, bytes, err);
    if (s) return s;
    w->path = strdup(path);
    w->buffer = malloc(BUFFER_BYTES);
    s = w->path && w->buffer ? create(w, err) : r1_fail(err, R1_ENOMEM, "no memory for writing '%s'", path);
    if (s) r1_writer_abandon(w);
    return s;
}

static r1_status put(r1_writer *w, const uint8_t *p, size_t n, r1_error *err)
{
    while (n) {
        ssize_t k = write(w->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && (errno == ENOSPC || errno == EDQUOT))
            return r1_fail(err, R1_ENOMEM, "the disk is full: '%s' needs %zu bytes more, %llu are available", w->path, n, (unsigned long long)free_bytes(w->path));
        if (k < 0 && errno == EFBIG)
            return r1_fail(err, R1_ENOMEM, "'%s' needs %zu bytes more, but has reached the largest size a file may have here (see ulimit -f)", w->path, n);
        if (k < 0) return r1_fail(err, R1_EIO, "cannot write %zu bytes to '%s': %s", n, w->path, strerror(errno));
        p += k;
        n -= (size_t)k;
    }
    return R1_OK;
}

static r1_status flush(r1_writer *w, r1_error *err)
{
    r1_status s = put(w, w->buffer, w->n_buffer, err);
    w->n_buffer = 0;
    return s;
}

r1_status r1_writer_add(r1_writer *w, const void *data, size_t n, r1_error *err)
{
    r1_status s = R1_OK;
    w->done += n;
    if (n > BUFFER_BYTES - w->n_buffer) s = flush(w, err);
    if (s || n >= BUFFER_BYTES) return s ? s : put(w, data, n, err);
    if (n) memcpy(w->buffer + w->n_buffer, data, n);
    w->n_buffer += n;
    return R1_OK;
}

/* Give a nameless file the name `to`. */
static bool link_to(const r1_writer *w, const char *to)
{
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", w->fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0;
}

/* Signals are held back. */
static r1_status set_name(r1_writer *w, r1_error *err)
{
    if (!w->tmp && link_to(w, w->path)) return R1_OK;
    if (!w->tmp && errno == EEXIST && !w->force) return r1_fail(err, R1_EINVAL, "'%s' has come into being meanwhile; --force overwrites it", w->path);
    if (!w->tmp && errno == EEXIST) {
        char name[MAX_PATH + 32];
        snprintf(name, sizeof name, "%s.tmp-%ld", w->path, (long)getpid());
        if (link_to(w, name) && rename(name, w->path) == 0) return R1_OK;
        int why = errno;
        if (why != EEXIST) unlink(name);
        errno = why;
    }
    if (w->tmp && !w->force && link(w->tmp, w->path) == 0) { /* unlike rename, never replaces */
        unlink(w->tmp);
        return R1_OK;
    }
    if (w->tmp && !w->force && errno == EEXIST) return r1_fail(err, R1_EINVAL, "'%s' has come into being meanwhile; --force overwrites it", w->path);
    if (w->tmp && rename(w->tmp, w->path) == 0) return R1_OK; /* with force, or where there are no links */
    return r1_fail(err, R1_EIO, "cannot name '%s': %s", w->path, strerror(errno));
}

r1_status r1_writer_finish(r1_writer *w, r1_error *err)
{
    r1_status s = flush(w, err);
    if (s == R1_OK && w->tmp) {
        mode_t mask = umask(0); /* mkostemp made it private */
        umask(mask);
        if (fchmod(w->fd, 0666 & ~mask)) s = r1_fail(err, R1_EIO, "cannot finish '%s': %s", w->path, strerror(errno));
    }
    if (s == R1_OK && fsync(w->fd)) {
        bool full = errno == ENOSPC || errno == EDQUOT;
        s = r1_fail(err, full ? R1_ENOMEM : R1_EIO, "cannot finish '%s': %s", w->path, strerror(errno));
    }
    sigset_t old;
    r1_signals_hold(&old);
    if (s == R1_OK) s = set_name(w, err);
    if (s == R1_OK && w->tmp) {
        tell(w, NULL);
        free(w->tmp);
        w->tmp = NULL;
    }
    r1_signals_release(&old);
    if (s == R1_OK) {
        char dir[MAX_PATH + 1];
        int fd = open(folder_of(dir, w->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)fsync(fd); /* the name; some file systems cannot, and the bytes are safe */
            close(fd);
        }
    }
    r1_writer_abandon(w);
    return s;
}

void r1_writer_abandon(r1_writer *w)
{
    if (w->path && w->fd >= 0) close(w->fd);
    if (w->tmp) {
        sigset_t old;
        r1_signals_hold(&old);
        unlink(w->tmp);
        tell(w, NULL);
        r1_signals_release(&old);
    }
    free(w->tmp);
    free(w->path);
    free(w->buffer);
    *w = (r1_writer){ .fd = -1 };
}
