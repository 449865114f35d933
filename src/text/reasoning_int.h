/* reasoning_int: the parts of the reasoning machine that know nothing of each other. Private to src/text.
 *
 *   reasoning.c  the machine      reasoning_match.c  stop strings, tags in text      reasoning_loop.c  repetition
 */
#ifndef R1_TEXT_REASONING_INT_H
#define R1_TEXT_REASONING_INT_H

#include "text/reasoning.h"

/* ---- stop strings ---------------------------------------------------------------------------------------------- */

typedef struct r1_stop {
    char text[R1_STOP_BYTES_MAX];
    uint16_t next[R1_STOP_BYTES_MAX]; /* Knuth, Morris, Pratt: length of the longest proper prefix that ends text[0..i] */
    size_t n;
    size_t k;                         /* bytes matched so far; less than n */
} r1_stop;

typedef struct r1_stops { r1_stop *v; size_t n; } r1_stops;

/* R1_EINVAL names the string. s is empty after a failure. */
r1_status r1_stops_init(r1_stops *s, const char *const *stop, size_t n, r1_error *err) R1_MUST_CHECK;
void r1_stops_deinit(r1_stops *s);
/* Give text to the matcher: appends to out what can no longer be part of a match. After *hit nothing more may be given. */
r1_status r1_stops_feed(r1_stops *s, const char *p, size_t n, r1_buf *out, bool *hit, r1_error *err) R1_MUST_CHECK;
/* What is held back: the beginning of some stop string. */
r1_slice r1_stops_held(const r1_stops *s);

/* ---- tags in text ---------------------------------------------------------------------------------------------- */

typedef enum r1_tag { R1_TAG_NONE, R1_TAG_OPEN, R1_TAG_CLOSE } r1_tag;

/* `n` bytes of a tag are matched, of which the first `out` have been given out. */
typedef struct r1_tag_state { r1_tag tag; uint8_t n, out; } r1_tag_state;
typedef struct r1_tags {
    r1_tag_state at;
    r1_tag_state under; /* what `at` was before its first byte came */
} r1_tags;

/* Take bytes from *p (moved on) until a tag is complete or they end: appends to out what is no tag, returns the tag. */
r1_status r1_tags_feed(r1_tags *t, const char **p, const char *end, r1_buf *out, r1_tag *found, r1_error *err) R1_MUST_CHECK;
r1_slice r1_tags_held(const r1_tags *t);

/* ---- repetition ------------------------------------------------------------------------------------------------ */

#define R1_LOOP_PERIOD_MAX 256

typedef struct r1_loop {
    int32_t ids[2 * R1_LOOP_PERIOD_MAX];    /* the last ones, at least PERIOD_MAX when there were so many */
    size_t n;
    uint32_t run[R1_LOOP_PERIOD_MAX + 1];   /* [p]: for how many tokens each has been the one p before it */
} r1_loop;

/* Begins as zeros. Add a token of `part`; true when it completes a loop. A loop may go through both parts. */
bool r1_loop_add(r1_loop *l, int32_t id, r1_part part);

#endif
