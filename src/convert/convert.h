/* convert: a checkpoint as another kind of file, or with other types of weights.
 *
 * A plan lists the tensors to write: name, type, shape, and how their rows come from the source. Between Hugging Face
 * folders and GGUF files names change, rows of llama's Q and K are reordered, experts are stacked or taken apart, and the
 * keys and values of latent attention split or joined (docs/formats.md). GGUF to GGUF and folder to folder nothing changes
 * but types.
 *
 *   plan.c        names and layouts            gguf_keys.c, gguf_vocab.c   configuration and tokenizer as GGUF keys
 *   make.c        rows: decoded, encoded       hf_config.c, hf_tokenizer.c the same as JSON files
 *   mix.c         which tensor gets which type when a model is quantised
 *   check.c       what is wrong before anything is written
 *   export.c      all of it into a file or a folder
 */
#ifndef R1_CONVERT_CONVERT_H
#define R1_CONVERT_CONVERT_H

#include "base/json.h"
#include "base/newdir.h"
#include "base/thread.h"
#include "format/checkpoint.h"
#include "format/gguf_write.h"
#include "model/config.h"

/* ---- what to write ---- */

typedef enum r1_layout {
    R1_LAYOUT_SAME,          /* row r is row r of the sources one after the other */
    R1_LAYOUT_TO_PAIRS,      /* of each head: row i of the first half, row i of the second, ... */
    R1_LAYOUT_TO_HALVES,     /* the inverse */
    R1_LAYOUT_KEYS,          /* kv_b to attn_k_b: each head's key rows, transposed */
    R1_LAYOUT_VALUES,        /* kv_b to attn_v_b: each head's value rows */
    R1_LAYOUT_KEYS_VALUES,   /* attn_k_b and attn_v_b to kv_b */
    R1_LAYOUT_GIVEN          /* no source: values of the plan's own */
} r1_layout;

typedef struct r1_made {
    char *name;
    r1_type type;            /* to write */
    int n_dims;
    uint64_t ne[4];          /* fastest first */
    r1_layout layout;
    const r1_ckpt_tensor **src;
    size_t n_src;
    uint64_t src_rows;       /* SAME: rows taken of each source, from first_row on */
    uint64_t first_row;
    uint64_t head, nope, lora; /* rows of a head; of them keys; width of the latent */
    float *given;
    float *scales;           /* F8_E4M3: room for [ceil(rows/128)][ceil(ne[0]/128)], filled by r1_make; NULL: not wanted. Borrowed */
} r1_made;

typedef struct r1_plan {
    const r1_ckpt *ckpt;
    bool to_gguf, same_kind;
    r1_config config;        /* of the source; only when !same_kind */
    r1_made *t;
    size_t n, cap;
} r1_plan;

/* Every tensor of the source finds its place, or the error names it. Types are the source's where the target can hold them:
 * from a folder to a folder F8_E4M3 stays, else it becomes BF16; in GGUF files vectors and routers become F32; in folders blocks
 * become BF16, and F32 vectors beside BF16 or F16 matrices become that where it loses nothing. The plan borrows ckpt.
 * Errors: R1_EFORMAT, R1_EUNSUPPORTED (architecture, tensor, packed file), R1_ENOMEM. */
r1_status r1_plan_new(r1_plan **out, const r1_ckpt *ckpt, bool to_gguf, r1_error *err) R1_MUST_CHECK;
void r1_plan_free(r1_plan *p);
uint64_t r1_made_bytes(const r1_made *m);
uint64_t r1_made_elements(const r1_made *m);
/* Whether the source has a tokenizer for the target to have. */
bool r1_plan_has_tokenizer(const r1_plan *p);
/* Names of the metadata of a GGUF file that its folder has no place for: an array of strings, empty for other plans. What is said of the file itself
 * (architecture, name, type, alignment, parts) is not among them. NULL: no memory. */
json_t *r1_plan_dropped_keys(const r1_plan *p);
/* Whether the tensor must stay a vector of floats in GGUF: norms, biases, routers. */
bool r1_made_stays_f32(const r1_made *m);
/* Make all matrices F32, F16 or BF16. */
void r1_plan_set_type(r1_plan *p, r1_type t);
/* For a folder: the matrices of attention and feed-forward F8_E4M3, as DeepSeek-V3's files have them; norms, biases, embeddings, heads,
 * routers and the projection of the prediction module BF16, the routers' correction as it is. */
void r1_plan_set_fp8(r1_plan *p);
/* Values of the scales beside an F8_E4M3 tensor, 0 for another. */
uint64_t r1_made_scales(const r1_made *m);

/* ---- making the bytes ---- */

typedef struct r1_made_error {
    double error2, value2;   /* sums of squares: differences to the source, values of the source */
    uint64_t n_bad;          /* values not finite or too large for the type: they became the nearest it has */
} r1_made_error;

typedef r1_status (*r1_sink)(void *ctx, const void *data, size_t n, r1_error *err);

/* Give all bytes of m to the sink, in order.
 *   importance  [n_matrices][ne[0]] weights of the squared errors, or NULL; n_matrices is 1 or ne[2]
 *   e           summed up; may be NULL, which is faster
 * The same bytes for any pool. Errors: R1_ENOMEM, those of the sink. */
r1_status r1_make(const r1_made *m, r1_pool *pool, const float *importance, size_t n_matrices, r1_made_error *e, r1_sink sink, void *ctx,
                  r1_error *err) R1_MUST_CHECK;

/* ---- types of a quantised model ---- */

typedef struct r1_quantise_options {
    const char *target;              /* "Q4_K_M", "Q8_0", ...: r1_mix_names */
    const char *output, *embedding;  /* types of output.weight and token_embd.weight; NULL: the target's rule */
    const char *const *overrides;    /* "PATTERN=TYPE": a glob over names, the last that fits wins; over the options above too */
    size_t n_overrides;
    bool pure;                       /* every matrix gets the target's main type */
    bool requantise;                 /* allow sources that are quantised already */
} r1_quantise_options;

/* Set the types of a plan for GGUF. *n_fallback: tensors whose rows are no multiple of 256 (or 32) and got another type.
 * Errors: R1_EINVAL (a name of a type, a pattern that fits no tensor or only vectors), R1_EUNSUPPORTED (quantised source). */
r1_status r1_mix_types(r1_plan *p, const r1_quantise_options *o, size_t *n_fallback, r1_error *err) R1_MUST_CHECK;
/* "Q4_0, ..., Q5_K_M" for messages. */
const char *r1_mix_names(void);
/* general.file_type of a target or of a plan's commonest type, as llama.cpp numbers them; -1: it has none. */
int r1_mix_file_type(const char *target);

/* ---- importance matrices ---- */

typedef struct r1_imatrix r1_imatrix;
/* A GGUF file of type "imatrix": NAME.in_sum2 [k, n_mat] and NAME.counts [1, n_mat], or [k * n_mat, 1] and [1, 1].
 * Errors: R1_EFORMAT names what is missing or misshapen; R1_EUNSUPPORTED the older binary form. */
r1_status r1_imatrix_open(r1_imatrix **out, const char *path, r1_error *err) R1_MUST_CHECK;
void r1_imatrix_close(r1_imatrix *m);
/* Weights for a tensor into malloc'ed *w [*n_matrices][ne[0]]; NULL and R1_OK when the file has none for it. A matrix no
 * token came to has equal weights. */
r1_status r1_imatrix_weights(const r1_imatrix *m, const r1_made *t, float **w, size_t *n_matrices, r1_error *err) R1_MUST_CHECK;

/* ---- all of it ---- */

typedef struct r1_export_options {
    r1_pool *pool;                   /* may be NULL */
    bool force;
    const char *target;              /* for general.file_type; NULL: convert */
    const r1_imatrix *imatrix;
    r1_written progress;             /* false cancels: R1_ECANCELLED */
    void *progress_ctx;
    r1_made_error *errors;           /* [plan->n] or NULL */
    r1_temporary temporary;          /* told of the temporary folder, or file where there is one (base/temporary.h); may be NULL */
    void *temporary_ctx;
} r1_export_options;

/* What r1_export finds before it writes: tensors that are missing, misshapen or too many for the configuration, advice about sampling
 * that is out of range, an importance matrix that does not fit, a number or tokenizer the target cannot hold.
 * Errors: R1_EFORMAT and R1_EUNSUPPORTED name it, found and expected; R1_ENOMEM. */
r1_status r1_export_check(const r1_plan *p, const r1_export_options *o, r1_error *err) R1_MUST_CHECK;
/* Whether the result may be written there: a file is there only with force, a folder may hold something only with force, and something can be
 * created beside it. r1_export looks too; this is for before the work. Errors: R1_EINVAL, R1_EIO. */
r1_status r1_export_target(const char *path, bool to_gguf, bool force, r1_error *err) R1_MUST_CHECK;
/* Write the plan's file (to_gguf) or folder. Atomic: under its final name it is whole or not there. A folder is made under a
 * temporary name beside it; with force it then takes the place of an existing one, whose other files go along.
 * Errors: R1_EINVAL (exists), R1_ENOMEM (memory, disk), R1_EIO, R1_EUNSUPPORTED (tokenizer), R1_ECANCELLED. */
r1_status r1_export(const r1_plan *p, const char *path, const r1_export_options *o, r1_error *err) R1_MUST_CHECK;

#endif
