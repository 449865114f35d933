/* launcher_party: init, the first process of a party, and the program before it is executed.
 *
 * Init makes the party's own tmpfs (/.box, of which /box and /tmp are folders), puts the files in, starts the program, and then only waits:
 * every orphan becomes its child, so the CPU time of all processes that have ended is in its RUSAGE_CHILDREN. Signals from inside the
 * namespace do not reach it (the kernel drops them for process 1 unless it has a handler), and what it knows no one in it can read:
 * it has capabilities that they lack. */
#include "reward/code/launcher/launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

static _Noreturn void give_up(int ctl, int error, const char *what)
{
    tell t = { .kind = TELL_FAILED, .error = error ? error : EIO };
    snprintf(t.what, sizeof t.what, "%s", what);
    launcher_send_fds(ctl, &t, sizeof t, NULL, 0);
    _exit(1);
}

static int write_text(int dir, const char *path, const char *text)
{
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    size_t n = strlen(text);
    int e = write(fd, text, n) == (ssize_t)n ? 0 : errno;
    close(fd);
    return e;
}

/* ---- what init sets up ------------------------------------------------------------------------------------------- */

static void map_self(const launcher *l, int ctl)
{
    char text[64];
    snprintf(text, sizeof text, "%d %u 1", BOX_UID, l->uid);
    int e = write_text(l->proc, "self/uid_map", text);
    if (!e) {
        e = write_text(l->proc, "self/setgroups", "deny");
        if (e == ENOENT) e = 0;
    }
    snprintf(text, sizeof text, "%d %u 1", BOX_UID, l->gid);
    if (!e) e = write_text(l->proc, "self/gid_map", text);
    if (e) give_up(ctl, e, "mapping the user");
}

static int write_all(int fd, const char *data, uint64_t n)
{
    while (n) {
        ssize_t k = write(fd, data, n > 1 << 30 ? 1 << 30 : n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return k < 0 ? errno : ENOSPC;
        data += k;
        n -= (uint64_t)k;
    }
    return 0;
}

static int put_file(const char *path, const char *data, uint64_t n, unsigned mode)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int e = write_all(fd, data, n);
    if (!e && fchmod(fd, mode) != 0) e = errno;
    close(fd);
    return e;
}

static void fill_work(const launcher *l, const party *p, int ctl)
{
    char options[96];
    snprintf(options, sizeof options, "size=%llu,nr_inodes=%d,mode=0755", (unsigned long long)(p->q.memory_bytes + p->q.stdin_bytes), 16384);
    if (mount("box", "/.box", "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) give_up(ctl, errno, "mounting a tmpfs");
    if (mkdir("/.box/io", 0755) != 0 || mkdir("/.box/box", 0755) != 0 || mkdir("/.box/tmp", 01777) != 0 || chmod("/.box/tmp", 01777) != 0) give_up(ctl, errno, "making folders");
    if (mount("/.box/box", "/box", NULL, MS_BIND, NULL) != 0 || mount("/.box/tmp", "/tmp", NULL, MS_BIND, NULL) != 0) give_up(ctl, errno, "mounting /box and /tmp");
    struct stat st;
    if (stat("/box", &st) == 0) l->page->tmpfs_dev = st.st_dev;
    const char *at = p->files;
    for (unsigned i = 0; i < p->q.n_files; i++) {
        box_wire_file f;
        char path[300];
        memcpy(&f, at, sizeof f);
        at += sizeof f;
        snprintf(path, sizeof path, "/box/%s", at);
        at += f.name_bytes;
        int e = put_file(path, at, f.n, f.mode);
        if (e) give_up(ctl, e, "putting a file into the work folder");
        at += f.n;
    }
}

/* out and err are named pipes, so that /dev/stdout and /dev/stderr are names of them; the launcher gets the reading ends. */
static int make_stream(const char *path, int *reader)
{
    if (mknod(path, S_IFIFO | 0600, 0) != 0) return -1;
    *reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return *reader < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
}

static void make_io(const party *p, int ctl, int io[3])
{
    tell t = { .kind = TELL_STREAMS };
    bool given[3] = { false, false, false };
    int reader[2] = { -1, -1 }, n = 0;
    for (unsigned i = 0; i < p->q.n_fds; i++) {
        int k = p->q.fd_number[i];
        if (k >= 0 && k < 3) given[k] = true;
    }
    io[0] = io[1] = io[2] = -1;
    if (!given[0]) {
        int e = put_file("/.box/io/stdin", p->stdin_data, p->q.stdin_bytes, 0444);
        if (e) give_up(ctl, e, "writing stdin");
        io[0] = open("/.box/io/stdin", O_RDONLY | O_CLOEXEC);
    }
    if (!given[1]) io[1] = make_stream("/.box/io/stdout", &reader[n++]);
    if (!given[2]) io[2] = make_stream("/.box/io/stderr", &reader[n++]);
    for (int i = 0; i < 3; i++) {
        if (!given[i] && io[i] < 0) give_up(ctl, errno, "making stdin, stdout and stderr");
    }
    t.error = (given[1] ? 0 : 1) | (given[2] ? 0 : 2); /* which of them come */
    if (launcher_send_fds(ctl, &t, sizeof t, reader, n) != 0) _exit(1);
    for (int i = 0; i < n; i++) close(reader[i]);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static void set_limit(int ctl, int which, uint64_t soft, uint64_t hard)
{
    struct rlimit r = { soft, hard }, old;
    if (getrlimit((__rlimit_resource_t)which, &old) == 0 && old.rlim_max < r.rlim_max) { /* what the caller is not allowed, no box is */
        r.rlim_max = old.rlim_max;
        if (r.rlim_cur > r.rlim_max) r.rlim_cur = r.rlim_max;
    }
    if (setrlimit((__rlimit_resource_t)which, &r) != 0) give_up(ctl, errno, "setting limits");
}

static void set_limits(const box_request *q, int ctl)
{
    uint64_t cpu = q->cpu_us / 1000000 + 2; /* a net below the launcher's own watch, for each process */
    set_limit(ctl, RLIMIT_CPU, cpu, cpu + 1);
    set_limit(ctl, RLIMIT_FSIZE, q->file_bytes, q->file_bytes);
    set_limit(ctl, RLIMIT_STACK, q->stack_bytes, q->stack_bytes);
    uint64_t data = 4 * q->memory_bytes + (2ull << 30) + q->n_processes * q->stack_bytes; /* a net for one process: much is asked for that is never touched, a stack for each thread above all */
    set_limit(ctl, RLIMIT_DATA, data, data);
    set_limit(ctl, RLIMIT_CORE, 1, 1); /* 0 would still feed a core_pattern that is a pipe; 1 is the one value that does not */
    set_limit(ctl, RLIMIT_MEMLOCK, 65536, 65536);
    set_limit(ctl, RLIMIT_MSGQUEUE, 0, 0);
    set_limit(ctl, RLIMIT_RTPRIO, 0, 0);
    set_limit(ctl, RLIMIT_NICE, 0, 0);
    set_limit(ctl, RLIMIT_SIGPENDING, 1024, 1024);
    set_limit(ctl, RLIMIT_NPROC, q->n_processes + 1, q->n_processes + 1); /* and init */
}

static void drop_capabilities(int ctl)
{
    for (int i = 0; i < 64; i++) {
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) break; /* past the last one */
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* no capability by being user 0, ever: NOROOT, NO_SETUID_FIXUP, no keeping, no ambient, all locked */
    if (prctl(PR_SET_SECUREBITS, 0xEF, 0, 0, 0) != 0) give_up(ctl, errno, "locking securebits");
    struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct d[2];
    memset(d, 0, sizeof d);
    if (syscall(SYS_capset, &h, d) != 0) give_up(ctl, errno, "dropping capabilities");
}

/* Rights of a ruleset of ABI 1 to 5 on files; what an ABI does not know must not be named. */
static uint64_t file_rights(int abi)
{
    uint64_t r = (1ull << 13) - 1;
    if (abi >= 2) r |= 1ull << 13; /* refer */
    if (abi >= 3) r |= 1ull << 14; /* truncate */
    if (abi >= 5) r |= 1ull << 15; /* ioctl on devices */
    return r;
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
    struct { uint64_t allowed; int32_t fd; } __attribute__((packed)) rule = { rights, open(path, O_PATH | O_CLOEXEC) };
    if (rule.fd < 0) return errno;
    int e = syscall(SYS_landlock_add_rule, ruleset, 1, &rule, 0) == 0 ? 0 : errno;
    close(rule.fd);
    return e;
}

static void restrict_files(const launcher *l, int ctl)
{
    struct { uint64_t fs, net, scoped; } a = { file_rights(l->landlock_abi), l->landlock_abi >= 4 ? 3 : 0, l->landlock_abi >= 6 ? 3 : 0 };
    size_t size = l->landlock_abi >= 6 ? 24 : l->landlock_abi >= 4 ? 16 : 8;
    int r = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
    if (r < 0) give_up(ctl, errno, "making a Landlock ruleset");
    const uint64_t read_run = 1 | 4 | 8, write_file = 2 | (l->landlock_abi >= 3 ? 1ull << 14 : 0);
    const uint64_t no_devices = a.fs & ~(1ull << 6 | 1ull << 11); /* all but making device nodes */
    int e = allow(r, "/", read_run);
    if (!e) e = allow(r, "/box", no_devices);
    if (!e) e = allow(r, "/tmp", no_devices);
    if (!e) e = allow(r, "/.box/io", write_file);
    if (!e) e = allow(r, "/dev/null", write_file);
    if (!e) e = allow(r, "/dev/full", write_file);
    if (!e && syscall(SYS_landlock_restrict_self, r, 0) != 0) e = errno;
    close(r);
    if (e) give_up(ctl, e, "setting Landlock rules");
}

/* Filter 0 stops and refuses, filter 1 is the list of what there is; the strictest answer counts. The listener of stopped calls goes out
 * by the one sendmsg that filter 0 lets through. */
static void filter_calls(const launcher *l)
{
    int listener = -1;
    if (l->use & USE_NOTIFY) {
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &l->filter[0]);
        if (listener < 0) give_up(BOX_LISTENER_FD, errno, "setting the filter of calls");
    } else if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &l->filter[0]) != 0) {
        give_up(BOX_LISTENER_FD, errno, "setting the filter of calls");
    }
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &l->filter[1]) != 0) give_up(BOX_LISTENER_FD, errno, "setting the list of calls");
    if (listener < 0) return;
    tell t = { .kind = TELL_LISTENER };
    if (launcher_send_fds(BOX_LISTENER_FD, &t, sizeof t, &listener, 1) != 0) _exit(1);
}

/* Descriptors first wait at high numbers, so that none is overwritten before it is moved; whatever is not moved closes on exec. */
static void place_descriptors(const party *p, int ctl, const int io[3], int start)
{
    int high[BOX_MAX_FDS + 4], number[BOX_MAX_FDS + 4], n = 0;
    for (int i = 0; i < 3; i++) {
        if (io[i] >= 0) {
            high[n] = io[i];
            number[n++] = i;
        }
    }
    for (unsigned i = 0; i < p->q.n_fds; i++) {
        high[n] = p->fd[i];
        number[n++] = p->q.fd_number[i];
    }
    if (p->proof_w >= 0) {
        high[n] = p->proof_w;
        number[n++] = p->q.proof_fd;
    }
    if (dup3(ctl, BOX_LISTENER_FD, O_CLOEXEC) < 0 || dup3(start, BOX_LISTENER_FD + 1, O_CLOEXEC) < 0) give_up(ctl, errno, "moving descriptors");
    for (int i = 0; i < n; i++) {
        high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, BOX_HIGH_FD);
        if (high[i] < 0) give_up(ctl, errno, "moving descriptors");
    }
    if (syscall(SYS_close_range, 0, BOX_HIGH_FD - 1, 0) != 0) {
        for (int i = 0; i < BOX_HIGH_FD; i++) close(i);
    }
    for (int i = 0; i < n; i++) {
        if (dup2(high[i], number[i]) < 0) give_up(BOX_LISTENER_FD, errno, "moving descriptors");
    }
}

static _Noreturn void program(const launcher *l, const party *p, int ctl, const int io[3], int start)
{
    sigset_t none;
    sigemptyset(&none);
    setsid();
    place_descriptors(p, ctl, io, start);
    ctl = BOX_LISTENER_FD;
    start = BOX_LISTENER_FD + 1;
    if (chdir("/box") != 0) give_up(ctl, errno, "entering the work folder");
    umask(022);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    set_limits(&p->q, ctl);
    drop_capabilities(ctl);
    if ((l->use & USE_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(ctl, errno, "setting no_new_privs");
    if (l->use & USE_LANDLOCK) restrict_files(l, ctl);
    set_limit(ctl, RLIMIT_NOFILE, p->q.n_open, p->q.n_open);
    if (l->use & USE_SECCOMP) filter_calls(l);
    execve(p->argv[0], p->argv, p->env);
    int e = errno;
    if (write(start, &e, sizeof e) < 0) _exit(126);
    _exit(127);
}

/* ---- init -------------------------------------------------------------------------------------------------------- */

static void on_child(int signal) { (void)signal; }

static void look(const party *p, launcher_page *page)
{
    struct statfs s;
    struct shm_info i;
    memset(&i, 0, sizeof i);
    if (statfs("/.box", &s) == 0) page->tmpfs_bytes = (uint64_t)(s.f_blocks - s.f_bfree) * (uint64_t)s.f_bsize + (uint64_t)(s.f_files - s.f_ffree) * 1024;
    page->tmpfs_bytes -= page->tmpfs_bytes < p->q.stdin_bytes ? page->tmpfs_bytes : p->q.stdin_bytes; /* the caller's, not the party's */
    if (shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&i) >= 0) page->shm_bytes = ((uint64_t)i.shm_rss + (uint64_t)i.shm_swp) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Open the file to be taken; everything that could change it is dead. Nothing but a plain file of this tmpfs, whatever the name leads to. */
static int open_taken(const party *p, uint64_t dev, tell *t)
{
    struct stat st;
    char path[300];
    t->taken = BOX_TAKE_NONE;
    if (!p->take) return -1;
    snprintf(path, sizeof path, "/box/%s", p->take);
    t->taken = BOX_TAKE_ABSENT;
    if (lstat(path, &st) != 0) return -1;
    t->taken = BOX_TAKE_KIND;
    if (!S_ISREG(st.st_mode)) return -1;
    chmod(path, 0600); /* it may be unreadable to its owner */
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_dev != dev) goto no;
    t->taken = BOX_TAKE_SIZE;
    if ((uint64_t)st.st_size > p->q.take_max) goto no;
    t->taken = BOX_TAKEN;
    t->taken_bytes = (uint64_t)st.st_size;
    return fd;
no:
    if (fd >= 0) close(fd);
    return -1;
}

#define LOCKED_US 50000         /* honest programs hold the lock of an address space for some milliseconds */
#define LOCKED_LOOKS 3
#define LOCKED_TOO_LONG_US 2000000 /* on a busy machine the holder of a lock may wait for a processor, but not that long */

/* How the launcher waits for a lock of the party's. */
typedef struct lock_wait {
    uint64_t since;         /* which look: page->waits */
    uint64_t available;     /* memory of the machine when we first saw it, in kB */
    unsigned looks;         /* of ours in which it waited in the kernel, not for a processor */
} lock_wait;

static const char *read_proc(const launcher *l, const char *path, char *to, size_t size)
{
    int fd = openat(l->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, to, size - 1);
    if (fd >= 0) close(fd);
    to[n > 0 ? n : 0] = 0;
    return to;
}

static uint64_t available_kb(const launcher *l)
{
    char b[1024];
    const char *at = strstr(read_proc(l, "meminfo", b, sizeof b), "MemAvailable:");
    return at ? strtoull(at + 13, NULL, 10) : 0;
}

/* Whether the launcher, process 1 of l->proc, is kept from looking: for long, or while the machine lost as much memory as the party may have. */
static bool is_kept_from_looking(const launcher *l, uint64_t limit, lock_wait *w)
{
    char b[256];
    uint64_t since = l->page->waits;
    if (!since) return false;
    if (since != w->since) *w = (lock_wait){ since, available_kb(l), 0 };
    const char *at = strrchr(read_proc(l, "1/stat", b, sizeof b), ')');
    if (at && at[1] == ' ' && at[2] == 'D') w->looks++;
    uint64_t us = launcher_now_us() - since;
    if (us < LOCKED_US || w->looks < LOCKED_LOOKS) return false;
    return us > LOCKED_TOO_LONG_US || available_kb(l) + limit / 1024 < w->available;
}

/* Wait for the program, or for the launcher's word to stop; at the same time reap all orphans. Returns the status, -1 when stopped. */
static int wait_for(const launcher *l, const party *p, pid_t program_pid, int ctl, bool *blocked)
{
    sigset_t unblocked;
    sigemptyset(&unblocked);
    struct pollfd f = { .fd = ctl, .events = POLLIN };
    int wait_ms = 5;
    lock_wait w = { 0, 0, 0 };
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
            if (pid == program_pid) return status;
        }
        struct timespec t = { 0, wait_ms * 1000000L };
        int n = ppoll(&f, 1, &t, &unblocked);
        if (n > 0) return -1;
        *blocked = is_kept_from_looking(l, p->q.memory_bytes, &w);
        if (*blocked) return -1;
        look(p, l->page);
        if (wait_ms < 15) wait_ms++;
    }
}

static void finish(const party *p, pid_t program_pid, int ctl, int start, tell t, launcher_page *page)
{
    const int status = t.status;
    kill(-1, SIGKILL);
    for (;;) {
        int s;
        pid_t pid = waitpid(-1, &s, __WALL);
        if (pid < 0 && errno != EINTR) break;
        /* told to stop when it was ending by itself: what it closed on its way may be why we were told */
        if (pid == program_pid && !(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL)) t.status = s;
    }
    int fd = status == 0 ? open_taken(p, page->tmpfs_dev, &t) : -1;
    if (status != 0) t.taken = BOX_TAKE_NONE;
    look(p, page);
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    t.cpu_us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    t.maxrss_bytes = (uint64_t)u.ru_maxrss * 1024;
    t.tmpfs_bytes = page->tmpfs_bytes;
    t.shm_bytes = page->shm_bytes;
    if (read(start, &t.exec_error, sizeof t.exec_error) != sizeof t.exec_error) t.exec_error = 0;
    launcher_send_fds(ctl, &t, sizeof t, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0);
}

_Noreturn void launcher_init(const launcher *l, const party *p, int ctl)
{
    int io[3], start[2];
    struct sigaction a;
    sigset_t child;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_child;
    sigaction(SIGCHLD, &a, NULL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) give_up(ctl, errno, "tying init to the launcher");
    map_self(l, ctl);
    fill_work(l, p, ctl);
    make_io(p, ctl, io);
    write_text(l->proc, "self/oom_score_adj", "1000");
    if (pipe2(start, O_CLOEXEC | O_NONBLOCK) != 0) give_up(ctl, errno, "making a pipe");
    pid_t pid = fork();
    if (pid < 0) give_up(ctl, errno, "starting a process");
    if (pid == 0) program(l, p, ctl, io, start[1]);
    for (int i = 0; i < 3; i++) {
        if (io[i] >= 0) close(io[i]);
    }
    for (unsigned i = 0; i < p->q.n_fds; i++) close(p->fd[i]);
    if (p->proof_w >= 0) close(p->proof_w);
    close(start[1]);
    bool blocked = false;
    tell t = { .kind = TELL_REPORT, .status = wait_for(l, p, pid, ctl, &blocked) };
    t.blocked = blocked;
    finish(p, pid, ctl, start[0], t, l->page);
    _exit(0);
}
