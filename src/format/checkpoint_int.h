/* checkpoint_int: the open checkpoint, seen by checkpoint.c (what a path is, GGUF), checkpoint_hf.c (Hugging Face weights)
 * and checkpoint_text.c (tokenizer, chat template). */
#ifndef R1_FORMAT_CHECKPOINT_INT_H
#define R1_FORMAT_CHECKPOINT_INT_H

#include "format/checkpoint.h"
#include "format/format_int.h"
#include "format/safetensors.h"

enum {
    R1_MAX_CONFIG_BYTES = 16 << 20,   /* config.json, generation_config.json, tokenizer_config.json */
    R1_MAX_INDEX_BYTES = 64 << 20,    /* DeepSeek-R1: 9 MB */
    R1_MAX_TEMPLATE_BYTES = 1 << 20,  /* the longest seen has 20 kB */
    R1_MAX_TOKENIZER_BYTES = 256 << 20, /* the largest of the family: 17 MB */
    R1_MAX_SHARDS = 10000,            /* DeepSeek-R1: 163 */
};

typedef struct r1_shard {
    const char *name;                 /* borrows from the index, or a constant */
    r1_st *st;
} r1_shard;

struct r1_ckpt {
    char *path;                       /* as given, or of the file chosen in a folder */
    char *folder;                     /* of a Hugging Face checkpoint, else NULL */
    r1_gguf *gguf;
    json_t *config, *generation, *tokenizer_config, *index;
    r1_map tokenizer;                 /* tokenizer.json; empty when absent */
    char *architecture;
    char *chat_template;              /* owned text; NULL when borrowed or none */
    r1_slice template;
    r1_shard *shards;
    size_t n_shards;
    r1_ckpt_tensor *tensors;
    size_t n_tensors;
    char *tensor_names;               /* of a GGUF file: its names with NULs; else they belong to the shards */
    r1_names names;
    uint64_t file_bytes;
};

/* Room for any path made here: r1_ckpt_open refuses one of R1_MAX_PATH bytes and names are at most 255 bytes long. On the
 * stack, so that looking whether a file is there cannot fail for want of memory and be taken for "it is not". */
enum { R1_MAX_PATH = 4096 };
typedef char r1_path[R1_MAX_PATH + 300];
/* "DIR/NAME" into out, which is returned. */
const char *r1_ckpt_join(r1_path out, const char *dir, const char *name);
/* Whether the folder has an entry of that name. True for a dangling link, whose opening then says what is wrong. */
bool r1_ckpt_has(const char *dir, const char *name);

/* Open the weights of c->folder and list their tensors. */
r1_status r1_ckpt_open_shards(r1_ckpt *c, r1_error *err) R1_MUST_CHECK;
/* Refuse a quantization_config that r1 cannot honour. */
r1_status r1_ckpt_check_quantization(const json_t *config, r1_error *err) R1_MUST_CHECK;
/* Find the chat template; c has its GGUF file or its JSON files. */
r1_status r1_ckpt_read_template(r1_ckpt *c, r1_error *err) R1_MUST_CHECK;
/* Make the index over c->tensors. */
r1_status r1_ckpt_index(r1_ckpt *c, r1_error *err) R1_MUST_CHECK;

#endif
