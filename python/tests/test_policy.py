"""Restricted mode: what it refuses, in which words, and above all what it does not refuse."""

import unittest

from runner_under_test import BLOCKED_MODULES, RESTRICTED_MODULES
from worker_side import WorkerSide
from python3_cluster_runner import policy, policy_syntax

LIST = str(sorted(RESTRICTED_MODULES))
HINT = '\nTo run this, use ADMIN mode: send "mode": "admin" with an admin key, or the header X-Python3-Admin-Key.'
START = "SECURITY ERROR: Security violation: "


def refusal(code, mode="restricted", variables=(), form="exec"):
    rules = policy.Policy(mode, RESTRICTED_MODULES, BLOCKED_MODULES)
    try:
        policy_syntax.check(compile(code, "<python3>", form, 0x400), rules, variables)
    except policy.SecurityError as error:
        return error
    return None


BLOCKED_HINT = "\nWhich modules are, the setting PYTHON3_BLOCKED_MODULES of the worker nodes says."
REFUSED = {
    "import os": f"Import of 'os' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "import os.path as p": f"Import of 'os' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "import math, socketserver": f"Import of 'socketserver' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "from subprocess import run": f"Import from 'subprocess' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "from . import x": f"Import from '.' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "import ctypes": f"Module 'ctypes' is always blocked for security reasons{BLOCKED_HINT}",
    "import math, fcntl": f"Module 'fcntl' is always blocked for security reasons{BLOCKED_HINT}",
    "from multiprocessing.pool import X": f"Module 'multiprocessing' is always blocked for security reasons{BLOCKED_HINT}",
    "eval('1')": f"Function 'eval' requires Administrator role{HINT}",
    "f = open": f"Function 'open' requires Administrator role{HINT}",
    "__import__('os')": f"Function '__import__' requires Administrator role{HINT}",
    "[globals() for x in y]": f"Function 'globals' requires Administrator role{HINT}",
    "().__class__": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "f.__globals__": f"Use of attribute '__globals__' requires Administrator role{HINT}",
    "x = y.gi_frame": f"Use of attribute 'gi_frame' requires Administrator role{HINT}",
    "'{0.__class__}'.format(1)": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "'{a[0].__class__}'.format_map(d)": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "'{0:{1.__class__}}'.format(1, 2)": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "f'{x.__class__}'": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "__builtins__": f"Use of name '__builtins__' requires Administrator role{HINT}",
    "import json as __builtins__": f"Use of name '__builtins__' requires Administrator role{HINT}",
    "def f():\n global __builtins__": f"Use of name '__builtins__' requires Administrator role{HINT}",
    "try: pass\nexcept E as __builtins__: pass": f"Use of name '__builtins__' requires Administrator role{HINT}",
    "match x:\n case object(__class__=c): pass": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "import random\nrandom._os.system('id')": f"Import of 'os' requires Administrator role. Allowed modules: {LIST}{HINT}",
    "import io\nio.open('x')": f"Function 'open' requires Administrator role{HINT}",
    "from io import open": f"Function 'open' requires Administrator role{HINT}",
    "from io import FileIO": f"Use of attribute 'io.FileIO' requires Administrator role{HINT}",
    "from math import __loader__": None,
}

ALLOWED = [
    "import re; re.compile('open')",
    "direction = 'profile'  # open the file, eval it, exec os.system",
    "def f(n):\n import math\n return f(n - 1) if n else math.pi",
    "class A:\n def __init__(self): self.open = 1\n def __add__(self, o): return o.open\nclass B(A):\n"
    " __slots__ = ()\n def __init__(self): super().__init__()\n __radd__ = A.__add__",
    "if __name__ == '__main__': pass",
    "input = 3\nprint(input)",
    "def compile(x): return x\ncompile(1)",
    "for open in range(3): print(open)",
    "async def f(): await g()",
    "match p:\n case {'open': x, **rest}: pass\n case [a, *b] | (a, b): pass\n case Point(x=0): pass",
    "from collections.abc import Mapping",
    "from __future__ import annotations",
    "getattr(x, 'y'); hasattr(x, 'y'); setattr(x, 'y', 1); delattr(x, 'y'); dir(x)",
    "'{0.real} {1[__key__x]}'.format(1, d)",
    "'{} { not a format'.format(1)",
    "object.__setattr__(self, 'x', 1); f.__name__; f.__doc__; E.__members__",
    "pos.real; osc = sysx = 1; self.file.os.path.open()",
    "import datetime as d\nd.datetime.now()",
    "import random\nrandom = 5\nrandom._os",
]


class SyntaxTests(unittest.TestCase):
    def test_refusals_and_their_words(self):
        for code, message in REFUSED.items():
            with self.subTest(code):
                error = refusal(code)
                self.assertIsNotNone(error)
                if message is not None:
                    self.assertEqual(str(error), START + message)

    def test_ordinary_programs_are_not_refused(self):
        for code in ALLOWED:
            with self.subTest(code):
                self.assertIsNone(refusal(code))

    def test_the_short_cut_past_the_tree_never_skips_a_refusal(self):
        restricted = policy.Policy("restricted", RESTRICTED_MODULES, BLOCKED_MODULES)
        admin = policy.Policy("admin", RESTRICTED_MODULES, BLOCKED_MODULES)
        escaped = ["'{0.\\x5f_class_\\137}'.format(1)", "e\u1d5bal('1')", "'{0.\\N{LOW LINE}_class_\\u005f}'.format(1)"]
        for code in [*REFUSED, *escaped]:
            with self.subTest(code):
                self.assertFalse(policy_syntax.is_plainly_harmless(code, restricted))
        for code in escaped:
            self.assertIsNotNone(refusal(code), code)
        for code in ("import ctypes", "from multiprocessing.pool import X", "import \u1d9ctypes"):
            self.assertFalse(policy_syntax.is_plainly_harmless(code, admin))
        self.assertTrue(policy_syntax.is_plainly_harmless("result = [x * 2 for x in range(3)]  # direction", restricted))
        self.assertTrue(policy_syntax.is_plainly_harmless("import os, sys", admin))

    def test_a_callers_variable_may_be_called_like_a_builtin(self):
        self.assertIsNone(refusal("input + 1", variables={"input": 1}, form="eval"))
        self.assertIsNotNone(refusal("input + 1", form="eval"))

    def test_the_first_refusal_in_the_text_is_reported_with_its_line(self):
        error = refusal("x = 1\n\nimport os\neval('1')\nimport sys")
        self.assertEqual((error.line, "'os'" in str(error)), (3, True))

    def test_admin_is_refused_blocked_modules_only(self):
        for code in ("import os, sys", "eval('1'); ().__class__", "import importlib; importlib.import_module('os')"):
            self.assertIsNone(refusal(code, "admin"))
        for code in ("import ctypes", "from multiprocessing import Pool", "__import__('fcntl')",
                     "importlib.import_module('fcntl')"):  # fmt: skip
            self.assertRegex(str(refusal(code, "admin")), "(?m)is always blocked for security reasons$")

    def test_code_nested_as_deep_as_the_parser_allows_is_checked(self):
        self.assertIsNotNone(refusal("-" * 80 + "eval"))
        self.assertIsNotNone(refusal("x" + ".a" * 600 + ".__class__"))


PROGRAMS = {
    "fibonacci, decorator, generator": (
        "import functools\n@functools.lru_cache(None)\ndef fib(n): return n if n < 2 else fib(n-1) + fib(n-2)\n"
        "def gen():\n yield from (fib(n) for n in range(5))\nresult = list(gen()) + [fib(80)]",
        [0, 1, 1, 2, 3, 23416728348467685],
    ),
    "comprehension over a top-level name": ("k = 3\nresult = [k * x for x in range(3)]", [0, 3, 6]),
    "dataclass, enum, property, typing": (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\nfrom enum import Enum\n"
        "from typing import NamedTuple, Optional\nfrom collections import namedtuple\n"
        "class C(Enum):\n A = 1\nclass N(NamedTuple):\n x: int\nP = namedtuple('P', 'a b')\n"
        "@dataclass(order=True, frozen=True)\nclass D:\n v: int\n w: Optional[list] = field(default_factory=list)\n"
        " def __post_init__(self): object.__setattr__(self, 'w', [self.v])\n"
        " @property\n def twice(self): return 2 * self.v\n"
        "result = [C.A, N(1), P(1, 2), D(4), D(4).twice, D(1) < D(2)]",
        [1, [1], [1, 2], {"v": 4, "w": [4]}, 8, True],
    ),
    "statistics, datetime, json, decimal, collections": (
        "import statistics, datetime, json, decimal, collections, re\n"
        "d = datetime.datetime(2024, 1, 2)\n"
        "result = [statistics.mean([1, 2, 6]), d.strftime('%d.%m.%Y'), json.loads(json.dumps({'a': 1})),"
        " decimal.Decimal('1.1') + 1, collections.Counter('aab').most_common(1), re.compile('(o)pen').findall('open'),"
        " str(datetime.datetime.strptime('2024', '%Y').year)]",
        [3, "02.01.2024", {"a": 1}, "2.1", [["a", 2]], ["o"], "2024"],
    ),
    "class hierarchy and guarded functions": (
        "class A:\n def __init__(self, x): self.x = x\n def __repr__(self): return f'A({self.x!r})'\n"
        "class B(A):\n def __init__(self): super().__init__(5)\nb = B()\nsetattr(b, 'y', 1)\n"
        "result = [getattr(b, 'x'), getattr(b, 'z', None), hasattr(b, 'y'), 'x' in dir(b), '__class__' in dir(b), repr(b)]",
        [5, None, True, True, False, "A(5)"],
    ),
    "try, match, walrus, sorted, print": (
        "try:\n 1 / 0\nexcept ZeroDivisionError as e:\n m = str(e)\nmatch [1, 2]:\n case [a, *rest]: pass\n"
        "print(n := 5)\nresult = [m, a, rest, n, sorted('ba', key=lambda c: c)]",
        ["division by zero", 1, [2], 5, ["a", "b"]],
    ),
    "io in memory": ("import io\nfrom io import BytesIO\ns = io.StringIO()\ns.write('x')\nresult = s.getvalue()", "x"),
    "main guard": ("def main(): return 7\nif __name__ == '__main__':\n result = main()", 7),
}

RUN_TIME_REFUSED = {
    "getattr((), '__cl' + 'ass__')": "Use of attribute '__class__' requires Administrator role",
    "getattr(__import__, 'x')": "Function '__import__' requires Administrator role",
    "setattr(print, '__self__', 1)": "Use of attribute '__self__' requires Administrator role",
}


class RunningTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.restricted = WorkerSide("restricted", preload=["math", "json", "datetime", "re", "random"])
        cls.admin = WorkerSide("admin")
        cls.restricted.wait_for("ready")
        cls.admin.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        cls.restricted.close()
        cls.admin.close()

    def test_ordinary_programs_run(self):
        for name, (code, value) in PROGRAMS.items():
            with self.subTest(name):
                self.assertEqual(self.restricted.exec(code).value, value)

    def test_refusals_are_failures_with_the_predecessors_words(self):
        error = self.restricted.exec("x = 1\nimport os").error
        self.assertEqual(error["message"], START + REFUSED["import os"])
        self.assertEqual((error["type"], error["line"], error["traceback"]), ("SecurityError", 2, ""))

    def test_nothing_runs_before_a_refusal(self):
        child = self.restricted.exec("print('ran')\nimport ctypes")
        self.assertEqual((child.stdout, child.error["type"]), ("", "SecurityError"))

    def test_what_the_text_does_not_show_is_refused_when_it_happens(self):
        for expression, message in RUN_TIME_REFUSED.items():
            with self.subTest(expression):
                error = self.restricted.eval(expression).error
                self.assertEqual((error["type"], error["line"]), ("SecurityError", 1))
                self.assertIn(message, error["message"])
        error = self.restricted.exec("def f():\n open = 1\nf()\nopen('/etc/passwd')").error
        self.assertEqual((error["type"], error["line"]), ("SecurityError", 4))
        error = self.restricted.exec("from random import _os").error
        self.assertIn("Import of 'os'", error["message"])

    def test_libraries_import_and_open_what_they_need(self):
        self.assertEqual(self.restricted.exec("import zoneinfo, uuid\nresult = str(zoneinfo.ZoneInfo('UTC'))").value, "UTC")
        code = "import logging\nresult = 'threading' in __import__('sys').modules"
        self.assertTrue(self.admin.exec(code).value)

    def test_calls_are_checked(self):
        self.assertEqual(self.restricted.call("datetime", "date.fromisoformat", ["2024-01-02"]).value, "2024-01-02")
        error = self.restricted.call("os", "getcwd").error
        self.assertEqual(
            (error["type"], error["message"]),
            ("SecurityError", f"SECURITY ERROR: Module 'os' requires Administrator role. Allowed modules: {LIST}{HINT}"),
        )
        for module, function in [("random", "_os.getcwd"), ("math", "__loader__.load_module"), ("io", "StringIO.__class__")]:
            self.assertEqual(self.restricted.call(module, function).error["type"], "SecurityError")
        self.assertIn("Function 'open'", self.restricted.call("io", "open", ["/etc/passwd"]).error["message"])
        self.assertIn("always blocked", self.admin.call("fcntl", "flock").error["message"])
        self.assertTrue(self.admin.call("os", "getcwd").value)


if __name__ == "__main__":
    unittest.main()
