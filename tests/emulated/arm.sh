#!/bin/sh
# The program built for 64-bit ARM, from the outside, under an emulator: which level it takes on which processor, and whether
# its logits are those of the program for this machine, bit for bit. Run by tools/test_neon, which sets
#
#   R1         the program for this machine          B   the folder of the build for ARM
#   EMULATOR   runs a program for ARM                QEMU_CPU   a processor with dot products
#
# Prints "N passed, N failed, N skipped".
set -u
: "${R1:?}" "${B:?}" "${EMULATOR:?}"
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ok() {
    what=$1; shift
    if "$@" >"$work/out" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED $what: $(tail -n 5 "$work/out")"; fi
}
arm() { $EMULATOR "$B/r1" "$@"; }
# The level the program takes on a processor of the emulator.
level() { QEMU_CPU=$1 arm --version | grep -qx "cpu $2"; }
# refuses WHAT COMMAND...: ends with another code than 0 and says WHAT.
refuses() {
    said=$1; shift
    if "$@" >"$work/said" 2>&1; then echo 'it was accepted'; return 1; fi
    cat "$work/said"
    grep -qF "$said" "$work/said"
}

model=tests/golden/models/llama_256/gguf/llama_256.Q4_K.gguf
i=0
while [ $i -lt 40 ]; do echo $(((i * 7 + 3) % 60)); i=$((i + 1)); done >"$work/ids"

old=cortex-a57 # the first 64-bit processors have no dot products
ok 'dot products are found' level "$QEMU_CPU" neon
ok 'dot products are found on what has everything' level max neon
ok 'without them the level is scalar' level $old scalar
ok 'the unit test of levels without them' env QEMU_CPU=$old $EMULATOR "$B/src/kernels/kernels_test"
ok '--cpu neon without them' refuses 'this machine has no neon; its best level is scalar' \
    env QEMU_CPU=$old $EMULATOR "$B/r1" logits --cpu neon $model --ids "$work/ids" --out "$work/none"
ok '--cpu avx2 on ARM' refuses 'this machine has no avx2; its best level is neon' arm logits --cpu avx2 $model --ids "$work/ids" --out "$work/none"
case $(uname -m) in
aarch64 | arm64) ;;
*) ok '--cpu neon elsewhere' refuses 'this machine has no neon' "$R1" logits --cpu neon $model --ids "$work/ids" --out "$work/none" ;;
esac

# compare NAME OPTIONS: logits of both programs.
compare() {
    rm -f "$work/here" "$work/there"
    "$R1" logits "$@" --ids "$work/ids" --out "$work/here" && arm logits "$@" --ids "$work/ids" --out "$work/there" || return 1
    cmp "$work/here" "$work/there"
}
for m in tests/golden/models/*/gguf/*.gguf tests/golden/models/*/config.json; do
    case $m in
    *.mtp.gguf) continue ;;              # the prediction module alone
    *config.json) m=$(dirname "$m") ;;
    esac
    ok "the same logits: $m" compare "$m"
done
ok 'the same logits without dot products' env QEMU_CPU=$old sh -c '
    $EMULATOR "$B/r1" logits '$model' --ids "$0/ids" --out "$0/old" && "$R1" logits '$model' --ids "$0/ids" --out "$0/new" && cmp "$0/old" "$0/new"' "$work"
for o in '--activations f32' '--activations bf16' '--kv q8_0' '--mla expanded'; do
    ok "the same logits: $o" compare tests/golden/models/deepseek_v3/gguf/deepseek_v3.Q8_0.gguf $o
done
if compare tests/golden/models/qwen2/gguf/qwen2.Q4_0.gguf --activations f32 >"$work/out" 2>&1 &&
    "$R1" logits tests/golden/models/qwen2/gguf/qwen2.Q4_0.gguf --ids "$work/ids" --out "$work/here" -f && ! cmp -s "$work/here" "$work/there"; then
    passed=$((passed + 1)) # a planted difference: other options, other bits
else
    failed=$((failed + 1)); echo "FAILED a planted difference is seen: $(tail -n 5 "$work/out")"
fi

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
