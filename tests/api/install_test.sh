# Is what `make install` puts down usable by somebody who has nothing else of this project?
#
# Installs into an empty folder; looks for every file; builds each program of examples/ with pkg-config against the shared
# and the static library, from outside the source tree; and runs it on a small model.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL
cc=${CC:-gcc}
passed=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ok() {
    what=$1; shift
    if "$@" >"$work/out" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED $what: $(tail -n 5 "$work/out")"; fi
}

ok 'make install' make -s --no-print-directory CC="$cc" ${B:+B="$B"} install DESTDIR="$work/root" PREFIX=/usr
for f in bin/r1 include/r1/r1.h lib/libr1.a lib/libr1.so.0 lib/libr1.so lib/pkgconfig/r1.pc share/man/man1/r1.1 share/man/man1/r1-run.1; do
    ok "$f is installed" test -e "$work/root/usr/$f"
done
ok 'nothing else is in include' sh -c "[ \"\$(ls '$work/root/usr/include/r1')\" = r1.h ]"
ok 'the installed program runs' "$work/root/usr/bin/r1" --version

# A prefix without DESTDIR, as a user without root would have it.
ok 'make install into a prefix' make -s --no-print-directory CC="$cc" ${B:+B="$B"} install PREFIX="$work/prefix"
PKG_CONFIG_PATH=$work/prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
version=$(sed -n 's/^.define R1_VERSION "\(.*\)"/\1/p' include/r1/r1.h)
ok 'pkg-config knows the version' sh -c "[ \"\$(pkg-config --modversion r1)\" = '$version' ]"

mkdir "$work/app"
printf '#include <r1/r1.h>\n#include <stdio.h>\nint main(void) { return puts(r1_version()) < 0; }\n' >"$work/app/version.c"
cp examples/*.c "$work/app/" 2>/dev/null
# Running them needs a model whose template r1 knows: the one `make run` uses, when it was fetched.
model=${XDG_CACHE_HOME:-$HOME/.cache}/r1/models/SmolLM2-135M-Instruct.Q4_1.gguf
skipped=0
runs() {
    case $1 in verify*) verifies "$1"; return ;; esac
    if [ -f "$model" ]; then ok "$1 runs" env LD_LIBRARY_PATH="$work/prefix/lib" sh -c "printf 'Say hello.\n' | ./$1 '$model' 'Say hello.'"
    else skipped=$((skipped + 1)); fi
}
# This one needs no model: right, wrong, and items from standard input.
verifies() {
    LD_LIBRARY_PATH="$work/prefix/lib"
    export LD_LIBRARY_PATH
    ok "$1 says right" sh -c "./$1 '\\frac{1}{2}' 0.5 | grep '^right (equal_'"
    ok "$1 says wrong" sh -c "! ./$1 1/2 1/3 && ./$1 1/2 1/3 | grep '^wrong (different)'"
    ok "$1 judges items" sh -c "printf '%s\\n' '{\"kind\":\"choice\",\"gold\":\"C\",\"response\":\"The answer is C.\"}' | ./$1 | grep '^right (right): C\$'"
    ok "$1 refuses items" sh -c "echo '{}' | ./$1; [ \$? = 3 ]"
    unset LD_LIBRARY_PATH
}
cd "$work/app" || exit 1
for f in *.c; do
    name=${f%.c}
    ok "$f has fewer than 60 lines" sh -c "[ \$(wc -l <$f) -lt 60 ]"
    ok "$f with the shared library" sh -c "$cc -std=c17 -Wall -Wextra -Werror $f \$(pkg-config --cflags --libs r1 jansson) -o $name"
    runs "$name"
    ok "$f with the static library" sh -c "$cc -std=c17 $f \$(pkg-config --cflags r1) $work/prefix/lib/libr1.a \$(pkg-config --static --libs r1 | sed 's/-lr1\b//g') -o $name-static"
    runs "$name-static"
done
ok 'the header is C++ too' sh -c "printf '#include <r1/r1.h>\nint main() { return r1_version() == 0; }\n' >h.cc && { ! command -v g++ >/dev/null || g++ -fsyntax-only \$(pkg-config --cflags r1) h.cc; }"

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
