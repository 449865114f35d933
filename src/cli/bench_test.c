/* r1 bench: lists of numbers, medians. What it measures is checked from outside (tests/e2e/bench.py). */
#include "tests/test.h"
#include "cli/bench.h"

TEST(bench_lists_are_numbers_between_commas)
{
    r1_bench_list l;
    r1_error err = { 0 };
    EXPECT_OK(r1_bench_list_parse("--depth", "0,4096,16", 0, 5000, &l, &err), &err);
    EXPECT_INT(l.n, 3);
    EXPECT(l.items[0] == 0 && l.items[1] == 4096 && l.items[2] == 16);
    EXPECT_OK(r1_bench_list_parse("--depth", "7", 7, 7, &l, &err), &err);
    EXPECT(l.n == 1 && l.items[0] == 7);
}

TEST(bench_lists_name_what_is_wrong)
{
    static const char *const wrong[] = { "", ",", "1,", ",1", "1,,2", "-1", "+1", " 1", "1 ", "0x8", "1e3", "0", "5001", "99999999999999999999", "1;2", "many" };
    for (size_t i = 0; i < R1_COUNT(wrong); i++) {
        r1_bench_list l;
        r1_error err = { 0 };
        EXPECT_STATUS(r1_bench_list_parse("--prefill", wrong[i], 1, 5000, &l, &err), R1_EINVAL);
        EXPECT_CONTAINS(err.msg, "--prefill is '");
        EXPECT_CONTAINS(err.msg, "1 to 5000");
    }
    r1_bench_list l;
    r1_error err = { 0 };
    EXPECT_STATUS(r1_bench_list_parse("--batch", "1,8,1", 1, 9, &l, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "names 1 twice");
    EXPECT_OK(r1_bench_list_parse("--batch", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 1, 99, &l, &err), &err);
    EXPECT_STATUS(r1_bench_list_parse("--batch", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", 1, 99, &l, &err), R1_EINVAL);
    EXPECT_CONTAINS(err.msg, "more than 16");
}

TEST(bench_knows_what_is_over_the_roof)
{
    r1_bench_test t[] = { { .share = { .median = 0.9, .max = 1.2 } }, { .share = { .median = 1.01 } } };
    r1_bench_product p = { .share = { .median = 1.3 } };
    r1_bench b = { .tests = t, .n_tests = 1 };
    EXPECT(!r1_bench_over_roof(&b)); /* a single repeat may be */
    b.n_tests = 2;
    EXPECT(r1_bench_over_roof(&b));
    b = (r1_bench){ .products = &p, .n_products = 1 };
    EXPECT(r1_bench_over_roof(&b));
}

TEST(bench_medians)
{
    double one[] = { 3 }, odd[] = { 5, -1, 2 }, even[] = { 8, 1, 2, 4 };
    r1_bench_stat s = r1_bench_stat_of(one, 1);
    EXPECT(s.median == 3 && s.min == 3 && s.max == 3);
    s = r1_bench_stat_of(odd, 3);
    EXPECT(s.median == 2 && s.min == -1 && s.max == 5);
    s = r1_bench_stat_of(even, 4);
    EXPECT(s.median == 3 && s.min == 1 && s.max == 8);
}
