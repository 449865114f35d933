/* convert_int: what the files of this folder share. */
#ifndef R1_CONVERT_CONVERT_INT_H
#define R1_CONVERT_CONVERT_INT_H

#include "convert/convert.h"

/* The keys of a GGUF file for a folder's configuration and tokenizer. */
r1_status r1_gguf_put_config(r1_gguf_out *w, const r1_plan *p, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_put_vocab(r1_gguf_out *w, const r1_ckpt *c, size_t n_vocab, r1_error *err) R1_MUST_CHECK;

/* The JSON files of a folder, malloc'ed objects; *generation is NULL when nothing is known. */
r1_status r1_hf_config(json_t **config, json_t **generation, const r1_plan *p, r1_error *err) R1_MUST_CHECK;
/* The name transformers has for the type of most matrices. */
const char *r1_hf_torch_type(const r1_plan *p);
/* "quantization_config" of a folder with F8_E4M3 weights; NULL where there are none. */
json_t *r1_hf_quantization(const r1_plan *p);
r1_status r1_hf_tokenizer(json_t **tokenizer, json_t **tokenizer_config, const r1_ckpt *c, int n_ctx, r1_error *err) R1_MUST_CHECK;

/* All of r1_export_check but the texts. */
r1_status r1_check_source(const r1_plan *p, const r1_imatrix *m, r1_error *err) R1_MUST_CHECK;

#endif
