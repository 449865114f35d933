/* Custom commands: what they may say, how they may fail, that nothing of them stays. */
#include "tests/test.h"
#include "reward/reward.h"

#include <signal.h>
#include <unistd.h>

static r1_status ask(r1_custom *c, const char *id, r1_verdict *v, r1_error *e)
{
    json_t *item = json_pack("{s:s, s:s, s:s}", "kind", "custom", "id", id, "response", "some \"text\"");
    r1_status s = r1_custom_check(c, item, v, e);
    json_decref(item);
    return s;
}

static r1_custom *make(const char *command, bool persistent, double time_s)
{
    r1_custom *c;
    r1_error e = { 0 };
    r1_custom_options o = { .persistent = persistent, .time_s = time_s };
    EXPECT_OK(r1_custom_new(&c, command, &o, &e), &e);
    return c;
}

static void scores(const char *command, double score, const char *reason)
{
    r1_custom *c = make(command, false, 0);
    r1_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(ask(c, "7", &v, &e), &e);
    EXPECT_MSG(v.score == score && v.right == (score >= 1), "%s: %g", command, v.score);
    EXPECT_STR(v.reason, reason);
    r1_verdict_deinit(&v);
    r1_custom_free(c);
}

static void fails(const char *command, double time_s, r1_status status, const char *what)
{
    r1_custom *c = make(command, false, time_s);
    r1_verdict v;
    r1_error e = { 0 };
    double start = r1_now();
    EXPECT_STATUS(ask(c, "7", &v, &e), status);
    EXPECT_CONTAINS(e.msg, what);
    EXPECT(r1_now() - start < 15);
    r1_verdict_deinit(&v);
    r1_custom_free(c);
}

TEST(custom_scores)
{
    scores("cat >/dev/null; echo 1", 1, "custom");
    scores("echo 0.25", 0.25, "custom");
    scores("echo -3; exec 1>&-", -3, "custom");
    scores("echo '{\"score\": 0.5, \"reason\": \"half\"}'", 0.5, "half");
    scores("grep -q '\"id\":\"7\"' && echo 1 || echo 0", 1, "custom");
    scores("printf '{\"score\":\\n1}'", 1, "custom");
    scores("printf %s '{\"score\": 1, \"reason\": \"two\\nlines\"}'", 1, "two?lines");
    scores("echo 1; echo noise >&2", 1, "custom");
    scores("echo 1; sleep 300 & exit 0", 1, "custom"); /* a child that holds the pipes open does not hold us up */
}

TEST(custom_extracts)
{
    r1_custom *c = make("echo '{\"score\":1,\"extracted\":\"x\"}'", false, 0);
    r1_verdict v;
    r1_error e = { 0 };
    EXPECT_OK(ask(c, "7", &v, &e), &e);
    EXPECT_STR(v.extracted, "x");
    r1_verdict_deinit(&v);
    r1_custom_free(c);
}

TEST(custom_failures_are_told)
{
    fails("exit 3", 0, R1_EFORMAT, "ended with 3 without a score");
    fails("echo 1; exit 3", 0, R1_EFORMAT, "ended with 3");
    fails("echo broken >&2; exit 1", 0, R1_EFORMAT, "it said: broken");
    fails("kill -9 $$", 0, R1_EFORMAT, "signal 9");
    fails("true", 0, R1_EFORMAT, "ended with 0 without a score");
    fails("no-such-program-at-all", 0, R1_EFORMAT, "ended with 127");
    fails("echo hello", 0, R1_EFORMAT, "wrong JSON");
    fails("echo '[1]'", 0, R1_EFORMAT, "an array");
    fails("echo '{\"scor\": 1}'", 0, R1_EFORMAT, "'scor'");
    fails("echo '{\"reason\": \"x\"}'", 0, R1_EFORMAT, "'score' is missing");
    fails("echo 1e999", 0, R1_EFORMAT, "wrong JSON");
    fails("echo true", 0, R1_EFORMAT, "a boolean");
    fails("sleep 300", 0.2, R1_ELIMIT, "over 0.2 s");
    fails("trap '' TERM INT HUP; while :; do :; done", 0.2, R1_ELIMIT, "over 0.2 s");
    fails("yes", 5, R1_ELIMIT, "65536 bytes");
    fails("yes >&2", 0.3, R1_ELIMIT, "over 0.3 s");
}

TEST(custom_leaves_no_process)
{
    char command[200], path[] = "/tmp/r1-custom-XXXXXX", line[32] = "";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    snprintf(command, sizeof command, "sleep 300 & echo $! >%s; sleep 300", path);
    fails(command, 0.5, R1_ELIMIT, "over 0.5 s");
    EXPECT(read(fd, line, sizeof line - 1) > 0);
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    EXPECT(pid > 1);
    bool gone = false;
    for (int i = 0; i < 200 && !gone; i++) { /* killed at once; whoever inherits it reaps it when it likes */
        char stat[64], text[128] = "";
        snprintf(stat, sizeof stat, "/proc/%d/stat", pid);
        FILE *f = fopen(stat, "r");
        gone = !f || !fgets(text, sizeof text, f) || strstr(text, ") Z") || !strstr(text, "(sleep)");
        if (f) fclose(f);
        usleep(10000);
    }
    EXPECT(gone);
    close(fd);
    unlink(path);
}

TEST(custom_keeps_a_persistent_command)
{
    r1_custom *c = make("n=0; while read -r line; do n=$((n+1)); echo $n; done", true, 0);
    r1_verdict v;
    r1_error e = { 0 };
    for (int i = 1; i <= 3; i++) {
        EXPECT_OK(ask(c, "a", &v, &e), &e);
        EXPECT_INT(v.score, i);
        r1_verdict_deinit(&v);
    }
    r1_custom_free(c);
    c = make("read -r line; echo 1; read -r line; exit 4", true, 0);
    EXPECT_OK(ask(c, "a", &v, &e), &e);
    r1_verdict_deinit(&v);
    EXPECT_STATUS(ask(c, "b", &v, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "ended with 4");
    EXPECT_OK(ask(c, "c", &v, &e), &e); /* started again */
    r1_verdict_deinit(&v);
    r1_custom_free(c);
    c = make("while read -r line; do printf '1\\n2\\n'; done", true, 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_STATUS(ask(c, "a", &v, &e), R1_EFORMAT);
        EXPECT_CONTAINS(e.msg, "more than one line");
    }
    r1_custom_free(c);
}

TEST(custom_takes_items_larger_than_a_pipe)
{
    const size_t n = (size_t)3 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    json_t *item = json_pack("{s:s%}", "response", text, n);
    r1_verdict v;
    r1_error e = { 0 };
    r1_custom *c = make("wc -c", false, 0);
    EXPECT_OK(r1_custom_check(c, item, &v, &e), &e);
    EXPECT_INT(v.score, n + 16);
    r1_verdict_deinit(&v);
    r1_custom_free(c);
    c = make("echo 1", false, 0); /* reads nothing: no SIGPIPE reaches us */
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(r1_custom_check(c, item, &v, &e), &e);
        r1_verdict_deinit(&v);
    }
    r1_custom_free(c);
    json_decref(item);
    free(text);
    sigset_t pending;
    sigpending(&pending);
    EXPECT(!sigismember(&pending, SIGPIPE));
}

static bool never(void *ctx) { return ++*(int *)ctx < 3; }

TEST(custom_can_be_stopped)
{
    int asked = 0;
    r1_custom_options o = { .go_on = never, .ctx = &asked };
    r1_custom *c;
    r1_error e = { 0 };
    r1_verdict v;
    EXPECT_OK(r1_custom_new(&c, "sleep 300", &o, &e), &e);
    EXPECT_STATUS(ask(c, "a", &v, &e), R1_ECANCELLED);
    r1_custom_free(c);
    EXPECT_STATUS(r1_custom_new(&c, "", NULL, &e), R1_EINVAL);
    o.time_s = -1;
    EXPECT_STATUS(r1_custom_new(&c, "true", &o, &e), R1_EINVAL);
    r1_custom_free(NULL);
}
