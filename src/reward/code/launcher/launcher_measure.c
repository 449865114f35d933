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
 * in one of these objects. Only when that sum is over the limit pages shared between processes are told apart (smaps_rollup), which walks every page table. */
#include "reward/code/launcher/launcher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    if (o->v[i].open == open && o->v[i].bytes < bytes) o->v[i].bytes = bytes;
}

static uint64_t total(const objects *o)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < o->cap; i++) sum += o->v ? o->v[i].bytes : 0;
    return sum;
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

typedef struct process { uint64_t own_us, children_us, vsize, rss; } process; /* CPU time of its own, and of children it reaped */

/* CPU time of a process by its clock; false when it is gone or the kernel does not say. The number of the clock is the kernel's interface. */
static bool read_clock(int pid, uint64_t *us)
{
    struct timespec t;
    if (clock_gettime((clockid_t)((~(unsigned)pid << 3) | 2), &t) != 0) return false;
    *us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    return true;
}

/* The second field, in brackets, is chosen by the program; the last ')' ends it. */
static bool read_stat(const launcher *l, int pid, process *p)
{
    char path[32], b[1024];
    snprintf(path, sizeof path, "%d/stat", pid);
    if (!read_small(l->proc, path, b, sizeof b)) return false;
    char *at = strrchr(b, ')');
    unsigned long long u, s, cu, cs, vsize;
    long rss;
    uint64_t tick_us = 1000000 / (uint64_t)l->ticks;
    if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d %*u %llu %ld", &u, &s, &cu, &cs, &vsize, &rss) != 6) return false;
    if (!read_clock(pid, &p->own_us)) p->own_us = (u + s) * tick_us;
    p->children_us = (cu + cs) * tick_us;
    p->vsize = vsize;
    p->rss = (uint64_t)(rss > 0 ? rss : 0) * (uint64_t)sysconf(_SC_PAGESIZE);
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

void launcher_measure(const launcher *l, int init, const box_request *q, measured *m)
{
    const uint64_t limit = q->memory_bytes;
    static int pids[MAX_PIDS];
    static process p[MAX_PIDS];
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
        resident += p[i].rss;
        vsize += p[i].vsize;
        m->n_processes++;
    }
    if (m->cpu_us > q->cpu_us) return;
    for (int i = 0; i < n; i++) {
        if (p[i].rss && !look_at_descriptors(l, pids[i], &o)) m->hidden = true;
    }
    const uint64_t open_bytes = fixed + total(&o), plain = resident + open_bytes;
    const bool room = vsize + open_bytes > limit; /* else nothing that is mapped can be too much */
    for (int i = 0; i < n && (room || open_bytes > WORTH_MAPPING); i++) {
        uint64_t shared = 0;
        if (p[i].rss) space += look_at_space(l, pids[i], &o, &shared);
        resident -= shared < p[i].rss ? shared : p[i].rss;
        if (most_shared < shared) most_shared = shared;
    }
    /* init's count of the files may be some milliseconds old: what a process has of them is there */
    fixed += total(&o);
    if (fixed < most_shared) fixed = most_shared;
    fixed += space;
    m->bytes = resident + fixed;
    if (!room && m->bytes > plain) m->bytes = plain;
    if (o.full) m->bytes = limit + 1;
    if (m->bytes > limit && !o.full) {
        resident = 0;
        for (int i = 0; i < n; i++) {
            if (p[i].rss) resident += exact(l, pids[i], p[i].rss);
        }
        m->bytes = resident + fixed;
    }
    free(o.v);
}
