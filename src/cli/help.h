/* help: the pages of docs/cli as text, compiled in. tools/mkhelp makes the array when r1 is built. */
#ifndef R1_CLI_HELP_H
#define R1_CLI_HELP_H

#include <stddef.h>

typedef struct r1_help_page {
    const char *name;    /* "run"; "r1" for the page of r1 itself */
    const char *summary; /* one line, without the name */
    const char *text;    /* the whole page, plain text */
} r1_help_page;

extern const r1_help_page r1_help_pages[];
extern const size_t r1_n_help_pages;

#endif
