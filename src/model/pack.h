/* pack: a packed file from a GGUF model: the same tensors with every quantised matrix already in panels of 16 rows, so that
 * opening it maps it and moves no byte. docs/formats.md tells what is in it.
 */
#ifndef R1_MODEL_PACK_H
#define R1_MODEL_PACK_H

#include "base/base.h"
#include "base/temporary.h"

typedef struct r1_pack_options {
    bool force;               /* replace an existing dst */
    int n_threads;            /* 0: physical cores */
    bool (*progress)(void *ctx, double fraction); /* may be NULL; return false to cancel */
    void *progress_ctx;
    r1_temporary temporary;   /* told of the temporary file, where there is one (base/temporary.h); may be NULL */
    void *temporary_ctx;
} r1_pack_options;

typedef struct r1_pack_result {
    size_t n_tensors, n_packed;      /* of the new file */
    uint64_t source_bytes, bytes;    /* of the files */
    uint64_t packed_bytes;           /* of packed tensors */
    uint64_t parameters;
} r1_pack_result;

/* Errors: those of opening src, which is checked as a whole model; R1_EUNSUPPORTED when it is a folder, packed already, or holds
 * nothing to pack; those of the writer (R1_EINVAL: dst exists, or is src); R1_ECANCELLED. Nothing is left of dst then.
 * Memory: a few MB; the source is mapped, and its pages given back as they have been read. */
r1_status r1_pack(const char *src, const char *dst, const r1_pack_options *options, r1_pack_result *out, r1_error *err) R1_MUST_CHECK;

#endif
