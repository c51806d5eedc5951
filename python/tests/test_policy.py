"""Restricted mode: what it refuses, in which words, and above all what it does not refuse."""

import os
import re
import unittest

from runner_under_test import BLOCKED_MODULES, HERE, RESTRICTED_MODULES
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
MODULES = f"\nAllowed modules: {LIST}"

REFUSED = {
    "import os": f"Import of 'os' requires Administrator role. For names of files use pathlib.PurePath; values of the environment come in `variables`.{HINT}{MODULES}",
    "import os.path as p": f"Import of 'os' requires Administrator role. For names of files use pathlib.PurePath; values of the environment come in `variables`.{HINT}{MODULES}",
    "import math, trace": f"Import of 'trace' requires Administrator role{HINT}{MODULES}",
    "from subprocess import run": f"Import from 'subprocess' requires Administrator role. A job is one process: send other work as jobs of its own.{HINT}{MODULES}",
    "import plant_library": f"Import of 'plant_library' requires Administrator role. Your operator can allow it with PYTHON3_RESTRICTED_MODULES.{HINT}{MODULES}",
    "from . import x": f"Import from '.' requires Administrator role{HINT}{MODULES}",
    "import threading": f"Import of 'threading' requires Administrator role. Waits overlap with asyncio.gather; for more at once send several jobs.{HINT}{MODULES}",
    "from concurrent.futures import X": f"Import from 'concurrent' requires Administrator role. Waits overlap with asyncio.gather; for more at once send several jobs.{HINT}{MODULES}",
    "import math, multiprocessing": f"Module 'multiprocessing' is always blocked for security reasons. Waits overlap with asyncio.gather; for more at once send several jobs.{BLOCKED_HINT}",
    "import fcntl": f"Module 'fcntl' is always blocked for security reasons. A job is one process: send other work as jobs of its own.{BLOCKED_HINT}",
    "import urllib.request": f"Import of 'urllib.request' requires Administrator role. There is no network here: fetch the data before, and pass it in `variables`.{HINT}{MODULES}",
    "eval('1')": f"Function 'eval' requires Administrator role. ast.literal_eval reads literals; an expression can be a job of its own.{HINT}",
    "f = open": f"Function 'open' requires Administrator role. Pass the text in `variables`, and read it with io.StringIO or io.BytesIO.{HINT}",
    "vars()": f"Function 'vars' requires Administrator role. vars(x) of an object works; without one it is locals().{HINT}",
    "__import__('os')": None,
    "[globals() for x in y]": None,
    "x.__class__ = A": f"Use of attribute '__class__' requires Administrator role{HINT}",
    "del x.__class__": None,
    "class A: __class__ = 1": f"Use of name '__class__' requires Administrator role{HINT}",
    "().__subclasses__": None,
    "f.__globals__": f"Use of attribute '__globals__' requires Administrator role. Keep the values in a dict of your own.{HINT}",
    "x = y.gi_frame": f"Use of attribute 'gi_frame' requires Administrator role{HINT}",
    "'{0.__base__}'.format(1)": None,
    "'{0.__dict__}'.format(1)": f"Use of attribute '__dict__' requires Administrator role{HINT}",
    "'{a[0].__base__}'.format_map(d)": None,
    "'{0:{1.__base__}}'.format(1, 2)": None,
    "f'{x.__base__}'": None,
    "__builtins__": None,
    "import json as __builtins__": None,
    "def f():\n global __builtins__": None,
    "try: pass\nexcept E as __builtins__: pass": None,
    "match x:\n case object(__base__=c): pass": None,
    "import random\nrandom._os.system('id')": None,
    "import io\nio.open('x')": f"Function 'open' requires Administrator role. Pass the text in `variables`, and read it with io.StringIO or io.BytesIO.{HINT}",
    "from io import open": None,
    "from io import FileIO": f"Use of attribute 'io.FileIO' requires Administrator role. Pass the text in `variables`, and read it with io.StringIO or io.BytesIO.{HINT}",
    "from pathlib import Path": f"Use of attribute 'pathlib.Path' requires Administrator role. For names of files use PurePath. Pass the text in `variables`, and read it with io.StringIO or io.BytesIO.{HINT}",
    "import sys as s\ns.modules": None,
    "from math import __loader__": None,
    "try: pass\nexcept ImportError: pass\nelse: import os": None,
    "try: pass\nexcept ImportError: import os": None,
    "try:\n def f(): import os\nexcept ImportError: pass": None,
    "try: import os\nexcept ValueError: pass": None,
    "if debug: import os": None,
    "with open_door(ImportError): import os": None,
}

ALLOWED = [
    "try: import os\nexcept ImportError: pass",
    "try: import threading\nexcept ModuleNotFoundError as e: pass",
    "try:\n if x:\n  from os import path\nexcept (ValueError, ImportError): pass",
    "try: import os, json\nexcept Exception: os = None\nfinally: os.path",
    "try: import numpy\nexcept: numpy = None",
    "import contextlib\nwith contextlib.suppress(ImportError): import os",
    "if TYPE_CHECKING:\n import os\nelse: import socket",
    "import sys\nif sys.version_info >= (3, 11): import tomllib\nelse: import tomli as tomllib",
    "if 0: import os",
    "self.__class__(1).__class__.__name__; x.__dict__; vars(x); e.__traceback__; __class__",
    "x.__dict__ = d; x.__dict__['a'] = 1; e.__traceback__ = None",
    "import asyncio, sys\nasyncio.run(f()); sys.exit()",
    "import xml.etree.ElementTree as ET, urllib.parse\nfrom xml.sax import saxutils",
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


class ListTests(unittest.TestCase):
    """The lists of the worker's configuration, of the page for callers, and of these tests are one."""

    def read(self, *path):
        with open(os.path.join(os.path.dirname(os.path.dirname(HERE)), *path), encoding="utf-8") as file:
            return file.read()

    def names_of(self, text, constant):
        body = text.partition(f"{constant} = [")[2] or text.partition(f"{constant}: readonly string[] = [")[2]
        return re.findall(r"'([\w.]+)'", body.partition("]")[0])

    def test_they_are_those_of_the_configuration(self):
        text = self.read("packages", "shared", "src", "config", "module-lists.ts")
        safe, harmless = self.names_of(text, "PREDECESSOR_SAFE_MODULES"), self.names_of(text, "HARMLESS_MODULES")
        self.assertEqual(sorted(safe + harmless), sorted(RESTRICTED_MODULES))
        self.assertEqual(self.names_of(text, "ALWAYS_BLOCKED_MODULES"), BLOCKED_MODULES)

    def test_the_page_names_the_same(self):
        modes = self.read("docs", "http-api.md").partition("\n## Modes\n")[2]
        self.assertEqual(sorted(re.search(r"\n\n`(math [^`]+)`", modes)[1].split()), sorted(RESTRICTED_MODULES))


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
        escaped = ["'{0.\\x5f_base_\\137}'.format(1)", "e\u1d5bal('1')", "'{0.\\N{LOW LINE}_base_\\u005f}'.format(1)"]
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
        error = refusal("x = 1\n\nimport os\neval('1')\nimport socket")
        self.assertEqual((error.line, "'os'" in str(error)), (3, True))

    def test_admin_is_refused_blocked_modules_only(self):
        for code in ("import os, sys", "eval('1'); ().__class__", "import importlib; importlib.import_module('os')"):
            self.assertIsNone(refusal(code, "admin"))
        for code in ("import ctypes", "from multiprocessing import Pool", "__import__('fcntl')",
                     "importlib.import_module('fcntl')"):  # fmt: skip
            self.assertRegex(str(refusal(code, "admin")), "(?m)is always blocked for security reasons$")

    def test_code_nested_as_deep_as_the_parser_allows_is_checked(self):
        self.assertIsNotNone(refusal("-" * 80 + "eval"))
        self.assertIsNotNone(refusal("x" + ".a" * 600 + ".__base__"))


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
        [5, None, True, True, True, "A(5)"],
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
    "getattr((), '__ba' + 'se__')": "Use of attribute '__base__' requires Administrator role",
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

    def test_tasks_that_wait_for_one_another_end_in_an_error_that_says_so(self):
        code = "import asyncio\nasync def main(): await asyncio.Event().wait()\nasyncio.run(main())"
        error = self.restricted.exec(code).error
        self.assertEqual((error["type"], error["message"].partition(":")[0]), ("RuntimeError", "deadlock"))

    def test_a_misspelled_name_of_a_curated_module_is_no_refusal(self):
        self.assertEqual(self.restricted.exec("import asyncio\nasyncio.gahter").error["type"], "AttributeError")
        self.assertEqual(self.restricted.exec("from asyncio import gahter").error["type"], "ImportError")

    def test_calls_are_checked(self):
        self.assertEqual(self.restricted.call("datetime", "date.fromisoformat", ["2024-01-02"]).value, "2024-01-02")
        error = self.restricted.call("os", "getcwd").error
        self.assertEqual(
            (error["type"], error["message"]),
            ("SecurityError", "SECURITY ERROR: Module 'os' requires Administrator role. For names of files use pathlib.PurePath; values of the "
            f"environment come in `variables`.{HINT}{MODULES}"),
        )
        for module, function in [("random", "_os.getcwd"), ("math", "__loader__.load_module"), ("io", "StringIO.__base__")]:
            self.assertEqual(self.restricted.call(module, function).error["type"], "SecurityError")
        self.assertIn("Function 'open'", self.restricted.call("io", "open", ["/etc/passwd"]).error["message"])
        self.assertIn("always blocked", self.admin.call("fcntl", "flock").error["message"])
        self.assertTrue(self.admin.call("os", "getcwd").value)


if __name__ == "__main__":
    unittest.main()
