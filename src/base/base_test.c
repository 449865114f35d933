/* Error sentences, buffers, UTF-8, random numbers, half floats. */
#include "tests/test.h"
#include "base/base.h"
#include "base/half.h"
#include "base/rng.h"
#include "base/thread.h"
#include "base/utf8.h"

TEST(an_error_gets_its_context_in_front)
{
    r1_error e = { 0 };
    EXPECT_STATUS(r1_fail(&e, R1_EFORMAT, "found %d", 3), R1_EFORMAT);
    EXPECT_STATUS(r1_context(&e, R1_EFORMAT, "file '%s'", "a"), R1_EFORMAT);
    EXPECT_STR(e.msg, "file 'a': found 3");
}

TEST(an_error_never_holds_control_characters)
{
    r1_error e = { 0 };
    (void)r1_fail(&e, R1_EFORMAT, "%s", "a\x1b[31m\n\xff\xc3");
    EXPECT_STR(e.msg, "a?[31m???");
    (void)r1_fail(&e, R1_EFORMAT, "%s", "a\xe2\x80\xae" "b\xe2\x81\xa6"); /* turns the direction of text */
    EXPECT_STR(e.msg, "a???b???");
}

TEST(a_buffer_refuses_to_pass_its_maximum_and_stays_as_it_was)
{
    r1_buf b;
    r1_error e = { 0 };
    r1_buf_init(&b, 5);
    EXPECT_OK(r1_buf_adds(&b, "abc", &e), &e);
    EXPECT_STATUS(r1_buf_adds(&b, "def", &e), R1_ELIMIT);
    EXPECT_STR(b.data, "abc");
    EXPECT_OK(r1_buf_adds(&b, "de", &e), &e);
    EXPECT_STR(b.data, "abcde");
    r1_buf_deinit(&b);
}

TEST(utf8_invalid_parts_are_maximal)
{
    uint32_t cp;
    EXPECT_INT(r1_utf8_decode("\xe2\x82\xac", 3, &cp), 3);
    EXPECT_INT(cp, 0x20ac);
    EXPECT_INT(r1_utf8_decode("\xe2\x82x", 3, &cp), -2);
    EXPECT_INT(r1_utf8_decode("\xed\xa0\x80", 3, &cp), -1); /* surrogate */
    EXPECT_INT(r1_utf8_decode("\xc0\x80", 2, &cp), -1);     /* overlong */
    EXPECT_INT(r1_utf8_decode("\xf4\x90\x80\x80", 4, &cp), -1);
    EXPECT(r1_utf8_is_partial("\xf0\x9f\x98", 3));
    EXPECT(!r1_utf8_is_partial("\xf0\x8f", 2));
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char s[4];
        if (c >= 0xd800 && c < 0xe000) continue;
        int n = r1_utf8_encode(c, s);
        EXPECT_INT(r1_utf8_decode(s, (size_t)n, &cp), n);
        EXPECT_INT(cp, c);
    }
}

TEST(halves_round_trip_and_round_to_even)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = r1_f16_to_f32((uint16_t)h);
        if (f == f) EXPECT_INT(r1_f16_from_f32(f), h);
        float g = r1_bf16_to_f32((uint16_t)h);
        if (g == g) EXPECT_INT(r1_bf16_from_f32(g), h);
    }
    EXPECT_INT(r1_f16_from_f32(65519.996f), 0x7bff);
    EXPECT_INT(r1_f16_from_f32(65520.0f), 0x7c00);
    EXPECT_INT(r1_f16_from_f32(1.0f + 0x1p-11f), 0x3c00);
    EXPECT_INT(r1_f16_from_f32(1.0f + 3 * 0x1p-11f), 0x3c02);
    EXPECT_INT(r1_f16_from_f32(0x1p-25f), 0);
    EXPECT_INT(r1_f16_from_f32(0x1.8p-25f), 1);
    EXPECT(r1_e4m3_to_f32(0x7e) == 448 && r1_e4m3_to_f32(0x01) == 0x1p-9f && r1_e4m3_to_f32(0xb8) == -1);
}

TEST(philox_gives_the_published_numbers)
{
    uint32_t r[4]; /* known answers of the Random123 distribution, philox4x32 10 rounds */
    r1_rng_block(0, 0, 0, r);
    EXPECT_INT(r[0], 0x6627e8d5);
    EXPECT_INT(r[1], 0xe169c58d);
    EXPECT_INT(r[2], 0xbc57ac4c);
    EXPECT_INT(r[3], 0x9b00dbd8);
    r1_rng_block(0xffffffffffffffffull, 0xffffffffffffffffull, 0xffffffffffffffffull, r);
    EXPECT_INT(r[0], 0x408f276d);
    EXPECT_INT(r[1], 0x41c83b0e);
    EXPECT_INT(r[2], 0xa20bc7c6);
    EXPECT_INT(r[3], 0x6d5451fd);
}

static void count(void *ctx, size_t i, int thread)
{
    (void)thread;
    ((unsigned char *)ctx)[i]++;
}

TEST(every_piece_of_a_region_runs_once)
{
    r1_pool *p;
    r1_error e = { 0 };
    unsigned char seen[100];
    for (int threads = 1; threads <= 4; threads++) {
        EXPECT_OK(r1_pool_new(&p, threads, &e), &e);
        for (int round = 0; round < 2000; round++) {
            size_t n = (size_t)round % sizeof seen;
            memset(seen, 0, sizeof seen);
            r1_pool_run(p, n, count, seen);
            for (size_t i = 0; i < sizeof seen; i++) EXPECT_INT(seen[i], i < n);
        }
        r1_pool_free(p);
    }
}

typedef struct uneven { unsigned char *seen; size_t slow; int threads; } uneven;

/* Pieces of very different length: those past `slow` take long, so that threads take over what others have left. */
static void count_unevenly(void *ctx, size_t i, int thread)
{
    const uneven *u = ctx;
    if (thread < 0 || thread >= u->threads) abort();
    for (volatile int spin = i >= u->slow ? 2000 : 0; spin > 0;) spin = spin - 1;
    u->seen[i]++;
}

TEST(threads_take_over_what_others_left)
{
    enum { N = 1 << 21 }; /* more than a region of the pool holds */
    r1_pool *p;
    r1_error e = { 0 };
    unsigned char *seen = malloc(N);
    EXPECT_OK(r1_pool_new(&p, 3, &e), &e);
    for (size_t n = 1; n < 400; n += 7)
        for (size_t slow = 0; slow <= n; slow += n / 3 + 1) {
            memset(seen, 0, n);
            r1_pool_run(p, n, count_unevenly, &(uneven){ seen, slow, 3 });
            for (size_t i = 0; i < n; i++) EXPECT_INT(seen[i], 1);
        }
    memset(seen, 0, N);
    r1_pool_run(p, N, count_unevenly, &(uneven){ seen, N, 3 });
    size_t once = 0;
    for (size_t i = 0; i < N; i++) once += seen[i] == 1;
    EXPECT(once == N);
    r1_pool_free(p);
    free(seen);
}
