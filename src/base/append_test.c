/* Files that grow by lines: what each mode does with what is there, what a kill leaves, a full disk, two writers. */
#include "tests/test.h"
#include "base/append.h"
#include "base/map.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[128];

static void begin_test(const char *contents)
{
    snprintf(folder, sizeof folder, "/tmp/r1-append-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/out.jsonl", folder);
    if (!contents) return;
    FILE *f = fopen(path, "wb");
    EXPECT(f && fputs(contents, f) >= 0 && fclose(f) == 0);
}

static void end_test(void)
{
    unlink(path);
    EXPECT(rmdir(folder) == 0); /* nothing else is left */
}

static void expect_file(const char *want)
{
    char *text;
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_file_read(path, 1 << 20, &text, &n, &e), &e);
    EXPECT_STR(text, want);
    free(text);
}

static void line(r1_append *a, const char *text)
{
    r1_error e = { 0 };
    EXPECT_OK(r1_append_line(a, text, strlen(text), &e), &e);
}

static r1_append open_it(r1_append_mode mode)
{
    r1_append a;
    r1_error e = { 0 };
    EXPECT_OK(r1_append_open(&a, path, mode, &e), &e);
    return a;
}

static void close_it(r1_append *a)
{
    r1_error e = { 0 };
    EXPECT_OK(r1_append_close(a, &e), &e);
    EXPECT_OK(r1_append_close(a, &e), &e);
}

TEST(modes_keep_refuse_or_replace)
{
    r1_error e = { 0 };
    r1_append a;
    begin_test("{\"old\":1}\n");
    EXPECT_STATUS(r1_append_open(&a, path, R1_APPEND_NEW, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--resume");
    EXPECT_CONTAINS(e.msg, "--force");
    expect_file("{\"old\":1}\n");
    for (r1_append_mode m = R1_APPEND_FORCE; m <= R1_APPEND_RESUME; m++) { /* nothing is touched before it begins */
        a = open_it(m);
        close_it(&a);
        expect_file("{\"old\":1}\n");
    }
    a = open_it(R1_APPEND_RESUME);
    line(&a, "{\"new\":2}");
    expect_file("{\"old\":1}\n{\"new\":2}\n");
    close_it(&a);
    a = open_it(R1_APPEND_FORCE);
    line(&a, "x");
    line(&a, "");
    close_it(&a);
    expect_file("x\n\n");
    end_test();
    for (r1_append_mode m = R1_APPEND_NEW; m <= R1_APPEND_RESUME; m++) {
        begin_test(m == R1_APPEND_NEW ? "" : NULL);
        a = open_it(m);
        line(&a, "first");
        close_it(&a);
        expect_file("first\n");
        end_test();
    }
    begin_test(NULL); /* made and not begun: it was never there */
    a = open_it(R1_APPEND_NEW);
    close_it(&a);
    EXPECT(access(path, F_OK) != 0);
    end_test();
}

TEST(half_a_line_is_cut_off)
{
    static const char *const whole[] = { "", "{\"a\":1}\n", "{\"a\":1}\n\n" };
    char contents[16384], want[64];
    for (size_t i = 0; i < 3; i++) {
        for (size_t torn = 0; torn < 10000; torn = torn * 3 + 1) {
            snprintf(contents, sizeof contents, "%s{%0*d", whole[i], (int)torn, 0);
            begin_test(contents);
            r1_append a = open_it(R1_APPEND_RESUME);
            EXPECT_INT(a.torn, strlen(contents) - strlen(whole[i]));
            EXPECT_INT(a.keep, strlen(whole[i]));
            line(&a, "next");
            close_it(&a);
            snprintf(want, sizeof want, "%snext\n", whole[i]);
            expect_file(want);
            end_test();
        }
    }
    r1_append a;
    r1_error e = { 0 };
    begin_test("a letter to a friend");
    EXPECT_STATUS(r1_append_open(&a, path, R1_APPEND_RESUME, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'{'");
    expect_file("a letter to a friend");
    end_test();
}

TEST(two_writers_are_one_too_many)
{
    r1_error e = { 0 };
    r1_append b;
    begin_test(NULL);
    r1_append a = open_it(R1_APPEND_NEW);
    line(&a, "x");
    for (r1_append_mode m = R1_APPEND_NEW; m <= R1_APPEND_RESUME; m++) {
        EXPECT_STATUS(r1_append_open(&b, path, m, &e), R1_EIO);
        EXPECT_CONTAINS(e.msg, "another process");
    }
    close_it(&a);
    b = open_it(R1_APPEND_RESUME);
    close_it(&b);
    expect_file("x\n");
    end_test();
}

TEST(a_full_disk_leaves_whole_lines)
{
    r1_error e = { 0 };
    struct rlimit old, small = { 10, 10 };
    begin_test(NULL);
    r1_append a = open_it(R1_APPEND_NEW);
    line(&a, "1234");
    signal(SIGXFSZ, SIG_IGN);
    EXPECT(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    r1_status s = r1_append_line(&a, "123456789", 9, &e);
    EXPECT(setrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, SIG_DFL);
    EXPECT_STATUS(s, R1_ENOMEM);
    EXPECT_CONTAINS(e.msg, path);
    expect_file("1234\n");
    line(&a, "5");
    close_it(&a);
    expect_file("1234\n5\n");
    end_test();
}

TEST(a_killed_process_loses_no_line)
{
    begin_test(NULL);
    int p[2];
    EXPECT(pipe(p) == 0);
    pid_t child = fork();
    if (child == 0) {
        r1_append a;
        if (r1_append_open(&a, path, R1_APPEND_NEW, NULL) || r1_append_line(&a, "one", 3, NULL) || r1_append_line(&a, "two", 3, NULL)) _exit(1);
        (void)!write(p[1], "x", 1);
        pause();
    }
    char byte;
    EXPECT(child > 0 && read(p[0], &byte, 1) == 1);
    kill(child, SIGKILL);
    EXPECT(waitpid(child, NULL, 0) == child);
    close(p[0]);
    close(p[1]);
    r1_append a = open_it(R1_APPEND_RESUME); /* the lock went with it */
    EXPECT_INT(a.torn, 0);
    line(&a, "three");
    close_it(&a);
    expect_file("one\ntwo\nthree\n");
    end_test();
}

TEST(what_cannot_be_written_is_refused)
{
    r1_append a;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_append_open(&a, "/nowhere/x", R1_APPEND_NEW, &e), R1_EIO);
    EXPECT_STATUS(r1_append_open(&a, "/tmp", R1_APPEND_NEW, &e), R1_EIO);
    EXPECT_STATUS(r1_append_open(&a, "/dev/null", R1_APPEND_RESUME, &e), R1_EINVAL);
    EXPECT_OK(r1_append_open(&a, "/dev/null", R1_APPEND_NEW, &e), &e); /* a device takes everything */
    line(&a, "x");
    close_it(&a);
}
