"""r1 bench from the outside: the fixed fields, and relations between numbers that hold on any machine. No test looks at a time."""
import csv
import io
import signal
import subprocess
import time

from harness import R1, environment, fails, main, model, r1, test

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


@test
def wrong_options_are_named():
    fails(2, "--prefill is '0'", "1 to", args=["bench", LLAMA, "--prefill", "0"])
    fails(2, "--decode is '4,'", args=["bench", LLAMA, "--decode", "4,"])
    fails(2, "--batch names 1025", args=["bench", LLAMA, "--batch", "1025"])
    fails(2, "--repeat is '0'", args=["bench", LLAMA, "--repeat", "0"])
    fails(2, "--csv", "--json", args=["bench", LLAMA, "--csv", "--json"])
    fails(3, "nothing-here", args=["bench", "/nothing-here"])


@test
def it_can_be_interrupted():
    p = subprocess.Popen([R1, "bench", GGUF, "--decode", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    time.sleep(1)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 130 and not out and b"interrupted" in err, (p.returncode, out, err)


main()
