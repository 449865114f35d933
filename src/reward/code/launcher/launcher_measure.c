/* launcher_measure: CPU time and memory of all processes of a party, from /proc of the launcher's own process namespace, in which there
 * is nothing but the launcher, init and the party.
 *
 * CPU time is exact in kernel: a living process (also one that has ended and is not reaped) has its own and that of children it reaped,
 * and orphans go to init. Nothing gets lost, because the filter of calls does not let a program ignore SIGCHLD: time of children reaped by
 * the kernel itself would be counted nowhere. Its own is asked of its clock, in nanoseconds: the ticks of /proc are rounded down, which for
 * 64 processes hides more than a second. A party over its CPU time is not asked for memory: looking must end it soon, however many it is.
 *
 * Memory, first a sum that can only be too large and costs little: resident pages of each process, tmpfs and System V segments
 * (from init), memfds that are open somewhere, room in pipes and sockets; where address space is larger than the limit also page tables, the
 * number of mappings and shared mappings that nothing else shows (pages of a shared mapping stay when no process has them mapped in). Where
 * all mappings were looked at, or files and segments are there that may be mapped, resident pages of shared memory are left out: each lies
 * in one of these objects. Only when that sum is over the limit pages shared between processes are told apart (smaps_rollup), which walks every page table.
 *
 * An address space counts once, however many processes run in it (children of vfork, and what they leave when one of the two is killed): kcmp
 * tells. Maps and smaps_rollup wait for a lock of that space, which its processes can hold for seconds; stat, status and descriptors do not.
 * So what is certain without them is decided first, and init watches over the wait (page->waits, launcher_party.c). */
#include "reward/code/launcher/launcher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES 65536        /* the filter of calls keeps pipes at the kernel's default */
#define SOCKET_BYTES 425984     /* twice the default of net.core.wmem_default, which counts the kernel's own overhead */
#define MAPPING_BYTES 256       /* what the kernel keeps for one */
#define MAX_OBJECTS 16384
#define WORTH_MAPPING (1 << 20) /* bytes of files and segments from which on we ask whether they are mapped */

/* A set of (device, inode) with a size each. Growing past MAX_OBJECTS is itself a sign. */
typedef struct objects {
    struct { uint64_t dev, inode, bytes; bool open; } *v; /* open: seen as a descriptor, so the size is what is allocated */
    size_t n, cap;
    uint64_t bytes;     /* of all */
    bool full;
} objects;

/* Add, or raise the size of what is there, unless it is known better; open addressing over a power of two. */
static void put(objects *o, uint64_t dev, uint64_t inode, uint64_t bytes, bool open)
{
    if (2 * (o->n + 1) > o->cap) {
        objects bigger = { .cap = o->cap ? 2 * o->cap : 64 };
        if (bigger.cap > 2 * MAX_OBJECTS || !(bigger.v = calloc(bigger.cap, sizeof *bigger.v))) {
            o->full = true;
            return;
        }
        for (size_t i = 0; i < o->cap; i++) {
            if (o->v[i].inode) put(&bigger, o->v[i].dev, o->v[i].inode, o->v[i].bytes, o->v[i].open);
        }
        free(o->v);
        *o = bigger;
    }
    size_t i = (size_t)((inode * 0x9E3779B97F4A7C15u ^ dev) >> 20) & (o->cap - 1);
    while (o->v[i].inode && (o->v[i].inode != inode || o->v[i].dev != dev)) i = (i + 1) & (o->cap - 1);
    if (!o->v[i].inode) {
        o->v[i].inode = inode;
        o->v[i].dev = dev;
        o->v[i].open = open;
        o->n++;
    }
    if (o->v[i].open != open || o->v[i].bytes >= bytes) return;
    o->bytes += bytes - o->v[i].bytes;
    o->v[i].bytes = bytes;
}

/* A whole small file of /proc, NUL-terminated; false when it is gone. */
static bool read_small(int proc, const char *path, char *to, size_t size)
{
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, to, size - 1);
    close(fd);
    if (n < 0) return false;
    to[n] = 0;
    return n > 0;
}

/* The number behind "name:" in kB; 0 when there is none. */
static uint64_t kb(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

typedef struct process {
    uint64_t own_us, children_us, vsize, rss; /* CPU time of its own, and of children it reaped */
    uint64_t stack;                           /* where its stack began: the same after fork and vfork, another after exec */
    int look;                                 /* the thread that shows memory and descriptors: its first, or where that has ended another */
    bool again;                               /* its address space was counted with another process */
} process;

/* CPU time of a process by its clock; false when it is gone or the kernel does not say. The number of the clock is the kernel's interface. */
static bool read_clock(int pid, uint64_t *us)
{
    struct timespec t;
    if (clock_gettime((clockid_t)((~(unsigned)pid << 3) | 2), &t) != 0) return false;
    *us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    return true;
}

/* What /proc/ID/stat says, of a process or a thread; returns the number of threads, 0 when it is gone. The second field, in brackets, is chosen by the
 * program; the last ')' ends it. */
static long read_fields(const launcher *l, int id, process *p)
{
    char path[32], b[1024];
    snprintf(path, sizeof path, "%d/stat", id);
    if (!read_small(l->proc, path, b, sizeof b)) return 0;
    char *at = strrchr(b, ')');
    unsigned long long u, s, cu, cs, vsize, stack;
    long rss, threads;
    uint64_t tick_us = 1000000 / (uint64_t)l->ticks;
    if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %ld %*d %*u %llu %ld %*u %*u %*u %llu",
                      &u, &s, &cu, &cs, &threads, &vsize, &rss, &stack) != 8) return 0;
    *p = (process){ .own_us = (u + s) * tick_us, .children_us = (cu + cs) * tick_us, .vsize = vsize, .stack = stack, .look = id,
        .rss = (uint64_t)(rss > 0 ? rss : 0) * (uint64_t)sysconf(_SC_PAGESIZE) };
    return threads > 0 ? threads : 1;
}

/* The first thread has ended and shows no memory any more; the others have it. */
static void read_other_thread(const launcher *l, int pid, process *p)
{
    char path[32];
    snprintf(path, sizeof path, "%d/task", pid);
    int fd = openat(l->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        process other;
        int tid = atoi(e->d_name);
        if (tid <= 0 || tid == pid || !read_fields(l, tid, &other) || !other.rss) continue;
        p->rss = other.rss;
        p->vsize = other.vsize;
        p->stack = other.stack;
        p->look = tid;
        break;
    }
    closedir(d);
}

static bool read_stat(const launcher *l, int pid, process *p)
{
    uint64_t us;
    long threads = read_fields(l, pid, p);
    if (!threads) return false;
    if (read_clock(pid, &us)) p->own_us = us;
    if (!p->rss && threads > 1) read_other_thread(l, pid, p);
    return true;
}

/* Descriptors: memfds with what they hold, pipes and sockets with what they could hold. false: they are hidden from us. */
static bool look_at_descriptors(const launcher *l, int pid, objects *o)
{
    char path[32];
    snprintf(path, sizeof path, "%d/fd", pid);
    int fd = openat(l->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno != EACCES && errno != EPERM;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return true;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, 0) != 0) continue;
        if (S_ISFIFO(st.st_mode)) put(o, st.st_dev, st.st_ino, PIPE_BYTES, true);
        if (S_ISSOCK(st.st_mode)) put(o, st.st_dev, st.st_ino, SOCKET_BYTES, true);
        if (S_ISREG(st.st_mode) && st.st_dev == l->memfd_dev) put(o, st.st_dev, st.st_ino, (uint64_t)st.st_blocks * 512, true);
    }
    closedir(d);
    return true;
}

/* One line of maps: "from-to perms offset major:minor inode   name". Shared memory without a file, and memfds that may be open no more. */
static void look_at_mapping(const launcher *l, const char *line, objects *o)
{
    unsigned long long from, to, offset, inode;
    unsigned major, minor;
    char perms[8];
    int name = 0;
    if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &from, &to, perms, &offset, &major, &minor, &inode, &name) < 7 || !inode || !name) return;
    if (makedev(major, minor) != l->memfd_dev || strncmp(line + name, "/SYSV", 5) == 0) return;
    put(o, makedev(major, minor), inode, offset + (to - from), false);
}

/* Page tables, mappings, shared memory that no resident page shows. Returns bytes of the first two; *shared: resident pages of shared memory. */
static uint64_t look_at_space(const launcher *l, int pid, objects *o, uint64_t *shared)
{
    char path[32], b[16384];
    uint64_t bytes = 0;
    *shared = 0;
    snprintf(path, sizeof path, "%d/status", pid);
    if (read_small(l->proc, path, b, sizeof b)) {
        bytes += kb(b, "\nVmPTE:") * 1024; /* a name of a process has no line end of its own there */
        *shared = kb(b, "\nRssShmem:") * 1024;
    }
    snprintf(path, sizeof path, "%d/maps", pid);
    int fd = openat(l->proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return bytes;
    size_t have = 0;
    ssize_t n;
    while ((n = read(fd, b + have, sizeof b - 1 - have)) > 0) {
        have += (size_t)n;
        b[have] = 0;
        char *at = b, *end;
        while ((end = strchr(at, '\n')) != NULL) {
            *end = 0;
            look_at_mapping(l, at, o);
            bytes += MAPPING_BYTES;
            at = end + 1;
        }
        have -= (size_t)(at - b);
        memmove(b, at, have);
        if (have == sizeof b - 1) have = 0; /* a line longer than any path */
    }
    close(fd);
    return bytes;
}

/* Private pages with shared ones in shares; pages of shared memory are counted as objects. */
static uint64_t exact(const launcher *l, int pid, uint64_t otherwise)
{
    char path[40], b[4096];
    snprintf(path, sizeof path, "%d/smaps_rollup", pid);
    if (!read_small(l->proc, path, b, sizeof b)) return otherwise;
    if (!strstr(b, "Pss_Anon:")) return kb(b, "\nPss:") * 1024;
    return (kb(b, "Pss_Anon:") + kb(b, "Pss_File:") + kb(b, "SwapPss:")) * 1024;
}

#define MAX_PIDS 4096

static int list_processes(const launcher *l, int init, int *pids)
{
    int n = 0, fd = openat(l->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return 0;
    }
    struct dirent *e;
    while (n < MAX_PIDS && (e = readdir(d)) != NULL) {
        int pid = atoi(e->d_name);
        if (pid > 1 && pid != init) pids[n++] = pid;
    }
    closedir(d);
    return n;
}

static int pids[MAX_PIDS];
static process p[MAX_PIDS]; /* of the processes pids[] */

/* ---- address spaces ---- */

#define KCMP_VM 1

/* < 0, 0, > 0 in some order of address spaces; 0: the same one. 2: not known, one is gone. */
static int compare_spaces(int a, int b)
{
    if (p[a].stack != p[b].stack) return p[a].stack < p[b].stack ? -1 : 1;
    long k = syscall(SYS_kcmp, p[a].look, p[b].look, KCMP_VM, 0ul, 0ul);
    return k == 0 ? 0 : k == 1 ? -1 : k == 2 ? 1 : 2;
}

/* Mark all but one process of each address space. order: those that are left, in that order; returns how many. */
static int one_of_each(int n, int *order)
{
    int have = 0;
    for (int i = 0; i < n; i++) {
        int low = 0, high = have, c = 1;
        while (p[i].rss && low < high && c != 0 && c != 2) {
            int mid = (low + high) / 2;
            c = compare_spaces(i, order[mid]);
            if (c < 0) high = mid;
            else low = mid + 1;
        }
        p[i].again = c == 0;
        if (!p[i].rss || c == 0 || c == 2) continue;
        memmove(order + low + 1, order + low, (size_t)(have - low) * sizeof *order);
        order[low] = i;
        have++;
    }
    return have;
}

/* What these address spaces have at least, without waiting for any lock. Only forks share anonymous pages, and they have the same stack. */
static uint64_t at_least(const launcher *l, const int *order, int n)
{
    uint64_t sum = 0, most = 0;
    for (int i = 0; i < n; i++) {
        char path[32], b[4096];
        snprintf(path, sizeof path, "%d/status", p[order[i]].look);
        if (i > 0 && p[order[i]].stack != p[order[i - 1]].stack) {
            sum += most;
            most = 0;
        }
        uint64_t bytes = read_small(l->proc, path, b, sizeof b) ? kb(b, "\nRssAnon:") * 1024 : 0;
        if (most < bytes) most = bytes;
    }
    return sum + most;
}

static void measure(const launcher *l, int init, const box_request *q, measured *m)
{
    const uint64_t limit = q->memory_bytes;
    static int order[MAX_PIDS];
    objects o = { 0 };
    uint64_t resident = 0, space = 0, vsize = 0, most_shared = 0, fixed = l->page->tmpfs_bytes + l->page->shm_bytes;
    process of_init;
    memset(m, 0, sizeof *m);
    /* init first and the others in ascending order: what moves to a parent meanwhile is then missed, never counted twice */
    m->cpu_us = read_stat(l, init, &of_init) ? of_init.children_us : 0;
    int n = list_processes(l, init, pids);
    for (int i = 0; i < n; i++) {
        if (!read_stat(l, pids[i], &p[i])) {
            memset(&p[i], 0, sizeof p[i]);
            continue;
        }
        m->cpu_us += p[i].own_us + p[i].children_us;
        m->n_processes++;
    }
    if (m->cpu_us > q->cpu_us) return;
    const int n_spaces = one_of_each(n, order);
    for (int i = 0; i < n; i++) {
        if (p[i].again) continue;
        resident += p[i].rss;
        vsize += p[i].vsize;
    }
    if (resident + fixed > limit && (m->bytes = at_least(l, order, n_spaces)) > limit) return;
    /* once it is too much there is no need to go on: with many processes that takes long, and they take more meanwhile */
    for (int i = 0; i < n && fixed + o.bytes <= limit; i++) {
        if (p[i].rss && !look_at_descriptors(l, p[i].look, &o)) m->hidden = true;
    }
    const uint64_t open_bytes = fixed + o.bytes, plain = resident + open_bytes;
    const bool room = vsize + open_bytes > limit; /* else nothing that is mapped can be too much */
    for (int i = 0; i < n && (room || open_bytes > WORTH_MAPPING); i++) {
        uint64_t shared = 0;
        if (p[i].again) continue;
        if (room && fixed + o.bytes + space > limit) {
            m->bytes = fixed + o.bytes + space;
            free(o.v);
            return;
        }
        if (p[i].rss) space += look_at_space(l, p[i].look, &o, &shared);
        resident -= shared < p[i].rss ? shared : p[i].rss;
        if (most_shared < shared) most_shared = shared;
    }
    /* init's count of the files may be some milliseconds old: what a process has of them is there */
    fixed += o.bytes;
    if (fixed < most_shared) fixed = most_shared;
    fixed += space;
    m->bytes = resident + fixed;
    if (!room && m->bytes > plain) m->bytes = plain;
    if (o.full) m->bytes = limit + 1;
    if (m->bytes > limit && !o.full) {
        resident = 0;
        for (int i = 0; i < n; i++) {
            if (p[i].rss && !p[i].again) resident += exact(l, p[i].look, p[i].rss);
        }
        m->bytes = resident + fixed;
    }
    free(o.v);
}

void launcher_measure(const launcher *l, int init, const box_request *q, measured *m)
{
    l->page->waits = launcher_now_us();
    measure(l, init, q, m);
    l->page->waits = 0;
}
