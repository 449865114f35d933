/* r1: finds the command, gathers its options, calls it, and turns what came back into one sentence and an exit code.
 *
 * Order of places for options: configuration file, environment, command line. A wrong command or option names the nearest
 * one. Nothing is loaded or looked up that the command does not need: the first token should not wait for us.
 */
#define _GNU_SOURCE
#include "base/thread.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/markdown.h"
#include "kernels/kernels.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#if __has_include("build_info.h")
#include "build_info.h"
#endif
#ifndef R1_COMMIT
#define R1_COMMIT "unknown"
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

const r1_command r1_commands[] = {
    { "run", 1, SIZE_MAX, "MODEL [PROMPT]",
      { r1_opts_run, r1_opts_answer, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, r1_opts_common, NULL }, r1_cmd_run },
    { "batch", 1, 2, "MODEL [FILE]", { r1_opts_batch, r1_opts_model, r1_opts_sampling, r1_opts_speculate, r1_opts_answer, r1_opts_force, r1_opts_common, NULL }, r1_cmd_batch },
    { "show", 1, 1, "MODEL", { r1_opts_json, r1_opts_common, NULL }, r1_cmd_show },
    { "tokenize", 1, SIZE_MAX, "MODEL [TEXT]", { r1_opts_tokenize, r1_opts_common, NULL }, r1_cmd_tokenize },
    { "detokenize", 1, SIZE_MAX, "MODEL [IDS]", { r1_opts_detokenize, r1_opts_common, NULL }, r1_cmd_detokenize },
    { "template", 0, 2, "MODEL-OR-NAME [FILE]", { r1_opts_template, r1_opts_common, NULL }, r1_cmd_template },
    { "generate", 1, 1, "MODEL --ids FILE",
      { r1_opts_generate, r1_opts_sampling, r1_opts_speculate, r1_opts_model, r1_opts_json, r1_opts_common, NULL }, r1_cmd_generate },
    { "logits", 1, 1, "MODEL --ids FILE --out FILE",
      { r1_opts_logits, r1_opts_force, r1_opts_model, r1_opts_common, NULL }, r1_cmd_logits },
    { "perplexity", 2, 2, "MODEL FILE", { r1_opts_perplexity, r1_opts_model, r1_opts_json, r1_opts_common, NULL }, r1_cmd_perplexity },
    { "bench", 0, 1, "[MODEL]", { r1_opts_bench, r1_opts_model, r1_opts_json, r1_opts_common, NULL }, r1_cmd_bench },
    { "verify", 1, 3, "math GOLD ANSWER, code TASK.json SOLUTION, FILE.jsonl or --tsv FILE.tsv",
      { r1_opts_verify, r1_opts_json, r1_opts_common, NULL }, r1_cmd_verify },
    { "eval", 0, SIZE_MAX, "TASK... --model MODEL", { r1_opts_eval, r1_opts_model, r1_opts_json, r1_opts_common, NULL }, r1_cmd_eval },
    { "convert", 2, 2, "SRC DST", { r1_opts_convert, r1_opts_force, r1_opts_json, r1_opts_common, NULL }, r1_cmd_convert },
    { "quantize", 3, 3, "SRC DST TYPE", { r1_opts_quantize, r1_opts_force, r1_opts_json, r1_opts_common, NULL }, r1_cmd_quantize },
    { "imatrix", 2, 2, "MODEL TEXT", { r1_opts_imatrix, r1_opts_force, r1_opts_json, r1_opts_common, NULL }, r1_cmd_imatrix },
    { "pack", 2, 2, "SRC DST", { r1_opts_force, r1_opts_json, r1_opts_common, NULL }, r1_cmd_pack },
    { NULL, 0, 0, NULL, { NULL }, NULL }
};

int r1_exit_code(r1_status s)
{
    switch (s) {
    case R1_OK: return 0;
    case R1_EINVAL: return 2;
    case R1_EIO: case R1_EFORMAT: case R1_ELIMIT: return 3;
    case R1_ENOMEM: return 4;
    case R1_EUNSUPPORTED: return 5;
    case R1_ECANCELLED: return 130;
    }
    return 1;
}

void r1_note(const r1_cli *c, const char *fmt, ...)
{
    if (c->o.quiet) return;
    va_list ap;
    va_start(ap, fmt);
    r1_error line = { 0 };
    vsnprintf(line.msg, sizeof line.msg, fmt, ap);
    va_end(ap);
    r1_error clean;
    (void)r1_fail(&clean, R1_OK, "%s", line.msg); /* makes it printable */
    fprintf(stderr, "r1: %s\n", clean.msg);
}

/* ---- help ------------------------------------------------------------------------------------------------------ */

static const r1_help_page *find_page(const char *name)
{
    for (size_t i = 0; i < r1_n_help_pages; i++)
        if (!strcmp(r1_help_pages[i].name, name)) return &r1_help_pages[i];
    return NULL;
}

static const r1_command *find_command(const char *name)
{
    for (const r1_command *k = r1_commands; k->name; k++)
        if (!strcmp(k->name, name)) return k;
    return NULL;
}

static void command_names(const char *names[24])
{
    size_t n = 0;
    for (const r1_command *k = r1_commands; k->name; k++) names[n++] = k->name;
    names[n] = NULL;
}

static r1_status unknown_command(const char *name, r1_error *err)
{
    const char *names[24];
    command_names(names);
    size_t n = 0;
    while (names[n]) n++;
    names[n++] = "help";
    names[n] = NULL;
    const char *near = r1_nearest(name, names);
    if (near) return r1_fail(err, R1_EINVAL, "there is no command '%s'; did you mean '%s'?", name, near);
    r1_buf list;
    r1_buf_init(&list, 1024);
    r1_status s = R1_OK;
    for (size_t i = 0; names[i] && s == R1_OK; i++) s = r1_buf_addf(&list, err, "%s%s", i ? ", " : "", names[i]);
    if (s == R1_OK) s = r1_fail(err, R1_EINVAL, "there is no command '%s'; there are %s", name, list.data);
    r1_buf_deinit(&list);
    return s;
}

static r1_status print_overview(void)
{
    printf("r1 %s: run models of the DeepSeek-R1 family\n\nUsage: r1 COMMAND [OPTIONS] ARGUMENTS\n\n", r1_version());
    for (const r1_command *k = r1_commands; k->name; k++) {
        const r1_help_page *page = find_page(k->name);
        printf("  %-12s %s\n", k->name, page ? page->summary : k->usage);
    }
    printf("  %-12s %s\n", "help", "the page of a command, or with `r1 help r1` of what all have in common");
    puts("\n`r1 help COMMAND` tells more of one, `r1 --version` tells the version.");
    return R1_OK;
}

static r1_status print_help(const char *name, r1_error *err)
{
    if (!strcmp(name, "help")) name = "r1";
    const r1_help_page *page = find_page(name);
    if (!page && !find_command(name)) return unknown_command(name, err);
    if (!page) return r1_fail(err, R1_EUNSUPPORTED, "this build has no help page for '%s'", name);
    fputs(page->text, stdout);
    r1_term_flush(stdout);
    return R1_OK;
}

static r1_status print_version(void)
{
    printf("r1 %s\ncommit %s\ncpu %s\ncompiler %s\n", r1_version(), R1_COMMIT, r1_cpu_level_name(r1_cpu_best()), COMPILER);
    return R1_OK;
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static void all_tables(r1_opt_table tables[128])
{
    size_t n = 0;
    for (const r1_command *k = r1_commands; k->name; k++)
        for (const r1_opt_table *t = k->tables; *t; t++) tables[n++] = *t;
    tables[n] = NULL;
}

/* A variable that looks like one of ours and sets nothing. Other programs may have R1_ names too, so only what is near an option
 * is told always, the rest with --verbose. */
static void note_wrong_variables(const r1_cli *c)
{
    r1_opt_table all[128];
    all_tables(all);
    for (char **v = environ; *v; v++) {
        char name[64], right[64] = "";
        size_t n = 0;
        if (strncmp(*v, "R1_", 3)) continue;
        for (const char *p = *v + 3; *p && *p != '=' && n + 1 < sizeof name; p++) name[n++] = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
        name[n] = 0;
        if (r1_opt_find(all, name, n)) continue;
        const char *near = r1_opt_nearest(all, name);
        for (size_t i = 0; near && near[i] && i + 1 < sizeof right; i++) right[i] = near[i] == '-' ? '_' : (char)toupper((unsigned char)near[i]);
        if (near) r1_note(c, "the variable R1_%.*s is no option; did you mean R1_%s?", (int)n, *v + 3, right);
        else if (c->o.verbose) r1_note(c, "the variable R1_%.*s is no option", (int)n, *v + 3);
    }
}

/* Options of the configuration file. Its strings live until the program ends, hence *config. */
static r1_status read_config(const r1_command *k, r1_opts *o, json_t **config, r1_error *err)
{
    char *path = r1_user_path("CONFIG", "config.json");
    if (!path || access(path, F_OK) != 0) {
        free(path);
        return R1_OK;
    }
    r1_opt_table all[128];
    const char *names[24];
    command_names(names);
    all_tables(all);
    r1_status s = r1_json_read(config, path, 1 << 20, err);
    if (s == R1_OK) s = r1_context(err, r1_args_config(k->tables, all, names, k->name, *config, o, err), "'%s'", path);
    free(path);
    return s;
}

static r1_status check_args(const r1_command *k, const r1_cli *c, r1_error *err)
{
    if (c->n_args < k->min_args)
        return r1_fail(err, R1_EINVAL, "'%s' needs %s; `r1 help %s` tells more", k->name, k->usage, k->name);
    if (c->n_args > k->max_args)
        return r1_fail(err, R1_EINVAL, "'%s' takes %s, so '%s' is too much", k->name, k->usage, c->args[k->max_args]);
    if (c->n_args && k->run != r1_cmd_verify && !strcmp(c->args[0], "-"))
        return r1_fail(err, R1_EIO, "'-' as MODEL: a model must be a file or folder that can be mapped, not standard input");
    return R1_OK;
}

static r1_status run_parsed(r1_cli *c, const r1_command *k, int argc, char **argv, json_t **config, r1_error *err)
{
    r1_opts line;
    r1_opts_init(&line);
    r1_status s = r1_args_parse(k->tables, &line, argc, argv, c->args, &c->n_args, err);
    if (s) return s;
    if (line.help) return print_help(k->name, err);
    s = read_config(k, &c->o, config, err);
    if (s == R1_OK) s = r1_args_env(k->tables, &c->o, err);
    if (s == R1_OK) s = r1_args_parse(k->tables, &c->o, argc, argv, c->args, &c->n_args, err); /* again, on top of the others */
    if (c->o.csv && c->o.json && line.csv != line.json) { /* either form of output given on the line puts the other, from elsewhere, off */
        c->o.csv = line.csv;
        c->o.json = line.json;
    }
    if (s == R1_OK) s = check_args(k, c, err);
    if (s) return s;
    r1_term_init(&c->out, stdout, (r1_color)c->o.color);
    r1_term_init(&c->err, stderr, (r1_color)c->o.color);
    c->command = k->name;
    note_wrong_variables(c);
    if (c->o.threads > r1_processors())
        r1_note(c, "--threads is %d, but there are %d processors for them: the threads wait for each other", (int)c->o.threads, r1_processors());
    return k->run(c, err);
}

/* After "verify math" a minus is a sign. */
static r1_status run_command(r1_cli *c, const r1_command *k, int argc, char **argv, json_t **config, r1_error *err)
{
    if (k->run != r1_cmd_verify) return run_parsed(c, k, argc, argv, config, err);
    char **line = calloc((size_t)argc + 2, sizeof *line);
    if (!line) return r1_fail(err, R1_ENOMEM, "no memory for %d arguments", argc);
    r1_status s = run_parsed(c, k, r1_args_signs(k->tables, "math", argc, argv, line), line, config, err);
    free(line);
    return s;
}

static r1_status dispatch(r1_cli *c, int argc, char **argv, json_t **config, r1_error *err)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) return print_overview();
    if (!strcmp(name, "--version") || !strcmp(name, "-V") || !strcmp(name, "version")) return print_version();
    bool help = !strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h");
    if (help && argc > 3) return r1_fail(err, R1_EINVAL, "'help' takes one command, so '%s' is too much", argv[3]);
    if (help) return argc > 2 ? print_help(argv[2], err) : print_overview();
    if (name[0] == '-') {
        static const char *const known[] = { "--version", "--help", NULL };
        const char *near = r1_nearest(name, known);
        if (near) return r1_fail(err, R1_EINVAL, "unknown option '%s'; did you mean '%s'?", name, near);
        return r1_fail(err, R1_EINVAL, "'%s' comes before the command; expected r1 COMMAND [OPTIONS] ARGUMENTS", name);
    }
    const r1_command *k = find_command(name);
    if (!k) return unknown_command(name, err);
    return run_command(c, k, argc - 2, argv + 2, config, err);
}

/* A standard file that the caller closed must not become a model: its number is taken by one that fails as a closed one does. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

int main(int argc, char **argv)
{
    r1_interrupt_init();
    hold_standard_files();
    if (!setlocale(LC_CTYPE, "C.UTF-8")) (void)setlocale(LC_CTYPE, ""); /* r1 reads and writes UTF-8 whatever the locale */
    r1_cli c = { 0 };
    r1_error err = { 0 };
    json_t *config = NULL;
    r1_opts_init(&c.o);
    r1_term_init(&c.out, stdout, R1_COLOR_AUTO);
    r1_term_init(&c.err, stderr, R1_COLOR_AUTO);
    c.args = calloc((size_t)argc + 1, sizeof *c.args);
    r1_status s = c.args ? dispatch(&c, argc, argv, &config, &err) : r1_fail(&err, R1_ENOMEM, "no memory for %d arguments", argc);
    r1_error lost = { 0 };
    r1_status out = r1_flush(&c, &lost); /* results that got lost count for more than what came of it */
    if (out) {
        s = out;
        err = lost;
    }
    if (s) fprintf(stderr, "r1: %s\n", err.msg[0] ? err.msg : "failed");
    free(c.args);
    json_decref(config);
    return out == R1_EIO ? 1 : s ? r1_exit_code(s) : c.result;
}
