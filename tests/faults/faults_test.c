/* Whether the sweeps see what they are for: each fault here is planted, and must be caught. */
#define _GNU_SOURCE
#include "tests/faults/faults.h"
#include "base/base.h"

/* Two blocks, both given back whatever happens. */
static r1_status right(void *ctx, r1_error *err)
{
    (void)ctx;
    char *a = malloc(10), *b = a ? strdup("b") : NULL;
    r1_status s = b ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for two blocks");
    free(a);
    free(b);
    return s;
}

static r1_status leaks(void *ctx, r1_error *err)
{
    char **kept = ctx;
    char *a = malloc(10);
    if (!a) return r1_fail(err, R1_ENOMEM, "no memory");
    char *b = calloc(1, 10);
    if (!b) { /* forgets a; the test gives it back, so that a leak checker has nothing to say */
        *kept = a;
        return r1_fail(err, R1_ENOMEM, "no memory");
    }
    free(a);
    free(b);
    return R1_OK;
}

static r1_status wrong_status(void *ctx, r1_error *err)
{
    (void)ctx;
    char *a = malloc(10);
    if (!a) return r1_fail(err, R1_EFORMAT, "the file is wrong");
    free(a);
    return R1_OK;
}

static r1_status silent(void *ctx, r1_error *err)
{
    (void)ctx;
    (void)err;
    char *a = realloc(NULL, 10);
    if (!a) return R1_ENOMEM;
    free(a);
    return R1_OK;
}

static r1_status idle(void *ctx, r1_error *err)
{
    (void)ctx;
    (void)err;
    return R1_OK;
}

TEST(a_right_function_passes)
{
    char why[512] = "";
    EXPECT_MSG(faults_try(right, NULL, why), "%s", why);
}

TEST(a_leak_on_the_way_out_is_caught)
{
    char why[512] = "", *kept = NULL;
    EXPECT(!faults_try(leaks, &kept, why));
    free(kept);
    EXPECT_STR(why, "allocation 2 failing left 1 blocks behind");
}

TEST(a_wrong_status_is_caught)
{
    char why[512] = "";
    EXPECT(!faults_try(wrong_status, NULL, why));
    EXPECT_CONTAINS(why, "allocation 1 failing gave status 4: the file is wrong");
}

TEST(a_missing_message_is_caught)
{
    char why[512] = "";
    EXPECT(!faults_try(silent, NULL, why));
    EXPECT_CONTAINS(why, "left no message");
}

TEST(a_function_that_allocates_nothing_is_caught)
{
    char why[512] = "";
    EXPECT(!faults_try(idle, NULL, why));
    EXPECT_CONTAINS(why, "allocates nothing");
}

TEST(allocations_are_counted)
{
    faults_reset();
    EXPECT_INT(faults_count(), 0);
    size_t live = faults_live();
    void *a = malloc(1), *b = aligned_alloc(64, 64);
    EXPECT_INT(faults_count(), 2);
    EXPECT_INT(faults_live(), live + 2);
    a = realloc(a, 100000);
    EXPECT_INT(faults_count(), 3);
    EXPECT_INT(faults_live(), live + 2);
    free(a);
    free(b);
    EXPECT_INT(faults_live(), live);
    EXPECT_INT(faults_count(), 3);
}
