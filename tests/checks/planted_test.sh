# Do the checks of tools/ and the test runner see faults? Each is planted in a small project, which is right without them.
set -u
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
tests=$(cd "$(dirname "$0")/.." && pwd)
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

project() {
    rm -rf "$work/p"
    mkdir -p "$work/p/src/base" "$work/p/src/text" "$work/p/tools" "$work/p/docs"
    cd "$work/p"
    printf 'base:\ntext: base\n' >tools/layers.txt
    printf 'int r1_a(void);\n' >src/base/a.h
    printf 'int r1_p(void);\n' >src/base/a_int.h
    printf '#include "base/a.h"\nint r1_a(void)\n{\n    return 0;\n}\n' >src/base/a.c
    printf '#include "base/a.h"\n#include <stdio.h>\n' >src/text/b.c
    printf '`src/base/a` `src/text/b.c` `tools/layers.txt`\n' >docs/where.md
}
good() { # good NAME COMMAND...
    what=$1; shift
    if "$@" >"$work/out" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED $what: refused what is right: $(cat "$work/out")"; fi
}
bad() { # bad NAME TEXT COMMAND...: must fail, and say TEXT
    what=$1 text=$2; shift 2
    if "$@" >"$work/out" 2>&1; then failed=$((failed + 1)); echo "FAILED $what: not seen"
    elif ! grep -qF -- "$text" "$work/out"; then failed=$((failed + 1)); echo "FAILED $what: expected '$text', got: $(cat "$work/out")"
    else passed=$((passed + 1)); fi
}
lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "    f();" }'; }

# ---- layers ----
project; good layers "$tools/check_layers" .
project; printf '#include "text/b.h"\n' >>src/base/a.c
bad 'a wrong include' 'src/base/a.c:6: includes "text/b.h"; tools/layers.txt does not allow base to use text' "$tools/check_layers" .
project; printf '#  include "base/a_int.h"\n' >>src/text/b.c
bad 'a private header' 'private to src/base' "$tools/check_layers" .
project; printf '#include "../base/a.h"\n' >>src/text/b.c
bad 'a relative include' 'includes are written from src/' "$tools/check_layers" .
project; mkdir src/new; printf '\n' >src/new/c.c
bad 'a folder without a line' 'src/new has no line' "$tools/check_layers" .
project; printf 'base: text\ntext: base\n' >tools/layers.txt
bad 'a circle' 'base may not use text' "$tools/check_layers" .
project; rm -r src/base src/text
bad 'nothing to look at' 'there are no sources' "$tools/check_layers" .

# ---- sizes ----
project; { printf 'static void g(int a,\n              int b)\n{\n'; lines 146; printf '}\n'; } >src/text/b.c
good 'a function of 150 lines' "$tools/check_sizes" .
project; { printf 'static void g(int a,\n              int b)\n{\n'; lines 147; printf '}\n'; } >src/text/b.c
bad 'a function of 151 lines' 'src/text/b.c: g has 151 lines' "$tools/check_sizes" .
printf 'src/text/b.c g: one table\n' >tools/size_exceptions.txt
good 'a function that is an exception' "$tools/check_sizes" .
project; printf 'src/text/b.c g: one table\n' >tools/size_exceptions.txt
bad 'an exception that is none' 'no longer an exception' "$tools/check_sizes" .
project; { printf 'TEST(it_works)\n{\n'; lines 200; printf '}\n'; } >src/text/b_test.c
bad 'a long test' 'it_works has 203 lines' "$tools/check_sizes" .
project; lines 999 >src/text/b.c
good 'a file of 999 lines' "$tools/check_sizes" .
lines 1000 >src/text/b.c
bad 'a file of 1,000 lines' 'src/text/b.c has 1000 lines' "$tools/check_sizes" .

# ---- where ----
project; good where "$tools/check_where" .
project; printf '`src/text/gone.c`\n' >>docs/where.md
bad 'a path that is not there' 'names `src/text/gone.c`' "$tools/check_where" .
project; printf '\n' >src/text/new.c
bad 'a file nobody mentions' 'does not say what src/text/new.c is' "$tools/check_where" .
project; printf '\n' >tools/new
bad 'a tool nobody mentions' 'does not say what tools/new is' "$tools/check_where" .

# ---- names ----
project; good names "$tools/check_names" .
project; printf '/* see /%s/me/notes */\n' root >>src/text/b.c
bad 'a path of one machine' 'src/text/b.c:3' "$tools/check_names" .
project; printf 'url = http://192.168.%s/x\n' 7.8 >>docs/where.md
bad 'a private address' 'docs/where.md:2' "$tools/check_names" .

# ---- exported symbols ----
project; mkdir -p include/r1 b
printf 'R1_API int r1_a(int x);\n' >include/r1/r1.h
printf 'int r1_a(int x); int r1_a(int x) { return x; }\n' >s.c
build() { ${CC:-gcc} -shared -fPIC -Wl,-soname,libr1.so.0 s.c -o b/libr1.so.0 && ${CC:-gcc} -c s.c -o s.o && rm -f b/libr1.a && ar rc b/libr1.a s.o; }
build; good exports "$tools/check_exports" b
printf 'int helper(int x); int helper(int x) { return x; }\n' >>s.c
build; bad 'a symbol too many' 'exports helper' "$tools/check_exports" b
printf 'R1_API int r1_missing(void);\n' >>include/r1/r1.h
bad 'a symbol too few' 'declares r1_missing' "$tools/check_exports" b

# ---- help pages ----
project; printf '# r1-x - does x\n\n## Options\n\n- `--a N`: text with "quotes" and a \\ backslash\n' >r1-x.md
good 'a help page' "$tools/mkhelp" c r1-x.md
printf 'const r1_help_page *p = r1_help_pages;\n' >use.c
mkdir -p cli
printf '#include <stddef.h>\ntypedef struct { const char *name, *summary, *text; } r1_help_page;\n' >cli/help.h
"$tools/mkhelp" c r1-x.md >page.c
good 'help that compiles' ${CC:-gcc} -Wall -Werror -I. -c page.c -o page.o
printf '# r1-y - wrong name\n' >r1-x.md
bad 'a title of another page' 'expected "# r1-x - ' "$tools/mkhelp" c r1-x.md
printf '# r1-x - x\n\n```\nopen\n' >r1-x.md
bad 'an open block' 'is not closed' "$tools/mkhelp" man 1 r1-x.md

# ---- the runner of tests ----
project
run() { "$tools/run_tests" -d "$work/logs" "$@"; }
printf 'echo 3 passed, 0 failed, 1 skipped\n' >ok.sh
printf 'echo 3 passed, 1 failed; exit 0\n' >liar.sh
printf 'echo 3 passed, 0 failed; exit 1\n' >liar2.sh
printf 'echo 0 passed, 0 failed, 0 skipped\n' >idle.sh
printf 'echo all is well\n' >mute.sh
printf 'kill -SEGV $$\n' >crash.sh
good 'a good program' run ok.sh
bad 'failed but code 0' 'says 1 failed but ended with code 0' run ok.sh liar.sh
bad 'code 1 but nothing failed' 'says nothing failed but ended with code 1' run liar2.sh ok.sh
bad 'nothing ran' 'ran nothing' run ok.sh idle.sh
bad 'no count' 'ended with code 0 and no count' run mute.sh
bad 'a crash' '0 passed, 1 failed, 0 skipped' run crash.sh
printf 'sleep 60\n' >hangs.sh
R1_TEST_SECONDS=1
export R1_TEST_SECONDS
bad 'a program that hangs' 'was stopped after 1 s' run ok.sh hangs.sh
unset R1_TEST_SECONDS
bad 'no program' '0 passed, 1 failed' run
printf 'echo 0 passed, 0 failed, 2 skipped\n' >skips.sh
good 'all skipped' run skips.sh ok.sh
bad 'all skipped, strictly' 'skipped everything' run --strict skips.sh ok.sh
run ok.sh ok.sh skips.sh >"$work/sum" 2>&1
good 'the sum' grep -qx '6 passed, 0 failed, 4 skipped' "$work/sum"

# ---- replay of fuzz corpora ----
project; mkdir -p fuzz/corpus/planted
cat >fuzz_planted.c <<'C'
#include <stdint.h>
#include <stdlib.h>
int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { if (n >= 4 && d[0] == 'G' && d[3] != 'F') abort(); return 0; }
C
${CC:-gcc} -std=c17 -O1 fuzz_planted.c "$tests/fuzz/replay.c" -o replay_planted
replay() { (R1_TESTS=. ./replay_planted "$@"); }
bad 'an empty corpus' 'nothing to replay' replay
printf 'GGUF0000' >fuzz/corpus/planted/a
bad 'a fault that mutations reach' 'failed on mutation' replay -n 2000
printf 'GGU_0000' >fuzz/corpus/planted/a
bad 'a fault in the corpus' 'failed on ./fuzz/corpus/planted/a' replay -n 0
printf 'xyz' >fuzz/corpus/planted/a
good 'a corpus without faults' replay -n 0

# ---- the Makefile ----
alone() { make -C "$tools/.." -np 2>/dev/null | grep -x '\.DEFAULT_GOAL := all' >/dev/null; }
good 'make alone makes everything' alone

# ---- examples in documents ----
project; mkdir -p b tests/golden
printf '```sh test\necho hello\n```\n\n```output\nhello\n```\n' >docs/e.md
good 'an example' python3 "$tools/check_examples" b docs/e.md
printf '```sh test\necho hello\n```\n\n```output\ngoodbye\n```\n' >docs/e.md
bad 'an example with other output' "expected 'goodbye" python3 "$tools/check_examples" b docs/e.md
printf '```sh test\nfalse\n```\n' >docs/e.md
bad 'an example that fails' 'docs/e.md:1: ended with 1' python3 "$tools/check_examples" b docs/e.md

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
