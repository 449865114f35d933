/* box_filter: which system calls a party has.
 *
 * Two filters, of which the strictest answer counts. Filter 0 lets everything pass but what it stops (the party ends) or refuses (the call
 * fails). Filter 1 is a list of what there is; anything else, known today or not, fails with ENOSYS, as on an older kernel, so that
 * programs take their fallbacks. Calls that filter 0 stops stand in filter 1 too, because an error would outrank the notification.
 * A call of another architecture's table (32-bit, x32) kills the process.
 *
 * Stopped is what only an attack needs. Refused is what honest runtimes try and can do without, or what would make memory or CPU time
 * that is not counted: descriptors in flight (sendmsg), larger pipes, huge pages, pages of files in pipes (splice, tee, vmsplice), System V messages
 * and semaphores, POSIX queues, aio (a program may add filters of its own: they only take away); and what is shared with others of the host: writing out its disks (sync), its user's inotify instances. */
#define _GNU_SOURCE
#include "reward/code/box_int.h"
#include <errno.h>
#include <seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>

static const char *const stopped[] = {
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise", "keyctl", "add_key", "request_key", "bpf",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open", "mount", "umount2", "umount", "pivot_root", "chroot", "fsopen",
    "fsmount", "fsconfig", "fspick", "move_mount", "open_tree", "mount_setattr", "unshare", "setns", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "create_module", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm",
    "open_by_handle_at", "name_to_handle_at", "lookup_dcookie", "fanotify_init", "nfsservctl", "vhangup", "syslog",
    "settimeofday", "clock_settime", "stime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname", "vm86", "vm86old", "modify_ldt", "uselib",
};

static const char *const listed[] = {
    /* memory */
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock", "mlock2", "munlock", "mlockall", "munlockall", "membarrier",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "memfd_create", "shmget", "shmat", "shmdt", "shmctl", "mbind", "set_mempolicy", "get_mempolicy", "cachestat",
    /* processes, threads, signals */
    "clone", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid", "kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal",
    "getpid", "gettid", "getppid", "getpgid", "getpgrp", "getsid", "setpgid", "setsid", "set_tid_address", "set_robust_list", "get_robust_list", "rseq", "arch_prctl",
    "futex", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_setparam", "sched_getscheduler",
    "sched_setscheduler", /* not sched_setattr: shorter slices are the launcher's */ "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval", "sched_getattr", "getpriority", "setpriority", "getcpu",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "sigaltstack", "signalfd",
    "signalfd4", "pause", "restart_syscall", "prctl", "personality", "capget", "capset", "set_thread_area", "get_thread_area",
    /* users and limits */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
    "getrlimit", "setrlimit", "prlimit64", "ugetrlimit", "getrusage", "times", "sysinfo", "uname", "umask",
    /* time */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "alarm", "getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime",
    "timer_getoverrun", "timer_delete", "timerfd_create", "timerfd_settime", "timerfd_gettime",
    /* files */
    "open", "openat", "openat2", "creat", "close", "close_range", "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek", "_llseek",
    "sendfile", "copy_file_range", "truncate", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "readahead", "fadvise64",
    "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd",
    "chdir", "fchdir", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat", "flock", "fcntl", "dup", "dup2", "dup3", "pipe", "pipe2", "ioctl",
    "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "select", "pselect6", "poll", "ppoll", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "getrandom",
    /* sockets; which kinds, filter 0 says */
    "socket", "socketpair", "bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "sendto", "recvfrom", "recvmsg", "recvmmsg",
    "sendmsg", "sendmmsg",
};

/* A rule for a call that this architecture or version may not have. */
static int rule(scmp_filter_ctx c, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr < 0) return 0;
    int e = seccomp_rule_add_array(c, action, nr, n, args);
    return e == -EEXIST ? 0 : e;
}

/* The kernel looks at the low 32 bits of these arguments only, so no more may be compared. */
#define LOW(arg, value) SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0xFFFFFFFFu, value)
#define BIT(arg, bit) SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bit, bit)

static int stop_and_refuse(scmp_filter_ctx c, uint32_t stop)
{
    static const uint64_t namespaces[] = { CLONE_NEWNS, 0x02000000, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET };
    static const uint64_t personalities[] = { 0x0040000, 0x0100000, 0x0200000, 0x0400000, 0x0800000 }; /* layout of memory; a query has bit 31 */
    const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
    int e = 0;
    for (size_t i = 0; !e && i < R1_COUNT(stopped); i++) e = rule(c, stop, stopped[i], 0, NULL);
    for (size_t i = 0; !e && i < R1_COUNT(namespaces); i++) e = rule(c, stop, "clone", 1, (struct scmp_arg_cmp[]){ BIT(0, namespaces[i]) });
    for (size_t i = 0; !e && i < R1_COUNT(personalities); i++)
        e = rule(c, stop, "personality", 1, (struct scmp_arg_cmp[]){ SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0x80000000u | personalities[i], personalities[i]) });
    if (!e) e = rule(c, stop, "ioctl", 1, (struct scmp_arg_cmp[]){ LOW(1, 0x5412) }); /* TIOCSTI: types into a terminal */
    if (!e) e = rule(c, stop, "ioctl", 1, (struct scmp_arg_cmp[]){ LOW(1, 0x541C) }); /* TIOCLINUX: the same */
    const struct { const char *name; uint32_t action; unsigned n; struct scmp_arg_cmp a[2]; } refused[] = {
        { "rt_sigaction", stop == SCMP_ACT_NOTIFY ? stop : eperm, 2, { LOW(0, SIGCHLD), SCMP_CMP(1, SCMP_CMP_NE, 0, 0) } }, /* see launcher_measure.c */
        { "socket", SCMP_ACT_ERRNO(EAFNOSUPPORT), 1, { SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX, 0) } },
        { "socketpair", SCMP_ACT_ERRNO(EAFNOSUPPORT), 1, { SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX, 0) } },
        { "sendmsg", eperm, 1, { SCMP_CMP(0, SCMP_CMP_NE, BOX_LISTENER_FD, 0) } },
        { "sendmmsg", eperm, 0, { { 0 } } },
        /* processes with one address space, all running: each would count, and wait for, the memory of all. Threads and vfork stay */
        { "clone", eperm, 1, { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_VM | CLONE_THREAD | CLONE_VFORK, CLONE_VM) } },
        { "clone", eperm, 1, { SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_FILES, CLONE_THREAD) } }, /* descriptors only that thread has */
        { "fcntl", eperm, 1, { LOW(1, 1031) } },                      /* F_SETPIPE_SZ */
        { "mmap", SCMP_ACT_ERRNO(ENOMEM), 1, { BIT(3, 0x40000) } },   /* MAP_HUGETLB: resident nowhere */
        { "memfd_create", SCMP_ACT_ERRNO(EINVAL), 1, { BIT(1, 4) } }, /* MFD_HUGETLB */
        { "shmget", SCMP_ACT_ERRNO(EINVAL), 1, { BIT(2, 04000) } },   /* SHM_HUGETLB */
        { "prctl", eperm, 1, { LOW(0, 4) } },                         /* PR_SET_DUMPABLE: hides from measuring */
        { "prctl", eperm, 1, { LOW(0, 35) } },                        /* PR_SET_MM */
        { "setuid", eperm, 1, { SCMP_CMP(0, SCMP_CMP_EQ, 0, 0) } },
        { "mknod", eperm, 1, { SCMP_CMP(1, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFCHR) } },
        { "mknod", eperm, 1, { SCMP_CMP(1, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFBLK) } },
        { "mknodat", eperm, 1, { SCMP_CMP(2, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFCHR) } },
        { "mknodat", eperm, 1, { SCMP_CMP(2, SCMP_CMP_MASKED_EQ, S_IFMT, S_IFBLK) } },
    };
    for (size_t i = 0; !e && i < R1_COUNT(refused); i++) e = rule(c, refused[i].action, refused[i].name, refused[i].n, refused[i].a);
    return e;
}

static int list(scmp_filter_ctx c)
{
    int e = 0;
    for (size_t i = 0; !e && i < R1_COUNT(listed); i++) e = rule(c, SCMP_ACT_ALLOW, listed[i], 0, NULL);
    for (size_t i = 0; !e && i < R1_COUNT(stopped); i++) e = rule(c, SCMP_ACT_ALLOW, stopped[i], 0, NULL);
    return e;
}

/* Read back what libseccomp wrote. */
static r1_status read_program(int fd, void **out, unsigned *n, r1_error *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size % (off_t)sizeof(struct sock_filter) || size / (off_t)sizeof(struct sock_filter) > BPF_MAXINSNS) return r1_fail(err, R1_EIO, "box: a filter of system calls has %lld bytes", (long long)size);
    void *p = malloc((size_t)size);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for a filter of system calls");
    if (pread(fd, p, (size_t)size, 0) != (ssize_t)size) {
        free(p);
        return r1_fail(err, R1_EIO, "box: a filter of system calls could not be read back: %s", strerror(errno));
    }
    *out = p;
    *n = (unsigned)((size_t)size / sizeof(struct sock_filter));
    return R1_OK;
}

r1_status r1_box_filter(void **out, unsigned *n, int i, bool notify, r1_error *err)
{
    *out = NULL;
    *n = 0;
    scmp_filter_ctx c = seccomp_init(i == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
    if (!c) return r1_fail(err, R1_ENOMEM, "no memory for a filter of system calls");
    int e = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!e) (void)seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a chain, from libseccomp 2.5 on */
    if (!e) e = i == 0 ? stop_and_refuse(c, notify ? SCMP_ACT_NOTIFY : SCMP_ACT_KILL_PROCESS) : list(c);
    int fd = e ? -1 : (int)syscall(SYS_memfd_create, "filter", 1u);
    if (!e && fd < 0) e = -errno;
    if (!e) e = seccomp_export_bpf(c, fd);
    r1_status s = e ? r1_fail(err, R1_EIO, "box: no filter of system calls: %s", strerror(-e)) : read_program(fd, out, n, err);
    if (fd >= 0) close(fd);
    seccomp_release(c);
    return s;
}

void r1_box_call_name(char *text, int number)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    snprintf(text, 32, "%s", name ? name : "");
    free(name);
}
