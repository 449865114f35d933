/* boxes_test: what the tests of the box share: opening boxes, compiling the programs of tests/attacks in one, and a host that must stay whole. */
#ifndef R1_REWARD_BOXES_TEST_H
#define R1_REWARD_BOXES_TEST_H

#include "tests/test.h"
#include "reward/code/box.h"
#include "base/map.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HELPER static __attribute__((unused))

/* Boxes with all protections; skips the test where this system lacks one. */
HELPER r1_boxes *boxes_open(void)
{
    r1_boxes *b;
    r1_error e = { 0 };
    r1_status s = r1_boxes_open(&b, NULL, &e);
    if (s == R1_EUNSUPPORTED) SKIP(e.msg);
    EXPECT_OK(s, &e);
    return b;
}

/* Run argv (NULL-terminated) with the other fields of *like (may be NULL). */
HELPER r1_box_result boxes_run(r1_boxes *b, const char *const *argv, const r1_box_party *like)
{
    r1_box_party p = { 0 };
    r1_box_result r;
    r1_error e = { 0 };
    if (like) p = *like;
    p.argv = argv;
    EXPECT_OK(r1_box_run(b, &p, 1, &r, NULL, &e), &e);
    return r;
}

HELPER r1_box_result boxes_shell(r1_boxes *b, const char *script, const r1_box_party *like)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    return boxes_run(b, argv, like);
}

/* tests/attacks/NAME as it is; the caller frees data. */
HELPER r1_box_file boxes_source(const char *name)
{
    char path[64], *text;
    size_t n;
    r1_error e = { 0 };
    snprintf(path, sizeof path, "attacks/%s", name);
    EXPECT_OK(r1_file_read(test_path(path), 1 << 20, &text, &n, &e), &e);
    return (r1_box_file){ name, text, n, 0 };
}

/* tests/attacks/NAME.c compiled, inside a box; kept for the next call and until the end. */
HELPER const r1_box_file *boxes_program(r1_boxes *b, const char *name)
{
    static struct { char name[32]; r1_box_file file; } kept[8];
    size_t i = 0;
    for (; i < R1_COUNT(kept) && kept[i].file.data; i++) {
        if (strcmp(kept[i].name, name) == 0) return &kept[i].file;
    }
    EXPECT(i < R1_COUNT(kept));
    char source_name[40];
    r1_box_program gcc;
    r1_error e = { 0 };
    if (r1_box_find(&gcc, "gcc", NULL, &e) && r1_box_find(&gcc, "cc", NULL, &e) && r1_box_find(&gcc, "clang", NULL, &e)) SKIP(e.msg);
    snprintf(source_name, sizeof source_name, "%s.c", name);
    r1_box_file files[2] = { boxes_source(source_name), boxes_source("attack.h") };
    const char *argv[] = { gcc.path, "-O1", "-w", "-pthread", "-o", "program", source_name, NULL };
    const r1_box_party p = { .files = files, .n_files = 2, .take = "program", .take_max = 16 << 20, .limits = { .cpu_s = 20, .memory_bytes = 1 << 30 } };
    r1_box_result r = boxes_run(b, argv, &p);
    EXPECT_MSG(r.end == R1_BOX_EXITED && r.exit_status == 0 && r.taken, "compiling %s: %s", source_name, r.err);
    snprintf(kept[i].name, sizeof kept[i].name, "%s", name);
    kept[i].file = (r1_box_file){ kept[i].name, r.taken, r.n_taken, 0755 };
    r.taken = NULL;
    r1_box_result_deinit(&r);
    for (int k = 0; k < 2; k++) free((void *)(uintptr_t)files[k].data);
    return &kept[i].file;
}

/* ---- a host that must stay whole --------------------------------------------------------------------------------- */

/* A process, a file and the mounts of this host, all of which must be the same afterwards. */
typedef struct host {
    pid_t pid;
    int listener, n_processes;
    char file[128], *mounts;
    char env_text[2][160];
    const char *env[3];     /* CANARY=the file, LISTENER=an abstract socket this host listens on */
} host;

HELPER char *host_text(const char *path)
{
    char *text;
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_file_read(path, 1 << 22, &text, &n, &e), &e);
    return text;
}

/* Processes below this one, whatever their state. */
HELPER int host_processes(void)
{
    static struct { int pid, parent; } p[65536];
    int n = 0, count = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d)) != NULL && n < 65536; ) {
        char path[300], text[512];
        int pid = atoi(e->d_name);
        if (pid <= 0) continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        size_t k = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f) fclose(f);
        text[k] = 0;
        char *at = strrchr(text, ')');
        if (!at || sscanf(at + 1, " %*c %d", &p[n].parent) != 1) continue;
        p[n++].pid = pid;
    }
    if (d) closedir(d);
    for (int i = 0; i < n; i++) {
        int up = p[i].parent;
        for (int depth = 0; up > 1 && up != getpid() && depth < 64; depth++) {
            int k = 0;
            while (k < n && p[k].pid != up) k++;
            up = k < n ? p[k].parent : 0;
        }
        count += up == getpid();
    }
    return count;
}

HELPER void host_begin(host *h)
{
    memset(h, 0, sizeof *h);
    snprintf(h->file, sizeof h->file, "%s/r1-canary-XXXXXX", access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "."); /* boxes have a /tmp of their own */
    int fd = mkstemp(h->file);
    EXPECT(fd >= 0 && write(fd, "sings", 5) == 5 && fchmod(fd, 0666) == 0);
    close(fd);
    h->mounts = host_text("/proc/self/mountinfo");
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    static int hosts;
    int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "r1-canary-%d-%d", (int)getpid(), ++hosts);
    h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(bind(h->listener, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0 && listen(h->listener, 1) == 0);
    snprintf(h->env_text[0], sizeof h->env_text[0], "CANARY=%s", h->file);
    snprintf(h->env_text[1], sizeof h->env_text[1], "LISTENER=%s", a.sun_path + 1);
    h->env[0] = h->env_text[0];
    h->env[1] = h->env_text[1];
    h->pid = fork();
    if (h->pid == 0) for (;;) pause();
    h->n_processes = host_processes();
}

/* Fails the test when something is not as it was, or more processes are there than then and n_launchers launchers with their stubs. */
HELPER void host_check(const host *h, int n_launchers)
{
    int status;
    EXPECT(waitpid(h->pid, &status, WNOHANG) == 0);
    char *text = host_text(h->file);
    EXPECT_STR(text, "sings");
    free(text);
    text = host_text("/proc/self/mountinfo");
    EXPECT_STR(text, h->mounts);
    free(text);
    int n = host_processes(), most = h->n_processes + 2 * n_launchers;
    EXPECT_MSG(n <= most, "%d processes are left, expected at most %d", n, most);
}

HELPER void host_end(host *h)
{
    kill(h->pid, SIGKILL);
    waitpid(h->pid, NULL, 0);
    close(h->listener);
    unlink(h->file);
    free(h->mounts);
}

HELPER void pause_ms(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

#endif
