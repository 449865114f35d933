/* Mapping pages ahead: madvise(MADV_POPULATE_READ), Linux 5.14, a few megabytes at a time so that it can be stopped and does not keep
 * others from changing the address space. */
#define _GNU_SOURCE
#include "base/warm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct r1_warmer {
    r1_map m;
    pthread_t thread;
    atomic_bool stop;
};

#ifdef MADV_POPULATE_READ
static void *warm(void *ctx)
{
    const size_t piece = (size_t)2 << 20; /* half a millisecond when the file is in memory */
    r1_warmer *w = ctx;
    for (size_t at = 0; at < w->m.size && !atomic_load_explicit(&w->stop, memory_order_relaxed); at += piece)
        if (madvise((void *)(w->m.data + at), r1_min(piece, w->m.size - at), MADV_POPULATE_READ) < 0) break; /* an older system, or a file cut meanwhile */
    return NULL;
}
#endif

r1_warmer *r1_warm_start(const r1_map *m)
{
#ifdef MADV_POPULATE_READ
    if (!m || !m->data || m->size > r1_memory_available()) return NULL;
    r1_warmer *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->m = *m;
    if (pthread_create(&w->thread, NULL, warm, w) == 0) return w;
    free(w);
#else
    (void)m;
#endif
    return NULL;
}

void r1_warm_stop(r1_warmer *w)
{
    if (!w) return;
    atomic_store(&w->stop, true);
    pthread_join(w->thread, NULL);
    free(w);
}
