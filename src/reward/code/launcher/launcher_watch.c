/* launcher_watch: follows one party from its start to its end: takes what it writes, asks now and then what it uses, and stops it at the
 * first limit.
 *
 * The time between two looks is as long as nothing can go wrong in it: memory cannot grow faster than FILL_RATE, CPU time not faster than the
 * processors there are. A short program is therefore never looked at while it runs; init counts at its end. Ending is init's work: it kills,
 * reaps and reports, so that the CPU time is exact in every case; only when it does not answer it is killed itself. */
#include "reward/code/launcher/launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILL_RATE 8000          /* bytes in a microsecond: more than cores write into fresh pages */
#define SHORTEST_LOOK_US 2000
#define LONGEST_LOOK_US 50000
#define END_PATIENCE_US 3000000 /* for init to kill and reap everything */
#define AUDIT_SIGSYS 31

typedef struct watch {
    const launcher *l;
    const party *p;
    int init, ctl, listener;
    stream *s;                  /* out, err, proof */
    box_reply *r;
    int *taken_fd;
    uint64_t start, next_look, stopped; /* stopped: when init was told; 0: not yet */
    unsigned hidden;            /* looks in a row in which a process was hidden */
    bool reported;
} watch;

static void stop(watch *w, int end)
{
    if (w->stopped || w->reported) return;
    w->r->end = end;
    w->stopped = launcher_now_us();
    char c = 's';
    if (send(w->ctl, &c, 1, MSG_NOSIGNAL) != 1) kill(w->init, SIGKILL);
}

/* ---- what the party writes --------------------------------------------------------------------------------------- */

/* Take what there is. More than max is dropped and, for out and err, ends the party. */
static void drain(watch *w, int i)
{
    stream *s = &w->s[i];
    for (;;) {
        if (s->n == s->cap && s->n < s->max) {
            size_t cap = s->cap ? 4 * s->cap : 4096;
            if (cap > s->max) cap = s->max;
            char *d = realloc(s->data, cap);
            if (d) {
                s->data = d;
                s->cap = cap;
            }
        }
        char rest[4096];
        bool room = s->n < s->cap;
        ssize_t n = read(s->fd, room ? s->data + s->n : rest, room ? s->cap - s->n : sizeof rest);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            close(s->fd);
            s->fd = -1;
            return;
        }
        if (room) {
            s->n += (size_t)n;
            continue;
        }
        s->cut = true;
        if (i < 2) stop(w, END_OUTPUT);
        if (w->stopped) return; /* a party that still writes must not keep us here */
    }
}

/* ---- denied calls ------------------------------------------------------------------------------------------------ */

/* Whether a program may set this action for SIGCHLD: not if the kernel would then reap its children and forget their CPU time. */
static bool action_allowed(const launcher *l, const struct seccomp_notif *n)
{
    struct { uint64_t handler, flags; } a;
    char path[32];
    snprintf(path, sizeof path, "%u/mem", n->pid);
    int fd = openat(l->proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = pread(fd, &a, sizeof a, (off_t)n->data.args[1]) == sizeof a;
    close(fd);
    return ok && a.handler != (uint64_t)(uintptr_t)SIG_IGN && !(a.flags & SA_NOCLDWAIT);
}

static void on_call(watch *w)
{
    union { struct seccomp_notif n; char room[512]; } in;
    union { struct seccomp_notif_resp r; char room[512]; } out;
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    if (ioctl(w->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) != 0) return; /* its process has ended meanwhile */
    if (in.n.data.nr != SYS_rt_sigaction) {
        w->r->denied = in.n.data.nr;
        stop(w, END_DENIED); /* never answered: the call does not happen */
        return;
    }
    out.r.id = in.n.id;
    if (action_allowed(w->l, &in.n)) out.r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else out.r.error = -EPERM;
    if (ioctl(w->listener, SECCOMP_IOCTL_NOTIF_SEND, &out) != 0) return;
}

/* ---- init's messages --------------------------------------------------------------------------------------------- */

static void fail(watch *w, int error, const char *what)
{
    w->r->error = error ? error : EIO;
    snprintf(w->r->what, sizeof w->r->what, "%s", what);
}

/* What the other parties that have a budget together with this one have used, as far as their launchers know. */
static uint64_t others_us(const party *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; p->together && i < p->q.n_together; i++) sum += i == p->q.together ? 0 : p->together[i];
    return sum;
}

static void tell_others(const party *p, uint64_t cpu_us)
{
    if (p->together) p->together[p->q.together] = cpu_us;
}

static void on_report(watch *w, const tell *t, int fd)
{
    box_reply *r = w->r;
    w->reported = true;
    r->cpu_us = t->cpu_us;
    tell_others(w->p, t->cpu_us);
    /* not their sum: a process may have had the files mapped, so that its high-water mark has them in it */
    if (t->maxrss_bytes > r->peak_bytes) r->peak_bytes = t->maxrss_bytes;
    if (t->tmpfs_bytes + t->shm_bytes > r->peak_bytes) r->peak_bytes = t->tmpfs_bytes + t->shm_bytes;
    r->taken = t->taken;
    r->n_taken = t->taken_bytes;
    *w->taken_fd = fd;
    if (t->blocked && !w->stopped) {
        r->end = END_MEMORY; /* what it has cannot be told, and looks wait only where it may be too much */
        return;
    }
    if (w->stopped && (r->end != END_STOPPED || t->status == -1)) return;
    if (t->exec_error) {
        r->end = END_NOT_STARTED;
        r->status = t->exec_error;
    } else if (WIFSIGNALED(t->status)) {
        r->end = END_SIGNALED;
        r->signal = WTERMSIG(t->status);
        if (r->signal == AUDIT_SIGSYS) r->end = END_DENIED; /* killed by a filter */
    } else {
        r->end = END_EXITED;
        r->status = WEXITSTATUS(t->status);
    }
}

static void on_tell(watch *w)
{
    tell t = { 0 };
    int fds[3], n_fds = 3;
    long n = launcher_recv_fds(w->ctl, &t, sizeof t, fds, &n_fds, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n != (long)sizeof t) { /* init is gone without a word: killed by us, or by the system for want of memory */
        w->reported = true;
        if (!w->stopped) fail(w, EIO, "the box ended without a report");
        return;
    }
    int used = 0;
    switch (t.kind) {
    case TELL_STREAMS:
        for (int i = 0; i < 2; i++) {
            if ((t.error & (1 << i)) && used < n_fds) w->s[i].fd = fds[used++];
        }
        break;
    case TELL_LISTENER:
        if (used < n_fds) w->listener = fds[used++];
        break;
    case TELL_FAILED:
        t.what[sizeof t.what - 1] = 0;
        fail(w, t.error, t.what);
        stop(w, END_STOPPED);
        break;
    case TELL_REPORT:
        on_report(w, &t, used < n_fds ? fds[used] : -1);
        used++;
        break;
    }
    while (used < n_fds) close(fds[used++]);
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static uint64_t own_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void look(watch *w)
{
    box_request mine = w->p->q; /* with what the others have left of the time */
    const box_request *q = &mine;
    const uint64_t others = others_us(w->p);
    mine.cpu_us -= others < mine.cpu_us ? others : mine.cpu_us;
    measured m;
    uint64_t cost = own_cpu_us();
    launcher_measure(w->l, w->init, q, &m);
    /* Once more: a process with a smaller number than its parent's may be counted twice while it is reaped, and shares of shared pages
     * grow while processes end, so that their sum is too large. */
    if (m.cpu_us > q->cpu_us || (m.bytes > q->memory_bytes && m.n_processes > 1)) launcher_measure(w->l, w->init, q, &m);
    cost = own_cpu_us() - cost;
    tell_others(w->p, m.cpu_us);
    if (m.bytes > w->r->peak_bytes) w->r->peak_bytes = m.bytes;
    w->hidden = m.hidden ? w->hidden + 1 : 0;
    if (m.bytes > q->memory_bytes) stop(w, END_MEMORY);
    if (m.cpu_us > q->cpu_us) stop(w, END_CPU);
    if (w->hidden > 1 || m.n_processes > q->n_processes) stop(w, END_DENIED); /* the second only where RLIMIT_NPROC does not hold */
    uint64_t memory_left = q->memory_bytes > m.bytes ? q->memory_bytes - m.bytes : 0;
    uint64_t cpu_left = q->cpu_us > m.cpu_us ? q->cpu_us - m.cpu_us : 0;
    w->r->cpu_us = m.cpu_us; /* until init reports the exact sum */
    uint64_t wait = memory_left / FILL_RATE;
    if (cpu_left / w->l->processors < wait) wait = cpu_left / w->l->processors; /* also of the others: all processors are counted here */
    if (wait > LONGEST_LOOK_US) wait = LONGEST_LOOK_US;
    if (wait < SHORTEST_LOOK_US || w->hidden) wait = SHORTEST_LOOK_US;
    /* looking must not become the work; what it costs is our CPU time: on a busy machine it takes much longer */
    cost *= m.bytes > q->memory_bytes / 2 ? 1 : 4;
    if (wait < cost) wait = cost;
    w->next_look = launcher_now_us() + wait;
}

static void on_host(watch *w)
{
    box_cancel c;
    ssize_t n = recv(w->l->host, &c, sizeof c, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n != sizeof c) _exit(0); /* the caller is gone: everything ends with us */
    if (c.magic == BOX_CANCEL && c.id == w->p->q.id) stop(w, END_STOPPED);
}

static void step(watch *w)
{
    struct pollfd f[6] = {
        { .fd = w->ctl, .events = POLLIN }, { .fd = w->l->host, .events = POLLIN }, { .fd = w->listener, .events = POLLIN },
        { .fd = w->s[0].fd, .events = POLLIN }, { .fd = w->s[1].fd, .events = POLLIN }, { .fd = w->s[2].fd, .events = POLLIN },
    };
    uint64_t now = launcher_now_us(), until = w->stopped ? w->stopped + END_PATIENCE_US : w->next_look;
    launcher_poll_ms(f, 6, until > now ? (int64_t)(until - now) : 0);
    if (f[2].revents & POLLIN) on_call(w);
    else if (f[2].revents) { /* the last process with the filter has ended */
        close(w->listener);
        w->listener = -1;
    }
    for (int i = 0; i < 3; i++) {
        if (f[3 + i].revents) drain(w, i);
    }
    if (f[1].revents) on_host(w);
    if (f[0].revents) on_tell(w);
    now = launcher_now_us();
    if (w->stopped) {
        if (now > w->stopped + END_PATIENCE_US) {
            kill(w->init, SIGKILL);
            w->stopped = now;
        }
        return;
    }
    if (w->reported) return;
    if (now > w->start + w->p->q.wall_us) stop(w, END_WALL);
    else if (now >= w->next_look) look(w);
}

/* Limits that were passed between the last look and the end count as well. */
static void judge(const watch *w, box_reply *r)
{
    const box_request *q = &w->p->q;
    r->out_cut = w->s[0].cut;
    r->err_cut = w->s[1].cut;
    r->proof_cut = w->s[2].cut;
    if (r->end != END_EXITED && r->end != END_SIGNALED) return;
    if (r->peak_bytes > q->memory_bytes) r->end = END_MEMORY;
    else if (r->cpu_us + others_us(w->p) > q->cpu_us) r->end = END_CPU; /* SIGXCPU alone says nothing: anyone may send it */
    else if (r->out_cut || r->err_cut) r->end = END_OUTPUT;
}

void launcher_watch(const launcher *l, const party *p, int init, int ctl, stream s[3], box_reply *r, int *taken_fd)
{
    watch w = { .l = l, .p = p, .init = init, .ctl = ctl, .listener = -1, .s = s, .r = r, .taken_fd = taken_fd };
    w.start = launcher_now_us();
    w.next_look = w.start + 2 * SHORTEST_LOOK_US;
    while (!w.reported) step(&w);
    r->wall_us = launcher_now_us() - w.start;
    for (int i = 0; i < 3; i++) {
        if (s[i].fd >= 0) drain(&w, i);
        if (s[i].fd >= 0) close(s[i].fd);
    }
    if (w.listener >= 0) close(w.listener);
    judge(&w, r);
}
