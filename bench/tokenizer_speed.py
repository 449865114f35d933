#!/usr/bin/env python3
"""Speed of r1's tokenizer beside Hugging Face `tokenizers`: one thread each, same texts, rounds taken in turn, CPU time.

    bench/tokenizer_speed.py [--rounds N] [--program PATH] [NAME ...]

Needs the Python package `tokenizers`, the fetched tokenizers (tools/fetch tokenizers), and builds its C half with cc.
Texts: tests/golden/tokenizers/corpus.jsonl without its long items, in a fixed random order, joined into documents of at
least 16,384 bytes until there are 10,000,000 bytes. A fresh tokenizer each round on both sides (tokenizers caches words).
Prints one line a tokenizer: both medians and the median of the rounds' ratios. Both sides must make the same ids.
"""
import json, os, random, statistics, struct, subprocess, sys, tempfile, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "r1", "tokenizers")
NAMES = ["deepseek_v3", "qwen2_5", "llama3_1", "smollm2"]
SIZE, DOCUMENT = 10_000_000, 16_384


def documents():
    with open(f"{ROOT}/tests/golden/tokenizers/corpus.jsonl", encoding="utf-8") as f:
        texts = [x["text"] for x in map(json.loads, f) if x["cat"] != "long"]
    rng, docs, total, part, n = random.Random(1), [], 0, [], 0
    while total < SIZE:
        order = texts[:]
        rng.shuffle(order)
        for t in order:
            part.append(t)
            n += len(t.encode()) + 1
            if n >= DOCUMENT and total < SIZE:
                docs.append("\n".join(part) + "\n")
                total += len(docs[-1].encode())
                part, n = [], 0
    return docs


def build(folder):
    program = f"{folder}/tokenizer_speed"
    subprocess.run(["make", "-s", "-C", ROOT, "BUILD=release", f"B={folder}/b", f"{folder}/b/libr1.a"], check=True)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson", "libpcre2-8", "libutf8proc", "libcrypto"],
                           check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-std=c17", "-Iinclude", "-Isrc", "bench/tokenizer_speed.c", f"{folder}/b/libr1.a", *flags,
                    "-pthread", "-lm", "-o", program], check=True, cwd=ROOT)
    return program


def reference(path, docs):
    t = Tokenizer.from_file(path)
    start = time.process_time()
    ids = [t.encode(d, add_special_tokens=False).ids for d in docs]
    return time.process_time() - start, ids


def checksum(ids):
    total = place = 0
    for doc in ids:
        for i in doc:
            place += 1
            total += i * place
    return place, total % 2 ** 64


def main():
    args, rounds, program = sys.argv[1:], 5, None
    while args and args[0].startswith("--"):
        if args[0] == "--rounds":
            rounds = int(args[1])
        elif args[0] == "--program":
            program = args[1]
        else:
            sys.exit(__doc__)
        args = args[2:]
    docs = documents()
    size = sum(len(d.encode()) for d in docs)
    with tempfile.TemporaryDirectory() as folder:
        program = program or build(folder)
        with open(f"{folder}/docs.bin", "wb") as f:
            for d in docs:
                f.write(struct.pack("<I", len(d.encode())) + d.encode())
        for name in args or NAMES:
            path, ours, theirs = f"{CACHE}/{name}.json", [], []
            for r in range(rounds):
                seconds, ids = reference(path, docs)
                theirs.append(seconds)
                out = subprocess.run([program, path, f"{folder}/docs.bin"], check=True, capture_output=True, text=True).stdout.split()
                ours.append(float(out[0]))
                if r == 0 and checksum(ids) != (int(out[1]), int(out[2])):
                    sys.exit(f"{name}: r1 and tokenizers made different ids")
            ratio = statistics.median(b / a for a, b in zip(ours, theirs))
            print(f"{name}\tr1 {size / statistics.median(ours) / 1e6:.1f} MB/s\ttokenizers {size / statistics.median(theirs) / 1e6:.2f}"
                  f" MB/s\tratio {ratio:.1f}\t({size} bytes, {rounds} rounds)", flush=True)


main()
