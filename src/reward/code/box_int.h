/* box_int: what the files of the box share. */
#ifndef R1_REWARD_BOX_INT_H
#define R1_REWARD_BOX_INT_H

#include "reward/code/box.h"
#include "reward/code/box_wire.h"
#include <sys/types.h>

/* A started launcher. */
typedef struct box_launcher {
    int socket;
    pid_t pid;              /* of its stub */
    uint32_t id;            /* of the last request */
    struct box_launcher *next;
} box_launcher;

/* box_start.c. The program of the launcher as an unnamed file; -1 with *err. */
int r1_box_image(r1_error *err);
/* Start one; it waits for its hello. */
r1_status r1_box_start(box_launcher **out, int image, r1_error *err) R1_MUST_CHECK;
/* End it with everything in it, and wait until it is gone. Accepts NULL. */
void r1_box_stop_launcher(box_launcher *l);
/* All n bytes, or R1_EIO. */
r1_status r1_box_send(box_launcher *l, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_box_receive(box_launcher *l, void *data, size_t n, r1_error *err) R1_MUST_CHECK;

/* r1_box_probe with an error when nothing could be tried. */
r1_status r1_box_try(r1_box_probe_result *out, r1_error *err) R1_MUST_CHECK;

/* box_filter.c: the instructions of filter i as malloc'ed struct sock_filter. `notify`: stopped calls are told instead of killed. */
r1_status r1_box_filter(void **out, unsigned *n, int i, bool notify, r1_error *err) R1_MUST_CHECK;
/* Name of a system call of this machine; text[32]. */
void r1_box_call_name(char *text, int number);

#endif
