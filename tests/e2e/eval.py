"""r1 eval from the outside: servers that behave and that do not, killed runs that go on, tasks of every kind."""
import json
import os
import re
import resource
import signal
import subprocess
import threading
import time

from fake_openai import Server
from harness import R1, TMP, Skip, environment, fails, main, model, r1, real, test, tmp

TINY = ("--model", model("llama_256", "llama_256.Q8_0.gguf"), "--template", "smollm2", "--ctx", "256")


def folder(name):
    return os.path.join(TMP.name, name)


def lines(run, name="samples.jsonl"):
    with open(os.path.join(folder(run), name), encoding="utf-8") as f:
        return [json.loads(x) for x in f]


def load(run, name):
    with open(os.path.join(folder(run), name), encoding="utf-8") as f:
        return json.load(f)


def jsonl(name, items):
    return tmp(name, "".join(json.dumps(i) + "\n" for i in items))


def sums(n=6):
    """Problems i + i."""
    return jsonl("sums.jsonl", [{"id": f"s{i}", "problem": f"What is {i} + {i}?", "answer": str(2 * i), "category": "low" if i < 3 else "high"} for i in range(n)])


def right(request):
    return str(2 * int(re.search(r"What is (\d+)", request["messages"][-1]["content"]).group(1)))


def timeless(text):
    """What of a run's file may differ between equal runs is taken out."""
    text = re.sub(r'"seconds":[0-9.e+-]+', '"seconds":0', text)
    return re.sub(r'"timings": \{[^}]*\}', '"timings": {}', text)


def result(run):
    out = []
    for name in ("samples.jsonl", "summary.json"):
        with open(os.path.join(folder(run), name), encoding="utf-8") as f:
            out.append(timeless(f.read()))
    return out


# ---- servers ----

@test
def a_server_is_measured():
    def answer(q, n):
        good = q["seed"] % 4 != 0
        return {"reasoning_content": "let me see", "content": f"It is \\boxed{{{right(q) if good else 'x'}}}.",
                "usage": {"prompt_tokens": 30, "completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 5}}}
    with Server(answer) as s:
        r = r1("eval", sums(), "--url", s.url, "--out", folder("a"), "--samples", 8, "--price-in", 1, "--price-out", 2)
    assert "pass@1" in r.text and "cons@8" in r.text and "by category" in r.text, r.text
    q = s.requests[0]
    assert q["model"] == "fake" and q["temperature"] == 0.6 and q["top_p"] == 0.95 and q["max_tokens"] == 32768 and len(q["messages"]) == 1
    assert q["messages"][0]["content"] == "What is 0 + 0?\n\nPlease reason step by step, and put your final answer within \\boxed{}."
    assert len({(q["messages"][0]["content"], q["seed"]) for q in s.requests}) == 48
    got, summary = lines("a"), load("a", "summary.json")
    assert [(x["id"], x["sample"]) for x in got] == [(f"s{i}", k) for i in range(6) for k in range(8)]
    assert all(x["verdict"] == (x["seed"] % 4 != 0) for x in got)
    assert got[0]["reasoning_content"] == "let me see" and got[0]["reasoning_tokens"] == 5 and got[0]["gold"] == "0" and got[0]["category"] == "low"
    t = summary["tasks"][0]
    assert abs(t["pass_at_1"]["value"] - sum(x["verdict"] for x in got) / 48) < 1e-12 and t["cons_at_k"]["value"] == 1
    assert summary["complete"] and summary["tokens"] == {"prompt": 1440, "completion": 576, "reasoning": 240, "all_told": True}
    assert abs(summary["cost"]["total"] - (1440 + 2 * 576) / 1e6) < 1e-12
    for name in ("run.json", "samples.jsonl", "summary.json"):
        assert os.path.getsize(os.path.join(folder("a"), name)), name


@test
def failures_of_a_server_are_tried_again():
    seen = {}
    def answer(q, n):
        key = (q["messages"][0]["content"], q["seed"])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1 and n % 3 == 0:
            return 429, {"Retry-After": "1"}, b'{"error":{"message":"slow down"}}'
        if seen[key] == 1 and n % 3 == 1:
            return None
        if seen[key] == 1:
            return 503, {}, b"busy"
        return {"content": f"\\boxed{{{right(q)}}}"}
    with Server(answer) as s:
        r = r1("eval", sums(3), "--url", s.url + "/v1", "--out", folder("again"), "--samples", 1, "--parallel", 3)
    assert len(s.requests) == 6 and all(n == 2 for n in seen.values())
    assert all(x["verdict"] == 1 for x in lines("again"))
    assert b"slow down; trying again" in r.err, r.err


@test
def a_server_names_the_limit_of_tokens():
    def answer(q, n):
        if "max_tokens" in q:
            return 400, {}, b'{"error":{"message":"Unsupported parameter: max_tokens. Use max_completion_tokens instead."}}'
        return {"content": f"\\boxed{{{right(q)}}}"} if q["max_completion_tokens"] == 99 else None
    with Server(answer) as s:
        r1("eval", sums(3), "--url", s.url, "--out", folder("named"), "--samples", 2, "--max-tokens", 99, "--parallel", 3)
    assert 7 <= len(s.requests) <= 9 and all(x["verdict"] == 1 for x in lines("named"))


@test
def questions_that_fail_are_asked_again_by_the_next_run():
    broken = True
    def answer(q, n):
        if broken and "What is 1" in q["messages"][0]["content"]:
            return 400, {}, b'{"error":{"message":"this one is not for me"}}'
        if broken and "What is 2" in q["messages"][0]["content"]:
            return 200, {}, b"no JSON"
        if broken and "What is 3" in q["messages"][0]["content"]:
            return 500, {"x-should-retry": "false"}, b'{"error":{"message":"never"}}'
        return {"content": f"<think>\nhm\n</think>\n\n\\boxed{{{right(q)}}}"}
    with Server(answer) as s:
        args = ["eval", sums(), "--url", s.url, "--out", folder("part"), "--samples", 2]
        r = r1(*args, code=1)
        assert b"6 of 12 samples failed" in r.err, r.err
        bad = [x for x in lines("part") if "error" in x]
        assert {x["id"] for x in bad} == {"s1", "s2", "s3"} and len(bad) == 6
        assert any("this one is not for me" in x["error"] for x in bad) and any("wrong JSON" in x["error"] for x in bad)
        assert not load("part", "summary.json")["complete"]
        broken, before = False, len(s.requests)
        r1(*args)
        assert len(s.requests) - before == 6
        got = lines("part")
        assert len(got) == 12 and all(x["verdict"] == 1 and x["reasoning_content"] == "hm" for x in got)
        r1(*args)
        assert len(s.requests) - before == 6 # nothing is left to ask


@test
def hopeless_servers_end_the_run():
    with Server(lambda q, n: {"content": "x"}, key="secret") as s:
        args = ["eval", sums(), "--url", s.url, "--out", folder("key")]
        fails(3, "401", "wrong key", args=args)
        fails(3, "401", "wrong key", args=args + ["--model-name", "fake"])
        key = tmp("key.txt", "secret\n")
        r1(*args, "--api-key-file", key)
        with open(os.path.join(folder("key"), "run.json"), encoding="utf-8") as f:
            assert "secret" not in f.read()
        assert not s.requests or all("secret" not in json.dumps(q) for q in s.requests)
    with Server(lambda q, n: (404, {}, b'{"error":{"message":"model \'m\' not found"}}')) as s:
        fails(3, "404", "not found", args=["eval", sums(), "--url", s.url, "--model-name", "m", "--out", folder("gone")])
        assert len(s.requests) <= 8
    with Server(lambda q, n: {"content": "x"}, models=("a", "b")) as s:
        fails(2, "2 models", '"a","b"', args=["eval", sums(), "--url", s.url, "--out", folder("two")])
    with Server(lambda q, n: (400, {}, b'{"error":{"message":"bad temperature"}}')) as s:
        fails(3, "questions failed", "bad temperature", args=["eval", sums(30), "--url", s.url, "--out", folder("bad"), "-q"])
        assert len(s.requests) < 60
    fails(3, "http://127.0.0.1:9/v1/models", args=["eval", sums(), "--url", "http://127.0.0.1:9", "--out", folder("no")])
    fails(2, "http://HOST:PORT", args=["eval", sums(), "--url", "127.0.0.1:9", "--out", folder("no")])


@test
def slow_and_endless_replies_are_errors():
    go = threading.Event()
    def answer(q, n):
        if "What is 0" in q["messages"][0]["content"]:
            go.wait(10)
        if "What is 1" in q["messages"][0]["content"]:
            return 200, {}, b" " * (65 << 20)
        return {"content": f"\\boxed{{{right(q)}}}"}
    with Server(answer) as s:
        r = r1("eval", sums(3), "--url", s.url, "--out", folder("slow"), "--samples", 1, "--timeout", 2, "--tries", 2, code=1)
        go.set()
    got = {x["id"]: x for x in lines("slow")}
    assert "timed out" in got["s0"]["error"] and "several tries" in got["s0"]["error"] and "longer than 67108864 bytes" in got["s1"]["error"] and got["s2"]["verdict"] == 1, got
    assert len([q for q in s.requests if "What is 0" in q["messages"][0]["content"]]) == 2 and b"2 of 3 samples failed" in r.err


@test
def a_killed_run_of_a_server_goes_on():
    go = threading.Event()
    def answer(q, n):
        if n >= 10:
            go.wait(30)
        return {"content": f"\\boxed{{{right(q)}}}"}
    with Server(answer) as s:
        args = ["eval", sums(), "--url", s.url, "--out", folder("kill"), "--samples", 4, "--parallel", 4]
        p = subprocess.Popen([R1, *map(str, args)], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        path = os.path.join(folder("kill"), "samples.jsonl")
        while time.monotonic() < until and (not os.path.exists(path) or len(lines("kill")) < 10):
            time.sleep(0.02)
        p.send_signal(signal.SIGKILL)
        p.wait()
        with open(path, "ab") as f:
            f.write(b'{"task":"sums","id":"s0"')
        go.set()
        before = len(s.requests)
        r = r1(*args)
        assert b"24 bytes were cut off" in r.err and b"10 of 24 samples are in" in r.err, r.err
        assert len(s.requests) - before == 14
    assert len(lines("kill")) == 24 and load("kill", "summary.json")["tasks"][0]["pass_at_1"]["value"] == 1


@test
def ctrl_c_keeps_what_is_finished():
    go = threading.Event()
    def answer(q, n):
        if n >= 5:
            go.wait(30)
        return {"content": f"\\boxed{{{right(q)}}}"}
    with Server(answer) as s:
        args = ["eval", sums(), "--url", s.url, "--out", folder("stop"), "--samples", 2, "--parallel", 2]
        p = subprocess.Popen([R1, *map(str, args)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while time.monotonic() < until and len(s.requests) < 7:
            time.sleep(0.02)
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        go.set()
        assert p.returncode == 130, (p.returncode, err)
        assert b"stopped with 5 of 12 samples; the same command goes on from there" in err, err
        assert b"5 of 12 samples are there" in out, out
        r1("eval", "--resume", "--out", folder("stop"))
        assert len(lines("stop")) == 12


@test
def a_full_disk_keeps_what_is_finished():
    with Server(lambda q, n: {"content": f"\\boxed{{{right(q)}}}"}) as s:
        args = [R1, "eval", sums(), "--url", s.url, "--out", folder("full"), "--samples", "8", "-q"]
        p = subprocess.run(args, env=environment(), capture_output=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)))
        assert p.returncode == 4 and b"samples.jsonl': File too large" in p.stderr, p.stderr
        kept, asked = len(lines("full")), len(s.requests)
        assert 5 < kept < 20
        r1(*args[1:])
        assert len(lines("full")) == 48 and len(s.requests) - asked == 48 - kept


# ---- local models ----

@test
def a_killed_local_run_ends_as_an_undisturbed_one():
    args = ["eval", sums(8), *TINY, "--samples", 3, "--max-tokens", 60, "--parallel", 5]
    r1(*args, "--out", folder("whole"))
    want, kills = result("whole"), 0
    path = os.path.join(folder("broken"), "samples.jsonl")
    for stop_at in (1, 5, 9, 14, 20):
        p = subprocess.Popen([R1, *map(str, args), "--out", folder("broken"), "--threads", "1"], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while p.poll() is None:
            if os.path.exists(path):
                with open(path, "rb") as f:
                    if f.read().count(b"\n") >= stop_at:
                        p.send_signal(signal.SIGKILL)
                        kills += 1
                        break
            time.sleep(0.001)
        p.wait()
    r1("eval", "--resume", "--out", folder("broken"), "--parallel", 2)
    assert result("broken") == want
    assert kills >= 1
    got = lines("whole")
    assert [(x["id"], x["sample"]) for x in got] == [(f"s{i}", k) for i in range(8) for k in range(3)]
    assert all(1 <= x["completion_tokens"] <= 60 for x in got) and len({x["content"] for x in got}) > 3
    assert load("whole", "run.json")["model"]["sha256"]


@test
def another_command_is_refused_by_name():
    args = ["eval", sums(2), *TINY, "--samples", 1, "--max-tokens", 8, "--out", folder("same")]
    r1(*args)
    fails(2, "holds another run", "its options.temperature is 0.6, now it is 0.7", args=args + ["--temperature", "0.7", "-q"])
    fails(2, "tasks[0].samples is 1, now it is 2", args=args + ["--samples", "2", "-q"])
    fails(2, "options.seed is 0, now it is 5", args=args + ["--seed", "5", "-q"])
    other = [a if a != TINY[1] else model("llama") for a in args]
    r1(*other) # the run is complete: no model is opened
    sums(3)
    fails(2, "tasks[0].items is 2, now it is 3", args=args + ["-q"])
    fails(3, "no run.json", args=["eval", "--resume", "--out", folder("nothing")])
    fails(2, "--resume needs --out", args=["eval", "--resume"])


@test
def another_model_is_refused():
    args = ["eval", sums(2), "--samples", 1, "--max-tokens", 8, "--out", folder("model")]
    r1(*args, *TINY)
    os.truncate(os.path.join(folder("model"), "samples.jsonl"), 0)
    fails(2, "its model.", args=args + ["--model", model("llama"), *TINY[2:], "-q"])


@test
def prompts_longer_than_the_context_are_wrong_and_told():
    path = jsonl("long.jsonl", [{"id": "long", "problem": "word " * 400, "answer": "1"}, {"id": "short", "problem": "hi", "answer": "1"}])
    r = r1("eval", path, *TINY, "--samples", 1, "--out", folder("long"))
    assert b"longer than the context" in r.err and b"context of 256 tokens" in r.err, r.err
    a, b = lines("long")
    assert a["reason"] == "prompt_too_long" and a["verdict"] == 0 and b["completion_tokens"] > 0


@test
def a_real_model_is_measured():
    r = r1("eval", sums(2), "--model", real(), "--samples", 2, "--max-tokens", 80, "--out", folder("real"), "--json")
    assert r.json["complete"] and r.json["tasks"][0]["samples_done"] == 4 and r.json["timings"]["sample_seconds"] > 0


@test
def several_tasks_find_their_files_again():
    data = os.path.join(TMP.name, "several")
    os.makedirs(data, exist_ok=True)
    for name in ("gsm8k", "svamp"):
        with open(os.path.join(data, name + ".jsonl"), "w", encoding="utf-8") as f:
            f.write(json.dumps({"problem": "What is 1 + 1?", "answer": "2"}) + "\n")
    r1("eval", "gsm8k", "svamp", "--data", data, *TINY, "--max-tokens", 8, "--samples", 1, "--out", folder("both"))
    os.truncate(os.path.join(folder("both"), "samples.jsonl"), 0)
    r1("eval", "--resume", "--out", folder("both"))
    assert [x["task"] for x in lines("both")] == ["gsm8k", "svamp"]
    r1("eval", "regrade", folder("both"))


# ---- kinds of tasks ----

@test
def choices_and_countdown_and_templates():
    quiz = jsonl("quiz.jsonl", [{"id": f"q{i}", "problem": "Which is a fruit?", "answer": "apple", "incorrect": ["stone", "iron", "glass"]} for i in range(12)])
    def choose(q, n):
        letter = re.search(r"^([A-D])\) apple$", q["messages"][0]["content"], re.M).group(1)
        return {"content": f"So it is \\boxed{{{letter}}}"}
    with Server(choose) as s:
        r1("eval", "gpqa", "--data", quiz, "--url", s.url, "--out", folder("quiz"), "--samples", 2)
    got = lines("quiz")
    assert all(x["verdict"] == 1 for x in got) and len({x["gold"] for x in got}) >= 3
    count = jsonl("count.jsonl", [{"id": "c", "problem": "Use 2, 3, 4 to make 14.", "nums": [2, 3, 4], "target": 14}])
    said = iter(["<answer>2+3*4</answer>", "<answer>2*7</answer>", "<answer>(2+3)*4</answer>"])
    with Server(lambda q, n: {"content": next(said)}) as s:
        r1("eval", "countdown", "--data", count, "--url", s.url, "--out", folder("count"), "--samples", 3, "--parallel", 1)
    assert [x["verdict"] for x in lines("count")] == [1, 0, 0]
    with Server(lambda q, n: {"content": "\\boxed{0}"}) as s:
        r1("eval", sums(1), "--url", s.url, "--out", folder("mine"), "--samples", 1, "--prompt-template", "@" + tmp("t", "{{{category}}} {problem} Box it."))
        assert s.requests[0]["messages"][0]["content"] == "{low} What is 0 + 0? Box it."
        fails(3, "{nothing}", "s0", args=["eval", sums(1), "--url", s.url, "--out", folder("none"), "--prompt-template", "{nothing}"])


@test
def code_runs_in_the_sandbox():
    human = jsonl("human.jsonl", [{"id": f"H/{i}", "problem": f"def f(x):\n    \"\"\" Add {i}. \"\"\"\n", "entry_point": "f", "test": f"def check(c):\n    assert c(1) == {i + 1}\n"} for i in range(6)])
    programs = jsonl("programs.jsonl", [{"id": f"{i}A", "problem": f"Print {i} times the input.", "language": "python", "rating": 800 + 400 * i, "tests": [{"stdin": "2\n", "stdout": f"{2 * i}\n"}]}
                                        for i in range(3)])
    def answer(q, n):
        number = int(re.search(r"(?:Add|Print) (\d+)", q["messages"][0]["content"]).group(1))
        if "Print" in q["messages"][0]["content"]:
            return {"content": f"```python\nprint({number} * int(input()) {'' if number < 2 else '+ 1'})\n```"}
        body = "return x + %d" % number if number != 4 else "while True: pass" if q["seed"] % 2 else "return x"
        return {"content": f"Here.\n```python\ndef f(x):\n    {body}\n```\n"}
    with Server(answer) as s:
        try:
            r1("eval", "humaneval", "--data", human, "--url", s.url, "--out", folder("human"), "--samples", 2)
        except AssertionError as e:
            raise Skip("no sandbox here") if "ended with 5" in str(e) else e
        r = r1("eval", "codeforces", "--data", programs, "--url", s.url, "--out", folder("programs"), "--samples", 2)
    got = lines("human")
    assert [x["verdict"] for x in got] == [1] * 8 + [0] * 2 + [1] * 2, [(x["id"], x["reason"]) for x in got]
    assert {x["reason"] for x in got} == {"pass", "time_limit", "wrong_answer"}
    t = load("programs", "summary.json")["tasks"][0]
    assert t["rating"]["problems"] == 3 and 1200 < t["rating"]["value"] < 1600 and "rating" in r.text and t["cons_at_k"] is None


@test
def answers_are_judged_again():
    with Server(lambda q, n: {"content": f"\\boxed{{{right(q)}}}"}) as s:
        r1("eval", sums(), "--url", s.url, "--out", folder("judged"), "--samples", 2)
    want = result("judged")
    path = os.path.join(folder("judged"), "samples.jsonl")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f: # as if an older checker had known less
        f.write(text.replace('"verdict":1', '"verdict":0', 5).replace('"extracted":"0"', '"extracted":null'))
    r = r1("eval", "regrade", folder("judged"))
    assert b"5 of 12 verdicts are others" in r.err, r.err
    again = result("judged")
    assert again == want and "100.00 %" in r.text
    fails(3, "no run.json", args=["eval", "regrade", TMP.name])
    fails(2, "one run", args=["eval", "regrade"])


@test
def patches_become_predictions():
    path = jsonl("swe.jsonl", [{"instance_id": "a__b-1", "problem_statement": "It breaks."}, {"instance_id": "a__b-2", "problem_statement": "Too."}])
    def answer(q, n):
        return {"content": "Here:\n```diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n```\n"} if "breaks" in q["messages"][0]["content"] else {"content": "I do not know."}
    with Server(answer) as s:
        r1("eval", "swebench", "--data", path, "--url", s.url, "--out", folder("swe"))
    a, b = lines("swe", "predictions.jsonl")
    assert a == {"instance_id": "a__b-1", "model_name_or_path": "fake", "model_patch": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"} and b["model_patch"] == ""
    assert [x["verdict"] for x in lines("swe")] == [None, None]


# ---- compare, list, usage ----

@test
def two_runs_are_compared():
    with Server(lambda q, n: {"content": f"\\boxed{{{right(q) if q['seed'] % 3 else 'x'}}}"}) as s:
        r1("eval", sums(), "--url", s.url, "--out", folder("one"), "--samples", 6)
    with Server(lambda q, n: {"content": f"\\boxed{{{right(q)}}}"}) as s:
        r1("eval", sums(), "--url", s.url, "--out", folder("two"), "--samples", 6, "--temperature", 1)
    v = r1("eval", "compare", folder("one"), folder("two"), "--json").json
    t = v["tasks"][0]
    assert t["items"] == 6 and t["b"] == 1 and t["difference"] < 0 and t["ci95"][1] < 0 and t["b_better"] == 6 and t["p_sign"] < 0.04
    assert any("temperature" in w for w in v["warnings"])
    r = r1("eval", "compare", folder("one"), folder("two"))
    assert "A - B" in r.text and b"careful" in r.err
    fails(2, "two folders", args=["eval", "compare", folder("one")])
    fails(3, "no run.json", args=["eval", "compare", folder("one"), TMP.name])


@test
def the_list_and_where_files_are():
    data = os.path.join(TMP.name, "data", "r1", "eval")
    os.makedirs(data, exist_ok=True)
    with open(os.path.join(data, "gsm8k.jsonl"), "w", encoding="utf-8") as f:
        f.write('{"problem": "1+1", "answer": "2"}\n')
    text = r1("eval", "list").text
    assert re.search(r"^gsm8k +math +4 +\S+/gsm8k.jsonl$", text, re.M) and re.search(r"^aime +math +64 +not here", text, re.M), text
    table = {x["task"]: x for x in r1("eval", "list", "--json").json}
    assert table["gsm8k"]["file"].endswith("gsm8k.jsonl") and table["gpqa"]["file"] is None and table["gpqa"]["samples"] == 64
    fails(3, "svamp", "looked for", data, "problem, answer", args=["eval", "svamp", *TINY])
    r1("eval", "gsm8k", *TINY, "--max-tokens", 4, "--samples", 1, "--out", folder("listed"))


@test
def nothing_is_made_of_wrong_data():
    human = jsonl("human.jsonl", [{"task_id": "h/0", "problem": "def f(x):\n", "entry_point": "f", "test": "def check(f):\n    assert f(1) == 1\n"}])
    fails(3, "task mbpp, item 'h/0'", "{tests}", args=["eval", "mbpp", "--data", human, *TINY, "--out", folder("refused")])
    slow = jsonl("slow.jsonl", [{"problem": "p", "entry_point": "f", "test": "def check(f):\n    assert f(1) == 1\n", "time_limit_s": "x"}])
    fails(3, "task humaneval", "item '1'", "'time_limit_s'", args=["eval", "humaneval", "--data", slow, *TINY, "--out", folder("refused")])
    assert not os.path.exists(folder("refused"))


@test
def one_problem_has_no_error_of_problems():
    with Server(lambda q, n: {"content": "\\boxed{%s}" % right(q)}) as s:
        r = r1("eval", sums(1), "--url", s.url, "--out", folder("single"), "--samples", 2)
    assert "pass@1" in r.text and "nan" not in r.text and "of problems" not in r.text, r.text


@test
def wrong_usage():
    fails(2, "needs a TASK", args=["eval"])
    fails(2, "--model MODEL or --url URL", args=["eval", sums()])
    fails(2, "'gsm8'", "gsm8k", args=["eval", "gsm8", *TINY])
    fails(2, "both given", args=["eval", sums(), *TINY, "--url", "http://h"])
    fails(2, "split=test", args=["eval", sums(), *TINY, "--where", "split"])
    fails(3, "none of 2 lines is an item with category=no", args=["eval", sums(2), *TINY, "--where", "category=no"])
    fails(2, "given twice", args=["eval", sums(), sums(), *TINY])
    fails(2, "--data", "gsm8k and svamp", "a folder", args=["eval", "gsm8k", "svamp", "--data", sums(), *TINY])
    fails(3, "line 1: 'answer'", args=["eval", jsonl("bad.jsonl", [{"problem": "x"}]), *TINY])


if __name__ == "__main__":
    main()
