"""Bounds and hiding of our own frames, in this process."""

import json
import sys
import unittest

import runner_under_test
from plain_python import run_plainly
from worker_side import WorkerSide

from python3_cluster_runner import report, tracebacks


class CapTests(unittest.TestCase):
    def test_short_texts_stay_as_they_are(self):
        self.assertEqual(tracebacks.cap_text("abc", 100), "abc")
        self.assertEqual(tracebacks.cap_text("é" * 16, 100), "é" * 16)

    def test_head_and_tail_are_kept_within_the_bytes_of_json(self):
        for character in ("x", "é", "\U0001f600", "\x00", "\ud800"):
            capped = tracebacks.cap_text("HEAD" + character * 50_000 + "TAIL", 1000)
            self.assertLessEqual(len(json.dumps(capped)) - 2, 1000)
            self.assertRegex(capped, r"(?s)^HEAD.*characters cut.*TAIL$")

    def test_the_largest_report_fits_a_header(self):
        worst = "\U0001f600" * 100_000
        frame = report.Report("n" * 64).failed(worst, worst, 1, worst, 2)
        self.assertLess(len(frame), 65_536)


class ShapeTests(unittest.TestCase):
    def failure(self, code):
        tracebacks.register_source(code)
        try:
            exec(compile(code, tracebacks.USER_FILE, "exec"), {})
        except BaseException as error:
            return error

    def test_lines_are_those_of_user_code(self):
        self.assertEqual(tracebacks.line_of(self.failure("import json\n\njson.loads('{')")), 3)
        self.assertEqual(tracebacks.line_of(self.failure("def f():\n  1/0\nf()")), 2)
        self.assertEqual(tracebacks.line_of(self.failure("x = 1\ny = = 2")), 2)
        self.assertIsNone(tracebacks.line_of(ValueError()))

    def test_form_feeds_do_not_shift_source_lines(self):
        error = self.failure("x = '\x0c \u2028'\nraise ValueError(x)")
        self.assertIn("raise ValueError(x)", tracebacks.format_error(error))

    def test_chains_and_groups_are_shown(self):
        text = tracebacks.format_error(self.failure("try:\n 1/0\nexcept Exception as e:\n raise KeyError('k') from e"))
        self.assertIn("ZeroDivisionError", text)
        self.assertIn("direct cause", text)
        text = tracebacks.format_error(self.failure("raise ExceptionGroup('g', [ValueError('a'), KeyError('b')])"))
        self.assertIn("ValueError: a", text)

    def test_frames_that_were_cut_are_counted(self):
        code = "import sys\nsys.setrecursionlimit(9000)\ndef f(n):\n    if n: g(n - 1)\n    1 / 0\ndef g(n): f(n)\nf(1000)"
        limit = sys.getrecursionlimit()
        try:
            text = tracebacks.format_error(self.failure(code))
        finally:
            sys.setrecursionlimit(limit)
        # 2,001 calls, the program and this test
        self.assertTrue(text.startswith(f"Traceback (most recent call last):\n  ... {2003 - tracebacks.FRAMES_MAX} frames cut ...\n  File"))
        self.assertNotIn("cut", tracebacks.format_error(self.failure("def f(n): n and f(n - 1) or 1 / 0\nf(500)")))

    def test_a_message_that_cannot_be_shown_is_said_to_be_so(self):
        class Broken(Exception):
            def __str__(self):
                raise RuntimeError

        self.assertRegex(tracebacks.message_of(Broken()), "cannot be shown: RuntimeError")
        self.assertIn("Broken", tracebacks.format_error(Broken()))


class AsInPlainPythonTests(unittest.TestCase):
    """Word by word what the interpreter itself says."""

    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("admin", preload=["json", "threading"])

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def exec(self, code):
        return self.worker.exec(code, policy={"allowedModules": [], "blockedModules": []})

    def test_tracebacks_are_the_same(self):
        for code in (
            "return 5", "x = 1\ndef f():\n    nonlocal zz", "def f(a, a): pass", "break", "f(a=1, a=2)", "x: int = (yield)", "x = = 1",
            "def f():\n    global x\n    x = 1\n    def g(): nonlocal x", "class A:\n    await x", "def f():\n    x = 1\n    global x",
            "from __future__ import nothing", "*a, *b = 1", "(", "if 1:\nx", "x = 'a", "f() = 1", "del f()", "import *",
            "prnt(1)", "import math\nmath.sqr", "class A: value = 1\nA().vaule", "def f():\n    counter = 1\n    return conter\nf()",
            "def f():\n    counter = 1\n    def g(): return conter, counter\n    g()\nf()", "abcdefghijklmnop", "class A: pass\nA().x",
            "class A:\n    def __dir__(self): raise ValueError\nA().x", "try: prnt\nexcept NameError: pritn", "Print", "x.lenght",
            "try: 1 / 0\nexcept Exception as e: raise KeyError('k') from e", "raise ExceptionGroup('g', [NameError('a'), KeyError('b')])",
            "from math import sqr", "e = ValueError('a')\ne.add_note('note')\nraise e", "import json\njson.loads('{')", "assert 0, 'no'",
            "def f(n): n and f(n - 1) or 1 / 0\nf(900)", "class E(Exception): pass\nraise E", "raise KeyError('x')", "'\\udc80'.encode()",
        ):  # fmt: skip
            with self.subTest(code):
                self.assertEqual(self.exec(code).error["traceback"], run_plainly(code)[2])

    def test_what_is_told_on_standard_error_is_the_same(self):
        for code in (
            "import warnings\nwarnings.warn('here')", "import warnings\nwarnings.warn('top', stacklevel=2)", "x = 1 is 1",
            "import warnings\ndef f(): warnings.warn('f', stacklevel=3)\nf()", "async def f(): pass\nf()",
            "import faulthandler\nfaulthandler.dump_traceback(open('/dev/stderr', 'w'))", "import sys\nsys.excepthook(*[ValueError, ValueError(1), None])",
            "import sys\ntry: prnt\nexcept NameError: sys.excepthook(*sys.exc_info())", "import runpy, sys\nprint(runpy.run_path.__code__.co_filename, file=sys.stderr)",
        ):  # fmt: skip
            with self.subTest(code):
                said, plainly = (
                    [line for line in text.splitlines() if "python3-cluster importlib" not in line and " thread 0x" not in line]
                    for text in (self.exec(code).stderr, run_plainly(code)[2])
                )
                self.assertEqual(said, plainly)

    def test_no_path_of_the_runner_is_shown(self):
        for code in (
            "import faulthandler\nfaulthandler.dump_traceback(open('/dev/stderr', 'w'))", "import traceback\ntraceback.print_stack()",
            "import faulthandler, os\nfaulthandler.enable(open('/dev/stderr', 'w'))\nos.kill(os.getpid(), 11)",
            "import warnings\nfor n in range(30): warnings.warn(str(n), stacklevel=n)", "import sys\nprint(sys.orig_argv, sys.argv, sys.path)",
            "import sys\nf = sys._getframe()\nwhile f: f = print(f.f_code.co_filename, file=sys.stderr) or f.f_back",
            "import tracemalloc\ntracemalloc.start(50)\nx = [0] * 1000\nprint(tracemalloc.get_object_traceback(x))",
        ):  # fmt: skip
            with self.subTest(code):
                child = self.exec(code)
                self.assertNotIn(runner_under_test.RUNNER, child.stderr + child.stdout)

    def test_columns_count_characters(self):
        for code, column in (("é = '日本'; return 1", 11), ("é = '日本'; x = = 1", 15), ("'é'; return", 6), ("def f():\n  é = 'é'; nonlocal x", 12)):
            [error] = self.worker.run("check", {"code": code}).value["errors"]
            self.assertEqual(error["column"], column, code)
        text = self.exec("é = '日本'; return 1").error["traceback"]
        self.assertIn("    é = '日本'; return 1\n" + " " * 14 + "^" * 8, text)


if __name__ == "__main__":
    unittest.main()
