/* warm: bring the pages of a mapped file in, in the background, while other work goes on.
 *
 * A fault costs a thousand times a page's share of one call that maps many, and a file that is not in memory is read
 * best from its beginning. Nothing depends on it: where it cannot be done, pages come in when they are touched.
 */
#ifndef R1_BASE_WARM_H
#define R1_BASE_WARM_H

#include "base/map.h"

typedef struct r1_warmer r1_warmer;

/* Start a thread for all pages of m; NULL when there is none to be had, or m is larger than the memory that is left.
 * m must stay mapped until _stop, which ends and joins the thread and accepts NULL. */
r1_warmer *r1_warm_start(const r1_map *m);
void r1_warm_stop(r1_warmer *w);

#endif
