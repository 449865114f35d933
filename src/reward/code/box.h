/* box: runs programs that must be expected to be hostile, and says what happened. Needs no root, no daemon, no container.
 *
 * A party is one program with everything it starts. Each party has namespaces of its own (users, processes, mounts, network,
 * System V objects, host name, control groups), so parties of one test neither see nor signal each other; what they say to each
 * other goes over descriptors the caller makes. A party sees read-only /usr, /bin, /lib and the folders named in r1_box_options,
 * /dev/null, /dev/zero, /dev/urandom, a small /etc, no /sys, and for /proc four files of made-up text. It starts in an empty writable folder R1_BOX_WORK (a fresh
 * tmpfs, also its HOME), with an empty /tmp (/dev/shm is a name of it), no network, no capabilities, and the environment PATH=/usr/local/bin:/usr/bin:/bin,
 * LANG=C.UTF-8, HOME=R1_BOX_WORK, TMPDIR=/tmp, UV_USE_IO_URING=0 and what the party adds. A second wall is Landlock, a third one
 * seccomp: calls that are of no use to an honest program and of much use to an attacker (ptrace, mount, unshare, bpf, io_uring, keyctl ...) end
 * the party as R1_BOX_DENIED; others (sockets but AF_UNIX, sendmsg, unknown calls ...) fail with an error and the program goes on.
 *
 * Limits are on the party as a whole, orphans included. CPU time ends a party, whatever the machine is busy with; wall time is a
 * backstop. Memory is what is there (resident, shared, memfd, System V, tmpfs), not address space.
 *
 * When r1_box_run returns, nothing of a party is left: no process, mount or file. When the calling process dies, by SIGKILL too, all
 * its boxes end at once.
 *
 * How: a small static program (launcher/, carried inside the library) is started once for each party at a time and keeps a prepared
 * root; a run is a clone of it. So no memory of the caller, nor any lock, is ever in a box. docs/decisions/0011-sandbox.md.
 * Threads: every function may be called from any thread at any time, but r1_boxes_close only when no run is left.
 * Tests: box_test.c, tests/attacks/ */
#ifndef R1_REWARD_BOX_H
#define R1_REWARD_BOX_H

#include "base/base.h"

#define R1_BOX_WORK "/box"
#define R1_BOX_MAX_PARTIES 3
#define R1_BOX_MAX_FDS 8

/* ---- what this machine can do ------------------------------------------------------------------------------------ */

/* Protections, as bits. */
#define R1_BOX_USER_NS   0x001u /* user, mount, process, IPC, host name and network namespaces: without them there is no box at all */
#define R1_BOX_PID_NS    0x002u
#define R1_BOX_MOUNT_NS  0x004u
#define R1_BOX_NET_NS    0x008u
#define R1_BOX_IPC_NS    0x010u
#define R1_BOX_PROC      0x020u /* a /proc for the launcher: CPU and memory can be measured */
#define R1_BOX_SECCOMP   0x040u
#define R1_BOX_NOTIFY    0x080u /* a denied call is seen before it happens, and named; else the kernel kills the process and no name is known */
#define R1_BOX_LANDLOCK  0x100u
#define R1_BOX_NO_NEW_PRIVS 0x200u
#define R1_BOX_NPROC     0x400u /* the limit of processes counts those of a box alone (Linux 5.14) */
#define R1_BOX_ALL       0x7FFu
/* Without these a box is refused whatever the options say. */
#define R1_BOX_NEEDED    (R1_BOX_USER_NS | R1_BOX_PID_NS | R1_BOX_MOUNT_NS | R1_BOX_PROC | R1_BOX_NO_NEW_PRIVS)

typedef struct r1_box_probe_result {
    unsigned present;   /* R1_BOX_... bits */
    int landlock_abi;   /* 0: none */
    char why[256];      /* of the first thing missing: what the system said; "" when all is there */
} r1_box_probe_result;

/* Try each of them, in processes of its own. Never fails: what cannot be tried is missing. About 10 ms. */
void r1_box_probe(r1_box_probe_result *out);
/* "user namespaces, Landlock" for a set of bits; returns text. */
const char *r1_box_protections(unsigned bits, char *text, size_t size);

/* ---- a place to run boxes ---------------------------------------------------------------------------------------- */

typedef struct r1_boxes r1_boxes;

typedef struct r1_box_options {
    const char *const *folders; /* n_folders absolute folders shown read-only under the same path, such as the prefix of an interpreter */
    size_t n_folders;           /* outside /usr; those below /usr, or that are not there, are skipped. At most 16 */
    bool allow_weaker;          /* run with fewer protections than R1_BOX_ALL (never fewer than R1_BOX_NEEDED) */
    unsigned pretend_missing;   /* for tests: R1_BOX_... bits that are not to be used */
} r1_box_options;

/* Errors: R1_EUNSUPPORTED names the protections that are missing; R1_EINVAL, R1_ENOMEM, R1_EIO. */
r1_status r1_boxes_open(r1_boxes **out, const r1_box_options *o, r1_error *err) R1_MUST_CHECK;
void r1_boxes_close(r1_boxes *b);
/* Protections that runs go without; 0 unless allow_weaker. */
unsigned r1_boxes_missing(const r1_boxes *b);

/* ---- a run ------------------------------------------------------------------------------------------------------- */

/* 0 in any field: the default behind it. */
typedef struct r1_box_limits {
    double cpu_s;           /* 6: CPU time, user and system, of all processes together */
    double wall_s;          /* 10 * cpu_s */
    uint64_t memory_bytes;  /* 512 MB */
    uint64_t output_bytes;  /* 1 MB, for stdout and stderr each; a byte more ends the party */
    uint64_t file_bytes;    /* memory_bytes: largest file */
    uint64_t stack_bytes;   /* 16 MB */
    unsigned n_processes;   /* 64, threads included; at most 4000 */
    unsigned n_open;        /* 256 open descriptors of one process, at most 512 */
} r1_box_limits;

/* A file put into the work folder before the program starts. */
typedef struct r1_box_file {
    const char *name;       /* one path component, not "." or ".." */
    const void *data;
    size_t n;
    unsigned mode;          /* permission bits; 0: 0644 */
} r1_box_file;

/* A descriptor of the caller that the party gets as number `box` (0..63). 1 and 2 are then not captured, 0 takes the place of stdin_data. */
typedef struct r1_box_fd {
    int host, box;
} r1_box_fd;

typedef struct r1_box_party {
    const char *const *argv;     /* NULL-terminated; argv[0]: a path inside the box, absolute or from the work folder ("./a.out") */
    const char *const *env;      /* NULL-terminated "NAME=value" added to the fixed ones (a name that is there is replaced); may be NULL */
    const r1_box_file *files;
    size_t n_files;              /* at most 64 */
    const void *stdin_data;      /* read as a file; at its end from the start when stdin_bytes is 0 */
    size_t stdin_bytes;
    const r1_box_fd *fds;        /* at most R1_BOX_MAX_FDS; the caller closes its own after the run, or in the case of ends_others earlier if it likes */
    size_t n_fds;
    int proof_fd;                /* 3..63: a pipe for writing under this number; what was written to it is result.proof. 0: none */
    const char *take;            /* a file of the work folder to take out after the program exited with 0; NULL: none */
    size_t take_max;             /* its largest size */
    r1_box_limits limits;
    bool ends_others;            /* when this party ends, in whatever way, those still running are stopped (R1_BOX_STOPPED) */
} r1_box_party;

typedef enum r1_box_end {
    R1_BOX_EXITED,     /* by itself: exit_status */
    R1_BOX_SIGNALED,   /* by a signal: signal. SIGXFSZ: a file became too large */
    R1_BOX_CPU,        /* limits.cpu_s. Also when it was seen only after the program had ended */
    R1_BOX_WALL,       /* limits.wall_s */
    R1_BOX_MEMORY,     /* limits.memory_bytes; as CPU */
    R1_BOX_OUTPUT,     /* limits.output_bytes; as CPU */
    R1_BOX_DENIED,     /* a denied call: denied. Also hiding from being measured, then denied is "" */
    R1_BOX_STOPPED,    /* the end of another party, or the caller's cancel */
    R1_BOX_NOT_STARTED /* argv[0] could not be executed: exit_status is errno */
} r1_box_end;

#define R1_BOX_PROOF_MAX 4096

typedef struct r1_box_result {
    r1_box_end end;
    int exit_status;         /* EXITED: 0..255 */
    int signal;              /* SIGNALED */
    char denied[32];         /* DENIED: name of the call, "" when it is not known */
    double cpu_s, wall_s;
    uint64_t peak_bytes;     /* most memory seen */
    char *out, *err;         /* captured, each NUL-terminated behind its length; at most output_bytes */
    size_t n_out, n_err;
    bool out_cut, err_cut;   /* there was more */
    char *proof;             /* at most R1_BOX_PROOF_MAX bytes, proof_cut when there was more */
    size_t n_proof;
    bool proof_cut;
    char *taken;             /* NULL: `take` was not asked for, the program did not exit with 0, or taken_why says what is wrong */
    size_t n_taken;
    const char *taken_why;   /* "is not there", "is not a plain file", "is too large"; NULL when taken; static */
} r1_box_result;

typedef struct r1_box_run_options {
    bool (*cancelled)(void *ctx); /* asked about every 50 ms from the calling thread; may be NULL */
    void *ctx;
    bool cpu_together; /* limits.cpu_s of a party is for the CPU time of all parties of the run together: what ends one over it ends as R1_BOX_CPU */
} r1_box_run_options;

/* Run the parties at the same time, each until it ends. results[0..n) are filled on R1_OK, whatever the programs did, and zeroed on errors.
 * Errors: R1_EINVAL (arguments), R1_ENOMEM, R1_EIO (the launcher could not be started or died), R1_ECANCELLED.
 * Memory: each result is freed with r1_box_result_deinit, which accepts a zeroed one. */
r1_status r1_box_run(r1_boxes *b, const r1_box_party *parties, size_t n, r1_box_result *results, const r1_box_run_options *o, r1_error *err) R1_MUST_CHECK;
void r1_box_result_deinit(r1_box_result *r);

/* "end" in words for messages: "exited with status 1", "ended by signal 11 (Segmentation fault)", "used more than its CPU time" ...; returns text. */
const char *r1_box_describe(const r1_box_result *r, char *text, size_t size);

/* ---- finding programs -------------------------------------------------------------------------------------------- */

typedef struct r1_box_program {
    char path[1024];     /* the real program, no link, no version manager's shim: argv[0] for a party */
    char folder[1024];   /* to be named in r1_box_options.folders; "" when it lies below /usr and needs none */
} r1_box_program;

/* Find a program by a name ("python3", "node", "gcc", "g++") in the colon-separated folders of search (NULL: /usr/local/bin:/usr/bin:/bin),
 * or by an absolute path. A shim that is a script (pyenv, nvm, asdf) is asked for the real program when it is a python or node: the only
 * moment at which a program of the caller's runs outside a box. Errors: R1_EUNSUPPORTED names what was looked for and where. */
r1_status r1_box_find(r1_box_program *out, const char *name, const char *search, r1_error *err) R1_MUST_CHECK;

#endif
