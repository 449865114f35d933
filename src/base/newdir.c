/* Making a folder and exchanging it for an old one.
 *
 * Order: the files (their writer has synced them), links to what goes along, fsync of the temporary folder, the exchange,
 * fsync of the parent, removal of the old folder, which has the temporary name by then. What goes along is linked and not
 * moved, so that at every instant both folders are whole; only folders in the old folder, which cannot be linked, and files
 * of file systems without links are moved, after the exchange. Signals are held back meanwhile.
 *
 * A process may be killed at any step, so each folder under a temporary name says by a file in it what is to be done with it, and
 * the next one for the same name does that:
 *   MARK  nothing in it is needed: it is not whole yet, or all that goes along has gone. It is removed.
 *   OLD   it was the old folder, or is to be in an instant: what goes along is moved to the new one, then it is removed.
 * The new folder has MARK until it has its name; the old one gets OLD before the exchange, and OLD is renamed to MARK when all is
 * moved, so that never both or none are there. Under the final name neither means anything. Only a folder NAME.tmp-XXXXXX (or
 * NAME.old-NUMBER) of this user whose mark nobody holds a lock of is touched; the lock dies with its process. Without a mark it
 * may be anybody's and stays, unless it is empty. Where a file system has no locks nothing is done. */
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
#define OLD ".r1-replaced"
#define SUFFIX ".tmp-"
#define ASIDE ".old-"
enum { MAX_PATH = 4000, TRIES = 16, SUFFIX_LETTERS = 6 /* of mkdtemp */ };

typedef char place[MAX_PATH + 300];

static const char *in(place out, const char *dir, const char *name)
{
    snprintf(out, sizeof(place), "%s/%s", dir, name);
    return out;
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }
static bool is_mark(const char *name) { return !strcmp(name, MARK) || !strcmp(name, OLD); }

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

/* ---- what goes along -------------------------------------------------------------------------------------------- */

static bool is_dropped(const char *const *dropped, const char *name)
{
    while (dropped && *dropped && strcmp(*dropped, name)) dropped++;
    return dropped && *dropped;
}

static bool is_same(const struct stat *a, const struct stat *b) { return a->st_dev == b->st_dev && a->st_ino == b->st_ino; }

/* 1: moved; 0: it is there already; -1: errno says why not, and what is there under that name is something else with EEXIST. */
static int move_along(const char *from, const char *to)
{
    struct stat a, b;
    if (lstat(to, &b) == 0) {
        if (lstat(from, &a) == 0 && is_same(&a, &b)) return 0;
        errno = EEXIST;
        return -1;
    }
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 1;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    return rename(from, to) ? -1 : 1;
}

/* Whatever is in `from` and not dropped: linked to `to` where that can be, or moved. false: errno says why, `name` which. */
static bool take_along(const char *from, const char *to, const char *const *dropped, bool move, char name[NAME_MAX + 1])
{
    bool ok = true;
    size_t moved;
    *name = 0;
    do { /* again, for what a list may have passed over while names went from it */
        DIR *list = opendir(from);
        ok = list != NULL;
        moved = 0;
        for (struct dirent *e; ok && (e = readdir(list));) {
            place a, b;
            if (is_dots(e->d_name) || is_mark(e->d_name) || is_dropped(dropped, e->d_name)) continue;
            in(a, from, e->d_name);
            in(b, to, e->d_name);
            int k = 0;
            if (!move) (void)linkat(AT_FDCWD, a, AT_FDCWD, b, 0); /* what has no link then is moved later */
            else k = move_along(a, b);
            moved += k > 0;
            ok = k >= 0;
            if (!ok) snprintf(name, NAME_MAX + 1, "%s", e->d_name);
        }
        int why = errno;
        if (list) closedir(list);
        errno = why;
    } while (ok && moved);
    return ok;
}

/* Move what goes along of an old folder, whose open mark OLD is, to the one in its place, and remove the old one. */
static r1_status empty_old(const char *old, const char *path, const char *const *dropped, r1_error *err)
{
    char name[NAME_MAX + 1];
    place a, b;
    if (!take_along(old, path, dropped, true, name)) {
        int why = errno;
        sync_folder(path);
        return why == EEXIST ? r1_fail(err, R1_EIO, "'%s' of the old folder is still in '%s', as another one is in '%s': rename one of them", name, old, path)
                             : r1_fail(err, R1_EIO, "'%s' of the old folder is still in '%s': %s", name, old, strerror(why));
    }
    sync_folder(path);
    sync_parent(path);
    if (rename(in(a, old, OLD), in(b, old, MARK)) == 0 && r1_newdir_remove(old)) return R1_OK;
    return r1_fail(err, R1_EIO, "a part of the old folder is still in '%s'", old);
}

/* ---- what others left ------------------------------------------------------------------------------------------- */

/* Open a mark and lock it; -1: it is not there, or somebody holds it. */
static int take_mark(int dir, const char *name)
{
    struct stat st;
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    close(fd);
    return -1;
}

/* An old folder that a killed process did not empty. Where nothing has its name, it gets that back. */
static r1_status finish_left(const char *left, int fd, const char *path, const char *const *dropped, r1_error *err)
{
    struct stat st;
    if (lstat(path, &st)) {
        if (errno != ENOENT || rename(left, path)) return r1_fail(err, R1_EIO, "the old folder '%s' is still called '%s': %s", path, left, strerror(errno));
        unlinkat(fd, OLD, 0);
        return R1_OK;
    }
    return S_ISDIR(st.st_mode) ? empty_old(left, path, dropped, err) : r1_fail(err, R1_EIO, "what was in the folder '%s' is still in '%s'", path, left);
}

static r1_status settle_left(const char *left, const char *path, const char *const *dropped, r1_error *err)
{
    struct stat st;
    r1_status s = R1_OK;
    int fd = open(left, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return R1_OK;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid()) {
        int old = take_mark(fd, OLD), mark = old < 0 ? take_mark(fd, MARK) : -1;
        if (old >= 0) s = finish_left(left, fd, path, dropped, err);
        else if (mark >= 0 && faccessat(fd, OLD, F_OK, AT_SYMLINK_NOFOLLOW)) (void)remove_open(left, fd);
        else if (mark < 0) (void)rmdir(left); /* empty: killed just before the mark was there, or after it went */
        if (old >= 0) close(old);
        if (mark >= 0) close(mark);
    }
    close(fd);
    return s;
}

static bool is_left(const char *entry, const char *name)
{
    size_t n = strlen(name), s = strlen(SUFFIX);
    if (strncmp(entry, name, n)) return false;
    entry += n;
    if (!strncmp(entry, SUFFIX, s)) return strlen(entry) == s + SUFFIX_LETTERS;
    return !strncmp(entry, ASIDE, strlen(ASIDE)) && entry[strlen(ASIDE)] && !entry[strlen(ASIDE) + strspn(entry + strlen(ASIDE), "0123456789")];
}

/* Marks that a killed process left in the folder itself. */
static void clear_marks(const char *path)
{
    static const char *const marks[] = { MARK, OLD };
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < R1_COUNT(marks); i++) {
        int mark = take_mark(fd, marks[i]);
        if (mark < 0) continue;
        unlinkat(fd, marks[i], 0);
        close(mark);
    }
    if (fd >= 0) close(fd);
}

static r1_status settle_all(const char *final, const char *const *dropped, r1_error *err)
{
    const char *slash = strrchr(final, '/'), *name = slash ? slash + 1 : final;
    char dir[MAX_PATH + 1];
    place path;
    r1_status s = R1_OK;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - final + 1) : 1, slash ? final : ".");
    DIR *d = opendir(dir);
    for (struct dirent *e; s == R1_OK && d && (e = readdir(d));)
        if (is_left(e->d_name, name)) s = settle_left(in(path, dir, e->d_name), final, dropped, err);
    if (d) closedir(d);
    clear_marks(final);
    return s;
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

static r1_status check_path(const char *path, const char *final, r1_error *err)
{
    if (!final) return r1_fail(err, R1_ENOMEM, "no memory for a folder '%.64s'", path);
    if (!*path) return r1_fail(err, R1_EINVAL, "the name of the folder is empty");
    return strlen(final) > MAX_PATH - 64 ? r1_fail(err, R1_EINVAL, "the path '%.64s...' is too long", path) : R1_OK;
}

r1_status r1_newdir_recover(const char *path, const char *const *dropped, r1_error *err)
{
    sigset_t old;
    char *final = final_path(path);
    r1_status s = check_path(path, final, err);
    r1_signals_hold(&old);
    if (s == R1_OK) s = r1_context(err, settle_all(final, dropped, err), "an earlier process was killed while it replaced '%s'", path);
    r1_signals_release(&old);
    free(final);
    return s;
}

r1_status r1_newdir_open(r1_newdir *d, const char *path, r1_error *err)
{
    sigset_t old;
    d->path = final_path(path);
    r1_status s = check_path(path, d->path, err);
    if (s == R1_OK) s = r1_newdir_recover(d->path, d->dropped, err);
    d->tmp = s ? NULL : malloc(MAX_PATH);
    if (s == R1_OK && !d->tmp) s = r1_fail(err, R1_ENOMEM, "no memory for a folder '%.64s'", path);
    if (s) {
        clear(d);
        return s;
    }
    r1_signals_hold(&old);
    int why = make_marked(d);
    if (!why) tell(d, d->tmp);
    r1_signals_release(&old);
    if (!why) return R1_OK;
    s = r1_fail(err, why == ENOSPC || why == EDQUOT ? R1_ENOMEM : R1_EIO, "cannot create a folder beside '%s': %s", d->path, strerror(why));
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

/* The new folder under the final name, the old one under the temporary name; or nothing changed, and errno says why. */
static bool exchange(r1_newdir *d)
{
    char aside[MAX_PATH + 16];
    if (!d->no_exchange) {
        if (renameat2(AT_FDCWD, d->tmp, AT_FDCWD, d->path, RENAME_EXCHANGE) == 0) return true;
        if (errno != EINVAL && errno != ENOSYS) return false;
    }
    snprintf(aside, sizeof aside, "%s" ASIDE "%ld", d->path, (long)getpid());
    if (rename(d->path, aside)) return false;
    if (rename(d->tmp, d->path)) {
        int why = errno;
        (void)rename(aside, d->path);
        errno = why;
        return false;
    }
    return rename(aside, d->tmp) == 0;
}

/* Put OLD into the folder to be replaced, open as `fd`, which has no MARK then. Its lock, or -1: errno says why not. */
static int mark_old(int fd)
{
    struct stat st;
    if (unlinkat(fd, MARK, 0) && errno != ENOENT) return -1; /* of who was killed with the exchange done */
    for (int i = 0; i < TRIES; i++) {
        int lock = openat(fd, OLD, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock < 0) return -1;
        bool ours = flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; /* without locks as with MARK */
        if (ours && fstat(lock, &st) == 0 && st.st_nlink > 0) {
            (void)fsync(fd);
            return lock;
        }
        close(lock);
        if (!ours) break;
    }
    errno = EBUSY; /* another process replaces it, too */
    return -1;
}

/* Whether `path` is the open folder. */
static bool is_at(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && is_same(&a, &b);
}

/* The temporary name is nobody's any more. */
static void done(r1_newdir *d)
{
    tell(d, NULL);
    free(d->tmp);
    d->tmp = NULL;
}

/* The new folder has its name. */
static void unmark(const r1_newdir *d)
{
    unlinkat(d->fd, MARK, 0); /* if this fails, the next one for this folder does it */
    (void)fsync(d->fd);
    sync_parent(d->path);
}

static r1_status replace_old(r1_newdir *d, r1_error *err)
{
    int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = fd < 0 ? -1 : mark_old(fd);
    r1_status s = R1_OK;
    if (lock < 0 || !is_at(fd, d->path) || !exchange(d)) {
        s = r1_fail(err, R1_EIO, "cannot replace the folder '%s': %s", d->path, strerror(errno));
        if (lock >= 0 && is_at(fd, d->path)) unlinkat(fd, OLD, 0);
    } else {
        unmark(d);
        s = r1_context(err, empty_old(d->tmp, d->path, d->dropped, err), "'%s' is written, but not all went along", d->path);
        done(d);
    }
    if (lock >= 0) close(lock);
    if (fd >= 0) close(fd);
    return s;
}

/* Signals are held back. */
static r1_status settle(r1_newdir *d, r1_error *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    mode_t mask = umask(0);
    umask(mask);
    bool old = stat(d->path, &st) == 0;
    if (old && !S_ISDIR(st.st_mode)) return r1_fail(err, R1_EINVAL, "'%s' exists and is no folder", d->path);
    if (chmod(d->tmp, old ? st.st_mode & 07777 : 0777 & ~mask)) return r1_fail(err, R1_EIO, "cannot name '%s': %s", d->path, strerror(errno));
    if (old && d->force && !take_along(d->path, d->tmp, d->dropped, false, name)) return r1_fail(err, R1_EIO, "cannot list '%s': %s", d->path, strerror(errno));
    sync_folder(d->tmp);
    if (rename(d->tmp, d->path)) { /* which also replaces an empty folder */
        if (errno != ENOTEMPTY && errno != EEXIST) return r1_fail(err, R1_EIO, "cannot name '%s': %s", d->path, strerror(errno));
        if (!d->force) return r1_fail(err, R1_EINVAL, "the folder '%s' exists and is not empty; --force overwrites its files", d->path);
        return replace_old(d, err);
    }
    unmark(d);
    done(d);
    return R1_OK;
}

r1_status r1_newdir_finish(r1_newdir *d, r1_error *err)
{
    sigset_t old;
    r1_signals_hold(&old);
    r1_status s = settle(d, err);
    r1_signals_release(&old);
    r1_newdir_abandon(d);
    return s;
}
