/* importance: which input columns of each weight matter on some text: sums of squares of what meets them (`r1 imatrix`).
 *
 * The sums are in double, each column's in the order of the tokens, so they do not depend on threads or on the chunks of the
 * engine. A weight that is a slice of a tensor (the value rows of a head in a combined attn_kv_b) has sums of its own, which are
 * added in the order of the slices when the result is read, or read apart. The keys of a combined tensor, transposed while loading, are
 * listed beside its values: their columns are rows of the file. Latent attention in expanded form is left out: k_b and v_b meet no activations.
 */
#ifndef R1_ENGINE_IMPORTANCE_H
#define R1_ENGINE_IMPORTANCE_H

#include "engine/engine.h"

typedef struct r1_importance r1_importance;

/* Watch an engine; it is given back by _free, which accepts NULL. Errors: R1_ENOMEM. */
r1_status r1_importance_new(r1_importance **out, r1_engine *e, r1_error *err) R1_MUST_CHECK;
void r1_importance_free(r1_importance *m);

/* Run ids through an emptied session and add what its tokens meet, the head included. The session is empty afterwards.
 * Errors: as r1_session_check; R1_ENOMEM: the sums are then not to be used. */
r1_status r1_importance_run(r1_importance *m, r1_session *s, const int32_t *ids, size_t n, r1_error *err) R1_MUST_CHECK;

typedef struct r1_importance_tensor {
    const char *name;            /* the file's, borrowed from the model */
    bool keys;                   /* the keys of that tensor, transposed; listed behind it */
    size_t k, n_matrices, n_met; /* columns; matrices of the tensor, and how many of them any token came to */
    size_t first, n;             /* of the weights that belong to it */
} r1_importance_tensor;

/* The tensors met so far, sorted by name; valid until the next _run. Errors: R1_ENOMEM; R1_EFORMAT names a tensor whose sums are
 * no finite numbers: the model computes infinities. */
r1_status r1_importance_list(r1_importance *m, const r1_importance_tensor **list, size_t *n, r1_error *err) R1_MUST_CHECK;
/* Of the listed t: sum2[n_matrices][k] and counts[n_matrices], zeros for a matrix that was not met. */
void r1_importance_values(const r1_importance *m, const r1_importance_tensor *t, float *sum2, float *counts);
/* The same of each of the t->n weights that belong to it: sum2[t->n][k] and counts[t->n], in the order of the heads. */
void r1_importance_slices(const r1_importance *m, const r1_importance_tensor *t, float *sum2, float *counts);

#endif
