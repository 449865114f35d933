/* Code out of responses: which block, which language, what of thoughts. */
#include "reward/code/code.h"
#include "tests/test.h"

/* The code of `response` for that task, or "(none)"; valid until the next call. */
static const char *extract_for(const r1_code_task *t, const char *response)
{
    static char *code;
    size_t n;
    r1_error e = { 0 };
    free(code);
    EXPECT_OK(r1_code_extract(t, response, strlen(response), &code, &n, &e), &e);
    EXPECT_INT(n, code ? strlen(code) : 0);
    return code ? code : "(none)";
}

static const char *extract(r1_code_language l, const char *response) { return extract_for(&(r1_code_task){ .language = l }, response); }

static r1_code_text text(const char *s) { return (r1_code_text){ s, strlen(s) }; }

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

TEST(an_indented_fence_takes_its_indent_off_each_line)
{
    EXPECT_STR(extract(R1_CODE_PYTHON, "1. Do:\n   ```python\n   def f(x):\n       return x\n   ```\n"), "def f(x):\n    return x\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "   ```python\n  a\n\n     b\n ```\n"), "a\n\n  b\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "10. Do:\n\n    ```python\n    def f(x):\n        return x\n    ```\n"), "def f(x):\n    return x\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "* Do:\n\t```python\n\tdef f(x):\n\t\treturn x\n\t```\n"), "def f(x):\n\treturn x\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "- ```python\n  x\n  ```\n"), "x\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "Do:\n\n    ```python\n    x\n    ```\n"), "Do:\n\n    ```python\n    x\n    ```\n"); /* no list: text of a fence */
    EXPECT_STR(extract(R1_CODE_PYTHON, "```python\ndef f(x):\n    \"\"\"\n    ```\n    f(1)\n    ```\n    - 1\n    \"\"\"\n```\n"), "def f(x):\n    \"\"\"\n    ```\n    f(1)\n    ```\n    - 1\n    \"\"\"\n");
}

TEST(tags_of_an_answer_around_a_fence)
{
    EXPECT_STR(extract(R1_CODE_PYTHON, "<answer>```python\nx = 1\n```</answer>"), "x = 1\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "So:\n<answer>\n```python\nx = 1\n```\n</answer>\n"), "x = 1\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, " <answer>x = 1\n</answer>\n"), "x = 1\n");
    EXPECT_STR(extract(R1_CODE_PYTHON, "<answer>"), "<answer>");
}

TEST(a_block_that_defines_goes_before_one_that_uses)
{
    static const struct { r1_code_language l; const char *entry, *prompt, *test, *response, *code; } cases[] = {
        { R1_CODE_PYTHON, "f", "", "", "```python\ndef f(x):\n    return x\n```\nTest:\n```python\nassert f(1)==1\n```", "def f(x):\n    return x\n" },
        { R1_CODE_PYTHON, "f", "", "", "```python\ndef f(x): return 1\n```\n```python\ndef f(x): return 2\n```\n```python\nfrom a import f\nf (1)\nif f == 1: pass\n```", "def f(x): return 2\n" },
        { R1_CODE_PYTHON, "f", "", "", "```python\ndef f(x): return 1\n```\n```python\nf = lambda x: 2\n```\n", "f = lambda x: 2\n" },
        { R1_CODE_PYTHON, "f", "", "", "```python\nreturn 1\n```\n```python\nreturn 2\n```\n", "return 2\n" },
        { R1_CODE_PYTHON, "Solution().f", "", "", "1.\n   ```python\n   class Solution:\n       pass\n   ```\n   ```python\n   Solution().f(1)\n   ```\n", "class Solution:\n    pass\n" },
        { R1_CODE_PYTHON, "", "def g():\n    pass\n\nasync def f(x):\n    \"\"\"f(1)\n", "", "```python\nasync def f(x):\n    1\n```\n```python\ndef g(): f(1)\n```", "async def f(x):\n    1\n" },
        { R1_CODE_PYTHON, "", "", "assert (f(1)) == 2\n", "```python\ndef f(x): 1\n```\n```python\nprint(f(1))\n```", "def f(x): 1\n" },
        { R1_CODE_JAVASCRIPT, "f", "", "", "```js\nexport async function* f(x) {}\n```\n```js\nconst f = require('./f');\nf(1);\n```", "export async function* f(x) {}\n" },
        { R1_CODE_JAVASCRIPT, "", "const f = (x) => {\n", "", "```js\nmodule.exports.f = x => x;\n```\n```js\nif (f === 1) f(1);\n```", "module.exports.f = x => x;\n" },
        { R1_CODE_CPP, "f", "", "", "```cpp\nauto f(int x) const -> int {\n return x; }\n```\n```cpp\nint main() { int f(int); if (f(1)) { return f(1); } }\n```", "auto f(int x) const -> int {\n return x; }\n" },
        { R1_CODE_CPP, "", "#include <vector>\nint f(int x){\n", "", "```cpp\nint f(int x) { return x; }\n```\n```cpp\nint main() { std::cout << f(1) << 2; }\n```", "int f(int x) { return x; }\n" },
        { R1_CODE_C, "f", "", "", "```c\n#define f(x) (x)\n```\n```c\nint main(void) { return f(1); }\n```", "#define f(x) (x)\n" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_code_task t = { .language = cases[i].l, .entry_point = text(cases[i].entry), .prompt = text(cases[i].prompt), .test = text(cases[i].test) };
        EXPECT_STR(extract_for(&t, cases[i].response), cases[i].code);
    }
}

TEST(c_fits_cpp_and_others_are_named)
{
    const char *name, *response = "```typescript title\nlet a;\n```\n";
    r1_code_task t = { .language = R1_CODE_JAVASCRIPT };
    EXPECT_STR(extract(R1_CODE_CPP, "```c\nint y;\n```\n```\nout\n```"), "int y;\n");
    EXPECT_STR(extract(R1_CODE_C, "```cpp\nint y;\n```"), "(none)");
    EXPECT_STR(extract_for(&t, response), "(none)");
    EXPECT_INT(r1_code_other_language(&t, response, strlen(response), &name), 10);
    EXPECT(!strncmp(name, "typescript", 10));
    EXPECT_INT(r1_code_other_language(&t, "x", 1, &name), 0);
    EXPECT_INT(r1_code_other_language(&t, "<think>```a\n```", 15, &name), 0);
}

TEST(hostile_blocks_take_linear_time)
{
    enum { N = 2000000 };
    char *hostile = malloc(N + 1), *code;
    r1_code_task t = { .language = R1_CODE_CPP, .entry_point = text("f") };
    size_t n;
    r1_error e = { 0 };
    EXPECT(hostile != NULL);
    for (size_t i = 0; i < N; i++) hostile[i] = "f("[i & 1];
    memcpy(hostile, "```cpp\n", 7);
    memcpy(hostile + N - 4, "\n```", 5);
    EXPECT_OK(r1_code_extract(&t, hostile, N, &code, &n, &e), &e);
    EXPECT_INT(n, N - 10);
    free(code);
    free(hostile);
}
