/* batch: what `r1 batch` keeps in mind: which ids are there, and what a line of the output says.
 *
 * A request is known by its key: its id as JSON, or "#N" for line N of the input when it has no id that could be used. */
#ifndef R1_CLI_BATCH_H
#define R1_CLI_BATCH_H

#include "cli/cli.h"

/* Keys of the output that is there, and of the input so far. */
typedef struct r1_batch_keys {
    void *root;           /* tsearch */
    uint64_t n_done;
} r1_batch_keys;

typedef struct r1_batch_key {
    uint64_t line;        /* of the input, 0: not met yet */
    uint64_t out_line;    /* of the output that was there before, 0: not in it */
    char key[];
} r1_batch_key;

/* The key, made when it is new; NULL without memory. It lives as long as k. */
r1_batch_key *r1_batch_key_of(r1_batch_keys *k, const char *key);
void r1_batch_keys_deinit(r1_batch_keys *k);

/* Take the keys of an output file's whole lines. Errors: R1_EFORMAT names the line: no JSON, no key, or a key for the second time. */
r1_status r1_batch_keys_read(r1_batch_keys *k, const char *path, r1_error *err) R1_MUST_CHECK;

/* Lines of the output; id: as JSON, NULL with `line` for those without. malloc'ed; NULL: no memory. */
char *r1_batch_answer_text(const char *id, uint64_t seed, const r1_generation *g);
char *r1_batch_error_text(const char *id, uint64_t line, r1_status status, const char *message);

#endif
