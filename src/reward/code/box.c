/* box: a pool of launchers, requests and answers.
 *
 * A launcher serves one party at a time; idle ones are kept. A run takes one for each party, sends the requests, and waits for all answers,
 * telling the others to stop when a party ends that was to end them. Anything unexpected from a launcher ends that launcher: a
 * new one costs a few milliseconds. */
#define _GNU_SOURCE
#include "reward/code/box_int.h"
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOGETHER_BYTES 4096
#define MAX_FOLDERS 16
#define MAX_FILES 64
#define MAX_STRINGS 4096
#define MAX_REQUEST (1ull << 30)
#define MAX_PROCESSES 4000      /* the launcher looks at 4,096 */
#define CPU_S 6                 /* r1_box_limits.cpu_s where it is 0 */
#define CANCEL_MS 50
#define MAX_IDLE 16

struct r1_boxes {
    pthread_mutex_t lock;
    box_launcher *idle;     /* under lock */
    int n_idle;             /* under lock */
    int image;
    unsigned missing;
    char *hello;            /* what a new launcher is told: box_hello, folders, filters */
    size_t hello_bytes;
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static bool folder_is_needed(const char *f)
{
    return strncmp(f, "/usr/", 5) != 0 && strcmp(f, "/usr") != 0 && f[strspn(f, "/")] != 0 && access(f, F_OK) == 0;
}

/* "/a/b" with no empty, "." or ".." part. */
static bool folder_is_plain(const char *f)
{
    if (f[0] != '/' || strlen(f) > 4000) return false;
    for (const char *at = f; *at; ) {
        size_t n = strcspn(++at, "/");
        if ((n == 0 && *at) || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.')) return false;
        at += n;
    }
    return true;
}

static r1_status add_folders(r1_buf *b, box_hello *h, const r1_box_options *o, r1_error *err)
{
    static const char *const taken[] = { "/box", "/tmp", "/dev", "/etc", "/proc", "/.box", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/sys" };
    if (o->n_folders > MAX_FOLDERS) return r1_fail(err, R1_EINVAL, "box: %zu folders to show, at most %d", o->n_folders, MAX_FOLDERS);
    for (size_t i = 0; i < o->n_folders; i++) {
        const char *f = o->folders[i];
        if (!folder_is_plain(f)) return r1_fail(err, R1_EINVAL, "box: '%s' is not the absolute path of a folder", f);
        for (size_t k = 0; k < R1_COUNT(taken); k++) {
            if (strcmp(f, taken[k]) == 0) return r1_fail(err, R1_EINVAL, "box: the folder '%s' cannot be shown: a box has its own", f);
        }
        if (!folder_is_needed(f)) continue;
        r1_status s = r1_buf_add(b, f, strlen(f) + 1, err);
        if (s) return s;
        h->n_folders++;
    }
    h->folders_bytes = (uint32_t)(b->len - sizeof *h);
    return R1_OK;
}

static r1_status make_hello(r1_boxes *b, const r1_box_options *o, r1_error *err)
{
    box_hello h = { .magic = BOX_HELLO, .use = R1_BOX_ALL & ~b->missing };
    r1_buf buf;
    r1_buf_init(&buf, 1 << 22);
    r1_status s = r1_buf_add(&buf, &h, sizeof h, err);
    if (!s) s = add_folders(&buf, &h, o, err);
    for (int i = 0; !s && i < BOX_FILTERS && !(b->missing & R1_BOX_SECCOMP); i++) {
        void *program;
        s = r1_box_filter(&program, &h.n_filter[i], i, !(b->missing & R1_BOX_NOTIFY), err);
        if (!s) s = r1_buf_add(&buf, program, h.n_filter[i] * sizeof(struct sock_filter), err);
        free(program);
    }
    if (!s) {
        memcpy(buf.data, &h, sizeof h);
        b->hello = r1_buf_take(&buf, &b->hello_bytes);
    }
    r1_buf_deinit(&buf);
    return s;
}

static r1_status new_launcher(const r1_boxes *b, box_launcher **out, r1_error *err)
{
    box_ready r = { 0 };
    r1_status s = r1_box_start(out, b->image, err);
    if (s) return s;
    s = r1_box_send(*out, b->hello, b->hello_bytes, err);
    if (!s) s = r1_box_receive(*out, &r, sizeof r, err);
    if (!s && r.error) {
        r.what[sizeof r.what - 1] = 0;
        s = r1_fail(err, R1_EUNSUPPORTED, "box: %s: %s", r.what, strerror(r.error));
    }
    if (s) {
        r1_box_stop_launcher(*out);
        *out = NULL;
    }
    return s;
}

static r1_status acquire(r1_boxes *b, box_launcher **out, r1_error *err)
{
    pthread_mutex_lock(&b->lock);
    *out = b->idle;
    if (*out) {
        b->idle = (*out)->next;
        b->n_idle--;
    }
    pthread_mutex_unlock(&b->lock);
    return *out ? R1_OK : new_launcher(b, out, err);
}

static void release(r1_boxes *b, box_launcher *l)
{
    pthread_mutex_lock(&b->lock);
    bool keep = b->n_idle < MAX_IDLE;
    if (keep) {
        l->next = b->idle;
        b->idle = l;
        b->n_idle++;
    }
    pthread_mutex_unlock(&b->lock);
    if (!keep) r1_box_stop_launcher(l);
}

r1_status r1_boxes_open(r1_boxes **out, const r1_box_options *o, r1_error *err)
{
    static const r1_box_options none;
    r1_box_probe_result probe;
    char names[256];
    *out = NULL;
    if (!o) o = &none;
    r1_status s = r1_box_try(&probe, err);
    if (s) return s;
    unsigned missing = R1_BOX_ALL & ~(probe.present & ~o->pretend_missing);
    unsigned fatal = o->allow_weaker ? missing & R1_BOX_NEEDED : missing;
    if (fatal) {
        const char *why = probe.why[0] ? probe.why : "as asked for";
        return r1_fail(err, R1_EUNSUPPORTED, "box: this system lacks %s (%s)%s", r1_box_protections(fatal, names, sizeof names), why,
                       missing & R1_BOX_NEEDED ? "" : "; weaker boxes were not allowed");
    }
    if (missing & R1_BOX_SECCOMP) missing |= R1_BOX_NOTIFY;
    r1_boxes *b = calloc(1, sizeof *b);
    if (!b) return r1_fail(err, R1_ENOMEM, "no memory for boxes");
    pthread_mutex_init(&b->lock, NULL);
    b->missing = missing;
    b->image = r1_box_image(err);
    s = b->image < 0 ? R1_EIO : make_hello(b, o, err);
    if (!s) s = new_launcher(b, &b->idle, err);
    if (s) {
        r1_boxes_close(b);
        return s;
    }
    b->n_idle = 1;
    *out = b;
    return R1_OK;
}

void r1_boxes_close(r1_boxes *b)
{
    if (!b) return;
    while (b->idle) {
        box_launcher *l = b->idle;
        b->idle = l->next;
        r1_box_stop_launcher(l);
    }
    if (b->image >= 0) close(b->image);
    pthread_mutex_destroy(&b->lock);
    free(b->hello);
    free(b);
}

unsigned r1_boxes_missing(const r1_boxes *b) { return b->missing; }

typedef struct running {
    box_launcher *l[R1_BOX_MAX_PARTIES];
    bool pending[R1_BOX_MAX_PARTIES];
    size_t n, n_pending;
    int together;           /* the page in which launchers tell each other the CPU time of their parties; -1: each has its own limit */
} running;

/* ---- a request --------------------------------------------------------------------------------------------------- */

static bool name_is_plain(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    return n > 0 && n <= 255 && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static r1_status check_fds(const r1_box_party *p, r1_error *err)
{
    uint64_t used = p->proof_fd ? 1ull << (p->proof_fd & 63) : 0;
    if (p->proof_fd && (p->proof_fd < 3 || p->proof_fd > 63)) return r1_fail(err, R1_EINVAL, "box: proof descriptor %d, expected 3 to 63", p->proof_fd);
    if (p->n_fds > R1_BOX_MAX_FDS) return r1_fail(err, R1_EINVAL, "box: %zu descriptors, at most %d", p->n_fds, R1_BOX_MAX_FDS);
    for (size_t i = 0; i < p->n_fds; i++) {
        int k = p->fds[i].box;
        if (k < 0 || k > 63 || p->fds[i].host < 0) return r1_fail(err, R1_EINVAL, "box: descriptor %d as %d, expected 0 to 63", p->fds[i].host, k);
        if (used >> k & 1) return r1_fail(err, R1_EINVAL, "box: descriptor %d is given twice", k);
        used |= 1ull << k;
    }
    return R1_OK;
}

static r1_status check_party(const r1_box_party *p, r1_error *err)
{
    if (!p->argv || !p->argv[0]) return r1_fail(err, R1_EINVAL, "box: no program to run");
    if (p->n_files > MAX_FILES) return r1_fail(err, R1_EINVAL, "box: %zu files, at most %d", p->n_files, MAX_FILES);
    for (size_t i = 0; i < p->n_files; i++) {
        if (!name_is_plain(p->files[i].name)) return r1_fail(err, R1_EINVAL, "box: '%s' cannot be the name of a file", p->files[i].name ? p->files[i].name : "");
        for (size_t k = 0; k < i; k++) {
            if (strcmp(p->files[k].name, p->files[i].name) == 0) return r1_fail(err, R1_EINVAL, "box: the file '%s' is given twice", p->files[i].name);
        }
    }
    if (p->take && !name_is_plain(p->take)) return r1_fail(err, R1_EINVAL, "box: '%s' cannot be the name of a file to take", p->take);
    return check_fds(p, err);
}

static r1_status limits(box_request *q, const r1_box_limits *l, r1_error *err)
{
    double cpu = l->cpu_s > 0 ? l->cpu_s : CPU_S, wall = l->wall_s > 0 ? l->wall_s : 10 * cpu;
    q->memory_bytes = l->memory_bytes ? l->memory_bytes : 512ull << 20;
    q->output_bytes = l->output_bytes ? l->output_bytes : 1 << 20;
    q->file_bytes = l->file_bytes ? l->file_bytes : q->memory_bytes;
    q->stack_bytes = l->stack_bytes ? l->stack_bytes : 16 << 20;
    q->n_processes = l->n_processes ? l->n_processes : 64;
    q->n_open = l->n_open ? l->n_open : 256;
    if (!(cpu <= 1e6) || !(wall <= 1e7)) return r1_fail(err, R1_EINVAL, "box: limits of %g and %g seconds, at most 1e6 of CPU and 1e7 of wall time", cpu, wall);
    if (q->memory_bytes < 1 << 20 || q->memory_bytes > 1ull << 44) return r1_fail(err, R1_EINVAL, "box: a memory limit of %llu bytes, expected 1 MB to 16 TB", (unsigned long long)q->memory_bytes);
    if (q->output_bytes > 1 << 30) return r1_fail(err, R1_EINVAL, "box: an output limit of %llu bytes, at most 1 GB", (unsigned long long)q->output_bytes);
    if (q->n_open < 4 || q->n_open > BOX_MAX_OPEN) return r1_fail(err, R1_EINVAL, "box: %u open descriptors, expected 4 to %d", q->n_open, BOX_MAX_OPEN);
    if (q->n_processes > MAX_PROCESSES) return r1_fail(err, R1_EINVAL, "box: %u processes, at most %d", q->n_processes, MAX_PROCESSES);
    q->cpu_us = (uint64_t)(cpu * 1e6);
    q->wall_us = (uint64_t)(wall * 1e6);
    return R1_OK;
}

/* "NAME=" of a has the same name as b. */
static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=") + 1;
    return strncmp(a, b, n) == 0;
}

static r1_status add_strings(r1_buf *b, box_request *q, const r1_box_party *p, r1_error *err)
{
    static const char *const fixed[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", ("HOME=" R1_BOX_WORK), "TMPDIR=/tmp", "UV_USE_IO_URING=0" };
    r1_status s = R1_OK;
    for (; !s && p->argv[q->n_argv] && q->n_argv < MAX_STRINGS; q->n_argv++) s = r1_buf_add(b, p->argv[q->n_argv], strlen(p->argv[q->n_argv]) + 1, err);
    for (size_t i = 0; !s && i < R1_COUNT(fixed); i++) {
        bool replaced = false;
        for (size_t k = 0; p->env && p->env[k]; k++) replaced |= same_name(fixed[i], p->env[k]);
        if (replaced) continue;
        s = r1_buf_add(b, fixed[i], strlen(fixed[i]) + 1, err);
        q->n_env++;
    }
    for (size_t k = 0; !s && p->env && p->env[k] && k < MAX_STRINGS - R1_COUNT(fixed); k++, q->n_env++) s = r1_buf_add(b, p->env[k], strlen(p->env[k]) + 1, err);
    if (!s && p->take) {
        q->has_take = 1;
        q->take_max = p->take_max;
        s = r1_buf_add(b, p->take, strlen(p->take) + 1, err);
    }
    return s;
}

static r1_status add_files(r1_buf *b, box_request *q, const r1_box_party *p, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; !s && i < p->n_files; i++) {
        const r1_box_file *f = &p->files[i];
        box_wire_file w = { f->n, (uint32_t)strlen(f->name) + 1, f->mode ? f->mode & 0777 : 0644 };
        s = r1_buf_add(b, &w, sizeof w, err);
        if (!s) s = r1_buf_add(b, f->name, w.name_bytes, err);
        if (!s && f->n) s = r1_buf_add(b, f->data, f->n, err);
        q->n_files++;
    }
    if (!s && p->stdin_bytes) s = r1_buf_add(b, p->stdin_data, p->stdin_bytes, err);
    q->stdin_bytes = p->stdin_bytes;
    return s;
}

/* The fixed part, with the descriptors in the same message; together: the last of them, -1: none. */
static r1_status send_head(box_launcher *l, const box_request *q, const r1_box_party *p, int together, r1_error *err)
{
    union { struct cmsghdr h; char room[CMSG_SPACE((BOX_MAX_FDS + 1) * sizeof(int))]; } c;
    const size_t n_fds = p->n_fds + (together >= 0 ? 1 : 0);
    struct iovec v = { (void *)(uintptr_t)q, sizeof *q };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    memset(&c, 0, sizeof c);
    if (n_fds) {
        m.msg_control = &c;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c.h.cmsg_level = SOL_SOCKET;
        c.h.cmsg_type = SCM_RIGHTS;
        c.h.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (size_t i = 0; i < n_fds; i++) memcpy(CMSG_DATA(&c.h) + i * sizeof(int), i < p->n_fds ? &p->fds[i].host : &together, sizeof(int));
    }
    ssize_t k;
    do k = sendmsg(l->socket, &m, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    if (k < 0) return r1_fail(err, errno == EBADF ? R1_EINVAL : R1_EIO, "box: the request could not be sent: %s", strerror(errno));
    return (size_t)k == sizeof *q ? R1_OK : r1_box_send(l, (const char *)q + k, sizeof *q - (size_t)k, err);
}

static r1_status request(running *u, size_t i, const r1_box_party *p, r1_error *err)
{
    box_launcher *l = u->l[i];
    box_request q = { .magic = BOX_REQUEST, .id = ++l->id, .n_fds = (uint32_t)p->n_fds, .proof_fd = p->proof_fd,
        .n_together = u->together >= 0 ? (uint32_t)u->n : 0, .together = (uint32_t)i };
    r1_buf b;
    for (size_t k = 0; k < p->n_fds; k++) q.fd_number[k] = p->fds[k].box;
    r1_status s = limits(&q, &p->limits, err);
    r1_buf_init(&b, MAX_REQUEST);
    if (!s) s = add_strings(&b, &q, p, err);
    if (!s) s = add_files(&b, &q, p, err);
    q.blob_bytes = b.len;
    if (!s) s = send_head(l, &q, p, u->together, err);
    if (!s) s = r1_box_send(l, b.data, b.len, err);
    r1_buf_deinit(&b);
    return s;
}

/* ---- an answer --------------------------------------------------------------------------------------------------- */

static r1_status receive_text(box_launcher *l, char **out, size_t *n, uint64_t bytes, r1_error *err)
{
    if (bytes > MAX_REQUEST) return r1_fail(err, R1_EIO, "box: an answer of %llu bytes", (unsigned long long)bytes);
    *out = malloc((size_t)bytes + 1);
    if (!*out) return r1_fail(err, R1_ENOMEM, "no memory for %llu bytes of output", (unsigned long long)bytes);
    *n = (size_t)bytes;
    (*out)[bytes] = 0;
    return r1_box_receive(l, *out, *n, err);
}

static r1_status reply(box_launcher *l, r1_box_result *r, r1_error *err)
{
    static const char *const why[] = { NULL, NULL, "is not there", "is not a plain file", "is too large" };
    box_reply a;
    r1_status s = r1_box_receive(l, &a, sizeof a, err);
    if (s) return s;
    *r = (r1_box_result){ .end = (r1_box_end)a.end, .exit_status = a.status, .signal = a.signal, .cpu_s = (double)a.cpu_us / 1e6, .wall_s = (double)a.wall_us / 1e6,
        .peak_bytes = a.peak_bytes, .out_cut = a.out_cut, .err_cut = a.err_cut, .proof_cut = a.proof_cut, .taken_why = a.taken < R1_COUNT(why) ? why[a.taken] : NULL };
    if (r->end == R1_BOX_DENIED && a.denied >= 0) r1_box_call_name(r->denied, a.denied);
    s = receive_text(l, &r->out, &r->n_out, a.n_out, err);
    if (!s) s = receive_text(l, &r->err, &r->n_err, a.n_err, err);
    if (!s) s = receive_text(l, &r->proof, &r->n_proof, a.n_proof, err);
    if (!s && a.taken == BOX_TAKEN && a.end == R1_BOX_EXITED && a.status == 0) s = receive_text(l, &r->taken, &r->n_taken, a.n_taken, err);
    if (!s && a.error) {
        a.what[sizeof a.what - 1] = 0;
        s = r1_fail(err, R1_EIO, "box: %s: %s", a.what, strerror(a.error));
    }
    return s;
}

void r1_box_result_deinit(r1_box_result *r)
{
    free(r->out);
    free(r->err);
    free(r->proof);
    free(r->taken);
    memset(r, 0, sizeof *r);
}

/* ---- a run ------------------------------------------------------------------------------------------------------- */

static void stop_others(running *u)
{
    for (size_t i = 0; i < u->n; i++) {
        box_cancel c = { BOX_CANCEL, u->l[i]->id };
        if (u->pending[i]) (void)!send(u->l[i]->socket, &c, sizeof c, MSG_NOSIGNAL);
    }
}

static r1_status wait_for_all(running *u, const r1_box_party *parties, r1_box_result *results, const r1_box_run_options *o, r1_error *err)
{
    bool cancelled = false;
    while (u->n_pending) {
        struct pollfd f[R1_BOX_MAX_PARTIES];
        for (size_t i = 0; i < u->n; i++) f[i] = (struct pollfd){ .fd = u->pending[i] ? u->l[i]->socket : -1, .events = POLLIN };
        bool ask = o && o->cancelled && !cancelled;
        int k = poll(f, u->n, ask ? CANCEL_MS : -1);
        if (k < 0 && errno != EINTR) return r1_fail(err, R1_EIO, "box: waiting failed: %s", strerror(errno));
        for (size_t i = 0; k > 0 && i < u->n; i++) {
            if (!f[i].revents) continue;
            r1_status s = reply(u->l[i], &results[i], err);
            if (s) return s;
            u->pending[i] = false;
            u->n_pending--;
            if (parties[i].ends_others) stop_others(u);
        }
        if (ask && o->cancelled(o->ctx)) {
            cancelled = true;
            stop_others(u);
        }
    }
    return cancelled ? r1_fail(err, R1_ECANCELLED, "cancelled") : R1_OK;
}

/* The CPU time of all, now that it is known to the end. */
static void judge_together(const r1_box_party *parties, size_t n, r1_box_result *results)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += results[i].cpu_s;
    for (size_t i = 0; i < n; i++) {
        double limit = parties[i].limits.cpu_s > 0 ? parties[i].limits.cpu_s : CPU_S;
        if (sum > limit && (results[i].end == R1_BOX_EXITED || results[i].end == R1_BOX_SIGNALED)) results[i].end = R1_BOX_CPU;
    }
}

static r1_status open_together(running *u, r1_error *err)
{
    u->together = memfd_create("together", MFD_CLOEXEC);
    if (u->together < 0 || ftruncate(u->together, TOGETHER_BYTES) != 0) return r1_fail(err, R1_EIO, "box: no page for the time of all parties: %s", strerror(errno));
    return R1_OK;
}

r1_status r1_box_run(r1_boxes *b, const r1_box_party *parties, size_t n, r1_box_result *results, const r1_box_run_options *o, r1_error *err)
{
    running u = { .n = 0, .together = -1 };
    if (n < 1 || n > R1_BOX_MAX_PARTIES) return r1_fail(err, R1_EINVAL, "box: %zu parties, expected 1 to %d", n, R1_BOX_MAX_PARTIES);
    memset(results, 0, n * sizeof *results);
    r1_status s = R1_OK;
    for (size_t i = 0; !s && i < n; i++) s = check_party(&parties[i], err);
    if (!s && o && o->cpu_together) s = open_together(&u, err);
    for (; !s && u.n < n; u.n++) {
        s = acquire(b, &u.l[u.n], err);
        if (s) break;
    }
    for (size_t i = 0; !s && i < n; i++) {
        s = request(&u, i, &parties[i], err);
        u.pending[i] = true;
        u.n_pending++;
    }
    if (u.together >= 0) close(u.together);
    if (!s) s = wait_for_all(&u, parties, results, o, err);
    if (!s && o && o->cpu_together) judge_together(parties, n, results);
    for (size_t i = 0; i < u.n; i++) {
        if (s && s != R1_ECANCELLED) r1_box_stop_launcher(u.l[i]); /* it may be in the middle of anything */
        else release(b, u.l[i]);
    }
    for (size_t i = 0; s && i < n; i++) r1_box_result_deinit(&results[i]);
    return s;
}

const char *r1_box_describe(const r1_box_result *r, char *text, size_t size)
{
    switch (r->end) {
    case R1_BOX_EXITED: snprintf(text, size, "exited with status %d", r->exit_status); break;
    case R1_BOX_SIGNALED: snprintf(text, size, "ended by signal %d (%s)", r->signal, sigdescr_np(r->signal) ? sigdescr_np(r->signal) : "unknown"); break;
    case R1_BOX_CPU: snprintf(text, size, "used more than its CPU time (%.2f s)", r->cpu_s); break;
    case R1_BOX_WALL: snprintf(text, size, "ran for more than its time (%.1f s)", r->wall_s); break;
    case R1_BOX_MEMORY: snprintf(text, size, "used more than its memory (%llu MB)", (unsigned long long)(r->peak_bytes >> 20)); break;
    case R1_BOX_OUTPUT: snprintf(text, size, "wrote more than it may"); break;
    case R1_BOX_DENIED: snprintf(text, size, r->denied[0] ? "ended for a denied call (%s)" : "ended for a denied call%s", r->denied); break;
    case R1_BOX_STOPPED: snprintf(text, size, "stopped"); break;
    case R1_BOX_NOT_STARTED: snprintf(text, size, "could not be started: %s", strerror(r->exit_status)); break;
    default: snprintf(text, size, "ended"); break;
    }
    return text;
}
