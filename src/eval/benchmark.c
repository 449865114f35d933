/* The benchmarks, and where their files are. Prompts are those of the R1 protocol where its paper gives one; the others say in
 * the fewest words what form the answer must have. */
#define _GNU_SOURCE
#include "eval/benchmark.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#define FORM_MATH "problem, answer; optional category, subject or level"
#define FORM_STDIO "problem, tests (a list of {stdin, stdout}); optional language, time_limit_s, memory_limit_mb, checker"

static const r1_benchmark benchmarks[] = {
    { "gsm8k", R1_EVAL_MATH, 4, { "gsm8k.jsonl", "gsm8k_test.jsonl" }, "openai/grade-school-math, test, 1,319 items, MIT", FORM_MATH, NULL, NULL },
    { "svamp", R1_EVAL_MATH, 4, { "svamp.jsonl" }, "arkilpatel/SVAMP, 1,000 items, MIT", FORM_MATH, NULL, NULL },
    { "countdown", R1_EVAL_COUNTDOWN, 4, { "countdown.jsonl", "countdown_eval.jsonl" }, "made by rule: numbers and a target", "problem, nums, target", NULL, NULL },
    { "humaneval", R1_EVAL_FUNCTION, 4, { "humaneval.jsonl" }, "openai/human-eval, 164 items, MIT", "problem, entry_point, test", "python",
      "Complete this Python function.\n\n```python\n{problem}\n```\n\nWrite the whole function, with everything it needs, in one block that begins with ```python." },
    { "mbpp", R1_EVAL_FUNCTION, 4, { "mbpp.jsonl", "mbpp_sanitized.jsonl" }, "google-research mbpp, sanitized, 427 items, CC-BY-4.0 (Austin et al. 2021)",
      "problem, test_list; optional test_imports", "python",
      "{problem}\n\nThe code must pass these tests:\n\n```python\n{tests}\n```\n\nWrite the code in one block that begins with ```python." },
    { "aime", R1_EVAL_MATH, 64, { "aime.jsonl", "aime_2024.jsonl", "aime24.jsonl" }, "yours: the texts belong to the Mathematical Association of America", FORM_MATH, NULL, NULL },
    { "math500", R1_EVAL_MATH, 16, { "math500.jsonl", "math_500.jsonl" }, "yours: the 500 items of Lightman et al. 2023", FORM_MATH, NULL, NULL },
    { "gpqa", R1_EVAL_CHOICE, 64, { "gpqa.jsonl", "gpqa_diamond.jsonl" }, "yours: its authors ask not to publish it in plain text",
      "problem, answer (text of the right choice), incorrect (a list of the others); optional category", NULL, NULL },
    { "livecodebench", R1_EVAL_STDIO, 8, { "livecodebench.jsonl" }, "yours: the paper's window is 2024-08 to 2025-01",
      FORM_STDIO "; or entry_point and tests of {input, output}, optional starter_code", "python", NULL },
    { "codeforces", R1_EVAL_STDIO, 16, { "codeforces.jsonl" }, "yours: the paper takes 10 Div. 2 contests", FORM_STDIO ", rating", "cpp", NULL },
    { "swebench", R1_EVAL_PATCH, 1, { "swebench.jsonl", "swe_bench_verified.jsonl" }, "yours: SWE-bench Verified, with the files of the repository in the text",
      "instance_id, and text (the whole prompt) or problem_statement", NULL, NULL },
};

/* Whatever a user brings: each item's fields tell how it is judged. */
static const r1_benchmark custom = {
    "custom", R1_EVAL_BY_ITEM, 4, { NULL }, "yours", "problem, answer; or the fields of another task", "python", NULL
};

const r1_benchmark *r1_benchmark_at(size_t i) { return i < R1_COUNT(benchmarks) ? &benchmarks[i] : NULL; }

const r1_benchmark *r1_benchmark_find(const char *name)
{
    for (size_t i = 0; i < R1_COUNT(benchmarks); i++)
        if (!strcmp(benchmarks[i].name, name)) return &benchmarks[i];
    return NULL;
}

const r1_benchmark *r1_benchmark_custom(void) { return &custom; }

const char *r1_eval_check_name(r1_eval_check c)
{
    static const char *const names[] = { "math", "choice", "countdown", "function", "stdio", "patch", "by item" };
    return names[c];
}

/* ---- where files are ------------------------------------------------------------------------------------------- */

static bool is_kind(const char *path, mode_t kind)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

static r1_status look_in(const r1_benchmark *b, const char *folder, char **path, r1_buf *looked, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; b->files[i] && !*path && s == R1_OK; i++) {
        r1_buf p;
        r1_buf_init(&p, 8192);
        s = r1_buf_addf(&p, err, "%s/%s", folder, b->files[i]);
        if (s == R1_OK) s = r1_buf_addf(looked, err, "%s'%s'", looked->len ? ", " : "", p.data);
        if (s == R1_OK && is_kind(p.data, S_IFREG)) *path = r1_buf_take(&p, NULL);
        r1_buf_deinit(&p);
    }
    return s;
}

r1_status r1_benchmark_locate(const r1_benchmark *b, const char *data, const char *usual, char **path, r1_error *err)
{
    *path = NULL;
    if (data && !is_kind(data, S_IFDIR)) {
        *path = strdup(data);
        return *path ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a path");
    }
    r1_buf looked;
    r1_buf_init(&looked, 65536);
    r1_status s = R1_OK;
    if (data) s = look_in(b, data, path, &looked, err);
    else if (usual) s = look_in(b, usual, path, &looked, err);
    if (s == R1_OK && !*path)
        s = r1_fail(err, R1_EIO, "there is no file for %s: looked for %s; expected a JSON object a line with id, %s; --data FILE or --data FOLDER names another place", b->name,
                    looked.len ? looked.data : "nothing, for there is no home folder", b->form);
    r1_buf_deinit(&looked);
    return s;
}
