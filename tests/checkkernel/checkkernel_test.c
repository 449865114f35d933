/* checkkernel, the entries that work element by element, on one vector, and the 16-bit floats.
 * How it works is in checkkernel.h. */
#define _DEFAULT_SOURCE
#include "tests/checkkernel/checkkernel.h"
#include "kernels/exp.h"

/* Lengths of vectors: all up to 100, then some around powers of two. Ends with 0. */
static size_t length(size_t i)
{
    static const size_t more[] = { 127, 128, 129, 255, 256, 257, 500, 511, 512, 513, 1000, 1024, 2047, 4100, 0 };
    return i < 100 ? i + 1 : more[i - 100];
}

/* Run f for every length and kind of numbers. */
static bool every_length(check *c, bool (*f)(check *c, size_t n, int kind))
{
    for (size_t i = 0; length(i); i++)
        for (int kind = 0; kind < KINDS; kind++)
            if (!f(c, length(i), kind)) return false;
    return true;
}

/* A rounded result of one operation: half an ulp, or half the smallest subnormal. Beyond the largest float nothing is said. */
static bool rounded(check *c, const char *what, size_t i, size_t n, float got, double want)
{
    if (isfinite(want) && fabs(want) >= 0x1.ffffffp127) want = want > 0 ? (double)INFINITY : -(double)INFINITY;
    return ck_near(c, what, i, n, got, want, U * fabs(want) * (1 + 1e-6) + 0x1.000001p-150);
}

/* ---- one operation an element ---- */

static bool add_case(check *c, size_t n, int kind)
{
    float *y = ck_new(c, 0, n, kind), *x = ck_new(c, 1, n, kind), *want = ck_place(c, 2, n * 4, 4);
    memcpy(want, y, n * 4);
    c->k->add(y, x, n);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; c->oracle && i < n; i++)
        if (!rounded(c, "y", i, n, y[i], (double)want[i] + (double)x[i])) return false;
    c->ref->add(want, x, n);
    return c->oracle || ck_all_same(c, "y", y, want, n);
}

/* The sum of an exact product (48 bits) and a float, in double: the error of the second rounding is far below U. */
static bool axpy_case(check *c, size_t n, int kind)
{
    float *y = ck_new(c, 0, n, kind), *x = ck_new(c, 1, n, kind), *want = ck_place(c, 2, n * 4, 4), s = ck_float(c, kind);
    memcpy(want, y, n * 4);
    c->k->axpy(y, s, x, n);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; c->oracle && i < n; i++)
        if (!rounded(c, "y", i, n, y[i], (double)s * (double)x[i] + (double)want[i])) return false;
    c->ref->axpy(want, s, x, n);
    return c->oracle || ck_all_same(c, "y", y, want, n);
}

static bool scale_case(check *c, size_t n, int kind)
{
    float *x = ck_new(c, 0, n, kind), *want = ck_place(c, 1, n * 4, 4), s = ck_float(c, kind);
    memcpy(want, x, n * 4);
    c->k->scale(x, s, n);
    if (!ck_zones_ok(c)) return false;
    for (size_t i = 0; c->oracle && i < n; i++)
        if (!rounded(c, "x", i, n, x[i], (double)want[i] * (double)s)) return false;
    c->ref->scale(want, s, n);
    return c->oracle || ck_all_same(c, "x", x, want, n);
}

static bool check_add(check *c) { return every_length(c, add_case); }
static bool check_axpy(check *c) { return every_length(c, axpy_case); }
static bool check_scale(check *c) { return every_length(c, scale_case); }

TEST(add) { ck_run(check_add); }
TEST(axpy) { ck_run(check_axpy); }
TEST(scale) { ck_run(check_scale); }

/* ---- silu, exp, norm ---- */

/* (g / (1 + e^-g)) * u. exp is wrong by R1_EXP_WORST_ULP, at most twice as many U relative; the sum, the quotient and the
 * product round once each. Where e^-g overflows in float the result is 0: the truth is below R1_EXP_HI * e^-R1_EXP_HI * u. */
static double silu_bound(double g, double u, double want)
{
    double left_out = -g > (double)R1_EXP_HI ? 90 * exp(-(double)R1_EXP_HI) * fabs(u) : 0;
    return (2 * R1_EXP_WORST_ULP + 3.01) * U * fabs(want) + left_out + 0x1p-149 * (1 + fabs(u));
}

/* place: 0 y apart, 1 y is g, 2 y is u. */
static bool silu_one(check *c, size_t n, int kind, int place)
{
    float *g = ck_new(c, 0, n, kind), *u = ck_new(c, 1, n, kind), *apart = ck_place(c, 2, n * 4, 4);
    for (size_t i = 0; i < n; i++)
        if (kind == UNIT) g[i] *= 100; /* through both ends of exp */
    float *want = ck_place(c, 3, n * 4, 4), *g0 = ck_place(c, 4, n * 4, 4), *u0 = ck_place(c, 5, n * 4, 4);
    memcpy(g0, g, n * 4);
    memcpy(u0, u, n * 4);
    float *y = place == 1 ? g : place == 2 ? u : apart;
    c->k->silu_mul(y, g, u, n);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        c->ref->silu_mul(want, g0, u0, n);
        return ck_all_same(c, "y", y, want, n);
    }
    for (size_t i = 0; i < n; i++) {
        double a = (double)g0[i], b = (double)u0[i], silu = a / (1 + exp(-a)), exact = silu * b;
        if (fabs(exact) > 3e38 || !isfinite(a) || !isfinite(b)) continue; /* next test */
        if (!ck_near(c, "y", i, n, y[i], exact, silu_bound(a, b, exact))) return false;
    }
    return true;
}

static bool silu_case(check *c, size_t n, int kind)
{
    for (int place = 0; place < 3; place++)
        if (!silu_one(c, n, kind, place)) return false;
    return true;
}

static bool check_silu(check *c) { return every_length(c, silu_case); }

TEST(silu_mul) { ck_run(check_silu); }

TEST(silu_mul_of_what_is_not_finite)
{
    float g[6] = { INFINITY, -INFINITY, NAN, 1, 200, -200 }, u[6] = { 2, 2, 2, NAN, INFINITY, 3 }, y[6];
    for (size_t i = 0; i < R1_COUNT(ck_levels); i++) {
        r1_kernels k;
        if (!r1_cpu_has(ck_levels[i])) continue;
        r1_kernels_init(&k, ck_levels[i]);
        k.silu_mul(y, g, u, 6);
        EXPECT(y[0] == INFINITY && isnan(y[1]) && isnan(y[2]) && isnan(y[3]) && y[4] == INFINITY && y[5] == 0);
    }
}

/* Elements are r1_exp's bits; the sum has n/16 additions in a lane and 4 between lanes. */
static bool exp_sum_case(check *c, size_t n, int kind)
{
    float *x = ck_new(c, 0, n, kind), *want = ck_place(c, 1, n * 4, 4), m = kind == RAW ? 0 : fabsf(ck_float(c, UNIT));
    for (size_t i = 0; i < n; i++) {
        if (kind == UNIT) x[i] *= 90;
        want[i] = x[i];
    }
    float sum = c->k->exp_sum(x, m, n);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        float ref = c->ref->exp_sum(want, m, n);
        return ck_all_same(c, "x", x, want, n) && ck_all_same(c, "sum", &sum, &ref, 1);
    }
    double exact = 0;
    for (size_t i = 0; i < n; i++) {
        float e = r1_exp(want[i] - m);
        if (!ck_all_same(c, "x", &x[i], &e, 1)) return false;
        exact += (double)e;
    }
    if (isfinite(exact) && exact > 3e38) return true;
    return ck_near(c, "sum", 0, n, sum, exact, ((double)r1_ceil_div(n, 16) + 5) * U * exact);
}

static bool check_exp_sum(check *c) { return every_length(c, exp_sum_case); }

TEST(exp_sum) { ck_run(check_exp_sum); }

/* Every exponent and both signs through the exp of each level, bit by bit with r1_exp. */
TEST(exp_has_the_same_bits_everywhere)
{
    enum { N = 4096 };
    static float x[N], y[N];
    for (size_t l = 0; l < R1_COUNT(ck_levels); l++) {
        r1_kernels k;
        if (!r1_cpu_has(ck_levels[l])) continue;
        r1_kernels_init(&k, ck_levels[l]);
        uint32_t bits = 0;
        for (int round = 0; round < 256; round++) {
            for (size_t i = 0; i < N; i++, bits += 4099) y[i] = x[i] = r1_f32_from_bits(bits);
            k.exp_sum(y, 0, N);
            for (size_t i = 0; i < N; i++)
                if (!ck_same(y[i], r1_exp(x[i]))) fail_msg("%s: exp of %a is %a, expected %a", k.name, (double)x[i], (double)y[i], (double)r1_exp(x[i]));
        }
    }
}

/* s: half the relative error of the mean (n/16 + 4 roundings and the quotient) with eps, the root and the reciprocal; then
 * two products. */
static bool rmsnorm_case(check *c, size_t n, int kind)
{
    float *x = ck_new(c, 0, n, kind), *w = ck_new(c, 1, n, kind), *apart = ck_place(c, 2, n * 4, 4);
    float *want = ck_place(c, 3, n * 4, 4), *x0 = ck_place(c, 4, n * 4, 4), eps = ck_below(c, 2) ? 1e-6f : 1e-5f;
    memcpy(x0, x, n * 4);
    float *y = ck_below(c, 2) ? apart : x;
    c->k->rmsnorm(y, x, w, n, eps);
    if (!ck_zones_ok(c)) return false;
    if (!c->oracle) {
        c->ref->rmsnorm(want, x0, w, n, eps);
        return ck_all_same(c, "y", y, want, n);
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x0[i] * (double)x0[i];
    if (!isnan(sum) && sum > 3e38) return true;
    double s = 1 / sqrt(sum / (double)n + (double)eps), steps = ((double)r1_ceil_div(n, 16) + 6) / 2 + 4;
    for (size_t i = 0; i < n; i++) {
        double exact = (double)w[i] * ((double)x0[i] * s);
        if (isfinite(exact) && fabs(exact) > 3e38) continue;
        if (isinf(w[i]) && fabs((double)x0[i] * s) < 0x1p-126) continue; /* infinity times what underflows in float */
        if (!ck_near(c, "y", i, n, y[i], exact, (steps + 1) * U * fabs(exact) + 0x1p-149 * (1 + fabs((double)w[i])))) return false;
    }
    return true;
}

static bool check_rmsnorm(check *c) { return every_length(c, rmsnorm_case); }

TEST(rmsnorm) { ck_run(check_rmsnorm); }

/* ---- the largest ---- */

/* Many equal values and few kinds of them, so that ties, NaN and zeros of both signs meet in every lane. */
static void few_values(check *c, float *x, size_t n)
{
    static const uint32_t v[] = { 0, 0x80000000, 0x7FC00000, 0xFFC00000, 0xFF800000, 0x7F800000, 0x3F800000, 0xBF800000 };
    size_t from = ck_below(c, 8), count = 1 + ck_below(c, 8);
    for (size_t i = 0; i < n; i++) x[i] = r1_f32_from_bits(v[(from + ck_below(c, count)) % 8]);
}

static bool largest_case(check *c, size_t n, int kind)
{
    float *x = ck_new(c, 0, n, kind);
    if (kind == WIDE) few_values(c, x, n);
    float best = -INFINITY, got = c->k->max(x, n);
    size_t at = n;
    for (size_t i = n; i-- > 0;) /* backwards, with >=: the lowest index stays */
        if (x[i] >= best) {
            best = x[i];
            at = i;
        }
    if (best == 0) best = 0;
    int32_t index = c->k->argmax(x, n), want = at == n ? -1 : (int32_t)at;
    if (!ck_all_same(c, "max", &got, &best, 1)) return false;
    if (index != want) return ck_fail(c, "argmax of %zu values is %d, expected %d", n, index, want);
    return ck_zones_ok(c);
}

static bool check_largest(check *c)
{
    for (int i = 0; i < 8; i++)
        if (!every_length(c, largest_case)) return false;
    return true;
}

TEST(max_and_argmax) { ck_run(check_largest); }

/* ---- 16-bit floats ---- */

typedef struct half_format {
    const char *name;
    float (*widen)(uint16_t);
    uint16_t infinity;
    bool f16;
} half_format;

static const half_format formats[] = { { "f16", r1_f16_to_f32, 0x7C00, true }, { "bf16", r1_bf16_to_f32, 0x7F80, false } };

static void narrow(const r1_kernels *k, const half_format *f, uint16_t *y, const float *x, size_t n)
{
    if (f->f16) k->f32_to_f16(y, x, n);
    else k->f32_to_bf16(y, x, n);
}

/* What code a float must become, by search: the two codes around |v|, the nearer one, the even one of equals. */
static uint16_t nearest_code(const half_format *f, float v)
{
    uint16_t sign = signbit(v) ? 0x8000 : 0, lo = 0, hi = f->infinity;
    double a = fabs((double)v), top = (double)f->widen((uint16_t)(f->infinity - 1)), below = (double)f->widen((uint16_t)(f->infinity - 2));
    while (lo + 1 < hi) {
        uint16_t mid = (uint16_t)((lo + hi) / 2);
        if ((double)f->widen(mid) <= a) lo = mid;
        else hi = mid;
    }
    double up = hi == f->infinity ? top + (top - below) : (double)f->widen(hi), down = (double)f->widen(lo); /* infinity's place */
    bool take_up = a - down > up - a || (a - down == up - a && (lo & 1));
    return (uint16_t)(sign | (take_up ? hi : lo));
}

static bool codes_ok(check *c, const half_format *f, const float *x, const uint16_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t a = y[i] & 0x7FFF;
        bool quiet_nan = a > f->infinity && (a & (f->f16 ? 0x200 : 0x40));
        bool ok = isnan(x[i]) ? quiet_nan && (y[i] >> 15) == (signbit(x[i]) != 0) : y[i] == nearest_code(f, x[i]);
        if (!ok) return ck_fail(c, "%s of %a is 0x%04X, expected 0x%04X", f->name, (double)x[i], y[i], isnan(x[i]) ? 0x7FFF : nearest_code(f, x[i]));
    }
    return true;
}

/* Every code, every midpoint between neighbours, and the floats next to both. */
static bool check_all_codes(check *c)
{
    static float x[65536 * 5];
    static uint16_t y[65536 * 5];
    for (size_t t = 0; t < R1_COUNT(formats); t++) {
        const half_format *f = &formats[t];
        size_t n = 0;
        for (uint32_t code = 0; code < 65536; code++) {
            float v = f->widen((uint16_t)code), next;
            x[n++] = v;
            if ((code & 0x7FFF) >= f->infinity) continue;
            bool last = (code & 0x7FFF) == f->infinity - 1u;
            next = last ? 2 * v - f->widen((uint16_t)(code - 1)) : f->widen((uint16_t)(code + 1));
            float middle = last && !f->f16 ? r1_f32_from_bits(r1_f32_bits(v) | 0x8000) : v / 2 + next / 2;
            x[n++] = nextafterf(v, INFINITY);
            x[n++] = middle;
            x[n++] = nextafterf(middle, INFINITY);
            x[n++] = nextafterf(middle, -INFINITY);
        }
        narrow(c->k, f, y, x, n);
        if (!codes_ok(c, f, x, y, n)) return false;
        for (size_t i = 0, code = 0; i < n; code++) { /* what was a code comes back as itself */
            bool finite = (code & 0x7FFF) < f->infinity;
            if ((code & 0x7FFF) <= f->infinity && y[i] != code) return ck_fail(c, "%s 0x%04zX comes back as 0x%04X", f->name, code, y[i]);
            i += finite ? 5 : 1;
        }
    }
    return true;
}

static bool half_case(check *c, size_t n, int kind)
{
    float *x = ck_new(c, 0, n, kind);
    for (size_t t = 0; t < R1_COUNT(formats); t++) {
        uint16_t *y = ck_place(c, 1, n * 2, 2), *want = ck_place(c, 2, n * 2, 2);
        narrow(c->k, &formats[t], y, x, n);
        if (!ck_zones_ok(c) || !codes_ok(c, &formats[t], x, y, n)) return false;
        narrow(c->ref, &formats[t], want, x, n);
        for (size_t i = 0; i < n; i++)
            if (y[i] != want[i] && !isnan(x[i])) return ck_fail(c, "%s of %a is 0x%04X, scalar's 0x%04X", formats[t].name, (double)x[i], y[i], want[i]);
    }
    return true;
}

static bool check_half(check *c) { return check_all_codes(c) && every_length(c, half_case); }

TEST(f32_to_f16_and_bf16) { ck_run(check_half); }

/* ---- planted faults ---- */

static r1_kernels scalar_table(void)
{
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_SCALAR);
    return k;
}

static void add_all_but_last(float *y, const float *x, size_t n) { scalar_table().add(y, x, n - n % 16 / 15); }

static void axpy_unfused(float *y, float s, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float product = s * x[i];
        y[i] += product;
    }
}

static void silu_without_u(float *y, const float *g, const float *u, size_t n)
{
    scalar_table().silu_mul(y, g, u, n);
    if (n > 90) y[90] = g[90];
}

static float exp_sum_late(float *x, float m, size_t n) { return scalar_table().exp_sum(x, m, n) * (1 + 0x1p-18f); }

static void rmsnorm_without_eps(float *y, const float *x, const float *w, size_t n, float eps) { scalar_table().rmsnorm(y, x, w, n, eps * 0.5f); }

static float max_from_zero(const float *x, size_t n) { return fmaxf(scalar_table().max(x, n), 0); }

static int32_t argmax_last(const float *x, size_t n)
{
    int32_t a = scalar_table().argmax(x, n);
    for (size_t i = 0; a >= 0 && i < n; i++)
        if (x[i] == x[a]) a = (int32_t)i;
    return a;
}

static void f16_truncated(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = r1_f16_from_f32(r1_f32_from_bits(r1_f32_bits(x[i]) & 0xFFFFE000));
}

static void bf16_half_up(uint16_t *y, const float *x, size_t n)
{
    scalar_table().f32_to_bf16(y, x, n);
    for (size_t i = 0; i < n; i++)
        if ((r1_f32_bits(x[i]) & 0xFFFF) == 0x8000 && !isnan(x[i])) y[i] = (uint16_t)((r1_f32_bits(x[i]) + 0x8000) >> 16);
}

TEST(planted_faults_are_caught)
{
    r1_kernels k = scalar_table();
    k.add = add_all_but_last;
    ck_expect_caught(check_add, &k, "an addition without the last element of some lengths");
    k.axpy = axpy_unfused;
    ck_expect_caught(check_axpy, &k, "a product rounded before it is added");
    k.silu_mul = silu_without_u;
    ck_expect_caught(check_silu, &k, "one element without its factor");
    k.exp_sum = exp_sum_late;
    ck_expect_caught(check_exp_sum, &k, "a sum wrong by 2^-18");
    k.rmsnorm = rmsnorm_without_eps;
    ck_expect_caught(check_rmsnorm, &k, "half of eps");
    k.max = max_from_zero;
    ck_expect_caught(check_largest, &k, "a largest value that is never negative");
    k = scalar_table();
    k.argmax = argmax_last;
    ck_expect_caught(check_largest, &k, "the last of equals");
    k.f32_to_f16 = f16_truncated;
    ck_expect_caught(check_half, &k, "truncation instead of rounding");
    k = scalar_table();
    k.f32_to_bf16 = bf16_half_up;
    ck_expect_caught(check_half, &k, "ties rounded up");
}

/* ---- measuring ---- */

typedef struct job {
    const r1_kernels *k;
    float *x, *y, *z;
    uint16_t *h;
    size_t n;
} job;

static void run_add(void *p) { job *j = p; j->k->add(j->y, j->x, j->n); }
static void run_axpy(void *p) { job *j = p; j->k->axpy(j->y, 0.001f, j->x, j->n); }
static void run_scale(void *p) { job *j = p; j->k->scale(j->y, 1.0f, j->n); }
static void run_silu(void *p) { job *j = p; j->k->silu_mul(j->y, j->x, j->z, j->n); }
static void run_exp_sum(void *p) { job *j = p; j->z[0] = j->k->exp_sum(j->y, 1, j->n); }
static void run_rmsnorm(void *p) { job *j = p; j->k->rmsnorm(j->y, j->x, j->z, j->n, 1e-6f); }
static void run_max(void *p) { job *j = p; j->z[0] = j->k->max(j->x, j->n); }
static void run_argmax(void *p) { job *j = p; j->z[0] = (float)j->k->argmax(j->x, j->n); }
static void run_f16(void *p) { job *j = p; j->k->f32_to_f16(j->h, j->x, j->n); }
static void run_bf16(void *p) { job *j = p; j->k->f32_to_bf16(j->h, j->x, j->n); }

TEST(bench_vectors)
{
    if (!ck_bench()) SKIP("R1_BENCH=1 measures vectors of 8192 values");
    enum { N = R1_KEYS * 128 };
    static const struct { const char *name; void (*f)(void *); double bytes, operations; } runs[] = {
        { "add", run_add, 12.0 * N, N }, { "axpy", run_axpy, 12.0 * N, 2.0 * N }, { "scale", run_scale, 8.0 * N, N },
        { "silu_mul", run_silu, 12.0 * N, 3.0 * N }, { "exp_sum", run_exp_sum, 8.0 * N, 3.0 * N }, { "rmsnorm", run_rmsnorm, 16.0 * N, 4.0 * N },
        { "max", run_max, 4.0 * N, N }, { "argmax", run_argmax, 4.0 * N, N }, { "f32_to_f16", run_f16, 6.0 * N, N },
        { "f32_to_bf16", run_bf16, 6.0 * N, N },
    };
    job j = { .x = malloc(N * 4), .y = malloc(N * 4), .z = malloc(N * 4), .h = malloc(N * 2), .n = N };
    EXPECT(j.x && j.y && j.z && j.h);
    for (size_t l = 0; l < R1_COUNT(ck_levels); l++) {
        r1_kernels k;
        if (!r1_cpu_has(ck_levels[l])) continue;
        r1_kernels_init(&k, ck_levels[l]);
        j.k = &k;
        for (size_t i = 0; i < R1_COUNT(runs); i++) {
            for (size_t n = 0; n < N; n++) j.x[n] = j.y[n] = j.z[n] = (float)(n % 97) / 97;
            double s = ck_seconds(runs[i].f, &j);
            printf("%-7s %-22s %8.2f GB/s %8.2f GOPS\n", k.name, runs[i].name, runs[i].bytes / s / 1e9, runs[i].operations / s / 1e9);
        }
    }
    free(j.x);
    free(j.y);
    free(j.z);
    free(j.h);
}
