"""The programs of examples/: under 60 lines, only r1.h and what they name; built as a user would, and run."""
import os
import re
import shlex
import subprocess

from harness import HERE, R1, TMP, Skip, main, model, r1, real, test

ROOT = os.path.abspath(os.path.join(HERE, "../.."))
EXAMPLES = os.path.join(ROOT, "examples")
LIBRARY = os.path.join(os.path.dirname(R1), "libr1.a")
GGUF = model("llama_256", "llama_256.Q8_0.gguf")


def build(name):
    """Against the static library beside r1; sanitizers are asked for where r1 itself has them."""
    out = os.path.join(TMP.name, name)
    libs = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson", "libpcre2-8", "libutf8proc", "libcrypto"], capture_output=True, text=True, check=True).stdout
    with open(R1, "rb") as f:
        sanitize = ["-fsanitize=address,undefined"] if b"__asan_init" in f.read() else []
    cc = shlex.split(os.environ.get("CC", "cc"))
    command = [*cc, "-std=c17", "-Wall", "-Wextra", "-Werror", *sanitize, "-I" + os.path.join(ROOT, "include"), os.path.join(EXAMPLES, name + ".c"), LIBRARY,
               *shlex.split(libs), "-lm", "-pthread", "-o", out]
    p = subprocess.run(command, capture_output=True, text=True, check=False)
    assert p.returncode == 0, p.stderr[-1500:]
    return out


def run(program, *args, stdin="", code=0):
    p = subprocess.run([program, *args], input=stdin, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    assert p.returncode == code, (p.returncode, p.stderr[-500:])
    return p


@test
def they_are_short_and_stand_alone():
    names = sorted(f for f in os.listdir(EXAMPLES) if f.endswith(".c"))
    assert names == ["ask.c", "batch.c", "chat.c", "verify.c"], names
    for n in names:
        with open(os.path.join(EXAMPLES, n), encoding="utf-8") as f:
            text = f.read()
        assert text.count("\n") < 60, n
        assert set(re.findall(r'#include [<"](.*?)[>"]', text)) <= {"r1/r1.h", "stdio.h", "stdlib.h", "string.h", "jansson.h"}, n


@test
def ask_answers():
    program = build("ask")
    assert run(program, GGUF + ".missing", "x", code=1).stderr.startswith("ask: ")
    assert "usage" in run(program, code=2).stderr
    p = run(program, real(), 'What is the capital of Japan? Say "Tokyo" or "Kyoto".')
    assert "kyo" in p.stdout and "yoto" in p.stdout or "Tokyo" in p.stdout, p.stdout


@test
def chat_goes_on():
    program = build("chat")
    assert run(program, GGUF + ".missing", code=1).stderr.startswith("chat: ")
    p = run(program, real(), stdin="Say one word.\nSay another.\n")
    assert len(p.stdout) > 10 and p.stderr == "", (p.stdout, p.stderr)


@test
def batch_equals_each_alone():
    program = build("batch")
    texts = ["abc def", "x", "some longer text than the others"]
    together = run(program, GGUF, *texts).stdout
    first = run(program, GGUF, texts[0]).stdout
    assert together.startswith(first) and len(together) > len(first), (together, first)


main()
