/* The pool. One 64-bit ticket holds region number and next piece, so a late worker can never take a piece of a region
 * it did not see: ticket = region << 32 | piece. The caller waits for finished pieces, never for a worker that was not
 * there (a core taken by another process costs that core, not the barrier).
 */
#define _GNU_SOURCE
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SPINS = 20000, YIELDS = 200 }; /* about 0.5 ms of waiting before a worker sleeps; docs/decisions/0004-threads.md */

typedef struct worker {
    struct r1_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct r1_pool {
    int n_threads;
    worker *workers;        /* [n_threads - 1] */
    int n_started;
    _Alignas(64) atomic_uint_fast64_t ticket;
    _Alignas(64) atomic_uint_fast64_t n_pieces; /* region << 32 | n of the current region */
    _Alignas(64) atomic_size_t done;
    _Alignas(64) atomic_int sleepers;
    atomic_bool stop;
    _Atomic(r1_work) fn;
    _Atomic(void *) ctx;
    pthread_mutex_t lock;   /* for sleeping only */
    pthread_cond_t wake;
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Take pieces of `region` until none is left: several at once while there are many, since the ticket's line goes from core to core. */
static void take_pieces(r1_pool *p, uint32_t region, int thread)
{
    size_t finished = 0;
    for (;;) {
        uint64_t t = atomic_load_explicit(&p->ticket, memory_order_acquire);
        uint64_t n = atomic_load_explicit(&p->n_pieces, memory_order_acquire);
        if ((uint32_t)(t >> 32) != region || (uint32_t)(n >> 32) != region || (uint32_t)t >= (uint32_t)n) break;
        r1_work fn = atomic_load_explicit(&p->fn, memory_order_acquire);
        void *ctx = atomic_load_explicit(&p->ctx, memory_order_acquire);
        const uint32_t first = (uint32_t)t, some = r1_max(1, ((uint32_t)n - first) / (8 * (uint32_t)p->n_threads));
        if (!atomic_compare_exchange_weak_explicit(&p->ticket, &t, t + some, memory_order_acq_rel, memory_order_relaxed)) continue;
        for (uint32_t i = first; i < first + some; i++) fn(ctx, i, thread);
        finished += some;
    }
    if (finished) atomic_fetch_add_explicit(&p->done, finished, memory_order_acq_rel);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    r1_pool *p = w->pool;
    uint32_t seen = 0;
    int waited = 0;
    while (!atomic_load_explicit(&p->stop, memory_order_acquire)) {
        uint32_t region = (uint32_t)(atomic_load_explicit(&p->ticket, memory_order_acquire) >> 32);
        if (region != seen) {
            seen = region;
            waited = 0;
            take_pieces(p, region, w->index);
        } else if (waited < SPINS) {
            waited++;
            cpu_relax();
        } else if (waited < SPINS + YIELDS) {
            waited++;
            sched_yield();
        } else {
            pthread_mutex_lock(&p->lock);
            atomic_fetch_add(&p->sleepers, 1);
            while (!atomic_load(&p->stop) && (uint32_t)(atomic_load(&p->ticket) >> 32) == seen)
                pthread_cond_wait(&p->wake, &p->lock);
            atomic_fetch_sub(&p->sleepers, 1);
            pthread_mutex_unlock(&p->lock);
            waited = 0;
        }
    }
    return NULL;
}

void r1_pool_free(r1_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}

/* Signals are for the caller's threads: who holds one back there must not meet it in ours. */
static int start(worker *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int why = pthread_create(&w->thread, NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return why;
}

r1_status r1_pool_new(r1_pool **out, int n_threads, r1_error *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > 1024) return r1_fail(err, R1_EINVAL, "%d threads; expected 1 to 1024", n_threads);
    r1_pool *p = aligned_alloc(64, r1_round_up(sizeof *p, 64));
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for a thread pool");
    memset(p, 0, sizeof *p);
    p->n_threads = n_threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->workers = calloc((size_t)n_threads, sizeof *p->workers);
    if (!p->workers) {
        r1_pool_free(p);
        return r1_fail(err, R1_ENOMEM, "no memory for %d threads", n_threads);
    }
    for (int i = 0; i < n_threads - 1; i++) {
        p->workers[i] = (worker){ .pool = p, .index = i + 1 };
        if (start(&p->workers[i])) {
            r1_pool_free(p);
            return r1_fail(err, R1_ENOMEM, "cannot start thread %d of %d", i + 2, n_threads);
        }
        p->n_started++;
    }
    *out = p;
    return R1_OK;
}

int r1_pool_threads(const r1_pool *p) { return p ? p->n_threads : 1; }

void r1_pool_run(r1_pool *p, size_t n, r1_work fn, void *ctx)
{
    if (!p || p->n_threads == 1 || n <= 1) {
        for (size_t i = 0; i < n; i++) fn(ctx, i, 0);
        return;
    }
    uint32_t region = (uint32_t)(atomic_load(&p->ticket) >> 32) + 1;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->fn, fn, memory_order_relaxed);
    atomic_store_explicit(&p->ctx, ctx, memory_order_relaxed);
    atomic_store_explicit(&p->n_pieces, (uint64_t)region << 32 | (uint32_t)n, memory_order_release);
    atomic_store(&p->ticket, (uint64_t)region << 32); /* opens the region */
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    take_pieces(p, region, 0);
    for (int waited = 0; atomic_load_explicit(&p->done, memory_order_acquire) < n; waited++) {
        if (waited < SPINS) cpu_relax();
        else sched_yield();
    }
}

int r1_physical_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    int n = 0;
    for (int c = 0; c < CPU_SETSIZE; c++) {
        if (!CPU_ISSET(c, &set)) continue;
        char path[96];
        int first = c; /* count a core at its first allowed sibling */
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c);
        FILE *f = fopen(path, "r");
        if (f) {
            int a = -1;
            if (fscanf(f, "%d", &a) == 1 && a >= 0 && a < CPU_SETSIZE && CPU_ISSET(a, &set)) first = a;
            fclose(f);
        }
        if (first == c) n++;
    }
    return n > 0 ? n : 1;
}
