/* safetensors: one file, read through a checked mapping. */
#ifndef R1_FORMAT_SAFETENSORS_H
#define R1_FORMAT_SAFETENSORS_H

#include "base/base.h"
#include "base/map.h"

typedef struct r1_st r1_st;

typedef struct r1_st_tensor {
    const char *name;
    char dtype[12];           /* "F32", "BF16", "F8_E4M3", ... as in the file */
    int n_dims;               /* 0..8 */
    uint64_t shape[8];        /* slowest first, as in the file */
    const uint8_t *data;      /* unaligned */
    uint64_t bytes;
} r1_st_tensor;

/* Open a file.
 * Errors: R1_EFORMAT names file, tensor, found and expected; R1_EUNSUPPORTED for an unknown dtype or field; R1_EIO, R1_ENOMEM.
 * Tensors tile the data: no gap, no overlap, sizes equal shape times width.   Threads: any, once open. */
r1_status r1_st_open(r1_st **out, const char *path, r1_error *err) R1_MUST_CHECK;
r1_status r1_st_parse(r1_st **out, const void *bytes, size_t n, r1_error *err) R1_MUST_CHECK; /* borrows */
void r1_st_close(r1_st *s);
size_t r1_st_n_tensors(const r1_st *s);
const r1_st_tensor *r1_st_at(const r1_st *s, size_t i);               /* in order of offset */
const r1_st_tensor *r1_st_find(const r1_st *s, const char *name);
const r1_map *r1_st_map(const r1_st *s);                               /* NULL when parsed from memory */

#endif
