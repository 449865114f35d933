/* term: standard output and standard error as what they are: a terminal, a pipe, a file. Colour, width, progress, Ctrl-C.
 *
 * Threads: the main one.
 */
#ifndef R1_CLI_TERM_H
#define R1_CLI_TERM_H

#include "base/base.h"
#include "cli/args.h"
#include <stdio.h>

typedef struct r1_term {
    FILE *f;
    bool tty;     /* a terminal that can move its cursor */
    bool color;   /* escape sequences for style may be written */
} r1_term;

/* A terminal is one that TERM does not call "dumb". AUTO: colour on a terminal unless NO_COLOR is set. */
void r1_term_init(r1_term *t, FILE *f, r1_color color);
size_t r1_term_width(const r1_term *t);  /* columns, at least 20 */
size_t r1_term_height(const r1_term *t); /* rows, at least 5 */

/* Append text for a terminal: control characters become visible signs, so that nothing a model or a file says can act on
 * the terminal. Line feeds and tabs stay. */
r1_status r1_term_clean(const char *text, size_t n, r1_buf *out, r1_error *err) R1_MUST_CHECK;

/* Columns of the character s[0..n) begins with, and its length; control characters count 0. */
int r1_term_columns(const char *s, size_t n, size_t *len);

/* Text that arrives in pieces, wrapped at words and cleaned on a terminal, byte for byte elsewhere; dim if asked and possible.
 * Zero it, set term and dim. */
typedef struct r1_flow {
    const r1_term *term;
    bool dim, started;
    size_t column;
    char word[512];
    size_t n_word, word_columns;
} r1_flow;

void r1_flow_add(r1_flow *w, const char *text, size_t n);
void r1_flow_end(r1_flow *w);  /* writes what is held back, ends the style and the line */

/* One line beside the answer, made printable: dim where there is colour, wrapped on a terminal. */
void r1_aside(const r1_term *t, const char *fmt, ...) R1_PRINTF(2, 3);

/* ---- progress: one line on standard error, gone when done ---- */

typedef struct r1_progress {
    const r1_term *term;    /* NULL: silent */
    const char *label, *unit; /* unit "" : no rate */
    double start, drawn;
    bool shown;
} r1_progress;

void r1_progress_begin(r1_progress *p, const r1_term *term, bool quiet, const char *label, const char *unit);
void r1_progress_step(r1_progress *p, double done, double total); /* total < 0: nobody knows; no bar then */
/* At once, and in other words: before something that may take long and tells nothing on the way. */
void r1_progress_say(r1_progress *p, const char *label, double done, double total);
void r1_progress_hide(r1_progress *p); /* until the next step: room for a line of results */
void r1_progress_end(r1_progress *p);

/* ---- what standard output met ---- */

/* Flush; a failure of standard output is remembered with its reason, which stdio would forget. False when there was one. */
bool r1_term_flush(FILE *f);
/* The errno standard output failed with, or 0. */
int r1_output_errno(void);

/* ---- signals ----
 * Until armed Ctrl-C ends the program at once with 130. Armed, the first one is only remembered, a second one ends. */

void r1_interrupt_init(void); /* signals that are ignored stay so */
void r1_interrupt_arm(bool armed); /* forgets an old one */
bool r1_interrupt_armed(void);
bool r1_interrupted(void);         /* also true when standard output failed: there is nobody to go on for */

/* A temporary file that a signal that ends the program removes: one at a time. `name` ends in XXXXXX, as for mkostemp, whose
 * result is returned. _kept: the name is no longer ours to remove. */
int r1_temporary_create(char *name);
void r1_temporary_kept(void);
/* The same for a file, or a folder and its files, that others make: as r1_temporary of base/temporary.h wants it. ctx is not used. */
void r1_temporary_file(void *ctx, const char *path);
void r1_temporary_folder(void *ctx, const char *path);

/* While an answer is written keys are not shown; also undone when the program is ended by a signal. */
void r1_echo(bool on);

#endif
