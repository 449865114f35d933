/* What may stand in the text for the assembler. */
#include "reward/code/code_int.h"
#include "tests/test.h"

static const char *forbidden(const char *text)
{
    static char what[80];
    return r1_code_assembly_forbidden(text, strlen(text), what, sizeof what) ? what : "(nothing)";
}

TEST(what_compilers_write_is_allowed)
{
    EXPECT_STR(forbidden("\t.file\t\"x\"\n\t.text\n\t.section\t.init_array,\"aw\"\n\t.p2align 4\n.L2:\n\tcmpl\t$4, %eax\n\tjne\t.L3\n\t.ident\t\"GCC\"\n\t.set\ta,b\n\t.weak\t_ZN1a.if\n"), "(nothing)");
    EXPECT_STR(forbidden("f:\n#APP\n# 3 \"solution\" 1\n\tbsr %edi, %eax\n1: add $1, %eax; jnz 1b\n\t.byte 0x90\nloop12:\n# 0 \"\" 2\n#NO_APP\n\tret\n\t.size\tf, .-f\n"), "(nothing)");
}

TEST(directives_that_change_what_follows_are_not)
{
    EXPECT_STR(forbidden("\t.section .text\n.macro jne x\n"), ".macro");
    EXPECT_STR(forbidden("\tnop;.IRP x,a\n"), ".IRP");
    EXPECT_STR(forbidden("\t.ident \"x\\\"\n.rept 2\"\n"), ".rept");
    EXPECT_STR(forbidden("\t.reloc 0, R_X86_64_NONE\n"), ".reloc");
    EXPECT_STR(forbidden("\t.end"), ".end");
}

TEST(asm_holds_instructions_labels_and_data_only)
{
    EXPECT_STR(forbidden("#APP\n\t.section x\n#NO_APP\n"), "\t.section x");
    EXPECT_STR(forbidden("#APP\nnop; a: .set b, c\n#NO_APP\n"), " a: .set b, c");
    EXPECT_STR(forbidden("#APP\nmain = f\n#NO_APP\n"), "main = f");
    EXPECT_STR(forbidden("#APP\nnop /* \n#NO_APP\n"), "nop /* ");
    EXPECT_STR(forbidden("#APP\n\"a\": nop\n#NO_APP\n"), "\"a\": nop");
}

TEST(only_some_solutions_are_looked_at)
{
    r1_code_task task = { .language = R1_CODE_CPP };
    r1_code_run run = { .task = &task, .solution = { "int f(void) { return 1; }", 25 } };
    EXPECT(!r1_code_has_assembly(&run));
    static const char *const with[] = { "a\\\nsm(\"nop\");", "__asm__(\"\");", "[[gnu::section(\"x\")]] int a;", "#ident \"x\"\n", "#define C(a, b) a##b\n", "__attribute__((used)) int a;" };
    for (size_t i = 0; i < R1_COUNT(with); i++) {
        run.solution = (r1_code_text){ with[i], strlen(with[i]) };
        EXPECT_MSG(r1_code_has_assembly(&run), "%s", with[i]);
    }
}
