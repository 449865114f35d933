/* The report of a run made by hand: hostile texts stay texts, failures and repeated lines count once, missing files are named. */
#include "tests/test.h"
#include "base/map.h"
#include "eval/report.h"

#include <unistd.h>

static char folder[64];

static void put(const char *name, const char *text)
{
    char path[160];
    r1_error e;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    EXPECT_OK(r1_file_write(path, text, strlen(text), true, &e), &e);
}

static char *page(void)
{
    char path[160], *text;
    size_t n;
    r1_error e;
    snprintf(path, sizeof path, "%s/report.html", folder);
    EXPECT_OK(r1_file_read(path, 1 << 26, &text, &n, &e), &e);
    EXPECT_INT(n, strlen(text));
    return text;
}

static void set_up(void)
{
    strcpy(folder, "/tmp/r1-report-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    put("run.json", "{\"version\":1,\"r1\":\"0.1.0\",\"created\":\"2026-01-01T00:00:00Z\",\"model\":{\"name\":\"a <model>\"},\"options\":{\"temperature\":0.6,\"where\":null},\"tasks\":[]}");
    put("summary.json", "{\"complete\":false,\"tasks\":[{\"task\":\"gsm8k\",\"items\":2,\"samples\":2,\"pass_at_1\":{\"value\":0.25,\"ci95\":[0.1,0.5]},"
                        "\"pass_at_k\":[{\"k\":1,\"value\":0.25},{\"k\":2,\"value\":0.5}],\"budget\":[{\"tokens\":16,\"value\":0.1},{\"tokens\":32,\"value\":0.25}],"
                        "\"categories\":[{\"category\":\"x<y\",\"pass_at_1\":{\"value\":0.5}},{\"category\":\"z\",\"pass_at_1\":{\"value\":null}}]}]}");
}

static void tear_down(void)
{
    static const char *const names[] = { "run.json", "summary.json", "samples.jsonl", "report.html", "items.jsonl" };
    for (size_t i = 0; i < 5; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    EXPECT_INT(rmdir(folder), 0);
}

#define LINE(id, sample, verdict, content) \
    "{\"task\":\"gsm8k\",\"id\":\"" id "\",\"sample\":" #sample ",\"seed\":1,\"prompt_tokens\":5,\"completion_tokens\":20,\"reasoning_tokens\":12,\"finish_reason\":\"stop\"," \
    "\"content\":\"" content "\",\"reasoning_content\":null,\"extracted\":\"7\",\"verdict\":" #verdict ",\"reason\":\"different\",\"gold\":\"8\",\"seconds\":1.5}\n"
#define FAILED(id, sample) "{\"task\":\"gsm8k\",\"id\":\"" id "\",\"sample\":" #sample ",\"seed\":1,\"error\":\"no answer from the server\"}\n"

static size_t times(const char *s, const char *what)
{
    size_t n = 0;
    for (; (s = strstr(s, what)) != NULL; s += strlen(what)) n++;
    return n;
}

TEST(hostile_text_stays_text)
{
    r1_error e;
    set_up();
    put("samples.jsonl", LINE("1", 0, 1, "</script><script>alert(1)</script> <!-- &amp;"));
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    char *p = page();
    EXPECT(!strstr(p, "alert(1)</script>"));
    EXPECT_CONTAINS(p, "\\u003c/script>\\u003cscript>alert(1)\\u003c/script> \\u003c!-- &amp;");
    EXPECT_CONTAINS(p, "<h1>a &lt;model&gt;</h1>");
    EXPECT_CONTAINS(p, "x&lt;y");
    EXPECT_CONTAINS(p, "default-src 'none'");
    EXPECT_INT(times(p, "</script>"), 2);
    EXPECT_INT(times(p, "<svg"), 5); /* accuracy, pass@j, categories, lengths, budget */
    EXPECT(!strstr(p, "http://") && !strstr(p, "https://"));
    free(p);
    tear_down();
}

TEST(a_sample_counts_once)
{
    r1_error e;
    set_up();
    put("samples.jsonl", FAILED("1", 0) FAILED("2", 1) LINE("1", 1, 0, "second") LINE("1", 0, 1, "first") LINE("1", 0, 0, "too late") FAILED("1", 1));
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    char *p = page();
    EXPECT_CONTAINS(p, "2 samples have a result, 1 failed");
    EXPECT(!strstr(p, "too late"));
    const char *first = strstr(p, "\"content\":\"first\""), *second = strstr(p, "\"content\":\"second\"");
    EXPECT(first && second && first < second);
    EXPECT_INT(times(p, "no answer from the server"), 1);
    EXPECT_CONTAINS(p, "1 right, 1 wrong, 50.0 % right");
    free(p);
    tear_down();
}

TEST(problems_come_from_the_file_of_items)
{
    static const char items[] = "{\"id\":\"1\",\"problem\":\"How many <b>apples</b>?\",\"answer\":\"8\"}\n";
    char run[600];
    r1_error e;
    set_up();
    put("items.jsonl", items);
    put("samples.jsonl", LINE("1", 0, 1, "7"));
    snprintf(run, sizeof run, "{\"model\":{},\"options\":{},\"tasks\":[{\"name\":\"gsm8k\",\"file\":\"%s/items.jsonl\",\"sha256\":\"%s\"}]}", folder, "0000");
    put("run.json", run);
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    char *p = page();
    EXPECT_CONTAINS(p, "has changed since the run began");
    EXPECT(!strstr(p, "How many"));
    free(p);
    /* sha256sum of the line above */
    snprintf(run, sizeof run, "{\"model\":{},\"options\":{},\"tasks\":[{\"name\":\"gsm8k\",\"file\":\"%s/items.jsonl\",\"sha256\":\"%s\"}]}", folder,
             "adec0f716281fc4043b7286ca5fc8c824091ab96f8c102163ebc10112fd050a8");
    put("run.json", run);
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    p = page();
    EXPECT_CONTAINS(p, "\"problem\":\"How many \\u003cb>apples\\u003c/b>?\"");
    EXPECT(!strstr(p, "The problems are not shown"));
    free(p);
    tear_down();
}

TEST(what_is_wrong_is_named)
{
    r1_error e;
    set_up();
    EXPECT_STATUS(r1_eval_report(folder, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "samples.jsonl");
    put("samples.jsonl", LINE("1", 0, 1, "7") "{\"task\":5}\n");
    EXPECT_STATUS(r1_eval_report(folder, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "line 2");
    put("samples.jsonl", LINE("1", 0, 1, "7") "{\"task\":5"); /* a half line of a killed run */
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    put("summary.json", "{\"tasks\":7}");
    EXPECT_STATUS(r1_eval_report(folder, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'tasks' of summary.json is an integer");
    put("summary.json", "[]");
    EXPECT_STATUS(r1_eval_report(folder, &e), R1_EFORMAT);
    tear_down();
}

#ifdef R1_TINY
TEST(long_texts_are_cut_in_the_middle)
{
    r1_error e;
    static char text[20000];
    set_up();
    char *p = text + sprintf(text, "%s", "{\"task\":\"gsm8k\",\"id\":\"1\",\"sample\":0,\"seed\":1,\"prompt_tokens\":5,\"completion_tokens\":20,\"reasoning_tokens\":12,\"finish_reason\":\"stop\","
                                         "\"reasoning_content\":\"short\",\"extracted\":null,\"verdict\":0,\"reason\":\"no_answer\",\"gold\":\"8\",\"seconds\":1.5,\"content\":\"");
    for (int i = 0; i < 3000; i++) p += sprintf(p, "é");
    sprintf(p, "\"}\n");
    put("samples.jsonl", text);
    EXPECT_OK(r1_eval_report(folder, &e), &e);
    char *h = page();
    EXPECT_CONTAINS(h, "bytes are left out here");
    EXPECT_CONTAINS(h, "\"thinking\":\"short\"");
    free(h);
    tear_down();
}
#endif
