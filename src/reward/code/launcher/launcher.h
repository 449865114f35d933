/* launcher: the program that makes boxes. Static, single-threaded, with no memory of the caller; see ../box.h for what a box is.
 *
 *   stub      started by the library; makes the launcher proper in new namespaces, writes its user map, and waits for its end
 *   launcher  process 1 of a process namespace; builds the root that every party sees (launcher_root.c), then serves one request after
 *             the other: starts a party, watches it (launcher_watch.c, launcher_measure.c), answers
 *   init      process 1 of the party's namespace (launcher_party.c): fresh tmpfs, files, starts the program, reaps every orphan, so that
 *             all CPU time adds up in it, and at the end kills what is left
 *   program   drops everything and executes
 *
 * When the caller dies, the launcher's socket ends and it exits; with it the kernel ends every process of its namespace, and with
 * the last process go mounts and files. When the stub or the launcher is killed, the same happens through PR_SET_PDEATHSIG.
 * The launcher believes the library, and nothing that comes out of a party. */
#ifndef R1_LAUNCHER_H
#define R1_LAUNCHER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/filter.h>
#include "reward/code/box_wire.h"

/* The protections of ../box.h that the launcher asks about. */
enum {
    USE_USER_NS = 0x001, USE_PID_NS = 0x002, USE_MOUNT_NS = 0x004, USE_NET_NS = 0x008, USE_IPC_NS = 0x010, USE_PROC = 0x020,
    USE_SECCOMP = 0x040, USE_NOTIFY = 0x080, USE_LANDLOCK = 0x100, USE_NO_NEW_PRIVS = 0x200, USE_NPROC = 0x400
};

/* What ended a party; the order of r1_box_end. */
enum { END_EXITED, END_SIGNALED, END_CPU, END_WALL, END_MEMORY, END_OUTPUT, END_DENIED, END_STOPPED, END_NOT_STARTED };

/* One page of both: what only init can see, for the launcher; and for init, when the launcher began to look, which may
 * mean to wait for a lock of the party's (launcher_now_us; 0: it does not look). */
typedef struct launcher_page {
    volatile uint64_t tmpfs_bytes, shm_bytes, tmpfs_dev, waits;
} launcher_page;

typedef struct launcher {
    int host;               /* the socket to the library */
    int proc;               /* /proc of our process namespace, mounted nowhere any more */
    unsigned use;           /* USE_... */
    int landlock_abi;
    struct sock_fprog filter[BOX_FILTERS];
    uint64_t memfd_dev;     /* where memfds are */
    long ticks;             /* of /proc/PID/stat, in a second */
    unsigned processors;
    unsigned uid, gid;      /* ours, as our user namespace calls them */
    launcher_page *page;
} launcher;

/* A party as asked for; pointers lead into the request's bytes. */
typedef struct party {
    box_request q;
    char **argv, **env;
    const char *take;       /* NULL: none */
    const char *files;      /* box_wire_file, name, data; n_files times */
    const char *stdin_data;
    int fd[BOX_MAX_FDS + 1]; /* received, in the order of q.fd_number */
    int proof_w;            /* writing end of the proof pipe; -1: none */
    char *memory;           /* what all of this lies in */
    volatile uint64_t *together; /* q.n_together times the CPU time of one of the parties that have a budget together, this one's at q.together; NULL */
} party;

/* What init and the program send to the launcher. Descriptors come along: STREAMS out and err (those that are captured), LISTENER one, REPORT the file
 * that is taken (when taken is BOX_TAKEN). */
enum { TELL_STREAMS = 1, TELL_LISTENER, TELL_FAILED, TELL_REPORT };
typedef struct tell {
    int32_t kind;
    int32_t error;          /* FAILED: errno, and `what` */
    char what[60];
    int32_t status;         /* REPORT: of the program; -1: init ended it because the launcher asked to stop */
    int32_t exec_error;     /* REPORT: errno when the program could not be executed */
    uint32_t taken;
    uint32_t blocked;       /* REPORT: init ended it because the launcher was kept from looking */
    uint64_t taken_bytes, cpu_us, maxrss_bytes, tmpfs_bytes, shm_bytes;
} tell;

/* launcher_root.c: the root a party sees, then move into it. 0 or errno with *what. */
int launcher_root(launcher *l, const char *folders, unsigned n_folders, const char **what);

/* launcher_party.c: the body of init; never returns. ctl: the socket to the launcher. */
_Noreturn void launcher_init(const launcher *l, const party *p, int ctl);

/* launcher_measure.c */
typedef struct measured {
    uint64_t cpu_us, bytes; /* bytes: an upper bound while it is below the limit, exact above; 0 when the CPU time is over its limit */
    unsigned n_processes;
    bool hidden;            /* a living process kept its descriptors from us */
} measured;
/* Look at all processes of our namespace but us and init. */
void launcher_measure(const launcher *l, int init, const box_request *q, measured *m);

/* launcher_watch.c: watch a party until it has ended; r is filled, out and err and proof are malloc'ed, *taken_fd the file or -1. */
typedef struct stream {
    int fd;                 /* reading end, not blocking; -1: closed */
    char *data;
    size_t n, cap, max;
    bool cut;
} stream;
void launcher_watch(const launcher *l, const party *p, int init, int ctl, stream s[3], box_reply *r, int *taken_fd);

/* launcher.c: small things of all. */
int launcher_send_fds(int socket, const void *data, size_t n, const int *fds, int n_fds);
/* Receives one message; *n_fds descriptors at most, on return those that came. */
long launcher_recv_fds(int socket, void *data, size_t n, int *fds, int *n_fds, int flags);
int launcher_poll_ms(const void *pollfds, unsigned n, int64_t us); /* poll with microseconds */
uint64_t launcher_now_us(void);

#endif
