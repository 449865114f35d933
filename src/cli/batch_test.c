/* Keys of outputs that are there, and lines as they are written. */
#include "tests/test.h"
#include "cli/batch.h"

#include <unistd.h>

static r1_status read_keys(r1_batch_keys *k, const char *contents, r1_error *e)
{
    char path[] = "/tmp/r1-batch-XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0 && write(fd, contents, strlen(contents)) == (ssize_t)strlen(contents));
    close(fd);
    *k = (r1_batch_keys){ 0 };
    r1_status s = r1_batch_keys_read(k, path, e);
    unlink(path);
    return s;
}

TEST(keys_of_an_output_are_known)
{
    r1_batch_keys k;
    r1_error e = { 0 };
    EXPECT_OK(read_keys(&k, "{\"id\":\"a\",\"content\":\"x\"}\n{\"id\":7,\"error\":{}}\n{\"id\":null,\"line\":12,\"error\":{}}\n{\"id\":\"7\"}\n{\"id\":\"half", &e), &e);
    EXPECT_INT(k.n_done, 4);
    EXPECT_INT(r1_batch_key_of(&k, "\"a\"")->out_line, 1);
    EXPECT_INT(r1_batch_key_of(&k, "7")->out_line, 2);
    EXPECT_INT(r1_batch_key_of(&k, "#12")->out_line, 3);
    EXPECT_INT(r1_batch_key_of(&k, "\"7\"")->out_line, 4);
    EXPECT_INT(r1_batch_key_of(&k, "\"half\"")->out_line, 0);
    EXPECT(r1_batch_key_of(&k, "\"half\"") == r1_batch_key_of(&k, "\"half\""));
    r1_batch_keys_deinit(&k);
    r1_batch_keys_deinit(&k);
}

TEST(what_is_no_output_is_refused)
{
    static const struct { const char *text, *word; } cases[] = {
        { "{\"id\":\"a\"}\nx\n", "line 2" }, { "[]\n", "no 'id'" }, { "{\"id\":null}\n", "no 'id'" }, { "{\"id\":1.5}\n", "no 'id'" }, { "\n", "line 1" },
        { "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"a\"}\n", "stands in line 1, too" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_batch_keys k;
        r1_error e = { 0 };
        EXPECT_STATUS(read_keys(&k, cases[i].text, &e), R1_EFORMAT);
        EXPECT_CONTAINS(e.msg, cases[i].word);
        r1_batch_keys_deinit(&k);
    }
}

TEST(lines_are_written_in_one_form)
{
    char content[] = "a\n\xC3\xA9\xFF", thought[] = "";
    const r1_generation g = { .content = content, .n_content = 5, .reasoning = thought, .n_prompt = 3, .n_ids = 4, .n_reasoning_ids = 1, .finish = R1_FINISH_LENGTH };
    char *text = r1_batch_answer_text("\"x\\n\"", 9, &g);
    EXPECT_STR(text, "{\"id\":\"x\\n\",\"content\":\"a\\n\xC3\xA9\xEF\xBF\xBD\",\"reasoning_content\":\"\",\"finish_reason\":\"length\",\"seed\":9,\"usage\":{\"prompt_tokens\":3,"
                     "\"completion_tokens\":4,\"total_tokens\":7,\"completion_tokens_details\":{\"reasoning_tokens\":1}}}");
    free(text);
    text = r1_batch_error_text("5", 2, R1_ELIMIT, "too \"long\"");
    EXPECT_STR(text, "{\"id\":5,\"error\":{\"message\":\"too \\\"long\\\"\",\"type\":\"too_long\"}}");
    free(text);
    text = r1_batch_error_text(NULL, 2, R1_EFORMAT, "x");
    EXPECT_STR(text, "{\"id\":null,\"error\":{\"message\":\"x\",\"type\":\"invalid_request\"},\"line\":2}");
    free(text);
}
