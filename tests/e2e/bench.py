"""r1 bench from the outside: the fixed fields, and relations between numbers that hold on any machine. No test looks at a time."""
import csv
import importlib.util
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import HERE, R1, TESTS, TMP, Skip, environment, fails, main, model, r1, read, test, tmp

LLAMA = model("llama")
GGUF = model("llama_256", "llama_256.Q8_0.gguf")
V3 = model("deepseek_v3")


def sane(t):
    assert 0 < t["min"] <= t["tokens_per_s"] <= t["max"], t


@test
def fixed_fields():
    v = r1("bench", GGUF, "--prefill", "8,16", "--decode", "3", "--batch", "1,4", "--depth", "0,20", "--repeat", "3", "--threads", "2", "--json").json
    assert {"machine", "cpu_level", "threads", "model", "tests", "roof"} <= set(v), v
    assert v["threads"] == 2 and v["model"] == GGUF and v["roof"] is None and v["machine"] and v["cpu_level"] in ("scalar", "avx2", "avx512", "amx", "neon")
    have = [(t["name"], t["tokens"], t["batch"], t["depth"]) for t in v["tests"]]
    assert have == [(n, k, b, d) for d in (0, 20) for n, k, b in (("prefill", 8, 1), ("prefill", 16, 1), ("decode", 3, 1), ("decode", 3, 4))], have
    for t in v["tests"]:
        sane(t)
        assert t["repeats"] == 3 and ("weights_gb_s" in t) == (t["name"] == "decode" and t["batch"] == 1), t


@test
def naming_one_test_leaves_the_other_out():
    assert r1("bench", LLAMA, "--decode", "1", "--repeat", "1", "--json").json["kv"] == "f32" and r1("bench", LLAMA, "--decode", "1", "--repeat", "1", "--kv", "q8_0", "--json").json["kv"] == "q8_0"
    assert r1("bench", "--sampler", "--repeat", "1", "--json").json["kv"] is None
    names = lambda *a: {(t["name"], t["tokens"], t["batch"]) for t in r1("bench", LLAMA, "--repeat", "1", "--json", *a).json["tests"]}
    assert names("--prefill", "4") == {("prefill", 4, 1)}
    assert names("--decode", "4") == {("decode", 4, 1)}
    assert names("--batch", "2") == {("decode", 64, 2)}
    assert names() == {("prefill", 512, 1), ("decode", 64, 1)}


@test
def implied_bandwidth_is_weights_times_speed():
    """Every weight but the embedding is read once a token; the file is F32, so its bytes are known."""
    v = r1("bench", LLAMA, "--decode", "4", "--repeat", "1", "--json").json["tests"][0]
    shown = r1("show", LLAMA, "--json").json
    matrices = sum(t["bytes"] for t in shown["tensors"] if len(t["shape"]) == 2 and "embed_tokens" not in t["name"])
    assert abs(v["weights_gb_s"] / (1e-9 * matrices * v["tokens_per_s"]) - 1) < 1e-6, (v, matrices)


@test
def latent_attention_and_experts_too():
    for t in r1("bench", V3, "--prefill", "9", "--decode", "3", "--batch", "1,3", "--repeat", "2", "--json").json["tests"]:
        sane(t)


@test
def csv_holds_the_same_table():
    rows = list(csv.DictReader(io.StringIO(r1("bench", GGUF, "--prefill", "8", "--decode", "2", "--batch", "1,2", "--repeat", "2", "--csv").text)))
    assert [(r["test"], r["tokens"], r["batch"], r["depth"], r["unit"]) for r in rows] == [
        ("prefill", "8", "1", "0", "tokens/s"), ("decode", "2", "1", "0", "tokens/s"), ("decode", "2", "2", "0", "tokens/s")], rows
    assert all(0 < float(r["min"]) <= float(r["median"]) <= float(r["max"]) for r in rows), rows


def between(v, lo, hi):
    assert lo < v["min"] <= v["median"] <= v["max"] < hi, v


@test
def the_roof_is_above_what_is_below_it():
    """A thread of the scalar level multiplies more slowly than one with vectors; bounds no machine of this century leaves."""
    v = r1("bench", "--roof", "--repeat", "3", "--json").json
    roof = v["roof"]
    assert v["tests"] == [] and v["model"] is None and 0.1 < roof["read_gb_s"] < 1e4 and roof["read_bytes"] >= 64 << 20, v
    for name, unit in (("read", "read_gb_s"), ("int8", "int8_gops"), ("bf16", "bf16_gflops")):
        between(roof[name], 0, 1e7)
        assert roof[name]["median"] == roof[unit]
    scalar = r1("bench", "--roof", "--repeat", "1", "--json", "--cpu", "scalar").json["roof"]
    if v["cpu_level"] != "scalar":
        assert scalar["int8_gops"] < roof["int8_gops"] and scalar["int8_instruction"] != roof["int8_instruction"], (scalar, roof)


@test
def decode_is_told_as_a_share_of_memory():
    t, u = r1("bench", GGUF, "--decode", "3", "--batch", "1,2", "--roof", "--repeat", "2", "--json").json["tests"]
    between(t["share_of_read"], 0, 1e3)
    assert "share_of_read" not in u, u


@test
def products_of_every_type():
    v = r1("bench", "--products", "--repeat", "1", "--json").json
    types = [p["type"] for p in v["products"]]
    assert {"Q4_0", "Q8_0", "Q4_K", "Q6_K", "BF16"} <= set(types) and all(types.count(t) == 3 for t in types), types
    for p in v["products"]:
        assert p["unit"] == ("GB/s" if p["columns"] == 1 else "GOPS") and p["speed"] > 0, p
        between(p["share"], 0, 100)
        assert ("share_with_rounding" in p) == (p["columns"] > 1), p
        if p["columns"] > 1: between(p["share_with_rounding"], 0, 100)
    assert v["roof"]["read_gb_s"] > 0


@test
def load_tokenizer_and_sampler():
    v = r1("bench", LLAMA, "--load", "--tokenizer", "--sampler", "--repeat", "2", "--json").json
    load = v["load"]
    assert v["tests"] == [] and 0 < load["min"] <= load["first_token_s"] <= load["max"] and load["first_token_s"] < load["model_s"] + load["engine_s"] + load["first_step_s"] + 1, v
    assert v["tokenizer"]["mb_per_s"] > 0 and len(v["sampler"]) == 6 and all(0 < s["min"] <= s["us_per_token"] <= s["max"] for s in v["sampler"]), v
    assert "load to first token" in r1("bench", LLAMA, "--load", "--repeat", "1").text


@test
def csv_tells_everything():
    text = r1("bench", LLAMA, "--load", "--tokenizer", "--sampler", "--roof", "--decode", "2", "--repeat", "1", "--csv").text
    rows = list(csv.reader(io.StringIO(text)))
    assert all(len(r) == 16 for r in rows), rows
    assert all(r[12] == LLAMA and int(r[13]) > 0 and r[14] and r[15] for r in rows[1:]) and float(rows[-1][8]) > 0 and float(rows[-1][9]) > 0, rows
    assert {"decode", "roof read", "roof int8", "roof bf16", "load", "tokenizer", "sampler, greedy"} <= {r[0] for r in rows}, rows


@test
def wrong_options_are_named():
    fails(2, "MODEL", "--roof", args=["bench"])
    fails(2, "prefill and decode need MODEL", args=["bench", "--roof", "--decode", "4"])
    fails(2, "--load needs MODEL", args=["bench", "--load"])
    fails(2, "--tokenizer needs MODEL", args=["bench", "--tokenizer"])
    fails(2, "--prefill is '0'", "1 to", args=["bench", LLAMA, "--prefill", "0"])
    fails(2, "--decode is '4,'", args=["bench", LLAMA, "--decode", "4,"])
    fails(2, "--batch names 1025", args=["bench", LLAMA, "--batch", "1025"])
    fails(2, "--repeat is '0'", args=["bench", LLAMA, "--repeat", "0"])
    fails(2, "--csv", "--json", args=["bench", LLAMA, "--csv", "--json"])
    os.makedirs(os.path.join(TMP.name, "c/r1"), exist_ok=True)
    tmp("c/r1/config.json", '{"bench": {"csv": true}}')
    for env in ({"XDG_CONFIG_HOME": os.path.join(TMP.name, "c")}, {"R1_CSV": "1"}):  # the line wins
        assert r1("bench", LLAMA, "--decode", "1", "--repeat", "1", "--json", env=env).json["tests"], env
        assert r1("bench", LLAMA, "--decode", "1", "--repeat", "1", env=env).out.startswith(b"test,"), env
    assert r1("bench", LLAMA, "--decode", "1", "--repeat", "1", "--csv", env={"R1_JSON": "1"}).out.startswith(b"test,")
    fails(2, "--csv", "--json", args=["bench", LLAMA], env={"R1_CSV": "1", "R1_JSON": "1"})
    fails(2, "--batch is 'x'", "such as 1,8", args=["bench", LLAMA, "--batch", "x"])
    fails(3, "12 tokens", "room for 4", args=["bench", LLAMA, "--ctx", "4", "--depth", "4", "--prefill", "8"])
    for form in ("absorbed", "expanded"):
        for args in (["bench", LLAMA, "--prefill", "8"], ["bench", LLAMA, "--load"]):
            fails(2, "--mla", "llama", args=[*args, "--mla", form])
    for more in ([], ["--csv"], ["--load"], ["--tokenizer"], ["--sampler", "--decode", "4"], ["--roof", "--csv"]):
        assert fails(3, "nothing-here", args=["bench", "/nothing-here", *more]).out == b""


@test
def memory_for_the_largest_batch_is_looked_at_before_anything_is_computed():
    start = time.monotonic()
    r = fails(4, "1024 sequences of 1000001 tokens need", "MiB is available", "--batch", "--depth", args=["bench", LLAMA, "--batch", "2,1024", "--depth", "0,1000000", "--decode", "1", "--quiet"])
    assert r.out == b"" and b"--ctx" not in r.err and time.monotonic() - start < 60
    need = [float(re.search(rb"need ([\d.]+) MiB", fails(4, args=["bench", LLAMA, "--batch", n, "--depth", "1000000", "--decode", "1", "--quiet"]).err).group(1)) for n in ("512", "1024")]
    assert abs(need[1] / need[0] - 2) < 1e-6, need


@test
def tables_fit_80_columns():
    text = r1("bench", GGUF, "--prefill", "8,512", "--decode", "4", "--batch", "1,32", "--depth", "0,256", "--load", "--tokenizer", "--sampler", "--roof", "--repeat", "2").text
    lines = text.split("\n")
    assert lines[0] == GGUF and re.fullmatch(r"cpu \w+, \d+ threads?; median of 2 \(smallest to largest\)", lines[2]), lines[:3]
    assert len(lines) > 25 and all(len(x) <= 80 for x in lines[2:]), [x for x in lines[2:] if len(x) > 80]


@test
def csv_of_a_name_that_is_no_utf8_is_utf8():
    name = os.fsencode(tmp("x")) + b"\xff\xfe \"q\".gguf"
    shutil.copy(GGUF, name)
    rows = list(csv.DictReader(io.StringIO(r1("bench", name, "--decode", "1", "--repeat", "1", "--csv").out.decode())))
    told = r1("bench", name, "--decode", "1", "--repeat", "1", "--json").json["model"]
    assert [r["model"] for r in rows] == [told] and told.endswith('\ufffd\ufffd "q".gguf'), (rows, told)


def on_terminal(*command, timeout=300):
    """What a program writes on a terminal of 80 columns that is its standard error, and on standard output, a pipe."""
    near, far = pty.openpty()
    p = subprocess.Popen(["sh", "-c", "stty cols 80 <&2; exec \"$@\"", "sh", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=far, env=environment(TERM="xterm"))
    os.close(far)
    told = b""
    try:
        while piece := os.read(near, 4096):
            told += piece
    except OSError:  # the other end is closed
        pass
    os.close(near)
    out = p.communicate(timeout=timeout)[0]
    assert p.returncode == 0, (p.returncode, told[-300:])
    return told.decode(), out.decode()


@test
def progress_moves_through_the_prompt_of_a_depth():
    told, out = on_terminal(R1, "bench", GGUF, "--decode", "1", "--depth", "6000", "--repeat", "1", "--cpu", "scalar", "--threads", "1")
    parts = [int(x) for x in re.findall(r"decode 1, batch 1, depth 6000 \[[=> ]{24}\] +(\d+)%", told)]
    assert len(set(parts)) > 5 and parts == sorted(parts) and parts[0] < 50 < parts[-1], (parts, told)
    assert " left" in told and told.endswith("\r\033[K") and "%" not in out, (told[-200:], out)
    assert all(len(x) < 80 for x in re.split("\r|\033.K", told) if not x.startswith("r1: ")), told


@test
def progress_says_which_probe_or_product_is_measured():
    told, _ = on_terminal(R1, "bench", "--roof", "--repeat", "1")
    assert [x for x in re.findall(r"\r(roof, [\w ]+?) \[", told)] == ["roof, memory to read", "roof, memory read", "roof, int8", "roof, bf16"], told
    told, out = on_terminal(R1, "bench", "--products", "--repeat", "1")
    for line in re.findall(r"^(\w+) +(\d+) +(\d+) +(\d+) +[\d.]+ G", out, re.M):
        assert "\rproduct {}, {} x {} x {} [".format(*line) in told, (line, told)
    assert all(len(x) < 80 for x in re.split("\r|\033.K", told) if not x.startswith("r1: ")), told
    assert r1("bench", "--roof", "--repeat", "1").err == b""


@test
def it_can_be_interrupted():
    p = subprocess.Popen([R1, "bench", GGUF, "--decode", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 130 and out.count(b"\n") == 3 and b"; median of 5" in out and b"interrupted" in err, (p.returncode, out, err)


@test
def what_is_finished_stays():
    for form in ("", "--csv", "--json"):
        p = subprocess.Popen([R1, "bench", GGUF, "--sampler", "--prefill", "4", "--decode", "2,1000000", "--repeat", "1", *([form] if form else [])], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment())
        lines = []
        if form != "--json":  # rows come while it runs
            while not lines or not lines[-1].startswith((b"decode,2,", b"decode       2 ")):
                lines.append(p.stdout.readline())
                assert lines[-1], lines
        else:
            time.sleep(2)
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=20)
        assert p.returncode == 130 and b"interrupted" in err, (p.returncode, out, err)
        if form == "--json":
            v = json.loads(out)
            assert v["interrupted"] and len(v["sampler"]) == 6 and [(t["name"], t["tokens"]) for t in v["tests"]] == [("prefill", 4), ("decode", 2)], v
        assert not any(x.rstrip(b"\n") != x.rstrip() for x in lines), lines


# ---- bench/compare.sh, beside programs that print known numbers ----

COMPARE = os.path.join(os.path.dirname(TESTS), "bench", "compare.sh")


def rival(name, speed, depth, programs=("llama-bench", "llama-batched-bench", "llama-sweep-bench")):
    """A folder of programs that claim 10^9 tokens per second in prefill and 0.001 in decode, times `speed`."""
    folder = os.path.join(TMP.name, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    shutil.copy(os.path.join(HERE, "fake_llama_bench.py"), os.path.join(folder, "fake"))
    for p in programs:
        path = os.path.join(folder, p)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!/usr/bin/env python3\nimport os, sys\nos.environ.update(SPEED='{speed}', DEPTH='{depth}', LOG='{folder}/log')\n"
                    f"exec(compile(open('{folder}/fake').read(), 'fake', 'exec'))\n")
        os.chmod(path, 0o755)
    return folder


def compare(*args, code=0):
    out = os.path.join(TMP.name, "compare.json")
    p = subprocess.run([COMPARE, "--r1", R1, "--model", GGUF, "--json", out, *args], capture_output=True, text=True, env=environment(), check=False)
    assert p.returncode == code, (p.returncode, p.stderr)
    rounds = json.load(open(out, encoding="utf-8")) if code == 0 else []
    return p.stdout, p.stderr, rounds


def ratio(text, work):
    m = re.search(rf"^{re.escape(work)}\n(?:  .*\n)*?  r1 / best rival +(\S+) \((\S+) to (\S+)\)$", text, re.M)
    assert m, (work, text)
    return [float(x) for x in m.groups()]


@test
def compare_takes_the_best_rival_of_each_round():
    slow, fast = rival("slow", 1, 1), rival("fast", 1e9, 0)
    text, told, rounds = compare("--rival", f"a={slow}", "--rival", f"b={fast},-rtr 1,-rtr", "--prefill", "8", "--decode", "4", "--depth", "0,16", "--batch", "2,3",
                                 "--batch-tokens", "4", "--rounds", "3")
    good = [r for r in rounds if r["counts"]]
    assert len(good) == 3 or len(rounds) == len(good) + 3, rounds  # on a busy machine it gives up
    assert ("should be relied on" in told) == (not good), (told, rounds)
    for r in rounds:
        have = {n: sorted((w["work"], w["tokens"], w["batch"], w["depth"]) for w in v) for n, v in r["values"].items()}
        assert set(have) == {"r1", "a", "b"} and have["r1"] == have["a"] == have["b"] and len(have["r1"]) == 6, have
        assert all(w["value"] > 0 for w in r["values"]["r1"])
    # b claims 10^18 and 10^6 tokens per second, which no r1 reaches; a is never the best
    for work in ("prefill 8", "prefill 8, depth 16"):
        assert ratio(text, work)[2] < 1, text
    assert ratio(text, "decode 4, 3 sequences")[2] < 1, text
    log = open(os.path.join(fast, "log"), encoding="utf-8").read()
    assert "llama-bench -m" in log and "-rtr 1\n" in log and re.search(r"llama-sweep-bench .*-c 24 .*--sweep-stride 2 .*-rtr\n", log), log
    assert re.search(r"llama-batched-bench .*-npl 2,3 -rtr\n", log) and "-fa 1" in log, log
    assert "-d 0,16" in open(os.path.join(slow, "log"), encoding="utf-8").read()


@test
def compare_computes_medians_and_ratios():
    """Decode of 0.001 tokens per second: the ratio is a thousand times our speed, round by round."""
    slow = rival("slow", 1, 1)
    text, _, rounds = compare("--rival", f"a={slow}/llama-bench", "--decode", "4", "--rounds", "3", "--markdown", "-")
    counted = [r for r in rounds if r["counts"]] or rounds
    ours = sorted(r["values"]["r1"][0]["value"] for r in counted)
    middle = ours[len(ours) // 2] if len(ours) % 2 else sum(ours[len(ours) // 2 - 1:len(ours) // 2 + 1]) / 2
    got = ratio(text, "decode 4")
    assert all(abs(g / (1000 * w) - 1) < 1e-3 for g, w in zip(got, (middle, ours[0], ours[-1]))), (got, ours)
    assert f"| decode 4 | {middle:.1f} ({ours[0]:.1f} to {ours[-1]:.1f}) | 0.0 (0.0 to 0.0) |" in text, text
    assert "version" not in text.split("a: ")[1].split("\n")[0] and "1.2.3 (fake)" in text and "load average" in text, text


@test
def compare_on_a_busy_machine_and_from_the_start():
    slow = rival("slow", 1, 1)
    text, _, rounds = compare("--rival", f"a={slow}", "--decode", "4", "--rounds", "1", "--hog")
    own = {n: v[0]["value"] for n, v in rounds[0]["values"].items()}
    assert f"r1 / r1, 1 thread        {own['r1'] / own['r1, 1 thread']:.2f} (" in text, (text, own)
    assert set(rounds[0]["values"]) == {"r1", "r1, 1 thread", "a"} and ratio(text, "decode 4, busy machine")[0] > 1, text
    text, _, rounds = compare("--rival", f"a={slow}", "--rounds", "1", "--start")
    seconds = {n: v[0]["value"] for n, v in rounds[0]["values"].items()}
    assert abs(ratio(text, "start to first token, s")[0] / (seconds["a"] / seconds["r1"]) - 1) < 0.02, (text, seconds)
    assert "-n 1 -r 1 --no-warmup" in open(os.path.join(slow, "log"), encoding="utf-8").read().split("\n")[-3]


@test
def compare_says_what_ran_and_on_what():
    slow, cpu = rival("slow", 1, 1), str(min(os.sched_getaffinity(0)))
    text, told, rounds = compare("--rival", f"a={slow},-ctk q8_0", "--decode", "4", "--rounds", "1", "--pin", cpu, "--threads", "1")
    shown = r1("show", GGUF, "--json").json
    assert f"mostly Q8_0, {shown['bits_per_weight']:.2f} bits per weight; 1 threads, pinned to CPUs {cpu}, -fa 1" in text, text
    assert re.search(r"^r1: .*, keys and values f(16|32)$", text, re.M) and re.search(r"^a: 1.2.3 \(fake\), keys and values q8_0; options '-ctk q8_0'$", text, re.M), text
    assert all(0 <= r["steal"] <= 1 for r in rounds) and re.search(r"round . of 1, .*steal [\d.]+ %", told), (rounds, told)
    log = open(os.path.join(slow, "log"), encoding="utf-8").read()
    assert f"CPUs {cpu}\n" in log, log
    assert "there are" in compare("--decode", "4", "--pin", "0,4000", code=1)[1] and "wait for each other" in compare("--decode", "4", "--pin", cpu, "--threads", "2", code=1)[1]


@test
def compare_knows_what_a_nameless_build_is():
    nameless = rival("nameless", 1, 1)
    path = os.path.join(nameless, "fake")
    with open(path, encoding="utf-8") as f:
        text = f.read().replace('"version: 1.2.3 (fake)"', '"error: invalid parameter for argument: --version"').replace('"abc"', '"unknown"')
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    run = lambda: compare("--rival", f"a={nameless}", "--decode", "4", "--rounds", "1")[0].split("\na: ")[1].split("\n")[0]
    assert re.match(r"no version known, file of 2\d\d\d-\d\d-\d\d, SHA-256 [0-9a-f]{16}", run()), run()
    source = os.path.join(TMP.name, "source")
    shutil.rmtree(source, ignore_errors=True)
    git = lambda *a: subprocess.run(["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@b", *a], check=True, capture_output=True, text=True).stdout.strip()
    os.mkdir(source)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    with open(os.path.join(TMP.name, "CMakeCache.txt"), "w", encoding="utf-8") as f:
        f.write(f"CMAKE_HOME_DIRECTORY:INTERNAL={source}\n")
    assert run().startswith("built from commit " + git("log", "-1", "--format=%h of %cs")), run()
    os.remove(os.path.join(TMP.name, "CMakeCache.txt"))


@test
def compare_drops_rounds_that_others_disturb():
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("compare", os.path.join(os.path.dirname(COMPARE), "compare.py")))
    spec.loader.exec_module(module)
    why = lambda probes, steal, others=None: module.why_unsteady(module.Round({}, probes, 0.0, steal, others))
    assert why((10, 9), 0.01, 0.04) == why((10, None), None) == "" and "memory" in why((10, 7.9), 0.01) and "other machines" in why((10, 10), 0.06)
    assert why((10, 10), 0.01, 0.432) == "other programs took 43 % of the processors", why((10, 10), 0.01, 0.432)
    times = module.Times
    assert module.shares(times(1000, 10, 300, 5), times(1100, 17, 350, 45)) == (0.07, 0.1) and module.shares(times(0, 0, 0, 0), times(10, 0, 5, 6)) == (0, 0)
    assert module.shares(None, times(1, 1, 1, 1)) == module.shares(times(5, 1, 1, 1), times(5, 1, 1, 1)) == (None, None)
    cpus, hz = sorted(os.sched_getaffinity(0)), os.sysconf("SC_CLK_TCK")
    stat = tmp("stat", f"cpu  9 9 9 9 9 9 9 9 0 0\ncpu4000 7 7 7 7 7 7 7 7 0 0\n" + "".join(f"cpu{i} {hz} {2 * hz} {3 * hz} {4 * hz} {5 * hz} {6 * hz} {7 * hz} {8 * hz} 0 0\n" for i in cpus) + "intr 1 2\n")
    assert module.processor_time(stat)[:3] == tuple(len(cpus) * x for x in (36, 8, 19)), module.processor_time(stat)
    assert module.processor_time(tmp("stat", "cpu  1 2 3 4 5 6 7 8 0 0\n"))[:3] == (36 / hz, 8 / hz, 19 / hz)
    assert module.processor_time("/nowhere") is None and module.processor_time(tmp("stat", "cpu  1 2 3\n")) is None and module.processor_time(tmp("stat", "")) is None
    before = module.own_time()
    with module.hog(True):  # is ours, as the programs that are measured
        time.sleep(1)
    assert module.own_time() - before > 0.03, module.own_time() - before
    assert module.processors("0-2,5") == {0, 1, 2, 5}


@test
def compare_says_what_is_missing():
    only = rival("only", 1, 0, ["llama-bench"])
    _, said, rounds = compare("--rival", f"a={only}", "--decode", "4", "--depth", "0,16", "--batch", "2", "--rounds", "1")
    assert "no llama-sweep-bench" in said and "no llama-batched-bench" in said and len(rounds[0]["values"]["a"]) == 1, (said, rounds)
    assert "'/nowhere/llama-bench' is not there" in compare("--rival", "a=/nowhere/llama-bench", code=1)[1]
    assert "expected NAME=PATH" in compare("--rival", "nothing", code=1)[1]
    broken = rival("broken", "x", 1)
    assert "ended with 1" in compare("--rival", f"a={broken}", "--decode", "4", code=1)[1]


@test
def compare_does_not_count_rounds_beside_other_programs():
    if not os.path.exists("/proc/stat"):
        raise Skip("this system does not tell what other programs take")
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    try:
        text, told, rounds = compare("--rival", f"a={rival('slow', 1, 1)}", "--decode", "4", "--rounds", "1", "--hog")
    finally:
        for p in burners:
            p.kill()
            p.wait()
    assert not rounds[0]["counts"] and 0.2 < rounds[0]["others"] <= 1, rounds
    assert re.search(r"round 0 of 1, .*: does not count, (other programs took \d\d %|other machines took|the memory)", told) and "0 rounds that count, 1 that do not" in text, (told, text)
    text, told, rounds = compare("--rival", f"a={rival('slow', 1, 1)}", "--decode", "4", "--rounds", "1")
    assert ("other programs" in text) == rounds[0]["counts"] and "other programs" in told, (text, told)


@test
def compare_refuses_in_one_line():
    def refused(code, *words, args):
        p = subprocess.run([COMPARE, "--r1", R1, "--model", GGUF, *args], capture_output=True, text=True, env=environment(), check=False)
        assert p.returncode == code and p.stdout == "" and p.stderr.startswith("compare: ") and p.stderr.count("\n") == 1, (args, p.returncode, p.stderr)
        assert all(w in p.stderr for w in words), (words, p.stderr)
    refused(1, "'/bin/true' is no r1", args=["--r1", "/bin/true"])
    refused(1, "'/bin/true' is no r1", args=["--r1", "/bin/true", "--start"])
    shutil.copy(GGUF, tmp("program"))
    os.chmod(tmp_path := os.path.join(TMP.name, "program"), 0o755)
    refused(1, "cannot run", args=["--r1", tmp_path])
    refused(1, "'/bin/true' printed something else", args=["--rival", "a=/bin/true", "--decode", "4"])
    for option in ("--rounds", "--threads", "--prefill", "--decode", "--batch", "--batch-tokens"):
        for value in ("0", "-1", "x", ""):
            refused(2, option, f"'{value}'", "at least 1", args=[f"{option}={value}"])
    refused(2, "--depth", "'-4'", "at least 0", args=["--depth", "-4"])
    refused(2, "--decode", "'4,0'", args=["--decode", "4,0"])
    refused(2, "--pin", "'3-1'", args=["--pin", "3-1"])
    refused(2, "--nothing", args=["--nothing"])


@test
def compare_can_be_interrupted():
    def begin(folder, *args):
        p = subprocess.Popen([COMPARE, "--r1", R1, "--model", GGUF, "--rival", f"a={folder}", "--decode", "4", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment(), start_new_session=True)
        return p
    def end(p):
        os.killpg(p.pid, signal.SIGINT)  # as a terminal does
        out, err = p.communicate(timeout=60)
        assert p.returncode == 130 and "Traceback" not in err, (p.returncode, err)
        return out, err
    p = begin(rival("slow", 1, 1), "--rounds", "1000", "--hog", "--json", tmp("stopped.json"))
    first = p.stderr.readline()
    out, err = end(p)
    assert first.startswith("compare: round ") and "compare: interrupted after " in err and ratio(out, "decode 4, busy machine")[0] > 0, (first, out, err)
    assert json.loads(read(os.path.join(TMP.name, "stopped.json")))[0]["values"]["a"]
    stuck = rival("stuck", 1, 1)
    with open(os.path.join(stuck, "fake"), "a", encoding="utf-8") as f:
        f.write("\nopen(os.environ['LOG'] + '.begun', 'w').close()\nimport time\ntime.sleep(100)\n")
    p = begin(stuck)
    while not os.path.exists(os.path.join(stuck, "log.begun")):
        assert p.poll() is None
        time.sleep(0.1)
    assert end(p) == ("", "compare: interrupted before a round was finished\n")


@test
def compare_tells_on_a_terminal_what_it_measures():
    slow = rival("slow", 1, 1)
    command = [COMPARE, "--r1", R1, "--model", GGUF, "--rival", f"a={slow}", "--decode", "4", "--rounds", "1"]
    told, out = on_terminal(*command)
    for name in ("r1", "a"):
        assert re.search(rf"\rround 1 of 1, program [12] of 2: {name}\033\[K", told), told
    assert "\033[Kcompare: round" in told and "\r" not in out, (told, out)
    assert "program" not in re.sub("other programs", "", subprocess.run(command, capture_output=True, text=True, env=environment(), check=True).stderr)


main()
