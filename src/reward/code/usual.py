# usual: names of Python's library that the harnesses of LeetCode's form make known before a solution, which therefore does not import them. It
# stands before the scripts that run a solution (guest.py, stdio.py). Only what the solution names is imported; what it defines itself is its own.
USUAL = {
    "operator": """add and_ attrgetter call concat contains countOf eq floordiv ge getitem gt index indexOf invert is_ is_not itemgetter le
        lshift lt mod mul ne neg not_ or_ pos rshift truediv truth xor""",
    "string": "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation whitespace",
    "re": "sub match fullmatch search subn split findall finditer I M S X ASCII IGNORECASE MULTILINE DOTALL VERBOSE UNICODE",
    "datetime": "date time timedelta timezone",
    "copy": "deepcopy",
    "random": """Random betavariate choice choices expovariate gammavariate gauss getrandbits normalvariate paretovariate randbytes randint
        randrange sample shuffle triangular uniform weibullvariate""",
    "statistics": """NormalDist StatisticsError correlation covariance fmean geometric_mean harmonic_mean linear_regression mean median
        median_grouped median_high median_low mode multimode pstdev pvariance quantiles stdev variance""",
    "io": "BytesIO StringIO",
    "json": "dump dumps load loads JSONDecoder JSONDecodeError JSONEncoder",
    "math": """acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 expm1 fabs factorial
        floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf nan
        nextafter perm pi prod radians remainder sin sinh sqrt tan tanh tau trunc ulp""",
    "bisect": "bisect_left bisect_right insort insort_left insort_right",
    "heapq": "heappush heappop heapify heapreplace merge nlargest nsmallest heappushpop",
    "functools": """update_wrapper wraps total_ordering cache cmp_to_key lru_cache reduce partial partialmethod singledispatch
        singledispatchmethod cached_property""",
    "itertools": """accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse groupby islice
        pairwise permutations product repeat starmap takewhile tee zip_longest""",
    "typing": """Pattern Match Annotated Any Callable ClassVar Concatenate Final Generic Literal Optional ParamSpec Protocol Tuple Type
        TypeVar TypeVarTuple Union AbstractSet ByteString Container ContextManager Hashable ItemsView Iterable Iterator KeysView
        Mapping MappingView MutableMapping MutableSequence MutableSet Sequence Sized ValuesView Awaitable AsyncIterator AsyncIterable
        Coroutine Collection AsyncGenerator AsyncContextManager Reversible SupportsAbs SupportsBytes SupportsComplex SupportsFloat
        SupportsIndex SupportsInt SupportsRound Deque Dict DefaultDict List Set FrozenSet NamedTuple TypedDict Generator AnyStr cast
        final LiteralString Never NewType NoReturn NotRequired overload Required runtime_checkable Self Text TypeAlias TypeGuard
        Unpack""",
    "collections": "ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque namedtuple",
}
USUAL_DEPTH = 50000  # of recursion, as they allow
TWICE = ("ChainMap", "Counter", "OrderedDict")  # of typing, but in a program rather those of collections


def names_of(code):
    """All names of a program but those of local variables; attributes as well."""
    out, codes = set(), [code]
    for c in codes:
        out.update(c.co_names)
        codes += [k for k in c.co_consts if type(k) is type(code)]
    return out


def names_in_annotations(source):
    import _ast
    out, nodes = set(), [(compile(source, "solution.py", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True), False)]
    while nodes:
        x, inside = nodes.pop()
        if type(x) is list:
            nodes += [(y, inside) for y in x]
        elif isinstance(x, _ast.AST):
            if inside and isinstance(x, _ast.Name):
                out.add(x.id)
            nodes += [(getattr(x, f, None), inside or f in ("annotation", "returns")) for f in x._fields]
    return out


def usual_names(code, source, every):
    """What a solution is given before it runs: every usual name it has, or only those of typing in its annotations."""
    used = names_of(code)
    if every:
        return {**{m: __import__(m) for m in (*USUAL, "sys") if m in used},
                **{n: getattr(__import__(m), n) for m, names in USUAL.items() for n in names.split() if n in used and hasattr(__import__(m), n)}}
    used &= set(USUAL["typing"].split())
    used.difference_update(TWICE)
    if not used:
        return {}
    import typing
    return {n: getattr(typing, n) for n in used & names_in_annotations(source) if hasattr(typing, n)}
