/* Code out of responses: which block, which language, what of thoughts. */
#include "reward/code/code.h"
#include "tests/test.h"

/* The code of `response` for that language, or "(none)"; valid until the next call. */
static const char *extract(r1_code_language l, const char *response)
{
    static char *code;
    r1_code_task t = { .language = l };
    size_t n;
    r1_error e = { 0 };
    free(code);
    EXPECT_OK(r1_code_extract(&t, response, strlen(response), &code, &n, &e), &e);
    EXPECT_INT(n, code ? strlen(code) : 0);
    return code ? code : "(none)";
}

TEST(the_last_complete_block_of_the_language)
{
    EXPECT_STR(extract(R1_CODE_PYTHON, "First:\n```python\na = 1\n```\nBetter:\n```python\na = 2\n```\nRun it:\n```sh\npython a.py\n```\n"), "a = 2\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "```python\na = 1\n```\n```python\na = 2\n"), "a = 1\n");
    EXPECT_STR(extract(R1_CODE_CPP, "```C++\nint x;\n```\n```c\nint y;\n```"), "int x;\n");
    EXPECT_STR(extract(R1_CODE_JAVASCRIPT, "~~~~ js title\nlet a;\n~~~\n~~~~\n"), "let a;\n~~~\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "  ```py\r\nx\r\n  ```\r\n"), "x\r\n");
    EXPECT_STR(extract(R1_CODE_C, "```c\n```"), "");
}

TEST(a_block_without_a_language_when_there_is_no_other)
{
    EXPECT_STR(extract(R1_CODE_PYTHON, "```\nx = 1\n```\n```text\nout\n```"), "x = 1\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "```python\nx = 1\n```\n```\nout\n```"), "x = 1\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "```java\nint x;\n```"), "(none)");
    EXPECT_STR(extract(R1_CODE_PYTHON, "``x`` is ```not``` a fence\ny = 1"), "``x`` is ```not``` a fence\ny = 1");
    EXPECT_STR(extract(R1_CODE_PYTHON, "    return 1\n"), "    return 1\n");
}

TEST(what_is_thought_does_not_count)
{
    EXPECT_STR(extract(R1_CODE_PYTHON, "<think>```python\na = 1\n```</think>```python\na = 2\n```"), "a = 2\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "```python\na = 1\n```\n</think>\nDone."), "\nDone.");
    EXPECT_STR(extract(R1_CODE_PYTHON, "<think>```python\na = 1\n```"), "(none)");
    EXPECT_STR(extract(R1_CODE_PYTHON, "x</think>```python\na\n```<think>"), "(none)");
}
