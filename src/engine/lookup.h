/* lookup: where the last tokens of a text stood before, to guess what comes next by copying what came then.
 *
 * An index of the places of every run of 2, 3 and 4 tokens. The longest match of the text's end is looked for among the newest
 * places of each; what followed it there is the draft. A match that has proved right is followed as long as it stays right,
 * however many newer places look alike: a table is copied from where it stands and not from the row before.
 *
 * Ids are kept here, so an owner that cuts its text back and goes on another way has only to r1_lookup_sync: places behind the
 * cut are taken out in reverse order, and the index is then what it would be had they never been there.
 */
#ifndef R1_ENGINE_LOOKUP_H
#define R1_ENGINE_LOOKUP_H

#include "base/base.h"

#define R1_LOOKUP_LONGEST 32               /* tokens of a match that are counted */
#define R1_LOOKUP_IDS_MAX ((size_t)1 << 20)/* ids after these are not indexed, and nothing is found any more */

typedef struct r1_lookup r1_lookup;

typedef struct r1_match {
    size_t at;       /* the place of the id that followed */
    size_t length;   /* how many ids before it equal the last ones, at most R1_LOOKUP_LONGEST; 0: nothing was found, else >= 2 */
} r1_match;

/* For texts of at most n_max ids. Errors: R1_ENOMEM. Memory: address space for n_max at once (at most 40 bytes an id), touched as
 * it fills; nothing is allocated later.   Threads: one at a time. */
r1_status r1_lookup_new(r1_lookup **out, size_t n_max, r1_error *err) R1_MUST_CHECK;
void r1_lookup_free(r1_lookup *l);

/* Hold exactly ids[0..n). Time: O(n) to compare, and an update for each id that differs. */
void r1_lookup_sync(r1_lookup *l, const int32_t *ids, size_t n);
/* One more id. Time: O(1). */
void r1_lookup_add(r1_lookup *l, int32_t id);
size_t r1_lookup_length(const r1_lookup *l);

/* The longest match of the end, the newest of equal ones; first of all the one found last, when the ids added since were those
 * that followed it. Time: O(1). */
r1_match r1_lookup_find(r1_lookup *l);
/* What followed the match: n ids to out[]; where the text ends before that, as if it went on as the draft does. */
void r1_lookup_copy(const r1_lookup *l, r1_match m, int32_t *out, size_t n);

#endif
