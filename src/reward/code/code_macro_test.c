/* Which macros of a solution reach its test: the text that is saved before the solution and restored behind it. */
#include "reward/code/code_int.h"
#include "tests/test.h"

/* "stays", "undone" or "left" for the word MACRO of the test, where the solution has such definitions. */
static const char *fate(const char *definitions, const char *test)
{
    r1_code_task t = { .language = R1_CODE_C, .test = { test, strlen(test) }, .prompt = { "", 0 } };
    r1_code_run run = { .task = &t, .solution = { definitions, strlen(definitions) } };
    r1_code_macros *m;
    r1_buf save, restore;
    r1_error e = { 0 };
    r1_buf_init(&save, 1 << 20);
    r1_buf_init(&restore, 1 << 20);
    EXPECT_OK(r1_code_macros_open(&m, &run, "0", &e), &e);
    EXPECT_OK(r1_code_macros_save(m, &save, &e), &e);
    EXPECT_OK(r1_code_macros_restore(m, &restore, &e), &e);
    r1_code_macros_free(m);
    bool stays = strstr(save.data, "#define r1_had_0_MACRO\n"), saved = strstr(save.data, "#pragma push_macro(\"MACRO\")");
    EXPECT(saved == (strstr(restore.data, "#pragma pop_macro(\"MACRO\")") != NULL) && stays == (strstr(restore.data, "#ifdef r1_had_0_MACRO\n") != NULL));
    r1_buf_deinit(&save);
    r1_buf_deinit(&restore);
    return stays ? "stays" : saved ? "undone" : "left";
}

TEST(values_stay)
{
    static const char *const values[] = { "5", "-5", "(5)", "0x1fUL", "3.14", "1e-9", "1.5e3f", "(int)(1e9 + 7)", "1 << 3", "2 + 3 * 4", "(1 == 2)", "(1 <= 2 && 3 >= 2 || !0)", "(a ? 1 : 2)", "INT_MAX",
                                          "OTHER", "(OTHER * 2)", "\"text\"", "'x'", "sizeof(int)", "((unsigned long long)1 << 63)" };
    for (size_t i = 0; i < R1_COUNT(values); i++) {
        char text[200];
        bool uses_a = strstr(values[i], "a ?");
        snprintf(text, sizeof text, "#define OTHER 7\n#define MACRO%s %s\n", uses_a ? "(a)" : "", values[i]);
        EXPECT_MSG(!strcmp(fate(text, "int main(void) { return MACRO; }"), "stays"), "%s", values[i]);
    }
    EXPECT_STR(fate("#define MACRO(a, b) ((a) > (b) ? (a) : (b))\n", "MACRO"), "stays");
    EXPECT_STR(fate("#define MACRO(a) (sizeof(a) / sizeof((a)[0]))\n", "MACRO"), "stays");
    EXPECT_STR(fate("%:define MACRO \\\n 5\n", "MACRO"), "stays");
}

TEST(what_could_change_a_comparison_does_not)
{
    static const char *const others[] = { "", "1||5", "1|5", "1?1:5", "1, 5", "1 < 5", "1 == 5", "0 &5", "!1 !", "x", "f()", "(x)", "(f(5))", "({ 5; })", "5;", "(5", ")(", "5_x", "5zz", "OTHER", "sizeof", "1 ^ 1",
                                          "(1 = 1)", "(++1)", "(1--)", "5 #", "(1, 2)", "return", "_Generic(1)", "MACRO", "5 != 1", "(1 |= 1)", "(1 <<= 1)", "(1 *= 1)" };
    for (size_t i = 0; i < R1_COUNT(others); i++) {
        char text[200];
        snprintf(text, sizeof text, "#define OTHER 1||7\n#define MACRO %s\n", others[i]);
        EXPECT_MSG(!strcmp(fate(text, "int main(void) { return MACRO; }"), "undone"), "%s", others[i]);
    }
    EXPECT_STR(fate("#define MACRO(a) ((a) = 1)\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a) ((a) += 1)\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a) (++(a))\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(...) (5)\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a)", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a\nint b; int f(int x) { return x; }\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO(a) #a\n", "MACRO"), "undone");
    EXPECT_STR(fate("#define MACRO 5\n#undef MACRO\n#define MACRO x\n", "MACRO"), "undone");
}

TEST(directives_of_the_test_do_not_see_them)
{
    EXPECT_STR(fate("#define MACRO 5\n", "#ifdef MACRO\n#endif\n"), "undone");
    EXPECT_STR(fate("#define MACRO 5\n", "int a;\n  # if 1 && \\\n defined(MACRO)\n# endif\n"), "undone");
    EXPECT_STR(fate("#define MACRO 5\n", "/* x */ #ifndef MACRO\n#endif\n"), "undone");
    EXPECT_STR(fate("#define MACRO 5\n", "#if 1\nint a = MACRO;\n#endif\n"), "stays");
    EXPECT_STR(fate("#define OTHER 5\n", "int MACRO;\n"), "undone"); /* who knows */
    EXPECT_STR(fate("#define OTHER 5\n", "int a;\n"), "left");
}

TEST(functions_that_are_only_macros_are_told)
{
    static const struct { const char *solution, *message, *what; } cases[] = {
        { "#define f(x) ((x) * (x))\n", "", "f" },
        { "#define f(x) g(x)\nint f(int x) { return x; }\n", "", NULL },
        { "#undef f\nint f(int x) { return x; }\n", "", NULL },
        { "#define g(x) x\n", "", NULL },
        { "#define g(x) x\n", "undefined reference to `g'", "g" },
        { "#define gg(x) x\n", "undefined reference to `g'", NULL },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_code_task t = { .language = R1_CODE_C, .test = { "int main(void) { return f(g(1)); }", 34 }, .prompt = { "", 0 }, .entry_point = { "f", 1 } };
        r1_code_run run = { .task = &t, .solution = { cases[i].solution, strlen(cases[i].solution) } };
        r1_code_macros *m;
        r1_error e = { 0 };
        char what[80] = "";
        EXPECT_OK(r1_code_macros_open(&m, &run, "0", &e), &e);
        EXPECT_INT(r1_code_macros_only(m, (r1_code_text){ cases[i].message, strlen(cases[i].message) }, what, sizeof what), cases[i].what != NULL);
        EXPECT_STR(what, cases[i].what ? cases[i].what : "");
        r1_code_macros_free(m);
    }
}
