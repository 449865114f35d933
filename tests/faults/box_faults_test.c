/* Failing allocations of the sandbox: opening, a run of two parties, closing. */
#include "tests/faults/faults.h"
#include "reward/code/box.h"

static r1_status run_two(void *ctx, r1_error *err)
{
    (void)ctx;
    r1_boxes *b;
    r1_box_result r[2];
    static const char *const argv[] = { "/bin/sh", "-c", "cat f; echo x >&5", NULL }, *const env[] = { "A=1", NULL };
    static const r1_box_file file = { "f", "text", 4, 0 };
    const r1_box_party p = { .argv = argv, .env = env, .files = &file, .n_files = 1, .proof_fd = 5, .take = "f", .take_max = 10 };
    const r1_box_party both[2] = { p, p };
    r1_status s = r1_boxes_open(&b, NULL, err);
    if (s) {
        EXPECT_NULL(b);
        return s;
    }
    s = r1_box_run(b, both, 2, r, NULL, err);
    for (int i = 0; i < 2; i++) {
        if (s) EXPECT(!r[i].out && !r[i].err && !r[i].proof && !r[i].taken);
        else EXPECT(strcmp(r[i].out, "text") == 0 && strcmp(r[i].taken, "text") == 0);
        r1_box_result_deinit(&r[i]);
    }
    r1_boxes_close(b);
    return s;
}

TEST(box_survives_failing_allocations)
{
    r1_boxes *b;
    r1_error e = { 0 };
    if (r1_boxes_open(&b, NULL, &e) == R1_EUNSUPPORTED) SKIP(e.msg);
    r1_boxes_close(b);
    FAULTS_SWEEP(run_two, NULL);
}
