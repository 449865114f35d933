/* Tests of samples.c: what is written is read again; what a killed process left is cut; order; one writer. */
#include "eval/run_test.h"

#include <sys/wait.h>

TEST(a_line_has_every_field)
{
    small_run r = small_run_new(2, 1);
    r1_samples *l = small_log(&r);
    r1_error e = { 0 };
    r1_eval_sample s = { .item = 1, .seed = 99, .prompt_tokens = 3, .completion_tokens = 5, .reasoning_tokens = -1, .seconds = 1.5, .finish = "length", .content = (char *)"a\xff\"b",
                         .reasoning = (char *)"r", .reason = (char *)"no_answer", .verdict = 0 };
    EXPECT_OK(r1_samples_add(l, &s, &e), &e);
    r1_samples_close(l);
    char *text = small_read(&r, "samples.jsonl");
    EXPECT_STR(text, "{\"task\":\"t\",\"id\":\"q1\",\"sample\":0,\"seed\":99,\"prompt_tokens\":3,\"completion_tokens\":5,\"reasoning_tokens\":null,\"finish_reason\":\"length\","
                     "\"content\":\"a\xEF\xBF\xBD\\\"b\",\"reasoning_content\":\"r\",\"extracted\":null,\"verdict\":0,\"reason\":\"no_answer\",\"category\":\"odd\",\"gold\":\"1\",\"seconds\":1.5}\n");
    free(text);
    small_run_free(&r);
}

TEST(samples_are_found_again)
{
    small_run r = small_run_new(3, 2);
    r1_samples *l = small_log(&r);
    EXPECT_INT(r1_samples_get(l, 0, 2, 1)->state, R1_RECORD_NONE);
    small_add(l, 2, 1, 1, "2", 40);
    small_add(l, 0, 0, 0, NULL, 10);
    for (int i = 0; i < 2; i++) { /* as it was added, then as it was read */
        const r1_record *a = r1_samples_get(l, 0, 2, 1), *b = r1_samples_get(l, 0, 0, 0);
        EXPECT(a->state == R1_RECORD_DONE && a->verdict == 1 && a->completion_tokens == 40 && a->reasoning_tokens == 20 && !a->truncated);
        EXPECT_STR(a->extracted, "2");
        EXPECT(b->state == R1_RECORD_DONE && b->verdict == 0 && !b->extracted);
        EXPECT_INT(r1_samples_get(l, 0, 0, 1)->state, R1_RECORD_NONE);
        r1_samples_close(l);
        l = small_log(&r);
        EXPECT_INT(r1_samples_cut(l), 0);
    }
    r1_samples_close(l);
    small_run_free(&r);
}

/* Cut the file at every byte: whole lines stay, the rest goes, and what is added afterwards stands behind them. */
TEST(a_half_line_is_cut_off_wherever_it_ends)
{
    small_run r = small_run_new(3, 1);
    r1_samples *l = small_log(&r);
    small_add(l, 0, 0, 1, "0", 5);
    small_add(l, 1, 0, 0, "7", 5);
    r1_samples_close(l);
    char *whole = small_read(&r, "samples.jsonl");
    size_t n = strlen(whole), first = (size_t)(strchr(whole, '\n') - whole) + 1;
    for (size_t cut = 0; cut <= n; cut++) {
        char *part = strndup(whole, cut);
        EXPECT(part != NULL);
        small_write(&r, "samples.jsonl", part);
        free(part);
        l = small_log(&r);
        EXPECT_INT(r1_samples_cut(l), cut == n ? 0 : cut >= first ? cut - first : cut);
        EXPECT_INT(r1_samples_get(l, 0, 0, 0)->state, cut >= first ? R1_RECORD_DONE : R1_RECORD_NONE);
        EXPECT_INT(r1_samples_get(l, 0, 1, 0)->state, cut == n ? R1_RECORD_DONE : R1_RECORD_NONE);
        if (cut % 50 == 0 && cut < first) {
            small_add(l, 0, 0, 1, "0", 5);
            small_add(l, 1, 0, 0, "7", 5);
            char *again = small_read(&r, "samples.jsonl");
            EXPECT_STR(again, whole);
            free(again);
        }
        r1_samples_close(l);
    }
    free(whole);
    small_run_free(&r);
}

TEST(failed_samples_are_replaced_and_first_results_count)
{
    small_run r = small_run_new(1, 2);
    r1_samples *l = small_log(&r);
    r1_error e = { 0 };
    r1_eval_sample s = { .sample = 1, .error = (char *)"no connection" };
    EXPECT_OK(r1_samples_add(l, &s, &e), &e);
    EXPECT_INT(r1_samples_get(l, 0, 0, 1)->state, R1_RECORD_FAILED);
    small_add(l, 0, 1, 1, "0", 5);
    small_add(l, 0, 1, 0, "9", 5); /* does not count */
    EXPECT_OK(r1_samples_add(l, &s, &e), &e);
    for (int i = 0; i < 2; i++) {
        EXPECT(r1_samples_get(l, 0, 0, 1)->state == R1_RECORD_DONE && r1_samples_get(l, 0, 0, 1)->verdict == 1);
        r1_samples_close(l);
        l = small_log(&r);
    }
    small_add(l, 0, 0, 0, "4", 5);
    EXPECT_OK(r1_samples_sort(l, &e), &e);
    char *text = small_read(&r, "samples.jsonl"), *line = strchr(text, '\n');
    EXPECT_CONTAINS(text, "\"sample\":0");
    EXPECT(line && strstr(line, "\"sample\":1") && strstr(line, "\"verdict\":1") && strchr(line + 1, '\n')[1] == 0); /* two lines */
    free(text);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(any_order_becomes_the_same_file)
{
    char *want = NULL;
    for (uint32_t turn = 0; turn < 4; turn++) {
        small_run r = small_run_new(3, 2);
        r1_samples *l = small_log(&r);
        r1_error e = { 0 };
        for (uint32_t i = 0; i < 6; i++) {
            uint32_t j = turn == 0 ? i : turn == 1 ? 5 - i : (i * 5 + turn) % 6;
            small_add(l, j / 2, j % 2, j % 3 == 0, j % 2 ? "1" : NULL, 10 + j);
        }
        EXPECT_OK(r1_samples_sort(l, &e), &e);
        char *text = small_read(&r, "samples.jsonl");
        if (!want) want = strdup(text);
        EXPECT_STR(text, want);
        r1_samples_close(l);
        l = small_log(&r); /* places are right after sorting, too */
        EXPECT(r1_samples_get(l, 0, 2, 1)->completion_tokens == 15);
        r1_samples_close(l);
        free(text);
        small_run_free(&r);
    }
    free(want);
}

TEST(adding_after_sorting)
{
    small_run r = small_run_new(2, 1);
    r1_samples *l = small_log(&r);
    r1_error e = { 0 };
    small_add(l, 1, 0, 1, "1", 5);
    r1_eval_sample s = { .error = (char *)"x" };
    EXPECT_OK(r1_samples_add(l, &s, &e), &e);
    EXPECT_OK(r1_samples_sort(l, &e), &e);
    small_add(l, 0, 0, 1, "0", 5);
    EXPECT_OK(r1_samples_sort(l, &e), &e);
    char *text = small_read(&r, "samples.jsonl");
    EXPECT(strstr(text, "q0") && strstr(text, "q1") && strstr(text, "q0") < strstr(text, "q1") && !strstr(text, "error"));
    free(text);
    r1_samples_close(l);
    small_run_free(&r);
}

typedef struct judge { size_t n, fail_at; } judge;

static r1_status judge_anew(void *ctx, r1_eval_sample *s, r1_error *err)
{
    judge *j = ctx;
    EXPECT_STR(s->content, "said");
    EXPECT(s->seed == 5 && s->prompt_tokens == 7 && s->completion_tokens == 10 + (int64_t)s->item && !strcmp(s->finish, "stop") && !s->extracted && !s->reason);
    if (j->n++ == j->fail_at) return r1_fail(err, R1_EIO, "broken");
    s->verdict = s->item != 1;
    s->extracted = strdup("new");
    s->reason = strdup("again");
    return R1_OK;
}

TEST(verdicts_are_replaced_all_or_none)
{
    small_run r = small_run_new(3, 1);
    r1_samples *l = small_log(&r);
    r1_error e = { 0 };
    size_t changed;
    small_add(l, 2, 0, 1, "2", 12);
    small_add(l, 0, 0, 0, NULL, 10);
    small_add(l, 1, 0, 1, "1", 11);
    char *before = small_read(&r, "samples.jsonl");
    judge j = { 0, 2 };
    EXPECT_STATUS(r1_samples_regrade(l, judge_anew, &j, &changed, &e), R1_EIO);
    r1_samples_close(l);
    char *after = small_read(&r, "samples.jsonl");
    EXPECT_STR(after, before);
    free(after);
    free(before);
    l = small_log(&r);
    j = (judge){ 0, 9 };
    EXPECT_OK(r1_samples_regrade(l, judge_anew, &j, &changed, &e), &e);
    EXPECT_INT(changed, 2);
    EXPECT(r1_samples_get(l, 0, 0, 0)->verdict == 1 && r1_samples_get(l, 0, 1, 0)->verdict == 0 && r1_samples_get(l, 0, 2, 0)->verdict == 1);
    EXPECT_STR(r1_samples_get(l, 0, 0, 0)->extracted, "new");
    r1_samples_close(l);
    l = small_log(&r);
    EXPECT(r1_samples_get(l, 0, 1, 0)->verdict == 0 && r1_samples_get(l, 0, 1, 0)->completion_tokens == 11);
    after = small_read(&r, "samples.jsonl");
    EXPECT(strstr(after, "q0") < strstr(after, "q1") && strstr(after, "q1") < strstr(after, "q2") && strstr(after, "\"reason\":\"again\""));
    free(after);
    r1_samples_close(l);
    small_run_free(&r);
}

static void refused(const char *text, const char *word)
{
    small_run r = small_run_new(2, 2);
    r1_samples *l;
    r1_error e = { 0 };
    small_write(&r, "samples.jsonl", text);
    EXPECT_STATUS(r1_samples_open(&l, r.folder, r.tasks, r.n_tasks, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, word);
    EXPECT_NULL(l);
    small_run_free(&r);
}

TEST(wrong_lines_are_named)
{
    refused("{}\n", "line 1: 'task'");
    refused("[]\n", "it is an array");
    refused("{\"task\":\"t\",\"id\":\"q0\",\"sample\":0,\"error\":\"x\"}\n{\"task\":\"t\",\"id\":\"q0\",\"sample\":-1,\"error\":\"x\"}\n", "line 2: 'sample'");
    refused("{\"task\":\"t\",\"id\":\"q9\",\"sample\":0,\"error\":\"x\"}\n", "no item 'q9' of task 't'");
    refused("{\"task\":\"u\",\"id\":\"q0\",\"sample\":0,\"error\":\"x\"}\n", "no item 'q0' of task 'u'");
    refused("{\"task\":\"t\",\"id\":\"q0\",\"sample\":2,\"error\":\"x\"}\n", "it is sample 2, expected 0 to 1");
    refused("{\"task\":\"t\",\"id\":\"q0\",\"sample\":0}\n", "'finish_reason'");
    refused("{\"task\":\"t\",\"id\":\"q0\",\"sample\":0,\"finish_reason\":\"stop\",\"verdict\":2}\n", "'verdict'");
    refused("half\n", "line 1: wrong JSON");
}

TEST(one_process_writes)
{
    small_run r = small_run_new(1, 1);
    r1_samples *l = small_log(&r);
    pid_t child = fork();
    if (child == 0) {
        r1_samples *m;
        r1_error e = { 0 };
        bool ok = r1_samples_open(&m, r.folder, r.tasks, 1, &e) == R1_EIO && strstr(e.msg, "another r1") && !m;
        _exit(ok ? 0 : 1);
    }
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT_INT(status, 0);
    r1_samples_close(l);
    small_run_free(&r);
}

TEST(a_task_stands_once)
{
    small_run r = small_run_new(1, 1);
    r1_samples *l;
    r1_error e = { 0 };
    small_task(&r.tasks[1], "t", 1, 1);
    r.n_tasks = 2;
    EXPECT_STATUS(r1_samples_open(&l, r.folder, r.tasks, 2, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'t' is given twice");
    small_run_free(&r);
}
