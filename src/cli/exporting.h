/* exporting: what `r1 convert` and `r1 quantize` share: writing a plan with a bar, and telling what became of it. */
#ifndef R1_CLI_EXPORTING_H
#define R1_CLI_EXPORTING_H

#include "cli/cli.h"
#include "convert/convert.h"

/* Write p to `path` (or, with --dry-run, only tell), then print the summary: sizes, bits per weight, and for each kind of
 * tensor its types and the error against the source. `target` and `imatrix` as in r1_export_options; NULL for convert. */
r1_status r1_export_and_tell(r1_cli *c, const r1_plan *p, const char *path, const char *target, const r1_imatrix *imatrix, r1_error *err) R1_MUST_CHECK;

/* Refuse a name that is nothing but ".gguf": R1_EINVAL. */
r1_status r1_check_ending(const char *path, r1_error *err) R1_MUST_CHECK;

#endif
