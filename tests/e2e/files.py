"""r1 convert and r1 quantize from the outside: the same logits from either kind of file, and never half of one."""
import json
import os
import shutil
import signal
import subprocess
import time

from harness import R1, TMP, Skip, environment, fails, main, matrices, model, npy, r1, read, real, test, tmp

FAMILIES = ["llama", "llama_tied", "llama_256", "qwen2", "qwen2_tied", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_bf16"]
IDS = "1 5 9 30 31 77 100 12 13 200 201 34 7 8"


def place(name):
    """A path in the temporary folder where nothing is."""
    path = os.path.join(TMP.name, name)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)
    return path


def logits(path, *more):
    return r1("logits", path, "--ids", tmp("convert.ids", IDS), "--out", "-", *more).out


def tmp_path(name):
    return os.path.join(TMP.name, name)


def left_over(name):
    return [f for f in os.listdir(TMP.name) if f.startswith(name)]


@test
def a_converted_model_computes_the_same_bits():
    for name in FAMILIES:
        gguf, folder = place("c.gguf"), place("c-folder")
        source = model(name)
        r1("convert", source, gguf)
        r1("convert", gguf, folder)
        assert logits(source) == logits(gguf) == logits(folder), name
        r1("convert", source, gguf, "--type", "f32", "--force")
        assert logits(source, "--activations", "f32") == logits(gguf, "--activations", "f32"), name
    source, gguf = model("deepseek_v3"), place("c.gguf")
    r1("convert", source, gguf)
    assert logits(source, "--mtp") == logits(gguf, "--mtp")


@test
def a_converted_model_speaks_the_same_tokens():
    text = "Don't — count: 12345 naïve 漢字\n\n  <|eos|>"
    for name in ("llama", "qwen2", "deepseek_v3"):
        gguf, folder = place("t.gguf"), place("t-folder")
        r1("convert", model(name), gguf)
        r1("convert", gguf, folder)
        assert r1("tokenize", model(name), text).out == r1("tokenize", gguf, text).out == r1("tokenize", folder, text).out, name


@test
def fp8_becomes_what_it_stands_for():
    gguf = place("fp8.gguf")
    r1("convert", model("deepseek_v3_fp8"), gguf, "--type", "f32")
    assert logits(model("deepseek_v3_fp8"), "--activations", "f32") == logits(gguf, "--activations", "f32")


@test
def fp8_is_kept_and_made():
    same, made, f32, again = place("same"), place("made"), place("f32"), place("again")
    source = model("deepseek_v3_fp8")
    r1("convert", source, same)
    assert logits(source) == logits(same)
    config = json.loads(read(tmp_path("same/config.json")))
    assert config["quantization_config"] == {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}, config
    for name in ("deepseek_v3", "qwen2"):
        r1("convert", model(name), made, "--type", "fp8", "--force")
        told = r1("convert", model(name, name + ".F32.gguf"), again, "--type", "fp8", "--force", "--json").json
        assert 0.01 < told["relative_error"] < 0.03 and 8 < told["bits_per_weight"] < 13, told
        r1("quantize", model(name), place("q5.gguf"), "Q5_0", "--pure", "-q")  # weights off by 4 % where FP8 has 2.6 %
        truth = npy(logits(model(name)))
        fp8, q5 = ([sum((a - b) ** 2 for a, b in zip(x, y)) / sum(b * b for b in y) for x, y in zip(npy(logits(path)), truth)] for path in (made, tmp_path("q5.gguf")))
        assert 0 < sorted(fp8)[len(fp8) // 2] < sorted(q5)[len(q5) // 2], (name, fp8, q5)
    r1("convert", made, f32, "--type", "f32")  # of qwen2
    assert "quantization_config" not in json.loads(read(tmp_path("f32/config.json")))
    assert logits(made, "--activations", "f32") == logits(f32, "--activations", "f32")
    r1("convert", f32, again, "--type", "fp8", "--force")
    a, b = read(tmp_path("made/model.safetensors")), read(tmp_path("again/model.safetensors"))
    assert len(a) == len(b) and sum(x != y for x, y in zip(a, b)) < len(a) / 500  # a scale may differ in its last bit
    fails(5, "GGUF files have no FP8", args=["convert", source, place("no.gguf"), "--type", "fp8"])


@test
def what_was_written_is_told():
    gguf = place("told.gguf")
    told = r1("convert", model("deepseek_v3"), gguf, "--type", "bf16", "--json").json
    assert told["written"] and told["destination"] == gguf and 0 < told["relative_error"] < 0.01 and 16 < told["bits_per_weight"] < 17, told
    shown = r1("show", gguf, "--json").json
    assert told["file_bytes"] == os.path.getsize(gguf) == shown["file_bytes"] and told["source_bytes"] >= os.path.getsize(model("deepseek_v3") + "/model.safetensors")
    assert r1("convert", gguf, place("told"), "--json").json["file_bytes"] == os.path.getsize(tmp_path("told/model.safetensors"))
    assert sum(t["bytes"] for t in shown["tensors"]) == told["tensor_bytes"]
    assert len(shown["tensors"]) == sum(k["tensors"] for k in told["kinds"])
    assert shown["metadata"]["general.file_type"] == 32 and shown["parameters"] > 0
    kinds = {k["name"]: k for k in told["kinds"]}
    assert kinds["ffn_gate_exps.weight"]["types"] == "BF16" and kinds["attn_norm.weight"]["types"] == "F32" and kinds["attn_norm.weight"]["relative_error"] is None
    text = r1("convert", model("qwen2"), place("told.gguf")).text
    assert "attn_q.weight" in text and "told.gguf" in text and "MiB of weights" in text


@test
def the_four_commands_tell_in_the_same_words():
    source, text = model("llama_256", "llama_256.Q8_0.gguf"), tmp("text", "Some text to read. " * 9)
    out = [place("same.gguf"), place("same.q.gguf"), place("same.p.gguf"), place("same.i.gguf")]
    told = [r1(*args, "--json", "-q").json for args in (["convert", source, out[0]], ["quantize", source, out[1], "Q4_0", "--allow-requantize"], ["pack", source, out[2]],
                                                        ["imatrix", source, text, "--out", out[3]])]
    assert set(told[1]) == set(told[0]) and told[0]["tokenizer"] is True and told[0]["dropped_keys"] == []
    common, kinds = set(told[0]) - {"tokenizer", "dropped_keys"}, set(told[0]["kinds"][0])
    assert {"source_bytes", "file_bytes", "tensor_bytes", "bits_per_weight", "relative_error", "kinds"} < common
    for r, path in zip(told, out):
        assert common <= set(r) and all(set(k) == kinds for k in r["kinds"]), (common - set(r), r)
        assert r["file_bytes"] == os.path.getsize(path) and r["source_bytes"] == os.path.getsize(source) and r["destination"] == path
        assert sum(k["bytes"] for k in r["kinds"]) == r["tensor_bytes"] and sum(k["elements"] for k in r["kinds"]) == r["elements"]
    assert [r["relative_error"] for r in told] == [None, told[1]["relative_error"], 0, None] and 0.01 < told[1]["relative_error"] < 0.1


@test
def every_type_is_written_and_read():
    source, sizes = model("llama_256", "llama_256.F32.gguf"), {}
    best = logits(source)
    for target in ("F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS MXFP4 Q3_K_L Q3_K_M Q3_K_S Q2_K").split():
        out = place("q.gguf")
        told = r1("quantize", source, out, target.lower(), "--json").json
        sizes[target] = told["bits_per_weight"]
        error = told["relative_error"] or 0
        assert error < {"2": 0.4, "3": 0.25, "4": 0.15, "X": 0.2}.get(target.lstrip("IQ")[0] if target != "MXFP4" else "X", 0.06), (target, error)
        assert len(logits(out)) == len(best)
    assert sizes["Q2_K"] < sizes["Q3_K_M"] < sizes["Q4_K_S"] <= sizes["Q4_K_M"] < sizes["Q5_K_M"] < sizes["Q6_K"] < sizes["Q8_0"] < sizes["F16"] < sizes["F32"], sizes


@test
def types_can_be_chosen_by_name():
    out = place("chosen.gguf")
    r1("quantize", model("llama_256"), out, "Q4_K_M", "--tensor-type", "blk.*.attn_q.weight=Q8_0", "--tensor-type=*ffn_up*=F16", "--output-type", "q5_k",
       "--embedding-type", "Q8_0")
    types = {t["name"]: t["type"] for t in r1("show", out, "--json").json["tensors"]}
    assert types["blk.0.attn_q.weight"] == "Q8_0" and types["blk.0.ffn_up.weight"] == "F16" and types["output.weight"] == "Q5_K"
    assert types["token_embd.weight"] == "Q8_0" and types["blk.0.ffn_down.weight"] == "Q6_K" and types["blk.0.ffn_norm.weight"] == "F32"


def in_one_row(matrix, name):
    """An importance matrix whose sums of a tensor's heads are one row with one count, as llama.cpp writes them."""
    b = bytearray(matrix)
    for what in (".in_sum2", ".counts"):
        at = b.index((name + what).encode()) + len(name + what) + 4  # behind the number of dimensions
        k, n = (int.from_bytes(b[at + i:at + i + 8], "little") for i in (0, 8))
        assert n > 1
        b[at:at + 16] = (k * n if what == ".in_sum2" else 1).to_bytes(8, "little") + (1).to_bytes(8, "little")
    return bytes(b)


@test
def sums_of_heads_are_read_in_either_form():
    source, im, out = model("deepseek_v3", "deepseek_v3.F32.gguf"), place("heads.gguf"), place("q.gguf")
    r1("imatrix", source, tmp("text", "Some text for a few sums. " * 20), "--out", im)
    names = [f"blk.{i}.attn_{x}_b.weight" for i in (0, 1) for x in "kv"]
    row = read(im)
    for name in names:
        row = in_one_row(row, name)
    written = []
    for matrix in (read(im), row, None):
        r1("quantize", source, out, "Q4_0", "--force", *(["--imatrix", tmp("im.gguf", matrix)] if matrix else []))
        written.append(read(out))
    types = {t["name"]: t["type"] for t in r1("show", out, "--json").json["tensors"]}
    assert {types[name] for name in names} <= {"Q4_0", "Q8_0"} and row != read(im) and written[0] == written[1] != written[2], types


def weighted_errors(source, made, importance):
    """{name: sum of the squared errors times the importance of their columns} of the tensors that have one; values of GGUF files of F32."""
    errors = {}
    for name, (shape, want) in source.items():
        if name + ".in_sum2" not in importance:
            continue
        (k, n), sums = importance[name + ".in_sum2"]
        counts, got = importance[name + ".counts"][1], made[name][1]
        weights = [s / c if c else 1 for i, c in enumerate(counts) for s in sums[i * k:(i + 1) * k]]
        size = len(want) // n  # of one matrix
        assert shape[0] == k and len(want) == len(got)
        errors[name] = sum(weights[i // size * k + i % k] * (a - b) ** 2 for i, (a, b) in enumerate(zip(want, got)))
    return errors


@test
def importance_lessens_the_errors_that_count():
    """Experts, and a head that is the embedding too, included."""
    text = tmp("text", read(os.path.join(os.path.dirname(model("llama")), "README.md"))[:2000])
    for name, target, some in (("llama_256", "Q4_K_S", "output.weight"), ("qwen2_tied", "Q4_0", "token_embd.weight"), ("deepseek_v3", "Q4_0", "ffn_down_exps.weight")):
        f32, im, q, back, made, out = place("f32.gguf"), place("im.gguf"), place("q.gguf"), place("back.gguf"), [], []
        r1("convert", model(name), f32, "--type", "f32")
        r1("imatrix", f32, text, "--out", im, "-q")
        for more in ([], ["--imatrix", im]):
            r1("quantize", f32, q, target, "--force", "-q", "--embedding-type", "Q4_0", *more)
            r1("convert", q, back, "--type", "f32", "--force", "-q")
            out.append(read(q))
            made.append(matrices(back))
        source, importance = matrices(f32), matrices(im)
        without, weighted = (weighted_errors(source, m, importance) for m in made)
        assert out[0] != out[1] and len(out[0]) == len(out[1]) and any(x.endswith(some) for x in without)
        changed = [x for x in without if made[0][x] != made[1][x]]
        assert all(x in changed for x in without if x.endswith(some)) and len(changed) > len(without) * 0.9, (name, set(without) - set(changed))
        worse = [(x, without[x], weighted[x]) for x in without if weighted[x] > without[x]]
        assert not worse, (name, worse)
        assert sum(weighted.values()) < 0.95 * sum(without.values()), (name, sum(weighted.values()), sum(without.values()))


@test
def what_gets_lost_is_told():
    gguf, folder, bare = model("qwen2", "qwen2.F32.gguf"), place("lost"), place("bare")
    r = r1("convert", gguf, folder, "--json")
    assert r.json["dropped_keys"] == ["general.description"] and r.json["tokenizer"] is True, r.json
    assert b"no place for these metadata" in r.err and b"general.description" in r.err and r.err.count(b"\n") == 1, r.err
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("tokenizer*"))
    for args in (["convert", bare, place("lost.gguf")], ["quantize", bare, place("lost.gguf"), "Q8_0"], ["convert", tmp_path("lost.gguf"), place("lost")]):
        r = r1(*args, "--json", "--force")
        assert r.json["tokenizer"] is False and b"will have none: only ids" in r.err and (b"tokenizer.json" in r.err) == (args[1] == bare), (args, r.err)
    assert not os.path.exists(tmp_path("lost/tokenizer.json")) and len(logits(tmp_path("lost"))) == len(logits(gguf))
    assert r1("convert", model("qwen2"), place("lost.gguf")).err == b""


@test
def quiet_means_nothing_but_errors_and_json():
    source, text = model("llama_256", "llama_256.Q8_0.gguf"), tmp("text", "Some text to read. " * 9)
    for args in (["convert", source, place("quiet.gguf")], ["convert", source, place("quiet")], ["quantize", source, place("quiet.gguf"), "Q4_0", "--allow-requantize"],
                 ["pack", source, place("quiet.gguf")], ["imatrix", source, text, "--out", place("quiet.gguf")]):
        r = r1(*args, "--quiet", "--force")
        assert r.out + r.err == b"", (args, r.out, r.err)
        assert r1(*args, "--force").out != b"" and r1(*args, "--force", "--quiet", "--json").json["written"]


@test
def the_destination_is_looked_at_first():
    q8, wrong = model("qwen2", "qwen2.Q8_0.gguf"), tmp("a-file", "x")
    for to in ("/nowhere/x", wrong + "/x"):
        fails(3, to, args=["convert", q8, to])  # one line: no remark about blocks
        for args in (["quantize", "/no-model", to + ".gguf", "Q4_0"], ["convert", "/no-model", to + ".gguf"], ["pack", "/no-model", to + ".gguf"],
                     ["imatrix", "/no-model", wrong, "--out", to + ".gguf"]):
            fails(3, "cannot create '" + to, args=args)
    os.mkdir(place("kept"))
    tmp("kept/mine", "precious")
    fails(2, "not empty", args=["convert", q8, tmp_path("kept/")])
    os.mkdir(place("new"))
    for name in ("new/", "new/a//"):
        r1("convert", q8, tmp_path(name), "-q")
        assert os.path.exists(tmp_path(name + "/config.json"))
    place("kept"), place("new")


@test
def a_dry_run_writes_nothing():
    out = place("dry.gguf")
    told = r1("quantize", model("deepseek_v3"), out, "Q4_0", "--dry-run", "--json").json
    assert not told["written"] and told["relative_error"] is None and told["file_bytes"] is None and told["bits_per_weight"] < 8 and not left_over("dry")
    r1("convert", model("deepseek_v3", "deepseek_v3.F32.gguf"), place("dry"), "--dry-run")
    assert not left_over("dry")


@test
def mistakes_are_named():
    q8, out = model("qwen2", "qwen2.Q8_0.gguf"), place("no.gguf")
    fails(5, "quantised already (Q8_0)", "--allow-requantize", args=["quantize", q8, out, "Q4_0"])
    fails(2, "'Q4_Z'", "Q4_K_M", args=["quantize", q8, out, "Q4_Z"])
    fails(2, ".gguf", args=["quantize", model("qwen2"), place("no"), "Q4_0"])
    fails(2, "fits no tensor", args=["quantize", model("qwen2"), out, "Q4_0", "--tensor-type", "nothing*=Q8_0"])
    fails(2, "'attn_v'", "did you mean '*attn_v*'", args=["quantize", model("qwen2"), out, "Q4_0", "--tensor-type", "attn_v=q8_0"])
    fails(2, "'*norm*'", "stay F32", args=["quantize", model("qwen2"), out, "Q4_0", "--tensor-type", "*norm*=Q8_0"])
    other = place("other.imatrix.gguf")
    r1("imatrix", model("llama_256"), tmp("text", "Some text for a few sums. " * 9), "--out", other, "-q")
    fails(3, other, "sums, expected one for each of 96 columns; it is of another model", args=["quantize", model("qwen2"), out, "Q4_0", "--imatrix", other, "-q"])
    fails(2, "NAME=TYPE", args=["quantize", model("qwen2"), out, "Q4_0", "--tensor-type", "Q8_0"])
    fails(2, "x.safetensors", args=["convert", model("qwen2"), os.path.join(TMP.name, "x.safetensors")])
    fails(2, "standard output", args=["convert", model("qwen2"), "-"])
    fails(2, "is empty", args=["convert", model("qwen2"), ""])
    for args in (["quantize", model("qwen2"), ".gguf", "Q8_0"], ["convert", model("qwen2"), tmp_path(".gguf")]):
        fails(2, "has nothing before its ending", args=args)
    fails(3, "/nowhere/x.gguf", args=["convert", model("qwen2"), "/nowhere/x.gguf"])
    fails(3, "imatrix", args=["quantize", model("qwen2"), out, "Q4_0", "--imatrix", q8])
    assert not left_over("no")


@test
def nothing_is_overwritten_unless_forced():
    out, folder = place("kept.gguf"), place("kept")
    tmp("kept.gguf", "precious")
    os.mkdir(folder)
    with open(os.path.join(folder, "mine"), "w", encoding="ascii") as f:
        f.write("precious")
    fails(2, "--force", args=["convert", model("qwen2"), out])
    fails(2, "--force", args=["quantize", model("qwen2"), out, "Q4_0"])
    fails(2, "--force", args=["convert", model("qwen2", "qwen2.F32.gguf"), folder])
    assert read(out) == b"precious" and os.listdir(folder) == ["mine"]
    r1("convert", model("qwen2"), out, "--force")
    r1("convert", out, folder, "--force")
    assert read(out)[:4] == b"GGUF" and logits(out) == logits(folder) and read(os.path.join(folder, "mine")) == b"precious"
    empty = place("empty")
    os.mkdir(empty)
    r1("convert", out, empty)
    assert logits(empty) == logits(out)


def large():
    """A source large enough for a process to be caught while it writes."""
    big = place("big")
    shutil.copytree(model("qwen2"), big)
    with open(os.path.join(big, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    rows = 400000  # 150 MB of embedding, and as much of head
    config["vocab_size"] = rows
    with open(os.path.join(big, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    weights = read(os.path.join(big, "model.safetensors"))
    n = int.from_bytes(weights[:8], "little")
    header, data, at = json.loads(weights[8:8 + n]), weights[8 + n:], 0
    with open(os.path.join(big, "model.safetensors"), "wb") as f:
        new, parts = {}, []
        for name, t in sorted(header.items(), key=lambda x: x[1].get("data_offsets", [0])[0]):
            if name == "__metadata__":
                continue
            a, b = t["data_offsets"]
            size = b - a
            if name in ("model.embed_tokens.weight", "lm_head.weight"):
                t["shape"] = [rows, 96]
                size = rows * 96 * 4
                parts.append((None, size))
            else:
                parts.append((data[a:b], size))
            t["data_offsets"] = [at, at + size]
            at += size
            new[name] = t
        text = json.dumps(new).encode()
        f.write(len(text).to_bytes(8, "little") + text)
        for part, size in parts:
            f.write(part) if part is not None else f.seek(size, 1)  # zeros, as a hole
    return big


def start(*args):
    return subprocess.Popen([R1, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


@test
def an_interrupted_conversion_leaves_nothing():
    big = large()
    for number, codes in ((signal.SIGINT, (130, -signal.SIGINT)), (signal.SIGTERM, (-signal.SIGTERM,)), (signal.SIGKILL, (-signal.SIGKILL,))):
        caught = False
        for wait in (0.3, 0.15, 0.05, 0.6):
            p = start("quantize", big, place("cut.gguf"), "Q2_K", "--threads", "1")
            time.sleep(wait)
            p.send_signal(number)
            p.communicate(timeout=120)
            caught = p.returncode in codes
            if caught:
                break
        assert caught, (number, p.returncode)
        assert not left_over("cut"), (number, left_over("cut"))
    for number, codes in (((signal.SIGINT,), (130,)), ((signal.SIGTERM,), (-signal.SIGTERM,)), ((signal.SIGHUP,), (-signal.SIGHUP,)), ((signal.SIGINT, signal.SIGINT), (130,))):
        for old in (False, True):  # beside an old folder, which stays as it was
            out = place("cut")
            if old:
                os.mkdir(out)
                tmp("cut/mine", "precious")
            caught = False
            for _ in range(5):
                p = start("convert", big, out, "--type", "bf16", "--threads", "1", "--force")
                while p.poll() is None and not [f for f in left_over("cut.tmp-") if os.listdir(tmp_path(f))]:
                    time.sleep(0.005)
                for n in number:
                    p.send_signal(n)
                p.communicate(timeout=120)
                caught = p.returncode in codes
                if caught:
                    break
            assert caught, (number, p.returncode)
            assert left_over("cut") == (["cut"] if old else []), (number, left_over("cut"))
            assert not old or os.listdir(out) == ["mine"]
    place("cut"), place("big")


NAMED = os.path.join(os.path.dirname(R1), "tests/faults/r1_named")


@test
def a_signal_leaves_no_file_where_none_can_be_nameless():
    if not os.path.exists(NAMED):
        raise Skip("r1_named was not built")
    big, packable = large(), place("packable.gguf")
    r1("quantize", big, packable, "Q8_0", "-q")
    for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGINT, 130)):
        for args in (["convert", big], ["quantize", big], ["pack", packable]):
            out, caught = place("cut.gguf"), False
            for _ in range(5):
                p = subprocess.Popen([NAMED, *args, out, *(["Q8_0"] if args[0] == "quantize" else []), "--threads", "1", "--force"], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, env=environment())
                while p.poll() is None and not left_over("cut.gguf.tmp-"):
                    time.sleep(0.002)
                p.send_signal(number)
                p.communicate(timeout=120)
                caught = p.returncode == code
                if caught:
                    break
            assert caught, (number, args, p.returncode)
            assert not left_over("cut.gguf"), (number, args, left_over("cut.gguf"))
    p = subprocess.run([NAMED, "quantize", packable, place("cut.gguf"), "Q4_0", "--allow-requantize", "-q"], env=environment(), capture_output=True, check=False)
    assert p.returncode == 0 and p.stdout + p.stderr == b"" and left_over("cut") == ["cut.gguf"], (p, left_over("cut"))
    place("big"), place("cut.gguf"), place("packable.gguf")


def begun(big, out):
    """A conversion that has made the folder to write to."""
    before = left_over(os.path.basename(out))
    p = subprocess.Popen([R1, "convert", big, out, "--type", "bf16", "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    while not any(os.path.exists(os.path.join(TMP.name, f, ".r1-unfinished")) for f in left_over(os.path.basename(out)) if f not in before):
        assert p.poll() is None, p.stderr.read()
        time.sleep(0.005)
    time.sleep(0.02)  # until it is locked
    return p


@test
def what_a_killed_conversion_left_is_removed_by_the_next():
    big, out = large(), place("kill")
    p = begun(big, out)
    p.kill()
    p.communicate()
    dead = left_over("kill")
    assert len(dead) == 1 and dead[0].startswith("kill.tmp-"), dead
    alive = begun(big, out)  # removes it
    alive.send_signal(signal.SIGSTOP)
    live = left_over("kill")
    assert len(live) == 1 and live != dead, (live, dead)
    r1("convert", model("qwen2", "qwen2.F32.gguf"), out)  # leaves alone what a living process works in
    assert sorted(left_over("kill")) == ["kill", *live]
    alive.send_signal(signal.SIGCONT)
    err = alive.communicate(timeout=120)[1]
    assert alive.returncode == 2 and b"--force" in err and left_over("kill") == ["kill"], (alive.returncode, err, left_over("kill"))
    place("kill"), place("big")


@test
def a_signal_that_was_ignored_stays_ignored():
    """As nohup and a shell's jobs in the background have it."""
    big = large()
    for name, number in (("HUP", signal.SIGHUP), ("INT", signal.SIGINT), ("TERM", signal.SIGTERM), ("QUIT", signal.SIGQUIT)):
        out, caught = place("ignored"), False
        for _ in range(5):
            p = subprocess.Popen(["sh", "-c", f"trap '' {name}; exec \"$@\"", "sh", R1, "convert", big, out, "--type", "bf16", "-f", "-q"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=environment())
            while p.poll() is None and not left_over("ignored.tmp-"):
                time.sleep(0.002)
            caught = p.poll() is None
            p.send_signal(number)
            err = p.communicate(timeout=120)[1]
            assert p.returncode == 0 and not err, (name, p.returncode, err)
            if caught:
                break
        assert caught and left_over("ignored") == ["ignored"], (name, left_over("ignored"))
    place("ignored"), place("big")


@test
def what_is_the_users_comes_back_after_a_kill():
    """Killed at any time while 1,500 foreign folders are carried over: the next one finishes it."""
    source, out, n, halves = model("llama_256", "llama_256.F32.gguf"), place("folders"), 1500, 0
    for turn in range(7):
        place("folders")
        os.mkdir(out)
        tmp("folders/mine", "precious")
        for i in range(n):
            os.mkdir(os.path.join(out, f"d{i}"))
        p = subprocess.Popen([R1, "convert", source, out, "-f", "-q"], env=environment())
        while p.poll() is None and not left_over("folders.tmp-"):
            pass
        if turn:
            while p.poll() is None and len(os.listdir(out)) > n:  # until the new folder has the name
                pass
            time.sleep(0.0004 * (turn - 1))
        p.kill()
        p.communicate()
        beside = [f for f in left_over("folders.tmp-") if any(x[0] == "d" for x in os.listdir(tmp_path(f)))]
        halves += bool(beside)
        r1("convert", source, out, "-f", "-q")
        assert left_over("folders") == ["folders"], (turn, left_over("folders"))
        names = os.listdir(out)
        assert sum(f[0] == "d" for f in names) == n and read(os.path.join(out, "mine")) == b"precious", (turn, len(names))
        assert not [f for f in names if f.startswith(".")] and logits(out) == logits(source), names
    assert halves, "no kill came in the middle"
    place("folders")


@test
def a_folder_that_no_other_can_replace_is_refused_first():
    source, here = model("llama_256", "llama_256.Q8_0.gguf"), place("here")
    os.makedirs(os.path.join(here, "deep"))
    for out, where in ((".", here), ("..", os.path.join(here, "deep")), (here, here), (here + "/", os.path.join(here, "deep")), ("../../here", os.path.join(here, "deep"))):
        for more in ([], ["--force"]):
            p = subprocess.run([R1, "convert", source, out, *more], capture_output=True, env=environment(), cwd=where, check=False)
            assert p.returncode == 2 and b"the folder you are in" in p.stderr and b"new name" in p.stderr, (out, where, p)
    assert os.listdir(here) == ["deep"] and left_over("here") == ["here"]
    subprocess.run([R1, "convert", source, "../here-too", "-q"], env=environment(), cwd=place("here-too")[:-4], check=True)  # whose name only begins alike
    if os.path.ismount("/proc"):
        fails(2, "'/proc' is a mount point", "a folder in it", args=["convert", source, "/proc"])
    place("here"), place("here-too")


@test
def a_folder_in_one_that_cannot_be_written_to_is_told():
    source, outer = model("llama_256", "llama_256.Q8_0.gguf"), place("outer")
    os.makedirs(os.path.join(outer, "inner"))
    os.chmod(outer, 0o555)
    args = [R1, "convert", source, os.path.join(outer, "inner")]
    if os.geteuid() == 0:  # who may write everywhere
        args = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *args]
    p = subprocess.run(args, capture_output=True, env=environment(), check=False) if os.geteuid() or shutil.which("setpriv") else None
    os.chmod(outer, 0o755)
    if not p or b"setpriv" in p.stderr:
        raise Skip("root cannot give up its rights here")
    assert p.returncode == 3 and b"cannot be replaced" in p.stderr and b"made beside it" in p.stderr and b"ermission denied" in p.stderr, p
    assert not os.listdir(os.path.join(outer, "inner"))
    place("outer")


@test
def names_are_printed_harmless():
    f32, text = model("llama_256", "llama_256.F32.gguf"), tmp("text", "Some text to read. " * 20)
    for name, args in (("new\nline\x1b[31m.gguf", lambda out: ["quantize", f32, out, "Q8_0"]), ("p\x1b[31m.gguf", lambda out: ["pack", model("llama_256", "llama_256.Q8_0.gguf"), out]),
                       ("i\x1b[31m.gguf", lambda out: ["imatrix", f32, text, "--chunk", "32", "--max-chunks", "1", "-o", out]),
                       ("f\x1b[31m\u202e", lambda out: ["convert", f32, out])):
        out = place(name)
        told = r1(*args(out)).out
        assert b"?[31m" in told and b"\x1b" not in told and b"\nline" not in told and "\u202e".encode() not in told, told
        assert os.path.exists(out) and b"chunks of" not in told and b" MB" not in told and b"MiB" in told, told
        place(name)
    out = place("b\n\x1b[31m.gguf")
    shutil.copy(model("llama_256", "llama_256.Q8_0.gguf"), out)
    told = r1("bench", out, "--decode", "1", "--repeat", "1").out
    assert b"b??[31m.gguf" in told and b"\x1b" not in told, told
    place("b\n\x1b[31m.gguf")


@test
def a_token_that_is_no_text_is_named():
    data = bytearray(read(model("llama_256", "llama_256.Q8_0.gguf")))
    at = data.index(b"<|pad|>")
    data[at + 3] = 0xff
    number = [t["id"] for t in json.loads(read(model("llama_256") + "/tokenizer.json"))["added_tokens"] if t["content"] == "<|pad|>"]
    bad = tmp("nou.gguf", bytes(data))
    for more in ([], ["--dry-run"]):
        fails(3, "nou.gguf", f"token {number[0]}, '<|p?d|>'", "byte 3", args=["convert", bad, place("noud"), "-q", *more])
    assert not left_over("noud")


def altered(shapes=None, **texts):
    """qwen2 with other shapes of some tensors (their bytes cut) and other values in generation_config (advice) or config."""
    odd = place("odd")
    shutil.copytree(model("qwen2"), odd, ignore=shutil.ignore_patterns("gguf*", "expected*"))
    weights = read(os.path.join(odd, "model.safetensors"))
    n = int.from_bytes(weights[:8], "little")
    header, data, out = json.loads(weights[8:8 + n]), weights[8 + n:], b""
    for name, t in header.items():
        if name == "__metadata__":
            continue
        t["shape"] = (shapes or {}).get(name, t["shape"])
        size = 4
        for x in t["shape"]:
            size *= x
        a = t["data_offsets"][0]
        t["data_offsets"] = [len(out), len(out) + size]
        out += data[a:a + size]
    text = json.dumps(header).encode()
    tmp("odd/model.safetensors", len(text).to_bytes(8, "little") + text + out)
    for name, values in texts.items():
        path = os.path.join("odd", name + ".json")
        tmp(path, json.dumps({**json.loads(read(tmp_path(path))), **values}))
    return odd


@test
def what_r1_would_refuse_is_not_written():
    down, norm = "model.layers.1.mlp.down_proj.weight", "model.layers.0.input_layernorm.weight"
    for shapes, words in (({down: [94, 224]}, (down, "[94 x 224]", "[96 x 224]")), ({down: [224, 96]}, (down, "[224 x 96]", "[96 x 224]")),
                          ({norm: []}, (norm, "[1]", "[96]")),
                          ({"model.layers.1.self_attn.v_proj.bias": [31]}, ("v_proj.bias", "[31]", "[32]"))):
        odd = altered(shapes)
        for args in (["convert", odd, place("refused.gguf")], ["convert", odd, place("refused")], ["quantize", odd, place("refused.gguf"), "Q4_0", "-q"],
                     ["quantize", odd, place("refused.gguf"), "Q4_0", "--dry-run", "-q"], ["convert", odd, place("refused.gguf"), "--dry-run"]):
            fails(3, *words, args=args)
        assert not left_over("refused")
    for advice, words in (({"temperature": 1e300}, ("generation_config.json", "'temperature'", "1e+300", "0 to 100")), ({"top_p": 1.5}, ("'top_p'", "1.5")),
                          ({"min_p": -1}, ("'min_p'",)), ({"repetition_penalty": "x"}, ("'repetition_penalty'", "string")), ({"top_k": -2}, ("'top_k'",))):
        odd = altered(generation_config=advice)
        for args in (["convert", odd, place("refused.gguf")], ["convert", odd, place("refused")], ["convert", odd, place("refused.gguf"), "--dry-run"]):
            fails(3, *words, args=args)
        assert not left_over("refused")
    odd = altered(config={"rope_theta": 1e300})
    for more in ([], ["--dry-run"]):
        fails(5, "rope.freq_base", "1e+300", args=["convert", odd, place("refused.gguf"), *more])
    odd = altered(generation_config={"top_k": -1, "top_p": None, "temperature": 0})
    r1("convert", odd, place("refused.gguf"))
    r1("convert", tmp_path("refused.gguf"), place("refused"), "--type", "f32")
    place("odd"), place("refused"), place("refused.gguf")


def links_to(path):
    """Other names of a file."""
    soft, hard, dots = place("soft.gguf"), place("hard.gguf"), os.path.join(TMP.name, ".", "..", os.path.basename(TMP.name), os.path.basename(path))
    os.symlink(path, soft)
    os.link(path, hard)
    return path, soft, hard, dots


@test
def what_is_read_is_never_written_to():
    im, text, gguf = place("im.gguf"), tmp("text", "Some text to read. " * 9), place("one.gguf")
    shutil.copy(model("llama_256", "llama_256.Q8_0.gguf"), gguf)
    r1("imatrix", gguf, text, "--out", im)
    for out in links_to(gguf):
        for args in (["convert", gguf, out, "--force"], ["convert", gguf, out], ["quantize", gguf, out, "Q4_0", "--allow-requantize", "--force"], ["pack", gguf, out, "--force"],
                     ["imatrix", gguf, text, "--out", out, "--force"], ["logits", gguf, "--ids", tmp("one.ids", IDS), "--out", out, "--force"]):
            fails(2, "would be lost", args=args)
    fails(2, "would be lost", args=["quantize", gguf, im, "Q4_0", "--allow-requantize", "--imatrix", im, "--force"])
    fails(2, "would be lost", args=["imatrix", gguf, text, "--out", text, "--force"])
    assert read(gguf) == read(model("llama_256", "llama_256.Q8_0.gguf")) and read(text)[:4] == b"Some"
    folder, other = place("one"), place("one-other")
    shutil.copytree(model("qwen2"), folder)
    os.mkdir(other)
    os.symlink(os.path.join(folder, "model.safetensors"), os.path.join(other, "model.safetensors"))
    shutil.copy(os.path.join(folder, "config.json"), other)
    os.symlink(folder, place("one-link"))
    before = {f: read(os.path.join(folder, f)) for f in os.listdir(folder) if f != "gguf"}
    for source, out in ((folder, folder), (folder, folder + "/."), (folder, tmp_path("one-link")), (folder, other), (other, folder)):
        fails(2, "would be lost", args=["convert", source, out, "--type", "bf16", "--force"])
    fails(2, "would be lost", args=["imatrix", folder, text, "--out", os.path.join(folder, "config.json"), "--force"])
    assert {f: read(os.path.join(folder, f)) for f in os.listdir(folder) if f != "gguf"} == before
    r1("convert", folder, os.path.join(folder, "beside.gguf"))  # within it is no harm
    place("one-link"), place("one"), place("one-other")


@test
def a_folder_is_replaced_whole_or_not_at_all():
    """The small files are written, the weights do not fit: the old model is still there, and whole."""
    gguf, out = place("whole.gguf"), place("whole")
    r1("convert", model("qwen2"), gguf)
    r1("convert", gguf, out)
    tmp("whole/mine", "precious")
    before, files = logits(out), {f: read(os.path.join(out, f)) for f in os.listdir(out)}
    largest = max(len(files[f]) for f in files if f.endswith(".json"))
    assert len(files["model.safetensors"]) > 2 * largest
    p = subprocess.run(["sh", "-c", f'ulimit -f {largest // 512 + 2}; exec "$@"', "sh", R1, "convert", model("llama_256", "llama_256.F32.gguf"), out, "--force"],
                       capture_output=True, env=environment(), check=False)
    assert p.returncode == 4 and b"bytes more" in p.stderr, (p.returncode, p.stderr)
    assert {f: read(os.path.join(out, f)) for f in os.listdir(out)} == files and logits(out) == before
    assert sorted(left_over("whole")) == ["whole", "whole.gguf"], left_over("whole")
    r1("convert", model("llama_256", "llama_256.F32.gguf"), out, "--force")
    assert logits(out) == logits(model("llama_256", "llama_256.F32.gguf")) and read(os.path.join(out, "mine")) == b"precious"
    assert sorted(left_over("whole")) == ["whole", "whole.gguf"], left_over("whole")


@test
def too_little_disk_is_told():
    for args in (["convert", model("qwen2"), place("small.gguf")], ["convert", model("qwen2", "qwen2.F32.gguf"), place("small")]):
        p = subprocess.run(["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", R1, *args], capture_output=True, env=environment(), check=False)
        assert p.returncode == 4 and b"bytes more" in p.stderr, (p.returncode, p.stderr)
        assert not left_over("small")
        assert b".tmp-" not in p.stderr, p.stderr


@test
def a_conversion_that_is_stopped_names_its_destination():
    big, out = large(), place("stopped")
    p = begun(big, out)
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=120)[1]
    assert p.returncode == 130 and b"stopped/model.safetensors' was cancelled" in err and b".tmp-" not in err, (p.returncode, err)
    place("big")


@test
def a_real_model_keeps_its_sense():
    source, f16, small = real(), place("real.F16.gguf"), place("real.Q4_K_M.gguf")
    r1("convert", source, f16, "--type", "f16")
    r1("quantize", f16, small, "Q4_K_M")
    for path in (f16, small):
        out = r1("generate", path, "--ids", tmp("paris.ids", r1("tokenize", path, "The capital of France is").text), "--greedy", "--max-tokens", "4", "--json").json["text"]
        assert "Paris" in out, (path, out)
    place("real.F16.gguf"), place("real.Q4_K_M.gguf")


main()
