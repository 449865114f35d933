/* A command of the user as a checker.
 *
 * The child gets pipes for its three files and a process group of its own; the parent waits in poll for the pipes, for the child (a pidfd),
 * and at most a tenth of a second, so that a deadline or a wish to stop is met soon. Whatever happens, the group is killed and the child is
 * reaped before the call returns (a persistent child: when it failed, or is closed). A child that leaves its group is not found: the command
 * is the user's own and not confined.
 *
 * SIGPIPE, which writing to a child that is gone would raise, is held back in the calling thread for the time of the call and, if it
 * came, taken away; nothing else of the process changes.
 */
#define _GNU_SOURCE
#include "reward/reward.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MOST = 65536, TAIL = 400, TICK_MS = 100 };
#define USUAL_TIME_S 10.0
#define LONGEST_TIME_S 86400.0

extern char **environ;

struct r1_custom {
    r1_custom_options o;
    char *command;
    pid_t pid;              /* 0: no child */
    int in, out, err, done; /* our ends; done: the pidfd. -1: closed */
    r1_buf line;            /* what it wrote */
    char tail[TAIL];        /* the end of its standard error */
    size_t n_tail;
};

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Kill the group, reap the child; *status receives how it ended. */
static void end_child(r1_custom *c, int *status)
{
    int how = 0;
    if (c->pid > 0) {
        kill(-c->pid, SIGKILL);
        while (waitpid(c->pid, &how, 0) < 0 && errno == EINTR) {}
    }
    if (status) *status = how;
    c->pid = 0;
    close_fd(&c->in);
    close_fd(&c->out);
    close_fd(&c->err);
    close_fd(&c->done);
}

void r1_custom_free(r1_custom *c)
{
    if (!c) return;
    end_child(c, NULL);
    r1_buf_deinit(&c->line);
    free(c->command);
    free(c);
}

r1_status r1_custom_new(r1_custom **out, const char *command, const r1_custom_options *o, r1_error *err)
{
    static const r1_custom_options usual = { 0 };
    *out = NULL;
    if (!o) o = &usual;
    if (!*command) return r1_fail(err, R1_EINVAL, "the command is empty");
    if (!(o->time_s >= 0 && o->time_s <= LONGEST_TIME_S)) return r1_fail(err, R1_EINVAL, "the time limit is %g s, expected 0 to %g", o->time_s, LONGEST_TIME_S);
    r1_custom *c = calloc(1, sizeof *c);
    if (c) *c = (r1_custom){ .o = *o, .command = strdup(command), .in = -1, .out = -1, .err = -1, .done = -1 };
    if (!c || !c->command) {
        free(c);
        return r1_fail(err, R1_ENOMEM, "no memory for a command");
    }
    r1_buf_init(&c->line, OUTPUT_MOST);
    if (c->o.time_s == 0) c->o.time_s = USUAL_TIME_S;
    *out = c;
    return R1_OK;
}

/* ---- starting ---- */

static int spawn(r1_custom *c, int child[3])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char *argv[] = { "sh", "-c", c->command, NULL };
    if (posix_spawn_file_actions_init(&files)) return ENOMEM;
    if (posix_spawnattr_init(&attr)) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    sigemptyset(&none);
    sigfillset(&all);
    int e = 0;
    for (int fd = 0; fd < 3 && !e; fd++) e = posix_spawn_file_actions_adddup2(&files, child[fd], fd);
    if (!e) e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!e) e = posix_spawnattr_setpgroup(&attr, 0);
    if (!e) e = posix_spawnattr_setsigmask(&attr, &none);
    if (!e) e = posix_spawnattr_setsigdefault(&attr, &all);
    if (!e) e = posix_spawn(&c->pid, "/bin/sh", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (e) c->pid = 0;
    return e;
}

/* A pipe whose ends are none of the standard files, which a caller may have closed. Returns an errno. */
static int make_pipe(int ends[2])
{
    int raw[2], e = 0;
    ends[0] = ends[1] = -1;
    if (pipe2(raw, O_CLOEXEC)) return errno;
    for (int i = 0; i < 2; i++) {
        if (raw[i] > 2) {
            ends[i] = raw[i];
            continue;
        }
        ends[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
        if (ends[i] < 0) e = errno;
        close(raw[i]);
    }
    return e;
}

static r1_status start(r1_custom *c, r1_error *err)
{
    int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, e = 0;
    for (int i = 0; i < 3 && !e; i++) e = make_pipe(pipes[i]);
    int child[3] = { pipes[0][0], pipes[1][1], pipes[2][1] }, ours[3] = { pipes[0][1], pipes[1][0], pipes[2][0] };
    if (!e) e = spawn(c, child);
    for (int i = 0; i < 3; i++) {
        close_fd(&child[i]);
        if (!e && fcntl(ours[i], F_SETFL, O_NONBLOCK)) e = errno;
    }
    c->in = ours[0];
    c->out = ours[1];
    c->err = ours[2];
    if (!e) {
        c->done = (int)syscall(SYS_pidfd_open, c->pid, 0);
        if (c->done < 0) e = errno;
    }
    r1_buf_clear(&c->line);
    c->n_tail = 0;
    if (!e) return R1_OK;
    end_child(c, NULL);
    return r1_fail(err, R1_EIO, "the command cannot be started: %s", strerror(e));
}

/* ---- talking ---- */

typedef struct talk {
    r1_custom *c;
    const char *text;   /* what is not yet written */
    size_t n;
    double deadline;
    bool ended;         /* the child is gone */
} talk;

static void keep_tail(r1_custom *c, const char *p, size_t n)
{
    if (n >= TAIL) {
        memcpy(c->tail, p + n - TAIL, TAIL);
        c->n_tail = TAIL;
        return;
    }
    size_t keep = r1_min(c->n_tail, TAIL - n);
    memmove(c->tail, c->tail + c->n_tail - keep, keep);
    memcpy(c->tail + keep, p, n);
    c->n_tail = keep + n;
}

/* Read what is there; closes the end that has ended. */
static r1_status drain(r1_custom *c, bool standard_error, r1_error *err)
{
    int *fd = standard_error ? &c->err : &c->out;
    char part[8192];
    for (int turns = 0; turns < 64 && *fd >= 0; turns++) {
        ssize_t k = read(*fd, part, sizeof part);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) return R1_OK;
        if (k <= 0) {
            close_fd(fd);
            return R1_OK;
        }
        if (standard_error) keep_tail(c, part, (size_t)k);
        else if (c->line.len + (size_t)k > OUTPUT_MOST) return r1_fail(err, R1_ELIMIT, "the command wrote over %d bytes for one item", OUTPUT_MOST);
        else {
            r1_status s = r1_buf_add(&c->line, part, (size_t)k, err);
            if (s) return s;
        }
    }
    return R1_OK;
}

static void feed(talk *t)
{
    r1_custom *c = t->c;
    while (t->n && c->in >= 0) {
        ssize_t k = write(c->in, t->text, t->n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) return;
        if (k < 0) close_fd(&c->in); /* it does not want the rest, which is its right */
        else {
            t->text += k;
            t->n -= (size_t)k;
        }
    }
    if (!t->n && !c->o.persistent) close_fd(&c->in);
}

/* The child has gone, or has closed its output, and there is no score of it. */
static r1_status no_score(const talk *t, r1_error *err)
{
    r1_custom *c = t->c;
    int how;
    char last[TAIL + 1], what[64] = "closed its output";
    memcpy(last, c->tail, c->n_tail);
    last[c->n_tail] = 0;
    for (char *p = last; *p; p++)
        if (*p == '\n') *p = p[1] ? ';' : 0;
    struct pollfd done = { c->done, POLLIN, 0 };
    bool gone = t->ended || poll(&done, 1, 200) > 0; /* one that only closed its output for now is about to end */
    end_child(c, &how);
    if (gone && WIFSIGNALED(how)) snprintf(what, sizeof what, "was ended by signal %d", WTERMSIG(how));
    else if (gone) snprintf(what, sizeof what, "ended with %d", WEXITSTATUS(how));
    return r1_fail(err, R1_EFORMAT, "the command %s without a score%s%s", what, *last ? "; it said: " : "", last);
}

static r1_status once(talk *t, r1_error *err)
{
    r1_custom *c = t->c;
    struct pollfd fds[4] = { { c->in, POLLOUT, 0 }, { c->out, POLLIN, 0 }, { c->err, POLLIN, 0 }, { c->done, POLLIN, 0 } };
    if (!t->n) fds[0].fd = -1;
    if (c->o.go_on && !c->o.go_on(c->o.ctx)) return r1_fail(err, R1_ECANCELLED, "stopped");
    double left = t->deadline - r1_now();
    if (left <= 0) return r1_fail(err, R1_ELIMIT, "the command took over %g s for one item", c->o.time_s);
    if (poll(fds, 4, (int)r1_min(TICK_MS, (size_t)(1e3 * left) + 1)) < 0 && errno != EINTR)
        return r1_fail(err, R1_EIO, "waiting for the command: %s", strerror(errno));
    t->ended = fds[3].revents != 0; /* before reading: what it wrote is then all there */
    if (fds[0].revents) feed(t);
    r1_status s = drain(c, false, err);
    if (s == R1_OK) s = drain(c, true, err);
    return s;
}

/* Write the item, read until its answer is whole. */
static r1_status converse(r1_custom *c, const char *text, size_t n, r1_error *err)
{
    talk t = { c, text, n, r1_now() + c->o.time_s, false };
    r1_status s = R1_OK;
    for (;;) {
        s = once(&t, err);
        if (s) break;
        bool line = c->line.len && memchr(c->line.data, '\n', c->line.len);
        if (c->o.persistent ? line || t.ended || c->out < 0 : t.ended) break;
    }
    if (s) {
        end_child(c, NULL);
        return s;
    }
    if (c->o.persistent) {
        const char *eol = c->line.len ? memchr(c->line.data, '\n', c->line.len) : NULL;
        if (!eol) return no_score(&t, err);
        if (eol + 1 == c->line.data + c->line.len) return R1_OK;
        end_child(c, NULL);
        return r1_fail(err, R1_EFORMAT, "the command wrote more than one line for one item");
    }
    siginfo_t info = { 0 };
    bool well = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_code == CLD_EXITED && info.si_status == 0;
    if (!well || !c->line.len) return no_score(&t, err);
    end_child(c, NULL);
    return R1_OK;
}

/* ---- the answer ---- */

static r1_status read_score(const r1_custom *c, r1_verdict *v, r1_error *err)
{
    json_t *answer;
    const char *reason = NULL, *extracted = NULL;
    double score = NAN;
    r1_status s = r1_context(err, r1_json_parse(&answer, c->line.data, c->line.len, err), "what the command wrote");
    if (s) return s;
    if (json_is_object(answer)) {
        const char *key;
        json_t *value;
        json_object_foreach (answer, key, value)
            if (strcmp(key, "score") && strcmp(key, "reason") && strcmp(key, "extracted") && s == R1_OK)
                s = r1_fail(err, R1_EFORMAT, "the command wrote '%.64s', expected score, reason, extracted", key);
        if (s == R1_OK) s = r1_json_real(answer, "score", true, 0, &score, err);
        if (s == R1_OK) s = r1_json_str(answer, "reason", false, NULL, &reason, err);
        if (s == R1_OK) s = r1_json_str(answer, "extracted", false, NULL, &extracted, err);
        s = r1_context(err, s, "what the command wrote");
    } else if (json_is_number(answer)) {
        score = json_number_value(answer);
    } else {
        s = r1_fail(err, R1_EFORMAT, "the command wrote %s, expected a number or an object with 'score'", r1_json_kind(answer));
    }
    if (s == R1_OK && !isfinite(score)) s = r1_fail(err, R1_EFORMAT, "the command's score is not finite");
    if (s == R1_OK) s = r1_verdict_set(v, score >= 1, reason ? reason : "custom", r1_span_of(extracted), err);
    if (s == R1_OK) v->score = score;
    json_decref(answer);
    return s;
}

static r1_status check(r1_custom *c, const char *text, size_t n, r1_verdict *v, r1_error *err)
{
    if (c->pid && c->line.len) r1_buf_clear(&c->line);
    if (c->pid && (drain(c, false, NULL) || c->line.len || c->out < 0)) end_child(c, NULL); /* it spoke unasked, or has ended */
    r1_status s = c->pid ? R1_OK : start(c, err);
    if (s == R1_OK) s = converse(c, text, n, err);
    if (s == R1_OK) {
        s = read_score(c, v, err);
        if (s) end_child(c, NULL);
    }
    return s;
}

r1_status r1_custom_check(r1_custom *c, const json_t *item, r1_verdict *v, r1_error *err)
{
    *v = (r1_verdict){ 0 };
    char *text = json_dumps(item, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    if (!text) return r1_fail(err, R1_ENOMEM, "no memory for an item");
    text[n] = '\n'; /* instead of its NUL */
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    r1_status s = check(c, text, n + 1, v, err);
    if (!was_pending)
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(text);
    return s;
}
