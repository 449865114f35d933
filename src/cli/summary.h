/* summary: what the commands that write files of tensors tell at the end (`r1 help convert`): sizes, bits per weight, and for each
 * kind of tensor its types and its error. Kinds are names without numbers: all "blk.N.attn_v.weight" are one. */
#ifndef R1_CLI_SUMMARY_H
#define R1_CLI_SUMMARY_H

#include "cli/cli.h"
#include "convert/convert.h"

typedef struct r1_summary_kind {
    char name[128], types[64];
    size_t tensors;
    uint64_t elements, bytes;
    r1_made_error e;
} r1_summary_kind;

typedef struct r1_summary {
    r1_summary_kind *kinds;
    size_t n, cap;
    uint64_t elements, bytes;        /* of all kinds */
    uint64_t source_bytes, file_bytes; /* file_bytes 0: nothing was written */
    double bits_per_weight, seconds;
    r1_made_error e;
    bool lossless;                   /* the error is known to be 0 */
    bool no_weights;                 /* kinds hold something else, which has no bits per weight */
} r1_summary;

/* Count a tensor. e may be NULL: no error was measured. Errors: R1_ENOMEM. */
r1_status r1_summary_add(r1_summary *x, const char *name, const char *type, uint64_t elements, uint64_t bytes, const r1_made_error *e) R1_MUST_CHECK;
void r1_summary_deinit(r1_summary *x);

/* One object on standard output. `more` holds fields of the command's own and is taken; NULL: none. Errors: R1_ENOMEM, those of r1_print_json. */
r1_status r1_summary_print_json(const r1_cli *c, const r1_summary *x, const char *destination, json_t *more, r1_error *err) R1_MUST_CHECK;
void r1_summary_print_table(const r1_cli *c, const r1_summary *x, const char *destination);

#endif
