# wire: what the tester and the solution of a Python function task say to each other, as plain data over two descriptors.
#
# A message is four bytes of length (big-endian) and JSON in ASCII. A request is [op, target, ...]; the answer is {"ok": value} or
# {"ex": exception}, with what the call changed in its arguments in "m". Either side may ask while it waits for an answer (a test may
# pass a function), so requests nest and answers come in order. "live" is what one side changed in containers that both keep alike, "lent"
# what a call changed in members of objects of the test.
#
# Values: None, booleans, numbers and strings are themselves; everything else is an object with one letter of those below.
# Containers that can change are numbered as they are met, so that shared and circular ones stay so and changes can be told.
# What is not plain data stays where it is and crosses as a number ("o"); the other side calls it from afar.
#
# Nothing that arrives is executed or unpickled, and nothing is built but the exact types of this file: a value that came over
# the wire has no methods of the other side. The tester trusts no more than this file says.
import sys, os, _json, builtins
from types import (AsyncGeneratorType, FunctionType, BuiltinFunctionType, MethodType, GeneratorType, CoroutineType, ModuleType, TracebackType, MethodWrapperType,
                   MethodDescriptorType, WrapperDescriptorType)

MESSAGE_MAX = 1 << 28
RAW = ("glob", "state", "members", "derive")  # requests whose answer is read by those who ask
INT_BITS = 12000        # larger integers cross as hexadecimal
SCALARS = frozenset((int, float, str, bool, type(None)))
is_ = lambda a, b: a is b
io_open = open
KEYS, VALUES, ITEMS = type({}.keys()), type({}.values()), type({}.items())
ITERATORS = (GeneratorType, map, filter, zip, enumerate, reversed) + tuple(type(iter(x)) for x in ([], (), {}, {}.values(), {}.items(), set(), "", b"", range(0)))
FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, MethodWrapperType, MethodDescriptorType, WrapperDescriptorType)
# Classes that cross by name, both ways.
BUILTIN_CLASSES = {c.__name__: c for c in vars(builtins).values() if type(c) is type}
LIBRARY_CLASSES = {"collections": ("Counter", "OrderedDict", "defaultdict", "deque", "ChainMap"), "decimal": ("Decimal",),
                   "fractions": ("Fraction",), "datetime": ("date", "datetime", "time", "timedelta", "timezone")}
LIBRARY_MAKERS = {"pathlib": ("PosixPath", "PurePosixPath"), "uuid": ("UUID",), "re": ("compile",), "io": ("StringIO", "BytesIO")}


class WireError(Exception):
    pass


class Ended(BaseException):
    """The other side is gone; not an Exception, so that a test's `except Exception` does not hide it."""


def make_json():
    class Context:
        strict, object_hook, object_pairs_hook, memo = True, None, None, {}
        parse_float, parse_int = float, int
        parse_constant = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.__getitem__
    def default(o):
        raise WireError("a value of type %s" % type(o).__name__)
    try:  # the two functions behind json; that package costs 5 ms of start
        encoder = _json.make_encoder(None, default, _json.encode_basestring_ascii, None, ":", ",", False, False, True)
        scanner = _json.make_scanner(Context())
        encode = lambda v: "".join(encoder(v, 0))
        decode = lambda s: scanner(s, 0)[0]
        if encode(decode('[1,{"a":NaN}]')) == '[1,{"a":NaN}]':
            return encode, decode
    except Exception:
        pass
    import json
    return lambda v: json.dumps(v, separators=(",", ":"), default=default), json.loads


to_json, from_json = make_json()


def is_stream(x):
    return type(x).__module__ == "_io" and type(x).__name__ in ("StringIO", "BytesIO")


def plain_run(items):
    """Whether all items may stand in JSON as they are."""
    types = set(map(type, items))
    if not types <= SCALARS:
        return False
    if int in types:
        ints = items if len(types) == 1 else [x for x in items if type(x) is int]
        if max(ints).bit_length() > INT_BITS or min(ints).bit_length() > INT_BITS:
            return False
    if str in types:
        try:
            "".join(items if len(types) == 1 else [x for x in items if type(x) is str]).encode()
        except UnicodeEncodeError:
            return False
    return True


class Encoder:
    """One message. objects: containers already known to both sides, in order."""

    def __init__(self, peer, objects=()):
        self.peer = peer
        self.objects = list(objects)
        self.index = {id(o): i for i, o in enumerate(self.objects)}
        self.first, self.tracking, self.within = 1, 0, False  # how many objects there are once a result is;  how many more containers may be kept alike on both sides; inside of one that is

    def container(self, x, out):
        """A container that can change: as one seen before, or what `out` makes of it."""
        i = self.index.get(id(x))
        if i is not None:
            return {"r": i}
        n = self.peer.live_ids.get(id(x))
        if n is not None:
            return {"W": n}
        self.known(x)
        n = self.peer.track(x, self) if self.tracking else None
        if n is None:
            return out()
        inner, self.within = self.within, True
        made = out()
        self.within = inner
        made["w"] = n
        return made

    def known(self, x):
        i = self.index.get(id(x))
        if i is None:
            self.index[id(x)] = len(self.objects)
            self.objects.append(x)
        return i

    def run(self, items):
        items = list(items)
        return items if plain_run(items) else [self.value(x) for x in items]

    def value(self, x):
        t = type(x)
        if t in SCALARS:
            if t is int and x.bit_length() > INT_BITS:
                return {"i": hex(x)}
            if t is str and not x.isascii():
                try:
                    x.encode()
                except UnicodeEncodeError:
                    return {"u": x.encode("utf-8", "surrogatepass").hex()}
            return x
        f = ENCODE.get(t)
        if f:
            return f(self, x)
        return self.other(x, t)

    def content(self, x):
        """Of a container that is known: what is in it now."""
        t = type(x)
        if t is bytearray:
            return x.hex()
        if is_stream(x):
            return [] if x.closed else [self.value(x.getvalue()), x.tell()]
        if isinstance(x, dict):
            return [self.run(dict.keys(x)), self.run(dict.values(x))]
        if isinstance(x, (list, set)) or t.__name__ == "deque":
            return self.run(x)
        return self.state(x)

    def state(self, x):
        d = dict(vars(x)) if hasattr(x, "__dict__") else {}
        for c in type(x).__mro__:
            slots = c.__dict__.get("__slots__", ())
            for s in (slots,) if type(slots) is str else slots:
                if s not in ("__dict__", "__weakref__") and hasattr(x, s):
                    d[s] = getattr(x, s)
        return [[str(k) for k in d], [self.value(v) for v in d.values()]]

    def other(self, x, t):
        module = getattr(t, "__module__", "")
        f = LIBRARY_ENCODE.get((module, t.__name__))
        if f:
            return f(self, x)
        if issubclass(t, BaseException):
            return {"X": self.peer.exception(x)}
        if self.peer.is_remote(t):
            return self.peer.export(x, None)
        if isinstance(x, type):
            return self.peer.export_class(x)
        if self.peer.is_shared_class(t):
            i = self.known(x)
            if i is None and hasattr(t, "_member_map_") and type(getattr(x, "_name_", None)) is str:
                return {"n": t.__name__, "m": x._name_}
            return {"r": i} if i is not None else {"n": t.__name__, "a": self.state(x)}
        if self.peer.keeps(t):
            return self.peer.export(x, "z")
        for base, f in SUBCLASS_ENCODE:
            if isinstance(x, base):
                return f(self, x)
        return self.peer.export(x, None)

    # ---- one method a type ----

    def tuple(self, x):
        return {"t": self.run(tuple.__iter__(x))}

    def named_tuple(self, x):
        fields = getattr(type(x), "_fields", None)
        if type(fields) is tuple and len(fields) == len(x) and all(type(f) is str for f in fields):
            return {"N": [type(x).__name__, list(fields), self.run(tuple.__iter__(x))]}
        return self.tuple(x)

    def list(self, x):
        return self.container(x, lambda: {"l": self.run(list.__iter__(x))})

    def set(self, x):
        return self.container(x, lambda: {"s": self.run(set.__iter__(x))})

    def dict(self, x, kind=None, extra=None):
        more = {"k": kind, "e": extra} if kind else {}
        return self.container(x, lambda: {"d": self.run(dict.keys(x)), "v": self.run(dict.values(x)), **more})

    def bytearray(self, x):
        return self.container(x, lambda: {"B": x.hex()})

    def deque(self, x):
        return self.container(x, lambda: {"q": self.run(x), "m": x.maxlen})

    def stream(self, x):
        if x.closed:
            return self.peer.export(x, "z")
        i = self.known(x)
        return {"L": ["io." + type(x).__name__, *self.content(x)]} if i is None else {"r": i}

    def zone(self, z):
        if z is None:
            return None
        d = z.utcoffset(None)
        if d is None:
            return None
        return [d.days, d.seconds, d.microseconds]

    def moment(self, x):
        name = type(x).__name__
        fields = {"date": "year month day", "time": "hour minute second microsecond", "timedelta": "days seconds microseconds",
                  "datetime": "year month day hour minute second microsecond", "timezone": ""}[name].split()
        zone = self.zone(x) if name == "timezone" else self.zone(x.tzinfo) if name in ("time", "datetime") else None
        return {"T": [name, [getattr(x, f) for f in fields], zone]}


ENCODE = {
    list: Encoder.list, tuple: Encoder.tuple, dict: Encoder.dict, set: Encoder.set, bytearray: Encoder.bytearray,
    frozenset: lambda e, x: {"f": e.run(x)},
    bytes: lambda e, x: {"b": x.hex()},
    memoryview: lambda e, x: {"b": x.tobytes().hex()},
    complex: lambda e, x: {"c": [x.real, x.imag]},
    range: lambda e, x: {"g": [e.value(x.start), e.value(x.stop), e.value(x.step)]},
    slice: lambda e, x: {"S": [e.value(x.start), e.value(x.stop), e.value(x.step)]},
    type(...): lambda e, x: {"E": "..."},
    TracebackType: lambda e, x: None,
    type(NotImplemented): lambda e, x: {"E": "NotImplemented"},
    KEYS: lambda e, x: {"K": e.run(x)},
    VALUES: lambda e, x: {"V": e.run(x)},
    ITEMS: lambda e, x: {"I": e.run(x)},
}
LIBRARY_ENCODE = {
    ("collections", "deque"): Encoder.deque,
    ("collections", "Counter"): lambda e, x: e.dict(x, "Counter"),
    ("collections", "OrderedDict"): lambda e, x: e.dict(x, "OrderedDict"),
    ("collections", "defaultdict"): lambda e, x: e.dict(x, "defaultdict", e.value(x.default_factory)),
    ("decimal", "Decimal"): lambda e, x: {"D": str(x)},
    ("fractions", "Fraction"): lambda e, x: {"F": [e.value(x.numerator), e.value(x.denominator)]},
    ("pathlib", "PosixPath"): lambda e, x: {"L": ["pathlib.PosixPath", str(x)]},
    ("pathlib", "PurePosixPath"): lambda e, x: {"L": ["pathlib.PurePosixPath", str(x)]},
    ("uuid", "UUID"): lambda e, x: {"L": ["uuid.UUID", str(x)]},
    ("re", "Pattern"): lambda e, x: {"L": ["re.compile", e.value(x.pattern), x.flags]},
    ("_io", "StringIO"): lambda e, x: e.stream(x),
    ("_io", "BytesIO"): lambda e, x: e.stream(x),
    ("array", "array"): lambda e, x: {"A": [x.typecode, e.run(x)]},
    **{("datetime", n): Encoder.moment for n in ("date", "datetime", "time", "timedelta", "timezone")},
}
# Objects of derived classes become what they derive from: numbers and texts first.
SUBCLASS_ENCODE = (
    (int, lambda e, x: e.value(int.__int__(x) + 0)), (float, lambda e, x: float.__add__(x, 0.0) if float.__ne__(x, 0.0) else float.__float__(x)),
    (str, lambda e, x: e.value("".join(str.__iter__(x)))), (complex, lambda e, x: {"c": [x.real, x.imag]}),
    (bytes, lambda e, x: {"b": bytes.hex(x)}), (tuple, Encoder.named_tuple), (list, Encoder.list), (dict, Encoder.dict), (set, Encoder.set),
    (frozenset, lambda e, x: {"f": e.run(frozenset.__iter__(x))}),
)


class Decoder:
    def __init__(self, peer, objects=()):
        self.peer = peer
        self.objects = list(objects)

    def run(self, items):
        if type(items) is not list:
            raise WireError("a list was expected")
        if set(map(type, items)) <= SCALARS:
            return items
        return [self.value(x) for x in items]

    def value(self, x):
        t = type(x)
        if t in SCALARS:
            return x
        if t is dict:
            for key in x:  # the first key tells the kind
                f = DECODE.get(key)
                if f:
                    out = f(self, x[key], x)
                    if "w" in x and key in "lsdBq":
                        self.peer.becomes_live(x["w"], out)
                    return out
                break
        raise WireError("not a value")

    def new(self, x):
        self.objects.append(x)
        return x

    def fill(self, x, content):
        """Give a known container new content."""
        if type(x) is list:
            x[:] = self.run(content)
        elif type(x) is bytearray:
            x[:] = bytes.fromhex(content)
        elif isinstance(x, dict):
            new = list(zip(self.run(content[0]), self.run(content[1])))
            dict.clear(x)
            for k, v in new:
                dict.__setitem__(x, k, v)
        elif isinstance(x, set):
            new = self.run(content)
            x.clear()
            x.update(new)
        elif type(x).__name__ == "deque":
            new = self.run(content)
            x.clear()
            x.extend(new)
        elif isinstance(x, list):
            x[:] = self.run(content)
        elif is_stream(x):
            self.fill_stream(x, content)
        else:
            self.fill_state(x, content)

    def fill_stream(self, x, content):
        if not content:
            x.close()
        else:
            text, at = self.run(content)
            x.seek(0)
            x.truncate()
            x.write(text)
            x.seek(at)

    def fill_state(self, x, content):
        names, values = content
        if any(type(n) is not str or n.startswith("__") for n in names):
            raise WireError("a name")
        values = self.run(values)
        if hasattr(x, "__dict__"):
            for n in list(vars(x)):
                if n not in names:
                    del vars(x)[n]
        for n, v in zip(names, values):
            object.__setattr__(x, n, v)

    # ---- one method a kind ----

    def ref(self, v, x):
        return self.objects[v]

    def list(self, v, x):
        out = self.new([])
        out.extend(self.run(v))
        return out

    def set(self, v, x):
        out = self.new(set())
        out.update(self.run(v))
        return out

    def dict(self, v, x):
        kind = x.get("k")
        if kind is None:
            out = self.new({})
        else:
            import collections
            if kind not in ("Counter", "OrderedDict", "defaultdict"):
                raise WireError("a kind of dictionary")
            out = self.new(getattr(collections, kind)())
        for k, w in zip(self.run(v), self.run(x["v"])):
            dict.__setitem__(out, k, w) if kind != "OrderedDict" else out.__setitem__(k, w)
        if kind == "defaultdict":
            out.default_factory = self.value(x["e"])
        return out

    def bytearray(self, v, x):
        return self.new(bytearray(bytes.fromhex(v)))

    def deque(self, v, x):
        from collections import deque
        out = self.new(deque(maxlen=x["m"]))
        out.extend(self.run(v))
        return out

    def named_tuple(self, v, x):
        from collections import namedtuple
        name, fields, items = v
        c = self.peer.named_class(name)
        if isinstance(c, type) and issubclass(c, tuple) and getattr(c, "_fields", None) == tuple(fields):
            return c(*self.run(items))
        key = (name, *fields)
        c = self.peer.tuples.get(key)
        if c is None:
            c = self.peer.tuples[key] = namedtuple(name, fields)
        return c(*self.run(items))

    def instance(self, v, x):
        c = self.peer.shared_class(v)
        if "m" in x:
            return self.new(c.__members__[x["m"]])
        out = self.new(c.__new__(c))
        self.fill_state(out, x["a"])
        return out

    def moment(self, v, x):
        import datetime
        name, fields, zone = v
        if name not in LIBRARY_CLASSES["datetime"]:
            raise WireError("a kind of time")
        if zone is not None:
            zone = datetime.timezone(datetime.timedelta(*zone))
            return zone if name == "timezone" else getattr(datetime, name)(*fields, tzinfo=zone)
        return getattr(datetime, name)(*fields)

    def klass(self, v, x):
        if v in BUILTIN_CLASSES:
            return BUILTIN_CLASSES[v]
        module, _, name = v.partition(".")
        if name not in LIBRARY_CLASSES.get(module, ()):
            raise WireError("a class")
        return getattr(__import__(module), name)

    def decimal(self, v, x):
        from decimal import Decimal
        return Decimal(v)

    def fraction(self, v, x):
        from fractions import Fraction
        return Fraction(self.value(v[0]), self.value(v[1]))

    def array(self, v, x):
        from array import array
        return array(v[0], self.run(v[1]))

    def library(self, v, x):
        module, _, name = v[0].partition(".")
        if name not in LIBRARY_MAKERS.get(module, ()):
            raise WireError("a class")
        if module == "io":
            out = self.new(getattr(__import__(module), name)())
            self.fill_stream(out, v[1:])
            return out
        return getattr(__import__(module), name)(*(self.value(a) for a in v[1:3]))

    def items(self, v, x):
        return dict(self.value(p) for p in v).items()


DECODE = {
    "l": Decoder.list, "s": Decoder.set, "d": Decoder.dict, "B": Decoder.bytearray, "q": Decoder.deque, "r": Decoder.ref,
    "N": Decoder.named_tuple, "n": Decoder.instance, "T": Decoder.moment, "x": Decoder.klass, "D": Decoder.decimal,
    "L": Decoder.library, "F": Decoder.fraction, "A": Decoder.array, "I": Decoder.items,
    "t": lambda d, v, x: tuple(d.run(v)),
    "f": lambda d, v, x: frozenset(d.run(v)),
    "i": lambda d, v, x: int(v, 16),
    "u": lambda d, v, x: bytes.fromhex(v).decode("utf-8", "surrogatepass"),
    "b": lambda d, v, x: bytes.fromhex(v),
    "c": lambda d, v, x: complex(float(v[0]), float(v[1])),
    "g": lambda d, v, x: range(*d.run(v)),
    "S": lambda d, v, x: slice(*d.run(v)),
    "E": lambda d, v, x: {"...": ..., "NotImplemented": NotImplemented}[v],
    "K": lambda d, v, x: dict.fromkeys(d.run(v)).keys(),
    "V": lambda d, v, x: dict(enumerate(d.run(v))).values(),
    "o": lambda d, v, x: d.peer.remote(v, x),
    "h": lambda d, v, x: d.peer.own(v),
    "X": lambda d, v, x: d.peer.rebuild_exception(v),
    "W": lambda d, v, x: d.peer.live[v][0],
}


# ---- files: test and solution each have a folder; what one writes the other finds ----

FOLDERS = ".", "/tmp"
FILES_MAX = 32 << 20


def files_in(folder, prefix, depth, out):
    with os.scandir(folder) as entries:
        for e in entries:
            if e.is_dir(follow_symlinks=False):
                if depth < 8:
                    out[prefix + e.name] = None
                    files_in(e.path, prefix + e.name + "/", depth + 1, out)
            elif e.is_file(follow_symlinks=False):
                s = e.stat(follow_symlinks=False)
                out[prefix + e.name] = s.st_mtime_ns, s.st_size, s.st_ino


def changed_files(known):
    """What has changed since `known`, which is brought up to date: [folder, path, content]; a folder has no content, what is gone has 0."""
    out, total = [], 0
    try:
        for i, folder in enumerate(FOLDERS):
            old, new = known.get(i, {}), {}
            files_in(folder, "", 0, new)
            for path, stamp in new.items():
                if path in old and old[path] == stamp:
                    continue
                content = None
                if stamp:
                    total += stamp[1]
                    if total > FILES_MAX:
                        continue
                    with io_open(folder + "/" + path, "rb") as f:
                        content = f.read().hex()
                out.append([i, path, content])
            out += [[i, path, 0] for path in old if path not in new]
            known[i] = new
    except OSError:
        pass
    return out


def write_files(files, known):
    for i, path, content in files:
        if i not in (0, 1) or type(path) is not str or any(p in ("", ".", "..") for p in path.split("/")):
            raise WireError("a file")
        full = FOLDERS[i] + "/" + path
        try:
            if content is None:
                os.makedirs(full, exist_ok=True)
            elif content == 0:
                os.remove(full) if not os.path.isdir(full) else os.rmdir(full)
            else:
                with io_open(full, "wb") as f:
                    f.write(bytes.fromhex(content))
        except OSError:
            pass
    for i, folder in enumerate(FOLDERS):
        known[i] = {}
        files_in(folder, "", 0, known[i])


def snapshot(objects):
    """What is in each of them, to see later whether a call changed it."""
    return [list(x) if isinstance(x, list) else [*dict.keys(x), *dict.values(x)] if isinstance(x, dict) else bytes(x) if type(x) is bytearray
            else set(x) if isinstance(x, set) else list(x) if type(x).__name__ == "deque"
            else (None if x.closed else x.getvalue(), x.closed or x.tell()) if is_stream(x) else None for x in objects]


def unchanged(old, new):
    if type(new) is list:
        return len(new) == len(old) and all(map(is_, new, old))
    return new == old


def changes(encoder, objects, before):
    out = []
    for i, x in enumerate(objects):
        if hasattr(type(x), "_member_map_"):
            continue  # a member of an enumeration
        if before[i] is not None and unchanged(before[i], snapshot((x,))[0]):
            continue
        out.append([i, encoder.content(x)])
    return out


def special(c, names):
    """Those of the special methods that a class or one it derives from says something of."""
    return {n for b in c.__mro__[:-1] for n in b.__dict__ if n in names}


class Peer:
    """One end of the wire."""

    def __init__(self, fd_in, fd_out):
        self.fd_in, self.fd_out = fd_in, fd_out
        self.exported, self.ids, self.remotes, self.tuples = {}, {}, {}, {}
        self.read, self.write, self.limit, self.set_limit = os.read, os.write, sys.getrecursionlimit, sys.setrecursionlimit
        self.ended = False
        self.loops, self.tasks = [], []
        self.live, self.live_ids = {}, {}  # by number: the container, and what was in it when both sides agreed

    # ---- containers that the solution keeps: what one side changes, the other finds changed when it goes on ----

    def track(self, x, encoder):
        return None

    def becomes_live(self, n, x):
        if type(n) is not int:
            raise WireError("a number")
        if n in self.live:
            self.live_ids.pop(id(self.live[n][0]), None)
        self.live[n] = [x, snapshot((x,))[0]]
        self.live_ids[id(x)] = n

    def live_changes(self, encoder=None):
        """What this side has changed since both agreed; then they agree. Without an encoder each change is a text of its own."""
        out = []
        for n, entry in list(self.live.items()):
            now = snapshot(entry[:1])[0]
            if not unchanged(entry[1], now):
                entry[1] = now
                out.append([n, (encoder or Encoder(self)).content(entry[0])])
        return out

    def live_fill(self, changed, decoder=None):
        for n, content in changed:
            entry = self.live.get(n)
            if entry:  # or each side has its own by now
                self.deep((decoder or Decoder(self)).fill, entry[0], content)
                entry[1] = snapshot(entry[:1])[0]

    def live_forget(self, below):
        for n in [n for n in self.live if n < below]:
            self.live_ids.pop(id(self.live.pop(n)[0]), None)

    # ---- messages ----

    def send(self, message):
        data = to_json(message).encode("ascii")
        if len(data) > MESSAGE_MAX:
            raise WireError("a value of %d bytes" % len(data))
        data = memoryview(len(data).to_bytes(4, "big") + data)
        try:
            while data:
                data = data[self.write(self.fd_out, data):]
        except OSError:
            self.ended = True
            raise Ended() from None

    def take(self, n):
        parts = []
        while n:
            try:
                part = self.read(self.fd_in, min(n, 1 << 20))
            except OSError:
                part = b""
            if not part:
                self.ended = True
                raise Ended()
            parts.append(part)
            n -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def receive(self):
        n = int.from_bytes(self.take(4), "big")
        if n > MESSAGE_MAX:
            raise WireError("the solution sent a message of %d bytes" % n)
        data = self.take(n)
        try:
            text = data.decode("ascii")
            return self.deep(from_json, text)
        except (StopIteration, ValueError, SystemError, RecursionError):
            raise WireError("the solution sent something that is no plain data") from None

    def deep(self, f, *args):
        """Values may be nested deeper than programs usually are."""
        old = self.limit()
        self.set_limit(max(old, 60000))
        try:
            return f(*args)
        finally:
            self.set_limit(old)

    # ---- what stays here ----

    def export(self, x, kind, **more):
        i = self.ids.get(id(x))
        if i is None:
            i = self.ids[id(x)] = len(self.exported)
            self.exported[i] = x
        name = getattr(x, "__name__", None) if isinstance(x, FUNCTIONS + (type,)) else None
        return {"o": i, "k": kind or self.kind(x), "c": name if type(name) is str else type(x).__name__, **self.describe(x), **more}

    # ---- what is awaited: a task where it lives, which the other side gives turns until it is done ----

    async def wait(self, target, step=None):
        import asyncio
        n, pause = self.ask("start", target, (step,)), 0.0
        while True:
            try:
                done = self.ask("step", target, (n, pause))
                if type(done) is tuple:
                    return done[0]
                await asyncio.sleep(0)  # others here go on
            except (asyncio.CancelledError, GeneratorExit):
                self.ask("cancel", target, (n,))
                raise
            pause = min(0.005, pause + 0.0005)

    def note_failure(self, x):
        pass

    def in_loop(self, f):
        """f(loop) with an event loop that is not running, though another may be."""
        import asyncio
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            loop = next((e for e in self.loops if not e.is_running()), None)
            if loop is None:
                loop = asyncio.new_event_loop()
                self.loops.append(loop)
            return f(loop)
        finally:
            asyncio._set_running_loop(outer)

    def start(self, x, step):
        async def run():
            try:
                return await (x if step is None else getattr(type(x), step)(x))
            except AssertionError as e:
                self.note_failure(e)
                raise
        self.tasks.append(self.in_loop(lambda loop: loop.create_task(run())))
        return len(self.tasks) - 1

    def step(self, n, pause):
        import asyncio
        task = self.tasks[n]
        def go(loop):
            loop = task.get_loop()
            if loop.is_running():
                raise RuntimeError("something awaited waits for what is waiting for it")
            loop.run_until_complete(asyncio.wait({task}, timeout=min(pause, 0.01)))
        if not task.done():
            self.in_loop(go)
        return (task.result(),) if task.done() else None

    def kind(self, x):
        if isinstance(x, FUNCTIONS):
            return "f"
        if type(x) is AsyncGeneratorType:
            return "a"
        if isinstance(x, CoroutineType) or hasattr(type(x), "__await__"):
            return "p"
        if isinstance(x, ITERATORS) or (hasattr(type(x), "__next__") and hasattr(type(x), "__iter__") and not callable(x)):
            return "i"
        return "z"

    def describe(self, x):
        return {}

    def export_class(self, x):
        module, name = x.__module__, x.__name__
        if BUILTIN_CLASSES.get(name) is x:
            return {"x": name}
        if name in LIBRARY_CLASSES.get(module, ()):
            return {"x": module + "." + name}
        return self.export(x, "c")

    def own(self, i):
        return self.exported[i]

    def is_remote(self, c):
        return False

    def is_shared_class(self, c):
        return False

    def named_class(self, name):
        return None

    def keeps(self, c):
        return False
