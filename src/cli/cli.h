/* cli: the program r1. One file per command (cmd_*.c), and what they share.
 *
 * main.c finds the command and its options, calls it, prints the one sentence of an error and turns its status into an
 * exit code. Results go to standard output, everything else to standard error. What scripts rely on stands in docs/cli.
 */
#ifndef R1_CLI_CLI_H
#define R1_CLI_CLI_H

#include "base/base.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/term.h"
#include "engine/engine.h"
#include "format/checkpoint.h"

typedef struct r1_cli {
    const char *command;
    r1_opts o;
    const char **args;       /* what is no option */
    size_t n_args;
    r1_term out, err;        /* standard output, standard error */
    int result;              /* exit code when nothing failed: 1 for an answer that is "no" */
} r1_cli;

typedef struct r1_command {
    const char *name;
    size_t min_args, max_args;
    const char *usage;       /* arguments, for messages: "MODEL [TEXT]" */
    r1_opt_table tables[8];  /* NULL-terminated */
    r1_status (*run)(r1_cli *c, r1_error *err);
} r1_command;

extern const r1_command r1_commands[]; /* ends with an entry whose name is NULL */

r1_status r1_cmd_run(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_batch(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_show(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_tokenize(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_detokenize(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_template(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_logits(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_generate(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_perplexity(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_convert(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_quantize(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_bench(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_eval(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_imatrix(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_pack(r1_cli *c, r1_error *err) R1_MUST_CHECK;
r1_status r1_cmd_verify(r1_cli *c, r1_error *err) R1_MUST_CHECK;

/* The exit code of a status: 0 OK; 2 EINVAL; 3 EIO, EFORMAT, ELIMIT (what was given does not fit); 4 ENOMEM;
 * 5 EUNSUPPORTED; 130 ECANCELLED; 1 what has no code of its own. */
int r1_exit_code(r1_status s);

/* A line "r1: ..." on standard error unless --quiet. */
void r1_note(const r1_cli *c, const char *fmt, ...) R1_PRINTF(2, 3);

/* Flush standard output; a full disk or a closed pipe is found here. Errors: R1_ENOMEM (disk full), R1_EIO. */
r1_status r1_flush(r1_cli *c, r1_error *err) R1_MUST_CHECK;

/* ---- setup.c: a model with an engine and a session ---- */

typedef struct r1_setup {
    r1_model *model;
    r1_engine *engine;
    r1_session *session;
    double load_s;
    bool no_session;           /* set before opening: session stays NULL */
    bool (*go_on)(void *ctx);  /* set before opening: asked before each layer of a step (r1_engine_options); usually NULL */
    void *go_on_ctx;
} r1_setup;

/* Open all three as the options say, with a bar; Ctrl-C gives up. */
r1_status r1_setup_open(r1_setup *u, r1_cli *c, const char *path, r1_error *err) R1_MUST_CHECK;
void r1_setup_close(r1_setup *u);
/* Refuse options that a model has nothing for: R1_EINVAL. r1_setup_open has done so. */
r1_status r1_setup_check(const r1_opts *o, const r1_model *m, r1_error *err) R1_MUST_CHECK;

/* Sampling from options, the model's generation_config.json, and defaults. bias: room for the logit biases given. */
r1_status r1_setup_sampling(r1_sampling *p, const r1_opts *o, const r1_model *m, r1_logit_bias bias[64], r1_error *err) R1_MUST_CHECK;
uint64_t r1_random_seed(void);
/* Whether --template names one (NULL: fine), before a model is loaded. Errors: R1_EINVAL. */
r1_status r1_check_template(const char *name, r1_error *err) R1_MUST_CHECK;
/* --speculate as r1_generate_options has it. */
int r1_setup_speculation(const r1_opts *o);

/* ---- input.c ---- */

/* Ids separated by blanks from a file or '-', or from a text called `name` in messages. Errors: R1_EFORMAT names the place. */
r1_status r1_read_ids(const char *path, r1_ids *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_parse_ids(const char *text, size_t n, const char *name, r1_ids *out, r1_error *err) R1_MUST_CHECK;
/* Whether a model knows them (R1_EFORMAT) and its session has room (R1_ELIMIT). */
r1_status r1_check_ids(const r1_ids *ids, const r1_setup *u, const char *path, r1_error *err) R1_MUST_CHECK;

/* Call fn for each line of standard input, without its line end. Errors of fn come back with the line's number. */
typedef r1_status (*r1_line_fn)(void *ctx, const char *line, size_t n, r1_error *err);
r1_status r1_each_line(r1_line_fn fn, void *ctx, r1_error *err) R1_MUST_CHECK;

/* "$XDG_<kind>_HOME/r1/<file>" with its usual place below $HOME; kind is "CONFIG", "DATA" or "CACHE". NULL when there is no
 * home. The caller frees it. */
char *r1_user_path(const char *kind, const char *file);

/* ---- output.c ---- */

/* A line of JSON to standard output, made harmless on a terminal. */
r1_status r1_print_line(const char *text, r1_error *err) R1_MUST_CHECK;
/* One JSON value and a line feed to standard output. */
r1_status r1_print_json(const json_t *v, r1_error *err) R1_MUST_CHECK;
/* A name from outside as messages show it: control characters become '?'. Returns out. */
typedef char r1_shown_name[4200];
const char *r1_shown(r1_shown_name out, const char *name);
json_t *r1_json_text(const char *s, size_t n); /* a string; wrong UTF-8 becomes U+FFFD */
/* "timings" of a generation: cache_n, prompt_n, prompt_ms, prompt_per_second, predicted_n, ..., load_ms, drafted, accepted. NULL: no memory. */
json_t *r1_timings_json(const r1_generation *g, size_t n_cached, size_t n_read, double load_s);

/* A file written piece by piece, there under its name only when finished. "-" is standard output. */
typedef struct r1_outfile {
    FILE *f;
    const char *path;
    char *tmp;
} r1_outfile;
r1_status r1_outfile_open(r1_outfile *w, const char *path, bool force, r1_error *err) R1_MUST_CHECK;
r1_status r1_outfile_add(r1_outfile *w, const void *data, size_t n, r1_error *err) R1_MUST_CHECK;
r1_status r1_outfile_finish(r1_outfile *w, r1_error *err) R1_MUST_CHECK;
void r1_outfile_abandon(r1_outfile *w); /* does nothing after _finish */

/* Refuse to write to a file that is read, links included: `path` and `read` are the same one. Models: r1_ckpt_check_target. Errors: R1_EINVAL. */
r1_status r1_check_target(const char *path, const char *read, r1_error *err) R1_MUST_CHECK;

/* Header of an NPY 1.0 file: float32, little-endian, C order, the data aligned to 64 bytes. Returns its length. */
size_t r1_npy_header(char out[192], size_t rows, size_t columns);

#endif
