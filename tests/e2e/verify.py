"""r1 verify from the outside: the forms scripts rely on, order, threads, wrong lines, Ctrl-C, commands."""
import json
import os
import signal
import subprocess
import sys
import time

from harness import R1, TESTS, environment, fails, main, r1, read, test, tmp


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def items(*objects):
    return "".join((o if isinstance(o, str) else json.dumps(o)) + "\n" for o in objects)


# ---- mathematics ----

@test
def one_answer():
    assert r1("verify", "math", "\\frac12", "0.5").text.startswith("equal (")
    assert r1("verify", "math", "1/2", "1/3", code=1).text == "not equal (different)\n"
    j = r1("verify", "math", "7", "\\boxed{7}", "--json").json
    assert j["verdict"] == 1 and j["reason"].startswith("equal_") and j["extracted"] is not None and 0 <= j["cpu_ms"] < 1000, j
    j = r1("verify", "math", "--json", "7", "8", code=1).json
    assert j["verdict"] == 0 and j["reason"] == "different", j
    assert not r1("verify", "math", "7", "7", "-q").err


@test
def a_minus_is_a_sign():
    r1("verify", "math", "-5", "-5")
    r1("verify", "math", "-\\frac{1}{2}", "-0.5", "-q")
    r1("verify", "math", "-x", "-x")
    r1("verify", "math", "--", "-5", "-5")
    r1("verify", "math", "5", "-5", code=1)
    fails(2, "'--respons'", "--response", args=["verify", "math", "5", "5", "--respons"])


@test
def whole_responses():
    right = "<think>It is \\boxed{3}.</think>So it is \\boxed{5}."
    assert r1("verify", "math", "--response", "5", right).text.endswith(": 5\n")
    r1("verify", "math", "--response", "3", right, code=1)
    r1("verify", "math", "5", "-", "--response", stdin=right)
    j = r1("verify", "math", "--response", "--json", "5", "<think>\\boxed{5}", code=1).json
    assert j["reason"] == "open_thought" and j["extracted"] is None, j


@test
def texts_of_standard_input():
    r1("verify", "math", "5", "-", stdin="5\n")
    r1("verify", "math", "-", "5", stdin="5")
    fails(2, "both '-'", args=["verify", "math", "-", "-"])
    r1("verify", "math", "5", "-", stdin=b"\xff\x00\xfe", code=1)


@test
def wrong_usage():
    fails(2, "needs math GOLD ANSWER", args=["verify"])
    fails(2, "math GOLD ANSWER", "missing", args=["verify", "math", "5"])
    fails(2, "'x' is too much", args=["verify", "file.jsonl", "x"])
    fails(2, "code TASK.json SOLUTION", args=["verify", "code", "task.json"])
    fails(2, "--response", "verify math", args=["verify", "--response", "file.jsonl"])
    fails(2, "--persistent", "--command", args=["verify", "--persistent", "file.jsonl"])
    fails(2, "--command", "FILE.jsonl", args=["verify", "--command", "true", "math", "1", "1"])
    fails(3, "nothing-here", args=["verify", "/nothing-here.jsonl"])
    fails(3, "nothing-here", args=["verify", "--tsv", "/nothing-here.tsv"])


# ---- items ----

@test
def items_of_a_file():
    path = tmp("items.jsonl", items(
        {"id": "a", "gold": "1/2", "answer": "0.5"}, {"id": 2, "gold": 7, "response": "</think> \\boxed{8}"}, "", "  ",
        {"id": 3, "kind": "choice", "gold": "C", "answer": "C or D"}, {"kind": "exact", "gold": "x", "answer": "x"},
        {"id": 5, "kind": "language", "gold": "en", "response": "<think>we know that</think>x"}))
    for threads in (1, 2, 7):
        got = lines(r1("verify", path, "--threads", threads))
        assert [g["id"] for g in got] == ["a", 2, 3, None, 5] and [g["verdict"] for g in got] == [1, 0, 0, 1, 1], got
        assert got[2]["reason"] == "hedged" and got[3]["line"] == 6 and got[4]["score"] == 1.0 and got[4]["words"] == 3, got
    with open(path, "rb") as f:
        assert [g["verdict"] for g in lines(r1("verify", "-", stdin=f.read()))] == [1, 0, 0, 1, 1]
    assert r1("verify", tmp("empty.jsonl", "")).out == b""


@test
def wrong_lines_are_told_and_the_others_judged():
    path = tmp("bad.jsonl", items({"id": 1, "gold": "1", "answer": "1"}, "{", {"id": 3, "gold": "1"}, {"id": 4, "gold": "1", "answer": "1", "answr": 1}, {"id": 5, "kind": "poem"}, "[]",
                                  {"id": 7, "gold": "1", "answer": "2"}))
    r = fails(3, "5 of 7 lines", "line 2", "bad.jsonl", args=["verify", path])
    got = lines(r)
    assert [g.get("verdict") for g in got] == [1, None, None, None, None, None, 0], got
    assert got[1]["id"] is None and got[1]["line"] == 2 and "JSON" in got[1]["error"], got[1]
    assert got[2]["id"] == 3 and "'answer'" in got[2]["error"] and "'answr'" in got[3]["error"] and "'poem'" in got[4]["error"], got


@test
def faults_of_the_data_are_no_verdicts():
    path = tmp("faults.jsonl", items({"id": 1, "kind": "choice", "gold": "E", "choices": ["a", "b"], "answer": "E"}, {"id": 2, "gold": "", "answer": "1"},
                                     {"id": 3, "kind": "choice", "gold": "A", "choices": ["a", "b"], "response": "A\n\nExplanation: B is wrong."},
                                     {"id": 4, "kind": "choice", "gold": "A", "choices": ["a", "b"], "response": "Hence, A is correct."}))
    got = lines(fails(3, "2 of 4 lines", "line 1", args=["verify", path]))
    assert [g.get("verdict") for g in got] == [None, None, 1, 1] and "2 choices" in got[0]["error"] and "'gold' is empty" in got[1]["error"], got


@test
def lines_without_an_id_have_their_number():
    path = tmp("ids.jsonl", "".join('{"id": %s, "gold": "1", "answer": "1"}\n' % x for x in ('"x"', "-5", '""', "null", "1.5", "[1]", "true", "12345678901234567890", '"x"')) + '{"gold": "1"}\n{"id": null}')
    got = lines(fails(3, "6 of 11 lines", "line 5", args=["verify", path]))
    assert [g["id"] for g in got] == ["x", -5, "", None, 1.5, [1], True, None, "x", None, None], got
    assert [g.get("line") for g in got] == [None, None, None, 4, 5, 6, 7, 8, None, 10, 11], got
    assert [g.get("verdict") for g in got] == [1, 1, 1, 1, None, None, None, None, 1, None, None], got
    assert "'id' is a fraction, expected a string or an integer" in got[4]["error"] and "column 27" in got[7]["error"] and "line 1" not in got[7]["error"], got


@test
def files_of_other_makers():
    one, right = '{"id": 1, "gold": "1", "answer": "1"}', [1]
    for text in (b"\xef\xbb\xbf" + one.encode() + b"\r\n", one.encode(), b"\n \t\r\n" + one.encode() + b"\n\n"):
        assert [g["verdict"] for g in lines(r1("verify", tmp("one.jsonl", text)))] == right, text
    assert r1("verify", tmp("mark.jsonl", b"\xef\xbb\xbf")).out == b""
    fails(3, "UTF-16", "UTF-8", args=["verify", tmp("wide.jsonl", (one + "\n").encode("utf-16"))])
    for bad, why in ((b'{"id":1,"gold":"1","answer":"\xff"}', "0xff"), (b'{"id":1,"gold":"1","answer":"1\x00"}', "control character"), (b"\x1f\x8b\x08", "invalid"), (one.encode() + b" x", "'x'"),
                     (b'{"id":1,"id":2}', "duplicate"), (b'{"gold":1.5,"answer":"1.5"}', "a fraction, expected a string or an integer"), (b'{"gold":"1","answer":null}', "missing"),
                     (b'{"gold":"1","answer":' + b"[" * 5000 + b"]" * 5000 + b"}", "depth"), (b"[" + one.encode() + b"]", "an array, expected an object")):
        r = fails(3, "1 of 2 lines", why, args=["verify", tmp("bad.jsonl", bad + b"\n" + one.encode())])
        assert [g.get("verdict") for g in lines(r)] == [None, 1], r.out
    long = lines(r1("verify", tmp("long.jsonl", items({"gold": "1", "answer": "1" * 3000000}) + one)))
    assert [g["verdict"] for g in long] == [0, 1] and long[0]["reason"] == "over_budget", long[0]["reason"]
    fails(3, "is a folder", args=["verify", os.path.dirname(tmp("x", ""))])


@test
def many_items_come_in_order():
    n = 20000
    path = tmp("many.jsonl", "".join('{"id": %d, "kind": "exact", "gold": "%d", "answer": "%d"}\n' % (i, i % 3, i % 2) for i in range(n)))
    got = lines(r1("verify", path, "--threads", 4))
    assert [g["id"] for g in got] == list(range(n)) and all(g["verdict"] == (g["id"] % 3 == g["id"] % 2) for g in got)


@test
def a_slow_pipe_gets_its_answers():
    p = subprocess.Popen([R1, "verify", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    for i in range(3):
        p.stdin.write(b'{"id": %d, "kind": "exact", "gold": "a", "answer": "a"}\n' % i)
        p.stdin.flush()
        assert json.loads(p.stdout.readline())["id"] == i
    p.stdin.close()
    assert p.wait(60) == 0
    p.stdout.close()


# ---- commands ----

@test
def a_command_judges():
    path = tmp("custom.jsonl", items(*({"id": i, "kind": "custom", "text": "x" * i} for i in range(8))))
    script = tmp("judge.py", "import json, sys\nfor line in sys.stdin:\n    o = json.loads(line)\n    print(json.dumps({'score': len(o['text']) / 4, 'reason': 'length'}), flush=True)\n")
    for more in ([], ["--persistent"]):
        got = lines(r1("verify", path, "--command", f"{sys.executable} {script}", *more))
        assert [g["score"] for g in got] == [i / 4 for i in range(8)] and [g["verdict"] for g in got] == [0, 0, 0, 0, 1, 1, 1, 1], got
        assert all(g["reason"] == "length" for g in got)
    fails(3, "8 of 8 lines", "over 0.2 s", args=["verify", path, "--command", "sleep 60", "--command-time", "0.2"])
    fails(3, "8 of 8 lines", "ended with 3", args=["verify", path, "--command", "exit 3"])
    fails(3, "needs a command", args=["verify", path])


@test
def an_interrupt_keeps_what_is_done():
    path = tmp("slow.jsonl", items(*({"id": i, "kind": "custom", "s": 0 if i < 4 else 300} for i in range(50))))
    script = tmp("slow.sh", "line=$(cat); case $line in *'\"s\":0'*) ;; *) sleep 300 ;; esac; echo 1\n")
    p = subprocess.Popen([R1, "verify", path, "--threads", "2", "--command", f"sh {script}", "--command-time", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    first = [json.loads(p.stdout.readline())["id"] for _ in range(4)]
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130 and first == [0, 1, 2, 3] and out == b"" and b"interrupted; 4 results" in err, (p.returncode, first, out, err)
    time.sleep(0.2)
    left = subprocess.run(["pgrep", "-f", script], capture_output=True, check=False).stdout
    assert not left.strip(), left


# ---- tables ----

@test
def tables():
    path = tmp("pairs.tsv", "gold\tcandidate\tequivalent\tcategory\tmode\tnote\n5\t5\t1\tint\tanswer\t\n5\t6\t0\tint\tanswer\tx\n5\t7\t1\twrong label\tanswer\t\n"
                            "5\tso \\boxed{5}\t1\textraction\tresponse\t\n5\t5\t0\twrong label\tanswer\t\n")
    r = r1("verify", "--tsv", path)
    rows = [line.split("\t") for line in r.text.splitlines()]
    assert [(a, b) for a, b, _ in rows] == [("1", "1"), ("2", "0"), ("3", "0"), ("4", "1"), ("5", "1")] and rows[1][2] == "different", rows
    err = r.err.decode()
    assert "3 of 5 agree" in err and "1 false positives, 1 false negatives" in err, err
    assert ["wrong", "label", "0", "2", "1", "1"] in [line.split() for line in err.splitlines()], err
    assert not r1("verify", "--tsv", path, "--quiet").err
    got = lines(r1("verify", "--tsv", path, "--json"))
    assert [g["index"] for g in got] == [1, 2, 3, 4, 5] and got[3]["extracted"] == "5" and got[1]["verdict"] == 0, got
    two = r1("verify", "--tsv", tmp("two.tsv", "candidate\tgold\r\n5\t5\r\n6\t5"))
    assert [line.split("\t")[1] for line in two.text.splitlines()] == ["1", "0"] and not two.err, two.text
    gaps = r1("verify", "--tsv", tmp("gaps.tsv", "gold\tcandidate\n5\t5\n\n\r\n5\t6\n"))
    assert [line.split("\t")[:2] for line in gaps.text.splitlines()] == [["1", "1"], ["4", "0"]], gaps.text


@test
def the_table_of_the_checker():
    path = os.path.join(TESTS, "golden/answers.tsv")
    labels = [row.split("\t")[2] for row in read(path).decode().splitlines()[1:]]
    rows = [row.split("\t") for row in r1("verify", "--tsv", path, "--threads", 3).text.splitlines()]
    assert [int(row[0]) for row in rows] == list(range(1, len(labels) + 1)) and len(labels) > 500
    right = sum(row[1] == label for row, label in zip(rows, labels))
    assert right >= 0.97 * len(labels), f"{right} of {len(labels)}"


@test
def wrong_tables():
    fails(3, "gold and candidate", "'a b c'".replace(" ", "?"), args=["verify", "--tsv", tmp("header.tsv", "a\tb\tc\n1\t2\t3\n")])
    fails(3, "no header", args=["verify", "--tsv", tmp("none.tsv", "")])
    r = r1("verify", "--tsv", tmp("rows.tsv", "gold\tcandidate\tmode\n5\n5\t5\tanswer\n5\t5\tguess\n"), code=3)
    rows = [line.split("\t") for line in r.text.splitlines()]
    assert [row[:2] for row in rows] == [["1", "0"], ["2", "1"], ["3", "0"]], rows
    assert rows[0][2].startswith("error: ") and "1 columns" in rows[0][2] and "'guess'" in rows[2][2] and b"2 of 3 lines" in r.err, (rows, r.err)


# ---- code ----

def task(**more):
    return tmp("task.json", json.dumps({"kind": "stdio", "language": "python", "tests": [{"stdin": "3\n", "stdout": "9\n"}], **more}))


@test
def programs():
    right, wrong = tmp("right.py", "print(int(input()) ** 2)\n"), tmp("wrong.py", "print(8)\n")
    j = r1("verify", "code", task(), right, "--json").json
    assert j["verdict"] == "pass" and j["tests_passed"] == j["tests"] == 1 and j["cpu_ms"] > 0 and j["peak_mb"] > 0 and j["stdout_tail"] == "9\n" and "stderr_tail" in j, j
    assert r1("verify", "code", task(), right).text.startswith("pass")
    assert r1("verify", "code", task(), wrong, code=1).text.startswith("wrong_answer: ")
    r1("verify", "code", task(), "-", stdin="print(9)")
    assert r1("verify", "code", task(time_limit_s=0.3), tmp("loop.py", "while True: pass\n"), "--json", code=1).json["verdict"] == "time_limit"
    fails(3, "task.json", "'tim'", args=["verify", "code", task(tim=1), right])
    fails(3, "nothing-here", args=["verify", "code", task(), "/nothing-here"])


@test
def programs_in_files():
    t = {"kind": "function", "language": "python", "prompt": "def f(x):\n    \"\"\"The square.\"\"\"\n", "test": "def check(f):\n    assert f(3) == 9\n", "entry_point": "f"}
    path = tmp("code.jsonl", items(
        {"id": 1, "kind": "code", "task": t, "answer": "    return x * x\n"},
        {"id": 2, "kind": "code", "task": t, "response": "<think>```python\ndef f(x): return x * x\n```</think>No."},
        {"id": 3, "kind": "code", "task": t, "response": "<think>hm</think>Here:\n```python\ndef f(x):\n    return x ** 2\n```\n"},
        {"id": 4, "kind": "code", "task": t, "response": "<think>```python\ndef f(x): return x * x\n```"},
        {"id": 5, "kind": "code", "task": {"kind": "verse"}, "answer": ""}))
    got = lines(r1("verify", path, code=3))
    assert [g.get("verdict") for g in got][0::2] == ["pass", "pass", None] and got[1]["score"] == got[3]["score"] == 0, got
    assert got[0]["extracted"] == "    return x * x\n" and got[0]["reason"] == "the test passed", got[0]
    for g in got[:4]:
        assert set(g) == {"id", "verdict", "score", "reason", "extracted", "cpu_ms", "tests_passed", "tests", "peak_mb", "stdout_tail", "stderr_tail"} and g["tests"] == 1 and " " in g["reason"], g
        assert round(g["peak_mb"], 1) == g["peak_mb"] and (g["peak_mb"] > 0 or g["extracted"] is None), g
    assert got[2]["extracted"].startswith("def f(x)") and "never closed" in got[3]["reason"] and "'task'" in got[4]["error"], got


@test
def code_out_of_responses():
    t = {"kind": "function", "language": "python", "prompt": "", "test": "def check(f):\n    assert f(3) == 9\n", "entry_point": "f"}
    js = {"kind": "function", "language": "javascript", "prompt": "", "test": "console.assert(f(3) === 9)"}
    path = tmp("responses.jsonl", items(
        {"id": 1, "kind": "code", "task": t, "response": "1. Do:\n   ```python\n   def f(x):\n       return x * x\n   ```\n"},
        {"id": 2, "kind": "code", "task": t, "response": "<answer>```python\ndef f(x):\n    return x * x\n```</answer>"},
        {"id": 3, "kind": "code", "task": t, "response": "```python\ndef f(x):\n    return x * x\n```\nTest:\n```python\nassert f(1) == 1\n```"},
        {"id": 4, "kind": "code", "task": js, "response": "```typescript\nfunction f(x) { return x * x }\n```"}))
    got = lines(r1("verify", path))
    assert [g["verdict"] for g in got] == ["pass"] * 3 + ["wrong_answer"], got
    assert got[0]["extracted"] == "def f(x):\n    return x * x\n" and got[3]["reason"] == "the response has no block of javascript, only of 'typescript'", got


main()
