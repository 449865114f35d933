/* tokenizer_int: the tokenizer's insides. Private to src/text.
 *
 *   tokenizer.c         building from arrays, lookups        tokenizer_bpe.c     merging one piece
 *   tokenizer_json.c    reading tokenizer.json               tokenizer_nfc.c     normalisation
 *   tokenizer_encode.c  text to ids                          detok.c             ids to text
 */
#ifndef R1_TEXT_TOKENIZER_INT_H
#define R1_TEXT_TOKENIZER_INT_H

#include "text/pretok.h"
#include "text/tokenizer.h"

/* Limits on what a file may say. The first two are what a pair's entry has bits for. */
#define R1_TOKENS_MAX (1u << 20)
#define R1_MERGES_MAX (1u << 23)
#define R1_TOKEN_BYTES_MAX 65536u
#define R1_ADDED_BYTES_MAX 1024u      /* matching may look this far at every byte of a text */
#define R1_VOCAB_BYTES_MAX (1u << 30)
#define R1_TEXT_MAX ((size_t)1 << 30)
#define R1_NO_RANK UINT32_MAX

enum {
    R1_TOK_KNOWN = 1,      /* the id has bytes */
    R1_TOK_VOCAB = 2,      /* spelled in the byte alphabet, can be made by merging */
    R1_TOK_ADDED = 4,
    R1_TOK_SPECIAL = 8,
    R1_TOK_NORMALIZED = 16,/* matched after normalisation */
    R1_TOK_EOG = 32
};

typedef struct r1_added { const char *p; uint32_t n; int32_t id; } r1_added;

/* Added tokens to look for in a text, sorted by their bytes. */
typedef struct r1_added_set { r1_added *v; size_t n; bool first[256]; } r1_added_set;

struct r1_tokenizer {
    char *bytes;              /* all tokens one after the other */
    uint32_t *offset;         /* [n_tokens + 1] into bytes */
    uint8_t *flags;           /* [n_tokens] R1_TOK_ */
    int32_t n_tokens;
    uint64_t *tokens;         /* open addressing: upper half of the hash << 32 | id + 1; 0 is empty */
    unsigned tokens_shift;    /* 64 - log2 of its size */
    uint64_t *pairs;          /* open addressing: left << 44 | right << 24 | rank; all ones is empty */
    unsigned pairs_shift;
    uint32_t *byte_pairs;     /* [65536] rank of two bytes */
    uint32_t *merged;         /* [n_merges] id that the merge of this rank makes */
    size_t n_merges;
    int32_t byte_id[256];     /* -1: no token, the byte vanishes */
    r1_added_set before, after; /* normalisation */
    r1_pretok *pre;
    bool nfc, ignore_merges, add_bos;
    int32_t bos, eos;
};

/* ---- building -------------------------------------------------------------------------------------------------- */

/* A vocabulary as both kinds of file say it. */
typedef struct r1_tok_source {
    const r1_slice *tokens; size_t n_tokens; /* p is NULL where an id has no token */
    const uint8_t *flags;                    /* [n_tokens] VOCAB, ADDED, SPECIAL, NORMALIZED; bytes are as spelled when ADDED */
    const r1_slice *merges; size_t n_merges; /* "left right", or the left part when rights is given */
    const r1_slice *rights;
    bool nfc, ignore_merges, add_bos;
    bool drop_merges;                        /* a merge of unknown tokens is left out (GGUF) rather than refused */
    int32_t bos, eos;
} r1_tok_source;

/* Takes pre, also when it fails. */
r1_status r1_tokenizer_build(r1_tokenizer **out, const r1_tok_source *src, r1_pretok *pre_take, r1_error *err) R1_MUST_CHECK;

/* The id of a token of the vocabulary (VOCAB) with these bytes, or -1. */
int32_t r1_tokenizer_lookup(const r1_tokenizer *t, const char *p, size_t n);

/* The longest added token that text[0..n) begins with, or NULL. */
const r1_added *r1_added_match(const r1_added_set *set, const char *text, size_t n);

/* ---- merging --------------------------------------------------------------------------------------------------- */

typedef struct r1_bpe_node { uint32_t id, rank, prev, next; } r1_bpe_node;

/* Memory for merging, reused from piece to piece. */
typedef struct r1_bpe {
    r1_bpe_node *nodes; size_t cap_nodes;
    uint64_t *heap; size_t n_heap, cap_heap;
    uint64_t work; /* steps taken so far; tests look that it grows as n log n */
} r1_bpe;

void r1_bpe_deinit(r1_bpe *w);
/* Append the ids of one piece. Errors: R1_ENOMEM; out may then hold some of them. */
r1_status r1_bpe_encode(r1_bpe *w, const r1_tokenizer *t, const char *p, size_t n, r1_ids *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_ids_reserve(r1_ids *v, size_t more, r1_error *err) R1_MUST_CHECK;

/* Rank of the merge of two tokens, R1_NO_RANK when there is none. */
static inline uint32_t r1_pair_rank(const r1_tokenizer *t, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 20 | right, mask = ((uint64_t)1 << (64 - t->pairs_shift)) - 1;
    for (uint64_t i = key * 0x9E3779B97F4A7C15u >> t->pairs_shift;; i = (i + 1) & mask) {
        uint64_t e = t->pairs[i];
        if (e >> 24 == key && e != UINT64_MAX) return (uint32_t)(e & 0xFFFFFF);
        if (e == UINT64_MAX) return R1_NO_RANK;
    }
}

/* ---- normalising ----------------------------------------------------------------------------------------------- */

/* NFC of valid text[0..n). *out is text itself when nothing changes; otherwise buf->data. */
r1_status r1_nfc(const uint8_t *classes, const char *text, size_t n, r1_buf *buf, const char **out, size_t *n_out, r1_error *err) R1_MUST_CHECK;

/* Encode with a caller's memory, for tests that look at the work. */
r1_status r1_tokenizer_encode_with(r1_bpe *w, const r1_tokenizer *t, r1_slice text, int special, r1_ids *out, r1_error *err) R1_MUST_CHECK;

#endif
