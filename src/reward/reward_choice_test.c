/* Multiple choice: what chooses, what hedges. */
#include "tests/test.h"
#include "reward/reward.h"

static const char *const texts[] = { "Paris", "12 m/s", "a dog", "Vitamin A" };
static const r1_choices known = { texts, 4 };

static void gives(const char *gold, const r1_choices *choices, const char *answer, const char *code)
{
    const char *got = r1_choice_check(gold, choices, r1_span_of(answer), NULL);
    EXPECT_MSG(!got == !code && (!code || !strcmp(got, code)), "'%s' is %s, expected %s", answer, got ? got : "right", code ? code : "right");
}

TEST(choice_takes_a_letter_in_its_wrappers)
{
    static const char *const right[] = {
        "C", "c", " C ", "C.", "(C)", "C)", "[C]", "**C**", "**(C)**", "\\text{C}", "$\\text{(C)}$", "\\mathrm{C}", "\\boxed{C}", "option C", "Option (C)", "The answer is C.",
        "the correct answer is: **C**", "Answer: C", "C: because of this", "C) 42 m/s", "(C) since x > 0", "**C**: it fits", "C. A dog has it", "C. I think so", "`C`", "\"C\"", "C\xe3\x80\x82",
        "\\textbf{(C) } 12", "\\text{(C) }12", "(C). B is too large, and A is none", "C. The mass of A is larger than D.", "**(C)** because",
    };
    for (size_t i = 0; i < R1_COUNT(right); i++) gives("C", NULL, right[i], NULL);
    gives("A", NULL, "A", NULL);
    gives("a", NULL, "(A)", NULL);
    gives("A", NULL, "A. Because", NULL);
}

TEST(choice_refuses_hedging)
{
    static const char *const hedged[] = { "C or D", "C, D", "C and D", "C/D", "C D", "(C) or (D)", "C, maybe B", "C. Or D", "C) not sure, B) maybe", "C; b", "C (or D)" };
    for (size_t i = 0; i < R1_COUNT(hedged); i++) gives("C", NULL, hedged[i], "hedged");
    gives("C", NULL, "A, B, C, D", "hedged");
    gives("C", NULL, "\\text{C} or \\text{D}", "hedged");
    gives("C", NULL, "(AC) both", "no_choice");
    gives("C", NULL, "D", "wrong_choice");
    gives("C", NULL, "", "no_choice");
    gives("C", NULL, "Cannot tell", "no_choice");
    gives("C", NULL, "CD", "no_choice");
    gives("C", NULL, "All of them", "no_choice");
    gives("C", NULL, "none", "no_choice");
    gives("A", NULL, "A dog is an animal", "no_choice");
    gives("A", NULL, "a dog", "no_choice");
    gives("C", NULL, "C\xc3\xa9", "no_choice");
}

TEST(choice_takes_what_is_said_to_be_right)
{
    static const char *const right[] = { "Hence, A is correct.", "A is correct", "a is correct", "So A is the right answer.", "Therefore, option A is correct, as it fits", "Thus A.", "(A) is right" };
    for (size_t i = 0; i < R1_COUNT(right); i++) {
        gives("A", NULL, right[i], NULL);
        gives("B", NULL, right[i], "wrong_choice");
    }
    static const char *const none[] = { "A is not correct", "A is wrong", "C is incorrect.", "C is not the answer", "C cannot be right", "C isn't", "Hence, A dog", "A is a dog", "A is correctly spelled" };
    for (size_t i = 0; i < R1_COUNT(none); i++) {
        gives("A", NULL, none[i], "no_choice");
        gives("C", NULL, none[i], "no_choice");
    }
    gives("A", NULL, "A is correct and B is not", "hedged");
    gives("A", NULL, "A is correct or B", "hedged");
    static const char *const denials[] = { "is conserved", "is not conserved" };
    gives("B", &(r1_choices){ denials, 2 }, "B is not conserved", NULL);
}

TEST(choice_takes_a_first_line_that_is_a_letter)
{
    static char text[20000];
    gives("A", NULL, "A\n\nExplanation: Paris is the capital; B is wrong.", NULL);
    gives("A", NULL, "**(a)**\r\n \r\nA dog.\n\nB and C are too small.", NULL);
    gives("B", NULL, "A\n\nExplanation: B is wrong.", "wrong_choice");
    gives("A", NULL, "A\n\nor B", "hedged");
    gives("A", NULL, "A\n\nNo, (B) is the correct one.", "hedged");
    gives("A", NULL, "A\n\nNo:\n**B**\n", "hedged");
    gives("A", NULL, "A\nB", "no_choice");
    gives("A", NULL, "A dog\n\nBecause", "no_choice");
    gives("A,B", NULL, "A\n\nBecause", "no_choice");
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "A\n\n", 3);
    gives("A", NULL, text, NULL);
}

TEST(choice_knows_texts)
{
    gives("A", &known, "Paris", NULL);
    gives("A", &known, "  paris. ", NULL);
    gives("B", &known, "$12 m/s$", NULL);
    gives("C", &known, "a dog", NULL);
    gives("A", &known, "A. Paris", NULL);
    gives("A", &known, "A. a dog", "mismatch");
    gives("A", &known, "12 m/s", "wrong_choice");
    gives("D", &known, "D. Vitamin A", NULL);
    gives("D", NULL, "D) Vitamin A", "hedged"); /* nothing says that A belongs to the text */
    gives("B", &known, "(B) 12 m/s", NULL);
}

TEST(choice_of_several_wants_all_of_them)
{
    gives("A,C", NULL, "A, C", NULL);
    gives("A,C", NULL, "C and A", NULL);
    gives("A,C", NULL, "(A), (C)", NULL);
    gives("A,C", NULL, "A", "wrong_choice");
    gives("A,C", NULL, "A, B, C", "wrong_choice");
    gives("A,C", NULL, "A, A", "no_choice");
    char found[R1_CHOICES_MOST + 1];
    EXPECT(r1_choice_check("C,A", NULL, r1_span_of("c, a"), found) == NULL);
    EXPECT_STR(found, "AC");
}

TEST(choice_is_bounded)
{
    static char text[100000];
    memset(text, '(', sizeof text - 1);
    gives("C", NULL, text, "no_choice");
    memset(text, 'C', sizeof text - 1);
    gives("C", NULL, text, "no_choice");
    gives("not a letter", NULL, "C", "no_choice");
}
