/* model: an immutable model: configuration, bound weights, and the forward pass of every family.
 *
 * One file per family under this folder; attention.c and moe.c hold what they share. Public part in r1/r1.h.
 */
#ifndef R1_MODEL_MODEL_H
#define R1_MODEL_MODEL_H

#include "base/base.h"
#include "format/checkpoint.h"
#include "kernels/kernels.h"
#include "text/template.h"
#include "text/tokenizer.h"

/* Whether a checkpoint holds exactly the tensors of its configuration, each in its shape: what r1_model_open would say of them, and
 * nothing is loaded. Errors: as r1_model_open. */
r1_status r1_model_check(const r1_ckpt *c, r1_error *err) R1_MUST_CHECK;
const r1_ckpt *r1_model_checkpoint(const r1_model *m);
const r1_template *r1_model_template(const r1_model *m);     /* NULL: none recognised */
const r1_kernels *r1_model_kernels(const r1_model *m);
int r1_model_moe_layers(const r1_model *m, const int32_t **layers); /* how many, and their indices */
int r1_model_experts_used(const r1_model *m);
bool r1_model_has_mtp(const r1_model *m);
/* Bytes of weights that one token reads when it is alone: every matrix once, of the routed experts those used; not the embedding. */
uint64_t r1_model_token_bytes(const r1_model *m);

#endif
