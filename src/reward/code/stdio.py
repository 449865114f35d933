# stdio: runs a Python solution of a stdio task as the program it is. A source that is no Python says so on descriptor 5, which is
# closed before any of it runs.
def r1_main():
    import builtins, io, os, sys, types
    with os.fdopen(4, "rb") as f:
        every, source = f.read(1) == b"1", f.read()  # whether it has all usual names
    try:
        code = compile(source, "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as x:
        text = "%s: %s" % (type(x).__name__, getattr(x, "msg", None) or str(x) or "too large or too deeply nested for Python's compiler")
        line = getattr(x, "lineno", None)
        text += " in line %d" % line if line else ""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
        os.write(5, text.encode("utf-8", "replace")[:1000])
        os._exit(1)
    os.close(5)

    # there is no /proc behind the name of the standard input
    real, kept = builtins.open, os.dup(0)
    def open(file, *args, **kwargs):
        return real(os.dup(kept) if file == "/dev/stdin" else file, *args, **kwargs)
    builtins.open = open

    module = types.ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __file__="solution.py", __annotations__={}, **(usual_names(code, source, True) if every else {}))
    sys.modules["__main__"] = module
    sys.argv = ["solution.py"]
    sys.setrecursionlimit((USUAL_DEPTH if every else sys.getrecursionlimit()) + 3)
    return code, module


r1_code, r1_module = r1_main()
exec(r1_code, r1_module.__dict__)
