/* box_attack: every program of tests/attacks comes to the end that is written here, leaves nothing, and the host is as before. */
#include "reward/code/boxes_test.h"

#define BIT(end) (1u << R1_BOX_##end)
#define MB (1ull << 20)

typedef struct attack {
    const char *program, *mode;
    unsigned ends;          /* BIT()s of what it may come to */
    const char *must_say;   /* on stdout; NULL: anything */
    int signal;             /* of SIGNALED; 0: any */
} attack;

static const r1_box_limits small = { .cpu_s = 0.5, .wall_s = 20, .memory_bytes = 128 * MB };

static r1_box_result run_attack(r1_boxes *b, const attack *a, const host *h, const r1_box_limits *l)
{
    char path[64];
    snprintf(path, sizeof path, "./%s", a->program);
    const char *argv[] = { path, a->mode, NULL };
    const r1_box_party p = { .files = boxes_program(b, a->program), .n_files = 1, .limits = *l, .env = h->env };
    r1_box_result r = boxes_run(b, argv, &p);
    char text[200];
    r1_box_describe(&r, text, sizeof text);
    EXPECT_MSG(a->ends >> r.end & 1, "%s %s: %s; stdout '%.300s', stderr '%.300s'", a->program, a->mode, text, r.out, r.err);
    EXPECT_MSG(!strstr(r.out, "escaped"), "%s %s: %.500s", a->program, a->mode, r.out);
    EXPECT_MSG(!a->must_say || strstr(r.out, a->must_say), "%s %s: said '%.500s' '%.300s', expected '%s'", a->program, a->mode, r.out, r.err, a->must_say);
    EXPECT_MSG(!a->signal || r.signal == a->signal, "%s %s: signal %d, expected %d", a->program, a->mode, r.signal, a->signal);
    EXPECT_MSG(r.exit_status != 99 || r.end != R1_BOX_EXITED, "%s has no mode %s", a->program, a->mode);
    return r;
}

static void run_all(const attack *a, size_t n, const r1_box_limits *l)
{
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    for (size_t i = 0; i < n; i++) {
        r1_box_result r = run_attack(b, &a[i], &h, l);
        r1_box_result_deinit(&r);
        host_check(&h, 0);
    }
    host_end(&h);
    r1_boxes_close(b);
}

TEST(attacks_on_memory)
{
    static const attack a[] = {
        { "memory", "heap", BIT(MEMORY), NULL, 0 }, { "memory", "shared", BIT(MEMORY), NULL, 0 }, { "memory", "shared_unseen", BIT(MEMORY), NULL, 0 },
        { "memory", "shared_by_children", BIT(MEMORY), NULL, 0 }, { "memory", "memfd", BIT(MEMORY), NULL, 0 }, { "memory", "memfd_closed", BIT(MEMORY), NULL, 0 },
        { "memory", "memfd_in_children", BIT(MEMORY), NULL, 0 }, { "memory", "sysv", BIT(MEMORY), NULL, 0 }, { "memory", "tmpfs", BIT(MEMORY), NULL, 0 },
        { "memory", "tmpfs_unlinked", BIT(MEMORY), NULL, 0 }, { "memory", "page_tables", BIT(MEMORY), NULL, 0 }, { "memory", "copies", BIT(MEMORY), NULL, 0 },
        { "memory", "spike", BIT(MEMORY), NULL, 0 }, { "memory", "buffers", BIT(MEMORY), NULL, 0 },
        { "memory", "mapped_and_heap", BIT(MEMORY), NULL, 0 }, { "memory", "mapped_and_shared", BIT(MEMORY), NULL, 0 },
        { "memory", "first_thread_gone", BIT(MEMORY), NULL, 0 }, { "memory", "lock_held", BIT(MEMORY), NULL, 0 },
    };
    r1_box_limits l = small;
    l.cpu_s = 20; /* however slow the machine is, memory must be what ends them */
    run_all(a, R1_COUNT(a), &l);
}

TEST(attacks_on_the_counting_of_memory)
{
    static const attack a[] = {
        { "memory", "in_flight", BIT(EXITED), "refused a descriptor in flight through", 0 }, { "memory", "huge_pages", BIT(EXITED), "refused a segment", 0 },
        { "memory", "spaces", BIT(EXITED), "refused a thread with descriptors", 0 }, { "memory", "hide", BIT(DENIED) | BIT(MEMORY), "refused being undumpable", 0 },
    };
    r1_box_limits l = small;
    l.cpu_s = 20;
    run_all(a, R1_COUNT(a), &l);
}

TEST(memory_that_is_shared_counts_once)
{
    static const attack a = { "memory", "shares", BIT(EXITED), "done", 0 };
    r1_box_limits l = small;
    l.memory_bytes = 256 * MB;
    l.cpu_s = 20;
    run_all(&a, 1, &l);
}

TEST(an_address_space_of_several_processes_counts_once)
{
    static const attack a = { "memory", "vforks", BIT(EXITED), "done", 0 };
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    for (unsigned mb = 128; mb <= 1024; mb += 896) {
        r1_box_limits l = small;
        l.memory_bytes = mb * MB;
        l.cpu_s = 20;
        r1_box_result r = run_attack(b, &a, &h, &l);
        EXPECT_MSG(r.peak_bytes >= 80 * MB && r.peak_bytes < 100 * MB, "%llu bytes of 80 MB, at a limit of %u MB", (unsigned long long)r.peak_bytes, mb);
        r1_box_result_deinit(&r);
    }
    host_end(&h);
    r1_boxes_close(b);
}

TEST(a_file_that_is_mapped_counts_once)
{
    static const attack a = { "memory", "maps_file", BIT(EXITED), "done", 0 };
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    for (unsigned mb = 128; mb <= 1024; mb += 896) { /* near the limit, and where a rough sum would do */
        r1_box_limits l = small;
        l.memory_bytes = mb * MB;
        l.cpu_s = 20;
        r1_box_result r = run_attack(b, &a, &h, &l);
        EXPECT_MSG(r.peak_bytes >= 80 * MB && r.peak_bytes < 100 * MB, "%llu bytes of 80 MB in a file, at a limit of %u MB", (unsigned long long)r.peak_bytes, mb);
        r1_box_result_deinit(&r);
    }
    host_end(&h);
    r1_boxes_close(b);
}

TEST(attacks_on_time)
{
    static const attack a[] = {
        { "time", "loop", BIT(CPU), NULL, 0 }, { "time", "threads", BIT(CPU), NULL, 0 }, { "time", "children", BIT(CPU), NULL, 0 }, { "time", "generations", BIT(CPU), NULL, 0 },
        { "time", "forgotten", BIT(CPU), "refused SA_NOCLDWAIT", 0 }, { "time", "orphans", BIT(CPU), NULL, 0 }, { "time", "ignore", BIT(CPU), NULL, 0 }, { "time", "close", BIT(CPU), NULL, 0 },
        { "time", "execute", BIT(CPU), NULL, 0 }, { "time", "fork_bomb", BIT(CPU), NULL, 0 }, { "time", "leaves_orphan", BIT(EXITED), "done", 0 },
        { "time", "thread_bomb", BIT(EXITED), "done after some", 0 }, { "time", "recursion", BIT(SIGNALED), NULL, SIGSEGV }, { "time", "kill", BIT(EXITED), "done", 0 },
        { "time", "pretend", BIT(SIGNALED), NULL, SIGXCPU },
    };
    run_all(a, R1_COUNT(a), &small);
}

TEST(attacks_by_waiting)
{
    static const attack a[] = { { "time", "sleep", BIT(WALL), NULL, 0 }, { "time", "stop", BIT(WALL), NULL, 0 } };
    r1_box_limits l = small;
    l.wall_s = 0.3;
    run_all(a, R1_COUNT(a), &l);
}

TEST(cpu_time_of_all_processes_is_exact)
{
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    static const char *const modes[] = { "loop", "threads", "children", "generations", "orphans", "fork_bomb" };
    for (size_t i = 0; i < R1_COUNT(modes); i++) {
        const attack a = { "time", modes[i], BIT(CPU), NULL, 0 };
        r1_box_result r = run_attack(b, &a, &h, &small);
        EXPECT_MSG(r.cpu_s >= 0.5 && r.cpu_s < 1, "%s: %g s at a limit of 0.5", modes[i], r.cpu_s);
        r1_box_result_deinit(&r);
    }
    host_end(&h);
    r1_boxes_close(b);
}

/* The sum of two parties; each of them alone stays far below. */
static double run_two(r1_boxes *b, const char *mode, double cpu_s, r1_box_result r[2])
{
    const char *argv[] = { "./time", mode, NULL };
    const r1_box_party p = { .argv = argv, .files = boxes_program(b, "time"), .n_files = 1, .limits = { .cpu_s = cpu_s, .wall_s = 60, .memory_bytes = 128 * MB } };
    const r1_box_party both[2] = { p, p };
    const r1_box_run_options o = { .cpu_together = true };
    r1_error e = { 0 };
    EXPECT_OK(r1_box_run(b, both, 2, r, &o, &e), &e);
    return r[0].cpu_s + r[1].cpu_s;
}

TEST(cpu_time_of_two_parties_together)
{
    r1_boxes *b = boxes_open();
    r1_box_result r[2];
    double sum = run_two(b, "loop", 0.6, r);
    EXPECT_MSG(r[0].end == R1_BOX_CPU && r[1].end == R1_BOX_CPU && sum >= 0.6 && sum < 1, "ends %d and %d after %g s at a limit of 0.6", r[0].end, r[1].end, sum);
    for (int i = 0; i < 2; i++) r1_box_result_deinit(&r[i]);
    sum = run_two(b, "work", 0.7, r); /* 0.45 s each */
    EXPECT_MSG((r[0].end == R1_BOX_CPU || r[1].end == R1_BOX_CPU) && sum >= 0.7 && sum < 1.1, "ends %d and %d after %g s at a limit of 0.7", r[0].end, r[1].end, sum);
    for (int i = 0; i < 2; i++) r1_box_result_deinit(&r[i]);
    sum = run_two(b, "work", 1.5, r);
    EXPECT_MSG(r[0].end == R1_BOX_EXITED && r[1].end == R1_BOX_EXITED, "ends %d and %d after %g s at a limit of 1.5", r[0].end, r[1].end, sum);
    for (int i = 0; i < 2; i++) r1_box_result_deinit(&r[i]);
    r1_boxes_close(b);
}

TEST(attacks_by_files)
{
    static const attack a[] = {
        { "files", "write", BIT(EXITED), "done", 0 }, { "files", "read", BIT(EXITED), "done", 0 }, { "files", "upwards", BIT(EXITED), "done", 0 },
        { "files", "descriptors", BIT(EXITED), "done", 0 }, { "files", "link", BIT(EXITED), "done", 0 }, { "files", "dump", BIT(EXITED), "done", 0 },
        { "files", "leave", BIT(EXITED), "done", 0 }, { "files", "find", BIT(EXITED), "done", 0 }, { "output", "hard", BIT(EXITED), "done", 0 },
    };
    run_all(a, R1_COUNT(a), &small);
}

TEST(attacks_by_output)
{
    static const attack a[] = {
        { "output", "out", BIT(OUTPUT), NULL, 0 }, { "output", "err", BIT(OUTPUT), NULL, 0 }, { "output", "both", BIT(OUTPUT), NULL, 0 }, { "output", "by_name", BIT(OUTPUT), NULL, 0 },
        { "output", "over", BIT(OUTPUT), NULL, 0 }, { "output", "full", BIT(EXITED), NULL, 0 },
    };
    r1_box_limits l = small;
    l.cpu_s = 20;
    run_all(a, R1_COUNT(a), &l);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

TEST(attacks_by_calls_that_are_refused)
{
    static const attack a[] = {
        { "calls", "network", BIT(EXITED), "refused an abstract socket of the host", 0 }, { "calls", "refusals", BIT(EXITED), "refused fanotify", 0 },
        { "calls", "privileges", BIT(EXITED), "done", 0 }, { "calls", "old_abi", BIT(DENIED), NULL, 0 }, { "calls", "x32", BIT(DENIED) | BIT(EXITED), NULL, 0 },
    };
    r1_box_limits l = small;
    l.cpu_s = 5;
    /* x32 is another table or no call at all, as the kernel was built; in both cases it must not answer */
    run_all(a, R1_COUNT(a), &l);
}

static void expect_denied(r1_boxes *b, const char *name, const char *place)
{
    const char *argv[] = { "./calls", "stop", name, place, NULL };
    const r1_box_party p = { .files = boxes_program(b, "calls"), .n_files = 1, .limits = small };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_MSG(r.end == R1_BOX_DENIED, "%s: end %d status %d, '%s'", name, r.end, r.exit_status, r.out);
    EXPECT_STR(r.denied, name);
    EXPECT_STR(r.out, "");
    r1_box_result_deinit(&r);
}

TEST(attacks_by_calls_that_end_the_party)
{
    static const char *const calls[] = { "ptrace", "process_vm_readv", "process_vm_writev", "keyctl", "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "mount", "umount2",
        "pivot_root", "chroot", "unshare", "setns", "clone", "reboot", "swapon", "kexec_load", "init_module", "finit_module", "delete_module", "open_by_handle_at", "personality", "ioctl",
        "settimeofday", "sethostname", "syslog", "acct", "kcmp", "io_uring_setup", "pidfd_getfd", "fsopen", "open_tree", "mount_setattr" };
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    for (size_t i = 0; i < R1_COUNT(calls); i++) expect_denied(b, calls[i], "0");
    expect_denied(b, "clone", "1"); /* with garbage above the 32 bits the kernel looks at */
    expect_denied(b, "ioctl", "1");
    host_check(&h, 0);
    host_end(&h);
    r1_boxes_close(b);
}

/* ---- files that are taken ---------------------------------------------------------------------------------------- */

static void expect_taken(r1_boxes *b, const char *mode, const char *data, const char *why)
{
    const char *argv[] = { "./output", mode, NULL };
    const r1_box_party p = { .files = boxes_program(b, "output"), .n_files = 1, .take = "taken", .take_max = 1 << 20, .limits = small };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_MSG(r.end == R1_BOX_EXITED && r.exit_status == 0, "%s: end %d status %d", mode, r.end, r.exit_status);
    EXPECT_MSG(!strstr(r.out, "escaped"), "%s: %s", mode, r.out);
    if (why) {
        EXPECT_NULL(r.taken);
        EXPECT_STR(r.taken_why, why);
    } else if (data) {
        EXPECT(r.taken);
        EXPECT_STR(r.taken, data);
        EXPECT_NULL(r.taken_why);
    } else {
        EXPECT_MSG(!r.taken || r.n_taken <= 1, "%s: took '%s'", mode, r.taken); /* never what the link led to */
    }
    r1_box_result_deinit(&r);
}

TEST(attacks_on_the_file_that_is_taken)
{
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    expect_taken(b, "link", NULL, "is not a plain file");
    expect_taken(b, "fifo", NULL, "is not a plain file");
    expect_taken(b, "folder", NULL, "is not a plain file");
    expect_taken(b, "large", NULL, "is too large");
    expect_taken(b, "hard", NULL, "is not there");
    expect_taken(b, "hidden", "ok", NULL);
    expect_taken(b, "moved", "ok", NULL);
    for (int i = 0; i < 5; i++) expect_taken(b, "race", NULL, NULL);
    host_check(&h, 0);
    host_end(&h);
    r1_boxes_close(b);
}

TEST(a_flooded_proof_is_cut_and_ends_nothing)
{
    r1_boxes *b = boxes_open();
    const char *argv[] = { "./output", "proof", NULL };
    const r1_box_party p = { .files = boxes_program(b, "output"), .n_files = 1, .proof_fd = 5, .limits = small };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_INT(r.end, R1_BOX_CPU);
    EXPECT_INT(r.n_proof, R1_BOX_PROOF_MAX);
    EXPECT(r.proof_cut);
    r1_box_result_deinit(&r);
    r1_boxes_close(b);
}

/* ---- python ------------------------------------------------------------------------------------------------------ */

TEST(attacks_through_python)
{
    static const attack a[] = {
        { "python.py", "memory", BIT(MEMORY), NULL, 0 }, { "python.py", "strings", BIT(MEMORY) | BIT(EXITED), NULL, 0 }, { "python.py", "recursion", BIT(EXITED) | BIT(SIGNALED) | BIT(MEMORY), NULL, 0 },
        { "python.py", "processes", BIT(CPU), NULL, 0 }, { "python.py", "sockets", BIT(EXITED), "done", 0 }, { "python.py", "native", BIT(DENIED), NULL, 0 },
        { "python.py", "parent", BIT(EXITED), "done", 0 }, { "python.py", "preload", BIT(EXITED), "done", 0 }, { "python.py", "honest", BIT(EXITED), "yyyyyy", 0 },
    };
    r1_box_program python;
    r1_error e = { 0 };
    if (r1_box_find(&python, "python3", NULL, &e)) SKIP(e.msg);
    r1_boxes *b = boxes_open();
    host h;
    host_begin(&h);
    r1_box_file source = boxes_source("python.py");
    for (size_t i = 0; i < R1_COUNT(a); i++) {
        const char *argv[] = { python.path, "python.py", a[i].mode, NULL };
        const bool bomb = strcmp(a[i].mode, "processes") == 0; /* 64 of them at once, each with little time of its own */
        const r1_box_party p = { .files = &source, .n_files = 1, .limits = { .cpu_s = bomb ? 0.5 : 4, .wall_s = 60, .memory_bytes = bomb ? 512 * MB : 128 * MB } };
        r1_box_result r = boxes_run(b, argv, &p);
        EXPECT_MSG(a[i].ends >> r.end & 1, "%s: end %d status %d signal %d; '%.300s' '%.2000s'", a[i].mode, r.end, r.exit_status, r.signal, r.out, r.err);
        EXPECT_MSG(!bomb || (r.cpu_s >= 0.5 && r.cpu_s < 0.9), "%g s of 64 processes at a limit of 0.5", r.cpu_s);
        EXPECT_MSG(!strstr(r.out, "escaped") && (!a[i].must_say || strstr(r.out, a[i].must_say)), "%s: said '%.300s' '%.2000s'", a[i].mode, r.out, r.err);
        r1_box_result_deinit(&r);
        host_check(&h, 0);
    }
    free((void *)(uintptr_t)source.data);
    host_end(&h);
    r1_boxes_close(b);
}
