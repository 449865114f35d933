/* The pool. Each thread owns a range of the region's pieces and takes them from its front; a thread whose range is empty takes the
 * rear half of another's. A range is one 64-bit word, region << 40 | first << 20 | end, so a late worker can never take a piece of a
 * region it did not see. The caller waits for finished pieces, never for a worker that was not there (a core taken by another
 * process costs that core, not the barrier).
 */
#define _GNU_SOURCE
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

enum { PIECE_BITS = 20, MOST_PIECES = (1 << PIECE_BITS) - 1, REGIONS = 1 << 24 };
enum { SPINS = 20000, YIELDS = 200 }; /* about 0.5 ms of waiting before a worker sleeps; docs/decisions/0004-threads.md */

typedef struct worker {
    struct r1_pool *pool;
    pthread_t thread;
    int index;
} worker;

typedef struct range { _Alignas(64) atomic_uint_fast64_t v; } range;

struct r1_pool {
    int n_threads;
    range *ranges;          /* [n_threads] */
    worker *workers;        /* [n_threads - 1] */
    int n_started;
    _Alignas(64) atomic_uint region; /* below REGIONS */
    _Atomic(r1_work) fn;
    _Atomic(void *) ctx;
    _Atomic(size_t) base;   /* added to the numbers of pieces */
    _Alignas(64) atomic_size_t done;
    _Alignas(64) atomic_int sleepers;
    atomic_bool stop;
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

static uint64_t make_range(unsigned region, size_t first, size_t end) { return (uint64_t)region << (2 * PIECE_BITS) | (uint64_t)first << PIECE_BITS | end; }
static size_t first_of(uint64_t v) { return v >> PIECE_BITS & MOST_PIECES; }
static size_t end_of(uint64_t v) { return v & MOST_PIECES; }

/* Run the pieces of the own range. Returns how many; false in *same if the region is over. */
static size_t run_own(r1_pool *p, unsigned region, int thread, bool *same)
{
    atomic_uint_fast64_t *mine = &p->ranges[thread].v;
    size_t finished = 0;
    for (;;) {
        uint64_t v = atomic_load_explicit(mine, memory_order_acquire);
        *same = v >> (2 * PIECE_BITS) == region;
        if (!*same || first_of(v) >= end_of(v)) return finished;
        r1_work fn = atomic_load_explicit(&p->fn, memory_order_relaxed);
        void *ctx = atomic_load_explicit(&p->ctx, memory_order_relaxed);
        const size_t base = atomic_load_explicit(&p->base, memory_order_relaxed);
        /* The region cannot end while this piece is not taken, so what was read belongs to it if the word is unchanged. */
        if (!atomic_compare_exchange_weak_explicit(mine, &v, v + (1 << PIECE_BITS), memory_order_acq_rel, memory_order_relaxed)) continue;
        fn(ctx, base + first_of(v), thread);
        finished++;
    }
}

/* Move the rear half of somebody's range (the only piece, if it is one) to the own, empty one. */
static bool steal(r1_pool *p, unsigned region, int thread)
{
    for (int i = 1; i < p->n_threads; i++) {
        atomic_uint_fast64_t *theirs = &p->ranges[(thread + i) % p->n_threads].v;
        uint64_t v = atomic_load_explicit(theirs, memory_order_acquire);
        while (v >> (2 * PIECE_BITS) == region && first_of(v) < end_of(v)) {
            const size_t middle = first_of(v) + (end_of(v) - first_of(v)) / 2;
            if (!atomic_compare_exchange_weak_explicit(theirs, &v, make_range(region, first_of(v), middle), memory_order_acq_rel, memory_order_acquire)) continue;
            /* nobody else writes an empty range, and the region goes on at least until these pieces are done */
            atomic_store_explicit(&p->ranges[thread].v, make_range(region, middle, end_of(v)), memory_order_release);
            return true;
        }
    }
    return false;
}

static void take_pieces(r1_pool *p, unsigned region, int thread)
{
    size_t finished = 0;
    bool same = true;
    do finished += run_own(p, region, thread, &same);
    while (same && steal(p, region, thread));
    if (finished) atomic_fetch_add_explicit(&p->done, finished, memory_order_acq_rel);
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    r1_pool *p = w->pool;
    unsigned seen = 0;
    int waited = 0;
    while (!atomic_load_explicit(&p->stop, memory_order_acquire)) {
        const unsigned region = atomic_load_explicit(&p->region, memory_order_acquire);
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
            while (!atomic_load(&p->stop) && atomic_load(&p->region) == seen)
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
    free(p->ranges);
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
    p->ranges = aligned_alloc(64, (size_t)n_threads * sizeof *p->ranges);
    if (p->ranges) memset(p->ranges, 0, (size_t)n_threads * sizeof *p->ranges);
    if (!p->workers || !p->ranges) {
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

static void run_region(r1_pool *p, size_t base, size_t n, r1_work fn, void *ctx)
{
    const unsigned region = (atomic_load(&p->region) + 1) % REGIONS;
    const size_t threads = (size_t)p->n_threads;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->fn, fn, memory_order_relaxed);
    atomic_store_explicit(&p->ctx, ctx, memory_order_relaxed);
    atomic_store_explicit(&p->base, base, memory_order_relaxed);
    for (size_t i = 0; i < threads; i++)
        atomic_store_explicit(&p->ranges[i].v, make_range(region, i * n / threads, (i + 1) * n / threads), memory_order_release);
    atomic_store(&p->region, region); /* opens the region */
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

void r1_pool_run(r1_pool *p, size_t n, r1_work fn, void *ctx)
{
    if (!p || p->n_threads == 1 || n <= 1) {
        for (size_t i = 0; i < n; i++) fn(ctx, i, 0);
        return;
    }
    for (size_t i = 0; i < n; i += MOST_PIECES) run_region(p, i, r1_min(n - i, MOST_PIECES), fn, ctx);
}

int r1_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
    return n > 0 ? n : 1;
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
