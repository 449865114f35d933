/* Steps of a test's main: behind which statements, and where there are none because a right solution could miss one. */
#include "reward/code/code_int.h"
#include "tests/test.h"

/* The test with a "!" behind each step. */
static const char *marked_with(const char *prompt, const char *test)
{
    static char out[1000];
    size_t places[R1_CODE_STEPS], at = 0;
    r1_code_task t = { .prompt = { prompt, strlen(prompt) }, .test = { test, strlen(test) } };
    size_t n, again;
    EXPECT(!r1_code_steps(&t, places, R1_CODE_STEPS, &n, NULL) && !r1_code_steps(&t, NULL, R1_CODE_STEPS, &again, NULL));
    EXPECT_INT(again, n);
    out[0] = 0;
    for (size_t i = 0; i < n; at = places[i++]) {
        EXPECT(places[i] > at && places[i] <= t.test.n);
        snprintf(out + strlen(out), sizeof out - strlen(out), "%.*s!", (int)(places[i] - at), test + at);
    }
    snprintf(out + strlen(out), sizeof out - strlen(out), "%s", test + at);
    return out;
}

static const char *marked(const char *test) { return marked_with("", test); }

TEST(each_statement_of_main_is_a_step)
{
    EXPECT_STR(marked("int main(void) { assert(f(1) == 2); assert(f(2) == 3); return 0; }"), "int main(void) { assert(f(1) == 2);! assert(f(2) == 3);! return 0; }");
    EXPECT_STR(marked("int main() {\n  int a[] = {1, 2};\n  /* ; */ g(a);\n  puts(\";\");\n}"), "int main() {\n  int a[] = {1, 2};!\n  /* ; */ g(a);!\n  puts(\";\");!\n}");
    EXPECT_STR(marked("static void t(void) { assert(1); }\nint main(int c, char **v) { t(); }"), "static void t(void) { assert(1); }\nint main(int c, char **v) { t();! }");
    EXPECT_STR(marked("int main() { auto g = [&](int x) { return x; }; struct S { int h() { return 0; } } s; return g(s.h()); }"),
               "int main() { auto g = [&](int x) { return x; };! struct S { int h() { return 0; } } s;! return g(s.h()); }");
}

TEST(statements_that_choose_or_repeat_are_one_step)
{
    EXPECT_STR(marked("int main() { if (f(1) != 2) return 1; if (a) b; else { c; } d; }"), "int main() { if (f(1) != 2) return 1;! if (a) b; else { c; }! d;! }");
    EXPECT_STR(marked("int main() { for (int i = 0; i < 3; i++) assert(f(i)); while (x) { y; } do z; while (w); { q; } }"),
               "int main() { for (int i = 0; i < 3; i++) assert(f(i)); while (x) { y; }! do z; while (w);! { q; }! }");
    EXPECT_STR(marked("int main() { try { f(); return 2; } catch (int) { g(); } catch (...) {} h(); }"), "int main() { try { f(); return 2; } catch (int) { g(); } catch (...) {}! h();! }");
    EXPECT_STR(marked("int main() { if (f() == V{1}) return EXIT_FAILURE; if (g()) return -1; h(); }"), "int main() { if (f() == V{1}) return EXIT_FAILURE;! if (g()) return -1;! h();! }");
}

TEST(steps_end_where_main_may_end)
{
    EXPECT_STR(marked("int main() { a(); if (b) return 0; c(); }"), "int main() { a();! if (b) return 0; c(); }");
    EXPECT_STR(marked("int main() { a(); if (b) return r; c(); }"), "int main() { a();! if (b) return r; c(); }");
    EXPECT_STR(marked("int main() { a(); { if (b) return 0; } c(); }"), "int main() { a();! { if (b) return 0; } c(); }");
    EXPECT_STR(marked("int main() { a(); EACH(x) { if (b) return 0; } c(); }"), "int main() { a();! EACH(x) { if (b) return 0; } c(); }");
    EXPECT_STR(marked("int main() { a(); CHECK(1)\nCHECK(2)\nreturn 0; }"), "int main() { a();! CHECK(1)\nCHECK(2)\nreturn 0; }");
    EXPECT_STR(marked("int main() { a();\n#ifdef X\nb();\n#endif\nc(); }"), "int main() { a();!\n#ifdef X\nb();\n#endif\nc(); }");
    EXPECT_STR(marked("int main() { a(); x: b(); }"), "int main() { a();! x: b(); }");
}

TEST(a_test_that_ends_elsewhere_has_no_steps)
{
    static const char *const tests[] = { "void t() { exit(0); }\nint main() { a(); }", "#define DONE return 0\nint main() { a(); DONE; }", "int main() { a(); goto out; out: return 0; }",
                                         "int main() { a(); longjmp(b, 1); }", "#define main other\nint main() { a(); }", "int main() { a(); }\nint main(int x) { b(); }",
                                         "extern \"C\" { int main() { a(); } }", "int ma\\\nin() { a(); }", "#define G(x) x##x\nint main() { a(); }", "", "int main(", "int main() {" };
    for (size_t i = 0; i < R1_COUNT(tests); i++) EXPECT_STR(marked(tests[i]), tests[i]);
    EXPECT_STR(marked("#define CHECK(x) do { if (!(x)) return 1; } while (0)\nint main() { CHECK(a); }"), "#define CHECK(x) do { if (!(x)) return 1; } while (0)\nint main() { CHECK(a);! }");
    EXPECT_STR(marked_with("#define DONE return 0\n", "int main() { a(); DONE; }"), "int main() { a(); DONE; }");
}
