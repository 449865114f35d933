/* tokenizer: byte-level BPE, exact for DeepSeek-V3, Qwen2/R1-Distill-Qwen, Llama-3, SmolLM2 (GPT-2 style).
 *
 * Made from neutral arrays (GGUF metadata) or from tokenizer.json. Immutable; encode and decode may be called by any
 * number of threads. Time is O(n log n) in the text whatever it holds; memory is O(n).
 * Public part (r1_tokenize, r1_token_bytes, r1_token_is_eog): r1/r1.h. Golden data: tests/golden/tokenizers.
 */
#ifndef R1_TEXT_TOKENIZER_H
#define R1_TEXT_TOKENIZER_H

#include "base/base.h"

/* Token types as in GGUF. */
enum { R1_TOKEN_NORMAL = 1, R1_TOKEN_UNKNOWN = 2, R1_TOKEN_CONTROL = 3, R1_TOKEN_USER_DEFINED = 4, R1_TOKEN_UNUSED = 5, R1_TOKEN_BYTE = 6 };

typedef struct r1_slice { const char *p; size_t n; } r1_slice;

/* What a GGUF file says. Strings are borrowed during the call only, spelled in the byte alphabet (space is U+0120). */
typedef struct r1_vocab {
    const r1_slice *tokens; size_t n_tokens;
    const int32_t *types;               /* [n_tokens] or NULL: all normal */
    const r1_slice *merges; size_t n_merges; /* "left right" */
    const char *pre;                    /* tokenizer.ggml.pre: "deepseek-v3", "deepseek-r1-qwen", "qwen2", "llama-bpe", "smollm", ... */
    int32_t bos, eos, eot, pad;         /* -1: none */
    bool add_bos;
} r1_vocab;

/* Merges that speak of tokens the vocabulary has not are left out: cut-down files have them, and they could never be taken.
 * Errors: R1_EFORMAT names the token or merge; R1_EUNSUPPORTED names the pre-tokenizer and those supported. */
r1_status r1_tokenizer_from_vocab(r1_tokenizer **out, const r1_vocab *v, r1_error *err) R1_MUST_CHECK;

/* From the text of a tokenizer.json; config (tokenizer_config.json) and generation (generation_config.json) may be NULL:
 * they tell BOS, EOS and add_bos_token. Errors as above; a normalizer, pre-tokenizer or model that is not one of the
 * supported ones is R1_EUNSUPPORTED and named. */
r1_status r1_tokenizer_from_json(r1_tokenizer **out, const char *json, size_t n, const char *config, size_t n_config,
                                 const char *generation, size_t n_generation, r1_error *err) R1_MUST_CHECK;
void r1_tokenizer_free(r1_tokenizer *t);

int32_t r1_tokenizer_size(const r1_tokenizer *t);        /* highest id + 1, added tokens included, [PAD..] rows of a GGUF not */
int32_t r1_tokenizer_bos(const r1_tokenizer *t);         /* -1: none */
int32_t r1_tokenizer_eos(const r1_tokenizer *t);
bool r1_tokenizer_adds_bos(const r1_tokenizer *t);
const char *r1_tokenizer_pre(const r1_tokenizer *t);     /* name of the splitting rules, for `r1 show` */
/* The i-th pattern of the Split steps of named rules, for writing a tokenizer.json; NULL past the last. */
const char *r1_tokenizer_pattern(const char *pre, size_t i);
/* The id of an added (control or user-defined) token with exactly this text; -1 when there is none. */
int32_t r1_tokenizer_find(const r1_tokenizer *t, const char *text, size_t n);
bool r1_tokenizer_is_added(const r1_tokenizer *t, int32_t id);
bool r1_tokenizer_is_special(const r1_tokenizer *t, int32_t id);  /* control: left out of the text of an answer */
/* Mark another id as ending a generation (generation_config.json, GGUF eot). */
r1_status r1_tokenizer_add_eog(r1_tokenizer *t, int32_t id, r1_error *err) R1_MUST_CHECK;

/* A growable list of ids. */
typedef struct r1_ids { int32_t *ids; size_t n, cap; } r1_ids;
void r1_ids_deinit(r1_ids *v);
r1_status r1_ids_add(r1_ids *v, int32_t id, r1_error *err) R1_MUST_CHECK;

/* Append the encoding of text[0..n). `hf` variant of the golden data: R1_SPECIAL_HF (special ones plain, others parsed). */
enum { R1_SPECIAL_HF = 2 };
r1_status r1_tokenizer_encode(const r1_tokenizer *t, const char *text, size_t n, int special, r1_ids *out, r1_error *err) R1_MUST_CHECK;

/* Streaming detokeniser: never emits broken UTF-8. At most 3 bytes are held back; each maximal invalid part becomes one
 * U+FFFD as soon as it cannot become a character. */
typedef struct r1_detok {
    char held[4];
    int n_held;
} r1_detok;
/* Bytes of one token, appended to out as valid UTF-8. An unknown id appends nothing. */
r1_status r1_detok_token(r1_detok *d, const r1_tokenizer *t, int32_t id, r1_buf *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_detok_bytes(r1_detok *d, const char *p, size_t n, r1_buf *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_detok_end(r1_detok *d, r1_buf *out, r1_error *err) R1_MUST_CHECK;

#endif
