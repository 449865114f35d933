"""What the end-to-end tests share: running r1, reading NPY and safetensors files, counting results. Standard library only.

A test is a function marked @test; it fails by an exception. main() runs those whose name contains one of the arguments
and ends with "N passed, N failed, N skipped".
"""
import array
import json
import math
import os
import signal
import struct
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.abspath(os.environ.get("R1_TESTS", os.path.join(HERE, "..")))
R1 = os.path.abspath(os.environ.get("R1", os.path.join(HERE, "../../build/release-gcc/r1")))
MODELS = os.path.join(TESTS, "golden/models")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "r1")
REAL = os.path.join(CACHE, "models/SmolLM2-135M-Instruct.Q4_1.gguf")
TMP = tempfile.TemporaryDirectory(prefix="r1-e2e-")

for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):  # r1 leaves ignored what its parent ignores, as a job in the background does
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

tests = []


class Skip(Exception):
    pass


def test(f):
    tests.append(f)
    return f


def model(name, file=None):
    return os.path.join(MODELS, name, "gguf", file) if file else os.path.join(MODELS, name)


def real():
    if not os.path.exists(REAL):
        raise Skip("the real model was not fetched")
    return REAL


def tmp(name, text=None):
    path = os.path.join(TMP.name, name)
    if text is not None:
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    elif os.path.exists(path):
        os.remove(path)
    return path


def environment(**more):
    """The caller's environment without what would change r1: nobody's own configuration takes part."""
    e = {k: v for k, v in os.environ.items() if not k.startswith("R1_") and k not in ("NO_COLOR",)}
    e.update(XDG_CONFIG_HOME=os.path.join(TMP.name, "config"), XDG_DATA_HOME=os.path.join(TMP.name, "data"))
    e.update(more)
    return e


class Result:
    def __init__(self, p):
        self.code, self.out, self.err = p.returncode, p.stdout, p.stderr

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)


def r1(*args, stdin=b"", code=0, env=None, timeout=300):
    """Run r1, check its exit code, give what it wrote."""
    p = subprocess.run([R1, *(a if isinstance(a, bytes) else str(a) for a in args)], input=stdin.encode() if isinstance(stdin, str) else stdin, capture_output=True,
                       env=environment(**(env or {})), timeout=timeout)
    r = Result(p)
    assert r.code == code, f"r1 {' '.join(map(str, args))[:200]} ended with {r.code}, expected {code}: {r.err.decode(errors='replace')[-500:]}"
    return r


def fails(code, *words, args, stdin=b"", env=None):
    """r1 must end with `code` and one sentence on standard error that has all the words."""
    r = r1(*args, stdin=stdin, code=code, env=env)
    message = r.err.decode()
    assert message.startswith("r1: ") and message.count("\n") == 1 and len(message) > 10, f"not one sentence: {message!r}"
    for w in words:
        assert w in message, f"{w!r} is not in {message!r}"
    return r


def npy(data):
    """Rows of floats of an NPY 1.0 file; checks the header r1 promises."""
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    n = struct.unpack("<H", data[8:10])[0]
    assert (10 + n) % 64 == 0 and data[9 + n:10 + n] == b"\n"
    header = eval(data[10:10 + n], {"__builtins__": {}}, {})  # noqa: S307: our own output, no names
    assert header["descr"] == "<f4" and header["fortran_order"] is False, header
    rows, columns = header["shape"]
    values = array.array("f", data[10 + n:])
    assert len(values) == rows * columns
    return [values[i * columns:(i + 1) * columns] for i in range(rows)]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def safetensors(path, name):
    """A tensor as a flat array, and its shape."""
    b = read(path)
    n = struct.unpack("<Q", b[:8])[0]
    t = json.loads(b[8:8 + n])[name]
    a = array.array({"F32": "f", "I32": "i", "F64": "d"}[t["dtype"]], b[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
    return a, t["shape"]


def matrices(path):
    """{name: (shape, values)} of a GGUF file of F32 tensors."""
    b, at = read(path), 24
    def number(n):
        nonlocal at
        at += n
        return int.from_bytes(b[at - n:at], "little")
    def skip(kind):
        nonlocal at
        if kind == 9:
            item, n = number(4), number(8)
            for _ in range(n):
                skip(item)
        else:
            n = number(8) if kind == 8 else {0: 1, 1: 1, 2: 2, 3: 2, 7: 1, 10: 8, 11: 8, 12: 8}.get(kind, 4)
            at += n
    n_tensors, n_keys = (int.from_bytes(b[i:i + 8], "little") for i in (8, 16))
    for _ in range(n_keys):
        n = number(8)
        at += n
        skip(number(4))
    infos = {}
    for _ in range(n_tensors):
        n = number(8)
        name, at = b[at:at + n].decode(), at + n
        shape = [number(8) for _ in range(number(4))]
        assert number(4) == 0
        infos[name] = (shape, number(8))
    at += -at % 32  # where the data start
    return {name: (shape, memoryview(b)[at + o:at + o + 4 * math.prod(shape)].cast("f").tolist()) for name, (shape, o) in infos.items()}


def expected(name):
    with open(os.path.join(MODELS, name, "expected.json"), encoding="utf-8") as f:
        return json.load(f)


def close(rows, flat, bound):
    """Whether rows agree with a flat array of truth."""
    got = [x for row in rows for x in row]
    assert len(got) == len(flat), f"{len(got)} numbers, expected {len(flat)}"
    worst = max(abs(a - b) for a, b in zip(got, flat))
    assert worst <= bound, f"off by {worst}, allowed {bound}"


def main():
    wanted, passed, failed, skipped = sys.argv[1:], 0, 0, 0
    if not os.access(R1, os.X_OK):
        print(f"FAILED: {R1} is not there\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    for f in tests:
        if wanted and not any(w in f.__name__ for w in wanted):
            continue
        try:
            f()
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"skipped {f.__name__}: {why}")
        except Exception as e:
            failed += 1
            where = traceback.extract_tb(e.__traceback__)
            line = next((t.lineno for t in reversed(where) if not t.filename.endswith("harness.py")), 0)
            print(f"FAILED {f.__name__}, line {line}: {type(e).__name__} {e}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or passed == 0 else 0)
