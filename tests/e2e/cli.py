"""Every command from the outside: what scripts rely on, on tiny models and, where it was fetched, on a real one."""
import array
import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import HERE, MODELS, R1, TESTS, TMP, Skip, close, environment, expected, fails, main, matrices, model, npy, r1, read, real, safetensors, test, tmp

COMMANDS = ["run", "batch", "show", "tokenize", "detokenize", "template", "generate", "logits", "perplexity", "bench", "verify", "eval"]
LLAMA = model("llama")
GGUF = model("llama_256", "llama_256.Q8_0.gguf")
V3 = model("deepseek_v3")
F32 = ("--activations", "f32")


def ids_file(name, prompt):
    path = os.path.join(TMP.name, f"{name}.{prompt}.ids")
    with open(path, "w", encoding="ascii") as f:
        f.write(" ".join(map(str, expected(name)["prompts"][prompt])))
    return path


# ---- manners ----

@test
def a_failing_test_is_counted():
    """The planted fault: a harness that cannot fail would prove nothing."""
    code = "import sys; sys.path.insert(0, %r); import harness\n@harness.test\ndef wrong(): harness.fails(3, 'no', args=['help'])\nharness.main()" % HERE
    p = subprocess.run([sys.executable, "-c", code], capture_output=True, env=dict(os.environ, R1=R1), check=False)
    assert p.returncode == 1 and b"0 passed, 1 failed, 0 skipped" in p.stdout, p.stdout


@test
def overview_version_and_help():
    overview = r1().text
    for c in COMMANDS:
        assert re.search(rf"^  {c} +\S", overview, re.M), c
        page = r1("help", c).text
        assert page == r1(c, "--help").text == r1(c, "-h").text
        assert page.startswith(f"r1 {c} - ") and "Exit codes:" in page and "Examples:" in page
    assert "--threads" in r1("help", "r1").text and r1("help", "help").text == r1("help", "r1").text and "  help " in overview
    lines = r1("--version").text.splitlines()
    assert re.fullmatch(r"r1 \d+\.\d+\.\d+", lines[0]), lines
    assert [line.split()[0] for line in lines[1:]] == ["commit", "cpu", "compiler"], lines


@test
def mistyped_names_are_answered():
    fails(2, "'rnu'", "did you mean 'run'", args=["rnu"])
    fails(2, "'serve'", "run, batch, show", args=["serve"])
    fails(2, "'detokenise'", "'detokenize'", args=["help", "detokenise"])
    fails(2, "'--versoin'", "'--version'", args=["--versoin"])
    fails(2, "'--jsn'", "'--json'", args=["show", LLAMA, "--jsn"])
    fails(2, "MODEL", args=["show"])
    fails(2, "'b' is too much", args=["show", "a", "b"])
    for n, told in ((1024, True), (1, False), (0, False)):
        r = r1("show", GGUF, "-t", n)
        assert (r.err.startswith(b"r1: --threads is 1024, but there are ") if told else r.err == b""), (n, r.err)
    fails(2, "--threads is 'many'", "an integer from 0 to 1024", args=["run", "--threads", "many", LLAMA, "x"])
    fails(2, "needs a value", args=["show", LLAMA, "--cpu"])
    fails(2, "'quen'", "there are", args=["run", LLAMA, "hi", "--template", "quen"])
    missing = ["run", "/nothing-here", "hi"]  # all before the model is looked for
    fails(2, "--logit-bias is 'x'", "ID=VALUE", args=[*missing, "--logit-bias", "x"])
    fails(2, "--stop", "1 to 256", args=[*missing, "--stop", ""])
    fails(2, "--stop", "16 times", args=[*missing] + ["--stop", "a"] * 17)
    fails(2, "-s: byte 1 is 0xff", "UTF-8", args=[*missing, "-s", b"a\xff"])
    fails(2, "R1_SYSTEM: byte 0 is 0xff", "UTF-8", args=missing, env={"R1_SYSTEM": os.fsdecode(b"\xff")})
    fails(2, "--temperature is '0x10'", args=[*missing, "--temperature", "0x10"])


@test
def files_that_are_wrong():
    fails(3, "nothing-here", args=["show", "/nothing-here"])
    assert r1("show", tmp("short.gguf", b"GGUF\x03"), code=3).err.count(b"short.gguf") == r1("run", os.path.join(TMP.name, "short.gguf"), "hi", code=3).err.count(b"short.gguf") == 1
    fails(3, "'-' as MODEL", "standard input", args=["run", "-", "hi"])
    fails(3, "/dev/null", "a device", "regular file", args=["show", "/dev/null"])
    fails(3, "short.gguf", args=["show", tmp("short.gguf", b"GGUF\x03")])
    fails(3, "text.gguf", args=["run", tmp("text.gguf", b"just text, no model at all"), "hi"])
    whole = read(GGUF)
    fails(3, "cut.gguf", args=["logits", tmp("cut.gguf", whole[:len(whole) // 2]), "--ids", tmp("one", "1"), "--out", "-"])
    folder = os.path.join(TMP.name, "mamba")
    os.makedirs(folder, exist_ok=True)
    config = json.loads(read(os.path.join(LLAMA, "config.json")))
    config["model_type"] = "mamba"
    tmp("mamba/config.json", json.dumps(config))
    for f in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        tmp("mamba/" + f, read(os.path.join(LLAMA, f)))
    fails(5, "mamba", "llama", args=["logits", folder, "--ids", tmp("one", "1"), "--out", "-"])


@test
def configuration_environment_and_line():
    def settings(text, **env):
        tmp("settings.json", text)
        os.makedirs(os.path.join(TMP.name, "c/r1"), exist_ok=True)
        tmp("c/r1/config.json", text)
        return dict(env, XDG_CONFIG_HOME=os.path.join(TMP.name, "c"))

    one = tmp("one", "5")
    args = ["generate", LLAMA, "--ids", one, "--greedy", "--json"]
    assert len(r1(*args, env=settings('{"max_tokens": 3}')).json["ids"]) <= 3
    assert len(r1(*args, "--ignore-eos", env=settings('{"max-tokens": 3, "generate": {"max-tokens": 4}}')).json["ids"]) == 4
    assert len(r1(*args, "--ignore-eos", env=settings('{"max-tokens": 3}', R1_MAX_TOKENS="5")).json["ids"]) == 5
    assert len(r1(*args, "--ignore-eos", "-n", "6", env=settings('{"max-tokens": 3}', R1_MAX_TOKENS="5")).json["ids"]) == 6
    fails(3, "config.json", "'max-tokns'", "'max-tokens'", args=args, env=settings('{"max-tokns": 3}'))
    fails(3, "config.json", "column 4", args=args, env=settings("{max}"))
    fails(2, "R1_MAX_TOKENS is 'x'", args=args, env=settings("{}", R1_MAX_TOKENS="x"))
    assert b"R1_MAX_TOKEN is no option; did you mean R1_MAX_TOKENS?" in r1(*args, env=settings("{}", R1_MAX_TOKEN="3", R1_NOPE="1")).err
    assert b"R1_NOPE" in r1(*args, "-v", env={"R1_NOPE": "1"}).err and r1(*args, "-q", env={"R1_MAX_TOKEN": "1"}).err == b""


@test
def a_full_disk_is_told_with_what_is_needed():
    os.makedirs(os.path.join(TMP.name, "full"), exist_ok=True)
    ids, room = tmp("many", "5 " * 60), os.path.join(TMP.name, "full")
    p = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=16k none "$1" || exit 99; shift; exec "$@"', "sh", room, R1, "logits", LLAMA, "--ids", ids, "--out", room + "/x.npy"],
                       capture_output=True, env=environment(), check=False)
    if p.returncode == 99 or b"unshare" in p.stderr:
        raise Skip("no file system can be mounted here")
    assert p.returncode == 4 and b"x.npy' needs " in p.stderr and b"of disk" in p.stderr and b"available" in p.stderr, (p.returncode, p.stderr)


@test
def nothing_is_overwritten_and_no_half_file_stays():
    out = tmp("kept.npy", "precious")
    ids = tmp("one", "5")
    fails(2, "kept.npy", "--force", args=["logits", LLAMA, "--ids", ids, "--out", out])
    assert read(out) == b"precious"
    r1("logits", LLAMA, "--ids", ids, "--out", out, "--force")
    assert read(out)[:6] == b"\x93NUMPY"
    fresh = tmp("fresh.npy")
    fails(3, "99999", args=["logits", LLAMA, "--ids", tmp("big", "1 99999"), "--out", fresh])
    assert not [f for f in os.listdir(TMP.name) if f.startswith("fresh")]
    fails(3, "'/nowhere/x.npy':", args=["logits", LLAMA, "--ids", ids, "--out", "/nowhere/x.npy"])
    fails(2, "empty", args=["logits", LLAMA, "--ids", ids, "--out", ""])


@test
def a_full_disk_is_told():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full here")
    ids, answer = tmp("one", "5"), ["run", GGUF, "hi", "-n", "3", *CHATML]
    for args in (["show", GGUF], ["help", "run"], answer, [*answer, "--json"], ["generate", LLAMA, "--ids", ids], ["logits", LLAMA, "--ids", ids, "--out", "-"]):
        with open("/dev/full", "wb") as full:
            p = subprocess.run([R1, *args], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
        assert p.returncode == 4 and b"standard output: No space" in p.stderr, (args, p.returncode, p.stderr)
        p = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", R1, *args], stderr=subprocess.PIPE, env=environment(), check=False)
        assert p.returncode == 1 and b"standard output: Bad file" in p.stderr, (args, p.returncode, p.stderr)
    fails(4, "'/dev/full'", args=["logits", LLAMA, "--ids", ids, "--out", "/dev/full"])


@test
def a_signal_leaves_no_temporary_file():
    ids, out = tmp("long", "1 " * 400), tmp("ended.npy")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        for _ in range(40):  # a tiny model is fast: be there while the file is
            seen = False
            p = subprocess.Popen([R1, "logits", V3, "--ids", ids, "--out", out, "--chunk", "1", "--force"], stderr=subprocess.PIPE, env=environment())
            while p.poll() is None and not seen:
                seen = any(f.startswith("ended.npy.tmp") for f in os.listdir(TMP.name))
            p.send_signal(number)
            p.communicate(timeout=60)
            if seen and p.returncode != 0:
                break
        assert seen and p.returncode in (-number, 130), (number, p.returncode)
        assert not [f for f in os.listdir(TMP.name) if f.startswith("ended.npy.tmp")], number
    tmp("ended.npy")
    small = subprocess.run(["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", R1, "logits", LLAMA, "--ids", ids, "--out", out], stderr=subprocess.PIPE,
                           env=environment(), check=False)
    assert small.returncode == 4 and b"too large" in small.stderr and not os.path.exists(out), (small.returncode, small.stderr)


@test
def a_closed_pipe_ends_quietly():
    for args in (["show", "--json", V3], ["tokenize", LLAMA, "word " * 20000]):
        p = subprocess.Popen([R1, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        p.stdout.read(1)
        p.stdout.close()
        err = p.stderr.read()
        p.wait(60)
        assert err == b"" and p.returncode in (0, -signal.SIGPIPE), (p.returncode, err)


@test
def no_colour_in_pipes_unless_asked():
    a = r1("tokenize", GGUF, "a").text.strip()  # a tiny model may well say ESC: have it say "a"
    answer = ["run", GGUF, "hi", "-n", "4", "--template", "smollm2", "--stats", "--logit-bias", f"{a}=1e9"]
    for args in (["show", GGUF], ["help", "run"], answer):
        r = r1(*args)
        assert b"\033" not in r.out + r.err, args
    r = r1(*answer, "--color", "always")
    assert b"\033[2m" in r.err and b"\033" not in r.out


# ---- show ----

@test
def show_tells_what_the_file_has():
    s = r1("show", "--json", V3).json
    assert s["architecture"] == "deepseek_v3" and s["context_length"] == json.loads(read(V3 + "/config.json"))["max_position_embeddings"]
    header = json.loads(read(V3 + "/model.safetensors")[8:8 + int.from_bytes(read(V3 + "/model.safetensors")[:8], "little")])
    header.pop("__metadata__", None)
    assert {t["name"]: t["shape"] for t in s["tensors"]} == {k: v["shape"] for k, v in header.items()}
    assert all(t["type"] in ("F32", "BF16") and t["bytes"] > 0 for t in s["tensors"])
    config = json.loads(read(V3 + "/config.json"))
    n = {k: 1 for k in header}
    for k, v in header.items():
        for d in v["shape"]:
            n[k] *= d
    mtp = sum(x for k, x in n.items() if k.startswith(f"model.layers.{config['num_hidden_layers']}."))
    total = sum(n.values()) - mtp
    routed = sum(x for k, x in n.items() if ".mlp.experts." in k and not k.startswith(f"model.layers.{config['num_hidden_layers']}."))
    assert mtp > 0 and s["parameters_mtp"] == mtp and s["parameters"] == total
    assert s["parameters_active"] == total - routed + routed * config["num_experts_per_tok"] // config["n_routed_experts"]
    assert s["metadata"] == config


@test
def show_agrees_between_formats():
    a, b = r1("show", "--json", model("llama_256")).json, r1("show", "--json", GGUF).json
    assert a["parameters"] == b["parameters"] == b["parameters_active"] and a["context_length"] == b["context_length"]
    assert 8 < b["bits_per_weight"] < 12 and a["bits_per_weight"] == 32
    assert b["metadata"]["general.architecture"] == "llama" and b["metadata"]["tokenizer.ggml.tokens"]["count"] > 100
    text = r1("show", GGUF).text
    assert "bits per weight" in text and "token_embd.weight" in text and "llama.block_count" in text


@test
def show_a_real_model():
    s = r1("show", "--json", real()).json
    assert s["parameters"] == 134515008 and s["context_length"] == 8192 and len(s["tensors"]) == 272 and s["template"] == "smollm2"


# ---- tokens ----

@test
def tokens_there_and_back():
    text = "Hello, world! Ünï 日本 <|eos|>\n"
    ids = r1("tokenize", LLAMA, stdin=text).text
    assert re.fullmatch(r"\d+( \d+)*\n", ids)
    assert r1("detokenize", LLAMA, stdin=ids).text == text
    assert r1("detokenize", LLAMA, *ids.split()).text == text
    plain = r1("tokenize", LLAMA, "--no-special", stdin=text).text
    assert len(plain.split()) > len(ids.split()) and "1" in ids.split()
    assert r1("detokenize", LLAMA, "--no-special", stdin=ids).text == text.replace("<|eos|>", "")
    assert r1("tokenize", LLAMA, "--bos", "x").text.split()[0] == "0"
    assert r1("tokenize", LLAMA, "a", "b").text == r1("tokenize", LLAMA, "a b").text
    for form in (LLAMA + "/tokenizer.json", model("llama_256"), GGUF):
        assert r1("tokenize", form, stdin="abc").text


@test
def tokens_by_the_line():
    lines = '{"text":"one two"}\n"three\\nfour"\n""\n'
    out = r1("tokenize", LLAMA, "--jsonl", stdin=lines).text.split("\n")
    assert out[:3] == [r1("tokenize", LLAMA, stdin=t).text.rstrip("\n") for t in ("one two", "three\nfour", "")]
    back = r1("detokenize", LLAMA, "--jsonl", stdin="\n".join(out[:3]) + "\n[" + out[0].replace(" ", ",") + "]\n").text.splitlines()
    assert [json.loads(x) for x in back] == ["one two", "three\nfour", "", "one two"]
    fails(3, "line 2", "'text' is an integer", args=["tokenize", LLAMA, "--jsonl"], stdin='"a"\n{"text":1}\n')
    fails(3, "line 1", args=["tokenize", LLAMA, "--jsonl"], stdin="{\n")
    fails(3, "'x'", args=["detokenize", LLAMA, "1", "x"])
    fails(3, "999999", args=["detokenize", LLAMA, "999999"])
    fails(2, "'text' is too much", args=["tokenize", LLAMA, "text", "--jsonl"])


@test
def pieces_join_to_the_text():
    text = 'a "b" \\ ü\n'
    lines = r1("tokenize", LLAMA, "--pieces", stdin=text).text.splitlines()
    raw = b""
    for line in lines:
        i, piece = line.split("\t")
        assert i.isdigit() and piece[0] == piece[-1] == '"'
        raw += re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), piece[1:-1].encode()).replace(b"\\n", b"\n").replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    assert raw.decode() == text, raw


@test
def a_line_is_answered_before_the_next_comes():
    p = subprocess.Popen([R1, "tokenize", LLAMA, "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    for text in ("a", "b c"):
        p.stdin.write(json.dumps(text).encode() + b"\n")
        p.stdin.flush()
        assert p.stdout.readline().strip()
    p.stdin.close()
    assert p.wait(20) == 0


@test
def every_text_of_the_corpus():
    """The golden encodings of the real model's tokenizer, through one pipe."""
    with open(os.path.join(TESTS, "golden/tokenizers/corpus.jsonl"), encoding="utf-8") as f:
        corpus = [json.loads(line) for line in f]
    want = {"all": {}, "none": {}}
    with open(os.path.join(TESTS, "golden/tokenizers/enc_smollm2.tsv"), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                key, variant, ids = line.rstrip("\n").split("\t")
                want.setdefault(variant, {})[key] = ids
    for variant, options in (("all", []), ("none", ["--no-special"])):
        out = r1("tokenize", real(), "--jsonl", *options, stdin="".join(json.dumps({"text": c["text"]}) + "\n" for c in corpus)).text.split("\n")
        for c, got in zip(corpus, out):
            assert got == want[variant].get(c["id"], want["all"][c["id"]]), (c["id"], variant)


# ---- template ----

@test
def every_golden_conversation():
    with open(os.path.join(TESTS, "golden/templates/cases.jsonl"), encoding="utf-8") as f:
        cases = [json.loads(line) for line in f]
    names = r1("template", "--list").text.split()
    assert {c["template"] for c in cases} <= set(names)
    for name in sorted({c["template"] for c in cases}):
        mine = [c for c in cases if c["template"] == name]
        out = r1("template", name, "--jsonl", stdin="".join(json.dumps(c) + "\n" for c in mine)).text.rstrip("\n").split("\n")
        assert len(out) == len(mine), (name, len(out), len(mine))
        for c, line in zip(mine, out):
            got, want = json.loads(line), c["intended"] if "intended" in c else c["expected"]
            if want is None or c.get("refuse"):
                assert isinstance(got, dict) and got["error"], (c["id"], got)
            else:
                assert got == want, (c["id"], got, want)


@test
def a_conversation_as_text_and_ids():
    talk = json.dumps({"messages": [{"role": "user", "content": "Hi <|im_end|>"}], "add_generation_prompt": True, "unknown": 1})
    file = tmp("talk.json", talk)
    text = r1("template", "smollm2", file).text
    assert text == r1("template", "smollm2", stdin=talk).text and text.endswith("<|im_start|>assistant\n")
    ids = r1("template", real(), file, "--ids").json
    assert r1("detokenize", real(), *ids).text == text
    assert ids.count(2) == 2  # of the three <|im_end|> one came from outside (system, user; the user's own is text)
    assert r1("template", real(), file).text == text
    fails(2, "'smol3'", args=["template", LLAMA, file, "--template", "smol3"])
    fails(2, "--ids", args=["template", "smollm2", file, "--ids"])
    fails(2, "no-such", "smollm2", args=["template", "no-such", file])
    fails(3, "role", args=["template", "smollm2"], stdin='{"messages":[{"role":"wizard","content":"x"}]}')


# ---- logits ----

@test
def logits_are_the_golden_ones():
    for name in ("llama", "qwen2", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_fp8"):
        out = tmp("l.npy")
        r1("logits", model(name), "--ids", ids_file(name, "p1"), "--out", out, *F32)
        truth, shape = safetensors(model(name) + "/expected.safetensors", "p1.logits")
        rows = npy(read(out))
        assert [len(rows), len(rows[0])] == shape
        close(rows, truth, expected(name)["bound"]["logit_absolute"])
        last = r1("logits", model(name), "--ids", ids_file(name, "p1"), "--out", "-", "--last", *F32).out
        assert npy(last) == rows[-1:]


@test
def logits_have_the_same_bits_whatever_the_chunk_and_threads():
    ids = ids_file("deepseek_v3", "p2")
    runs = [r1("logits", V3, "--ids", ids, "--out", "-", "--chunk", c, "--threads", t).out for c, t in ((1, 1), (7, 2), (64, 1), (512, 2))]
    assert len(set(runs)) == 1


@test
def hidden_routes_and_mtp():
    ids, truth = ids_file("deepseek_v3", "p1"), V3 + "/expected.safetensors"
    bound = expected("deepseek_v3")["bound"]
    for layer in (0, 1, 2):
        want, shape = safetensors(truth, f"p1.hidden.{layer}")
        rows = npy(r1("logits", V3, "--ids", ids, "--out", "-", "--hidden", layer, *F32).out)
        assert [len(rows), len(rows[0])] == shape
        close(rows, want, bound["hidden_relative_to_max"] * max(map(abs, want)))
    routes = r1("logits", V3, "--ids", ids, "--out", "-", "--router", *F32).json["layers"]
    assert routes
    for r in routes:
        want, shape = safetensors(truth, f"p1.route.{r['layer']}.ids")
        assert [x for row in r["ids"] for x in row] == list(want) and [len(r["ids"]), len(r["ids"][0])] == shape
        close(r["weights"], safetensors(truth, f"p1.route.{r['layer']}.weights")[0], bound["route_weight_absolute"])
    close(npy(r1("logits", V3, "--ids", ids, "--out", "-", "--mtp", *F32).out), safetensors(truth, "p1.mtp.logits")[0], bound["logit_absolute"])
    fails(5, "MTP", args=["logits", LLAMA, "--ids", tmp("two", "1 2"), "--out", "-", "--mtp"])
    fails(5, "routed", args=["logits", LLAMA, "--ids", tmp("two", "1 2"), "--out", "-", "--router"])
    fails(2, "--hidden", args=["logits", LLAMA, "--ids", tmp("two", "1 2"), "--out", "-", "--hidden", "99"])
    fails(2, "exclude", args=["logits", V3, "--ids", ids, "--out", "-", "--mtp", "--router"])


@test
def both_forms_of_latent_attention():
    ids, bound = ids_file("deepseek_v3", "p2"), expected("deepseek_v3")["bound"]["logit_absolute"]
    a, b = (npy(r1("logits", V3, "--ids", ids, "--out", "-", "--mla", form, *F32).out) for form in ("absorbed", "expanded"))
    close(a, [x for row in b for x in row], bound)


@test
def ids_that_are_wrong():
    out = ["--out", "-"]
    fails(2, "--ids", args=["logits", LLAMA, *out])
    fails(2, "--out", args=["logits", LLAMA, "--ids", tmp("one", "1")])
    fails(3, "id 2", "'x'", args=["logits", LLAMA, "--ids", tmp("bad", "1 x"), *out])
    fails(3, "id 2", "'-3'", args=["logits", LLAMA, "--ids", tmp("bad", "1 -3"), *out])
    fails(3, "no ids", args=["logits", LLAMA, "--ids", tmp("empty", " \n"), *out])
    fails(3, "id 1", "320", "0 to 319", args=["logits", LLAMA, "--ids", tmp("bad", "320"), *out])
    fails(3, "600", "512", args=["logits", LLAMA, "--ids", tmp("long", "1 " * 600), *out])
    fails(3, "4", "3", args=["logits", LLAMA, "--ctx", "3", "--ids", tmp("four", "1 2 3 4"), *out])


# ---- generate ----

@test
def greedy_continuations_are_the_golden_ones():
    for name in sorted(n for n in os.listdir(MODELS) if os.path.exists(model(n) + "/expected.json")):
        r = r1("generate", model(name), "--ids", ids_file(name, "p1"), "--greedy", "--max-tokens", "32", "--ignore-eos", "--logprobs", "--json", *F32).json
        assert r["ids"] == expected(name)["greedy_ids"], name
        close([r["logprobs"]], safetensors(model(name) + "/expected.safetensors", "greedy.logprob")[0], expected(name)["bound"]["logprob_absolute"])
        assert r["finish_reason"] == "length"


@test
def a_seed_repeats_itself():
    args = ["generate", LLAMA, "--ids", ids_file("llama", "p1"), "-n", "40", "--temperature", "1", "--top-p", "1", "--json", "--ignore-eos"]
    a, b, c = r1(*args, "--seed", "1").json["ids"], r1(*args, "--seed", "1", "--threads", "1").json["ids"], r1(*args, "--seed", "2").json["ids"]
    assert a == b and a != c and len(a) == 40
    assert r1(*args).json["ids"] != r1(*args).json["ids"]  # without a seed each run has its own
    biased = r1(*args, "--logit-bias", "7=1e9").json["ids"]
    assert biased == [7] * 40
    fails(2, "--logit-bias is '7'", "ID=VALUE", args=args + ["--logit-bias", "7"])
    fails(2, "100000", args=args + ["--logit-bias", "100000=1"])


@test
def guessing_ahead_changes_no_result():
    ids = tmp("repeats", "5 6 7 8 " * 6)
    for more in (["--greedy"], ["--temperature", "1", "--seed", "4"]):
        args = ["generate", LLAMA, "--ids", ids, "-n", "60", "--ignore-eos", "--json", "--logprobs", "--logit-bias", "5=40", "--logit-bias", "6=40", *more]
        off = r1(*args, "--speculate", "off").json
        assert off["timings"]["drafted"] == off["timings"]["accepted"] == 0
        for how in ([], ["--speculate", "auto"], ["--speculate=1"], ["--speculate", "8"]):
            j = r1(*args, *how).json
            assert {k: j[k] for k in ("ids", "text", "logprobs", "finish_reason")} == {k: off[k] for k in ("ids", "text", "logprobs", "finish_reason")}
            assert j["timings"]["accepted"] <= j["timings"]["drafted"]
        assert 0 < j["timings"]["accepted"] < 60
    for wrong in ("9", "-1", "on", ""):
        fails(2, "--speculate", "auto", "off", args=["generate", LLAMA, "--ids", ids, "--speculate", wrong])


@test
def text_and_json_agree():
    args = ["generate", LLAMA, "--ids", ids_file("llama", "p1"), "--greedy", "-n", "24"]
    j = r1(*args, "--json").json
    assert r1(*args).text == j["text"]
    lines = r1(*args, "--logprobs").text.splitlines()
    assert [int(x.split("\t")[0]) for x in lines] == j["ids"] and all(float(x.split("\t")[1]) <= 0 for x in lines)


@test
def generated_text_is_the_decoding_of_all_ids():
    """Special tokens included; the golden texts hold many."""
    n, golden = 0, json.loads(read(os.path.join(TESTS, "golden/real/SmolLM2-135M-Instruct.Q4_1.json")))
    for p in golden["prompts"][:2]:
        args = ["generate", real(), "--ids", tmp("prompt", " ".join(map(str, p["ids"]))), "--greedy", "-n", "64", *F32]
        j = r1(*args, "--ignore-eos", "--json").json
        assert j["text"] == r1("detokenize", real(), *j["ids"]).text == r1(*args, "--ignore-eos").text
        if j["ids"] == p["greedy"]:
            assert j["text"] == p["greedy_text"] and "<|im_end|>" in j["text"]
            n += 1
        short = r1(*args, "--json").json
        assert short["finish_reason"] == "stop" and short["ids"] == j["ids"][:p["greedy_eos_at"] + 1] and j["text"].startswith(short["text"] + "<|im_end|>")
    assert n > 0, "no greedy continuation was the golden one"


@test
def advice_of_the_model_that_is_wrong():
    folder = os.path.join(TMP.name, "advised")
    os.makedirs(folder, exist_ok=True)
    for f in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        tmp("advised/" + f, read(os.path.join(LLAMA, f)))
    args = ["generate", folder, "--ids", tmp("one", "5"), "-n", "3"]
    for text, words in (('{"temperature": "x"}', ("'temperature' is a string", "0 to 100", "--temperature")), ('{"top_p": 3}', ("'top_p' is 3", "0 to 1")),
                        ('{"top_k": -2}', ("'top_k' is -2", "--top-k"))):
        tmp("advised/generation_config.json", text)
        fails(3, "generation_config.json", *words, args=args)
    r1(*args, "--top-k", "0")
    tmp("advised/generation_config.json", '{"temperature": null, "top_k": 5, "max_length": "x"}')
    r1(*args)


@test
def max_tokens_zero_is_what_the_context_leaves():
    j = r1("generate", LLAMA, "--ids", tmp("one", "5"), "-n", "0", "--ignore-eos", "--json").json
    assert len(j["ids"]) == 512 and j["finish_reason"] == "length", len(j["ids"])


@test
def what_a_file_says_cannot_act_on_the_terminal():
    whole = read(GGUF)
    at = whole.index(b"general.architecture") + 20 + 4
    name = whole[at + 8:at + 8 + whole[at]]
    hostile = b"\xc2\x9b2J" + b"x" * len(name)
    for key in (b"general.architecture", b"tokenizer.ggml.pre", b"general.name"):
        k = whole.find(key)
        if k < 0:
            continue
        v = k + len(key) + 4
        n = int.from_bytes(whole[v:v + 8], "little")
        bad = (hostile * 4)[:n] if n < len(hostile) else hostile.ljust(n, b"x")
        r = subprocess.run([R1, "show", tmp("hostile.gguf", whole[:v + 8] + bad + whole[v + 8 + n:])], capture_output=True, env=environment(), check=False)
        assert b"\xc2\x9b" not in r.stdout + r.stderr and b"\033" not in r.stdout + r.stderr, (key, r.stdout[:300], r.stderr)


# ---- perplexity ----

@test
def perplexity_in_one_window_is_the_mean_of_the_golden_numbers():
    golden = json.loads(read(os.path.join(TESTS, "golden/real/SmolLM2-135M-Instruct.Q4_1.json")))["prompts"][0]
    text = tmp("text", golden["text"])
    r = r1("perplexity", real(), text, "--json", *F32).json
    want = -sum(golden["next_logprob"]) / len(golden["next_logprob"])
    assert r["tokens"] == len(golden["ids"]) - 1 and abs(r["nll"] - want) < 1e-3, (r, want)
    assert abs(r["perplexity"] - 2.718281828459045 ** r["nll"]) < 1e-4 and r["stderr"] > 0 and r["kl"] is None


@test
def perplexity_windows_and_divergence():
    text = tmp("text", read(os.path.join(MODELS, "README.md"))[:1500])
    whole = r1("perplexity", LLAMA, text, "--json").json
    n = len(r1("tokenize", LLAMA, "--bos", "--no-special", stdin=read(text)).text.split())
    assert whole["tokens"] == n - 1 and whole["window"] == 512
    assert r1("perplexity", LLAMA, text, "--json", "--window", "50", "--stride", "10").json["tokens"] == n - 1
    assert r1("perplexity", LLAMA, text, "--json", "--window", "50", "--stride", "50").json["tokens"] == n - 1 - (n - 1) // 50
    same = r1("perplexity", GGUF, text, "--json", "--kl", GGUF).json
    assert abs(same["kl"]) < 1e-9 and same["top1_agreement"] == 1 and abs(same["base_perplexity"] - same["perplexity"]) < 1e-6
    other = r1("perplexity", model("llama_256", "llama_256.Q2_K.gguf"), text, "--json", "--kl", model("llama_256", "llama_256.F32.gguf")).json
    assert 0 < other["kl"] < 5 and 0 < other["top1_agreement"] <= 1 and other["kl_stderr"] > 0
    fails(3, "tokens", args=["perplexity", LLAMA, text, "--kl", V3])
    fails(3, "--window is 600", "512", args=["perplexity", LLAMA, text, "--window", "600"])
    fails(3, "--stride is 513", "512", args=["perplexity", LLAMA, text, "--stride", "513"])
    fails(2, "--stride", args=["perplexity", "/nothing-here", text, "--window", "50", "--stride", "51"])
    fails(3, "has 1 token,", args=["perplexity", LLAMA, tmp("none", "")])


@test
def perplexity_of_what_is_no_number_is_an_error_that_names_the_model():
    text, whole = tmp("text", "Some text to read, long enough for a number."), read(model("llama_256", "llama_256.F32.gguf"))
    norm = array.array("f", matrices(model("llama_256", "llama_256.F32.gguf"))["output_norm.weight"][1]).tobytes()
    nan = tmp("nan.gguf", whole.replace(norm, norm[:-4] + b"\0\0\xc0\x7f"))
    for more in ([], ["--json"]):
        assert fails(3, "nan.gguf' computes for token 1", args=["perplexity", nan, text, *more]).out == b""
        assert fails(3, "nan.gguf' computes for token 1", args=["perplexity", GGUF, text, "--kl", nan, *more]).out == b""
        assert fails(3, "nan.gguf' computes for token 1", args=["perplexity", nan, text, "--kl", GGUF, *more]).out == b""


# ---- pack ----

COMMANDS += ["pack"]


@test
def a_packed_file_is_the_same_model():
    ids, packed = tmp("ids", "5 17 200 3 44 9 101 7"), tmp("packed.gguf")
    for source in (GGUF, model("llama_256", "llama_256.Q4_K.gguf"), model("deepseek_v3", "deepseek_v3.Q8_0.mtp.gguf")):
        r = r1("pack", source, packed, "--json", "--force").json
        assert r["destination"] == packed and r["source"] == source and r["written"] and r["relative_error"] == 0 and r["file_bytes"] == os.path.getsize(packed) and r["source_bytes"] == os.path.getsize(source)
        assert 0 < r["packed"] < r["tensors"] == sum(k["tensors"] for k in r["kinds"]) and r["tensor_bytes"] < r["file_bytes"]
        assert abs(r["bits_per_weight"] - r1("show", packed, "--json").json["bits_per_weight"]) < 0.02 and all(k["relative_error"] == 0 for k in r["kinds"])
        for way in ((), F32, ("--cpu", "scalar"), *([("--mla", "expanded")] if "deepseek" in source else []), ("--threads", "1", "--chunk", "3")):
            one, two = (r1("logits", m, "--ids", ids, "--out", "-", *way).out for m in (source, packed))
            assert one == two and len(one) > 1000, (source, way)
        a, b = r1("show", source, "--json").json, r1("show", packed, "--json").json
        assert not a["packed"] and b["packed"] and a["parameters"] == b["parameters"] and a["parameters_active"] == b["parameters_active"]
        kinds = {t["name"]: t["packed"] for t in b["tensors"]}
        assert not kinds["token_embd.weight"] and kinds["blk.0.attn_output.weight"] and b["metadata"]["r1.packed.version"] == 1
        text = r1("show", packed).text
        assert "packed: weights are used where they lie" in text and re.search(r"^  Q\w+ +packed .*attn_output", text, re.M), text
        assert r1("tokenize", packed, "Hello world").text == r1("tokenize", source, "Hello world").text
    mtp = [r1("logits", m, "--ids", ids, "--out", "-", "--mtp").out for m in (model("deepseek_v3", "deepseek_v3.Q8_0.mtp.gguf"), packed)]
    assert mtp[0] == mtp[1]
    assert "of them packed" in r1("pack", GGUF, packed, "-f").text
    assert r1("generate", packed, "--ids", ids, "--greedy", "-n", "8", "--json").json["ids"] == r1("generate", GGUF, "--ids", ids, "--greedy", "-n", "8", "--json").json["ids"]


@test
def what_pack_refuses():
    packed, other = tmp("packed.gguf"), tmp("other.gguf")
    r1("pack", GGUF, packed, "--force")
    os.remove(other) if os.path.exists(other) else None
    fails(2, "exists", "--force", args=["pack", GGUF, packed])
    fails(2, "'-' as DST", args=["pack", GGUF, "-"])
    fails(2, "SRC DST", args=["pack", GGUF])
    fails(5, "is packed already", args=["pack", packed, other])
    fails(5, "is a Hugging Face folder", args=["pack", LLAMA, other])
    fails(5, "nothing to pack", args=["pack", model("llama_256", "llama_256.F16.gguf"), other])
    fails(3, "/nowhere/", args=["pack", GGUF, "/nowhere/x.gguf"])
    b = bytearray(read(packed))
    at = b.index(b"r1.packed.version") + 17 + 4
    b[at] = 7
    fails(5, "version 7, version 1 is supported", "`r1 pack`", args=["show", tmp("seven.gguf", bytes(b))])
    fails(3, "cut short or damaged", args=["show", tmp("cut.gguf", read(packed)[:-70000])])
    assert not os.path.exists(other)


# ---- imatrix ----

COMMANDS += ["imatrix"]


@test
def an_importance_matrix_is_what_llama_cpp_reads():
    text, out = tmp("text", read(os.path.join(MODELS, "README.md"))[:1500]), tmp("im.gguf")
    r = r1("imatrix", GGUF, text, "--out", out, "--chunk", "50", "--json").json
    n = len(r1("tokenize", GGUF, "--bos", "--no-special", stdin=read(text)).text.split())
    assert r["tokens"] == n and r["chunks"] == -(-n // 50) and r["chunk"] == 50 and r["matrices_unmet"] == 0 and r["file_bytes"] == os.path.getsize(out)
    shown = r1("show", GGUF, "--json").json
    assert r["source"] == GGUF and r["destination"] == out and r["written"] and r["source_bytes"] == os.path.getsize(GGUF) and r["relative_error"] is None
    assert abs(r["bits_per_weight"] - shown["bits_per_weight"]) < 0.01 and r["tensors"] == sum(k["tensors"] for k in r["kinds"]) and 4 * r["elements"] < r["tensor_bytes"] < r["file_bytes"]
    meta = r1("show", out, "--json").json["metadata"]
    assert meta == {"general.type": "imatrix", "imatrix.datasets": [text], "imatrix.chunk_count": r["chunks"], "imatrix.chunk_size": 50}, meta
    m = matrices(out)
    assert len(m) == 2 * r["tensors"]
    shape, sums = m["blk.0.attn_q.weight.in_sum2"]
    assert shape == [256, 1] and min(sums) >= 0 < max(sums) and m["blk.0.attn_q.weight.counts"] == ([1, 1], [n])
    assert m["blk.0.attn_q.weight.in_sum2"] == m["blk.0.attn_k.weight.in_sum2"] != m["blk.0.ffn_up.weight.in_sum2"]
    same, packed = tmp("same.gguf"), tmp("packed.gguf")
    r1("pack", GGUF, packed)
    for args in ((GGUF, "--threads", "1"), (packed, "--threads", "2")):
        r1("imatrix", args[0], text, "--out", same, "--chunk", "50", "--force", *args[1:])
        assert read(same) == read(out)
    r = r1("imatrix", GGUF, text, "--out", out, "--chunk", "50", "--max-chunks", "2", "--json", "--force").json
    assert r["tokens"] == 100 and r["chunks"] == 2 and matrices(out)["output.weight.counts"] == ([1, 1], [100])


@test
def experts_have_sums_of_their_own():
    v3, out = model("deepseek_v3", "deepseek_v3.Q8_0.gguf"), tmp("im.gguf")
    p = r1("imatrix", v3, tmp("text", "a b"), "--out", out)
    assert b"met no token" in p.err and b"met no token" not in r1("imatrix", v3, tmp("text", "a b"), "--out", out, "--force", "-q").err
    m = matrices(out)
    shape, counts = next(v for k, v in m.items() if k.endswith("ffn_gate_exps.weight.counts"))
    assert shape[0] == 1 and shape[1] == len(counts) and 0 in counts and max(counts) > 0


@test
def a_folder_has_the_sums_of_its_gguf_file():
    """Under its names, stacks and heads: the same bytes."""
    text, out, gguf, same = tmp("text", "Some text, and some more of it. " * 12), tmp("im.gguf"), tmp("as.gguf"), tmp("same.gguf")
    for name in ("llama", "qwen2_tied", "deepseek_v3", "deepseek_v3_bf16", "deepseek_v2_lite"):
        r1("convert", model(name), gguf, "--force", "-q")
        told = [r1("imatrix", path, text, "--out", to, "--force", "--json", "-q").json for path, to in ((model(name), out), (gguf, same))]
        assert read(out) == read(same) and told[0]["matrices"] == told[1]["matrices"] and told[0]["tensors"] == told[1]["tensors"], name
    m = matrices(out)
    assert sum(1 for x in m if x.endswith("attn_k_b.weight.in_sum2")) == sum(1 for x in m if x.endswith("attn_output.weight.in_sum2")) > 0
    r = r1("quantize", model(name), tmp("q.gguf"), "Q4_0", "--imatrix", out)
    assert b"are not in" not in r.err, r.err


@test
def what_imatrix_refuses():
    text, out = tmp("text", "a b c d e f"), tmp("im.gguf", "precious")
    fails(2, "im.gguf", "--force", args=["imatrix", "/nothing-here", text, "--out", out])
    assert read(out) == b"precious"
    out = tmp("im.gguf")
    fails(2, "'-' as --out", args=["imatrix", GGUF, text, "--out", "-"])
    fails(3, "--chunk is 600", "256", args=["imatrix", GGUF, text, "--out", out, "--chunk", "600"])
    fails(3, "has 1 token,", args=["imatrix", GGUF, tmp("none", ""), "--out", out])
    fails(3, "/nowhere/", args=["imatrix", GGUF, text, "--out", "/nowhere/im.gguf"])
    assert not os.path.exists(out)


# ---- run ----

CHATML = ("--template", "smollm2")


@test
def run_answers_from_argument_and_pipe():
    args = ["--seed", "1", "-n", "12", "--json", *CHATML]
    a = r1("run", GGUF, "Hi there", *args).json
    assert set(a) == {"content", "reasoning_content", "finish_reason", "usage", "timings"}
    assert a["finish_reason"] in ("stop", "length") and a["usage"]["completion_tokens"] <= 12
    assert a["usage"]["total_tokens"] == a["usage"]["prompt_tokens"] + a["usage"]["completion_tokens"]
    for b in (r1("run", GGUF, *args, stdin="Hi there\n").json, r1("run", GGUF, "-", *args, stdin="Hi there").json, r1("run", GGUF, "Hi", "there", *args).json):
        assert b["content"] == a["content"] and b["usage"] == a["usage"]
    text = r1("run", GGUF, "Hi there", "--seed", "1", "-n", "12", *CHATML).text
    assert text == a["content"] if a["content"].endswith("\n") else text.rstrip("\n") == a["content"].rstrip("\n")


@test
def run_says_what_is_wrong():
    fails(3, "empty", args=["run", GGUF, *CHATML])
    fails(3, "0xff", "UTF-8", args=["run", GGUF, *CHATML], stdin=b"a\xff")
    fails(3, "context", "--ctx", args=["run", GGUF, "word " * 900, *CHATML])
    fails(5, "template", args=["run", GGUF, "hi"])
    r = r1("run", GGUF, "hi", *CHATML, "-n", "3", "--logit-bias", "2=-1e9", "--logit-bias", "1=-1e9")
    assert b"--max-tokens" in r.err
    assert r1("run", GGUF, "hi", *CHATML, "-n", "3", "--quiet").err == b""
    assert b"tokens/s" in r1("run", GGUF, "hi", *CHATML, "-n", "3", "--stats", "-q").err


@test
def run_splits_thinking_from_answer():
    """The noise of a tiny model behind a template that opens a thought: the budget closes it, and the answer follows."""
    for think, where in (("dim", "err"), ("show", "out"), ("hide", None)):
        r = r1("run", GGUF, "hi", "--template", "r1_distill", "--seed", "3", "-n", "60", "--think-budget", "8", "--think", think)
        j = r1("run", GGUF, "hi", "--template", "r1_distill", "--seed", "3", "-n", "60", "--think-budget", "8", "--json").json
        assert j["reasoning_content"] and j["usage"]["completion_tokens_details"]["reasoning_tokens"] >= 8
        assert "</think>" not in j["content"] + j["reasoning_content"]
        assert (j["reasoning_content"].strip() in r.err.decode()) == (where == "err"), think
        assert (j["reasoning_content"].strip() in r.text) == (where == "out"), think
        assert j["content"].strip() in r.text
        assert ("<think>\n" in r.text) == (where == "out")


@test
def run_is_stopped_by_ctrl_c():
    p = subprocess.Popen([R1, "run", real(), "Tell me a very long story about a sailor.", "--logit-bias", "2=-100", "--no-loop-guard"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    first = p.stdout.read(10)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130 and len(first) == 10 and b"interrupted" in err, (p.returncode, err)


@test
def run_with_a_real_model():
    args = ["run", real(), "What is the capital of Japan?", "--greedy", "-n", "40"]  # the golden file has it, with wide margins
    r = r1(*args)
    assert r.text == "The capital of Japan is Tokyo.\n" and r.err == b"", (r.text, r.err)
    stopped = r1(*args, "--stop", "Tokyo", "--json").json
    assert stopped["content"] == "The capital of Japan is " and stopped["finish_reason"] == "stop", stopped


@test
def run_ends_with_its_reader():
    p = subprocess.Popen([R1, "run", real(), "Count to one hundred."], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    p.stdout.read(1)
    p.stdout.close()
    start = time.time()
    assert p.stderr.read() == b"" and p.wait(60) in (0, -signal.SIGPIPE)
    assert time.time() - start < 30


main()
