/* Is an answer right? Compare it with the gold one, in whatever notation; or judge items, a JSON object a line, from standard input.
 *
 *   cc verify.c $(pkg-config --cflags --libs r1) -o verify && ./verify '\frac{1}{2}' 0.5
 *   echo '{"kind":"choice","gold":"C","response":"The answer is C."}' | ./verify */
#include <r1/r1.h>
#include <stdio.h>
#include <string.h>

static void print(const r1_verdict *v)
{
    printf("%s (%s)%s%s\n", v->right ? "right" : "wrong", v->reason, v->extracted ? ": " : "", v->extracted ? v->extracted : "");
}

static int judge_items(void)
{
    static char line[1 << 20];
    int wrong = 0;
    while (fgets(line, sizeof line, stdin)) {
        r1_verdict v;
        r1_error err = { 0 };
        if (r1_verify_item(line, strlen(line), &v, &err)) return fprintf(stderr, "verify: %s\n", err.msg), 3;
        print(&v);
        wrong += !v.right;
        r1_verdict_deinit(&v);
    }
    return wrong > 0;
}

int main(int argc, char **argv)
{
    r1_verdict v;
    r1_error err = { 0 };
    if (argc == 1) return judge_items();
    if (argc != 3) return fprintf(stderr, "usage: verify [GOLD ANSWER]\n"), 2;
    if (r1_verify_math(argv[1], argv[2], R1_VERIFY_ANSWER, &v, &err)) return fprintf(stderr, "verify: %s\n", err.msg), 3;
    print(&v);
    int result = !v.right;
    r1_verdict_deinit(&v);
    return result;
}
