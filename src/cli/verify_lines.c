/* Lines judged in parallel. The main thread reads lines into a ring and writes results from its front; workers take the first line that
 * nobody has. The ring bounds how far anybody runs ahead, so that a slow line holds up little memory.
 *
 * One lock guards the ring; a slot belongs to its worker between TAKEN and DONE. */
#define _GNU_SOURCE
#include "cli/verify.h"
#include "base/thread.h"

#include <errno.h>
#include <mpfr.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { THREADS_MOST = 1024, AHEAD = 16, WAIT_MS = 50 };
static const size_t HELD_MOST = (size_t)256 << 20;

typedef enum slot_state { FREE, READY, TAKEN, DONE } slot_state;

typedef struct slot {
    slot_state state;
    r1_line line;     /* its text is ours */
    r1_judged result;
} slot;

typedef struct crew {
    const r1_judges *j;
    slot *ring;
    size_t cap, first, n, next; /* next: slots from the front that were taken */
    size_t held;                /* bytes of lines in the ring */
    bool stop;                  /* no more work is handed out */
    r1_status status;           /* the first error of a worker */
    r1_error err;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
} crew;

typedef struct worker { crew *crew; pthread_t thread; int index; } worker;

bool r1_judge_go_on(void *unused)
{
    (void)unused;
    return !r1_interrupted();
}

int r1_verify_threads(const r1_cli *c) { return c->o.threads ? (int)c->o.threads : r1_physical_cores(); }

static slot *slot_at(crew *w, size_t i) { return &w->ring[(w->first + i) % w->cap]; }

static void *work(void *arg)
{
    worker *me = arg;
    crew *w = me->crew;
    r1_error err = { 0 };
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->stop && w->next >= w->n) pthread_cond_wait(&w->work, &w->lock);
        if (w->stop) break;
        slot *s = slot_at(w, w->next++);
        s->state = TAKEN;
        pthread_mutex_unlock(&w->lock);
        r1_status st = w->j->judge(w->j->ctx, me->index, &s->line, &s->result, &err);
        pthread_mutex_lock(&w->lock);
        s->state = DONE;
        if (st && !w->status) {
            w->status = st;
            w->err = err;
        }
        if (st) w->stop = true;
        pthread_cond_broadcast(&w->done);
        if (st) pthread_cond_broadcast(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    mpfr_free_cache(); /* constants of this thread */
    return NULL;
}

/* ---- the main thread ---- */

typedef struct run {
    r1_cli *c;
    crew w;
    worker *workers;
    int n_workers;
    uint64_t n_written, n_bad, first_bad;
    char why[R1_ERROR_MAX];
    r1_progress bar;
} run;

static void wait_done(crew *w)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += WAIT_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&w->done, &w->lock, &t);
}

static void free_slot(crew *w, slot *s)
{
    w->held -= s->line.n;
    free((char *)(uintptr_t)s->line.text);
    free(s->result.text);
    *s = (slot){ .state = FREE };
}

/* Write what is finished at the front. The lock is held, and let go while writing. */
static r1_status write_front(run *r, r1_error *err)
{
    crew *w = &r->w;
    r1_status st = R1_OK;
    while (st == R1_OK && w->n && slot_at(w, 0)->state == DONE && slot_at(w, 0)->result.text) {
        slot *s = slot_at(w, 0);
        pthread_mutex_unlock(&w->lock);
        if (r->c->out.tty) r1_progress_hide(&r->bar);
        st = r1_print_line(s->result.text, err);
        if (w->j->written) w->j->written(w->j->ctx, &s->result);
        r->n_written++;
        if (s->result.bad && !r->n_bad++) {
            r->first_bad = s->line.number;
            memcpy(r->why, s->result.why, sizeof r->why);
        }
        pthread_mutex_lock(&w->lock);
        free_slot(w, s);
        w->first = (w->first + 1) % w->cap;
        w->n--;
        w->next--;
    }
    return st;
}

static r1_status push(crew *w, const r1_line *line, r1_error *err)
{
    char *copy = malloc(line->n + 1);
    if (!copy) return r1_fail(err, R1_ENOMEM, "no memory for line %llu of %zu bytes", (unsigned long long)line->number, line->n);
    if (line->n) memcpy(copy, line->text, line->n);
    copy[line->n] = 0;
    slot *s = slot_at(w, w->n++);
    *s = (slot){ .state = READY, .line = *line };
    s->line.text = copy;
    w->held += line->n;
    pthread_cond_signal(&w->work);
    return R1_OK;
}

static bool is_blank(const r1_line *line)
{
    for (size_t i = 0; i < line->n; i++)
        if (line->text[i] != ' ' && line->text[i] != '\t' && line->text[i] != '\r') return false;
    return true;
}

/* Read lines, write results, until all is done or something ends it. The lock is held. */
static r1_status drive(run *r, r1_reader *in, r1_error *err)
{
    crew *w = &r->w;
    bool at_end = false;
    r1_status st = R1_OK;
    while (st == R1_OK && !w->status && !r1_interrupted()) {
        st = write_front(r, err);
        if (st || (at_end && !w->n)) break;
        r1_progress_step(&r->bar, (double)r->n_written, r->w.j->total == UINT64_MAX ? -1 : (double)r->w.j->total);
        bool room = !at_end && w->n < w->cap && w->held < HELD_MOST, busy = w->n > 0;
        r1_line line = { .kind = R1_LINE_NONE };
        if (room) {
            pthread_mutex_unlock(&w->lock);
            st = r1_reader_next(in, !busy, &line, err);
            pthread_mutex_lock(&w->lock);
        }
        if (st) break;
        if (line.kind == R1_LINE_END) at_end = true;
        else if (line.kind == R1_LINE_TEXT && (!line.n || (w->j->skip_blank && is_blank(&line)))) continue;
        else if (line.kind != R1_LINE_NONE) st = push(w, &line, err);
        else if (busy) wait_done(w);
    }
    if (st == R1_OK) st = write_front(r, err);
    return st;
}

static r1_status start(run *r, int threads, r1_error *err)
{
    crew *w = &r->w;
    sigset_t all, old;
    w->cap = (size_t)threads * AHEAD;
    w->ring = calloc(w->cap, sizeof *w->ring);
    r->workers = calloc((size_t)threads, sizeof *r->workers);
    if (!w->ring || !r->workers) return r1_fail(err, R1_ENOMEM, "no memory for %d threads", threads);
    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int why = 0;
    for (int i = 0; i < threads && !why; i++) {
        r->workers[i] = (worker){ .crew = w, .index = i };
        why = pthread_create(&r->workers[i].thread, NULL, work, &r->workers[i]);
        r->n_workers += !why;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return why ? r1_fail(err, R1_ENOMEM, "thread %d of %d cannot be started: %s", r->n_workers + 1, threads, strerror(why)) : R1_OK;
}

static void stop(run *r)
{
    crew *w = &r->w;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < r->n_workers; i++) pthread_join(r->workers[i].thread, NULL);
}

static r1_status ending(const run *r, r1_status st, r1_error *err)
{
    if (st) return st;
    if (r1_interrupted()) return r1_fail(err, R1_ECANCELLED, "interrupted; %llu results are written", (unsigned long long)r->n_written);
    if (r->w.status) {
        if (err) *err = r->w.err;
        return r->w.status;
    }
    if (!r->n_bad) return R1_OK;
    return r1_fail(err, R1_EFORMAT, "%llu of %llu lines could not be judged, the first is line %llu: %s", (unsigned long long)r->n_bad,
                   (unsigned long long)r->n_written, (unsigned long long)r->first_bad, r->why);
}

r1_status r1_judge_lines(r1_cli *c, r1_reader *in, const r1_judges *j, r1_error *err)
{
    run r = { .c = c, .w = { .j = j } };
    pthread_mutex_init(&r.w.lock, NULL);
    pthread_cond_init(&r.w.work, NULL);
    pthread_cond_init(&r.w.done, NULL);
    r1_progress_begin(&r.bar, &c->err, c->o.quiet, j->label, "lines");
    r1_interrupt_arm(true);
    r1_status st = start(&r, r1_min((size_t)r1_verify_threads(c), THREADS_MOST), err);
    if (st == R1_OK) {
        pthread_mutex_lock(&r.w.lock);
        st = drive(&r, in, err);
        pthread_mutex_unlock(&r.w.lock);
    }
    stop(&r);
    if (st == R1_OK) {
        pthread_mutex_lock(&r.w.lock);
        st = write_front(&r, err); /* what became finished meanwhile */
        pthread_mutex_unlock(&r.w.lock);
    }
    r1_progress_end(&r.bar);
    st = ending(&r, st, err);
    r1_interrupt_arm(false);
    for (size_t i = 0; i < r.w.n; i++) free_slot(&r.w, slot_at(&r.w, i));
    free(r.w.ring);
    free(r.workers);
    pthread_cond_destroy(&r.w.done);
    pthread_cond_destroy(&r.w.work);
    pthread_mutex_destroy(&r.w.lock);
    return st;
}
