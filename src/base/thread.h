/* thread: a pool that runs one parallel region at a time.
 *
 * A region is `n` numbered pieces of work. Each thread starts with an equal run of them and, done with that, takes over half of what another
 * has left: neighbours stay with one thread, and a thread that loses its core holds up only the piece it has. Workers spin between regions for a short while, then yield, then sleep. Which thread
 * runs a piece is not fixed; a piece must therefore write only its own results.
 */
#ifndef R1_BASE_THREAD_H
#define R1_BASE_THREAD_H

#include "base/base.h"

typedef struct r1_pool r1_pool;

/* n_threads >= 1, the caller counted. Errors: R1_EINVAL, R1_ENOMEM. */
r1_status r1_pool_new(r1_pool **out, int n_threads, r1_error *err) R1_MUST_CHECK;
void r1_pool_free(r1_pool *p);
int r1_pool_threads(const r1_pool *p);

/* Call fn(ctx, i, thread) for i in 0..n-1 and return when all are done; 0 <= thread < n_threads.
 * Allocates nothing. Threads: one region at a time; fn must not start another. A NULL pool runs in the caller. */
typedef void (*r1_work)(void *ctx, size_t i, int thread);
void r1_pool_run(r1_pool *p, size_t n, r1_work fn, void *ctx);

int r1_processors(void);     /* this process may use, hyper-threads counted each; >= 1 */
int r1_physical_cores(void); /* cores this process may use, hyper-threads counted once; >= 1 */

#endif
