/* checkpoint: a model on disk, whatever its form: a GGUF file (or the first of a split one) or a Hugging Face directory
 * (config.json, model.safetensors or an index with shards, tokenizer.json, tokenizer_config.json, generation_config.json).
 */
#ifndef R1_FORMAT_CHECKPOINT_H
#define R1_FORMAT_CHECKPOINT_H

#include "base/base.h"
#include "base/json.h"
#include "base/map.h"
#include "format/gguf.h"
#include "quant/quant.h"

typedef struct r1_ckpt r1_ckpt;

/* A tensor of either form, dimensions as in GGUF: ne[0] is the fastest (input features). */
typedef struct r1_ckpt_tensor {
    const char *name;         /* the file's own name, NUL-terminated */
    r1_type type;
    bool packed;              /* panels of 16 rows (gguf.h) */
    int n_dims;               /* 1..4 (a safetensors scalar counts as 1) */
    uint64_t ne[4];
    const uint8_t *data;      /* unaligned */
    uint64_t bytes;
    const uint8_t *scale;     /* F8_E4M3: f32 [ceil(ne[1]/128), ceil(ne[0]/128)] of weight_scale_inv, unaligned; else NULL */
    const r1_map *map;        /* for r1_map_forget; may be NULL */
} r1_ckpt_tensor;

/* `path`: a .gguf file, or a directory with config.json, or a directory holding exactly one .gguf (or one split set).
 * vocabulary_only: a directory need not have weights, and weight files are not opened (a GGUF file is always parsed whole);
 * `path` may then also be a tokenizer.json, or a folder that holds only one.
 * FP8: a *.weight of dtype F8_E4M3 needs its *.weight_scale_inv of the right shape; the scale itself is not listed.
 * config.json's quantization_config is checked: anything but fp8 e4m3 with 128x128 blocks is R1_EUNSUPPORTED. */
r1_status r1_ckpt_open(r1_ckpt **out, const char *path, bool vocabulary_only, r1_error *err) R1_MUST_CHECK;
void r1_ckpt_close(r1_ckpt *c);

/* Refuse a destination that is what is read, with `force` too: a name or link of one of its files, its folder, or a folder whose
 * weights are these. Errors: R1_EINVAL. */
r1_status r1_ckpt_check_target(const r1_ckpt *c, const char *path, r1_error *err) R1_MUST_CHECK;

const char *r1_ckpt_path(const r1_ckpt *c);
const r1_gguf *r1_ckpt_gguf(const r1_ckpt *c);          /* NULL for a directory */
const json_t *r1_ckpt_config(const r1_ckpt *c);         /* config.json; NULL for GGUF or when absent */
const json_t *r1_ckpt_generation(const r1_ckpt *c);     /* generation_config.json; may be NULL */
const json_t *r1_ckpt_tokenizer_config(const r1_ckpt *c);
size_t r1_ckpt_n_tensors(const r1_ckpt *c);
const r1_ckpt_tensor *r1_ckpt_at(const r1_ckpt *c, size_t i);
const r1_ckpt_tensor *r1_ckpt_find(const r1_ckpt *c, const char *name);
uint64_t r1_ckpt_file_bytes(const r1_ckpt *c);
bool r1_ckpt_packed(const r1_ckpt *c);                  /* a packed file: has packed tensors */
bool r1_ckpt_head_is_copy(const r1_ckpt *c);            /* a packed file whose output.weight is its token_embd.weight once more */

/* The tokenizer of the checkpoint (GGUF metadata or tokenizer.json), end-of-generation ids included. R1_EUNSUPPORTED / R1_EFORMAT
 * as text/tokenizer.h; R1_EFORMAT when there is none. */
r1_status r1_ckpt_tokenizer(const r1_ckpt *c, r1_tokenizer **out, r1_error *err) R1_MUST_CHECK;

/* The text of tokenizer.json of a folder, or {NULL, 0}. */
r1_slice r1_ckpt_tokenizer_json(const r1_ckpt *c);
/* The Jinja text of the chat template, or {NULL, 0}. */
r1_slice r1_ckpt_chat_template(const r1_ckpt *c);
/* "llama", "qwen2", "deepseek2", "deepseek_v3": general.architecture or model_type as written; "" when absent. */
const char *r1_ckpt_architecture(const r1_ckpt *c);

#endif
