#!/usr/bin/env python3
"""r1's answer checker beside Math-Verify, on labelled pairs.

    bench/answers.py [--program PATH] [--limit SECONDS] [--no-rival] [--wrong] FILE.tsv ...

Each file has a header line and the columns gold, candidate, equivalent (1 or 0), category, mode (answer or response) and note:
tests/golden/answer_pairs.tsv is one. r1 reads the file itself (`r1 verify --tsv`). Math-Verify needs the Python package
`math-verify`; it runs with its default settings in a process of its own, gold in dollars, a bare answer in a box, a response as
it is. A pair that takes it longer than the limit (8 s) is ended and counts as "not equal", an exception too. --wrong lists
the pairs r1 has wrong. Prints one table a file, in Markdown: pairs right by category, then both kinds of errors, times and memory.
"""
import json, os, select, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        lines = f.read().split("\n")
    rows = [line.split("\t") for line in lines[1:] if line]
    for k, row in enumerate(rows):
        if len(row) != 6 or row[2] not in ("0", "1") or row[4] not in ("answer", "response"):
            sys.exit(f"{path}: pair {k + 1} is no line of gold, candidate, 0 or 1, category, answer or response, note")
    return rows


def ours(program, path, rows):
    """Verdicts and reasons of one run over the whole file; its CPU time and peak memory."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        p = subprocess.Popen([program, "verify", "--tsv", path], stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8")
        text = p.stdout.read()
        _, status, use = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        errors.seek(0)
        said = errors.read()
    got = [line.split("\t") for line in text.splitlines()]
    if p.returncode not in (0, 1) or [g[0] for g in got] != [str(k + 1) for k in range(len(rows))]:
        sys.exit(f"{program} verify --tsv {path}: status {p.returncode}, {len(got)} lines for {len(rows)} pairs\n{said}")
    return [(int(g[1]), g[2]) for g in got], f"{use.ru_utime + use.ru_stime:.3f} s CPU for all pairs, {wall:.3f} s from start to end, {use.ru_maxrss / 1024:.1f} MB"


def worker():
    """One pair a line in, one verdict a line out; run as a process of its own so that it can be ended."""
    import logging, resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify
    print("ready", flush=True)
    for line in sys.stdin:
        gold, text, mode = json.loads(line)
        start = time.process_time()
        try:
            g = parse(gold if "$" in gold.replace("\\$", "") else f"${gold}$", parsing_timeout=None)
            a = parse(text if mode == "response" else f"\\boxed{{{text}}}", parsing_timeout=None)
            good = int(bool(verify(g, a, timeout_seconds=None)))
        except BaseException as e:  # RecursionError, MemoryError and SystemExit among them
            good = f"raised {type(e).__name__}"
        print(json.dumps([good, time.process_time() - start]), flush=True)


def rival(rows, limit):
    """Verdicts of Math-Verify with a reason, CPU time of all pairs that ended, and how many did not."""
    out, p, cpu, slowest, killed = [], None, 0.0, 0.0, 0

    def line(seconds):
        return p.stdout.readline() if select.select([p.stdout], [], [], seconds)[0] else None
    for k, row in enumerate(rows):
        if not p:
            p = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 text=True, encoding="utf-8")
            if line(300) != "ready\n":
                sys.exit("Math-Verify does not start; is math-verify installed for this Python?")
        p.stdin.write(json.dumps([row[0], row[1], row[4]]) + "\n")
        p.stdin.flush()
        got = line(limit)
        if got:
            good, seconds = json.loads(got)
            cpu, slowest = cpu + seconds, max(slowest, seconds)
            out.append((good, "") if good in (0, 1) else (0, good))
        else:
            p.kill()
            p.wait()
            p, killed = None, killed + 1
            out.append((0, f"ended after {limit:g} s"))
        if sys.stderr.isatty():
            print(f"\rMath-Verify: {k + 1} of {len(rows)}", end="", file=sys.stderr)
    if p:
        p.stdin.close()
        p.wait()
    return out, f"{cpu:.1f} s CPU for the pairs that ended, the slowest {slowest:.2f} s; {killed} ended at the limit of {limit:g} s"


def table(path, rows, sides):
    names = list(sides)
    print(f"\n{os.path.basename(path)}: {len(rows)} pairs, {sum(r[2] == '1' for r in rows)} of them equal\n")
    print("| category | pairs | " + " | ".join(names) + " |\n| --- " + "| ---: " * (1 + len(names)) + "|")
    cells = {n: [int(v[0] == int(r[2])) for v, r in zip(sides[n][0], rows)] for n in names}
    for c in dict.fromkeys(r[3] for r in rows):
        at = [k for k, r in enumerate(rows) if r[3] == c]
        print(f"| {c} | {len(at)} | " + " | ".join(str(sum(cells[n][k] for k in at)) for n in names) + " |")
    print(f"| **right** | {len(rows)} | " + " | ".join(f"**{sum(cells[n])} ({100 * sum(cells[n]) / len(rows):.1f} %)**" for n in names) + " |")
    for label, want in (("false positives", "0"), ("false negatives", "1")):
        print(f"| {label} | {sum(r[2] == want for r in rows)} | " +
              " | ".join(str(sum(not cells[n][k] for k, r in enumerate(rows) if r[2] == want)) for n in names) + " |")
    print()
    for n in names:
        print(f"{n}: {sides[n][1]}.")


def main():
    args, program, limit, with_rival, wrong = sys.argv[1:], f"{ROOT}/build/release-gcc/r1", 8.0, True, False
    if args == ["--worker"]:
        return worker()
    while args and args[0].startswith("--"):
        if args[0] in ("--program", "--limit") and len(args) > 1:
            program, limit = (args[1], limit) if args[0] == "--program" else (program, float(args[1]))
            args = args[2:]
        elif args[0] in ("--no-rival", "--wrong"):
            with_rival, wrong = with_rival and args[0] != "--no-rival", wrong or args[0] == "--wrong"
            args = args[1:]
        else:
            sys.exit(__doc__)
    if not args:
        sys.exit(__doc__)
    for path in args:
        rows = read(path)
        sides = {"r1": ours(program, path, rows)}
        if with_rival:
            sides["Math-Verify"] = rival(rows, limit)
        table(path, rows, sides)
        if wrong:
            for k, (r, (good, reason)) in enumerate(zip(rows, sides["r1"][0])):
                if good != int(r[2]):
                    print(f"{k + 1}\t{'false positive' if good else 'false negative'}\t{reason}\t{r[3]}\t{r[0][:100]}\t{r[1][:100]}\t{r[5]}")


if __name__ == "__main__":
    main()
