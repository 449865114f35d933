/* box: what a party is given and gives back, parties together, limits, refusals, and that nothing survives its caller. Hostile programs are in
 * box_attack_test.c. */
#include "reward/code/boxes_test.h"
#include <pthread.h>
#include <sys/mman.h>

TEST(box_gives_files_stdin_and_proof_and_takes_output)
{
    r1_boxes *b = boxes_open();
    static const r1_box_file files[] = { { "a.txt", "first\n", 6, 0 }, { "run", "#!/bin/sh\necho ran\n", 19, 0755 } };
    const char *env[] = { "X=1 2", "HOME=/tmp", NULL };
    const r1_box_party p = { .files = files, .n_files = 2, .stdin_data = "in\n", .stdin_bytes = 3, .proof_fd = 9, .env = env };
    r1_box_result r = boxes_shell(b, "cat a.txt; ./run; cat; cat /dev/stdin; pwd; echo $X $HOME $LANG; echo no >&2; echo yes >&9; exit 7", &p);
    EXPECT_INT(r.end, R1_BOX_EXITED);
    EXPECT_INT(r.exit_status, 7);
    EXPECT_STR(r.out, "first\nran\nin\nin\n/box\n1 2 /tmp C.UTF-8\n");
    EXPECT_STR(r.err, "no\n");
    EXPECT_STR(r.proof, "yes\n");
    EXPECT(r.cpu_s > 0 && r.cpu_s < 2 && r.peak_bytes > 100000 && r.peak_bytes < 200 << 20);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

TEST(box_has_nothing_of_the_callers_environment)
{
    r1_boxes *b = boxes_open();
    setenv("R1_SECRET", "x", 1);
    setenv("LD_PRELOAD_OF_TESTS", "x", 1);
    int open_here = open("/dev/null", O_RDONLY); /* not closed on exec */
    const char *argv[] = { "./files", "environment", NULL };
    const r1_box_party p = { .files = boxes_program(b, "files"), .n_files = 1 };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_STR(r.out, "PATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\nHOME=/box\nTMPDIR=/tmp\nUV_USE_IO_URING=0\n");
    r1_box_result_deinit(&r);
    argv[1] = "descriptors";
    r = boxes_run(b, argv, &p);
    EXPECT_STR(r.out, "done\n");
    r1_box_result_deinit(&r);
    close(open_here);
    r1_boxes_close(b);
}

TEST(box_takes_a_file_out_after_success_only)
{
    r1_boxes *b = boxes_open();
    r1_box_party p = { .take = "x", .take_max = 4 };
    r1_box_result r = boxes_shell(b, "printf abcd >x", &p);
    EXPECT(r.taken && r.n_taken == 4);
    EXPECT_STR(r.taken, "abcd");
    r1_box_result_deinit(&r);
    r = boxes_shell(b, "printf abcde >x", &p);
    EXPECT_NULL(r.taken);
    EXPECT_STR(r.taken_why, "is too large");
    r1_box_result_deinit(&r);
    r = boxes_shell(b, "printf abcd >x; exit 1", &p);
    EXPECT_NULL(r.taken);
    EXPECT_NULL(r.taken_why);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

TEST(box_says_what_could_not_be_started)
{
    r1_boxes *b = boxes_open();
    static const r1_box_file text = { "text", "no program", 10, 0644 };
    const char *argv[] = { "./absent", NULL };
    const r1_box_party p = { .files = &text, .n_files = 1 };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_INT(r.end, R1_BOX_NOT_STARTED);
    EXPECT_INT(r.exit_status, ENOENT);
    r1_box_result_deinit(&r);
    argv[0] = "./text";
    r = boxes_run(b, argv, &p);
    EXPECT_INT(r.end, R1_BOX_NOT_STARTED);
    EXPECT_INT(r.exit_status, EACCES);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

TEST(box_refuses_wrong_arguments)
{
    r1_boxes *b = boxes_open();
    r1_box_result r[4];
    r1_error e = { 0 };
    static const char *const argv[] = { "/bin/true", NULL };
    static const r1_box_file bad[] = { { "../x", "", 0, 0 } }, twice[] = { { "x", "", 0, 0 }, { "x", "", 0, 0 } };
    static const r1_box_fd same[] = { { 1, 5 }, { 2, 5 } }, closed[] = { { 999, 5 } };
    r1_box_party p[4] = { { .argv = argv } };
    EXPECT_STATUS(r1_box_run(b, p, 0, r, NULL, &e), R1_EINVAL);
    EXPECT_STATUS(r1_box_run(b, p, 4, r, NULL, &e), R1_EINVAL);
    p[0] = (r1_box_party){ .argv = argv, .files = bad, .n_files = 1 };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'../x'");
    p[0] = (r1_box_party){ .argv = argv, .files = twice, .n_files = 2 };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    p[0] = (r1_box_party){ .argv = argv, .take = "a/b" };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    p[0] = (r1_box_party){ .argv = argv, .fds = same, .n_fds = 2 };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    p[0] = (r1_box_party){ .argv = argv, .fds = closed, .n_fds = 1 };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    p[0] = (r1_box_party){ .argv = argv, .limits = { .n_open = 100000 } };
    EXPECT_STATUS(r1_box_run(b, p, 1, r, NULL, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "100000");
    p[0] = (r1_box_party){ .argv = argv };
    EXPECT_OK(r1_box_run(b, p, 1, r, NULL, &e), &e);
    EXPECT_INT(r[0].end, R1_BOX_EXITED);
    r1_box_result_deinit(&r[0]);
    r1_boxes_close(b);
}

/* ---- parties together -------------------------------------------------------------------------------------------- */

TEST(parties_talk_over_descriptors_and_do_not_see_each_other)
{
    r1_boxes *b = boxes_open();
    int s[2];
    r1_error e = { 0 };
    r1_box_result r[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    const char *ask[] = { "/bin/sh", "-c", "echo 6 >&4; read x <&4; echo got $x; for i in 1 3 4 5 6 7; do kill -9 $i; done 2>/dev/null; ls", NULL };
    const char *answer[] = { "/bin/sh", "-c", "read x <&3; echo $((x * 7)) >&3; while read y <&3; do :; done; echo bye", NULL };
    r1_box_fd f[2] = { { s[0], 4 }, { s[1], 3 } };
    static const r1_box_file secret = { "expected", "42", 2, 0 };
    r1_box_party p[2] = { { .argv = ask, .fds = &f[0], .n_fds = 1 }, { .argv = answer, .fds = &f[1], .n_fds = 1, .files = &secret, .n_files = 1 } };
    p[0].ends_others = true;
    EXPECT_OK(r1_box_run(b, p, 2, r, NULL, &e), &e);
    EXPECT_STR(r[0].out, "got 42\n");
    EXPECT_INT(r[0].end, R1_BOX_EXITED);
    EXPECT_MSG(r[1].end == R1_BOX_STOPPED, "end %d", r[1].end);
    for (int i = 0; i < 2; i++) {
        r1_box_result_deinit(&r[i]);
        close(s[i]);
    }
    r1_boxes_close(b);
}

static bool close_both(void *ctx)
{
    int *s = ctx;
    for (int i = 0; i < 2; i++) {
        if (s[i] >= 0) close(s[i]);
        s[i] = -1;
    }
    return false;
}

/* Whose end makes the other end is told by its own end, not by ours. */
TEST(a_party_that_ended_by_itself_is_not_called_stopped)
{
    r1_boxes *b = boxes_open();
    static const char *const dies[] = { "/bin/sh", "-c", "sleep 0.1; kill -SEGV $$", NULL }, *const waits[] = { "/bin/sh", "-c", "cat <&3", NULL };
    for (int i = 0; i < 20; i++) {
        int s[2];
        r1_error e = { 0 };
        r1_box_result r[2];
        EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
        r1_box_fd f[2] = { { s[0], 3 }, { s[1], 3 } };
        const r1_box_party p[2] = { { .argv = dies, .fds = &f[0], .n_fds = 1, .ends_others = i % 2 }, { .argv = waits, .fds = &f[1], .n_fds = 1, .ends_others = true } };
        const r1_box_run_options o = { .cancelled = close_both, .ctx = s };
        EXPECT_OK(r1_box_run(b, p, 2, r, &o, &e), &e);
        EXPECT_MSG(r[0].end == R1_BOX_SIGNALED && r[0].signal == SIGSEGV, "run %d: end %d signal %d", i, r[0].end, r[0].signal);
        EXPECT(r[1].end == R1_BOX_EXITED || (r[1].end == R1_BOX_STOPPED && i % 2));
        for (int k = 0; k < 2; k++) r1_box_result_deinit(&r[k]);
        close_both(s);
    }
    r1_boxes_close(b);
}

static bool at_once(void *ctx) { return ++*(int *)ctx > 1; }

TEST(a_run_can_be_cancelled)
{
    r1_boxes *b = boxes_open();
    r1_box_result r;
    r1_error e = { 0 };
    int asked = 0;
    host h;
    host_begin(&h);
    static const char *const argv[] = { "/bin/sleep", "1000", NULL };
    const r1_box_party p = { .argv = argv };
    const r1_box_run_options o = { .cancelled = at_once, .ctx = &asked };
    EXPECT_STATUS(r1_box_run(b, &p, 1, &r, &o, &e), R1_ECANCELLED);
    EXPECT_NULL(r.out);
    host_check(&h, 0);
    host_end(&h);
    r1_boxes_close(b);
}

typedef struct many { r1_boxes *b; int id, bad; } many;

static void *run_many(void *x)
{
    many *m = x;
    for (int i = 0; i < 12; i++) {
        char script[64], want[32];
        snprintf(script, sizeof script, "echo %d; echo x >f; ls; exit %d", m->id * 100 + i, i);
        snprintf(want, sizeof want, "%d\nf\n", m->id * 100 + i);
        const char *argv[] = { "/bin/sh", "-c", script, NULL };
        const r1_box_party p = { .argv = argv };
        r1_box_result r;
        r1_error e = { 0 };
        if (r1_box_run(m->b, &p, 1, &r, NULL, &e) || r.end != R1_BOX_EXITED || r.exit_status != i || strcmp(r.out, want) != 0) m->bad++;
        r1_box_result_deinit(&r);
    }
    return NULL;
}

TEST(boxes_run_at_once_from_several_threads)
{
    many m[4];
    pthread_t t[4];
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    for (int i = 0; i < 4; i++) {
        m[i] = (many){ b, i, 0 };
        EXPECT(pthread_create(&t[i], NULL, run_many, &m[i]) == 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) EXPECT_INT(m[i].bad, 0);
    host_check(&h, 3);
    r1_boxes_close(b);
    EXPECT_INT(host_processes(), h.n_processes - 2); /* and now not even launchers */
    host_end(&h);
}

/* ---- limits on a busy machine ------------------------------------------------------------------------------------ */

static void *loop_in_a_box(void *x)
{
    static const char *const argv[] = { "/bin/sh", "-c", "while :; do :; done", NULL };
    const r1_box_party p = { .argv = argv, .limits = { .cpu_s = 2 } };
    r1_box_result r;
    r1_error e = { 0 };
    if (r1_box_run(x, &p, 1, &r, NULL, &e) == R1_OK) r1_box_result_deinit(&r);
    return NULL;
}

TEST(an_honest_program_at_nine_tenths_of_its_time_passes_on_a_busy_machine)
{
    r1_boxes *b = boxes_open();
    pthread_t t[6];
    const char *argv[] = { "./time", "work", NULL };
    r1_box_party p = { .files = boxes_program(b, "time"), .n_files = 1, .limits = { .cpu_s = 0.5, .wall_s = 60 } };
    for (int i = 0; i < 6; i++) EXPECT(pthread_create(&t[i], NULL, loop_in_a_box, b) == 0);
    pause_ms(100);
    r1_box_result r = boxes_run(b, argv, &p);
    for (int i = 0; i < 6; i++) pthread_join(t[i], NULL);
    EXPECT_MSG(r.end == R1_BOX_EXITED, "end %d, %g s of CPU time, %g s", r.end, r.cpu_s, r.wall_s);
    EXPECT_STR(r.out, "done\n");
    EXPECT_MSG(r.cpu_s > 0.44 && r.cpu_s < 0.5, "%g s", r.cpu_s);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

TEST(limits_of_parties_are_their_own)
{
    r1_boxes *b = boxes_open();
    r1_box_party p = { .limits = { .output_bytes = 10, .file_bytes = 100 } };
    r1_box_result r = boxes_shell(b, "echo 123456789", &p);
    EXPECT_INT(r.end, R1_BOX_EXITED);
    EXPECT_INT(r.n_out, 10);
    r1_box_result_deinit(&r);
    r = boxes_shell(b, "echo 1234567890", &p);
    EXPECT_INT(r.end, R1_BOX_OUTPUT);
    EXPECT_INT(r.n_out, 10);
    EXPECT(r.out_cut && !r.err_cut);
    r1_box_result_deinit(&r);
    r = boxes_shell(b, "exec head -c 101 /dev/zero >f", &p);
    EXPECT_INT(r.end, R1_BOX_SIGNALED);
    EXPECT_INT(r.signal, SIGXFSZ);
    r1_box_result_deinit(&r);
    p.limits = (r1_box_limits){ .n_processes = 3 };
    r = boxes_shell(b, "sleep 1000 & sleep 1000 & sleep 1000 & echo more", &p);
    EXPECT_CONTAINS(r.err, "fork");
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

/* ---- what is missing --------------------------------------------------------------------------------------------- */

TEST(missing_protections_are_named_and_refused_unless_allowed)
{
    r1_boxes *b = boxes_open();
    r1_boxes_close(b);
    static const struct { unsigned bit; const char *name; } optional[] = {
        { R1_BOX_NET_NS, "network namespaces" }, { R1_BOX_IPC_NS, "IPC namespaces" }, { R1_BOX_SECCOMP, "seccomp filters" }, { R1_BOX_NOTIFY, "seccomp notifications" },
        { R1_BOX_LANDLOCK, "Landlock" }, { R1_BOX_NPROC, "a limit of processes" } };
    for (size_t i = 0; i < R1_COUNT(optional); i++) {
        r1_error e = { 0 };
        r1_box_options o = { .pretend_missing = optional[i].bit };
        EXPECT_STATUS(r1_boxes_open(&b, &o, &e), R1_EUNSUPPORTED);
        EXPECT_NULL(b);
        EXPECT_CONTAINS(e.msg, optional[i].name);
        o.allow_weaker = true;
        EXPECT_OK(r1_boxes_open(&b, &o, &e), &e);
        EXPECT(r1_boxes_missing(b) & optional[i].bit);
        r1_box_result r = boxes_shell(b, "echo hi", NULL);
        EXPECT_STR(r.out, "hi\n");
        r1_box_result_deinit(&r);
        if (optional[i].bit == R1_BOX_NOTIFY) { /* the kernel kills, no name is known */
            r = boxes_shell(b, "exec unshare -U true", NULL);
            EXPECT_INT(r.end, R1_BOX_DENIED);
            EXPECT_STR(r.denied, "");
            r1_box_result_deinit(&r);
        }
        r1_boxes_close(b);
    }
    r1_error e = { 0 };
    r1_box_options o = { .pretend_missing = R1_BOX_USER_NS, .allow_weaker = true };
    EXPECT_STATUS(r1_boxes_open(&b, &o, &e), R1_EUNSUPPORTED);
    EXPECT_CONTAINS(e.msg, "user namespaces");
}

TEST(folders_are_shown_read_only_under_their_names)
{
    r1_boxes *b = boxes_open();
    r1_boxes_close(b);
    char folder[] = "/var/tmp/r1-shown-XXXXXX", path[64], script[200];
    r1_error e = { 0 };
    if (!mkdtemp(folder)) SKIP("no /var/tmp to write to");
    chmod(folder, 0755);
    snprintf(path, sizeof path, "%s/f", folder);
    EXPECT_OK(r1_file_write(path, "seen\n", 5, false, &e), &e);
    chmod(path, 0666);
    const char *folders[] = { folder, "/usr/lib", "/not/there" }, *relative[] = { "a/b" }, *own[] = { "/tmp" };
    r1_box_options o = { .folders = folders, .n_folders = 3 };
    EXPECT_OK(r1_boxes_open(&b, &o, &e), &e);
    snprintf(script, sizeof script, "cat %s/f; (echo x >%s/f) 2>/dev/null || echo cannot; ls /var/tmp | wc -l", folder, folder);
    r1_box_result r = boxes_shell(b, script, NULL);
    EXPECT_STR(r.out, "seen\ncannot\n1\n");
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
    unlink(path);
    rmdir(folder);
    o = (r1_box_options){ .folders = relative, .n_folders = 1 };
    EXPECT_STATUS(r1_boxes_open(&b, &o, &e), R1_EINVAL);
    o.folders = own;
    EXPECT_STATUS(r1_boxes_open(&b, &o, &e), R1_EINVAL);
}

TEST(programs_are_found)
{
    r1_box_program p;
    r1_error e = { 0 };
    EXPECT_OK(r1_box_find(&p, "sh", NULL, &e), &e);
    EXPECT(p.path[0] == '/');
    EXPECT_STR(p.folder, "");
    EXPECT_STATUS(r1_box_find(&p, "no-such-program-anywhere", NULL, &e), R1_EUNSUPPORTED);
    EXPECT_CONTAINS(e.msg, "no-such-program-anywhere");
    EXPECT_STATUS(r1_box_find(&p, "sh", "/nowhere", &e), R1_EUNSUPPORTED);
    EXPECT_STATUS(r1_box_find(&p, "/bin", NULL, &e), R1_EUNSUPPORTED);
    /* a version manager's shim: a script that knows where the program is */
    char folder[] = "/tmp/r1-shim-XXXXXX", path[64];
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/python3", folder);
    const char *shim = "#!/bin/sh\necho /bin/sh\n";
    EXPECT_OK(r1_file_write(path, shim, strlen(shim), false, &e), &e);
    chmod(path, 0755);
    EXPECT_OK(r1_box_find(&p, "python3", folder, &e), &e);
    EXPECT_MSG(!strstr(p.path, folder) && strstr(p.path, "/bin/"), "%s", p.path);
    unlink(path);
    rmdir(folder);
}

/* ---- nothing survives its caller --------------------------------------------------------------------------------- */

/* Whether a process with this word in its command line is there. */
static int processes_with(const char *word)
{
    int count = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d)) != NULL; ) {
        char path[300], text[512];
        if (atoi(e->d_name) <= 0) continue;
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f) fclose(f);
        for (size_t i = 0; i < n; i++) if (!text[i]) text[i] = ' ';
        text[n] = 0;
        count += strstr(text, word) != NULL;
    }
    if (d) closedir(d);
    return count;
}

static _Noreturn void run_until_killed(const char *word)
{
    r1_boxes *b;
    r1_box_result r;
    char script[200];
    snprintf(script, sizeof script, "for i in 1 2 3; do setsid sleep %s & done; trap '' TERM INT HUP; exec sleep %s", word, word);
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    const r1_box_party p = { .argv = argv };
    if (r1_boxes_open(&b, NULL, NULL)) _exit(1);
    if (fork() == 0) { /* one that outlives its parent, with copies of all its descriptors */
        pause_ms(15000);
        _exit(0);
    }
    _exit(r1_box_run(b, &p, 1, &r, NULL, NULL) ? 2 : 3);
}

/* Wait for a count of processes, at most 10 s. */
static bool becomes(const char *word, int least, int most)
{
    for (int i = 0; i < 1000; i++) {
        int n = processes_with(word);
        if (n >= least && n <= most) return true;
        pause_ms(10);
    }
    return false;
}

TEST(nothing_is_left_when_the_caller_is_killed)
{
    r1_boxes *b = boxes_open();
    r1_boxes_close(b);
    char word[32];
    snprintf(word, sizeof word, "98765.%d", (int)getpid());
    pid_t pid = fork();
    if (pid == 0) run_until_killed(word);
    EXPECT(becomes(word, 4, 4));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    EXPECT_MSG(becomes(word, 0, 0), "%d processes outlived their caller", processes_with(word));
}

/* The n-th process down from one of ours: 1 the stub, 2 the launcher, 3 init. */
static int below(int pid, int n)
{
    for (; n > 0; n--) {
        char path[64], text[64] = "";
        snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
        FILE *f = fopen(path, "r");
        size_t k = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f) fclose(f);
        text[k] = 0;
        pid = atoi(text);
        if (pid <= 0) return 0;
    }
    return pid;
}

static void *kill_below(void *x)
{
    int pid = 0;
    for (int i = 0; i < 500 && !pid; i++) {
        pause_ms(10);
        pid = below(getpid(), 4) ? below(getpid(), *(int *)x) : 0; /* the program is there, so all of them are */
    }
    if (pid) kill(pid, SIGKILL);
    return NULL;
}

TEST(a_run_whose_launcher_is_killed_fails_and_the_next_one_works)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
    if (access(path, R_OK) != 0) SKIP("this kernel does not list children");
    for (int depth = 1; depth <= 3; depth++) {
        r1_boxes *b = boxes_open();
        static const char *const argv[] = { "/bin/sleep", "1000", NULL };
        const r1_box_party p = { .argv = argv, .limits = { .wall_s = 30 } };
        r1_box_result r;
        r1_error e = { 0 };
        pthread_t t;
        EXPECT(pthread_create(&t, NULL, kill_below, &depth) == 0);
        r1_status s = r1_box_run(b, &p, 1, &r, NULL, &e);
        pthread_join(t, NULL);
        EXPECT_STATUS(s, R1_EIO);
        EXPECT_NULL(r.out);
        EXPECT_INT(host_processes(), 0);
        r = boxes_shell(b, "echo again", NULL);
        EXPECT_STR(r.out, "again\n");
        r1_box_result_deinit(&r);
        r1_boxes_close(b);
    }
}
