"""r1 batch from the outside: order, bits, errors of single lines, pipes, interruptions, and what is there after a kill."""
import json
import os
import pty
import random
import select
import signal
import subprocess
import time

from harness import R1, TMP, environment, fails, main, model, r1, read, real, test, tmp

GGUF = model("llama_256", "llama_256.Q8_0.gguf")
HOW = ("--template", "smollm2", "-n", "20", "--threads", "2")


def lines(requests):
    return "".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) + "\n" for r in requests)


def answers(data):
    assert data.endswith(b"\n") or not data, data[-100:]
    return [json.loads(line) for line in data.decode().splitlines()]


def questions(n, **more):
    words = ["cat", "dog", "tree", "ship", "a rather longer question about the sea and what lives in it"]
    return [dict({"id": f"q{i}", "prompt": f"{words[i % 5]} {i}", "max_tokens": 3 + i * 7 % 40}, **more) for i in range(n)]


@test
def answers_come_in_order_and_are_those_of_run():
    requests = questions(40)
    for i, r in enumerate(requests):
        r.update([{}, {"temperature": 0}, {"top_p": 0.5, "seed": 5}, {"top_k": 4, "min_p": 0.1}, {"repetition_penalty": 1.2, "penalty_window": -1},
                  {"logit_bias": {"65": 5.5}}, {"stop": ["a", "e"]}, {"think_budget": 0}][i % 8])
    requests[3]["messages"] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": requests[3].pop("prompt")}]
    got = answers(r1("batch", GGUF, *HOW, stdin=lines(requests)).out)
    assert [a["id"] for a in got] == [r["id"] for r in requests]
    for i in (0, 1, 2, 5, 6, 39):
        a, r = got[i], requests[i]
        options = []
        for k, v in r.items():
            if k == "logit_bias":
                options += [f"--logit-bias={t}={b}" for t, b in v.items()]
            elif k == "stop":
                options += [f"--stop={s}" for s in v]
            elif k not in ("id", "prompt", "messages", "seed"):
                options += [f"--{k.replace('_', '-')}={v}"]
        one = r1("run", GGUF, r["prompt"], "--json", *HOW, *options, "--seed", a["seed"]).json
        assert (a["content"], a["reasoning_content"], a["finish_reason"]) == (one["content"], one["reasoning_content"], one["finish_reason"]), (i, a, one)
        for k in ("prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details"):
            assert a["usage"][k] == one["usage"][k], (i, a, one)
    assert got[2]["seed"] == 5 and len({a["seed"] for a in got}) > 30 and {a["finish_reason"] for a in got} <= {"stop", "length"}


@test
def nothing_changes_the_bytes():
    text = lines(questions(50))
    want = r1("batch", GGUF, *HOW, stdin=text).out
    path = tmp("q.jsonl", text)
    for more in (["--parallel", "1"], ["--parallel", "7", "--chunk", "5"], ["--threads", "1"], ["--speculate", "4"], ["--speculate", "off"]):
        assert r1("batch", GGUF, path, *HOW, *more).out == want, more
    out = tmp("a.jsonl")
    r1("batch", GGUF, path, *HOW, "--out", out)
    assert read(out) == want
    assert r1("batch", GGUF, path, *HOW, "--seed", "1").out != want
    assert sorted(want.splitlines()) == sorted(r1("batch", GGUF, *HOW, stdin=lines(reversed(questions(50)))).out.splitlines())


@test
def wrong_lines_get_their_error_and_the_others_go_on():
    good = {"prompt": "hi", "max_tokens": 2}
    requests = [dict(good, id=1), "{broken\n", dict(good), dict(good, id=2, n=2), "\n  \n", dict(good, id=3, temperature="x"), dict(good, id=1), dict(good, id=4, prompt="a" * 5000),
                dict(good, id=5, logit_bias={"99999": 1}), {"id": 6, "messages": [{"role": "nobody", "content": "x"}]}, dict(good, id="1"), b"\xff\xfe\n".decode("latin-1"), dict(good, id=7)]
    p = r1("batch", GGUF, *HOW, "--ctx", "256", stdin=lines(requests))
    got = answers(p.out)
    assert [a["id"] for a in got] == [1, None, None, 2, 3, None, 4, 5, 6, "1", None, 7], got
    assert ["error" in a for a in got] == [False, True, True, True, True, True, True, True, True, False, True, False], got
    for i, words in {1: ["JSON"], 2: ["'id'"], 3: ["'n'", "top_p"], 4: ["'temperature'"], 5: ["id 1", "line 1"], 6: ["256"], 7: ["'logit_bias' names token 99999", "0 to "], 8: ["nobody"]}.items():
        for w in words:
            assert w in got[i]["error"]["message"], (i, got[i])
    assert got[1]["line"] == 2 and got[5]["line"] == 8 and got[6]["error"]["type"] == "too_long" and got[3]["error"]["type"] == "invalid_request"
    assert set(got[3]) == {"id", "error"} and b"3 answers and 9 errors" in p.err, p.err


@test
def usage_that_is_wrong():
    out = tmp("kept.jsonl", '{"id":1}\n')
    q = tmp("one.jsonl", lines(questions(1)))
    fails(2, "kept.jsonl", "--resume", "--force", args=["batch", GGUF, q, *HOW, "--out", out])
    fails(2, "--resume", "--out", args=["batch", GGUF, q, "--resume"])
    fails(2, "--force", args=["batch", GGUF, q, "--resume", "--force", "--out", out])
    fails(2, "one.jsonl", "read", args=["batch", GGUF, q, "--force", "--out", q])
    fails(2, "llama_256", "is the source", args=["batch", GGUF, q, "--force", "--out", GGUF])
    fails(3, "nothing.jsonl", args=["batch", GGUF, "nothing.jsonl"])
    fails(2, "'smolm2'", "did you mean 'smollm2'", args=["batch", GGUF, q, "--template", "smolm2"])
    fails(3, "letter.txt", "line 1", args=["batch", GGUF, q, "--resume", "--out", tmp("letter.txt", "Dear friend,\nhow are you?\n")])
    fails(3, "twice.jsonl", "line 2", "line 1, too", args=["batch", GGUF, q, "--resume", "--out", tmp("twice.jsonl", '{"id":1}\n{"id":1}\n')])
    fresh = tmp("fresh.jsonl")
    fails(3, "nothing.gguf", args=["batch", "nothing.gguf", q, "--out", fresh])
    assert read(out) == b'{"id":1}\n' and read(os.path.join(TMP.name, "letter.txt")).startswith(b"Dear") and not os.path.exists(fresh)
    assert r1("batch", GGUF, stdin="").out == b""


def start(*args, **more):
    return subprocess.Popen([R1, "batch", *args], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def until_larger(out, than, p):
    end = time.time() + 60
    while (os.path.getsize(out) if os.path.exists(out) else 0) <= than:
        if p.poll() is not None:
            return
        assert time.time() < end, "no answer in a minute"
        time.sleep(0.001)


@test
def a_killed_run_goes_on_and_gives_the_same_file():
    requests = questions(400)
    requests[7] = "{no json\n"
    requests[300] = dict(requests[5])
    requests[301] = dict(requests[301], n=1)
    path, whole, out = tmp("many.jsonl", lines(requests)), tmp("whole.jsonl"), tmp("killed.jsonl")
    r1("batch", GGUF, path, *HOW, "--out", whole)
    kills = 0
    for i in range(60):
        p = start(GGUF, path, *HOW, "--out", out, "--resume")
        until_larger(out, os.path.getsize(out) if os.path.exists(out) else 0, p)
        time.sleep(random.random() * 0.02)
        p.kill()
        kills += p.wait() == -signal.SIGKILL
        p.communicate()
        if i % 2 and read(out).count(b"\n") > 1:  # a power failure may leave half a line, too
            os.truncate(out, os.path.getsize(out) - random.randrange(1, 60))
        if kills == 6:
            break
    assert kills >= 3, kills
    p = r1("batch", GGUF, path, *HOW, "--out", out, "--resume")
    assert read(out) == read(whole) and b"were there before" in p.err, p.err
    before = os.stat(out)
    r1("batch", GGUF, path, *HOW, "--out", out, "--resume")
    assert os.stat(out).st_mtime_ns == before.st_mtime_ns and read(out) == read(whole)


@test
def an_interrupted_run_ends_with_130_and_whole_lines():
    path, out = tmp("many.jsonl", lines(questions(300))), tmp("stopped.jsonl")
    whole = r1("batch", GGUF, path, *HOW).out
    p = start(GGUF, path, *HOW, "--out", out)
    until_larger(out, 0, p)
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=60)[1]
    assert p.returncode == 130 and b"interrupted" in err and b"--resume" in err, (p.returncode, err)
    assert read(out).endswith(b"\n") and whole.startswith(read(out)) and len(read(out)) < len(whole)
    r1("batch", GGUF, path, *HOW, "--out", out, "--resume")
    assert read(out) == whole


@test
def a_second_writer_is_refused():
    out = tmp("locked.jsonl")
    p = start(GGUF, "-", *HOW, "--out", out, stdin=subprocess.PIPE)
    p.stdin.write(lines(questions(1)).encode())
    p.stdin.flush()
    until_larger(out, 0, p)
    fails(3, "locked.jsonl", "another process", args=["batch", GGUF, tmp("one.jsonl", lines(questions(1))), "--out", out, "--resume"])
    p.stdin.close()
    p.stdin = None
    p.communicate(timeout=60)
    assert p.returncode == 0 and len(answers(read(out))) == 1


@test
def a_pipe_gets_answers_while_it_is_open():
    p = start(GGUF, *HOW, stdin=subprocess.PIPE)
    for r in questions(5):
        p.stdin.write(lines([r]).encode())
        p.stdin.flush()
        assert select.select([p.stdout], [], [], 60)[0], "no answer in a minute"
        assert json.loads(p.stdout.readline())["id"] == r["id"]
    p.stdin.write(json.dumps({"id": "last", "prompt": "x", "max_tokens": 1}).encode())  # without a line end
    p.stdin.close()
    assert json.loads(p.stdout.readline())["id"] == "last" and p.wait(60) == 0
    p.stdout.close()
    p.stderr.close()


@test
def a_terminal_sees_how_far_it_is():
    path = tmp("long.jsonl", lines([dict(r, max_tokens=400, ignore_eos=True) for r in questions(4000)]))
    main_end, end = pty.openpty()
    p = subprocess.Popen([R1, "batch", GGUF, path, *HOW, "--out", tmp("seen.jsonl")], env=environment(TERM="xterm"), stdout=subprocess.DEVNULL, stderr=end)
    os.close(end)
    seen = b""
    while p.poll() is None or select.select([main_end], [], [], 0)[0]:
        if select.select([main_end], [], [], 0.1)[0]:
            try:
                seen += os.read(main_end, 65536)
            except OSError:
                break
    os.close(main_end)
    assert p.wait() == 0 and b" of 4000 answered, " in seen and b" tokens/s [" in seen and b" left" in seen, seen[-500:]


@test
def a_real_model_gives_each_what_it_gets_alone():
    path = real()
    requests = [{"id": i, "prompt": f"Count from {i} to {i + 20}.", "max_tokens": 48, "temperature": i % 3 / 2} for i in range(12)]
    text = lines(requests)
    want = r1("batch", path, stdin=text).out
    assert want == r1("batch", path, "--parallel", "1", "--threads", "1", stdin=text).out
    a = answers(want)[5]
    one = r1("run", path, requests[5]["prompt"], "--json", "-n", "48", "--temperature", "1", "--seed", a["seed"]).json
    assert a["content"] == one["content"] and len(a["content"]) > 10


main()
