# tester_standins: what the test has in the place of the solution's functions, objects, iterators, classes and exceptions (between wire.py
# and tester.py). Each asks the solution; none does more than its class says here, whatever the solution claims to be.
from types import CodeType, FrameType

# Comparisons and arithmetic are asked of a solution's object only where the test itself names its class: an object that comes instead
# of a number is not asked whether it is equal.
JUDGING = frozenset("""__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __pow__
    __matmul__ __radd__ __rsub__ __rmul__ __rtruediv__ __and__ __or__ __xor__ __lshift__ __rshift__ __neg__ __pos__ __abs__ __invert__
    __contains__ __hash__ __round__ __iadd__ __isub__ __imul__ __format__""".split())
OFFERED = JUDGING | frozenset("""__len__ __getitem__ __setitem__ __delitem__ __iter__ __next__ __str__ __repr__ __call__ __enter__
    __exit__ __bool__ __int__ __float__ __index__ __reversed__ __aiter__ __anext__ __aenter__ __aexit__""".split())
# What tells a number or text of an object: the same as long as nothing else is asked, so that it cannot change within one comparison.
CONVERSIONS = frozenset("__abs__ __neg__ __pos__ __invert__ __int__ __float__ __index__ __bool__ __len__ __round__".split())
COMPARED = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")


REMOTE_EXCEPTIONS = {}  # those that the solution raised, and where


class RemoteFailure(Exception):
    def __init__(self, error):
        self.error = error


class RemoteFunction:
    __slots__ = ("r1_peer", "r1_target", "__name__", "__qualname__")

    def __init__(self, peer, target, name):
        self.r1_peer, self.r1_target, self.__name__, self.__qualname__ = peer, target, name, name

    def __call__(self, *args, **kwargs):
        return self.r1_peer.ask("call", self.r1_target, args, kwargs)

    def __getattr__(self, name):
        if name == "__signature__":
            return remote_signature(self)
        if name.startswith("_") and name not in ("__annotations__", "__defaults__", "__kwdefaults__", "__wrapped__", "__code__"):
            raise AttributeError(name)
        return remote_attribute(self, name)

    def __setattr__(self, name, value):
        if name in RemoteFunction.__slots__:
            object.__setattr__(self, name, value)
        else:
            self.r1_peer.ask("set", self.r1_target, (name, value))

    __doc__ = property(lambda self: remote_attribute(self, "__doc__"))
    __class__ = property(lambda self: FunctionType)  # what isinstance and inspect ask after the type

    def __get__(self, x, c=None):  # as functions do, should the test put one into a class
        return self if x is None else MethodType(self, x)


class RemoteIterator:
    __slots__ = ("r1_peer", "r1_target")

    def __init__(self, peer, target):
        self.r1_peer, self.r1_target = peer, target

    def __iter__(self):
        return self

    def __next__(self):
        return self.r1_peer.ask("next", self.r1_target)

    def send(self, value):
        return self.r1_peer.ask("method", self.r1_target, ("send", value))

    def close(self):
        return self.r1_peer.ask("method", self.r1_target, ("close",))

    def throw(self, *args):
        return self.r1_peer.ask("method", self.r1_target, ("throw", *args))


class RemoteAsyncIterator:
    __slots__ = ("r1_peer", "r1_target")

    def __init__(self, peer, target):
        self.r1_peer, self.r1_target = peer, target

    def __aiter__(self):
        return self

    def __anext__(self):
        return self.r1_peer.wait(self.r1_target, "__anext__")

    def aclose(self):
        return self.r1_peer.wait(self.r1_target, "aclose")

    def asend(self, value):
        return self.r1_peer.ask("method", self.r1_target, ("asend", value))


def remote_attribute(x, name):
    peer, target = x.r1_peer, x.r1_target
    v = peer.ask("get", target, (name,))
    if v is NotImplemented:
        return lambda *args, **kwargs: peer.ask("method", target, (name, *args), kwargs)
    return v


def remote_signature(f):
    import inspect
    empty = inspect.Signature.empty
    parameters, back = f.r1_peer.ask("signature", f.r1_target)
    return inspect.Signature([inspect.Parameter(name, inspect._ParameterKind(kind), default=default[0] if default else empty,
                                                annotation=shown[0] if shown else empty) for name, kind, default, shown in parameters],
                             return_annotation=back[0] if back else empty)


class RemoteErrorMeta(type):
    """Of exception classes of the solution: objects are made there and crossed as exceptions do."""
    def __call__(c, *args, **kwargs):
        return c.r1_peer.ask("new", c.r1_target, args, kwargs) if "r1_target" in c.__dict__ else type.__call__(c, *args, **kwargs)


class RemoteMeta(type):
    """Of stand-ins for classes."""
    def __new__(meta, name, bases, space, **more):
        if "r1_target" in space or bases == (RemoteObject,) or not bases:
            return type.__new__(meta, name, bases, space)
        return derive(meta, name, bases, space)

    def __init__(c, *args, **more):
        pass

    def __call__(c, *args, **kwargs):
        if "r1_derived" in c.__dict__:
            x = c.r1_peer.ask("make", c.r1_target, args, kwargs)
            if type(x) is c:
                x.__init__(*args, **kwargs)
            return x
        return c.r1_peer.ask("new", c.r1_target, args, kwargs)

    def __getattr__(c, name):
        if name.startswith("__") or c.__dict__.get("r1_target") is None:
            raise AttributeError(name)
        return remote_attribute(c, name)

    def __setattr__(c, name, value):
        if "r1_derived" in c.__dict__ and isinstance(value, FUNCTIONS + (property, staticmethod, classmethod)):
            type.__setattr__(c, name, value)
        else:
            c.r1_peer.ask("set", c.r1_target, (name, value))

    def __delattr__(c, name):
        if name in c.__dict__:
            type.__delattr__(c, name)
        else:
            c.r1_peer.ask("del", c.r1_target, (name,))

    def __iter__(c):
        return c.r1_peer.ask("dunder", c.r1_target, ("__iter__",))

    def __len__(c):
        return c.r1_peer.ask("dunder", c.r1_target, ("__len__",))

    def __getitem__(c, key):
        return c.r1_peer.ask("dunder", c.r1_target, ("__getitem__", key))

    def __bool__(c):
        return True


def derive(meta, name, bases, space):
    """A class of the test that derives from some of the solution: the solution gets one whose functions are calls of the test's, and
    objects of it are made there."""
    if "__new__" in space:
        raise TypeError("%s: a class of the test that derives from one of the solution cannot have a __new__" % name)
    peer = next(b.r1_peer for b in bases if isinstance(b, RemoteMeta))
    layers, members, abstract = [], {}, []
    mixins = [c for b in bases if not isinstance(b, RemoteMeta) for c in b.__mro__[:-1]]
    kinds = {FunctionType: lambda v: ["f", v], staticmethod: lambda v: ["s", v.__func__], classmethod: lambda v: ["c", v.__func__], property: lambda v: ["p", v.fget, v.fset]}
    for d in [c.__dict__ for c in reversed(mixins)] + [space]:
        for n, v in d.items():
            if type(v) in kinds:
                members[n] = kinds[type(v)](v)
                if getattr(v, "__isabstractmethod__", False):
                    abstract.append(n)
            elif not n.startswith("__") and n != "_abc_impl":
                members[n] = ["v", v]
    for b in bases:
        layers.append(b if not isinstance(b, RemoteMeta) or "r1_derived" in b.__dict__ else super_layer(b))
    # values are the solution's from now on, as those of objects are
    own = {n: v for n, v in space.items() if n not in members or members[n][0] != "v"}
    c = type.__new__(meta, name, tuple(layers), {**own, "r1_target": None, "r1_derived": True})
    number = peer.ask("derive", None, (name, [b for b in bases if isinstance(b, RemoteMeta)], members), {"abstract": abstract})
    if type(number) is not int:
        raise WireError("a number")
    type.__setattr__(c, "r1_target", {"h": number})
    peer.classes[number] = c
    return c


def super_layer(base):
    """Between a class of the solution and those of the test: what super() finds."""
    peer, target = base.r1_peer, base.r1_target
    def method(name):
        if name in OFFERED:
            return remote_dunder(name, target)
        return lambda self, *args, **kwargs: peer.ask("super", target, (name, self, *args), kwargs)
    def offered(name):
        return name not in JUDGING or any(name in c.__dict__ for c in base.__mro__[:-1])
    def member(name):
        return property(lambda self: peer.ask("superget", target, (name, self)), lambda self, v: peer.ask("set", self.r1_target, (name, v)))
    found = peer.ask("members", target)
    if type(found) is not dict:
        raise WireError("names")
    space = {n: method(n) if kind == "f" else member(n) for n, kind in found.items()
             if kind in ("f", "p") and not n.startswith("r1_") and n not in COMPARED + ("__hash__",)
             and (not n.startswith("__") or n == "__init__" or n in OFFERED and offered(n))}
    return type.__new__(RemoteMeta, base.__name__, (base,), {**space, "r1_target": target, "r1_layer": True})


class RemoteObject(metaclass=RemoteMeta):
    r1_target = None
    r1_given, r1_mixed = True, False  # whether a call of the solution returned it; whether it is what that made of a number of the test
    r1_named = False  # whether the test names its class
    r1_judges = False  # whether objects of its class compute with others

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return remote_attribute(self, name)

    def __setattr__(self, name, value):
        self.r1_peer.ask("set", self.r1_target, (name, value))

    def __init__(self, *args, **kwargs):
        pass

    def __copy__(self):
        return self.r1_peer.ask("copy", self.r1_target, (False,))

    def __deepcopy__(self, memo):
        return self.r1_peer.ask("copy", self.r1_target, (True,))

    def __delattr__(self, name):
        self.r1_peer.ask("del", self.r1_target, (name,))

    def __dir__(self):
        return self.r1_peer.ask("dir", self.r1_target)

    @property
    def __dict__(self):
        d = Decoder(self.r1_peer)
        names, values = self.r1_peer.ask("state", self.r1_target)
        return dict(zip(names, self.r1_peer.guarded(d.run, values)))


def data_fields(fields):
    import dataclasses
    out = {}
    for name, init, shown, compared in fields:
        f = out[name] = dataclasses.field(init=init is True, repr=shown is True, compare=compared is True)
        f.name, f._field_type = name, dataclasses._FIELD
    return out


def remote_dunder(name, base=None):
    """A special method of objects of the solution; of the class `base` for objects of classes derived from it."""
    def ask(self, args, kwargs):
        if base:
            return self.r1_peer.ask("super", base, (name, self, *args), kwargs)
        return self.r1_peer.ask("dunder", self.r1_target, (name, *args), kwargs)
    def method(self, *args, **kwargs):
        peer, given = self.r1_peer, getattr(self, "r1_given", False)
        if name in CONVERSIONS:
            if self.r1_mixed:
                raise TypeError("%s of what an object of the solution made of a number of the test is not asked" % name)
            return ask(self, args, kwargs) if base else peer.steady("steady", self.r1_target, (name, *args))
        if not given or name not in JUDGING or name in ("__hash__", "__format__"):
            return ask(self, args, kwargs)
        if name == "__contains__":
            if "__iter__" not in self.r1_info["d"]:
                raise TypeError("whether an object that a call of the solution returned contains something is not asked")
            return any(args[0] is v or args[0] == v for v in self)
        v = ask(self, args, kwargs)
        if v is NotImplemented or all(isinstance(a, RemoteObject) and not a.r1_mixed for a in args) and not self.r1_mixed:
            return v
        if not isinstance(v, RemoteObject):
            raise TypeError("%s of an object that a call of the solution returned gives no number" % name)
        return peer.given(v, True)
    return method


def remote_generator(peer, target):
    sent = None
    try:
        while True:
            try:
                value = peer.ask("next", target) if sent is None else peer.ask("method", target, ("send", sent))
            except StopIteration as x:
                return x.value
            sent = yield value
    except GeneratorExit:
        peer.ask("method", target, ("close",))
        raise


def alike(x, y):
    """Objects of one class of the solution, or of classes with a common one, all named by the test."""
    return type(x) is type(y) or (isinstance(y, RemoteObject) and type(x).r1_named and type(y).r1_named
                                  and any(c in type(y).__mro__ for c in type(x).__mro__ if isinstance(c, RemoteMeta) and c is not RemoteObject))


def remote_comparison(name, plain):
    """Objects of one class of the solution that the test names are compared by that class; with anything else they are not, unless they
    derive from plain data: then that is compared here."""
    def compare(self, other):
        if not alike(self, other):
            if not plain or isinstance(other, RemoteObject):
                return NotImplemented
            value = self.r1_peer.steady("plain", self.r1_target, ())
            return getattr(type(value), name)(value, other)
        v = self.r1_peer.ask("dunder", self.r1_target, (name, other))
        return v if type(v) is bool else NotImplemented
    return compare


def same_state(self, other):
    if type(other) is not type(self):
        return NotImplemented
    return self.__dict__ == other.__dict__
