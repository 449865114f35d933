/* safetensors_write: a safetensors file, written in one pass: declare all tensors, begin, stream their bytes, finish.
 *
 * Memory: the header only. Threads: one at a time. Tests: safetensors_write_test.c */
#ifndef R1_FORMAT_SAFETENSORS_WRITE_H
#define R1_FORMAT_SAFETENSORS_WRITE_H

#include "format/gguf_write.h" /* r1_written */

typedef struct r1_st_out r1_st_out;

r1_status r1_st_out_new(r1_st_out **out, r1_error *err) R1_MUST_CHECK;
/* Accepts NULL. A file that is begun and not finished is removed. */
void r1_st_out_free(r1_st_out *w);
/* F32, F16, BF16 or F8_E4M3; n_dims 0..4, shape fastest first as everywhere else in r1 (the file has it slowest first).
 * Errors: R1_EINVAL names the tensor (name, type, shape, after _begin), R1_ENOMEM. */
r1_status r1_st_out_tensor(r1_st_out *w, const char *name, r1_type type, int n_dims, const uint64_t *ne, r1_error *err) R1_MUST_CHECK;
/* Bytes of the whole file as declared so far, at most a few too many. */
uint64_t r1_st_out_bytes(const r1_st_out *w);
/* As r1_gguf_out_watch. */
void r1_st_out_watch(r1_st_out *w, r1_written fn, void *ctx);
/* Errors: a name that occurs twice is R1_EINVAL; else as r1_writer_open. */
r1_status r1_st_out_begin(r1_st_out *w, const char *path, bool force, r1_error *err) R1_MUST_CHECK;
/* The tensors' bytes, one after the other in the order of declaration, in any pieces. Errors: as r1_gguf_out_data. */
r1_status r1_st_out_data(r1_st_out *w, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_st_out_finish(r1_st_out *w, r1_error *err) R1_MUST_CHECK;

#endif
