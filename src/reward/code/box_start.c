/* box_start: the launcher's program and processes; probing.
 *
 * The program is part of the library's read-only data. It is written to an unnamed file in memory and executed from there, so nothing has to
 * be installed or found, and no memory of this process is in it. posix_spawn shares memory until the execution and runs no handler of
 * ours, so it is safe whatever other threads do. */
#define _GNU_SOURCE
#include "reward/code/box_int.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* R1_BOX_LAUNCHER: the program's file, from the Makefile. */
__asm__(".pushsection .rodata\n.balign 16\n.hidden r1_box_launcher_begin\n.global r1_box_launcher_begin\nr1_box_launcher_begin:\n.incbin \"" R1_BOX_LAUNCHER "\"\n"
        ".hidden r1_box_launcher_end\n.global r1_box_launcher_end\nr1_box_launcher_end:\n.popsection\n");
extern const char r1_box_launcher_begin[], r1_box_launcher_end[];

#define EXECUTABLE 0x10u /* MFD_EXEC, which kernels before 6.3 do not know and do not need */

int r1_box_image(r1_error *err)
{
    size_t n = (size_t)((uintptr_t)r1_box_launcher_end - (uintptr_t)r1_box_launcher_begin);
    int fd = (int)syscall(SYS_memfd_create, "r1-box", 1u | EXECUTABLE);
    if (fd < 0 && errno == EINVAL) fd = (int)syscall(SYS_memfd_create, "r1-box", 1u);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10); /* 3 is taken by the socket while it is executed */
    if (high < 0) {
        (void)r1_fail(err, R1_EIO, "box: no file in memory for the launcher: %s", strerror(errno));
    } else {
        for (size_t done = 0; done < n; ) {
            ssize_t k = write(high, r1_box_launcher_begin + done, n - done);
            if (k < 0 && errno == EINTR) continue;
            if (k <= 0) {
                (void)r1_fail(err, R1_EIO, "box: the launcher could not be written to memory: %s", strerror(errno));
                close(high);
                high = -1;
                break;
            }
            done += (size_t)k;
        }
    }
    if (fd >= 0) close(fd);
    return high;
}

static int spawn(pid_t *pid, int image, int socket)
{
    static char *const argv[] = { (char *)(uintptr_t)"r1-box", NULL }, *const env[] = { NULL };
    posix_spawn_file_actions_t a;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", image);
    int e = posix_spawn_file_actions_init(&a);
    if (e) return e;
    e = posix_spawn_file_actions_adddup2(&a, socket, 3);
    if (!e) e = posix_spawn(pid, path, &a, NULL, argv, env);
    posix_spawn_file_actions_destroy(&a);
    return e;
}

r1_status r1_box_start(box_launcher **out, int image, r1_error *err)
{
    int s[2];
    *out = NULL;
    box_launcher *l = calloc(1, sizeof *l);
    if (!l) return r1_fail(err, R1_ENOMEM, "no memory for a box");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) != 0) {
        free(l);
        return r1_fail(err, R1_EIO, "box: no socket: %s", strerror(errno));
    }
    int e = spawn(&l->pid, image, s[1]);
    close(s[1]);
    if (e) {
        close(s[0]);
        free(l);
        return r1_fail(err, R1_EIO, "box: the launcher could not be started: %s", strerror(e));
    }
    l->socket = s[0];
    *out = l;
    return R1_OK;
}

void r1_box_stop_launcher(box_launcher *l)
{
    if (!l) return;
    /* The launcher sees the end, exits, and takes everything along; then the stub ends. A mere close would not do when a process forked from
     * this one has a copy of the socket. */
    shutdown(l->socket, SHUT_RDWR);
    close(l->socket);
    while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR) { }
    free(l);
}

r1_status r1_box_send(box_launcher *l, const void *data, size_t n, r1_error *err)
{
    const char *at = data;
    while (n) {
        ssize_t k = send(l->socket, at, r1_min(n, 1 << 20), MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return r1_fail(err, R1_EIO, "box: the launcher has ended: %s", strerror(errno));
        at += k;
        n -= (size_t)k;
    }
    return R1_OK;
}

r1_status r1_box_receive(box_launcher *l, void *data, size_t n, r1_error *err)
{
    char *at = data;
    while (n) {
        ssize_t k = recv(l->socket, at, r1_min(n, 1 << 20), 0);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return r1_fail(err, R1_EIO, "box: the launcher has ended%s%s", k < 0 ? ": " : "", k < 0 ? strerror(errno) : "");
        at += k;
        n -= (size_t)k;
    }
    return R1_OK;
}

/* ---- probing ----------------------------------------------------------------------------------------------------- */

r1_status r1_box_try(r1_box_probe_result *out, r1_error *err)
{
    box_launcher *l = NULL;
    box_hello h = { .magic = BOX_PROBE };
    box_ready r = { 0 };
    memset(out, 0, sizeof *out);
    int image = r1_box_image(err);
    r1_status s = image < 0 ? R1_EIO : r1_box_start(&l, image, err);
    if (!s) s = r1_box_send(l, &h, sizeof h, err);
    if (!s) s = r1_box_receive(l, &r, sizeof r, err);
    if (!s) {
        out->present = r.present & R1_BOX_ALL;
        out->landlock_abi = r.landlock_abi;
        r.what[sizeof r.what - 1] = 0;
        if (r.error) snprintf(out->why, sizeof out->why, "%s: %s", r.what, strerror(r.error));
    }
    r1_box_stop_launcher(l);
    if (image >= 0) close(image);
    return s;
}

void r1_box_probe(r1_box_probe_result *out)
{
    r1_error e = { 0 };
    if (r1_box_try(out, &e)) snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, e.msg);
}

const char *r1_box_protections(unsigned bits, char *text, size_t size)
{
    static const char *const names[] = { "user namespaces", "process namespaces", "mount namespaces", "network namespaces", "IPC namespaces",
        "a /proc of its own", "seccomp filters", "seccomp notifications", "Landlock", "no_new_privs", "a limit of processes for each box" };
    size_t n = 0;
    if (size) text[0] = 0;
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        if (!(bits >> i & 1) || n >= size) continue;
        int k = snprintf(text + n, size - n, "%s%s", n ? ", " : "", names[i]);
        n += k > 0 ? (size_t)k : 0;
    }
    return text;
}
