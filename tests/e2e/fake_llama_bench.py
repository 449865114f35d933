#!/usr/bin/env python3
"""Stands for llama-bench, llama-batched-bench and llama-sweep-bench in the tests of bench/compare.sh: prints what they print, with
speeds that the test knows. Which one it is tells its file name; SPEED scales its numbers, LOG takes its command lines."""
import json
import os
import sys

name, args = os.path.basename(sys.argv[0]), sys.argv[1:]
speed = float(os.environ.get("SPEED", "1"))
if "--help" in args:
    sys.exit(print("  -d, --n-depth <n>\n  --no-warmup" if os.environ.get("DEPTH", "1") == "1" else "  -w, --warmup <0|1>"))
if "--version" in args:
    sys.exit(print("version: 1.2.3 (fake)", file=sys.stderr))
with open(os.environ["LOG"], "a", encoding="utf-8") as f:
    f.write(" ".join([name, *args]) + f"\nCPUs {','.join(map(str, sorted(os.sched_getaffinity(0))))}\n")


def values(option, usual="0"):
    return [int(x) for x in (args[args.index(option) + 1] if option in args else usual).split(",")]


if name == "llama-bench":
    rows = []
    for d in values("-d"):
        rows += [{"n_prompt": p, "n_gen": 0, "n_depth": d, "avg_ts": speed * (1e9 + d)} for p in values("-p") if p]
        rows += [{"n_prompt": 0, "n_gen": n, "n_depth": d, "avg_ts": speed * (1e-3 + d)} for n in values("-n") if n]
    kv = {"type_k": args[args.index("-ctk") + 1], "type_v": "q8_0"} if "-ctk" in args else {}
    print(json.dumps([{"build_commit": "abc", "build_number": 7, **kv, **r} for r in rows]))
elif name == "llama-batched-bench":
    print("noise\n|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |\n|-------|---|", file=sys.stderr)
    for b in values("-npl"):
        print(f"|    16 | {values('-ntg')[0]} | {b} |  24 | 0.1 | 1.0 | 0.1 | {speed * 1e-3 * b} | 0.1 | 1.0 |", file=sys.stderr)
else:
    stride = values("--sweep-stride")[0]
    for i in (0, stride):
        print(json.dumps({"pp": 0, "tg": 0, "n_kv": i * values("-ub")[0], "speed_pp": speed * 1e9, "speed_tg": speed * 1e-3}), file=sys.stderr)
