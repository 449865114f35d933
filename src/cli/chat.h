/* chat: a conversation on a terminal. Messages are kept as JSON and rendered anew each turn, so that earlier reasoning is
 * left out as the model's template wants it; the session keeps whatever the new rendering shares with the old one. */
#ifndef R1_CLI_CHAT_H
#define R1_CLI_CHAT_H

#include "cli/answer.h"

/* Request for r1_chat_ids with these messages. The caller frees *text. Errors: R1_ENOMEM. */
r1_status r1_chat_request(const json_t *messages, char **text, size_t *n, r1_error *err) R1_MUST_CHECK;

/* Whether a model can answer with these options at all: sampling, stop strings, template. Errors: those of r1_generate. */
r1_status r1_chat_check(const r1_opts *o, const r1_setup *u, r1_error *err) R1_MUST_CHECK;

/* Until the user leaves. Errors: what would refuse every question, before anything is shown, and what makes going on impossible. */
r1_status r1_chat_loop(r1_cli *c, r1_setup *u, r1_error *err) R1_MUST_CHECK;

/* ---- chat_store.c: conversations as files ----
 * {"r1_chat": 1, "model": "...", "settings": {"temperature": "0.6", ...}, "messages": [{"role", "content", ...}]} */

/* Tables of what /set may change and a file keeps. NULL-terminated. */
extern const r1_opt_table r1_chat_settings[];

r1_status r1_chat_save(const char *path, const char *model, const json_t *messages, const r1_opts *o, bool force, r1_error *err) R1_MUST_CHECK;
/* *messages is a new reference; settings go to *o, whose strings are then borrowed from *keep (a new reference).
 * Errors: R1_EFORMAT, also for a file that is no chat or of a later version, and others; nothing is changed then. */
r1_status r1_chat_load(const char *path, json_t **messages, json_t **keep, r1_opts *o, r1_error *err) R1_MUST_CHECK;

/* ---- chat_line.c: reading a line with editing and history ---- */

typedef enum r1_key { R1_KEY_LINE, R1_KEY_INTERRUPT, R1_KEY_END } r1_key;
typedef struct r1_lines r1_lines;

/* History is read from `history` (may be NULL) and added to by _remember. Errors: R1_ENOMEM. */
r1_status r1_lines_open(r1_lines **out, const r1_cli *c, const char *history, r1_error *err) R1_MUST_CHECK;
void r1_lines_close(r1_lines *l);
/* Append one line, without its end, to *text. INTERRUPT: Ctrl-C, and *text says how much had been typed. END: Ctrl-D. */
r1_key r1_lines_read(r1_lines *l, const char *prompt, r1_buf *text);
void r1_lines_remember(r1_lines *l, const char *text); /* not the same line twice in a row */

/* ---- chat_history.c: the lines of earlier chats ---- */

/* Open or create the file, trim it, give its lines to `add`, the oldest first. Returns a descriptor for the caller to close, or
 * -1: a chat goes on without a history. */
int r1_history_open(const char *path, void (*add)(void *ctx, const char *line), void *ctx);
/* Append a line at once; what fails is lost silently. */
void r1_history_add(int fd, const char *text);

#endif
