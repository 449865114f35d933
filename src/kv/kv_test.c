/* Pages: sizes, rows stored and read back within the error of each type, pages given back and used again, promises. */
#include "tests/test.h"
#include "base/half.h"
#include "kv/kv.h"

#include <math.h>

static const r1_kv_type types[] = { R1_KV_F32, R1_KV_F16, R1_KV_BF16, R1_KV_Q8_0 };
static const size_t lengths[] = { 1, 2, 31, 32, 33, 48, 64, 65, 80, 130 };

/* ---- rows -------------------------------------------------------------------------------------------------------- */

TEST(rows_have_the_bytes_of_their_type)
{
    EXPECT_INT(r1_kv_row_bytes(R1_KV_F32, 80), 320);
    EXPECT_INT(r1_kv_row_bytes(R1_KV_F16, 80), 160);
    EXPECT_INT(r1_kv_row_bytes(R1_KV_BF16, 81), 162);
    EXPECT_INT(r1_kv_row_bytes(R1_KV_Q8_0, 64), 68);
    EXPECT_INT(r1_kv_row_bytes(R1_KV_Q8_0, 65), 102); /* a started block counts whole */
    for (size_t i = 0; i < R1_COUNT(types); i++) EXPECT_INT(r1_kv_row_bytes(types[i], 0), 0);
}

TEST(names_of_types_are_parsed_back)
{
    r1_kv_type t;
    for (r1_kv_type i = R1_KV_AUTO; i <= R1_KV_F32; i++) EXPECT(r1_kv_type_parse(r1_kv_type_name(i), &t) && t == i);
    EXPECT(!r1_kv_type_parse("q4_0", &t));
    EXPECT(!r1_kv_type_parse("", &t));
    EXPECT(!r1_kv_type_parse("F16", &t));
}

/* What rounding x[i] may change: half a unit in the last place, or in Q8_0 half a step plus what rounding the step to f16 does. */
static double row_bound(r1_kv_type type, const float *x, size_t n, size_t i)
{
    if (type == R1_KV_F32) return 0;
    if (type == R1_KV_F16) return fabs(x[i]) * 0x1p-11 + 0x1p-25;
    if (type == R1_KV_BF16) return fabs(x[i]) * 0x1p-8;
    float amax = 0;
    for (size_t j = i / 32 * 32; j < r1_min(n, i / 32 * 32 + 32); j++) amax = fmaxf(amax, fabsf(x[j]));
    double d = amax / 127.0;
    return d * (0.5 + 127 * 0x1p-11 + 127 * 0x1p-22) + 127 * 0x1p-25; /* last: a step below 2^-14 is rounded to 2^-24 */
}

static void check_round_trip(r1_kv_type type, const r1_kernels *k, size_t n, uint64_t *seed)
{
    enum { GUARD = 64 };
    uint8_t row[4 * 130 + GUARD];
    float x[130], y[130 + GUARD];
    size_t bytes = r1_kv_row_bytes(type, n);
    float size = ldexpf(1, (int)(test_random(seed) % 24) - 16);
    for (size_t i = 0; i < n; i++) x[i] = size * ((float)(test_random(seed) % 20001) / 10000 - 1) * (test_random(seed) % 8 ? 1 : 0.01f);
    memset(row, 0xA5, sizeof row);
    memset(y, 0xA5, sizeof y);
    r1_kv_store(type, k, row, x, n);
    r1_kv_load(type, k, y, row, n);
    for (size_t i = 0; i < GUARD; i++) EXPECT(row[bytes + i] == 0xA5); /* exactly its bytes */
    for (size_t i = n; i < n + GUARD; i++) EXPECT(!memcmp(&y[i], "\xA5\xA5\xA5\xA5", 4));
    for (size_t i = 0; i < n; i++)
        EXPECT_MSG(fabs((double)x[i] - y[i]) <= row_bound(type, x, n, i), "%s, %zu values, level %s: %g came back as %g", r1_kv_type_name(type), n, k->name,
                   (double)x[i], (double)y[i]);
}

TEST(rows_come_back_within_the_error_of_their_type)
{
    uint64_t seed = test_seed();
    for (r1_cpu_level level = R1_CPU_SCALAR; level <= R1_CPU_NEON; level++) {
        if (!r1_cpu_has(level)) continue;
        r1_kernels k;
        r1_kernels_init(&k, level);
        for (size_t round = 0; round < 20; round++)
            for (size_t t = 0; t < R1_COUNT(types); t++)
                for (size_t l = 0; l < R1_COUNT(lengths); l++) check_round_trip(types[t], &k, lengths[l], &seed);
    }
}

TEST(rows_have_the_same_bytes_at_every_level)
{
    uint64_t seed = test_seed();
    r1_kernels scalar;
    r1_kernels_init(&scalar, R1_CPU_SCALAR);
    for (r1_cpu_level level = R1_CPU_AVX2; level <= R1_CPU_NEON; level++) {
        if (!r1_cpu_has(level)) continue;
        r1_kernels k;
        r1_kernels_init(&k, level);
        for (size_t t = 0; t < R1_COUNT(types); t++) {
            float x[130], a[130], b[130];
            uint8_t p[520] = { 0 }, q[520] = { 0 };
            for (size_t i = 0; i < 130; i++) x[i] = (float)((int)(test_random(&seed) % 200001) - 100000) / 7777;
            r1_kv_store(types[t], &scalar, p, x, 130);
            r1_kv_store(types[t], &k, q, x, 130);
            EXPECT(!memcmp(p, q, sizeof p));
            r1_kv_load(types[t], &scalar, a, p, 130);
            r1_kv_load(types[t], &k, b, p, 130);
            EXPECT(!memcmp(a, b, sizeof a));
        }
    }
}

TEST(zeros_are_kept_and_what_is_not_finite_stays_visible)
{
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_SCALAR);
    const float odd[] = { NAN, INFINITY, -INFINITY };
    for (size_t t = 0; t < R1_COUNT(types); t++) {
        uint8_t row[4 * 70];
        float x[70] = { 0 }, y[70];
        r1_kv_store(types[t], &k, row, x, 70);
        r1_kv_load(types[t], &k, y, row, 70);
        for (size_t i = 0; i < 70; i++) EXPECT(y[i] == 0);
        for (size_t o = 0; o < 3; o++) {
            for (size_t i = 0; i < 70; i++) x[i] = 1;
            x[40] = odd[o];
            r1_kv_store(types[t], &k, row, x, 70);
            r1_kv_load(types[t], &k, y, row, 70);
            EXPECT_MSG(!isfinite(y[40]), "%s: %g came back as %g", r1_kv_type_name(types[t]), (double)x[40], (double)y[40]);
            EXPECT(fabsf(y[31] - 1) < 0.001f && fabsf(y[64] - 1) < 0.001f); /* other blocks are not touched */
        }
        for (size_t i = 0; i < 70; i++) x[i] = 1e-42f; /* the step is below anything f16 holds */
        r1_kv_store(types[t], &k, row, x, 70);
        r1_kv_load(types[t], &k, y, row, 70);
        for (size_t i = 0; i < 70; i++) EXPECT(y[i] >= 0 && y[i] < 1e-40f);
    }
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

static r1_kv_pool *make_pool(r1_kv_type type, int layers, int heads, int key_dim, int value_dim)
{
    r1_kv_pool *p;
    r1_error e = { 0 };
    const r1_kv_shape shape = { type, layers, heads, key_dim, value_dim };
    EXPECT_OK(r1_kv_pool_new(&p, &shape, &e), &e);
    EXPECT(!memcmp(r1_kv_pool_shape(p), &shape, sizeof shape));
    return p;
}

static r1_kv *make_kv(r1_kv_pool *p, size_t n_ctx)
{
    r1_kv *kv;
    r1_error e = { 0 };
    EXPECT_OK(r1_kv_new(&kv, p, n_ctx, &e), &e);
    EXPECT_INT(r1_kv_bytes(kv), 0);
    return kv;
}

/* Fill the rows of token t, or see that they are as filled, with values made from tag and place that every type holds exactly: whole
 * numbers up to 127, which is the first of each 32, so that the step of Q8_0 is 1. */
static void each_row(r1_kv *kv, size_t t, uint32_t tag, bool check)
{
    const r1_kv_shape *s = r1_kv_shape_of(kv);
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_AUTO);
    for (int layer = 0; layer < s->n_layers; layer++) {
        for (int head = 0; head < s->n_heads; head++) {
            for (int part = 0; part < (s->value_dim ? 2 : 1); part++) {
                size_t n = (size_t)(part ? s->value_dim : s->key_dim);
                uint32_t x = (tag * 1000003u + (uint32_t)t) * 64 + (uint32_t)(layer * 16 + head * 2 + part);
                float want[300], got[300];
                for (size_t i = 0; i < n; i++) {
                    x = x * 1664525u + 1013904223u;
                    want[i] = i % 32 ? (float)((int)(x >> 24) % 255 - 127) : 127;
                }
                if (!check) (part ? r1_kv_store_value : r1_kv_store_key)(kv, &k, layer, head, t, want);
                (part ? r1_kv_load_value : r1_kv_load_key)(kv, &k, layer, head, t, got);
                EXPECT_MSG(!memcmp(got, want, n * sizeof *want), "session %u: token %zu, layer %d, head %d was overwritten", tag, t, layer, head);
            }
        }
    }
}

TEST(rows_of_all_tokens_layers_and_heads_lie_apart)
{
    for (size_t i = 0; i < 2 * R1_COUNT(types); i++) {
        r1_kv_pool *p = make_pool(types[i / 2], 3, 2, i % 3 ? 40 : 290, i % 2 ? 24 : 0);
        r1_kv *a = make_kv(p, 3 * R1_KV_PAGE + 1), *b = make_kv(p, 2 * R1_KV_PAGE);
        size_t na = 3 * R1_KV_PAGE + 1, nb = R1_KV_PAGE + 1;
        r1_kv_resize(a, na);
        r1_kv_resize(b, nb);
        for (size_t t = 0; t < na; t++) each_row(a, t, 1, false);
        for (size_t t = 0; t < nb; t++) each_row(b, t, 2, false);
        for (size_t t = 0; t < na; t++) each_row(a, t, 1, true);
        for (size_t t = 0; t < nb; t++) each_row(b, t, 2, true);
        EXPECT_INT((uintptr_t)r1_kv_keys(a, 1, 0, 0) % 64, 0);
        EXPECT_INT(r1_kv_bytes(a), 4 * R1_KV_PAGE * r1_kv_token_bytes(p));
        r1_kv_free(a);
        r1_kv_free(b);
        r1_kv_pool_free(p);
    }
}

/* Where a page has what: the kernels of attention read it so. */
TEST(keys_are_columns_where_there_are_values)
{
    r1_kernels k;
    r1_kernels_init(&k, R1_CPU_SCALAR);
    for (int values = 0; values < 2; values++) {
        r1_kv_pool *p = make_pool(R1_KV_F32, 1, 2, 5, values ? 3 : 0);
        r1_kv *kv = make_kv(p, R1_KV_PAGE);
        const float x[] = { 1, 2, 3, 4, 5 };
        r1_kv_resize(kv, R1_KV_PAGE);
        r1_kv_store_key(kv, &k, 0, 1, 2, x);
        const float *page = (const float *)(const void *)r1_kv_keys(kv, 0, 1, 2);
        for (size_t i = 0; i < 5; i++) EXPECT(page[values ? i * R1_KV_PAGE + 2 : 10 + i] == x[i]);
        if (values) {
            r1_kv_store_value(kv, &k, 0, 1, 2, x);
            for (size_t i = 0; i < 3; i++) EXPECT(((const float *)(const void *)r1_kv_values(kv, 0, 1, 2))[6 + i] == x[i]);
        }
        r1_kv_free(kv);
        r1_kv_pool_free(p);
    }
    r1_kv_pool *p = make_pool(R1_KV_Q8_0, 1, 1, 40, 40);
    r1_kv *kv = make_kv(p, R1_KV_PAGE);
    float x[40] = { 0 };
    x[33] = -127 * 0.5f;
    r1_kv_resize(kv, R1_KV_PAGE);
    r1_kv_store_key(kv, &k, 0, 0, 1, x);
    const uint8_t *second = r1_kv_keys(kv, 0, 0, 0) + R1_KV_PAGE * 34;
    EXPECT_INT(((const uint16_t *)(const void *)second)[1], 0x3800); /* 0.5 */
    EXPECT_INT(((const int8_t *)second)[R1_KV_PAGE * 2 + R1_KV_PAGE + 1], -127);
    r1_kv_free(kv);
    r1_kv_pool_free(p);
}

TEST(a_token_takes_at_least_its_rows)
{
    r1_kv_pool *p = make_pool(R1_KV_F16, 5, 4, 64, 64);
    EXPECT(r1_kv_token_bytes(p) >= 5 * 4 * 2 * 64 * 2);
    if ((int)R1_KV_PAGE % 64 == 0) EXPECT_INT(r1_kv_token_bytes(p), 5 * 4 * 2 * 64 * 2); /* nothing is lost to alignment */
    r1_kv_pool_free(p);
}

TEST(a_context_of_one_token_has_one_page)
{
    r1_kv_pool *p = make_pool(R1_KV_F32, 1, 1, 4, 4);
    r1_kv *kv = make_kv(p, 1);
    r1_kv_resize(kv, 1);
    each_row(kv, 0, 1, false);
    each_row(kv, 0, 1, true);
    EXPECT_INT(r1_kv_bytes(kv) / R1_KV_PAGE, r1_kv_token_bytes(p));
    r1_kv_resize(kv, 0);
    EXPECT_INT(r1_kv_bytes(kv), 0);
    r1_kv_free(kv);
    r1_kv_free(NULL);
    r1_kv_pool_free(p);
    r1_kv_pool_free(NULL);
}

TEST(resizing_keeps_what_stays)
{
    r1_kv_pool *p = make_pool(R1_KV_Q8_0, 2, 1, 33, 0);
    size_t n_ctx = 10 * R1_KV_PAGE;
    r1_kv *kv = make_kv(p, n_ctx);
    r1_kv_resize(kv, 1);
    size_t page = r1_kv_bytes(kv);
    EXPECT_INT(page / R1_KV_PAGE, r1_kv_token_bytes(p));
    for (size_t n = 1; n <= n_ctx; n++) {
        r1_kv_resize(kv, n);
        EXPECT_INT(r1_kv_bytes(kv), r1_ceil_div(n, R1_KV_PAGE) * page);
        each_row(kv, n - 1, 7, false);
    }
    for (size_t n = n_ctx; n > 0; n -= n > 5 ? 5 : n) {
        r1_kv_resize(kv, n);
        EXPECT_INT(r1_kv_bytes(kv), r1_ceil_div(n, R1_KV_PAGE) * page);
        for (size_t t = 0; t < n; t++) each_row(kv, t, 7, true);
    }
    r1_kv_free(kv);
    r1_kv_pool_free(p);
}

/* Pages given back are the next ones taken: no session makes the pool grow while there are free ones beyond the promises. */
TEST(pages_given_back_are_used_again)
{
    enum { PAGES = 8 };
    r1_kv_pool *p = make_pool(R1_KV_F16, 2, 1, 16, 16);
    uint8_t *seen[2 * PAGES];
    r1_kv *a = make_kv(p, PAGES * R1_KV_PAGE), *b = make_kv(p, PAGES * R1_KV_PAGE);
    r1_kv_resize(a, PAGES * R1_KV_PAGE);
    r1_kv_resize(b, PAGES * R1_KV_PAGE);
    for (size_t i = 0; i < PAGES; i++) seen[i] = r1_kv_keys(a, 0, 0, i * R1_KV_PAGE), seen[PAGES + i] = r1_kv_keys(b, 0, 0, i * R1_KV_PAGE);
    for (int round = 0; round < 5; round++) {
        r1_kv_free(round % 2 ? a : b);
        r1_kv *c = make_kv(p, (PAGES - 1) * R1_KV_PAGE - 1); /* a little smaller than what is free */
        r1_kv_resize(c, (PAGES - 1) * R1_KV_PAGE - 1);
        for (size_t i = 0; i < PAGES - 1; i++) {
            bool known = false;
            for (size_t j = 0; j < 2 * PAGES; j++) known = known || seen[j] == r1_kv_keys(c, 0, 0, i * R1_KV_PAGE);
            EXPECT(known);
        }
        *(round % 2 ? &a : &b) = c;
    }
    r1_kv_free(a);
    r1_kv_free(b);
    r1_kv_pool_free(p);
}

/* Every session can always have all the tokens it was promised, whatever the others took, gave back or promised since. */
TEST(promises_are_kept_in_any_order)
{
    enum { SESSIONS = 12 };
    r1_kv_pool *p = make_pool(R1_KV_BF16, 1, 2, 8, 8);
    uint64_t seed = test_seed();
    struct { r1_kv *kv; size_t n_ctx, n; uint32_t tag; } s[SESSIONS] = { 0 };
    for (uint32_t step = 0; step < 600; step++) {
        size_t i = test_random(&seed) % SESSIONS;
        if (!s[i].kv) {
            s[i].n_ctx = 1 + test_random(&seed) % (4 * R1_KV_PAGE);
            s[i].n = 0;
            s[i].tag = step;
            s[i].kv = make_kv(p, s[i].n_ctx);
        }
        size_t n = test_random(&seed) % 4 ? test_random(&seed) % (s[i].n_ctx + 1) : s[i].n_ctx;
        r1_kv_resize(s[i].kv, n);
        for (size_t t = s[i].n; t < n; t++) each_row(s[i].kv, t, s[i].tag, false);
        s[i].n = n;
        for (size_t j = 0; j < SESSIONS && step % 10 == 0; j++)
            for (size_t t = 0; s[j].kv && t < s[j].n; t++) each_row(s[j].kv, t, s[j].tag, true);
        if (test_random(&seed) % 4 == 0) {
            r1_kv_free(s[i].kv);
            s[i].kv = NULL;
        }
    }
    for (size_t i = 0; i < SESSIONS; i++) r1_kv_free(s[i].kv);
    r1_kv_pool_free(p);
}

TEST(a_context_too_large_is_refused_and_nothing_changes)
{
    r1_kv_pool *p = make_pool(R1_KV_F32, 61, 128, 192, 128);
    r1_kv *a = make_kv(p, 2 * R1_KV_PAGE), *b = (r1_kv *)p;
    const size_t too_large[] = { (size_t)1 << 36, SIZE_MAX / 16, SIZE_MAX - 1, SIZE_MAX };
    for (size_t i = 0; i < R1_COUNT(too_large); i++) {
        r1_error e = { 0 };
        EXPECT_STATUS(r1_kv_new(&b, p, too_large[i], &e), R1_ENOMEM);
        EXPECT_NULL(b);
        EXPECT(e.msg[0] != 0);
    }
    b = make_kv(p, 1);
    r1_kv_resize(a, 2 * R1_KV_PAGE);
    r1_kv_resize(b, 1);
    EXPECT(r1_kv_keys(b, 0, 0, 0) != r1_kv_keys(a, 0, 0, 0) && r1_kv_keys(b, 0, 0, 0) != r1_kv_keys(a, 0, 0, R1_KV_PAGE));
    r1_kv_free(a);
    r1_kv_free(b);
    r1_kv_pool_free(p);
}

/* Sessions that begin alike, in any order of sharing, cutting, writing and closing: each has its own text. */
TEST(shared_pages_are_copied_before_they_are_written)
{
    enum { SESSIONS = 8, N_CTX = 5 * R1_KV_PAGE + 1 };
    r1_kv_pool *p = make_pool(R1_KV_F16, 1, 2, 8, 8);
    uint64_t seed = test_seed();
    struct { r1_kv *kv; size_t n; uint32_t tag[N_CTX]; } s[SESSIONS] = { 0 };
    size_t n_shared = 0;
    for (uint32_t step = 1; step < 400; step++) {
        size_t i = test_random(&seed) % SESSIONS, from = test_random(&seed) % SESSIONS;
        if (!s[i].kv) {
            s[i].kv = make_kv(p, N_CTX);
            s[i].n = 0;
            if (from != i && s[from].kv) {
                s[i].n = test_random(&seed) % (s[from].n + 1);
                r1_kv_share(s[i].kv, s[from].kv, s[i].n);
                memcpy(s[i].tag, s[from].tag, sizeof s[i].tag);
                EXPECT_INT(r1_kv_pages(s[i].kv), r1_ceil_div(s[i].n, R1_KV_PAGE));
                n_shared += s[i].n > 0;
                EXPECT(!s[i].n || (r1_kv_shared(s[i].kv, s[i].n - 1) && r1_kv_shared(s[from].kv, 0) && !r1_kv_shared(s[i].kv, N_CTX + R1_KV_PAGE)));
            }
        } else if (test_random(&seed) % 4 == 0) {
            s[i].n = test_random(&seed) % (s[i].n + 1);
            r1_kv_resize(s[i].kv, s[i].n);
        }
        size_t n = r1_min(N_CTX, s[i].n + test_random(&seed) % (2 * R1_KV_PAGE));
        r1_kv_own(s[i].kv, s[i].n);
        r1_kv_resize(s[i].kv, n);
        for (size_t t = s[i].n; t < n; t++) each_row(s[i].kv, t, s[i].tag[t] = step, false);
        s[i].n = n;
        for (size_t j = 0; j < SESSIONS && step % 20 == 0; j++)
            for (size_t t = 0; s[j].kv && t < s[j].n; t += 1 + t % 5) each_row(s[j].kv, t, s[j].tag[t], true);
        if (test_random(&seed) % 4 == 0) {
            r1_kv_free(s[i].kv);
            s[i].kv = NULL;
        }
    }
    EXPECT(n_shared > 20);
    size_t held = 0;
    for (size_t i = 0; i < SESSIONS; i++) held += s[i].kv ? r1_kv_pages(s[i].kv) : 0;
    EXPECT(r1_kv_pool_used(p) <= held);
    for (size_t i = 0; i < SESSIONS; i++) r1_kv_free(s[i].kv);
    EXPECT_INT(r1_kv_pool_used(p), 0);
    r1_kv_pool_free(p);
}
