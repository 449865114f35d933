/* math_tree: the arena, the budget, and small work on trees.
 *
 * Nodes come from blocks that are freed together. Rationals belong to GMP's own memory, so nodes that hold one are chained and
 * cleared at the end. When the budget or the arena is gone, makers return ctx.bad, a number 0, so that callers need no checks. */
#include "reward/math/math_int.h"

struct r1_block {
    r1_block *next;
    size_t used, size;
};

/* Under the address sanitizer each piece is a block of its own, to the byte: then reading past it is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH 1
#endif
#endif
#ifdef ONE_BLOCK_EACH
enum { BLOCK_BYTES = 0, ALIGNMENT = 1 };
#else
enum { BLOCK_BYTES = 64 << 10, ALIGNMENT = 16 };
#endif

void r1_math_ctx_init(r1_math_ctx *c, uint64_t budget, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->left = budget;
    c->seed = seed;
    c->bad.kind = K_NUM;
    mpq_init(c->bad.q);
    c->bad.kid = c->bad_kids;
    for (size_t i = 0; i < R1_COUNT(c->bad_kids); i++) c->bad_kids[i] = &c->bad;
}

void r1_math_ctx_deinit(r1_math_ctx *c)
{
    for (r1_node *x = c->numbers; x; x = x->next_number) mpq_clear(x->q);
    mpq_clear(c->bad.q);
    for (r1_block *b = c->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    memset(c, 0, sizeof *c);
}

bool r1_math_spend(r1_math_ctx *c, uint64_t units)
{
    if (c->over) return false;
    if (units > c->left) {
        c->over = true;
        c->spent += c->left;
        c->left = 0;
        return false;
    }
    c->left -= units;
    c->spent += units;
    return true;
}

void *r1_math_alloc(r1_math_ctx *c, size_t bytes)
{
    bytes = r1_round_up(bytes ? bytes : 1, ALIGNMENT);
    if (c->nomem || c->over) return NULL;
    if (bytes > R1_MATH_ARENA_MAX || c->bytes + bytes > R1_MATH_ARENA_MAX) {
        c->over = true;
        return NULL;
    }
    r1_block *b = c->blocks;
    if (!b || b->size - b->used < bytes) {
        size_t head = r1_round_up(sizeof *b, 16), size = r1_max(bytes + head, (size_t)BLOCK_BYTES);
        b = malloc(size);
        if (!b) {
            c->nomem = true;
            return NULL;
        }
        b->size = size;
        b->used = head;
        b->next = c->blocks;
        c->blocks = b;
    }
    void *p = (char *)b + b->used;
    b->used += bytes;
    c->bytes += bytes;
    return memset(p, 0, bytes);
}

r1_node *r1_math_node(r1_math_ctx *c, r1_kind k, uint32_t n_kids)
{
    if (++c->n_nodes > R1_MATH_NODES_MAX) c->over = true;
    if (!r1_math_spend(c, 2)) return &c->bad;
    r1_node *x = r1_math_alloc(c, sizeof *x);
    if (!x) return &c->bad;
    x->kind = (uint8_t)k;
    if (k == K_NUM) {
        mpq_init(x->q);
        x->next_number = c->numbers;
        c->numbers = x;
    }
    if (n_kids) {
        x->kid = r1_math_alloc(c, n_kids * sizeof *x->kid);
        if (!x->kid) return &c->bad;
        for (uint32_t i = 0; i < n_kids; i++) x->kid[i] = &c->bad;
        x->n = x->cap = n_kids;
    }
    return x;
}

r1_node *r1_math_num(r1_math_ctx *c, long value)
{
    r1_node *x = r1_math_node(c, K_NUM, 0);
    if (x != &c->bad) mpq_set_si(x->q, value, 1);
    return x;
}

r1_node *r1_math_num_q(r1_math_ctx *c, mpq_srcptr q)
{
    if (!r1_math_spend(c, mpz_size(mpq_numref(q)) + mpz_size(mpq_denref(q)))) return &c->bad;
    r1_node *x = r1_math_node(c, K_NUM, 0);
    if (x != &c->bad) mpq_set(x->q, q);
    return x;
}

r1_node *r1_math_op1(r1_math_ctx *c, r1_kind k, r1_node *a)
{
    r1_node *x = r1_math_node(c, k, 1);
    if (x != &c->bad) x->kid[0] = a;
    return x;
}

r1_node *r1_math_op2(r1_math_ctx *c, r1_kind k, r1_node *a, r1_node *b)
{
    r1_node *x = r1_math_node(c, k, 2);
    if (x == &c->bad) return x;
    x->kid[0] = a;
    x->kid[1] = b;
    return x;
}

r1_node *r1_math_fn(r1_math_ctx *c, r1_func f, r1_node *a, r1_node *b)
{
    r1_node *x = b ? r1_math_op2(c, K_FUNC, a, b) : r1_math_op1(c, K_FUNC, a);
    if (x != &c->bad) x->op = (uint8_t)f;
    return x;
}

/* A negative number stays one number, with its digits. */
r1_node *r1_math_neg(r1_math_ctx *c, r1_node *a)
{
    if (a->kind == K_NUM && a != &c->bad) {
        r1_node *x = r1_math_num_q(c, a->q);
        if (x == &c->bad) return x;
        mpq_neg(x->q, x->q);
        x->digits = a->digits;
        x->dotted = a->dotted;
        return x;
    }
    if (a->kind == K_QUANTITY) { /* -4 degrees */
        r1_node *x = r1_math_op1(c, K_QUANTITY, r1_math_neg(c, a->kid[0]));
        if (x != &c->bad) x->u = a->u;
        return x;
    }
    return r1_math_op2(c, K_MUL, r1_math_num(c, -1), a);
}

r1_node *r1_math_inv(r1_math_ctx *c, r1_node *a) { return r1_math_op2(c, K_POW, a, r1_math_num(c, -1)); }

r1_node *r1_math_append(r1_math_ctx *c, r1_node *list, r1_node *kid)
{
    if (list == &c->bad) return list;
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? 2 * list->cap : 4;
        r1_node **grown = r1_math_alloc(c, cap * sizeof *grown);
        if (!grown) return &c->bad;
        if (list->n) memcpy(grown, list->kid, list->n * sizeof *grown);
        list->kid = grown;
        list->cap = cap;
    }
    list->kid[list->n++] = kid;
    return list;
}

static bool same_unit(const r1_unit *a, const r1_unit *b)
{
    if (!a || !b) return a == b;
    if (memcmp(a->dim, b->dim, sizeof a->dim) || mpq_cmp(a->factor, b->factor)) return false;
    return a->n_name == b->n_name && (!a->n_name || !memcmp(a->name, b->name, a->n_name));
}

bool r1_math_same(const r1_node *a, const r1_node *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->op != b->op || a->n != b->n || a->lo_open != b->lo_open || a->hi_open != b->hi_open) return false;
    if (a->rows != b->rows || a->cols != b->cols) return false;
    if (a->kind == K_NUM) return mpq_equal(a->q, b->q) && a->dotted == b->dotted;
    if (a->n_name != b->n_name || (a->n_name && memcmp(a->name, b->name, a->n_name))) return false;
    if (a->kind == K_REL && memcmp(a->ops, b->ops, a->n - 1)) return false;
    if (a->kind == K_QUANTITY && !same_unit(a->u, b->u)) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!r1_math_same(a->kid[i], b->kid[i])) return false;
    return true;
}

bool r1_math_has(const r1_node *a, r1_kind k)
{
    if (a->kind == k) return true;
    for (uint32_t i = 0; i < a->n; i++)
        if (r1_math_has(a->kid[i], k)) return true;
    return false;
}

bool r1_math_has_op(const r1_node *a, r1_kind k, uint8_t op)
{
    if (a->kind == k && a->op == op) return true;
    for (uint32_t i = 0; i < a->n; i++)
        if (r1_math_has_op(a->kid[i], k, op)) return true;
    return false;
}

bool r1_math_has_symbol(const r1_node *a, const r1_node *sym)
{
    if (a->kind == K_SYM) return r1_math_same(a, sym);
    for (uint32_t i = 0; i < a->n; i++)
        if (r1_math_has_symbol(a->kid[i], sym)) return true;
    return false;
}

bool r1_math_is_scalar(const r1_node *a)
{
    switch ((r1_kind)a->kind) {
    case K_NUM: case K_SYM: case K_PI: case K_E: case K_I: case K_INF: return true;
    case K_ADD: case K_MUL: case K_POW: case K_FUNC: case K_APPLY: case K_PM:
        for (uint32_t i = 0; i < a->n; i++)
            if (!r1_math_is_scalar(a->kid[i])) return false;
        return true;
    default: return false;
    }
}

bool r1_math_sym_is(const r1_node *a, const char *name)
{
    return a->kind == K_SYM && a->n_name == strlen(name) && !memcmp(a->name, name, a->n_name);
}

r1_node *r1_math_choose_signs(r1_math_ctx *c, r1_node *a, unsigned signs, unsigned *n_signs, bool together)
{
    if (!r1_math_has(a, K_PM) || c->over) return a;
    if (a->kind == K_PM) {
        unsigned bit = together ? 0 : *n_signs;
        ++*n_signs;
        r1_node *kid = r1_math_choose_signs(c, a->kid[0], signs, n_signs, together);
        bool minus = (signs >> (bit & 31) & 1) != (a->op == '-');
        return minus ? r1_math_distribute(c, r1_math_neg(c, kid)) : kid;
    }
    r1_node *x = r1_math_node(c, (r1_kind)a->kind, a->n);
    if (x == &c->bad) return x;
    r1_node **kid = x->kid;
    *x = *a;
    x->kid = kid;
    x->cap = a->n;
    for (uint32_t i = 0; i < a->n; i++) x->kid[i] = r1_math_choose_signs(c, a->kid[i], signs, n_signs, together);
    return x;
}

r1_node *r1_math_subst(r1_math_ctx *c, r1_node *a, const r1_node *sym, r1_node *value)
{
    if (a->kind == K_SYM) return r1_math_same(a, sym) ? value : a;
    if (!a->n || !r1_math_has_symbol(a, sym)) return a;
    bool binds = a->kind == K_FUNC && (a->op == F_SUM || a->op == F_PROD);
    if (binds && r1_math_same(a->kid[0], sym)) return a;
    r1_node *x = r1_math_node(c, (r1_kind)a->kind, a->n);
    if (x == &c->bad) return x;
    r1_node **kid = x->kid, *next = x->next_number;
    *x = *a;
    x->kid = kid;
    x->cap = a->n;
    x->next_number = next;
    for (uint32_t i = 0; i < a->n; i++) x->kid[i] = r1_math_subst(c, a->kid[i], sym, value);
    return x;
}

r1_node *r1_math_unroll(r1_math_ctx *c, const r1_node *a)
{
    enum { TERMS_MAX = 400 };
    mpq_t lo, hi;
    mpq_inits(lo, hi, NULL);
    r1_node *list = NULL;
    bool ok = r1_math_rational(c, a->kid[1], lo) == FOUND_VALUE && r1_math_rational(c, a->kid[2], hi) == FOUND_VALUE;
    ok = ok && mpz_cmp_ui(mpq_denref(lo), 1) == 0 && mpz_cmp_ui(mpq_denref(hi), 1) == 0 && mpz_fits_sint_p(mpq_numref(lo)) && mpz_fits_sint_p(mpq_numref(hi));
    long from = ok ? mpz_get_si(mpq_numref(lo)) : 0, to = ok ? mpz_get_si(mpq_numref(hi)) : 0;
    if (ok && to - from < TERMS_MAX) {
        list = r1_math_append(c, r1_math_node(c, a->op == F_SUM ? K_ADD : K_MUL, 0), r1_math_num(c, a->op == F_SUM ? 0 : 1));
        for (long k = from; k <= to && !c->over; k++) list = r1_math_append(c, list, r1_math_subst(c, a->kid[3], a->kid[0], r1_math_num(c, k)));
    }
    mpq_clears(lo, hi, NULL);
    return list;
}

/* The determinant as an expression, by minors of the first row. */
static r1_node *minor_det(r1_math_ctx *c, const r1_node *m, unsigned rows_used, const uint8_t *cols, uint32_t n)
{
    uint32_t r = rows_used;
    if (n == 1) return m->kid[r * m->cols + cols[0]];
    r1_node *sum = r1_math_node(c, K_ADD, 0);
    for (uint32_t k = 0; k < n && !c->over; k++) {
        uint8_t rest[8];
        for (uint32_t i = 0, j = 0; i < n; i++)
            if (i != k) rest[j++] = cols[i];
        r1_node *term = r1_math_op2(c, K_MUL, m->kid[r * m->cols + cols[k]], minor_det(c, m, r + 1, rest, n - 1));
        sum = r1_math_append(c, sum, k % 2 ? r1_math_neg(c, term) : term);
    }
    return sum;
}

r1_node *r1_math_det(r1_math_ctx *c, const r1_node *m)
{
    static const uint8_t all[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    if (m->kind != K_MATRIX || m->rows != m->cols || m->rows > 5) return NULL;
    for (uint32_t i = 0; i < m->n; i++)
        if (!r1_math_is_scalar(m->kid[i])) return NULL;
    return minor_det(c, m, 0, all, m->rows);
}
