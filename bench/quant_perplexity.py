#!/usr/bin/env python3
"""Perplexity and KL divergence of r1's and ggml's quantisation of one model, at equal size.

    bench/quant_perplexity.py --bin FOLDER --text FILE [--types Q4_0,Q2_K] [--weights none,x,xx] [--chunks 8] MODEL.gguf

FOLDER has llama-perplexity and libggml-base.so of a llama.cpp build. The model's matrices (embeddings stay as they are) are made
continuous first when they come quantised: uniform noise of half a step of their grid is added, so that no type has the
advantage of the grid the file was rounded to; this noisy model, in F16, is the base. For each type both encoders' results
are decoded and written as F16: the same evaluator, arithmetic and mix on both sides, and rows of any length fit (those that
are no multiple of 256 are laid end to end). --weights: what r1 minimises, per value: none = what it
does without importance, P+F = importance |x|^P + F * rms^P; N before it: times the square of
the norm's weight before the matrix, where there is one.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, dequantize

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import quant_error as qe  # noqa: E402


def base_weights(reader, seed):
    """name -> float32; matrices other than embeddings get the noise of their own rounding."""
    rng, out = np.random.default_rng(seed), {}
    for t in reader.tensors:
        y = np.ascontiguousarray(dequantize(t.data, t.tensor_type), dtype=np.float32)
        if t.tensor_type == GGMLQuantizationType.Q4_1:
            d = np.ascontiguousarray(t.data).reshape(-1, 20)[:, :2].copy().view(np.float16).astype(np.float32)
            noise = rng.uniform(-0.5, 0.5, (d.size, 32)).astype(np.float32) * np.abs(d)
            y = (y.reshape(-1, 32) + noise).reshape(y.shape).astype(np.float16).astype(np.float32)
        out[t.name] = y
    return out


def write(path, reader, tensors):
    w = GGUFWriter(path, "llama")
    for f in reader.fields.values():
        if f.name.startswith("GGUF.") or f.name in ("general.architecture", "general.file_type"):
            continue
        kind = f.types[0]
        w.add_key_value(f.name, f.contents(), kind, f.types[-1] if kind == GGUFValueType.ARRAY else None)
    for name, y in tensors.items():
        w.add_tensor(name, y if y.ndim < 2 else y.astype(np.float16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def importance(weights, name, y, tensors):
    """What --weights says, per value of the matrix y; None for none."""
    kind, w = weights.lstrip("N"), np.ones_like(y)
    if kind not in ("none", ""):
        p, floor = map(float, kind.split("+"))
        w = np.abs(y) ** p + floor * np.mean(y * y) ** (p / 2)
    norm = re.sub(r"attn_[qkv]\.", "attn_norm.", re.sub(r"ffn_(gate|up)\.", "ffn_norm.", name))
    if weights.startswith("N") and norm != name:
        w = w * (tensors[norm] ** 2)[None, :]
    return None if weights == "none" else np.ascontiguousarray(w, dtype=np.float32)


def quantised(side, lib, ours_lib, type_name, tensors, weights, only):
    out = {}
    type_id, block, size = qe.TYPES[type_name]
    for name, y in tensors.items():
        if y.ndim < 2 or name == "token_embd.weight" or not re.search(only, name):
            out[name] = y
            continue
        x = np.ascontiguousarray(y.reshape(-1, 256))
        b = np.zeros((x.shape[0], 256 // block * size), np.uint8)
        if side == "ggml":
            qe.theirs(lib, type_id, x, b, None)
        else:
            w = importance(weights, name, y, tensors)
            ours_lib.r1_encode(type_id, qe.ptr(x), qe.ptr(b), x.size, qe.ptr(w))
        z = np.empty_like(x)
        ours_lib.r1_decode(type_id, qe.ptr(b), qe.ptr(z), z.size)
        out[name] = z.reshape(y.shape)
    return out


def perplexity(a, model, extra):
    cmd = [f"{a.bin}/llama-perplexity", "-m", model, "-f", a.text, "-c", "512", "-b", "512", "--chunks", str(a.chunks), "-t", str(a.threads), *extra]
    r = subprocess.run(cmd, capture_output=True, text=True)
    if r.returncode:
        sys.exit(r.stdout[-2000:] + r.stderr[-2000:])
    return r.stdout + r.stderr


def found(text, pattern):
    m = re.search(pattern, text)
    return float(m.group(1)) if m else float("nan")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--bin", required=True)
    p.add_argument("--text", required=True)
    p.add_argument("--types", default=",".join(qe.TYPES))
    p.add_argument("--weights", default="none")
    p.add_argument("--only", default="", help="regular expression of the names of the matrices to quantise")
    p.add_argument("--no-ggml", action="store_true")
    p.add_argument("--seeds", type=int, default=3, help="different noises, to average the luck of one rounding")
    p.add_argument("--first-seed", type=int, default=1)
    p.add_argument("--chunks", type=int, default=8)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    reader = GGUFReader(a.model)
    sums = {}
    with tempfile.TemporaryDirectory() as folder:
        ours_lib, lib = qe.build_ours(folder), qe.open_ggml(f"{a.bin}/libggml-base.so")
        model, logits = f"{folder}/m.gguf", f"{folder}/logits"
        for seed in range(a.first_seed, a.first_seed + a.seeds):
            base = base_weights(reader, seed)
            write(model, reader, base)
            perplexity(a, model, ["--kl-divergence-base", logits])
            for t in a.types.split(","):
                for side in [f"r1 {w}" for w in a.weights.split(",")] + ([] if a.no_ggml else ["ggml"]):
                    if side == "ggml":
                        lib.ggml_quantize_init(qe.TYPES[t][0])
                    write(model, reader, quantised(side, lib, ours_lib, t, base, side[3:], a.only))
                    o = perplexity(a, model, ["--kl-divergence-base", logits, "--kl-divergence"])
                    row = [found(o, p) for p in (r"Mean PPL.Q. +: +([0-9.]+)", r"Mean PPL.base. +: +([0-9.]+)",
                                                 r"Mean +KLD: +([-0-9.]+)", r"Same top p: +([0-9.]+)")]
                    sums.setdefault((t, side), []).append(row)
                    print(seed, t, side, *row, file=sys.stderr, flush=True)
    print(f"Mean of {a.seeds} noises, {a.chunks} chunks of 512 tokens.\n")
    print("| type | encoder | perplexity | of the base | KL divergence | same top token |\n| --- | --- | --- | --- | --- | --- |")
    for (t, side), rows in sums.items():
        ppl, base_ppl, kl, top = np.mean(np.array(rows), axis=0)
        print(f"| {t} | {side} | {ppl:.3f} | {base_ppl:.3f} | {kl:.4f} | {top:.1f} % |")


main()
