/* r1 verify: is an answer right? One answer of mathematics, one program, or a file of either; reward/reward.h judges. */
#define _GNU_SOURCE
#include "cli/verify.h"
#include "base/map.h"
#include "reward/code/code.h"
#include "reward/reward.h"

#include <stdio.h>

enum { RIGHT = 0, WRONG = 1, NOT_SUPPORTED = 5 };
static const size_t TEXT_MOST = (size_t)16 << 20, TASK_MOST = (size_t)256 << 20;

/* ---- math ---- */

/* An argument, or with "-" all of standard input without its last line end. *to_free is what was read. */
static r1_status text_of(const char *arg, r1_span *out, char **to_free, r1_error *err)
{
    size_t n;
    *to_free = NULL;
    *out = r1_span_of(arg);
    if (strcmp(arg, "-")) return R1_OK;
    r1_status s = r1_file_read("-", TEXT_MOST, to_free, &n, err);
    if (s) return s;
    if (n && (*to_free)[n - 1] == '\n') n--;
    if (n && (*to_free)[n - 1] == '\r') n--;
    *out = (r1_span){ *to_free, n };
    return R1_OK;
}

static r1_status print_verdict(r1_cli *c, const r1_verdict *v, const char *line, r1_error *err)
{
    if (!c->o.json) {
        r1_error clean; /* one printable line */
        (void)r1_fail(&clean, R1_OK, "%s", line);
        return r1_print_line(clean.msg, err);
    }
    json_t *o = r1_verdict_json(v, false);
    r1_status s = o ? r1_print_json(o, err) : r1_fail(err, R1_ENOMEM, "no memory for a result");
    json_decref(o);
    return s;
}

static r1_status verify_math(r1_cli *c, r1_error *err)
{
    r1_span gold, answer;
    char *gold_text = NULL, *answer_text = NULL, line[R1_ERROR_MAX];
    r1_verdict v = { 0 };
    if (!strcmp(c->args[1], "-") && !strcmp(c->args[2], "-"))
        return r1_fail(err, R1_EINVAL, "GOLD and ANSWER are both '-', but standard input is only one text");
    r1_status s = text_of(c->args[1], &gold, &gold_text, err);
    if (s == R1_OK) s = text_of(c->args[2], &answer, &answer_text, err);
    if (s == R1_OK) s = r1_reward_math(gold, answer, c->o.response, &v, err);
    if (s == R1_OK) {
        snprintf(line, sizeof line, "%s (%s)%s%.*s", v.right ? "equal" : "not equal", v.reason, c->o.response && v.extracted ? ": " : "",
                 c->o.response && v.extracted ? (int)r1_min(v.n_extracted, 400) : 0, v.extracted ? v.extracted : "");
        s = print_verdict(c, &v, line, err);
    }
    if (s == R1_OK) c->result = v.right ? RIGHT : WRONG;
    r1_verdict_deinit(&v);
    free(gold_text);
    free(answer_text);
    return s;
}

/* ---- code ---- */

static r1_status verify_code(r1_cli *c, r1_error *err)
{
    const char *task_path = c->args[1], *path = c->args[2];
    char *text = NULL, *solution = NULL, line[R1_ERROR_MAX];
    size_t n_text = 0, n = 0;
    r1_code_task *task = NULL;
    r1_verdict v = { 0 };
    r1_reward_options o = { 0 };
    if (!strcmp(task_path, "-") && !strcmp(path, "-")) return r1_fail(err, R1_EINVAL, "TASK and SOLUTION are both '-', but standard input is only one text");
    r1_status s = r1_file_read(task_path, TASK_MOST, &text, &n_text, err);
    if (s == R1_OK) s = r1_context(err, r1_code_task_parse_text(&task, text, n_text, err), "'%s'", task_path);
    if (s == R1_OK) s = r1_file_read(path, TEXT_MOST, &solution, &n, err);
    r1_interrupt_arm(true);
    if (s == R1_OK) s = r1_verify_checker(&o.code, c->o.allow_weaker, err);
    if (s == R1_OK) s = r1_reward_code(&o, task, (r1_span){ solution, n }, &v, err);
    r1_interrupt_arm(false);
    if (s == R1_OK) {
        snprintf(line, sizeof line, "%s%s%s", v.word, v.reason[0] ? ": " : "", v.reason);
        s = print_verdict(c, &v, line, err);
    }
    if (s == R1_OK) c->result = v.right ? RIGHT : !strcmp(v.word, "unsupported") ? NOT_SUPPORTED : WRONG;
    r1_verdict_deinit(&v);
    r1_code_checker_close(o.code);
    r1_code_task_free(task);
    free(solution);
    free(text);
    return s;
}

/* ---- the forms ---- */

static r1_status needs(const r1_cli *c, size_t n, const char *usage, r1_error *err)
{
    if (c->n_args == n) return R1_OK;
    if (c->n_args > n) return r1_fail(err, R1_EINVAL, "'verify %s', so '%s' is too much", usage, c->args[n]);
    return r1_fail(err, R1_EINVAL, "'verify %s': %s; `r1 help verify` tells more", usage,
                   n - c->n_args == 1 ? "the last argument is missing" : "arguments are missing");
}

static r1_status refuse(const char *option, const char *form, r1_error *err) { return r1_fail(err, R1_EINVAL, "%s goes with %s", option, form); }

r1_status r1_cmd_verify(r1_cli *c, r1_error *err)
{
    const r1_opts *o = &c->o;
    bool math = !strcmp(c->args[0], "math") && !o->tsv, code = !strcmp(c->args[0], "code") && !o->tsv, items = !math && !code && !o->tsv;
    if (o->response && !math) return refuse("--response", "'verify math'; lines of files say it themselves", err);
    if (o->command && !items) return refuse("--command", "'verify FILE.jsonl'", err);
    if ((o->persistent || o->command_time > 0) && !o->command) return refuse(o->persistent ? "--persistent" : "--command-time", "--command", err);
    if (o->allow_weaker && !code && !items) return refuse("--allow-weaker", "'verify code' and 'verify FILE.jsonl'", err);
    const char *usage = math ? "math GOLD ANSWER" : code ? "code TASK.json SOLUTION" : o->tsv ? "--tsv FILE.tsv" : "FILE.jsonl";
    r1_status s = needs(c, math || code ? 3 : 1, usage, err);
    if (s) return s;
    if (math) return verify_math(c, err);
    if (code) return verify_code(c, err);
    return o->tsv ? r1_verify_table(c, c->args[0], err) : r1_verify_items(c, c->args[0], err);
}
