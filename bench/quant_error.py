#!/usr/bin/env python3
"""Error and speed of r1's encoders beside ggml's, on real weights.

    bench/quant_error.py [--ggml libggml-base.so] [--types Q4_0,Q2_K] [--max-tensors N] [--per-tensor] MODEL

MODEL is safetensors, ONNX or GGUF with F32/F16/BF16 weights; every matrix counts. Rows that are no multiple of 256 are laid
end to end. Both
sides get the same rows and no importance, and both results are decoded by ggml (so a wrong layout shows). Printed for each type: relative
error sqrt(sum (x - y)^2 / sum x^2) of each side over all matrices, ratio ours/ggml, the worst ratio of a single matrix,
and MB/s of float input on one core. --importance gives both sides the same random weights and measures the weighted error.
Needs numpy; safetensors, onnx or gguf as the file asks.
"""
import argparse
import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
# name: id, values and bytes of a block
TYPES = {"Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34),
         "IQ4_NL": (20, 32, 18), "MXFP4": (39, 32, 17), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110),
         "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210), "IQ4_XS": (23, 256, 136)}


def matrices(path):
    """(name, float32 matrix) of a model file."""
    end = path.rsplit(".", 1)[-1]
    if end == "safetensors":
        from safetensors import safe_open
        with safe_open(path, "np") as f:
            for name in f.keys():
                yield name, f.get_tensor(name)
    elif end == "onnx":
        import onnx
        from onnx import numpy_helper
        for t in onnx.load(path).graph.initializer:
            a = numpy_helper.to_array(t)
            yield t.name, a.T if t.name.startswith("onnx::MatMul") else a
    elif end == "gguf":
        from gguf import GGUFReader, dequantize
        for t in GGUFReader(path).tensors:
            yield t.name, dequantize(t.data, t.tensor_type)
    else:
        sys.exit(f"quant_error: '{path}' is neither safetensors, onnx nor gguf")


def build_ours(folder):
    """The encoders as a library of their own: libr1.so exports only the public interface."""
    out = os.path.join(folder, "encode.so")
    src = sorted(str(p) for p in (ROOT / "src/quant").glob("*.c") if not p.name.endswith("_test.c"))
    subprocess.run([os.environ.get("CC", "gcc"), "-std=c17", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared",
                    f"-I{ROOT}/include", f"-I{ROOT}/src", *src, "-lm", "-o", out], check=True)
    lib = ctypes.CDLL(out)
    lib.r1_encode.restype = ctypes.c_size_t
    lib.r1_encode.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    lib.r1_decode.restype = None
    lib.r1_decode.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return lib


def open_ggml(path):
    ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    lib = ctypes.CDLL(path)
    lib.ggml_quantize_init.argtypes = [ctypes.c_int]
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
                                        ctypes.c_void_p]
    return lib


def ptr(a):
    return None if a is None else a.ctypes.data_as(ctypes.c_void_p)


def ours(lib, type_id, x, out, w):
    k, row = x.shape[1], out.shape[1]
    for r in range(x.shape[0]):
        lib.r1_encode(type_id, x.ctypes.data + r * k * 4, out.ctypes.data + r * row, k, ptr(w))


def theirs(lib, type_id, x, out, w):
    lib.ggml_quantize_chunk(type_id, ptr(x), ptr(out), 0, x.shape[0], x.shape[1], ptr(w))


def measured(encode, lib, decode, name, x, w):
    """Squared error (weighted when w is given) and seconds of processor time."""
    type_id, block, size = TYPES[name]
    out = np.zeros((x.shape[0], x.shape[1] // block * size), np.uint8)
    start = time.thread_time()
    encode(lib, type_id, x, out, w)
    seconds = time.thread_time() - start
    y = np.empty_like(x)
    decode.r1_decode(type_id, ptr(out), ptr(y), x.size)
    d = (x - y).astype(np.float64) ** 2
    return float((d * w).sum() if w is not None else d.sum()), seconds


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--ggml", help="libggml-base.so of a llama.cpp build")
    p.add_argument("--types", default=",".join(TYPES))
    p.add_argument("--max-tensors", type=int, default=10**9)
    p.add_argument("--max-rows", type=int, default=10**9, help="of each matrix, taken evenly")
    p.add_argument("--importance", action="store_true")
    p.add_argument("--per-tensor", action="store_true")
    a = p.parse_args()
    mats = []
    for name, m in matrices(a.model):
        if m.ndim != 2 or min(m.shape) < 16 or m.dtype.kind != "f":
            continue
        m = m[::max(1, m.shape[0] // a.max_rows)]
        if m.shape[1] % 256 and m.size % 256 == 0:
            m = m.reshape(-1, 256 * (3 if m.size % 768 == 0 else 1))
        if m.shape[1] % 256 == 0:
            mats.append((name, np.ascontiguousarray(m, dtype=np.float32)))
    mats = mats[:a.max_tensors]
    print(f"# {len(mats)} matrices, {sum(m.size for _, m in mats) / 1e6:.1f} M values of {os.path.basename(a.model)}")
    with tempfile.TemporaryDirectory() as folder:
        lib = build_ours(folder)
        ggml = open_ggml(a.ggml) if a.ggml else None
        print("| type | r1 | ggml | ratio | worst matrix | r1 MB/s | ggml MB/s |\n| --- | --- | --- | --- | --- | --- | --- |")
        for name in a.types.split(","):
            if ggml:
                ggml.ggml_quantize_init(TYPES[name][0])
            rng, tot = np.random.default_rng(1), np.zeros(5)
            worst = 0
            for tensor, x in mats:
                w = rng.lognormal(0, 1.5, x.shape[1]).astype(np.float32) if a.importance else None
                xx = x.astype(np.float64) ** 2
                e, t = measured(ours, lib, lib, name, x, w)
                e2, t2 = measured(theirs, ggml, lib, name, x, w) if ggml else (float("nan"), float("nan"))
                tot += e, e2, float((xx * w).sum() if w is not None else xx.sum()), t, t2
                worst = max(worst, (e / e2) ** 0.5 if e2 > 0 else 0)
                if a.per_tensor:
                    print(f"| {name} {tensor} | {e ** 0.5:.4g} | {e2 ** 0.5:.4g} | {(e / e2) ** 0.5:.4f} | | | |")
            mb = sum(x.nbytes for _, x in mats) / 1e6
            print(f"| {name} | {(tot[0] / tot[2]) ** 0.5:.6f} | {(tot[1] / tot[2]) ** 0.5:.6f} | {(tot[0] / tot[1]) ** 0.5:.4f} | {worst:.4f} "
                  f"| {mb / tot[3]:.1f} | {mb / tot[4]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
