/* box_wire: what the library and the launcher say to each other over a socket: a fixed part, then bytes. Both are built from the same
 * source, so there is no version; sizes are checked all the same. Private to this folder. */
#ifndef R1_REWARD_BOX_WIRE_H
#define R1_REWARD_BOX_WIRE_H

#include <stdint.h>

#define BOX_HELLO   0x31424F58u
#define BOX_PROBE   0x32424F58u
#define BOX_REQUEST 0x33424F58u
#define BOX_CANCEL  0x34424F58u

/* The user and group a party sees. */
#define BOX_UID 1000
/* The one descriptor on which sendmsg is not refused, above every party's RLIMIT_NOFILE: the way the listener of denied calls takes to
 * the launcher. */
#define BOX_LISTENER_FD 700
#define BOX_HIGH_FD 640     /* where descriptors wait before they get their numbers */
#define BOX_MAX_OPEN 512
#define BOX_MAX_FDS 8
#define BOX_PROOF_MAX 4096
#define BOX_FILTERS 2

/* Behind it: n_folders NUL-terminated paths (folders_bytes), then the instructions of each filter. */
typedef struct box_hello {
    uint32_t magic, use;    /* R1_BOX_... bits that are there and wanted */
    uint32_t n_folders, folders_bytes;
    uint32_t n_filter[BOX_FILTERS];
} box_hello;

/* The answer to BOX_HELLO and to BOX_PROBE. */
typedef struct box_ready {
    int32_t error;          /* errno; 0: ready */
    uint32_t present;       /* to BOX_PROBE: R1_BOX_... bits */
    int32_t landlock_abi;
    char what[128];         /* what could not be done */
} box_ready;

/* Behind it, blob_bytes: argv and env as NUL-terminated strings, `take` (when has_take), each file (box_wire_file, name, data), stdin.
 * The descriptors come with the first byte. */
typedef struct box_request {
    uint32_t magic, id;
    uint64_t blob_bytes, stdin_bytes;
    uint32_t n_argv, n_env, n_files, n_fds;
    int32_t fd_number[BOX_MAX_FDS];
    int32_t proof_fd;
    uint32_t has_take;
    uint64_t take_max;
    uint64_t cpu_us, wall_us, memory_bytes, output_bytes, file_bytes, stack_bytes;
    uint32_t n_processes, n_open;
    uint32_t n_together, together; /* parties whose CPU time together has the limit cpu_us, and which of them this is; 0: it is alone. Then a descriptor */
                                   /* more comes, behind the others: a page of n_together times uint64_t */
} box_request;

typedef struct box_wire_file {
    uint64_t n;
    uint32_t name_bytes, mode; /* name_bytes with the NUL */
} box_wire_file;

typedef struct box_cancel {
    uint32_t magic, id;     /* of the request; any other is of one that has ended */
} box_cancel;

enum { BOX_TAKEN = 0, BOX_TAKE_NONE, BOX_TAKE_ABSENT, BOX_TAKE_KIND, BOX_TAKE_SIZE };

/* Behind it: out, err, proof, the file taken. */
typedef struct box_reply {
    int32_t error;          /* errno of the launcher's own failure, then only `what` counts */
    char what[60];
    int32_t end;            /* r1_box_end */
    int32_t status, signal, denied;
    uint32_t out_cut, err_cut, proof_cut, taken; /* taken: BOX_TAKE... */
    uint64_t cpu_us, wall_us, peak_bytes;
    uint64_t n_out, n_err, n_proof, n_taken;
} box_reply;

#endif
