/* attack: what the hostile programs share. Each is a C program with one mode for each attack, compiled and run in a box by
 * src/reward/code/box_test.c, which says what must become of it. A program prints "escaped" when it did what a box has to prevent. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct mode { const char *name; void (*run)(void); };

static void escaped(const char *what)
{
    printf("escaped: %s\n", what);
    fflush(stdout);
}

/* What is refused says so with an error. */
static void refused(const char *what, long result)
{
    if (result >= 0) escaped(what);
    else printf("refused %s: %s\n", what, strerror(errno));
    fflush(stdout);
}

static void run_mode(const struct mode *m, int argc, char **argv)
{
    for (; argc > 1 && m->name; m++) {
        if (strcmp(m->name, argv[1]) == 0) {
            m->run();
            exit(0);
        }
    }
    fprintf(stderr, "no such mode\n");
    exit(99);
}
