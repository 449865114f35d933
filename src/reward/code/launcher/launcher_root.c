/* launcher_root: the file system every party sees. A tmpfs with read-only binds of what programs are made of, a few devices and a small
 * /etc; the old root is let go, so that nothing outside can be named any more. It is built once; a party's namespace is a copy.
 *
 * There is no real /proc in it, only four files of text that runtimes fail without (Node's process.memoryUsage and os.cpus), the same in
 * every box. The launcher keeps its own /proc open without a name, for measuring. */
#include "reward/code/launcher/launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEW "/proc" /* where the new root is mounted while it is built: the one folder that never has to be shown in it */

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
struct attributes { uint64_t set, clear, propagation, userns; };
enum { ATTRIBUTE_RDONLY = 1, ATTRIBUTE_NOSUID = 2, ATTRIBUTE_NODEV = 4, RECURSIVE = 0x8000 };

/* Show a folder read-only under NEW. A folder with mounts in it can only be had together with them: the kernel does not let us see what
 * they cover. */
static int bind_ro(const char *path)
{
    char to[4200];
    if (snprintf(to, sizeof to, NEW "%s", path) >= (int)sizeof to) return ENAMETOOLONG;
    bool all = false;
    if (mount(path, to, NULL, MS_BIND, NULL) != 0) {
        if (errno != EINVAL) return errno;
        if (mount(path, to, NULL, MS_BIND | MS_REC, NULL) != 0) return errno;
        all = true;
    }
    struct attributes a = { .set = ATTRIBUTE_RDONLY | ATTRIBUTE_NOSUID | ATTRIBUTE_NODEV };
    if (syscall(SYS_mount_setattr, AT_FDCWD, to, RECURSIVE, &a, sizeof a) == 0) return 0;
    if (errno != ENOSYS || all) return errno;
    struct statvfs v; /* before Linux 5.12: flags that the kernel has locked must be said again */
    if (statvfs(to, &v) != 0) return errno;
    unsigned long f = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;
    if (v.f_flag & ST_NOEXEC) f |= MS_NOEXEC;
    if (v.f_flag & ST_NOATIME) f |= MS_NOATIME;
    if (v.f_flag & ST_NODIRATIME) f |= MS_NODIRATIME;
    if (v.f_flag & ST_RELATIME) f |= MS_RELATIME;
    return mount(NULL, to, NULL, f, NULL) == 0 ? 0 : errno;
}

/* mkdir -p below NEW */
static int make_folders(const char *path)
{
    char to[4200];
    if (snprintf(to, sizeof to, NEW "%s", path) >= (int)sizeof to) return ENAMETOOLONG;
    for (char *s = to + sizeof NEW; ; s++) {
        if (*s != '/' && *s) continue;
        char c = *s;
        *s = 0;
        if (mkdir(to, 0755) != 0 && errno != EEXIST) return errno;
        if (!c) return 0;
        *s = c;
    }
}

/* A folder of the system as it is there: a link, a folder, or not at all. */
static int show(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT ? 0 : errno;
    if (S_ISLNK(st.st_mode)) {
        char target[4096], to[64];
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0) return errno;
        target[n] = 0;
        snprintf(to, sizeof to, NEW "%s", path);
        return symlink(target, to) == 0 ? 0 : errno;
    }
    if (!S_ISDIR(st.st_mode)) return 0;
    int e = make_folders(path);
    return e ? e : bind_ro(path);
}

static int device(const char *name)
{
    char from[32], to[40];
    snprintf(from, sizeof from, "/dev/%s", name);
    snprintf(to, sizeof to, NEW "/dev/%s", name);
    int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    close(fd);
    return mount(from, to, NULL, MS_BIND, NULL) == 0 ? 0 : errno;
}

static int text_file(const char *path, const char *text)
{
    char to[64];
    snprintf(to, sizeof to, NEW "%s", path);
    int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    size_t n = strlen(text);
    int e = write(fd, text, n) == (ssize_t)n ? 0 : errno;
    close(fd);
    return e;
}

/* The cache of the dynamic linker: without it libraries in unusual folders are not found. */
static void copy_linker_cache(void)
{
    int in = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    if (in < 0) return;
    int out = open(NEW "/etc/ld.so.cache", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    char b[16384];
    ssize_t n;
    while (out >= 0 && (n = read(in, b, sizeof b)) > 0) {
        if (write(out, b, (size_t)n) != n) break;
    }
    if (out >= 0) close(out);
    close(in);
}

static int fill_etc(void)
{
    int e = make_folders("/etc");
    if (!e) e = text_file("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nbox:x:1000:1000:box:/box:/bin/sh\n");
    if (!e) e = text_file("/etc/group", "root:x:0:\nbox:x:1000:\n");
    if (!e) e = text_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
    if (!e) e = text_file("/etc/hosts", "127.0.0.1 localhost\n");
    if (!e) copy_linker_cache();
    return e ? e : show("/etc/alternatives"); /* Debian's names of compilers lead through it */
}

static int fill_dev(void)
{
    static const char *const needed[] = { "null", "zero", "full", "random", "urandom" };
    int e = make_folders("/dev");
    for (size_t i = 0; !e && i < sizeof needed / sizeof *needed; i++) e = device(needed[i]);
    if (!e && symlink("/tmp", NEW "/dev/shm") != 0) e = errno;
    /* without /proc these cannot be /proc/self/fd/N: they are files of the party (launcher_party.c) */
    if (!e && symlink("/.box/io/stdin", NEW "/dev/stdin") != 0) e = errno;
    if (!e && symlink("/.box/io/stdout", NEW "/dev/stdout") != 0) e = errno;
    if (!e && symlink("/.box/io/stderr", NEW "/dev/stderr") != 0) e = errno;
    return e;
}

/* Made-up numbers but for the processors. 2 GB of memory make V8 choose a heap that suits the usual limits. */
static int fill_proc(void)
{
    cpu_set_t cpus;
    char info[16384], stat[8192];
    size_t n = 0, k = (size_t)snprintf(stat, sizeof stat, "cpu  0 0 0 0 0 0 0 0 0 0\n");
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    for (int i = 0; i < count && i < 128; i++) {
        n += (size_t)snprintf(info + n, sizeof info - n, "processor\t: %d\nmodel name\t: box\ncpu MHz\t\t: 1000.000\n\n", i);
        k += (size_t)snprintf(stat + k, sizeof stat - k, "cpu%d 0 0 0 0 0 0 0 0 0 0\n", i);
    }
    snprintf(stat + k, sizeof stat - k, "btime 0\n");
    int e = make_folders("/proc/self");
    if (!e) e = text_file("/proc/cpuinfo", info);
    if (!e) e = text_file("/proc/stat", stat);
    if (!e) e = text_file("/proc/meminfo", "MemTotal:        2097152 kB\nMemFree:         1048576 kB\nMemAvailable:    1048576 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n");
    if (!e) e = text_file("/proc/self/stat", "2 (program) R 1 2 2 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 67108864 8192 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
    return e;
}

/* Folders of an interpreter outside /usr. */
static int show_folders(const char *folders, unsigned n, const char **what)
{
    for (unsigned i = 0; i < n; i++, folders += strlen(folders) + 1) {
        struct stat st;
        if (stat(folders, &st) != 0 || !S_ISDIR(st.st_mode)) continue;
        int e = make_folders(folders);
        if (!e) e = bind_ro(folders);
        if (e) {
            *what = "showing one of options.folders";
            return e;
        }
    }
    return 0;
}

int launcher_root(launcher *l, const char *folders, unsigned n_folders, const char **what)
{
    static const char *const system_folders[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store" };
    *what = "making mounts private";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
    *what = "mounting /proc";
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return errno;
    l->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->proc < 0) return errno;
    *what = "mounting a tmpfs";
    if (mount("box", NEW, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=4096,mode=0755") != 0) return errno;
    *what = "showing the system's folders";
    int e = 0;
    for (size_t i = 0; !e && i < sizeof system_folders / sizeof *system_folders; i++) e = show(system_folders[i]);
    if (e) return e;
    e = show_folders(folders, n_folders, what);
    if (e) return e;
    *what = "making /dev";
    e = fill_dev();
    if (e) return e;
    *what = "making /etc and /proc";
    e = fill_etc();
    if (!e) e = fill_proc();
    if (!e) e = make_folders("/box");
    if (!e) e = make_folders("/tmp");
    if (!e) e = make_folders("/.box");
    if (e) return e;
    *what = "moving into the new root";
    if (chdir(NEW) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) return errno;
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return errno;
    *what = "making the root read-only";
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) == 0 ? 0 : errno;
}
