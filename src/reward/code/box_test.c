/* box: what a party sees, gets and gives back; what hostile programs (tests/attacks) come to. */
#include "tests/test.h"
#include "reward/code/box.h"
#include <unistd.h>

static r1_boxes *open_boxes(void)
{
    r1_boxes *b;
    r1_error e = { 0 };
    r1_status s = r1_boxes_open(&b, NULL, &e);
    if (s == R1_EUNSUPPORTED) SKIP(e.msg);
    EXPECT_OK(s, &e);
    return b;
}

static r1_box_result run_shell(r1_boxes *b, const char *script, const r1_box_party *like)
{
    r1_box_party p = { 0 };
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    r1_box_result r;
    r1_error e = { 0 };
    if (like) p = *like;
    p.argv = argv;
    EXPECT_OK(r1_box_run(b, &p, 1, &r, NULL, &e), &e);
    return r;
}

TEST(box_gives_files_stdin_and_proof_and_takes_output)
{
    r1_boxes *b = open_boxes();
    static const r1_box_file files[] = { { "a.txt", "first\n", 6, 0 }, { "run", "#!/bin/sh\necho ran\n", 19, 0755 } };
    r1_box_party p = { .files = files, .n_files = 2, .stdin_data = "in\n", .stdin_bytes = 3, .proof_fd = 9 };
    r1_box_result r = run_shell(b, "cat a.txt; ./run; cat; cat /dev/stdin; pwd; echo $HOME $LANG; echo no >&2; echo yes >&9; exit 7", &p);
    EXPECT_INT(r.end, R1_BOX_EXITED);
    EXPECT_INT(r.exit_status, 7);
    EXPECT_STR(r.out, "first\nran\nin\nin\n/box\n/box C.UTF-8\n");
    EXPECT_STR(r.err, "no\n");
    EXPECT_STR(r.proof, "yes\n");
    EXPECT(r.cpu_s > 0 && r.cpu_s < 2 && r.peak_bytes > 100000);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}
