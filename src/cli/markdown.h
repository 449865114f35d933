/* markdown: the Markdown of an answer, shown in a terminal while it arrives.
 *
 * Text is split into blocks that can no longer change once the next one has begun. The open block is rendered anew with
 * every piece, and only the lines that differ are written again, so text appears at once and becomes bold, a list or a
 * table as soon as it is known to be one. Lines that have scrolled away stay as they were. No text is ever left out: raw
 * HTML, unknown entities and LaTeX stand as written. Control characters are made visible.
 */
#ifndef R1_CLI_MARKDOWN_H
#define R1_CLI_MARKDOWN_H

#include "cli/term.h"

/* Render a whole text into lines of at most `width` columns, separated (not ended) by line feeds.
 * Errors: R1_ENOMEM. *out is appended to. */
r1_status r1_markdown_render(const char *text, size_t n, size_t width, bool color, r1_buf *out, r1_error *err) R1_MUST_CHECK;

typedef struct r1_markdown {
    const r1_term *term;
    r1_buf source;       /* of the open block */
    r1_buf shown;        /* what the terminal shows of it */
    bool above;          /* a block stands above */
    size_t width, height;/* 0: asked of the terminal; tests set them */
} r1_markdown;

void r1_markdown_init(r1_markdown *m, const r1_term *term);
void r1_markdown_add(r1_markdown *m, const char *text, size_t n);
void r1_markdown_end(r1_markdown *m); /* shows everything, ends the line, frees */

#endif
