"""The end of a program is the end of an interpreter: what plain Python does at exit, a job does, fresh and warm."""

import unittest

from plain_python import run_plainly
from test_kept_child import Kept
from worker_side import WorkerSide

POLICY = {"allowedModules": [], "blockedModules": []}
PROGRAMS = {
    "a file that nobody closed": "f = open('/dev/stdout', 'w')\nf.write('one\\n')\nprint('two')",
    "a file in a ring without a function": "class A: pass\na = A()\na.file = open('/dev/stdout', 'w')\na.file.write('kept')\na.a = a",
    "a file, globals held by a signal handler": "import signal\ndef f(*_): pass\nsignal.signal(10, f)\ng = open('/dev/stdout', 'w')\ng.write('x')",
    "a file, globals held by a module": "import math\ndef f(): return g\nmath.f = f\ng = open('/dev/stdout', 'w')\ng.write('x')",
    "a stream in place of stdout": "import sys\nsys.stdout = open('/dev/stdout', 'w')\nprint('through')",
    "a suspended generator": "def f():\n    try: yield 1\n    finally: print('finally')\ng = f()\nnext(g)",
    "a suspended generator in a context": "import contextlib\n@contextlib.contextmanager\ndef f():\n    yield\n    print('no')\nc = f()\nc.__enter__()",
    "destructors": "class A:\n    def __del__(self): print('del', A.__name__)\na = A()\nb = A()\nb.b = b",
    "a destructor that fails": "class A:\n    def __del__(self): print('before')\na = A()",
    "weakref.finalize": "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'finalized')",
    "atexit, last first": "import atexit\natexit.register(print, 1)\natexit.register(print, 2)\nprint(0)",
    "atexit inside atexit": "import atexit\natexit.register(lambda: atexit.register(print, 'inner'))",
    "atexit after an error": "import atexit, sys\natexit.register(lambda: print(sys.last_type.__name__, sys.last_value))\nsys.excepthook = lambda *_: print('hook')\n1 / 0",
    "atexit after sys.exit": "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(0)",
    "a thread that goes on": "import threading\ne = threading.Event()\ndef f():\n    e.wait()\n    print('thread')\nthreading.Thread(target=f).start()\nprint('main')\ne.set()",
    "a thread, then atexit": "import atexit, threading\natexit.register(print, 'exit')\nthreading.Timer(0.05, print, ['thread']).start()",
    "a pool that nobody shut down": "from concurrent.futures import ThreadPoolExecutor as E\ne = E(2)\nf = e.submit(print, 'pooled')",
    "a hook for errors": "import sys\nsys.excepthook = lambda t, v, tb: print('hook', t.__name__, v, tb.tb_lineno)\ndef f(): return 1 / 0\nf()",
    "a hook after a thread is left": "import sys, threading\nsys.excepthook = lambda *_: print('hook')\nthreading.Timer(0.05, print, ['thread']).start()\n1 / 0",
    "no hook for sys.exit": "import sys\nsys.excepthook = print\nsys.exit()",
    "logging to a file": "import logging, logging.handlers\nh = logging.handlers.MemoryHandler(9, target=logging.FileHandler('/dev/stdout'))\nlogging.getLogger().addHandler(h)\nlogging.warning('w')",
    "temporary files": "import tempfile, os\nd = tempfile.TemporaryDirectory()\nclass A:\n    def __del__(self, n=d.name, e=os.path.exists): print(e(n))\na = A()",
}  # fmt: skip
# What modules hold that a fresh job has imported; a kept child keeps them.
MODULES = {
    "a file that a module holds": "import csv\ncsv.file = open('/dev/stdout', 'w')\ncsv.file.write('kept')",
    "an object that a module holds": "import colorsys\nclass A:\n    def __del__(self): print('gone')\ncolorsys.held = A()",
    "what a cache of a module holds": "import functools, colorsys\nclass A:\n    def __del__(self): print('gone')\n@functools.lru_cache\ndef f(x): return x\ncolorsys.f = f\nf(A())",
    "the module is whole for its destructors": "import colorsys\nclass A:\n    def __del__(self, m=colorsys): print(callable(m.rgb_to_hsv))\ncolorsys.held = A()",
    "objects of two modules": "import colorsys, csv\nclass A:\n    def __init__(self, n): self.n = n\n    def __del__(self): print(self.n)\ncolorsys.held = A(1)\ncsv.held = A(2)",
    "an exit function of threads": "import threading\nthreading._register_atexit(print, 'late')",
    "a large import": "import xml.dom.minidom, email.message, http.client, decimal, concurrent.futures, multiprocessing, asyncio, logging.config\nprint('in')",
}  # fmt: skip
ERRORS = {
    "a destructor that fails": "class A:\n    def __del__(self): {}['a key']\na = A()",
    "an exit function that fails": "import atexit\ndef f(): {}['a key']\natexit.register(f)",
    "an exit function that exits": "import atexit, sys\natexit.register(sys.exit, 3)",
    "a hook that fails": "import sys\ndef f(*_): {}['a key']\nsys.excepthook = f\n1 / 0",
    "a thread that fails": "import threading\ndef f(): {}['a key']\nthreading.Thread(target=f).start()",
}


class ProgramEndTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("admin", preload=["json", "logging", "threading", "tempfile"])
        cls.bare = WorkerSide("admin", preload=[])
        cls.restricted = WorkerSide("restricted", preload=["json"])

    @classmethod
    def tearDownClass(cls):
        for worker in (cls.worker, cls.bare, cls.restricted):
            worker.close()

    def test_a_fresh_job_ends_as_plain_python_does(self):
        for name, code in PROGRAMS.items():
            expected = run_plainly(code)[1]
            for worker in (self.worker, self.bare):
                with self.subTest(name):
                    self.assertEqual(worker.exec(code, policy=POLICY).stdout, expected)

    def test_what_a_fresh_job_imported_is_taken_down_as_plain_python_does(self):
        for name, code in MODULES.items():
            expected = run_plainly(code)[1:]
            for worker in (self.worker, self.bare):
                with self.subTest(name):
                    child = worker.exec(code, policy=POLICY)
                    self.assertEqual((child.stdout, child.stderr), expected)

    def test_a_thread_that_goes_on_keeps_its_modules(self):
        code = "import colorsys, threading, time\nclass A:\n    def __del__(self): print('gone')\ncolorsys.held = A()\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
        self.assertEqual(self.worker.exec(code, policy=POLICY).stdout, "")

    def test_modules_that_a_kept_child_imported_stay_whole(self):
        kept = Kept(self.worker)
        kept.exec("import colorsys\nclass A:\n    def __del__(self): print('gone')\ncolorsys.held = A()", policy=POLICY)
        child = kept.exec("import colorsys\nresult = [hasattr(colorsys, 'held'), callable(colorsys.rgb_to_hsv)]", policy=POLICY)
        self.assertEqual((child.value, child.stdout), ([True, True], ""))

    def test_each_call_of_a_kept_child_ends_as_plain_python_does(self):
        for name, code in PROGRAMS.items():
            expected = run_plainly(code)[1]
            with self.subTest(name):
                kept = Kept(self.worker)
                for _ in range(3):
                    self.assertEqual(kept.exec(code, policy=POLICY).stdout, expected)
                    if not kept.waits:
                        kept.child.finish()
                        kept = Kept(self.worker)

    def test_errors_on_the_way_out_are_told_and_change_nothing(self):
        for name, code in ERRORS.items():
            with self.subTest(name):
                status, _, expected = run_plainly(code)
                child = self.worker.exec(code, policy=POLICY)
                self.assertEqual(child.result["status"], "failed" if "hook" in name else "succeeded")
                for line in expected.splitlines():
                    if " at 0x" not in line and "^^" not in line:
                        self.assertIn(line.strip(), child.stderr)
                self.assertNotIn("python3_cluster_runner", child.stderr)

    def test_the_value_is_that_of_the_end_of_the_program(self):
        child = self.worker.exec(
            "import atexit, threading\nresult = []\natexit.register(result.append, 'exit')\n"
            "threading.Timer(0.05, result.append, ['thread']).start()\nresult.append('main')",
            policy=POLICY,
        )
        self.assertEqual(child.value, ["main", "thread"])
        code = "class A:\n    alive = True\n    def __del__(self): self.alive = False\n    def __str__(self): return str(self.alive)\nresult = [A(), A()]"
        self.assertEqual(self.worker.exec(code).value, ["True", "True"])

    def test_a_kept_child_calls_each_exit_function_once_and_stays_for_those_of_known_modules(self):
        kept = Kept(self.bare)
        for _ in range(3):
            code = "import logging, weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 'once')\nlogging.basicConfig()\nresult = 1"
            child = kept.exec(code, policy=POLICY)
            self.assertEqual((child.value, child.stdout), (1, "once\n"))
            self.assertTrue(kept.waits)

    def test_a_kept_child_whose_modules_were_taken_down_is_given_up(self):
        for code in (
            "import atexit\natexit.register(print)\nresult = 1",
            "import threading\nthreading.Timer(0.05, print).start()\nresult = 1",
            "import logging\nlogging.basicConfig(filename='log', filemode='w')\nresult = 1",
        ):
            with self.subTest(code):
                kept = Kept(self.worker)
                self.assertEqual(kept.exec(code, policy=POLICY).value, 1)
                self.assertFalse(kept.waits)

    def test_restricted_code_is_restricted_to_its_end(self):
        code = "class A:\n    def __del__(self):\n        try: getattr(self, '__ba' + 'se__')\n        except Exception as e: print(type(e).__name__)\na = A()\na.a = a"
        self.assertEqual(self.restricted.exec(code).stdout, "SecurityError\n")
        self.assertEqual(Kept(self.restricted).exec(code).stdout, "SecurityError\n")

    def test_modules_of_the_template_keep_their_exit_functions(self):
        """The rehearsal of a job, in the template, must not have used them up."""
        code = "import logging\nlogging.shutdown = lambda: print('shut down')\nlogging.basicConfig()"
        self.assertEqual(self.worker.exec(code).stdout, "shut down\n")


if __name__ == "__main__":
    unittest.main()
