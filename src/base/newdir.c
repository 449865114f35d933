/* Making a folder and exchanging it for an old one.
 *
 * Order: the files (their writer has synced them), links to what goes along, fsync of the temporary folder, the exchange,
 * fsync of the parent, removal of the old folder, which has the temporary name by then. What goes along is linked and not
 * moved, so that at every instant both folders are whole; only folders in the old folder, which cannot be linked, and files
 * of file systems without links are moved, after the exchange. Signals are held back meanwhile.
 *
 * A killed process leaves its folder behind, so the next one for the same name removes what others left: a folder of this user named
 * NAME.tmp-XXXXXX in which the file MARK lies and whose lock nobody holds. The lock dies with its process. Without the mark it may
 * be anybody's and stays. Just before the exchange the mark goes, so what is whole has none; the old folder gets one when nothing
 * of it is needed any more. Where a file system has no locks nothing is removed. */
#define _GNU_SOURCE
#include "base/newdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".r1-unfinished"
#define SUFFIX ".tmp-"
enum { MAX_PATH = 4000, TRIES = 16, SUFFIX_LETTERS = 6 /* of mkdtemp */ };

typedef char place[MAX_PATH + 300];

static const char *in(place out, const char *dir, const char *name)
{
    snprintf(out, sizeof(place), "%s/%s", dir, name);
    return out;
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

static void tell(const r1_newdir *d, const char *path)
{
    if (d->tell) d->tell(d->ctx, path);
}

/* The files of an open folder, the mark last: whoever is killed here can be cleaned up after. */
static void remove_files(int fd)
{
    _Alignas(struct dirent64) char list[4096];
    (void)lseek(fd, 0, SEEK_SET);
    for (ssize_t n; (n = getdents64(fd, list, sizeof list)) > 0;)
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *e = (const void *)(list + at);
            if (!is_dots(e->d_name) && strcmp(e->d_name, MARK)) unlinkat(fd, e->d_name, 0);
            at += e->d_reclen;
        }
}

static bool remove_open(const char *path, int fd)
{
    for (int i = 0; i < TRIES; i++) { /* again where removing hid a file from the list, or one came meanwhile */
        remove_files(fd);
        unlinkat(fd, MARK, 0);
        if (rmdir(path) == 0) return true;
    }
    return false;
}

bool r1_newdir_remove(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    bool ok = remove_open(path, fd);
    close(fd);
    return ok;
}

static void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd); /* names; some file systems cannot, and the bytes are safe */
    close(fd);
}

static void sync_parent(const char *path)
{
    char parent[MAX_PATH + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    memcpy(parent, path, n);
    parent[n] = 0;
    sync_folder(!slash ? "." : n ? parent : "/");
}

/* ---- what others left ------------------------------------------------------------------------------------------- */

/* Take a folder that a dead process left, and remove it. */
static void remove_if_left(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = fd < 0 ? -1 : openat(fd, MARK, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (lock >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(lock, LOCK_EX | LOCK_NB) == 0) (void)remove_open(path, fd);
    if (lock >= 0) close(lock);
    if (fd >= 0) close(fd);
}

static bool is_left(const char *entry, const char *name)
{
    size_t n = strlen(name), s = strlen(SUFFIX);
    return strlen(entry) == n + s + SUFFIX_LETTERS && !memcmp(entry, name, n) && !memcmp(entry + n, SUFFIX, s);
}

static void remove_left(const char *final)
{
    const char *slash = strrchr(final, '/'), *name = slash ? slash + 1 : final;
    char dir[MAX_PATH + 1];
    place path;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - final + 1) : 1, slash ? final : ".");
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_left(e->d_name, name)) remove_if_left(in(path, dir, e->d_name));
    if (d) closedir(d);
}

/* ---- making it -------------------------------------------------------------------------------------------------- */

/* Mark a new folder as ours. False: another process took it for a dead one's between the mark and the lock. */
static bool mark(r1_newdir *d)
{
    struct stat st;
    d->fd = open(d->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    d->lock = d->fd < 0 ? -1 : openat(d->fd, MARK, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->lock < 0) return false;
    (void)flock(d->lock, LOCK_EX); /* where this fails, so it does for who would remove the folder */
    if (fstat(d->lock, &st) == 0 && st.st_nlink > 0) return true;
    errno = EBUSY;
    return false;
}

static void let_go(r1_newdir *d)
{
    if (d->lock > 0) close(d->lock);
    if (d->fd > 0) close(d->fd);
    d->lock = d->fd = -1;
}

static void clear(r1_newdir *d)
{
    let_go(d);
    free(d->path);
    free(d->tmp);
    *d = (r1_newdir){ 0 };
}

/* The path without slashes at its end and, where it exists, without symbolic links: names are exchanged, not what they lead to. */
static char *final_path(const char *path)
{
    size_t n = strlen(path);
    char *real = realpath(path, NULL);
    while (n > 1 && path[n - 1] == '/') n--;
    return real ? real : strndup(path, n);
}

/* 0, or why not. */
static int make_marked(r1_newdir *d)
{
    int why = 0;
    for (int i = 0; i < TRIES; i++) {
        snprintf(d->tmp, MAX_PATH, "%s" SUFFIX "XXXXXX", d->path);
        if (!mkdtemp(d->tmp)) return errno;
        if (mark(d)) return 0;
        why = errno;
        (void)r1_newdir_remove(d->tmp);
        let_go(d);
    }
    return why;
}

r1_status r1_newdir_open(r1_newdir *d, const char *path, r1_error *err)
{
    sigset_t old;
    d->path = final_path(path);
    d->tmp = d->path ? malloc(MAX_PATH) : NULL;
    if (!d->tmp) {
        clear(d);
        return r1_fail(err, R1_ENOMEM, "no memory for a folder '%.64s'", path);
    }
    if (!*path || strlen(d->path) > MAX_PATH - 64) {
        clear(d);
        return r1_fail(err, R1_EINVAL, "the path '%.64s...' is empty or too long", path);
    }
    remove_left(d->path);
    r1_signals_hold(&old);
    int why = make_marked(d);
    if (!why) tell(d, d->tmp);
    r1_signals_release(&old);
    if (!why) return R1_OK;
    r1_status s = r1_fail(err, why == ENOSPC || why == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot create a folder beside '%s': %s", d->path, strerror(why));
    clear(d);
    return s;
}

void r1_newdir_abandon(r1_newdir *d)
{
    sigset_t old;
    r1_signals_hold(&old);
    if (d->tmp) {
        (void)r1_newdir_remove(d->tmp);
        tell(d, NULL);
    }
    r1_signals_release(&old);
    clear(d);
}

/* ---- naming it -------------------------------------------------------------------------------------------------- */

static bool is_dropped(const char *const *dropped, const char *name)
{
    while (*dropped && strcmp(*dropped, name)) dropped++;
    return *dropped != NULL;
}

/* Whatever is in `from` and neither in `to` nor dropped: linked, or moved. false: errno says why, `name` which. */
static bool take_along(const char *from, const char *to, const char *const *dropped, bool move, char name[NAME_MAX + 1])
{
    DIR *list = opendir(from);
    bool ok = list != NULL;
    *name = 0;
    for (struct dirent *e; ok && (e = readdir(list));) {
        place a, b;
        struct stat st;
        if (is_dots(e->d_name) || !strcmp(e->d_name, MARK) || is_dropped(dropped, e->d_name)) continue;
        in(a, from, e->d_name);
        in(b, to, e->d_name);
        if (!move) (void)linkat(AT_FDCWD, a, AT_FDCWD, b, 0); /* what has no link then is moved later */
        else if (lstat(b, &st)) ok = rename(a, b) == 0;
        if (!ok) snprintf(name, NAME_MAX + 1, "%s", e->d_name);
    }
    int why = errno;
    if (list) closedir(list);
    errno = why;
    return ok;
}

/* The new folder under the final name, the old one under the temporary name; or nothing changed, and errno says why. */
static bool exchange(r1_newdir *d)
{
    char aside[MAX_PATH + 16];
    if (!d->no_exchange) {
        if (renameat2(AT_FDCWD, d->tmp, AT_FDCWD, d->path, RENAME_EXCHANGE) == 0) return true;
        if (errno != EINVAL && errno != ENOSYS) return false;
    }
    snprintf(aside, sizeof aside, "%s.old-%ld", d->path, (long)getpid()); /* not .tmp: who is killed here needs it */
    if (rename(d->path, aside)) return false;
    if (rename(d->tmp, d->path)) {
        int why = errno;
        (void)rename(aside, d->path);
        errno = why;
        return false;
    }
    return rename(aside, d->tmp) == 0;
}

/* Nothing in the old folder is needed any more. */
static void mark_old(const r1_newdir *d)
{
    place path;
    int fd = open(in(path, d->tmp, MARK), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

/* The temporary name is nobody's any more. */
static void done(r1_newdir *d)
{
    tell(d, NULL);
    free(d->tmp);
    d->tmp = NULL;
}

static r1_status replace_old(r1_newdir *d, const char *const *dropped, r1_error *err)
{
    char name[NAME_MAX + 1];
    if (!exchange(d)) return r1_fail(err, R1_EIO, "cannot replace the folder '%s': %s", d->path, strerror(errno));
    bool ok = take_along(d->tmp, d->path, dropped, true, name);
    int why = errno;
    sync_folder(d->path);
    sync_parent(d->path);
    r1_status s = R1_OK;
    if (!ok) s = r1_fail(err, R1_EIO, "'%s' is written, but '%s' of the old folder is still in '%s': %s", d->path, name, d->tmp, strerror(why));
    else if (mark_old(d), !r1_newdir_remove(d->tmp)) s = r1_fail(err, R1_EIO, "'%s' is written, but a part of the old folder is still in '%s'", d->path, d->tmp);
    done(d);
    return s;
}

/* Signals are held back. */
static r1_status settle(r1_newdir *d, const char *const *dropped, r1_error *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    mode_t mask = umask(0);
    umask(mask);
    bool old = stat(d->path, &st) == 0;
    if (old && !S_ISDIR(st.st_mode)) return r1_fail(err, R1_EINVAL, "'%s' exists and is no folder", d->path);
    if (chmod(d->tmp, old ? st.st_mode & 07777 : 0777 & ~mask)) return r1_fail(err, R1_EIO, "cannot name '%s': %s", d->path, strerror(errno));
    if (old && d->force && !take_along(d->path, d->tmp, dropped, false, name)) return r1_fail(err, R1_EIO, "cannot list '%s': %s", d->path, strerror(errno));
    if (unlinkat(d->fd, MARK, 0)) return r1_fail(err, R1_EIO, "cannot name '%s': %s", d->path, strerror(errno));
    sync_folder(d->tmp);
    if (rename(d->tmp, d->path)) { /* which also replaces an empty folder */
        if (errno != ENOTEMPTY && errno != EEXIST) return r1_fail(err, R1_EIO, "cannot name '%s': %s", d->path, strerror(errno));
        if (!d->force) return r1_fail(err, R1_EINVAL, "the folder '%s' exists and is not empty; --force overwrites its files", d->path);
        return replace_old(d, dropped, err);
    }
    sync_parent(d->path);
    done(d);
    return R1_OK;
}

r1_status r1_newdir_finish(r1_newdir *d, const char *const *dropped, r1_error *err)
{
    sigset_t old;
    r1_signals_hold(&old);
    r1_status s = settle(d, dropped, err);
    r1_signals_release(&old);
    r1_newdir_abandon(d);
    return s;
}
