/* launcher: start, requests and answers. See launcher.h. */
#include "reward/code/launcher/launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/seccomp.h>

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define HOST 3              /* where the library puts its socket */
#define NOBODY 65534        /* who a party is outside, when the caller is root: limits of processes do not hold for root */
#define MAX_BLOB (1ull << 31)
#define TOGETHER_BYTES 4096

/* ---- small things ------------------------------------------------------------------------------------------------ */

uint64_t launcher_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int launcher_poll_ms(const void *pollfds, unsigned n, int64_t us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };
    return ppoll((struct pollfd *)(uintptr_t)pollfds, n, &t, NULL);
}

int launcher_send_fds(int socket, const void *data, size_t n, const int *fds, int n_fds)
{
    union { struct cmsghdr h; char room[CMSG_SPACE(BOX_MAX_FDS * sizeof(int))]; } c;
    struct iovec v = { (void *)(uintptr_t)data, n };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    memset(&c, 0, sizeof c);
    if (n_fds > 0) {
        m.msg_control = &c;
        m.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        c.h.cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
        memcpy(CMSG_DATA(&c.h), fds, (size_t)n_fds * sizeof(int));
    }
    ssize_t k;
    do k = sendmsg(socket, &m, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    return k == (ssize_t)n ? 0 : -1;
}

long launcher_recv_fds(int socket, void *data, size_t n, int *fds, int *n_fds, int flags)
{
    union { struct cmsghdr h; char room[CMSG_SPACE((BOX_MAX_FDS + 1) * sizeof(int))]; } c;
    struct iovec v = { data, n };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
    int max = *n_fds;
    *n_fds = 0;
    ssize_t k;
    do k = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
    while (k < 0 && errno == EINTR && !(flags & MSG_DONTWAIT));
    if (k < 0) return -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        int came = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < came; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + (size_t)i * sizeof(int), sizeof fd);
            if (*n_fds < max) fds[(*n_fds)++] = fd;
            else close(fd);
        }
    }
    return k;
}

/* All n bytes from the library; its end is ours. */
static void receive(int host, void *to, uint64_t n)
{
    char *at = to;
    while (n) {
        ssize_t k = recv(host, at, n > 1 << 20 ? 1 << 20 : n, 0);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) _exit(0);
        at += k;
        n -= (uint64_t)k;
    }
}

static void answer(int host, const void *data, uint64_t n)
{
    const char *at = data;
    while (n) {
        ssize_t k = send(host, at, n > 1 << 20 ? 1 << 20 : n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) _exit(0);
        at += k;
        n -= (uint64_t)k;
    }
}

static _Noreturn void not_ready(int host, int error, const char *what)
{
    box_ready r = { .error = error ? error : EIO };
    snprintf(r.what, sizeof r.what, "%s", what);
    answer(host, &r, sizeof r);
    _exit(1);
}

/* fork into new namespaces */
static pid_t clone_into(unsigned long namespaces)
{
    return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
}

static int landlock_abi(void)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    return v > 0 ? (int)v : 0;
}

static int write_map(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    size_t n = strlen(text);
    int e = write(fd, text, n) == (ssize_t)n ? 0 : errno;
    close(fd);
    return e;
}

/* Inside, 0 is the caller. For root there is also 1, which is nobody outside; returns what parties are to be, or -1 with errno. */
static int map_users(pid_t pid)
{
    char text[64];
    if (geteuid() == 0) {
        snprintf(text, sizeof text, "0 0 1\n1 %d 1", NOBODY);
        if (write_map(pid, "uid_map", text) == 0 && write_map(pid, "gid_map", text) == 0) return 1;
    }
    snprintf(text, sizeof text, "0 %u 1", geteuid());
    int e = write_map(pid, "uid_map", text);
    if (e && e != EPERM) goto fail;
    e = write_map(pid, "setgroups", "deny");
    if (e && e != ENOENT) goto fail;
    snprintf(text, sizeof text, "0 %u 1", getegid());
    e = write_map(pid, "gid_map", text);
    if (!e) return 0;
fail:
    errno = e;
    return -1;
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

static char *take_string(char **at, const char *end)
{
    char *s = *at, *z = memchr(s, 0, (size_t)(end - s));
    if (!z) _exit(1); /* the library does not write such a request */
    *at = z + 1;
    return s;
}

static void read_request(const launcher *l, party *p)
{
    const box_request *q = &p->q;
    if (q->blob_bytes > MAX_BLOB || q->n_argv < 1 || q->n_argv > 4096 || q->n_env > 4096) _exit(1);
    size_t strings = (q->n_argv + q->n_env + 2) * sizeof(char *);
    p->memory = malloc(strings + q->blob_bytes + 1);
    if (!p->memory) _exit(1);
    char *at = p->memory + strings, *end = at + q->blob_bytes;
    receive(l->host, at, q->blob_bytes);
    *end = 0;
    p->argv = (char **)(void *)p->memory;
    p->env = p->argv + q->n_argv + 1;
    for (unsigned i = 0; i < q->n_argv; i++) p->argv[i] = take_string(&at, end);
    for (unsigned i = 0; i < q->n_env; i++) p->env[i] = take_string(&at, end);
    p->argv[q->n_argv] = p->env[q->n_env] = NULL;
    p->take = q->has_take ? take_string(&at, end) : NULL;
    p->files = at;
    for (unsigned i = 0; i < q->n_files; i++) {
        box_wire_file f;
        if ((size_t)(end - at) < sizeof f) _exit(1);
        memcpy(&f, at, sizeof f);
        if (f.n > q->blob_bytes || (uint64_t)(end - at) < sizeof f + f.name_bytes + f.n) _exit(1);
        at += sizeof f + f.name_bytes + f.n;
    }
    if ((uint64_t)(end - at) != q->stdin_bytes) _exit(1);
    p->stdin_data = at;
}

/* Init inherits the page; a program loses it when it is executed. */
static void share_time(party *p)
{
    if (!p->q.n_together) return;
    if (p->q.together >= p->q.n_together || p->q.n_together > TOGETHER_BYTES / sizeof(uint64_t)) _exit(1);
    void *page = mmap(NULL, TOGETHER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd[p->q.n_fds], 0);
    close(p->fd[p->q.n_fds]);
    if (page == MAP_FAILED) _exit(1);
    p->together = page;
}

static void fail(box_reply *r, const char *what)
{
    r->error = errno ? errno : EIO;
    snprintf(r->what, sizeof r->what, "%s", what);
}

static void send_file(int host, int fd, uint64_t n)
{
    char b[65536];
    while (n) {
        ssize_t k = read(fd, b, n < sizeof b ? n : sizeof b);
        if (k <= 0) _exit(1); /* nobody is left who could shorten it */
        answer(host, b, (uint64_t)k);
        n -= (uint64_t)k;
    }
}

/* Start init in namespaces of its own. -1 with errno. */
static pid_t start_init(const launcher *l, const party *p, int ctl[2])
{
    unsigned long ns = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | (l->use & USE_IPC_NS ? CLONE_NEWIPC : 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) != 0) return -1;
    memset(l->page, 0, sizeof *l->page);
    pid_t pid = clone_into(ns);
    if (pid != 0) {
        close(ctl[1]);
        return pid;
    }
    close(ctl[0]);
    close(l->host);
    launcher_init(l, p, ctl[1]);
}

static void run(const launcher *l, party *p)
{
    box_reply r;
    int ctl[2] = { -1, -1 }, proof[2] = { -1, -1 }, taken = -1;
    stream s[3] = { { .fd = -1, .max = p->q.output_bytes }, { .fd = -1, .max = p->q.output_bytes }, { .fd = -1, .max = BOX_PROOF_MAX } };
    pid_t init = -1;
    memset(&r, 0, sizeof r);
    r.denied = -1;
    p->proof_w = -1;
    errno = 0;
    if (p->q.proof_fd && pipe2(proof, O_CLOEXEC) != 0) fail(&r, "making a pipe");
    if (p->q.proof_fd && !r.error) {
        fcntl(proof[0], F_SETFL, O_NONBLOCK);
        s[2].fd = proof[0];
        p->proof_w = proof[1];
    }
    if (!r.error) {
        init = start_init(l, p, ctl);
        if (init < 0) fail(&r, "starting a box");
    }
    if (proof[1] >= 0) close(proof[1]);
    for (unsigned i = 0; i < p->q.n_fds; i++) close(p->fd[i]);
    if (init > 0) {
        launcher_watch(l, p, init, ctl[0], s, &r, &taken);
        close(ctl[0]);
        while (waitpid(init, NULL, 0) < 0 && errno == EINTR) { }
    } else if (s[2].fd >= 0) {
        close(s[2].fd);
    }
    r.n_out = s[0].n;
    r.n_err = s[1].n;
    r.n_proof = s[2].n;
    if (r.taken != BOX_TAKEN || taken < 0) r.n_taken = 0;
    answer(l->host, &r, sizeof r);
    for (int i = 0; i < 3; i++) {
        answer(l->host, s[i].data, s[i].n);
        free(s[i].data);
    }
    if (r.n_taken) send_file(l->host, taken, r.n_taken);
    if (taken >= 0) close(taken);
}

static _Noreturn void serve(const launcher *l)
{
    for (;;) {
        party p;
        uint32_t head[2];
        int n_fds = BOX_MAX_FDS + 1;
        memset(&p, 0, sizeof p);
        long n = launcher_recv_fds(l->host, head, sizeof head, p.fd, &n_fds, MSG_WAITALL);
        if (n != (long)sizeof head) _exit(0);
        if (head[0] == BOX_CANCEL) continue; /* came when the party had ended by itself */
        if (head[0] != BOX_REQUEST) _exit(1);
        p.q.magic = head[0];
        p.q.id = head[1];
        receive(l->host, (char *)&p.q + sizeof head, sizeof p.q - sizeof head);
        if (p.q.n_fds > BOX_MAX_FDS || p.q.n_fds + (p.q.n_together ? 1 : 0) != (unsigned)n_fds) _exit(1);
        share_time(&p);
        read_request(l, &p);
        run(l, &p);
        free(p.memory);
        if (p.together) munmap((void *)(uintptr_t)p.together, TOGETHER_BYTES);
    }
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

/* Become what parties are, and keep the capabilities over our own namespace. */
static int become(int id)
{
    if (id == 0) return 0;
    if (prctl(PR_SET_SECUREBITS, 1 << 2 /* NO_SETUID_FIXUP */, 0, 0, 0) != 0) return errno;
    if (setgroups(0, NULL) != 0 || setresgid((gid_t)id, (gid_t)id, (gid_t)id) != 0 || setresuid((uid_t)id, (uid_t)id, (uid_t)id) != 0) return errno;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 ? 0 : errno;
}

/* Looks come when they are due, also where everything else wants the processors: a short slice of time, at an unchanged share of it (Linux 6.12; others
 * have no such wish for ordinary processes). What we start has the usual one. */
static void ask_for_short_slices(void)
{
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime_ns, deadline_ns, period_ns; } a;
    memset(&a, 0, sizeof a);
    a.size = sizeof a;
    a.flags = 1; /* SCHED_FLAG_RESET_ON_FORK */
    a.nice = getpriority(PRIO_PROCESS, 0);
    a.runtime_ns = 100000;
    if (sched_getscheduler(0) == SCHED_OTHER) (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

static _Noreturn void launcher_main(const box_hello *h, char *blob, int go)
{
    launcher l = { .host = HOST, .use = h->use, .proc = -1, .ticks = sysconf(_SC_CLK_TCK) };
    const char *what = "";
    int id;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    l.processors = processors > 0 ? (unsigned)processors : 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (read(go, &id, sizeof id) != sizeof id) _exit(1); /* the stub has said why */
    close(go);
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) not_ready(HOST, errno, "becoming the user of the namespace");
    const char *at = blob + h->folders_bytes;
    for (int i = 0; i < BOX_FILTERS; i++) {
        l.filter[i].len = (unsigned short)h->n_filter[i];
        l.filter[i].filter = (struct sock_filter *)(uintptr_t)at;
        at += h->n_filter[i] * sizeof(struct sock_filter);
    }
    int e = launcher_root(&l, blob, h->n_folders, &what);
    if (e) not_ready(HOST, e, what);
    e = become(id);
    if (e) not_ready(HOST, e, "becoming nobody");
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* changing the user cleared it */
    l.uid = l.gid = (unsigned)id;
    l.landlock_abi = landlock_abi();
    l.page = mmap(NULL, sizeof *l.page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l.page == MAP_FAILED) not_ready(HOST, errno, "getting memory");
    int m = (int)syscall(SYS_memfd_create, "", 1);
    struct stat st;
    if (m < 0 || fstat(m, &st) != 0) not_ready(HOST, errno, "making a memfd");
    l.memfd_dev = st.st_dev;
    close(m);
    ask_for_short_slices();
    sethostname("box", 3);
    box_ready r = { .landlock_abi = l.landlock_abi };
    answer(HOST, &r, sizeof r);
    serve(&l);
}

/* Wait for the end of the launcher, and end it when the caller has ended: its socket may live on in a process forked from the caller.
 * Not by PR_SET_PDEATHSIG, which means the thread that made us. */
static _Noreturn void follow(pid_t pid, int caller)
{
    int child = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd f[2] = { { .fd = caller, .events = POLLIN }, { .fd = child, .events = POLLIN } };
    while (caller >= 0 && child >= 0) {
        int n = poll(f, 2, -1);
        if (n < 0 && errno == EINTR) continue;
        if (f[0].revents) kill(pid, SIGKILL);
        break;
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) { }
    _exit(0);
}

/* The stub: makes the launcher, and stays to be its parent. */
static _Noreturn void start(const box_hello *h, char *blob, int caller)
{
    int go[2];
    unsigned long ns = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (h->use & USE_NET_NS) ns |= CLONE_NEWNET;
    if (h->use & USE_IPC_NS) ns |= CLONE_NEWIPC;
    if (pipe2(go, O_CLOEXEC) != 0) not_ready(HOST, errno, "making a pipe");
    pid_t pid = clone_into(ns);
    if (pid < 0) not_ready(HOST, errno, "making namespaces");
    if (pid == 0) {
        close(go[1]);
        if (caller >= 0) close(caller);
        launcher_main(h, blob, go[0]);
    }
    close(go[0]);
    int id = map_users(pid);
    if (id < 0) not_ready(HOST, errno, "mapping users");
    close(HOST);
    if (write(go[1], &id, sizeof id) != sizeof id) _exit(1);
    close(go[1]);
    follow(pid, caller);
}

/* ---- probe ------------------------------------------------------------------------------------------------------- */

/* Whether a process can be made in these namespaces; `proc`: and mount /proc there. Its error on failure. */
static int try_namespaces(unsigned long ns, bool proc, int *id)
{
    int go[2], status, one;
    if (pipe2(go, O_CLOEXEC) != 0) return errno;
    pid_t pid = clone_into(ns);
    if (pid < 0) {
        int e = errno;
        close(go[0]);
        close(go[1]);
        return e;
    }
    if (pid == 0) {
        close(go[1]);
        if (read(go[0], &one, sizeof one) != sizeof one) _exit(1);
        if (proc && (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)) _exit(errno);
        _exit(0);
    }
    int e = 0;
    one = map_users(pid);
    if (one < 0) e = errno;
    else *id = one;
    close(go[0]);
    if (!e && write(go[1], &one, sizeof one) != sizeof one) e = EIO;
    close(go[1]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) { }
    return e ? e : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static void missing(box_ready *r, int error, const char *what)
{
    if (r->what[0]) return;
    r->error = error;
    snprintf(r->what, sizeof r->what, "%s", what);
}

static _Noreturn void probe(void)
{
    static const struct { unsigned bit; unsigned long ns; const char *what; } spaces[] = {
        { USE_USER_NS, 0, "making a user namespace" }, { USE_PID_NS, CLONE_NEWPID, "making a process namespace" },
        { USE_MOUNT_NS, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWCGROUP, "making a mount namespace" },
        { USE_NET_NS, CLONE_NEWNET, "making a network namespace" }, { USE_IPC_NS, CLONE_NEWIPC, "making an IPC namespace" },
    };
    box_ready r = { 0 };
    int id = 0, e;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        e = try_namespaces(CLONE_NEWUSER | spaces[i].ns, false, &id);
        if (e) missing(&r, e, spaces[i].what);
        else r.present |= spaces[i].bit;
    }
    e = try_namespaces(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS, true, &id);
    if (e) missing(&r, e, "mounting /proc in a process namespace");
    else r.present |= USE_PROC;
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) r.present |= USE_SECCOMP;
    else missing(&r, errno, "asking for seccomp filters");
    action = SECCOMP_RET_USER_NOTIF;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) r.present |= USE_NOTIFY;
    else missing(&r, errno, "asking for notifications of seccomp filters");
    r.landlock_abi = landlock_abi();
    if (r.landlock_abi) r.present |= USE_LANDLOCK;
    else missing(&r, errno, "asking for Landlock");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0) r.present |= USE_NO_NEW_PRIVS;
    else missing(&r, errno, "asking for no_new_privs");
    /* before 5.14 the processes of a user were counted together in all namespaces; and root's are never limited */
    struct utsname u;
    int major = 0, minor = 0;
    if (uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 5 || (major == 5 && minor >= 14)) && (geteuid() != 0 || id == 1)) r.present |= USE_NPROC;
    else missing(&r, ENOSYS, "limiting the number of processes of a box");
    answer(HOST, &r, sizeof r);
    _exit(0);
}

int main(void)
{
    box_hello h;
    struct rlimit files;
    for (int i = 1; i < 65; i++) signal(i, SIG_DFL); /* nothing of the caller's dispositions */
    signal(SIGPIPE, SIG_IGN);
    setsid(); /* Ctrl-C is the caller's */
    if (syscall(SYS_close_range, HOST + 1, ~0u, 0) != 0) {
        for (int i = HOST + 1; i < 65536; i++) close(i);
    }
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++) dup2(null, i);
    if (null > 2) close(null);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < 1024 ? files.rlim_max : files.rlim_cur < 1024 ? 1024 : files.rlim_cur;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int caller = (int)syscall(SYS_pidfd_open, getppid(), 0); /* -1 before Linux 5.3 */
    receive(HOST, &h, sizeof h); /* comes from the caller, so it was still there */
    if (h.magic == BOX_PROBE) probe();
    if (h.magic != BOX_HELLO || h.folders_bytes > 1 << 20) _exit(1);
    uint64_t n = h.folders_bytes;
    for (int i = 0; i < BOX_FILTERS; i++) {
        if (h.n_filter[i] > BPF_MAXINSNS) _exit(1);
        n += h.n_filter[i] * sizeof(struct sock_filter);
    }
    char *blob = malloc(n + 1);
    if (!blob) _exit(1);
    receive(HOST, blob, n);
    start(&h, blob, caller);
}
