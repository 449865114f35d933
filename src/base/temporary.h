/* temporary: who wants to know of files and folders that are there under a temporary name, and signals held back for an instant.
 *
 * A program that is ended by a signal can then remove them first. Threads: the one that writes; a mask holds for the calling thread.
 */
#ifndef R1_BASE_TEMPORARY_H
#define R1_BASE_TEMPORARY_H

#include <signal.h>
#include <stddef.h>

/* Told the temporary name as soon as it is there, and NULL when it is no more, both with signals held back. */
typedef void (*r1_temporary)(void *ctx, const char *path);

static inline void r1_signals_hold(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

static inline void r1_signals_release(const sigset_t *old) { pthread_sigmask(SIG_SETMASK, old, NULL); }

#endif
