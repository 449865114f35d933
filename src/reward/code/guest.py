# guest: the process that holds the solution of a Python function task. Reads source text, runs it as a module, then does what the
# tester asks over the wire (wire.py comes before this text). It has no secret: whatever the solution does to it, all that leaves are values.

DUNDERS = frozenset("""__len__ __getitem__ __setitem__ __delitem__ __contains__ __iter__ __next__ __str__ __repr__ __call__ __enter__ __exit__
    __bool__ __hash__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __pow__ __matmul__
    __radd__ __rsub__ __rmul__ __rtruediv__ __and__ __or__ __xor__ __lshift__ __rshift__ __neg__ __pos__ __abs__ __invert__ __int__ __float__
    __index__ __round__ __reversed__ __iadd__ __isub__ __imul__ __format__ __aiter__ __anext__ __aenter__ __aexit__""".split())
PLAIN_BASES = (int, float, str, complex, bytes, tuple, list, dict, set, frozenset)


class Guest(Peer):
    def __init__(self, fd_in, fd_out):
        super().__init__(fd_in, fd_out)
        self.shared, self.named, self.depth, self.files = frozenset(), frozenset(), 0, {}
        import _thread
        self.lock = _thread.RLock()
        self.module = ModuleType("solution")
        self.module.__dict__.update(__builtins__=builtins, __file__="solution.py")
        sys.modules["solution"] = self.module
        self.globals = self.module.__dict__
        self.next_live, self.floor, self.references = 0, 0, None
        self.overwritten, self.borrowed, self.calls = {}, None, {}
        self.held = {}  # by number of an object that `with` may enter: containers of the test that the call which made it got, and what was in them
        self.foreign = {}  # exceptions of the test, and their numbers there
        self.errors = {}  # the last exceptions that the tester was told of, by number: one that comes back is itself
        self.given = {}  # usual names, that it has without an import
        self.read_inside = set()  # names that functions of the solution read
        self.count_references()

    # ---- containers that the solution keeps ----

    def count_references(self):
        """How many references a container has that nobody but the encoder holds, as a result and inside of one."""
        seen, e = [], Encoder(self)
        self.references, e.tracking = seen, 1
        value = [[0]]
        self.deep(e.value, value)
        self.references = seen

    def track(self, x, encoder):
        """The number of a small container that somebody keeps; what only the call made needs none."""
        count = sys.getrefcount(x)
        if len(self.references) < 2:
            self.references.append(count)
            return None
        outermost = len(encoder.objects) == encoder.first
        if not encoder.within and count <= self.references[0 if outermost else 1] or len(x) > 200:
            return None
        encoder.tracking -= 1
        n, self.next_live = self.next_live, self.next_live + 1
        self.becomes_live(n, x)
        if len(self.live) > 32:
            self.floor = n - 31
            self.live_forget(self.floor)
        return n

    # ---- what crosses ----

    def is_shared_class(self, c):
        return c.__name__ in self.shared and self.globals.get(c.__name__) is c

    def shared_class(self, name):
        c = self.globals.get(name)
        if name not in self.shared or not isinstance(c, type):
            raise WireError("the class %s" % name)
        return c

    def named_class(self, name):
        return self.globals.get(name)

    def keeps(self, c):
        return c.__name__ in self.named and self.globals.get(c.__name__) is c

    def describe(self, x):
        c = x if isinstance(x, type) else type(x)
        if c.__module__ in ("builtins", "types") and not isinstance(x, type):
            return {"gen": 1} if c is GeneratorType else {}
        bases = [b.__name__ for b in c.__mro__ if BUILTIN_CLASSES.get(b.__name__) is b]
        # a dunder counts when the class, or one it derives from, says something of its own
        own = list(special(c, DUNDERS))
        if c.__dict__.get("__eq__") is None and "__eq__" in own and hasattr(c, "__dataclass_fields__"):
            own.remove("__eq__")
        if issubclass(c, BaseException):
            own = []
        parents = [self.export_class(b) for b in c.__mro__[1:] if self.globals.get(b.__name__) is b]
        return {"q": {"o": self.class_id(c), "c": c.__name__, "d": own, "b": bases, "g": self.globals.get(c.__name__) is c, "p": parents,
                      "s": hasattr(c, "__dataclass_fields__"), "f": [[f.name, f.init, f.repr, f.compare] for f in getattr(c, "__dataclass_fields__", {}).values()]}}

    def class_id(self, c):
        i = self.ids.get(id(c))
        if i is None:
            i = self.ids[id(c)] = len(self.exported)
            self.exported[i] = c
        return i

    def remote(self, i, x):
        """A function, iterator or object that stays with the tester."""
        r = self.remotes.get(i)
        if r is None:
            r = self.remotes[i] = self.make_remote(i, x)
        return r

    def make_remote(self, i, x):
        peer, target, kind = self, {"h": i}, x.get("k")
        if kind == "f" or kind == "c":
            def function(*args, **kwargs):
                return peer.ask("call", target, args, kwargs)
            function.__name__ = function.__qualname__ = x.get("c") or "function"
            function.__doc__ = x.get("doc")
            if "sig" in x and "inspect" in sys.modules:
                signature(function, *self.deep(Decoder(self).value, x["sig"]))
            function.r1_id = i
            self.ids_of_remotes[id(function)] = i
            return function
        if kind == "p":
            return self.wait(target)
        if kind == "a":
            return async_iterator(self, target)
        if kind == "i":
            r = RemoteIterator()
        else:
            r = type(x.get("c") or "object", (RemoteObject,), {n: remote_dunder(n) for n in x.get("d", ()) if n in DUNDERS})()
        object.__setattr__(r, "r1_peer", peer)
        object.__setattr__(r, "r1_target", target)
        self.ids_of_remotes[id(r)] = i
        return r

    ids_of_remotes = {}

    def export(self, x, kind, **more):
        i = self.ids_of_remotes.get(id(x))
        if i is not None and self.remotes.get(i) is x:
            return {"h": i}
        return super().export(x, kind, **more)

    # ---- asking the tester, while it waits for an answer ----

    def ask(self, op, target, args, kwargs=None):
        with self.lock:
            if not self.depth:
                raise RuntimeError("the test is not waiting for a call")
            e = Encoder(self)
            self.deep(self.send, [op, target, self.deep(e.run, args), self.named_args(e, kwargs)])
            while True:
                m = self.receive()
                if type(m) is list:
                    self.serve(m)
                    continue
                if "ex" in m:
                    raise self.rebuild_exception(m["ex"])
                if "again" in m:
                    return next(objects[m["again"][1]] for n, objects, _ in self.borrowed if n == m["again"][0])
                d = Decoder(self)
                v = self.deep(d.value, m["ok"])
                if op == "get" and d.objects and self.borrowed is not None:
                    self.borrowed.append((m["lent"], d.objects, snapshot(d.objects)))
                return v

    def named_args(self, e, kwargs):
        return {str(k): self.deep(e.value, v) for k, v in (kwargs or {}).items()}

    def rebuild_exception(self, x):
        out = self.make_exception(x)
        if "own" in x:
            self.foreign[id(out)] = out, x["own"]
            if len(self.foreign) > 16:
                del self.foreign[next(iter(self.foreign))]
        return out

    def make_exception(self, x):
        if x.get("n") in self.errors:
            return self.errors[x["n"]]
        c = self.exported[x["x"]["h"]] if "x" in x else self.globals.get(x["p"]) if "p" in x else BUILTIN_CLASSES.get(x["c"])
        if "m" in x:
            c = getattr(__import__(x["m"], fromlist=[""]), x["c"], None)
        if not (isinstance(c, type) and issubclass(c, BaseException)):
            c = RuntimeError
        args = self.deep(Decoder(self).run, x["a"])
        try:
            return c(*args)
        except Exception:  # its arguments are not those of its constructor
            out = c.__new__(c)
            out.args = tuple(args)
            return out

    # ---- answering ----

    def serve(self, m):
        op, target, args, kwargs = m[0], m[1], m[2], m[3]
        options = m[4] if len(m) > 4 else {}
        d = Decoder(self)
        objects, before, undo, held, reply = [], [], None, None, {}
        outer, self.borrowed = self.borrowed, []
        self.depth += 1
        try:
            try:
                self.live_fill(options.get("live", ()))
                args = self.deep(d.run, args)
                kwargs = {k: self.deep(d.value, v) for k, v in kwargs.items()}
                objects = d.objects
                before = snapshot(objects)
                undo = self.redirect(options)
                if "held" in options:
                    held = self.held[target["h"]]
                    into = Decoder(self, held[0])
                    for i, content in options["held"]:
                        self.deep(into.fill, held[0][i], content)
                    held[1] = snapshot(held[0])
                value = getattr(self, "do_" + op)(target, args, kwargs)
            finally:
                if undo:
                    undo(reply)
                files = changed_files(self.files)
                if files:
                    reply["files"] = files
            e = Encoder(self, objects)
            reply["lent"] = self.returned()
            e.tracking = 16
            reply["live"] = self.live_changes(e)
            reply["m"] = self.deep(changes, e, objects, before)
            reply["floor"] = self.floor
            e.first = len(e.objects) + 1
            reply["ok"] = value if op in RAW else self.deep(e.value, value)
            if type(value) is CoroutineType and objects:
                self.calls[reply["ok"]["o"]] = [objects, snapshot(objects)]
            if op == "step":
                reply["calls"] = self.changed_by_calls()
            if held:
                reply["held"] = self.held_changes(held)
            made = value.x if type(value) is Kept else value
            if op in ("call", "new") and objects and hasattr(type(made), "__enter__") and id(made) in self.ids:
                self.held[self.ids[id(made)]] = [objects, snapshot(objects)]
        except BaseException as x:
            if op == "step":
                reply["calls"] = self.changed_by_calls()
            reply = {"ex": self.exception(x), **{k: reply[k] for k in ("out", "err", "rest", "files", "log", "warn", "calls") if k in reply}}
            try:
                reply["lent"] = self.returned()
                if held:
                    reply["held"] = self.held_changes(held)
                e = Encoder(self, objects)
                reply["live"] = self.live_changes(e)
                reply["m"] = self.deep(changes, e, objects, before)
            except BaseException:
                reply["m"] = reply["live"] = []
        finally:
            self.depth -= 1
            self.borrowed = outer
        try:
            self.deep(self.send, reply)
        except (WireError, RecursionError, MemoryError, ValueError) as x:
            self.send({"ex": self.exception(x), "m": []})

    def changed_by_calls(self):
        """What coroutines have changed in the arguments they were called with."""
        out = []
        for i, call in list(self.calls.items()):
            changed = self.deep(changes, Encoder(self, call[0]), *call)
            done = self.exported[i].cr_frame is None
            if changed or done:
                out.append([i, changed, done])
                call[1] = snapshot(call[0])
            if done:
                del self.calls[i]
        return out

    def held_changes(self, held):
        out = self.deep(changes, Encoder(self, held[0]), *held)
        held[1] = snapshot(held[0])
        return out

    def returned(self):
        """What the call changed in containers that are members of objects of the test."""
        out = []
        for lent, objects, before in self.borrowed:
            changed = self.deep(changes, Encoder(self, objects), objects, before)
            if changed:
                out.append([lent, changed])
        return out

    def exception(self, x, depth=0):
        c = type(x)
        frames, tb = [], x.__traceback__
        while tb:
            code = tb.tb_frame.f_code
            if code.co_filename != "<r1>":
                frames.append('  File "%s", line %d, in %s\n' % (code.co_filename, tb.tb_lineno, code.co_name))
            tb = tb.tb_next
        if len(frames) > 12:
            frames[6:-6] = ["  ...\n"]
        out = {"c": [[str(b.__module__), b.__name__] for b in c.__mro__], "s": "".join(frames)}
        try:
            out["t"] = str(x)[:2000].encode("utf-8", "replace").decode()
        except BaseException:
            out["t"] = ""
        e = Encoder(self)
        try:
            out["a"] = self.deep(e.run, x.args)
            out["d"] = {k: self.deep(e.value, v) for k, v in vars(x).items() if not k.startswith("_")}
        except BaseException:
            out["a"], out["d"] = [out["t"]], {}
        for n in ("filename", "filename2", "name", "path"):  # what only the class itself keeps
            if type(getattr(x, n, None)) in (str, int, bytes):
                out["d"][n] = e.value(getattr(x, n))
        if id(x) in self.foreign and self.foreign[id(x)][0] is x:
            out["own"] = self.foreign[id(x)][1]
        if isinstance(x, SystemExit):
            out["a"] = [x.code if type(x.code) in (int, str, bool, type(None)) else str(x.code)]
        if self.globals.get(c.__name__) is c:
            out["x"] = self.export_class(c)
        if x.__suppress_context__:
            out["alone"] = 1
        if "x" in out:
            out["n"] = next(reversed(self.errors), 0) + 1
            self.errors[out["n"]] = x.with_traceback(None)  # without what its frames hold
            self.errors.pop(out["n"] - 16, None)
        for name, y in ("cause", x.__cause__), ("context", None if x.__suppress_context__ else x.__context__):
            if y is not None and depth < 4:
                out[name] = self.exception(y, depth + 1)
        return out

    def redirect(self, options):
        """Where the test has replaced standard input or output, the call sees that."""
        if not options:
            return None
        import io
        saved = sys.stdin, sys.stdout, sys.stderr
        names = {n: getattr(builtins, n) for n in options.get("names", ())}
        if "env" in options:
            for k, v in options["env"].items():
                os.environ.pop(k, None) if v is None else os.environ.__setitem__(k, v)
        if "argv" in options:
            sys.argv = options["argv"]
        told = watch_messages(options)
        patched = []
        for module, name, value in options.get("patch", ()):
            m = self.module if module == "__main__" else __import__(module, fromlist=[""])
            patched.append((m, name, getattr(m, name)))
            setattr(m, name, Decoder(self).value(value))
        if "files" in options:
            write_files(options["files"], self.files)
        if "out" in options:
            sys.stdout = io.StringIO()
        if "err" in options:
            sys.stderr = io.StringIO()
        if "in" in options:
            sys.stdin = io.StringIO(options["in"])
        for n in names:
            setattr(builtins, n, Decoder(self).value(options["names"][n]))
        mine = sys.stdin, sys.stdout, sys.stderr
        def undo(reply):
            sys.stdin, sys.stdout, sys.stderr = saved
            for n in names:
                setattr(builtins, n, names[n])
            for m, n, x in patched:
                setattr(m, n, x)
            if "out" in options:
                reply["out"] = mine[1].getvalue()
            if "err" in options:
                reply["err"] = mine[2].getvalue()
            if "in" in options:
                reply["rest"] = mine[0].read()
            if told:
                told(reply)
        return undo

    def target(self, t):
        return self.exported[t["h"]]

    def do_call(self, t, args, kwargs):
        return self.target(t)(*args, **kwargs)

    def do_new(self, t, args, kwargs):
        c = self.target(t)
        x = c(*args, **kwargs)
        if type(x) is c and not self.is_shared_class(c) and not isinstance(x, BaseException):
            return Kept(self, x)
        return x

    def do_get(self, t, args, kwargs):
        x = self.target(t)
        v = getattr(x, args[0])
        if isinstance(v, FUNCTIONS) and not isinstance(x, FUNCTIONS):
            return NotImplemented  # a method: called by name
        return v

    def do_set(self, t, args, kwargs):
        x, name, value = self.target(t), *args
        if isinstance(x, type) and name in x.__dict__:  # a patch that is taken away again leaves what was there
            self.overwritten.setdefault((id(x), name), x.__dict__[name])
        setattr(x, name, value)

    def do_del(self, t, args, kwargs):
        x, name = self.target(t), args[0]
        delattr(x, name)
        if (id(x), name) in self.overwritten:
            setattr(x, name, self.overwritten.pop((id(x), name)))

    def do_method(self, t, args, kwargs):
        return getattr(self.target(t), args[0])(*args[1:], **kwargs)

    def do_dunder(self, t, args, kwargs):
        x = self.target(t)
        if args[0] == "__iter__" and not isinstance(x, ITERATORS):
            return iter(x)
        if args[0] == "__getitem__" and isinstance(x, type) and not hasattr(type(x), "__getitem__"):
            x[args[1]]
            return x  # of a generic class
        return getattr(type(x), args[0])(x, *args[1:], **kwargs)

    do_steady = do_dunder

    def do_next(self, t, args, kwargs):
        return next(self.target(t))

    def do_seed(self, t, args, kwargs):
        import random
        random.seed(*args)

    def do_start(self, t, args, kwargs):
        return self.start(self.target(t), args[0])

    def do_step(self, t, args, kwargs):
        return self.step(*args)

    def do_cancel(self, t, args, kwargs):
        self.tasks[args[0]].cancel()

    # ---- classes of the test that derive from some of the solution ----

    def do_members(self, t, args, kwargs):
        """What a class says: names, and whether each is a function or a property."""
        out = {}
        for c in self.target(t).__mro__[:-1]:
            for n, v in c.__dict__.items():
                if type(n) is str:
                    out.setdefault(n, "f" if isinstance(v, FUNCTIONS) else "p" if isinstance(v, property) else "")
        return out

    def do_derive(self, t, args, kwargs):
        name, bases, members = args
        space = {"__module__": "solution", "__qualname__": name}
        for n, (kind, *parts) in members.items():
            if kind != "v":
                for f in parts:
                    if f is not None and n in kwargs["abstract"]:
                        f.__isabstractmethod__ = True
                made = {"f": lambda f: f, "s": staticmethod, "c": classmethod, "p": property}[kind](*parts)
            space[n] = parts[0] if kind == "v" else made
        return self.class_id(type(bases[0])(name, tuple(bases), space))

    def do_make(self, t, args, kwargs):
        """An object of such a class; its __init__ is called by the test."""
        c = self.target(t)
        return Kept(self, object.__new__(c) if c.__new__ is object.__new__ else c.__new__(c, *args, **kwargs))

    def do_super(self, t, args, kwargs):
        return getattr(self.target(t), args[0])(*args[1:], **kwargs)

    def do_superget(self, t, args, kwargs):
        return getattr(self.target(t), args[0]).__get__(args[1])

    def do_state(self, t, args, kwargs):
        x = self.target(t)
        return self.deep(Encoder(self).state, x)

    def do_plain(self, t, args, kwargs):
        """An object of a class that derives from a number, text or container, as that."""
        x = self.target(t)
        return Plain(next(b for b in PLAIN_BASES if isinstance(x, b)), x)

    def do_signature(self, t, args, kwargs):
        import inspect
        s = inspect.signature(self.target(t))
        show = lambda a: None if a is inspect.Signature.empty else [a if a is None or type(a) is str or type(a) is type else str(a)]
        return [[p.name, int(p.kind), None if p.default is p.empty else [p.default], show(p.annotation)] for p in s.parameters.values()], show(s.return_annotation)

    def do_copy(self, t, args, kwargs):
        import copy
        return Kept(self, (copy.deepcopy if args[0] else copy.copy)(self.target(t)))

    def do_dir(self, t, args, kwargs):
        return [n for n in dir(self.target(t)) if type(n) is str]

    def do_glob(self, t, args, kwargs):
        """A global name of the solution: a module and a thing of the library by name, else a value."""
        if args[0] not in self.globals:
            return {"none": 1}
        x = self.globals[args[0]]
        if type(x) is ModuleType:
            return {"mod": x.__name__}
        module = getattr(x, "__module__", None)
        if type(module) is str and module != "solution" and module in sys.modules and not isinstance(x, (int, float, str)):
            if getattr(sys.modules[module], args[0], None) is x:
                return {"imp": module, "val": None}
        e = Encoder(self)
        e.tracking = 16
        return {"val": self.deep(e.value, x)}


class Kept:
    """A result that stays here although it could cross as data."""
    def __init__(self, peer, x):
        self.peer, self.x = peer, x


class Plain:
    def __init__(self, base, x):
        self.base, self.x = base, x


ENCODE[Plain] = lambda e, p: next(f for b, f in SUBCLASS_ENCODE if b is p.base)(e, p.x)
ENCODE[Kept] = lambda e, k: k.peer.export(k.x, "z")


class RemoteIterator:
    def __iter__(self):
        return self
    def __next__(self):
        return self.r1_peer.ask("next", self.r1_target, ())


class RemoteObject:
    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        v = self.r1_peer.ask("get", self.r1_target, (name,))
        if v is NotImplemented:
            return lambda *args, **kwargs: self.r1_peer.ask("method", self.r1_target, (name, *args), kwargs)
        return v
    def __setattr__(self, name, value):
        self.r1_peer.ask("set", self.r1_target, (name, value))


def watch_messages(options):
    """Log records and warnings of a call, where the test looks at such: what tells them to it."""
    if "log" not in options and "warn" not in options:
        return None
    import logging, warnings
    records, root = [], logging.getLogger()
    handler = logging.Handler()
    handler.emit = lambda r: records.append([r.name, r.levelno, r.getMessage()])
    level = root.level
    if "log" in options:
        root.addHandler(handler)
        root.setLevel(1)
    caught = warnings.catch_warnings(record=True)
    seen = caught.__enter__()
    warnings.simplefilter("always")
    def tell(reply):
        caught.__exit__(None, None, None)
        root.removeHandler(handler)
        root.setLevel(level)
        reply["log"] = records
        reply["warn"] = [[next((c.__name__ for c in w.category.__mro__ if BUILTIN_CLASSES.get(c.__name__) is c), ""), str(w.message)] for w in seen]
    return tell


def signature(function, names, defaults, hints):
    """As inspect tells it: names with the numbers of their kinds, values of the last of them, classes of some."""
    import inspect
    function.__annotations__ = hints
    empty = inspect.Parameter.empty
    function.__signature__ = inspect.Signature([inspect.Parameter(n, inspect._ParameterKind(k), default=defaults.get(n, empty), annotation=hints.get(n, empty)) for n, k in names],
                                               return_annotation=hints.get("return", empty))


async def async_iterator(peer, target):
    while True:
        try:
            v = await peer.wait(target, "__anext__")
        except StopAsyncIteration:
            return
        yield v


def remote_dunder(name):
    return lambda self, *args, **kwargs: self.r1_peer.ask("dunder", self.r1_target, (name, *args), kwargs)


def load(guest, source, every):
    """Run the source. None, or what to tell the tester."""
    try:
        code = compile(source, "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as x:
        line = getattr(x, "lineno", None)
        text = getattr(x, "msg", None) or str(x) or "too large or too deeply nested for Python's compiler"
        return {"compile": "%s%s" % (text if isinstance(x, SyntaxError) else "%s: %s" % (type(x).__name__, text), " in line %d" % line if line else ""), "c": isinstance(x, SyntaxError)}
    inside = list(code.co_consts)
    for c in inside:
        if type(c) is type(code):
            guest.read_inside.update(c.co_names)
            inside += c.co_consts
    guest.given = usual_names(code, source, every)
    guest.globals.update(guest.given)
    try:
        exec(code, guest.globals)
    except BaseException as x:
        return {"ex": guest.exception(x)}


def main():
    peer = Guest(3, 3)
    with os.fdopen(4, "rb") as f:
        every, source = f.read(1) == b"1", f.read()  # whether it has all usual names
    sys.argv = ["solution.py"]
    sys.setrecursionlimit((USUAL_DEPTH if every else sys.getrecursionlimit()) + 12)  # for the frames of this file
    send, receive, serve = peer.send, peer.receive, peer.serve
    failure = load(peer, source, every)
    flush()
    names = [n for n in list(peer.globals)[:20000] if type(n) is str and not (n in peer.given and peer.globals[n] is peer.given[n])]
    send(failure or {"names": names, "reads": [n for n in names if n in peer.read_inside]})
    try:
        setup = receive()
        peer.shared, peer.named = frozenset(setup["shared"]), frozenset(setup["named"])
        while True:
            serve(receive())
            flush()
    except Ended:
        pass


def flush():
    try:
        sys.stdout.flush()
    except Exception:
        pass


main()
