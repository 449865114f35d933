/* box_speed: how many boxes a second, and what of that is the floor of processes and namespaces.
 *
 *   make && gcc -O2 -Isrc -Iinclude bench/box_speed.c build/release-gcc/libr1.a $(pkg-config --libs libseccomp) -pthread -lm -o box_speed
 *   ./box_speed [SECONDS] [THREADS]
 *
 * Each line is done again and again by THREADS threads for SECONDS: runs a second, milliseconds for one on one thread's clock, and CPU time of
 * all processes of one, which hardly depends on what else the machine does (the kernel's own threads, which end network namespaces, are not in
 * it). The program does nothing. */
#define _GNU_SOURCE
#include "reward/code/box.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static r1_boxes *boxes;
static r1_box_file program = { "program", NULL, 0, 0755 };
static char path[] = "/tmp/box_speed_program";
static double seconds = 3;

static void run_box(unsigned long flags)
{
    (void)flags;
    static const char *const argv[] = { "./program", NULL };
    const r1_box_party p = { .argv = argv, .files = &program, .n_files = 1 };
    r1_box_result r;
    r1_error e = { 0 };
    if (r1_box_run(boxes, &p, 1, &r, NULL, &e) || r.end != R1_BOX_EXITED || r.exit_status) {
        fprintf(stderr, "a box failed: %s\n", e.msg);
        exit(1);
    }
    r1_box_result_deinit(&r);
}

static void run_spawn(unsigned long flags)
{
    (void)flags;
    pid_t pid;
    int status;
    char *argv[] = { path, NULL };
    if (posix_spawn(&pid, path, NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid || status) exit(1);
}

/* fork into new namespaces and end at once */
static void run_clone(unsigned long flags)
{
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid) exit(1);
}

static const struct { const char *name; void (*run)(unsigned long); unsigned long flags; } lines[] = {
    { "posix_spawn and wait", run_spawn, 0 },
    { "fork and wait", run_clone, 0 },
    { "fork: user", run_clone, CLONE_NEWUSER },
    { "fork: user, process", run_clone, CLONE_NEWUSER | CLONE_NEWPID },
    { "fork: user, process, mount", run_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS },
    { "fork: user, process, mount, IPC", run_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC },
    { "fork: these and network", run_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET },
    { "a box", run_box, 0 },
};

typedef struct job { size_t line; long n; double until; } job;

static void *work(void *x)
{
    job *j = x;
    for (; r1_now() < j->until; j->n++) lines[j->line].run(lines[j->line].flags);
    return NULL;
}

/* CPU time of this process and all that have ended below it, in seconds */
static double used(void)
{
    struct rusage a, b;
    getrusage(RUSAGE_SELF, &a);
    getrusage(RUSAGE_CHILDREN, &b);
    return (double)(a.ru_utime.tv_sec + a.ru_stime.tv_sec + b.ru_utime.tv_sec + b.ru_stime.tv_sec) +
           (double)(a.ru_utime.tv_usec + a.ru_stime.tv_usec + b.ru_utime.tv_usec + b.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    r1_error e = { 0 };
    char *data;
    int threads = argc > 2 ? atoi(argv[2]) : 2;
    if (argc > 1) seconds = atof(argv[1]);
    if (system("echo 'int main(void) { return 0; }' | gcc -O2 -x c - -o /tmp/box_speed_program") != 0) return 1;
    FILE *f = fopen(path, "rb");
    data = malloc(1 << 20);
    program.n = f && data ? fread(data, 1, 1 << 20, f) : 0;
    program.data = data;
    if (f) fclose(f);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pthread_t t[64];
        job j[64];
        long n = 0;
        double cpu = used();
        if (lines[i].run == run_box && r1_boxes_open(&boxes, NULL, &e)) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
        double start = r1_now();
        for (int k = 0; k < threads && k < 64; k++) {
            j[k] = (job){ i, 0, start + seconds };
            if (pthread_create(&t[k], NULL, work, &j[k])) return 1;
        }
        for (int k = 0; k < threads && k < 64; k++) {
            pthread_join(t[k], NULL);
            n += j[k].n;
        }
        double s = r1_now() - start;
        r1_boxes_close(boxes); /* what the launchers used is counted when they have ended */
        boxes = NULL;
        printf("%-34s %7.0f/s  %6.2f ms  %6.2f ms CPU\n", lines[i].name, (double)n / s, 1000 * s * threads / (double)n, 1000 * (used() - cpu) / (double)n);
        fflush(stdout);
    }
    unlink(path);
    free(data);
    return 0;
}
