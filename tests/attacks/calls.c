/* calls: system calls of no use to a program that answers a question. Those of the first table must end the party before they happen,
 * the modes of the second are refused. argv[1] is "stop" and argv[2] the call's name, or argv[1] a mode. */
#include "attack.h"
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#define CALL(name, ...) { #name, SYS_##name, { __VA_ARGS__ } }
static const struct { const char *name; long number; long a[6]; } stopped[] = {
    CALL(ptrace, 0, 1), CALL(process_vm_readv, 1), CALL(process_vm_writev, 1), CALL(keyctl, 0), CALL(add_key, 0), CALL(request_key, 0), CALL(bpf, 0), CALL(userfaultfd, 0),
    CALL(perf_event_open, 0), CALL(mount, 0), CALL(umount2, 0), CALL(pivot_root, 0), CALL(chroot, 0), CALL(unshare, CLONE_NEWUSER), CALL(setns, 0), CALL(clone, CLONE_NEWUSER | SIGCHLD),
    CALL(clone, (long)(0xFFFFFFFF00000000ull | CLONE_NEWNET | SIGCHLD)), CALL(reboot, 0), CALL(swapon, 0), CALL(kexec_load, 0), CALL(init_module, 0), CALL(finit_module, 0), CALL(delete_module, 0),
    CALL(open_by_handle_at, 0), CALL(personality, 0x0040000), CALL(ioctl, 0, TIOCSTI), CALL(ioctl, 0, (long)(0x100000000ull | TIOCSTI)), CALL(settimeofday, 0), CALL(sethostname, 0), CALL(syslog, 10), CALL(acct, 0), CALL(kcmp, 0),
    { "io_uring_setup", 425, { 8 } }, { "pidfd_getfd", 438, { 0 } }, { "fsopen", 430, { 0 } }, { "open_tree", 428, { 0 } }, { "mount_setattr", 442, { 0 } },
};

/* a call by its place among those of its name */
static void stop(const char *name, int place)
{
    for (size_t i = 0; i < sizeof stopped / sizeof *stopped; i++) {
        if (strcmp(stopped[i].name, name) != 0 || place--) continue;
        const long *a = stopped[i].a;
        long r = syscall(stopped[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
        printf("escaped: %s returned %ld\n", name, r);
        exit(0);
    }
    exit(99);
}

static void network(void)
{
    refused("TCP", socket(AF_INET, SOCK_STREAM, 0));
    refused("UDP", socket(AF_INET, SOCK_DGRAM, 0));
    refused("ICMP", socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
    refused("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    refused("TCP over IPv6", socket(AF_INET6, SOCK_STREAM, 0));
    refused("netlink", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    refused("packets", socket(17, SOCK_RAW, 0));
    refused("vsock", socket(40, SOCK_STREAM, 0));
    refused("AF_ALG", socket(38, SOCK_SEQPACKET, 0));
    /* the caller listens on this abstract name */
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    const char *name = getenv("LISTENER");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(a.sun_path + 1, name, strlen(name));
    refused("an abstract socket of the host", connect(s, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))));
}

static void refusals(void)
{
    struct { uint64_t flags, pidfd, child, parent, exit, stack, size, tls; } c = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0 };
    refused("clone3", syscall(435, &c, sizeof c));
    refused("setuid(0)", setuid(0));
    refused("setgid(0)", setgid(0));
    refused("setgroups", syscall(SYS_setgroups, 1, &(int){ 0 }));
    refused("a device node", mknod("dev", S_IFBLK | 0600, 0xfe00));
    refused("messages", syscall(SYS_msgget, 0, 01000 | 0600));
    refused("semaphores", syscall(SYS_semget, 0, 100, 01000 | 0600));
    refused("vmsplice", syscall(SYS_vmsplice, 1, NULL, 0, 0));
    refused("splice", syscall(SYS_splice, 0, NULL, 1, NULL, 1, 0));
    refused("tee", syscall(SYS_tee, 0, 1, 1, 0));
    refused("sync", syscall(SYS_sync));
    refused("syncfs", syscall(SYS_syncfs, 0));
    refused("inotify", syscall(SYS_inotify_init1, 0));
    refused("secret memory", syscall(447, 0));
    refused("aio", syscall(SYS_io_setup, 1, &(long){ 0 }));
    refused("a filter of its own", syscall(SYS_seccomp, 0, 0, NULL));
    refused("a filter of its own by prctl", syscall(SYS_prctl, 22, 1, 0, 0, 0));
    refused("a higher priority", setpriority(0, 0, -5));
    refused("a call of tomorrow", syscall(1000));
    refused("fanotify", syscall(SYS_fanotify_mark, -1));
}

static void old_abi(void)
{
#ifdef __x86_64__
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory"); /* getpid of the 32-bit table */
    printf("escaped: int 0x80 returned %ld\n", r);
#else
    kill(getpid(), SIGSYS);
#endif
}
static void x32(void)
{
#ifdef __x86_64__
    printf("escaped: x32 returned %ld\n", syscall(0x40000000 | 39));
#else
    kill(getpid(), SIGSYS);
#endif
}

/* a set-user-id program, and capabilities */
static void privileges(void)
{
    system("for p in /usr/bin/su /usr/bin/mount /usr/bin/passwd /usr/bin/newgrp; do [ -u $p ] && timeout 1 $p </dev/null; done >/dev/null 2>&1");
    struct { uint32_t version; int pid; } h = { 0x20080522, 0 };
    struct { uint32_t effective, permitted, inheritable; } d[2];
    if (syscall(SYS_capget, &h, d) != 0 || d[0].effective | d[0].permitted | d[1].effective | d[1].permitted) escaped("capabilities");
    if (syscall(SYS_prctl, 39 /* PR_GET_NO_NEW_PRIVS */, 0, 0, 0, 0) != 1) escaped("new privileges");
    if (getuid() != 1000 || geteuid() != 1000) escaped("a user");
    puts("done");
}

int main(int argc, char **argv)
{
    static const struct mode modes[] = { { "network", network }, { "refusals", refusals }, { "old_abi", old_abi }, { "x32", x32 }, { "privileges", privileges }, { NULL, NULL } };
    if (argc > 2 && strcmp(argv[1], "stop") == 0) stop(argv[2], argc > 3 ? atoi(argv[3]) : 0);
    run_mode(modes, argc, argv);
}
