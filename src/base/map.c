/* Files in memory: mapped, read whole, written atomically. */
#define _GNU_SOURCE
#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

r1_status r1_map_open(r1_map *m, const char *path, r1_error *err)
{
    *m = (r1_map){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* no waiting on a FIFO */
    if (fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
    struct stat st;
    r1_status s = R1_OK;
    if (fstat(fd, &st) < 0) {
        s = r1_fail(err, R1_EIO, "cannot read '%s': %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        const char *kind = S_ISDIR(st.st_mode) ? "a folder" : S_ISFIFO(st.st_mode) ? "a pipe" : S_ISSOCK(st.st_mode) ? "a socket" : "a device";
        s = r1_fail(err, R1_EIO, "'%s' is %s, expected a regular file, which can be mapped", path, kind);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED && errno == ENOMEM)
            s = r1_fail(err, R1_ENOMEM, "mapping '%s' needs %.1f MiB of address space, %.1f MiB is available", path, (double)st.st_size / 1048576,
                        (double)r1_memory_available() / 1048576);
        else if (p == MAP_FAILED) s = r1_fail(err, R1_EIO, "cannot map '%s': %s", path, strerror(errno));
        else *m = (r1_map){ p, (size_t)st.st_size, st.st_dev, st.st_ino };
    }
    close(fd);
    return s;
}

void r1_map_close(r1_map *m)
{
    if (m->data) munmap((void *)m->data, m->size);
    *m = (r1_map){ 0 };
}

bool r1_map_is(const r1_map *m, const char *path)
{
    struct stat st;
    return m && m->data && stat(path, &st) == 0 && st.st_dev == m->device && st.st_ino == m->inode;
}

void r1_map_forget(const r1_map *m, const void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), lo = (uintptr_t)p, hi = lo + n, base = (uintptr_t)m->data;
    if (!m->data || lo < base || hi > base + m->size) return;
    lo = (lo + page - 1) / page * page;
    hi = hi / page * page;
    if (lo < hi) (void)madvise((void *)lo, hi - lo, MADV_DONTNEED);
}

r1_status r1_file_read(const char *path, size_t max, char **out, size_t *n, r1_error *err)
{
    *out = NULL;
    *n = 0;
    bool is_stdin = !strcmp(path, "-");
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
    r1_buf b;
    r1_buf_init(&b, max);
    r1_status s = r1_buf_add(&b, "", 0, err);
    char part[65536];
    while (s == R1_OK) {
        ssize_t k = read(fd, part, sizeof part);
        if (k == 0) break;
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) s = r1_fail(err, R1_EIO, "cannot read '%s': %s", path, strerror(errno));
        else s = r1_context(err, r1_buf_add(&b, part, (size_t)k, err), "'%s'", path);
    }
    if (!is_stdin) close(fd);
    if (s == R1_OK) *out = r1_buf_take(&b, n);
    r1_buf_deinit(&b);
    return s;
}

static r1_status write_all(int fd, const char *path, const char *p, size_t n, r1_error *err)
{
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
            return r1_fail(err, full ? R1_ENOMEM : R1_EIO, "cannot write %zu bytes to '%s': %s", n, path, strerror(errno));
        }
        p += k;
        n -= (size_t)k;
    }
    return R1_OK;
}

r1_status r1_file_write(const char *path, const void *data, size_t n, bool force, r1_error *err)
{
    if (!strcmp(path, "-")) return write_all(STDOUT_FILENO, "standard output", data, n, err);
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) { /* a device or a pipe has no half-written state to hide */
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
        r1_status s = write_all(fd, path, data, n, err);
        close(fd);
        return s;
    }
    if (exists && !force) return r1_fail(err, R1_EINVAL, "'%s' exists; --force overwrites it", path);
    char tmp[4096];
    if (snprintf(tmp, sizeof tmp, "%s.tmp-XXXXXX", path) >= (int)sizeof tmp)
        return r1_fail(err, R1_EINVAL, "the path '%.64s...' is too long", path);
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) return r1_fail(err, R1_EIO, "cannot create '%s': %s", path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    r1_status s = write_all(fd, path, data, n, err);
    if (s == R1_OK && (fchmod(fd, 0666 & ~mask) < 0 || fsync(fd) < 0))
        s = r1_fail(err, R1_EIO, "cannot finish '%s': %s", path, strerror(errno));
    close(fd);
    if (s == R1_OK && rename(tmp, path) < 0) s = r1_fail(err, R1_EIO, "cannot rename to '%s': %s", path, strerror(errno));
    if (s) unlink(tmp);
    return s;
}
