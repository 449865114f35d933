# tester_runs: the tests that a test text leaves to those who run it (between tester_standins.py and tester.py): classes of unittest, and functions and classes
# that are named as pytest wants them. Those that nothing has run by the end of the text are run. What unittest only notes as failed fails.
TEST_HEADS = ("def test", "async def test", "class Test")


class Runs:
    def __init__(self):
        self.called = set()  # functions and methods named test... that were called
        self.failed = None   # the first exception that unittest noted
        self.cases = self.skipped = self.n_failed = 0  # tests of unittest that ran, by the text itself or here
        self.left = []  # functions named test... that want arguments nobody gave
        self.tests = self.passed = 0  # as they are counted for the result; 0: the text is one test

    def compile(self, text):
        """The code of the test; each function named test... says when it is called."""
        if not any(line.startswith(TEST_HEADS) for line in text.split("\n")):
            return compile(text, "test.py", "exec", dont_inherit=True)
        import _ast
        tree = compile(text, "test.py", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
        functions = _ast.FunctionDef, _ast.AsyncFunctionDef
        for s in tree.body:
            if isinstance(s, functions) and s.name.startswith("test"):
                self.mark(_ast, s, s.name)
            elif isinstance(s, _ast.ClassDef) and s.name.startswith("Test"):
                for m in s.body:
                    if isinstance(m, functions) and m.name.startswith("test"):
                        self.mark(_ast, m, s.name + "." + m.name)
        return compile(tree, "test.py", "exec", dont_inherit=True)

    def mark(self, _ast, f, name):
        first = f.body[0]
        at = {n: getattr(first, n) for n in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
        says = isinstance(first, _ast.Expr) and isinstance(first.value, _ast.Constant) and type(first.value.value) is str
        call = _ast.Call(_ast.Name("r1_called", _ast.Load(), **at), [_ast.Constant(name, **at)], [], **at)
        f.body.insert(1 if says else 0, _ast.Expr(call, **at))

    # ---- unittest ----

    def watch(self):
        """Note what unittest runs, and what it finds."""
        from unittest import TestCase, TestResult
        runs, run = self, TestCase.run

        def noted(case, result=None):
            runs.cases += 1
            return run(case, result)
        TestCase.run = noted

        def note(name, error):
            old = getattr(TestResult, name)
            def method(result, *args):
                x = error(args)
                if x is not None:
                    runs.n_failed += 1
                    runs.failed = runs.failed or x
                return old(result, *args)
            setattr(TestResult, name, method)
        second = lambda args: args[1][1]
        note("addFailure", second)
        note("addError", second)
        note("addSubTest", lambda args: args[2][1] if args[2] else None)
        note("addUnexpectedSuccess", lambda args: AssertionError("%s was expected to fail" % args[0]))

        def skipped(result, *args, old=TestResult.addSkip):
            runs.skipped += 1
            return old(result, *args)
        TestResult.addSkip = skipped

    def watch_doctest(self):
        from doctest import DocTestRunner
        runs, run = self, DocTestRunner.run

        def noted(runner, test, *args, **kwargs):
            out = run(runner, test, *args, **kwargs)
            if out.failed:
                runs.failed = runs.failed or AssertionError("%d of %d examples of %s" % (*out, test.name))
            return out
        DocTestRunner.run = noted

    def run_cases(self, space):
        unittest = sys.modules.get("unittest")
        if unittest and not self.cases:
            load = unittest.defaultTestLoader.loadTestsFromTestCase
            suite = unittest.TestSuite(load(v) for v in list(space.values()) if isinstance(v, type) and issubclass(v, unittest.TestCase) and v.__module__ == "__main__")
            result = unittest.TestResult()
            result.failfast = True
            self.tests = suite.countTestCases()
            suite(result)

    def count(self):
        self.tests = max(self.tests, self.cases)
        self.passed += max(0, self.cases - self.n_failed)

    # ---- functions and classes named test ----

    def call_functions(self, space):
        found = []
        for name, v in list(space.items()):
            if getattr(v, "__module__", None) != "__main__" or type(name) is not str:
                continue
            if type(v) is FunctionType and name.startswith("test"):
                (self.left if wants_arguments(v, 0) else found).append(v)
            elif type(v) is type and name.startswith("Test") and v.__init__ is object.__init__:
                found += [bound_test(v, n) for n, m in vars(v).items() if n.startswith("test") and type(m) is FunctionType and not wants_arguments(m, 1)]
        self.tests += len(found)
        for f in found:
            finish(f())
            self.passed += 1
        self.left = [f.__name__ for f in self.left if f.__name__ not in self.called]


def wants_arguments(f, given):
    c = f.__code__
    return c.co_argcount - len(f.__defaults__ or ()) > given or c.co_kwonlyargcount > len(f.__kwdefaults__ or ())


def finish(result):
    if isinstance(result, CoroutineType):
        import asyncio
        return asyncio.run(result)
    return result


def bound_test(c, name):
    """A method of a test class as a call: a new object, and what pytest calls around it."""
    def call():
        x = c()
        test = getattr(x, name)
        def around(n):
            f = getattr(x, n, None)
            if f is not None:
                f(test) if wants_arguments(f, 1) else f()
        around("setup_method")
        try:
            finish(test())
        finally:
            around("teardown_method")
    return call


def asserts(code):
    """Whether the statements themselves hold an assert."""
    import dis
    return any(i.opname == "LOAD_ASSERTION_ERROR" for i in dis.get_instructions(code))
