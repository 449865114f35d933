/* Which tensor gets which type when a model is quantised.
 *
 * Names, and with few exceptions rules, are those people know from llama.cpp ("Q4_K_M"): most matrices get the target's main type; the head gets 6
 * bits; values of attention and the down-projection, through which errors go unsmoothed, get more bits in the layers where
 * that pays: the first eighth, the last eighth, every third between. Vectors and routers stay F32. Rows that are no multiple of
 * 256 get the type of 32-value blocks nearest above. docs/cli/r1-quantize.md has the table. */
#define _GNU_SOURCE
#include "convert/convert.h"
#include "quant/encode.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>

/* Layers in which more bits pay. */
typedef enum where {
    NOWHERE, EVERYWHERE,
    ENDS,          /* the first and the last eighth, every third between */
    FIRST_EIGHTH, FIRST_SIXTEENTH, FIRST_2, FIRST_4
} where;

typedef struct rule {
    where where;
    r1_type there, else_; /* else_ is the main type for most */
} rule;

typedef struct mix {
    const char *name;
    int file_type;           /* llama.cpp's number */
    r1_type main, output;
    rule value, down;        /* values of attention; ffn_down */
    r1_type value_shared;    /* F32: no rule. Values that four heads or more share are small and much used */
    r1_type attention_output;
} mix;

#define PLAIN(name, number, type, out) { name, number, type, out, { NOWHERE, type, type }, { NOWHERE, type, type }, R1_F32, type }

static const mix mixes[] = {
    PLAIN("F32", 0, R1_F32, R1_F32), PLAIN("F16", 1, R1_F16, R1_F16), PLAIN("BF16", 32, R1_BF16, R1_BF16),
    PLAIN("Q8_0", 7, R1_Q8_0, R1_Q8_0), PLAIN("Q6_K", 18, R1_Q6_K, R1_Q6_K),
    PLAIN("Q4_0", 2, R1_Q4_0, R1_Q6_K), PLAIN("Q4_1", 3, R1_Q4_1, R1_Q6_K), PLAIN("Q5_0", 8, R1_Q5_0, R1_Q6_K), PLAIN("Q5_1", 9, R1_Q5_1, R1_Q6_K),
    PLAIN("MXFP4", 38, R1_MXFP4, R1_Q8_0),
    { "IQ4_NL", 25, R1_IQ4_NL, R1_Q6_K, { NOWHERE, R1_Q5_K, R1_IQ4_NL }, { FIRST_EIGHTH, R1_Q5_K, R1_IQ4_NL }, R1_Q5_K, R1_IQ4_NL },
    { "IQ4_XS", 30, R1_IQ4_XS, R1_Q6_K, { NOWHERE, R1_Q5_K, R1_IQ4_XS }, { FIRST_EIGHTH, R1_Q5_K, R1_IQ4_XS }, R1_Q5_K, R1_IQ4_XS },
    { "Q2_K", 10, R1_Q2_K, R1_Q6_K, { EVERYWHERE, R1_Q3_K, R1_Q2_K }, { EVERYWHERE, R1_Q3_K, R1_Q2_K }, R1_Q4_K, R1_Q3_K },
    { "Q3_K_S", 11, R1_Q3_K, R1_Q6_K, { NOWHERE, R1_Q3_K, R1_Q3_K }, { NOWHERE, R1_Q3_K, R1_Q3_K }, R1_F32, R1_Q3_K },
    { "Q3_K_M", 12, R1_Q3_K, R1_Q6_K, { FIRST_2, R1_Q5_K, R1_Q4_K }, { FIRST_SIXTEENTH, R1_Q5_K, R1_Q4_K }, R1_F32, R1_Q4_K },
    { "Q3_K_L", 13, R1_Q3_K, R1_Q6_K, { EVERYWHERE, R1_Q5_K, R1_Q3_K }, { EVERYWHERE, R1_Q5_K, R1_Q3_K }, R1_F32, R1_Q5_K },
    { "Q4_K_S", 14, R1_Q4_K, R1_Q6_K, { FIRST_4, R1_Q5_K, R1_Q4_K }, { FIRST_EIGHTH, R1_Q5_K, R1_Q4_K }, R1_F32, R1_Q4_K },
    { "Q4_K_M", 15, R1_Q4_K, R1_Q6_K, { ENDS, R1_Q6_K, R1_Q4_K }, { ENDS, R1_Q6_K, R1_Q4_K }, R1_F32, R1_Q4_K },
    { "Q5_K_S", 16, R1_Q5_K, R1_Q6_K, { NOWHERE, R1_Q5_K, R1_Q5_K }, { NOWHERE, R1_Q5_K, R1_Q5_K }, R1_F32, R1_Q5_K },
    { "Q5_K_M", 17, R1_Q5_K, R1_Q6_K, { ENDS, R1_Q6_K, R1_Q5_K }, { ENDS, R1_Q6_K, R1_Q5_K }, R1_F32, R1_Q5_K },
};

const char *r1_mix_names(void)
{
    return "F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q5_1, Q5_0, Q4_K_M, Q4_K_S, Q4_1, Q4_0, IQ4_NL, IQ4_XS, MXFP4, Q3_K_L, Q3_K_M, Q3_K_S, Q2_K";
}

static bool same_word(const char *a, const char *b)
{
    while (*a && toupper((unsigned char)*a) == *b) a++, b++;
    return !*a && !*b;
}

static const mix *find_mix(const char *name)
{
    static const char *const others[][2] = { { "Q4_K", "Q4_K_M" }, { "Q5_K", "Q5_K_M" }, { "Q3_K", "Q3_K_M" } };
    for (size_t i = 0; i < R1_COUNT(others); i++)
        if (same_word(name, others[i][0])) name = others[i][1];
    for (size_t i = 0; i < R1_COUNT(mixes); i++)
        if (same_word(name, mixes[i].name)) return &mixes[i];
    return NULL;
}

int r1_mix_file_type(const char *target)
{
    const mix *m = find_mix(target);
    return m ? m->file_type : -1;
}

static r1_status find_type(const char *name, const char *what, r1_type *out, r1_error *err)
{
    char list[256] = "";
    size_t at = 0;
    for (unsigned t = 0; t < R1_TYPE_END; t++) {
        if (!r1_can_encode(t)) continue;
        const char *known = r1_type_get(t)->name;
        if (same_word(name, known)) {
            *out = (r1_type)t;
            return R1_OK;
        }
        if (at + 16 < sizeof list) at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", known);
    }
    return r1_fail(err, R1_EINVAL, "%s '%.64s' is no type of weights; there are %s", what, name, list);
}

typedef struct chosen {
    const mix *mix;
    r1_type output, embedding;
    bool has_output, has_embedding;
    bool tied;               /* the embedding is the head as well */
    bool shared;             /* four heads or more share values */
    bool narrow_values;      /* 80 layers and shared values, as Llama 70B: attn_v is an eighth of attn_q, so more bits cost next to nothing */
    int n_layers;
} chosen;

/* ---- roles ------------------------------------------------------------------------------------------------------ */

/* "blk.12.attn_v.weight": 12 and "attn_v.weight"; -1 and the whole name for others. */
static int layer_of(const char *name, const char **rest)
{
    int layer, n = 0;
    *rest = name;
    if (sscanf(name, "blk.%d.%n", &layer, &n) != 1 || !n) return -1;
    *rest = name + n;
    return layer;
}

static bool begins(const char *s, const char *head) { return !strncmp(s, head, strlen(head)); }

static r1_type apply(const rule *x, int layer, int n_layers)
{
    int eighth = n_layers / 8;
    bool there = false;
    switch (x->where) {
    case NOWHERE: break;
    case EVERYWHERE: there = true; break;
    case ENDS: there = layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2; break;
    case FIRST_EIGHTH: there = layer < eighth; break;
    case FIRST_SIXTEENTH: there = layer < n_layers / 16; break;
    case FIRST_2: there = layer < 2; break;
    case FIRST_4: there = layer < 4; break;
    }
    return there ? x->there : x->else_;
}

static bool is_value(const char *part)
{
    return begins(part, "attn_v.weight") || begins(part, "attn_v_b.weight") || begins(part, "attn_kv_b.weight") || begins(part, "attn_k_b.weight");
}

static r1_type by_rule(const chosen *c, const r1_made *m)
{
    const mix *x = c->mix;
    const char *part;
    int layer = layer_of(m->name, &part);
    if (!strcmp(m->name, "output.weight") || (c->tied && !strcmp(m->name, "token_embd.weight"))) return x->output;
    if (is_value(part)) {
        r1_type t = c->shared && x->value_shared != R1_F32 ? x->value_shared : apply(&x->value, layer, c->n_layers);
        return c->narrow_values && (t == R1_Q3_K || t == R1_Q4_K) ? R1_Q5_K : t;
    }
    if (begins(part, "ffn_down")) return apply(&x->down, layer, c->n_layers);
    if (begins(part, "attn_output.weight")) return x->attention_output;
    return x->main;
}

/* The type of 32-value blocks that loses no more than `t`. */
static r1_type fallback(r1_type t)
{
    switch (t) {
    case R1_Q2_K: case R1_Q3_K: case R1_IQ4_XS: return R1_IQ4_NL;
    case R1_Q4_K: return R1_Q5_0;
    case R1_Q5_K: return R1_Q5_1;
    default: return R1_Q8_0;
    }
}

/* ---- setting them ----------------------------------------------------------------------------------------------- */

static r1_status look_up(chosen *c, const r1_plan *p, const r1_quantise_options *o, r1_error *err)
{
    *c = (chosen){ .mix = find_mix(o->target), .tied = true };
    if (!c->mix) return r1_fail(err, R1_EINVAL, "'%.64s' is no type to quantise to; there are %s", o->target, r1_mix_names());
    r1_status s = R1_OK;
    c->has_output = o->output;
    c->has_embedding = o->embedding;
    if (o->output) s = find_type(o->output, "--output-type", &c->output, err);
    if (s == R1_OK && o->embedding) s = find_type(o->embedding, "--embedding-type", &c->embedding, err);
    uint64_t q = 0, v = 0;
    for (size_t i = 0; i < p->n; i++) {
        const char *part;
        int layer = layer_of(p->t[i].name, &part);
        if (begins(part, "attn_kv_a_mqa.weight")) c->shared = true;
        if (!strcmp(part, "attn_q.weight")) q = p->t[i].ne[1];
        if (!strcmp(part, "attn_v.weight")) v = p->t[i].ne[1];
        c->tied = c->tied && strcmp(p->t[i].name, "output.weight");
        if (layer >= c->n_layers && !begins(part, "nextn.")) c->n_layers = layer + 1;
    }
    if (v && q >= 4 * v) c->shared = true;
    c->narrow_values = c->n_layers == 80 && q > v && v;
    return s;
}

static r1_status check_source(const r1_made *m, r1_error *err)
{
    for (size_t i = 0; i < m->n_src; i++) {
        const r1_ckpt_tensor *t = m->src[i];
        if (r1_type_get(t->type)->quantised)
            return r1_fail(err, R1_EUNSUPPORTED, "'%s' is quantised already (%s); quantising it again loses more than the type says: take the original, or --allow-requantize",
                           t->name, r1_type_get(t->type)->name);
    }
    return R1_OK;
}

/* No tensor took the type: why, and what was perhaps meant. */
static r1_status no_effect(const r1_plan *p, const char *pattern, const char *vector, r1_error *err)
{
    char inside[300];
    if (vector)
        return r1_fail(err, R1_EINVAL, "--tensor-type '%.100s' fits only vectors, such as '%.100s', and these stay F32: models read norms and biases as floats", pattern,
                       vector);
    snprintf(inside, sizeof inside, "*%s*", pattern);
    for (size_t i = 0; i < p->n; i++)
        if (fnmatch(inside, p->t[i].name, 0) == 0 && p->t[i].n_dims > 1)
            return r1_fail(err, R1_EINVAL, "--tensor-type '%.100s' fits no tensor: a pattern stands for a whole name; did you mean '*%.100s*', which fits '%.100s'?", pattern,
                           pattern, p->t[i].name);
    return r1_fail(err, R1_EINVAL, "--tensor-type '%.100s' fits no tensor; `r1 show` lists their names", pattern);
}

/* "PATTERN=TYPE" */
static r1_status override(r1_plan *p, const char *text, bool *taken, r1_error *err)
{
    const char *eq = strrchr(text, '=');
    r1_type t;
    bool any = false;
    const char *vector = NULL;
    char pattern[256];
    if (!eq || eq == text || (size_t)(eq - text) >= sizeof pattern) return r1_fail(err, R1_EINVAL, "--tensor-type '%.100s' is not NAME=TYPE, such as 'blk.*.attn_v.weight=Q8_0'", text);
    snprintf(pattern, sizeof pattern, "%.*s", (int)(eq - text), text);
    r1_status s = find_type(eq + 1, "--tensor-type", &t, err);
    if (s) return s;
    for (size_t i = 0; i < p->n; i++) {
        if (fnmatch(pattern, p->t[i].name, 0)) continue;
        if (p->t[i].n_dims == 1) vector = p->t[i].name;
        if (p->t[i].n_dims == 1 && t != R1_F32) continue; /* models read vectors as floats */
        any = true;
        p->t[i].type = t;
        taken[i] = true;
    }
    return any ? R1_OK : no_effect(p, pattern, vector, err);
}

r1_status r1_mix_types(r1_plan *p, const r1_quantise_options *o, size_t *n_fallback, r1_error *err)
{
    chosen c;
    *n_fallback = 0;
    r1_status s = look_up(&c, p, o, err);
    bool *taken = s ? NULL : calloc(r1_max(p->n, 1), sizeof *taken);
    if (s == R1_OK && !taken) s = r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", p->n);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) {
        r1_made *m = &p->t[i];
        if (!o->requantise) s = check_source(m, err);
        if (r1_made_stays_f32(m)) {
            if (m->n_src && !r1_type_get(m->type)->quantised) m->type = R1_F32;
            continue;
        }
        bool head = !strcmp(m->name, "output.weight"), embedding = !strcmp(m->name, "token_embd.weight");
        m->type = o->pure ? c.mix->main : by_rule(&c, m);
        if (c.has_output && (head || (embedding && c.tied && !c.has_embedding))) m->type = c.output;
        if (c.has_embedding && embedding) m->type = c.embedding;
    }
    for (size_t i = 0; i < o->n_overrides && s == R1_OK; i++) s = override(p, o->overrides[i], taken, err);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) {
        r1_made *m = &p->t[i];
        if (m->ne[0] % r1_type_get(m->type)->block == 0) continue;
        if (taken[i])
            s = r1_fail(err, R1_EINVAL, "rows of '%s' have %llu values, which is no multiple of %u as %s needs", m->name, (unsigned long long)m->ne[0],
                        r1_type_get(m->type)->block, r1_type_get(m->type)->name);
        m->type = fallback(m->type);
        if (m->ne[0] % 32) m->type = R1_F16;
        ++*n_fallback;
    }
    free(taken);
    return s;
}
