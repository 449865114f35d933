/* Files that grow by whole lines. */
#define _GNU_SOURCE
#include "base/append.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const double SYNC_SECONDS = 1; /* a disk takes milliseconds for it: too much for every line */

static r1_status failed(const r1_append *a, const char *what, r1_error *err)
{
    int e = errno;
    bool full = e == ENOSPC || e == EDQUOT || e == EFBIG;
    return r1_fail(err, full ? R1_ENOMEM : R1_EIO, "cannot %s '%s': %s", what, a->path, strerror(e));
}

/* Behind the last line end. */
static r1_status find_whole_lines(r1_append *a, uint64_t size, r1_error *err)
{
    char piece[1 << 12];
    for (uint64_t end = size; end;) {
        size_t n = end < sizeof piece ? (size_t)end : sizeof piece;
        ssize_t k = pread(a->fd, piece, n, (off_t)(end - n));
        if (k != (ssize_t)n) return failed(a, "read", err);
        const char *last = memrchr(piece, '\n', n);
        if (last) {
            a->keep = end - n + (size_t)(last - piece) + 1;
            break;
        }
        end -= n;
        if (end == 0 && piece[0] != '{')
            return r1_fail(err, R1_EFORMAT, "'%s' has no whole line and does not begin with '{': these are no results to go on with", a->path);
    }
    a->torn = size - a->keep;
    return R1_OK;
}

static r1_status look_at(r1_append *a, r1_append_mode mode, r1_error *err)
{
    struct stat st;
    if (fstat(a->fd, &st)) return failed(a, "look at", err);
    a->regular = S_ISREG(st.st_mode);
    if (mode == R1_APPEND_RESUME && !a->regular) return r1_fail(err, R1_EINVAL, "'%s' is no regular file, which could be gone on with", a->path);
    if (!a->regular) return R1_OK;
    if (flock(a->fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK) return r1_fail(err, R1_EIO, "'%s' is being written by another process", a->path);
        return failed(a, "lock", err);
    }
    if (mode == R1_APPEND_NEW && st.st_size) return r1_fail(err, R1_EINVAL, "'%s' exists; --resume goes on with it, --force overwrites it", a->path);
    return mode == R1_APPEND_RESUME ? find_whole_lines(a, (uint64_t)st.st_size, err) : R1_OK;
}

static void shut(r1_append *a)
{
    if (a->fd >= 0) close(a->fd);
    free(a->path);
    *a = (r1_append){ .fd = -1 };
}

r1_status r1_append_open(r1_append *a, const char *path, r1_append_mode mode, r1_error *err)
{
    *a = (r1_append){ .fd = -1, .path = strdup(path) };
    if (!a->path) return r1_fail(err, R1_ENOMEM, "no memory for a name");
    struct stat st;
    bool device = !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
    a->fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0666);
    a->made = a->fd >= 0;
    if (a->fd < 0 && errno == EEXIST) a->fd = open(path, (device ? O_WRONLY : O_RDWR) | O_APPEND | O_CLOEXEC);
    r1_status s = a->fd >= 0 ? look_at(a, mode, err) : failed(a, "open", err);
    if (s && a->made) unlink(path);
    if (s) shut(a);
    return s;
}

/* The name of a new file to the disk, as far as the file system can. */
static void sync_name(const r1_append *a)
{
    char *copy = strdup(a->path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

r1_status r1_append_begin(r1_append *a, r1_error *err)
{
    struct stat st;
    if (a->begun) return R1_OK;
    if (a->made) sync_name(a);
    if (a->regular && (fstat(a->fd, &st) || ((uint64_t)st.st_size != a->keep && ftruncate(a->fd, (off_t)a->keep)))) return failed(a, "write", err);
    a->begun = true;
    a->synced = r1_now();
    return R1_OK;
}

static r1_status sync_data(r1_append *a, r1_error *err)
{
    if (a->regular && a->unsynced && fdatasync(a->fd)) return failed(a, "write", err);
    a->unsynced = false;
    a->synced = r1_now();
    return R1_OK;
}

r1_status r1_append_line(r1_append *a, const char *text, size_t n, r1_error *err)
{
    r1_status s = r1_append_begin(a, err);
    if (s) return s;
    for (size_t done = 0; done < n + 1;) { /* mostly at once: a reader sees whole lines */
        struct iovec v[2] = { { (char *)text + r1_min(done, n), n - r1_min(done, n) }, { (char *)"\n", 1 } };
        ssize_t k = writev(a->fd, v, 2);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            s = failed(a, "write", err);
            if (a->regular && ftruncate(a->fd, (off_t)a->keep)) return s; /* a piece stays; RESUME cuts it off */
            return s;
        }
        done += (size_t)k;
    }
    a->keep += n + 1;
    a->unsynced = true;
    return r1_now() - a->synced < SYNC_SECONDS ? R1_OK : sync_data(a, err);
}

r1_status r1_append_close(r1_append *a, r1_error *err)
{
    if (a->fd < 0) return R1_OK;
    r1_status s = sync_data(a, err);
    if (a->made && !a->begun) unlink(a->path);
    shut(a);
    return s;
}
