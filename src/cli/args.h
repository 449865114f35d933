/* args: options from three places into one struct: the configuration file, R1_* variables, the command line. The later
 * place wins; within one place the later value wins.
 *
 * Every option is one line of a table (args.c). A command names its tables; the tables named "common" belong to all
 * commands. The help pages must list the same options: args_test checks that.
 */
#ifndef R1_CLI_ARGS_H
#define R1_CLI_ARGS_H

#include "base/base.h"
#include "base/json.h"

typedef enum r1_think { R1_THINK_DIM, R1_THINK_SHOW, R1_THINK_HIDE } r1_think;
typedef enum r1_color { R1_COLOR_AUTO, R1_COLOR_ALWAYS, R1_COLOR_NEVER } r1_color;

/* A list given by repeating an option. Borrowed strings. */
typedef struct r1_texts {
    const char *items[64];
    size_t n;
    int place;             /* where it came from: a later place replaces the list of an earlier one */
} r1_texts;

/* The value of every option of every command. Reals that were not given are NaN, so that a model's own advice can fill
 * them; likewise -1 for top_k, INT64_MIN for penalty_window and hidden. */
typedef struct r1_opts {
    /* common */
    int64_t threads, ctx;          /* 0: automatic */
    int64_t cpu, kv, activations;  /* r1_cpu_level, r1_kv_type, r1_activations */
    uint64_t seed;
    bool seed_given;
    int64_t color;                 /* r1_color */
    bool quiet, verbose, help;
    /* output */
    bool json, force;
    /* model */
    int64_t mla;                   /* 1: expanded */
    bool mla_given;
    int64_t chunk;                 /* 0: automatic */
    int64_t speculate;             /* word of its list: 0 auto, 1 off, 1 + n: n guesses */
    /* sampling */
    double temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
    int64_t top_k, penalty_window, max_tokens;
    bool max_tokens_given;
    bool greedy;
    r1_texts logit_bias;
    /* run */
    r1_texts stop;
    int64_t think;                 /* r1_think */
    bool think_given;
    int64_t think_budget;          /* -1: none */
    bool no_loop_guard, stats;
    const char *system, *template;
    /* generate */
    bool logprobs, ignore_eos;
    const char *ids_file;
    /* batch: also system, template, out, stop and what follows it */
    bool resume;
    int64_t parallel;              /* 0: automatic */
    /* tokenize, detokenize, template */
    bool jsonl, no_special, bos, pieces, list, ids;
    /* logits */
    const char *out;
    bool last, router, mtp;
    int64_t hidden;
    /* perplexity */
    int64_t window, stride;
    const char *kl;
    /* convert, quantize */
    int64_t type;                  /* 0: keep; else an index of the words */
    bool dry_run;
    bool pure, allow_requantize;
    const char *imatrix, *output_type, *embedding_type;
    r1_texts tensor_type;
    /* imatrix: also out and chunk */
    int64_t max_chunks;            /* 0: all */
    /* bench: lists of numbers */
    const char *bench_prefill, *bench_decode, *bench_batch, *bench_depth;
    int64_t repeat;                /* 0: the usual number */
    bool csv, bench_load, bench_tokenizer, bench_sampler, bench_roof, bench_products;
    /* verify */
    bool response, tsv, persistent, allow_weaker;
    const char *command;
    double command_time;           /* seconds, 0: usual */
    /* eval */
    const char *eval_model, *eval_url, *eval_data, *model_name, *api_key_file, *where, *prompt_template;
    int64_t samples, limit, tries;           /* 0: the usual number, all; also parallel and resume */
    double timeout, price_in, price_out;     /* NaN: not given */
    bool loop_guard;
} r1_opts;

typedef enum r1_opt_kind {
    R1_OPT_FLAG,   /* bool */
    R1_OPT_INT,    /* int64_t, lo..hi */
    R1_OPT_SEED,   /* uint64_t */
    R1_OPT_REAL,   /* double, lo..hi */
    R1_OPT_TEXT,   /* const char * */
    R1_OPT_CHOICE, /* int64_t: index of the word */
    R1_OPT_TEXTS   /* r1_texts */
} r1_opt_kind;

#define R1_NO_GIVEN ((size_t)-1)

typedef struct r1_opt {
    const char *name;
    char letter;             /* 0: no short form */
    r1_opt_kind kind;
    size_t offset;           /* into r1_opts */
    size_t given;            /* offset of a bool set when the option is given; R1_NO_GIVEN: none */
    double lo, hi;
    const char *const *words;/* NULL-terminated */
} r1_opt;

/* Ends with an option whose name is NULL. */
typedef const r1_opt *r1_opt_table;

extern const r1_opt r1_opts_common[], r1_opts_json[], r1_opts_force[], r1_opts_model[], r1_opts_sampling[], r1_opts_speculate[],
    r1_opts_answer[], r1_opts_run[], r1_opts_batch[], r1_opts_generate[], r1_opts_tokenize[], r1_opts_detokenize[], r1_opts_template[], r1_opts_logits[],
    r1_opts_perplexity[], r1_opts_imatrix[], r1_opts_bench[], r1_opts_convert[], r1_opts_quantize[], r1_opts_verify[], r1_opts_eval[];

void r1_opts_init(r1_opts *o);

/* The option in a NULL-terminated list of tables, or NULL. '_' counts as '-'. */
const r1_opt *r1_opt_find(const r1_opt_table *tables, const char *name, size_t n);
const r1_opt *r1_opt_letter(const r1_opt_table *tables, char letter);

/* Set an option from text. `label` names it in messages ("--threads", "R1_THREADS", "'threads'"); `place` is the rank of the
 * place it comes from. Errors: R1_EINVAL with found and expected. Borrows `value`. */
r1_status r1_opt_set(const r1_opt *opt, r1_opts *o, const char *label, const char *value, int place, r1_error *err) R1_MUST_CHECK;

/* "13=-5". Errors: R1_EINVAL. The id is not compared with a vocabulary. */
r1_status r1_bias_parse(const char *text, const char *label, r1_logit_bias *out, r1_error *err) R1_MUST_CHECK;

/* The option whose name is nearest, or NULL when none is near. */
const char *r1_opt_nearest(const r1_opt_table *tables, const char *name);

/* The value as text, for messages and /set. */
r1_status r1_opt_print(const r1_opt *opt, const r1_opts *o, r1_buf *out, r1_error *err) R1_MUST_CHECK;

enum { R1_PLACE_FILE = 1, R1_PLACE_ENV, R1_PLACE_LINE };

/* Take the options out of argv[0..argc); what is left goes to args[] (room for argc) and *n_args. Errors: R1_EINVAL names
 * the option and the nearest known one. Borrows argv. */
r1_status r1_args_parse(const r1_opt_table *tables, r1_opts *o, int argc, char **argv, const char **args, size_t *n_args, r1_error *err) R1_MUST_CHECK;

/* Arguments in which a minus is a sign: after the first argument that is `word`, what begins with '-' counts as an option only when it begins
 * with "--" or is a letter the tables have, alone. Writes the arguments in another order to out (room for argc + 1), with "--" before those
 * that are no options; returns how many. Without `word` they are as they were. */
int r1_args_signs(const r1_opt_table *tables, const char *word, int argc, char **argv, char **out);

/* Options of the tables from variables R1_NAME ("R1_TOP_P"). Borrows the environment. */
r1_status r1_args_env(const r1_opt_table *tables, r1_opts *o, r1_error *err) R1_MUST_CHECK;

/* Options from a configuration object: {"threads": 4, "run": {"temperature": 0.7}}. Members of this command's own object win.
 *
 *   all       tables of every command; a key that is in none of them is an error that names it
 *   commands  NULL-terminated names of all commands
 * Errors: R1_EFORMAT. Strings are borrowed from `config`; numbers are printed into `store`. */
r1_status r1_args_config(const r1_opt_table *tables, const r1_opt_table *all, const char *const *commands, const char *command,
                         const json_t *config, r1_opts *o, r1_error *err) R1_MUST_CHECK;

/* The word of a NULL-terminated list nearest to `s`, or NULL when none is near. */
const char *r1_nearest(const char *s, const char *const *words);
/* Letters to insert, remove, replace or swap to make b of a. */
size_t r1_edit_distance(const char *a, const char *b);

#endif
