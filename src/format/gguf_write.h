/* gguf_write: a GGUF file (version 3), written in one pass.
 *
 *   r1_gguf_out_new                 an empty file in memory
 *   r1_gguf_out_copy_keys, _u32 ... metadata: a later value of a key takes the place of the earlier one, in its position
 *   r1_gguf_out_tensor              declare every tensor, in the order of their data
 *   r1_gguf_out_begin               check the disk, create the file, write the header
 *   r1_gguf_out_data                the bytes, in any pieces, one tensor after the other; padding is added
 *   r1_gguf_out_finish              complete: fsync, name. Or r1_gguf_out_free at any time: nothing is left
 *
 * Memory: the header only; data go through. Threads: one at a time.
 */
#ifndef R1_FORMAT_GGUF_WRITE_H
#define R1_FORMAT_GGUF_WRITE_H

#include "base/temporary.h"
#include "format/gguf.h"

typedef struct r1_gguf_out r1_gguf_out;

r1_status r1_gguf_out_new(r1_gguf_out **out, r1_error *err) R1_MUST_CHECK;
/* Accepts NULL. A file that is begun and not finished is removed. */
void r1_gguf_out_free(r1_gguf_out *w);

/* ---- metadata: before _begin. Errors of all: R1_EINVAL (a key that is empty, too long, no UTF-8), R1_ENOMEM. ---- */

/* Every key of g, its value bit for bit, but "split.*" (the parts are joined) and "general.alignment" (see _align). */
r1_status r1_gguf_out_copy_keys(r1_gguf_out *w, const r1_gguf *g, r1_error *err) R1_MUST_CHECK;
/* One key with its value bit for bit. */
r1_status r1_gguf_out_copy(r1_gguf_out *w, const r1_gguf_kv *kv, r1_error *err) R1_MUST_CHECK;
/* Take a key out again; no error when it is not there. */
void r1_gguf_out_remove(r1_gguf_out *w, const char *key);
bool r1_gguf_out_has(const r1_gguf_out *w, const char *key);
/* A number or bool of any type; reals are rounded to f32 for R1_GGUF_F32. R1_EINVAL when the value is not one of the type. */
r1_status r1_gguf_out_int(r1_gguf_out *w, const char *key, r1_gguf_type type, int64_t v, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_out_u32(r1_gguf_out *w, const char *key, uint32_t v, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_out_real(r1_gguf_out *w, const char *key, r1_gguf_type type, double v, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_out_bool(r1_gguf_out *w, const char *key, bool v, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_out_str(r1_gguf_out *w, const char *key, const char *text, size_t n, r1_error *err) R1_MUST_CHECK;
/* n values of a type of fixed size, little-endian in memory. */
r1_status r1_gguf_out_array(r1_gguf_out *w, const char *key, r1_gguf_type item, const void *values, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_out_strings(r1_gguf_out *w, const char *key, const r1_slice *texts, size_t n, r1_error *err) R1_MUST_CHECK;
/* Where tensors start: a power of two from 8 to 1 MiB; 32 unless said. Other values than 32 are recorded in "general.alignment". */
r1_status r1_gguf_out_align(r1_gguf_out *w, size_t alignment, r1_error *err) R1_MUST_CHECK;

/* ---- tensors ---- */

typedef struct r1_gguf_info {
    const char *name;         /* copied */
    unsigned type;            /* an r1_type, or any id with `bytes` given */
    int n_dims;               /* 1..4 */
    uint64_t ne[4];           /* fastest first; only n_dims are read */
    uint64_t bytes;           /* of the data; 0: what type and shape say */
} r1_gguf_info;

/* Errors: R1_EINVAL names the tensor: name (empty, over 127 bytes, twice), shape, type without size; R1_ENOMEM. */
r1_status r1_gguf_out_tensor(r1_gguf_out *w, const r1_gguf_info *t, r1_error *err) R1_MUST_CHECK;
/* Bytes of the whole file as declared so far. */
uint64_t r1_gguf_out_bytes(const r1_gguf_out *w);

/* ---- writing ---- */

/* Called while data are written with the bytes of the file so far and in all. false cancels: R1_ECANCELLED from _data. */
typedef bool (*r1_written)(void *ctx, uint64_t done, uint64_t total);
void r1_gguf_out_watch(r1_gguf_out *w, r1_written fn, void *ctx);

/* Told of the temporary name where there is one (base/temporary.h). Before _begin. */
void r1_gguf_out_tell(r1_gguf_out *w, r1_temporary fn, void *ctx);
/* Errors: as r1_writer_open: R1_EINVAL (exists and no force), R1_ENOMEM (disk: needed, available), R1_EIO. */
r1_status r1_gguf_out_begin(r1_gguf_out *w, const char *path, bool force, r1_error *err) R1_MUST_CHECK;
/* Errors: R1_EINVAL (more bytes than declared), R1_ENOMEM (disk full), R1_EIO, R1_ECANCELLED. */
r1_status r1_gguf_out_data(r1_gguf_out *w, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
/* Errors: R1_EINVAL names the tensor whose data are missing; as _data. */
r1_status r1_gguf_out_finish(r1_gguf_out *w, r1_error *err) R1_MUST_CHECK;

#endif
