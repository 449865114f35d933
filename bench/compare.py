"""How fast is r1, and how fast are llama.cpp and its relatives on the same file in the same minutes?

    bench/compare.sh --r1 build/release-gcc/r1 --model FILE.gguf --rival llama.cpp=FOLDER --rival 'ik=FOLDER,-rtr 1,-rtr'
                     --prefill 512 --decode 64 --depth 0,4096 --batch 1,8,16 --rounds 5

A rival is a folder with llama-bench and, for what needs them, llama-batched-bench (batches) and llama-sweep-bench (depth, where
llama-bench has no -d); or llama-bench itself. After the first comma come options for llama-bench, after the second those for
the other programs; without it they get the first ones.

Each round measures every program once after a warm-up of its own, in an order that turns from round to round, between two probes of
the memory's speed. A round does not count and is run again, up to as many times as there are rounds, when its probes differ by more
than a fifth, or when, where Linux tells it, more than a twentieth of the processors' time went to other machines of the same host (steal)
or to programs other than those measured and the one of --hog: who waits for a thread that others keep from its processor loses more than
they take. The processors are those this command may use. Printed are medians with the smallest and largest, and the same of the rounds'
ratios of r1 to the best rival of that round. Record results with --markdown in docs/results; this is a measurement and never a test.

Ctrl-C prints what the finished rounds gave and ends with 130; values of options that cannot be are refused with 2, all else that fails ends with 1.
"""
import argparse
import collections
import contextlib
import datetime
import hashlib
import json
import math
import os
import platform
import re
import resource
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SWING = 0.2          # probes of one round may differ by so much
STEAL = 0.05         # of the processors' time may be stolen in a round
OTHERS = 0.05        # of it may go to other programs
ONE_THREAD, BEST, ALONE = "r1, 1 thread", "r1 / best rival", "r1 / r1, 1 thread"
Round = collections.namedtuple("Round", "seen probes load steal others")  # seen: {program: {work: value}}; shares: None where unknown
Times = collections.namedtuple("Times", "all steal busy own")  # seconds of the processors: all, stolen, those that worked, and for us
TMP = tempfile.TemporaryDirectory(prefix="r1-compare-")


def doing(text):
    """One line on a terminal that goes away; "" takes it away."""
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        sys.stderr.write("\r" + text[:shutil.get_terminal_size().columns - 1] + "\033[K")
        sys.stderr.flush()


def say(text):
    doing("")
    print(f"compare: {text}", file=sys.stderr, flush=True)


def die(text, code=1):
    say(text)
    sys.exit(code)


def run(command, fatal=True):
    """Standard output and standard error of a command that must succeed. Rivals write logs where they stand, hence cwd."""
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=TMP.name, errors="replace", check=False)
    except OSError as e:
        die(f"cannot run '{command[0]}': {e.strerror}")
    if p.returncode in (130, -signal.SIGINT):
        raise KeyboardInterrupt  # it went to both
    if p.returncode and fatal:
        die(f"'{' '.join(command)[:300]}' ended with {p.returncode}: {p.stderr.strip()[-400:]}")
    return p.stdout, p.stderr


@contextlib.contextmanager
def reading(program, text):
    """Around what looks at the output of a program, which may be anything."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        die(f"'{program}' printed something else than the JSON of such a program: '{' '.join(text.split())[:80]}'")


def integers(lo):
    def parse(text):
        if not re.fullmatch(r"\d+(,\d+)*", text) or min(map(int, text.split(","))) < lo:
            raise argparse.ArgumentTypeError(f"'{text}', expected integers of at least {lo} between commas")
        return [int(x) for x in text.split(",")]
    return parse


def integer(text):
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}', expected an integer of at least 1")
    return int(text)


def processors(text):
    """{0, 1, 3} of "0-1,3"."""
    ranges = [part.split("-") for part in text.split(",")]
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text) or any(int(r[0]) > int(r[-1]) for r in ranges):
        raise argparse.ArgumentTypeError(f"'{text}', expected CPUs such as 0,1 or 0-3")
    return {cpu for r in ranges for cpu in range(int(r[0]), int(r[-1]) + 1)}


def listed(values):
    return ",".join(map(str, values))


def kv_said(kind):
    return f", keys and values {kind}" if kind else ""


# ---- programs ----
# A work is (kind, tokens, batch, depth). measure() returns {work: tokens per second}; start() seconds of a whole process.

class R1:
    def __init__(self, name, path, model, threads, options):
        self.name, self.path, self.model, self.threads, self.options, self.kv = name, os.path.abspath(path), model, threads, options, None

    def bench(self, *args):
        out, _ = run([self.path, "bench", self.model, *args, "--threads", str(self.threads), "--repeat", "1", "--json", "--quiet", *self.options])
        with reading(self.path, out):
            self.kv = json.loads(out).get("kv")
            return {(t["name"], t["tokens"], t["batch"], t["depth"]): t["tokens_per_s"] for t in json.loads(out)["tests"]}

    def measure(self, plan):
        speeds = {}
        args = (["--prefill", listed(plan.prefill)] if plan.prefill else []) + (["--decode", listed(plan.decode)] if plan.decode else [])
        if args:
            speeds.update(self.bench(*args, "--depth", listed(plan.depth)))
        if plan.batch:
            speeds.update(self.bench("--decode", str(plan.batch_tokens), "--batch", listed(plan.batch)))
        return speeds

    def start(self):
        ids = os.path.join(TMP.name, "one.ids")
        with open(ids, "w", encoding="ascii") as f:
            f.write("1\n")
        begin = time.monotonic()
        run([self.path, "generate", self.model, "--ids", ids, "--max-tokens", "1", "--greedy", "--ignore-eos", "--json", "--threads", str(self.threads), *self.options])
        return time.monotonic() - begin

    def version(self):
        text = run([self.path, "--version"], fatal=False)[0].strip()
        lines = text.split("\n")
        if not text.startswith("r1 "):
            die(f"--r1 '{self.path}' is no r1: its --version says '{lines[0][:80]}'")
        return " ".join(lines[:2]) + ", " + lines[-1] + kv_said(self.kv)


class Rival:
    def __init__(self, spec, model, threads):
        name, equals, rest = spec.partition("=")
        if not equals or not name:
            die(f"--rival is '{spec}', expected NAME=PATH[,OPTIONS[,OPTIONS]]")
        path, *options = rest.split(",", 2)
        path = os.path.abspath(os.path.expanduser(path))
        self.name, self.model, self.threads = name, model, threads
        self.bench = os.path.join(path, "llama-bench") if os.path.isdir(path) else path
        self.folder = os.path.dirname(self.bench)
        if not os.access(self.bench, os.X_OK):
            die(f"rival {name}: '{self.bench}' is not there")
        self.bench_options = shlex.split(options[0]) if options else []
        self.other_options = shlex.split(options[1]) if len(options) > 1 else self.bench_options
        text = "".join(run([self.bench, "--help"], fatal=False))
        self.has_depth = "--n-depth" in text
        self.no_warmup = ["--no-warmup"] if "--no-warmup" in text else ["-w", "0"] if "--warmup" in text else []
        self.build = self.kv = None
        self.missing = set()

    def other(self, program, why):
        path = os.path.join(self.folder, program)
        if os.access(path, os.X_OK):
            return path
        if program not in self.missing:
            say(f"{self.name} has no {program}, so {why} is not measured")
        self.missing.add(program)
        return None

    def llama_bench(self, *args):
        out, _ = run([self.bench, "-m", self.model, "-t", str(self.threads), "-fa", "1", "-o", "json", *args, *self.bench_options])
        with reading(self.bench, out):
            rows, speeds = json.loads(out), {}
            commit, kinds = rows[0].get("build_commit"), [rows[0].get("type_k"), rows[0].get("type_v")]
            if commit and commit != "unknown":
                self.build = f"{commit}, build {rows[0].get('build_number')}"
            if all(kinds):
                self.kv = kinds[0] if kinds[0] == kinds[1] else "/".join(kinds)
            for r in rows:
                kind, n = ("decode", r["n_gen"]) if r["n_gen"] else ("prefill", r["n_prompt"])
                speeds[(kind, n, 1, r.get("n_depth", 0))] = r["avg_ts"]
            return speeds

    @staticmethod
    def rows(out, err):
        """Lines of JSON or of a table with a header, from either stream: programs differ, and some mix them with messages."""
        found, header = [], []
        for line in (out + "\n" + err).split("\n"):
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
            cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if cells[:1] == ["PP"]:
                header = cells
            elif header and len(cells) == len(header) and re.fullmatch(r"\d+", cells[0]):
                r = dict(zip(header, cells))
                found.append({"pp": int(r["PP"]), "tg": int(r["TG"]), "pl": int(r.get("B", 1)), "n_kv": int(r["N_KV"]),
                              "speed_pp": float(r["S_PP t/s"]), "speed_tg": float(r["S_TG t/s"])})
        return found

    def sweep(self, plan, depth):
        """Prefill and decode after a context, by a program that reads prompts of one length up to it and looks at the last."""
        program = self.other("llama-sweep-bench", f"depth {depth}")
        pp = plan.prefill[0] if plan.prefill else min(depth, 512)
        tg = plan.decode[0] if plan.decode else 1
        if not program:
            return {}
        if len(plan.prefill) > 1 or len(plan.decode) > 1 or depth % pp:
            say(f"{self.name}: depth {depth} needs one prefill length that divides it and one decode length; not measured")
            return {}
        out = run([program, "-m", self.model, "-t", str(self.threads), "-fa", "1", "-c", str(depth + pp), "-b", str(max(pp, 2048)), "-ub", str(pp), "-n", str(tg),
                   "--sweep-stride", str(depth // pp), "--output-format", "jsonl", *self.other_options])
        with reading(program, "".join(out)):
            for r in self.rows(*out):
                if r["n_kv"] == depth:
                    speeds = {("prefill", pp, 1, depth): r["speed_pp"]} if plan.prefill else {}
                    return speeds | ({("decode", tg, 1, depth): r["speed_tg"]} if plan.decode else {})
        return die(f"{program} printed no row for {depth} tokens of context: {out[1].strip()[-300:]}")

    def batches(self, plan):
        program = self.other("llama-batched-bench", "batched decode")
        if not program:
            return {}
        room = max(plan.batch) * (-(-(16 + plan.batch_tokens) // 256) * 256)
        out = run([program, "-m", self.model, "-t", str(self.threads), "-fa", "1", "-c", str(room), "-npp", "16", "-ntg", str(plan.batch_tokens),
                   "-npl", listed(plan.batch), *self.other_options])
        with reading(program, "".join(out)):
            speeds = {("decode", plan.batch_tokens, r["pl"], 0): r["speed_tg"] for r in self.rows(*out)}
        if set(plan.batch) - {b for _, _, b, _ in speeds}:
            die(f"{program} printed rows for batches {sorted(b for _, _, b, _ in speeds)}, expected {plan.batch}: {out[1].strip()[-300:]}")
        return speeds

    def measure(self, plan):
        speeds = {}
        both = ["-p", listed(plan.prefill or [0]), "-n", listed(plan.decode or [0]), "-r", "1"]
        if plan.prefill or plan.decode:
            if self.has_depth:
                speeds.update(self.llama_bench(*both, "-d", listed(plan.depth)))
            else:
                if 0 in plan.depth:
                    speeds.update(self.llama_bench(*both))
                for depth in plan.depth:
                    if depth:
                        speeds.update(self.sweep(plan, depth))
        if plan.batch:
            speeds.update(self.batches(plan))
        return speeds

    def start(self):
        begin = time.monotonic()
        self.llama_bench("-p", "0", "-n", "1", "-r", "1", *self.no_warmup)
        return time.monotonic() - begin

    def version(self):
        m = re.search(r"^version: *(.+)", "".join(run([self.bench, "--version"], fatal=False)), re.M)
        known = m.group(1) if m and "unknown" not in m.group(1) else f"build {self.build}" if self.build else self.source()
        return known + kv_said(self.kv) + f"; options '{' '.join(self.bench_options)}'"

    def source(self):
        """Of a program that does not know its own version: the commit of the folder it was built from, or what can be said of the file."""
        with contextlib.suppress(OSError, AttributeError):
            with open(os.path.join(self.folder, os.pardir, "CMakeCache.txt"), encoding="utf-8", errors="replace") as f:
                home = re.search(r"^CMAKE_HOME_DIRECTORY:\w+=(.+)$", f.read(), re.M).group(1)
            commit = run(["git", "-C", home, "log", "-1", "--format=%h of %cs"], fatal=False)[0].strip() if os.path.exists(os.path.join(home, ".git")) else ""
            if commit:
                return f"built from commit {commit}"
        with open(self.bench, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        return f"no version known, file of {datetime.date.fromtimestamp(os.path.getmtime(self.bench))}, SHA-256 {digest[:16]}"


# ---- rounds ----

@contextlib.contextmanager
def hog(wanted):
    """One process that keeps a processor busy, beside whatever runs."""
    work = f"import os\nwhile os.getppid() == {os.getpid()}:\n    for _ in range(10 ** 6): pass"  # not longer than we live
    p = subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) if wanted else None
    try:
        yield
    finally:
        if p:
            p.kill()
            p.wait()


def probe(r1):
    """GB/s that all threads read from memory; None when this r1 cannot tell."""
    out, _ = run([r1.path, "bench", "--roof", "--repeat", "3", "--json", "--quiet", "--threads", str(r1.threads)], fatal=False)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return json.loads(out)["roof"]["read_gb_s"]
    return None


def own_time():
    """Seconds of a processor that this program took, and those it started and that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in both)


def processor_time(path="/proc/stat"):
    """Times of the processors we may use, since the start of Linux; None elsewhere."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        with open(path, encoding="ascii") as f:
            rows = {words[0]: [int(x) for x in words[1:9]] for words in map(str.split, f) if words and words[0].startswith("cpu")}
        names = [f"cpu{i}" for i in os.sched_getaffinity(0)]
        used = [rows[n] for n in names] if all(n in rows for n in names) else [rows["cpu"]] if "cpu" in rows else []
        if used and all(len(r) == 8 for r in used):  # user, nice, system, idle, iowait, irq, softirq, steal
            user, nice, system, idle, iowait, irq, softirq, steal = map(sum, zip(*used))
            busy, tick = user + nice + system + irq + softirq, os.sysconf("SC_CLK_TCK")
            return Times((busy + idle + iowait + steal) / tick, steal / tick, busy / tick, own_time())
    return None


def shares(before, after):
    """Of the processors' time between: what other machines took, what other programs took."""
    if not before or not after or after.all <= before.all:
        return None, None
    d = Times(*(b - a for a, b in zip(before, after)))
    return d.steal / d.all, max(0, d.busy - d.own) / d.all


def one_round(programs, plan, number, name):
    load, begin, seen = os.getloadavg()[0], processor_time(), {}
    doing(f"{name}, speed of the memory")
    before = probe(programs[0])
    turn = number % len(programs)
    with hog(plan.hog):
        for i, p in enumerate(programs[turn:] + programs[:turn]):
            doing(f"{name}, program {i + 1} of {len(programs)}: {p.name}")
            seen[p.name] = {("start", 1, 1, 0): p.start()} if plan.start else p.measure(plan)
    doing(f"{name}, speed of the memory")
    probes = before, probe(programs[0])
    doing("")
    return Round(seen, probes, load, *shares(begin, processor_time()))


def why_unsteady(r):
    """"" when the round counts."""
    a, b = r.probes
    if a is not None and b is not None and abs(a - b) > SWING * max(a, b):
        return "the memory's speed changed"
    if r.steal is not None and r.steal > STEAL:
        return "other machines took the processors"
    return f"other programs took {100 * r.others:.0f} % of the processors" if r.others is not None and r.others > OTHERS else ""


def all_rounds(programs, plan, good, dropped):
    while len(good) < plan.rounds and len(dropped) < plan.rounds:
        again = f", after {len(dropped)} that did not count" if dropped else ""
        r = one_round(programs, plan, len(good) + len(dropped), f"round {len(good) + 1} of {plan.rounds}{again}")
        why = why_unsteady(r)
        (dropped if why else good).append(r)
        shown = "no probe" if None in r.probes else f"probes {r.probes[0]:.1f} and {r.probes[1]:.1f} GB/s"
        steal = "" if r.steal is None else f", steal {100 * r.steal:.1f} %"
        others = "" if r.others is None or why.startswith("other programs") else f", other programs {100 * r.others:.1f} %"
        say(f"round {len(good)} of {plan.rounds}, {shown}, load {r.load:.2f}{steal}{others}{f': does not count, {why}' if why else ''}")


# ---- results ----

def spread(values, digits=1):
    if len(values) == 0:
        return "-"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def work_name(work, plan):
    kind, tokens, batch, depth = work
    if kind == "start":
        return "start to first token, s"
    return f"{kind} {tokens}" + (f", {batch} sequences" if batch > 1 else "") + (f", depth {depth}" if depth else "") + (", busy machine" if plan.hog else "")


def summary(rounds, programs, rivals):
    """[(work, {program: values}, {name: ratios})], r1 to the best rival, and to itself with one thread where that was measured; for
    times the smaller is the better one."""
    works = sorted({w for r in rounds for s in r.seen.values() for w in s}, key=lambda w: (w[3], w[2], w[0] != "prefill", w[1]))
    rows = []
    for w in works:
        values = {p.name: [r.seen[p.name][w] for r in rounds if w in r.seen[p.name]] for p in programs}
        ratios = {BEST: [], ALONE: []}
        for seen in (r.seen for r in rounds):
            theirs, ours = [seen[r.name][w] for r in rivals if w in seen[r.name]], seen["r1"].get(w)
            if theirs and ours:
                ratios[BEST].append(min(theirs) / ours if w[0] == "start" else ours / max(theirs))
            if ours and ONE_THREAD in seen:
                ratios[ALONE].append(seen[ONE_THREAD][w] / ours if w[0] == "start" else ours / seen[ONE_THREAD][w])
        rows.append((w, values, {k: v for k, v in ratios.items() if v}))
    return rows


def machine():
    cpu = {}
    with contextlib.suppress(OSError):
        cpu = dict(re.findall(r"^([^:\n]+?): +(.*)$", run(["lscpu"])[0], re.M))
    units = [f for f in ("avx2", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp") if f in cpu.get("Flags", "").split()]
    return (f"{cpu.get('Model name', platform.machine())}, family {cpu.get('CPU family', '?')} model {cpu.get('Model', '?')}, {os.cpu_count()} CPUs, "
            f"{' '.join(units)}, Linux {platform.release()}")


def weights(r1, model):
    """The type most weights of a file have, and bits per weight."""
    with contextlib.suppress(ValueError, KeyError):
        shown, n = json.loads(run([r1.path, "show", model, "--json"], fatal=False)[0]), collections.Counter()
        for t in shown["tensors"]:
            n[t["type"]] += math.prod(t["shape"])
        return f", mostly {n.most_common(1)[0][0]}, {shown['bits_per_weight']:.2f} bits per weight"
    return ""


def head(a, programs, good, dropped, load):
    pinned = f", pinned to CPUs {listed(sorted(a.pin))}" if a.pin else ""
    lines = [f"{machine()}; load average {load:.2f} before",
             f"{os.path.basename(a.model)}, {os.path.getsize(a.model)} bytes{weights(programs[0], a.model)}; {a.threads} threads{pinned}, -fa 1; {time.strftime('%Y-%m-%d')}"]
    lines += [f"{p.name}: {p.version()}" for p in programs]
    probes = [x for r in good for x in r.probes if x is not None]
    steal, others = ([100 * x for x in values if x is not None] for values in ([r.steal for r in good], [r.others for r in good]))
    lines.append(f"{len(good)} rounds that count, {len(dropped)} that do not; memory {spread(probes)} GB/s" + (f"; load average {spread([r.load for r in good], 2)} as rounds began" if good else "")
                 + (f"; steal {spread(steal)} %" if steal else "") + (f"; other programs {spread(others)} % of the processors" if others else ""))
    return lines


def markdown(a, lines, rows, programs):
    names = [p.name for p in programs]
    kinds = [k for k in (BEST, ALONE) if any(k in ratios for _, _, ratios in rows)]
    out = [f"    {a.command}", ""] + [f"{line}  " for line in lines] + ["", "| " + " | ".join(["work"] + names + kinds) + " |", "| --- |" + " --- |" * len(names + kinds)]
    for w, values, ratios in rows:
        digits = 3 if w[0] == "start" else 1
        out.append("| " + " | ".join([work_name(w, a)] + [spread(values[n], digits) for n in names] + [spread(ratios.get(k, []), 2) for k in kinds]) + " |")
    return "\n".join(out) + "\n"


def text(lines, rows, programs, a):
    print("\n".join(lines))
    for w, values, ratios in rows:
        print(f"\n{work_name(w, a)}")
        for p in programs:
            print(f"  {p.name:24} {spread(values[p.name], 3 if w[0] == 'start' else 1)}")
        for name, r in ratios.items():
            print(f"  {name:24} {spread(r, 2)}")


class Parser(argparse.ArgumentParser):
    def error(self, message):
        die(message.removeprefix("argument "), 2)


def options():
    p = Parser(prog="bench/compare.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--r1", required=True, metavar="PATH")
    p.add_argument("--r1-options", default="", help="more options for r1 bench and r1 generate")
    p.add_argument("--r1-model", metavar="FILE", help="the model in a form of r1's own (r1 pack); rivals read --model")
    p.add_argument("--model", required=True, metavar="FILE")
    p.add_argument("--rival", action="append", default=[], metavar="NAME=PATH[,OPTIONS[,OPTIONS]]")
    p.add_argument("--threads", type=integer, default=min(2, os.cpu_count() or 2), help="of every program; without it 2, or 1 where there is one")
    p.add_argument("--pin", type=processors, metavar="LIST", help="every program runs on these CPUs, such as 0,1 or 0-3")
    p.add_argument("--prefill", type=integers(1), default=[], metavar="LIST")
    p.add_argument("--decode", type=integers(1), default=[], metavar="LIST")
    p.add_argument("--depth", type=integers(0), default=[0], metavar="LIST", help="contexts for prefill and decode")
    p.add_argument("--batch", type=integers(1), default=[], metavar="LIST", help="sequences decoded at once, from prompts of 16 tokens")
    p.add_argument("--batch-tokens", type=integer, help="tokens each of them decodes; without it those of --decode, or 32")
    p.add_argument("--rounds", type=integer, default=5, help="rounds that count; 5 without it")
    p.add_argument("--hog", action="store_true", help="a process that keeps one processor busy runs beside; also measures r1 with one thread")
    p.add_argument("--start", action="store_true", help="seconds of a whole process that opens the model and makes one token, instead of speeds")
    p.add_argument("--markdown", metavar="FILE", help="also write a table for docs/results; - for standard output")
    p.add_argument("--json", metavar="FILE", help="also write every number of every round")
    a = p.parse_args()
    if a.pin:
        if not a.pin <= os.sched_getaffinity(0):
            die(f"--pin names CPUs {listed(sorted(a.pin))}, there are {listed(sorted(os.sched_getaffinity(0)))}")
        if a.threads > len(a.pin):
            die(f"{a.threads} threads on the {len(a.pin)} CPUs of --pin would wait for each other")
        os.sched_setaffinity(0, a.pin)  # programs that are started inherit it
    if a.batch_tokens is None:
        a.batch_tokens = a.decode[0] if a.decode else 32
    for name, path in (("--model", a.model), ("--r1", a.r1), ("--r1-model", a.r1_model)):
        if path and not os.path.isfile(path):
            die(f"{name} '{path}' is no file")
    if not os.access(a.r1, os.X_OK):
        die(f"--r1 '{a.r1}' cannot be run")
    for name, path in (("--markdown", a.markdown), ("--json", a.json)):
        folder = os.path.dirname(os.path.abspath(path)) if path and path != "-" else "."
        if not os.access(folder, os.W_OK):
            die(f"{name} '{path}' cannot be written: '{folder}' is no folder that can be written to")
    if not (a.prefill or a.decode or a.batch or a.start):
        a.prefill, a.decode = [512], [64]
    a.model = os.path.abspath(a.model)
    a.command = "bench/compare.sh " + " ".join(shlex.quote(re.sub(r"(?<![\w.])[~/][^,=]*/", "", x)) for x in sys.argv[1:])
    return a


def main():
    a = options()
    own = os.path.abspath(a.r1_model) if a.r1_model else a.model
    r1 = R1("r1", a.r1, own, a.threads, shlex.split(a.r1_options))
    r1.version()
    rivals = [Rival(spec, a.model, a.threads) for spec in a.rival]
    programs = [r1] + ([R1(ONE_THREAD, a.r1, own, 1, r1.options)] if a.hog else []) + rivals
    if len({p.name for p in programs}) < len(programs):
        die("two programs have the same name")
    load = os.getloadavg()[0]
    for path in {a.model, own}:  # into the page cache
        with open(path, "rb") as f:
            while f.read(1 << 24):
                pass
    good, dropped, interrupted = [], [], False
    try:
        all_rounds(programs, a, good, dropped)
    except KeyboardInterrupt:
        interrupted = True
        say(f"interrupted after {len(good) + len(dropped)} rounds" if good or dropped else "interrupted before a round was finished")
        if not good and not dropped:
            sys.exit(130)
    if not good:
        say("no round was steady; all of them are shown, and none should be relied on")
    rounds = good or dropped
    rows = summary(rounds, programs, rivals)
    lines = head(a, programs, good, dropped, load)
    text(lines, rows, programs, a)
    if a.markdown:
        (sys.stdout.write if a.markdown == "-" else open(a.markdown, "w", encoding="utf-8").write)(("\n" if a.markdown == "-" else "") + markdown(a, lines, rows, programs))
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f:
            json.dump([{"probes": list(r.probes), "load": r.load, "steal": r.steal, "others": r.others, "counts": not why_unsteady(r),
                        "values": {n: [{"work": w[0], "tokens": w[1], "batch": w[2], "depth": w[3], "value": v} for w, v in s.items()] for n, s in r.seen.items()}}
                       for r in good + dropped], f, indent=1)
    return 130 if interrupted else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        die("interrupted", 130)
