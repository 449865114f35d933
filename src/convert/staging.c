/* A folder that is filled beside its final name and gets it when it is whole.
 *
 * A killed process leaves the folder behind, so the next one for the same name removes what others left: a folder of this user named
 * NAME.tmp-XXXXXX in which the file MARK lies and whose lock nobody holds. The lock dies with its process. Without the mark it may
 * be anybody's and stays. Only the name takes the mark away, so what is whole has none; a process killed in that instant leaves a whole
 * folder that is not removed. Where a file system has no locks nothing is removed. */
#define _GNU_SOURCE
#include "convert/convert_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".r1-unfinished"
#define SUFFIX ".tmp-"
enum { SUFFIX_LETTERS = 6 /* of mkdtemp */, ATTEMPTS = 8 };

/* Remove the files of a folder, the mark last, and the folder. Names are looked up in the open folder, wherever its path leads by now. */
static void remove_folder(const char *path, int fd)
{
    int again = dup(fd);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d && again >= 0) close(again);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, MARK)) (void)unlinkat(fd, e->d_name, 0);
    if (d) closedir(d);
    (void)unlinkat(fd, MARK, 0);
    (void)rmdir(path);
}

/* Take a folder that a dead process left, and remove it. */
static void remove_if_left(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = fd < 0 ? -1 : openat(fd, MARK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(lock, LOCK_EX | LOCK_NB) == 0) remove_folder(path, fd);
    if (lock >= 0) close(lock);
    if (fd >= 0) close(fd);
}

static bool is_left(const char *entry, const char *name)
{
    size_t n = strlen(name), s = strlen(SUFFIX);
    return strlen(entry) == n + s + SUFFIX_LETTERS && !memcmp(entry, name, n) && !memcmp(entry + n, SUFFIX, s);
}

void r1_staging_clean(const char *final)
{
    const char *slash = strrchr(final, '/'), *name = slash ? slash + 1 : final;
    char dir[4100], path[4400];
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - final + 1) : 2, slash ? final : "./");
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_left(e->d_name, name)) continue;
        snprintf(path, sizeof path, "%s%s", dir, e->d_name);
        remove_if_left(path);
    }
    if (d) closedir(d);
}

/* Mark a new folder as ours. False: another process took it for a dead one's between the mark and the lock. */
static bool mark(r1_staging *s)
{
    struct stat st;
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    s->lock = s->fd < 0 ? -1 : openat(s->fd, MARK, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (s->lock < 0) return false;
    (void)flock(s->lock, LOCK_EX); /* where this fails, so it does for who would remove the folder */
    if (fstat(s->lock, &st) == 0 && st.st_nlink > 0) return true;
    errno = EBUSY;
    return false;
}

static void let_go(r1_staging *s)
{
    if (s->lock >= 0) close(s->lock);
    if (s->fd >= 0) close(s->fd);
    s->lock = s->fd = -1;
}

r1_status r1_staging_open(r1_staging *s, const char *final, r1_error *err)
{
    int error = 0;
    s->fd = s->lock = -1;
    for (int i = 0; i < ATTEMPTS; i++) {
        snprintf(s->path, sizeof s->path, "%.4000s" SUFFIX "XXXXXX", final);
        if (!mkdtemp(s->path)) {
            error = errno;
            break;
        }
        if (mark(s)) return R1_OK;
        error = errno;
        if (s->fd >= 0) remove_folder(s->path, s->fd);
        let_go(s);
    }
    return r1_fail(err, error == ENOSPC || error == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot create a folder '%s': %s", final, strerror(error));
}

r1_status r1_staging_name(r1_staging *s, const char *final, r1_error *err)
{
    mode_t mask = umask(0);
    umask(mask);
    if (!fchmod(s->fd, 0777 & ~mask) && !unlinkat(s->fd, MARK, 0) && !rename(s->path, final)) {
        let_go(s);
        return R1_OK;
    }
    return r1_fail(err, R1_EIO, "cannot name '%s': %s", final, strerror(errno));
}

void r1_staging_close(r1_staging *s)
{
    if (s->fd >= 0) remove_folder(s->path, s->fd);
    let_go(s);
}
