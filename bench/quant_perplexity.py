#!/usr/bin/env python3
"""Perplexity and KL divergence of r1's and ggml's quantisation of one model, at equal size, with standard errors.

    bench/quant_perplexity.py --ggml libggml-base.so --text FILE [--types Q4_0,Q2_K] [--imatrix FILE] [--seeds 1,2] --cache FOLDER MODEL
    bench/quant_perplexity.py --text FILE --cache FOLDER --write shuffled.gguf --seeds 1 MODEL
    bench/quant_perplexity.py --text FILE --cache FOLDER --files ours.gguf theirs.gguf -- MODEL

MODEL is a GGUF file of architecture llama. Everything is computed here in float32 with numpy, by neither side's program: each
file or each side's blocks are decoded, the text is read in chunks of 256 tokens, and every token from the 33rd of its
chunk on counts. For each type both sides encode every matrix but the embeddings (rows that are no multiple of a block are
laid end to end, the importance with them).

A seed above 0 shuffles the model first: the channels of the residual stream, of the feed-forward and of each head's values change
places, which computes the same but puts other values together in each block. So the luck of one rounding can be told from an
encoder's merit, and a model that comes quantised has no grid left that a block could fit. What was measured is kept in FOLDER and not
measured again.

Printed for each type: KL divergence of both sides and its difference with the standard error of the paired chunks (of all seeds),
the same for the mean negative log-likelihood, whose difference is the logarithm of the ratio of perplexities.
Needs numpy and gguf, and r1 for the text (--r1).
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, dequantize

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import quant_error as qe  # noqa: E402

CHUNK, FIRST = 256, 32


class Model:
    """Tensors of a llama as float32, and what is needed to compute with them."""

    def __init__(self, path):
        reader = GGUFReader(path)
        self.tensors = {t.name: np.ascontiguousarray(dequantize(t.data, t.tensor_type), dtype=np.float32) for t in reader.tensors}
        key = {f.name: f.contents() for f in reader.fields.values() if not f.name.startswith("tokenizer.")}
        if key["general.architecture"] != "llama":
            sys.exit(f"quant_perplexity: '{path}' is of architecture {key['general.architecture']}, expected llama")
        self.layers, self.width = key["llama.block_count"], key["llama.embedding_length"]
        self.heads, self.kv = key["llama.attention.head_count"], key["llama.attention.head_count_kv"]
        self.base, self.eps = key["llama.rope.freq_base"], key["llama.attention.layer_norm_rms_epsilon"]
        self.size = key.get("llama.attention.key_length", self.width // self.heads)

    def shuffled(self, seed):
        """The places of the columns of each kind of matrix: name -> permutation of columns; tensors that compute the same."""
        rng, out, columns = np.random.default_rng(seed), {}, {}
        stream = rng.permutation(self.width)
        for name, y in self.tensors.items():
            if y.shape[-1] == self.width and not name.endswith("attn_output.weight"):
                out[name], columns[name] = np.ascontiguousarray(y[..., stream]), stream
        for i in range(self.layers):
            pre, inner = f"blk.{i}.", rng.permutation(self.tensors[f"blk.{i}.ffn_down.weight"].shape[1])
            for n in ("ffn_gate", "ffn_up"):
                out[f"{pre}{n}.weight"] = np.ascontiguousarray(out[f"{pre}{n}.weight"][inner])
            out[pre + "ffn_down.weight"] = np.ascontiguousarray(self.tensors[pre + "ffn_down.weight"][stream][:, inner])
            inside = [rng.permutation(self.size) for _ in range(self.kv)]
            rows = np.concatenate([g * self.size + p for g, p in enumerate(inside)])
            cols = np.concatenate([h * self.size + inside[h * self.kv // self.heads] for h in range(self.heads)])
            out[pre + "attn_v.weight"] = np.ascontiguousarray(out[pre + "attn_v.weight"][rows])
            out[pre + "attn_output.weight"] = np.ascontiguousarray(self.tensors[pre + "attn_output.weight"][stream][:, cols])
            columns[pre + "ffn_down.weight"], columns[pre + "attn_output.weight"] = inner, cols
        return out, columns

    def log_probabilities(self, tensors, ids):
        """[positions FIRST - 1 .. CHUNK - 2][vocabulary]: of the tokens FIRST .. CHUNK - 1."""
        n, d = len(ids), self.size
        angle = np.arange(n)[:, None] * self.base ** (-np.arange(0, d, 2) / d)
        cos, sin = np.cos(angle).astype(np.float32)[:, None], np.sin(angle).astype(np.float32)[:, None]
        later = np.triu(np.full((n, n), -np.inf, np.float32), 1)

        def norm(x, w):
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.eps)) * w

        def turned(x):
            a, b = x[..., 0::2], x[..., 1::2]
            return np.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)

        x = tensors["token_embd.weight"][ids]
        for i in range(self.layers):
            w = {n: tensors[f"blk.{i}.{n}.weight"] for n in ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate",
                                                            "ffn_up", "ffn_down")}
            h = norm(x, w["attn_norm"])
            q = turned((h @ w["attn_q"].T).reshape(n, self.heads, d)).transpose(1, 0, 2)
            k = turned((h @ w["attn_k"].T).reshape(n, self.kv, d)).transpose(1, 2, 0)
            v = (h @ w["attn_v"].T).reshape(n, self.kv, d).transpose(1, 0, 2)
            of = np.arange(self.heads) * self.kv // self.heads
            s = q @ k[of] * np.float32(d ** -0.5) + later
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            x = x + (s @ v[of]).transpose(1, 0, 2).reshape(n, -1) @ w["attn_output"].T
            h = norm(x, w["ffn_norm"])
            gate = h @ w["ffn_gate"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
        z = norm(x[FIRST - 1:-1], tensors["output_norm.weight"]) @ tensors.get("output.weight", tensors["token_embd.weight"]).T
        z -= z.max(-1, keepdims=True)
        z -= np.log(np.exp(z).sum(-1, keepdims=True))
        return z


def measured(model, tensors, ids, base):
    """[chunks][tokens] of negative log-likelihood, KL divergence from the base, whether the likeliest token is the same."""
    out = []
    with np.errstate(over="ignore"):
        for c, b in zip(ids, base):
            z = model.log_probabilities(tensors, c)
            nll = -z[np.arange(len(z)), c[FIRST:]]
            b32 = np.asarray(b, dtype=np.float32)
            z -= b32
            same = (z + b32).argmax(-1) == b32.argmax(-1)
            out.append((nll, -(np.exp(b32) * z).sum(-1), same))
    return np.array(out, dtype=np.float32).transpose(1, 0, 2)


def read_imatrix(path):
    """name of the matrix -> mean square of the activation of each column."""
    t = {t.name: np.array(t.data, dtype=np.float32).ravel() for t in GGUFReader(path).tensors}
    return {n[:-8]: v / max(t[n[:-8] + ".counts"][0], 1) for n, v in t.items() if n.endswith(".in_sum2")}


def per_value(weights, x, w, block):
    """--weights, per value of x: importance * (|x|^P + F * (root mean square of the block)^P)."""
    p, floor = map(float, weights.split("+"))
    v = np.abs(x).reshape(-1, block)
    v = v ** p + floor * np.mean(v * v, -1, keepdims=True) ** (p / 2)
    return np.ascontiguousarray(v.reshape(x.shape) * (1 if w is None else w), dtype=np.float32)


def encoded(side, libs, type_name, y, w, weights):
    """One matrix encoded by a side and decoded."""
    type_id, block, size = qe.TYPES[type_name]
    row = y.shape[1]
    wide = np.lcm(row, block) if y.size % np.lcm(row, block) == 0 else row
    if wide % block:
        sys.exit(f"quant_perplexity: a matrix of {y.shape} does not fit blocks of {block}")
    x = y.reshape(-1, wide)
    w = None if w is None else np.ascontiguousarray(np.tile(w, wide // row), dtype=np.float32)
    b = np.zeros((x.shape[0], wide // block * size), np.uint8)
    if side == "r1" and weights:
        v = per_value(weights, x, w, block)
        libs["r1"].r1_encode(type_id, qe.ptr(x), qe.ptr(b), x.size, qe.ptr(v))
    else:
        (qe.theirs if side == "ggml" else qe.ours)(libs[side], type_id, x, b, w)
    z = np.empty_like(x)
    libs["r1"].r1_decode(type_id, qe.ptr(b), qe.ptr(z), z.size)
    return z.reshape(y.shape)


def quantised(side, libs, type_name, tensors, a, importance, columns):
    def one(name):
        y = tensors[name]
        if y.ndim < 2 or name in ("token_embd.weight", "output.weight") or not re.search(a.only, name):
            return name, y
        w = importance.get(name) if importance else None
        if w is not None and name in columns:
            w = w[columns[name]]
        return name, encoded(side, libs, type_name, y, w, a.weights)
    with concurrent.futures.ThreadPoolExecutor(a.threads) as pool:
        return dict(pool.map(one, tensors))


def write(path, source, tensors):
    """A GGUF file of float32 with the metadata of `source`."""
    w = GGUFWriter(path, "llama")
    for f in GGUFReader(source).fields.values():
        if not f.name.startswith("GGUF.") and f.name not in ("general.architecture", "general.file_type", "general.quantization_version"):
            w.add_key_value(f.name, f.contents(), f.types[0], f.types[-1] if f.types[0] == GGUFValueType.ARRAY else None)
    for name, y in tensors.items():
        w.add_tensor(name, y)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def token_ids(a):
    with open(a.text, "rb") as f:
        r = subprocess.run([a.r1, "tokenize", a.model, "--no-special"], stdin=f, capture_output=True, check=True)
    ids = np.array(r.stdout.split(), np.int32)
    if len(ids) < a.chunks * CHUNK:
        sys.exit(f"quant_perplexity: '{a.text}' has {len(ids)} tokens, expected at least {a.chunks * CHUNK}")
    return ids[:a.chunks * CHUNK].reshape(-1, CHUNK)


def kept(a, name, compute):
    path = f"{a.cache}/{name}.npy"
    if not os.path.exists(path):
        np.save(path + ".part.npy", compute())
        os.replace(path + ".part.npy", path)
        print(name, file=sys.stderr, flush=True)
    return np.load(path)


def base_of(a, model, ids):
    path = f"{a.cache}/base.{a.chunks}.npy"
    if not os.path.exists(path):
        np.save(path + ".part.npy", np.stack([model.log_probabilities(model.tensors, c) for c in ids]))
        os.replace(path + ".part.npy", path)
    return np.load(path, mmap_mode="r")


def paired(ours, theirs):
    d = (ours - theirs).mean(-1).ravel()
    return d.mean(), d.std(ddof=1) / len(d) ** 0.5


def row(what, o, t, base_nll):
    kl, kl_err = paired(o[1], t[1])
    nll, nll_err = paired(o[0], t[0])
    return (f"| {what} | {o[1].mean():.5f} | {t[1].mean():.5f} | {kl:+.5f} ± {kl_err:.5f} | {o[1].mean() / t[1].mean():.3f} | {o[0].mean() - base_nll:+.4f} "
            f"| {t[0].mean() - base_nll:+.4f} | {nll:+.4f} ± {nll_err:.4f} | {100 * o[2].mean():.1f} % | {100 * t[2].mean():.1f} % |")


def of_files(a, model, ids, base):
    """(what, r1's numbers, the other's) of each pair of files."""
    for pair in zip(a.files[::2], a.files[1::2]):
        both = [kept(a, f"{os.path.basename(f)}.{a.chunks}", lambda f=f: measured(model, Model(f).tensors, ids, base)) for f in pair]
        yield (", ".join(f"{os.path.basename(f)} ({os.path.getsize(f)} bytes)" for f in pair), *both)


def of_types(a, model, ids, base):
    """(what, r1's numbers, ggml's) of each type, over all seeds."""
    importance = read_imatrix(a.imatrix) if a.imatrix else None
    with tempfile.TemporaryDirectory() as folder:
        libs = {"r1": qe.build_ours(folder), "ggml": qe.open_ggml(a.ggml)}
        for t in a.types.split(","):
            libs["ggml"].ggml_quantize_init(qe.TYPES[t][0])
            got = {"r1": [], "ggml": []}
            for seed in map(int, a.seeds.split(",")):
                tensors, columns = model.shuffled(seed) if seed else (model.tensors, {})
                for side in got:
                    name = f"{t}.{side}{a.label + a.weights if side == 'r1' else ''}.{'i' if importance else 'n'}{seed}.{a.only}{a.chunks}"
                    got[side].append(kept(a, name, lambda side=side: measured(
                        model, quantised(side, libs, t, tensors, a, importance, columns), ids, base)))
            yield (t, *[np.concatenate(v, axis=1) for v in got.values()])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--text")
    p.add_argument("--cache", help="folder of what was measured, of one model, one text and one importance matrix")
    p.add_argument("--ggml", help="libggml-base.so of a llama.cpp build")
    p.add_argument("--r1", default=str(qe.ROOT / "build/release-gcc/r1"))
    p.add_argument("--types", default=",".join(qe.TYPES))
    p.add_argument("--imatrix", help="in GGUF form, from r1 imatrix, of MODEL unshuffled")
    p.add_argument("--seeds", default="0")
    p.add_argument("--only", default="", help="regular expression of the names of the matrices to quantise")
    p.add_argument("--label", default="", help="of r1's results in the cache: another for each version of the encoders")
    p.add_argument("--weights", default="", help="P+F: r1 minimises squared errors times |x|^P + F * rms^P instead of what it does by itself")
    p.add_argument("--files", nargs="+", default=[], help="pairs of whole files, r1's and the other's")
    p.add_argument("--write", help="only write the model as shuffled by the first seed, in F32, to this file: for both sides' quantisers")
    p.add_argument("--chunks", type=int, default=40)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    model = Model(a.model)
    if a.write:
        write(a.write, a.model, model.shuffled(int(a.seeds.split(",")[0]))[0])
        return
    if not a.text or not a.cache or not (a.ggml or a.files):
        p.error("--text, --cache, and --ggml or --files are needed")
    os.makedirs(a.cache, exist_ok=True)
    ids = token_ids(a)
    base = base_of(a, model, ids)
    base_nll = -np.mean([np.asarray(b)[np.arange(CHUNK - FIRST), c[FIRST:]].mean() for b, c in zip(base, ids)])
    print(f"{a.chunks} chunks, perplexity of the base {np.exp(base_nll):.3f}\n")
    print("| what | KL r1 | KL ggml | difference | ratio | ln(perplexity / base) r1 | ggml | difference | same top token r1 | ggml |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for what, ours, theirs in (of_files if a.files else of_types)(a, model, ids, base):
        print(row(what, ours, theirs, base_nll), flush=True)


if __name__ == "__main__":
    main()
