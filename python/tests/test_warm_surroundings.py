"""What a kept child gives each call fresh: the list in docs/security-model.md, "Warm jobs", word by word."""

import os
import re
import unittest

from runner_under_test import HERE
from test_kept_child import Kept
from worker_side import WorkerSide

POLICY = {"allowedModules": [], "blockedModules": []}
PAGE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "security-model.md")
FORKS = "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nresult = os.environ.get('HOOKED')"
# Item of the list → (what one call leaves, what the next looks at, what that sees).
CASES = {
    "globals": [("secret = 42", "result = 'secret' in dir()", False)],
    "`__main__`": [("import sys\nsys.modules['__main__'].x = 1", "import sys\nresult = hasattr(sys.modules['__main__'], 'x')", False)],
    "environment": [
        ("import os\nos.environ['SECRET'] = 'x'\nos.environ.pop('LANG')", "import os\nresult = [os.environ.get('SECRET'), os.environ['LANG']]", [None, "C.UTF-8"]),
        ("import os\nos.environ = {}", "import os\nresult = os.environ['LANG']", "C.UTF-8"),
        ("import os\nos.putenv('SECRET', 'x')\nos.putenv('LANG', 'xx')", "import subprocess\nresult = subprocess.getoutput('echo $SECRET$LANG')", "C.UTF-8"),
        ("import os\nos.unsetenv('LANG')", "import subprocess\nresult = subprocess.getoutput('echo $LANG')", "C.UTF-8"),
        ("import ctypes\nctypes.CDLL(None).clearenv()", "import subprocess\nresult = subprocess.getoutput('echo $LANG')", "C.UTF-8"),
    ],
    "time zone": [
        ("import os, time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()", "import time\nresult = [time.timezone, time.localtime(0).tm_gmtoff]", None),
        ("import os, time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\ndel os.environ['TZ']", "import time\nresult = [time.timezone, time.localtime(0).tm_gmtoff]", None),
        ("import os, time\nos.putenv('TZ', 'Asia/Tokyo')\ntime.tzset()", "import time\nresult = [time.timezone, time.localtime(0).tm_gmtoff]", None),
    ],
    "working folder and scratch files": [
        ("import os\nos.chdir('/tmp')", "import os\nresult = os.getcwd() == os.environ['HOME']", True),
        ("open('left', 'w').write('x')", "import os\nresult = [os.getcwd() == os.environ['HOME'], os.environ['TMPDIR'] == os.getcwd()]", [True, True]),
        ("import os\nos.chmod('.', 0o500)", "open('written', 'w').close()\nresult = 1", 1),
        ("import tempfile\nresult = tempfile.gettempdir()", "import os, tempfile\nresult = tempfile.gettempdir() == os.getcwd()", True),
    ],
    "umask": [("import os\nos.umask(0)", "import os\nresult = os.umask(0o22) != 0", True)],
    "standard streams and captured output": [
        ("import sys, io\nsys.stdout = io.StringIO()\nsys.stdin = None", "import sys\nprint('seen')\nresult = sys.stdin.read()", ""),
        ("import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').close()\nos.chmod('a', 0)\nos.symlink('/', 'root')\nopen(b'\\xff', 'w').close()", "import os\nresult = os.listdir()", []),
    ],
    "signal handlers and mask": [
        ("import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)", "import signal\nresult = signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL", True),
        ("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [10])", "import signal\nresult = len(signal.pthread_sigmask(signal.SIG_BLOCK, []))", 0),
        ("import faulthandler, signal\nfaulthandler.register(signal.SIGUSR1)", "import faulthandler, signal\nresult = faulthandler.unregister(signal.SIGUSR1)", False),
    ],
    "`sys`": [
        ("import sys\nsys.path.append('/nowhere')\nsys.argv.append('x')", "import sys\nresult = ['/nowhere' in sys.path, sys.argv]", [False, [""]]),
        ("import sys\nsys.excepthook = print\nsys.tracebacklimit = 0\nsys.mine = 1", "import sys\nresult = [sys.excepthook is sys.__excepthook__, hasattr(sys, 'tracebacklimit'), hasattr(sys, 'mine')]", [True, False, False]),
        ("import sys\nsys.settrace(lambda *a: 1 / 0)\nsys.setrecursionlimit(50)", "import sys\nresult = [sys.gettrace(), 1000 <= sys.getrecursionlimit() < 1100]", [None, True]),
        ("import sys\nclass A:\n def __str__(self):\n  sys.settrace(lambda *a: 1 / 0)\n  return 'x'\nresult = A()", "import sys\nresult = sys.gettrace()", None),
        ("import sys\nclass A:\n def __del__(self): sys.setrecursionlimit(77)\na = A()\na.a = a", "import sys\nresult = 1000 <= sys.getrecursionlimit() < 1100", True),
        ("import sys\nsys.set_int_max_str_digits(0)", "import sys\nresult = sys.get_int_max_str_digits()", 4300),
    ],
    "builtins": [
        ("__builtins__['len'] = lambda x: 42", "result = len('a')", 1),
        ("import sys\nvars(sys.modules['builtins'])['sorted'] = lambda x: 42", "import textwrap\nresult = sorted([2, 1])", [1, 2]),
    ],
    "context variables": [("import decimal\ndecimal.getcontext().prec = 3", "import decimal\nresult = decimal.getcontext().prec", 28)],
    "locale": [("import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "import locale\nresult = locale.setlocale(locale.LC_CTYPE) != 'C'", True)],
    "collector settings": [
        ("import gc\ngc.disable()\ngc.set_threshold(1)\ngc.callbacks.append(print)", "import gc\nresult = [gc.isenabled(), gc.get_threshold()[0] > 1, gc.callbacks]", [True, True, []]),
        ("import gc\ngc.set_debug(gc.DEBUG_STATS)", "import gc\nresult = gc.get_debug()", 0),
    ],
    "thread stack size and switch interval": [
        ("import sys, threading\nthreading.stack_size(1 << 20)\nsys.setswitchinterval(1)", "import sys, threading\nresult = [threading.stack_size(), sys.getswitchinterval()]", [0, 0.005]),
    ],
    "codecs and their error handlers": [
        ("import codecs\ncodecs.register_error('strict', lambda e: ('mine', e.end))", "try: result = 'é'.encode('ascii')\nexcept UnicodeError: result = 'refused'", "refused"),
        ("import codecs\ncodecs.register_error('mine', lambda e: ('mine', e.end))", "try: result = 'é'.encode('ascii', 'mine')\nexcept LookupError: result = 'unknown'", "unknown"),
        ("import codecs\nu = codecs.lookup('utf-8')\ncodecs.register(lambda name: u if name == 'mine' else None)\nresult = 'é'.encode('mine').decode()", "try: result = 'é'.encode('mine')\nexcept LookupError: result = 'é'.encode('utf-8').decode()", "é"),
    ],
    "faulthandler and tracemalloc": [
        ("import faulthandler, tracemalloc\nfaulthandler.enable()\ntracemalloc.start()", "import faulthandler, tracemalloc\nresult = [faulthandler.is_enabled(), tracemalloc.is_tracing()]", [False, False]),
    ],
    "hooks of asynchronous generators": [
        ("import sys\nsys.set_asyncgen_hooks(print, print)\nsys.set_coroutine_origin_tracking_depth(3)", "import sys\nresult = [*sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()]", [None, None, 0]),
    ],
    "functions called around a fork": [
        ("import os\nos.register_at_fork(before=lambda e=os.environ: e.update(HOOKED='1'))", FORKS, None),
        ("from posix import register_at_fork\nfrom os import environ\nclass A:\n def f(self, e=environ): e['HOOKED'] = '1'\nregister_at_fork(after_in_parent=A().f)", FORKS, None),
        ("import os, functools\nos.register_at_fork(after_in_child=functools.partial(os._exit, 3))", "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nresult = os.waitpid(pid, 0)[1]", 0),
        ("import os\nos.register_at_fork(before=os.environ.clear)", "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nresult = len(os.environ) > 0", True),
    ],
    "how libraries are loaded": [("import sys\nsys.setdlopenflags(1)", "import sys\nresult = sys.getdlopenflags() != 1", True)],
    "default time-out of sockets": [("import socket\nsocket.setdefaulttimeout(1)", "import socket\nresult = socket.getdefaulttimeout()", None)],
    "exit functions": [("import atexit\ntry: atexit.register(print, 'late')\nfinally: atexit.unregister(print)", "result = 1", 1)],
    "`random` and numpy's legacy generator": [("import random\nrandom.seed(1)", "import random\nresult = random.random() == 0.13436424411240122", False)],
}  # fmt: skip
# The same of what stays in modules.
KEPT = {
    "patches": [("import textwrap\ntextwrap.dedent = len", "import textwrap\nresult = textwrap.dedent is len", True)],
    "caches": [("import linecache\nlinecache.cache['x'] = 1", "import linecache\nresult = linecache.cache['x']", 1)],
    "decimal's default context": [("import decimal\ndecimal.DefaultContext.prec = 3", "import decimal\nresult = decimal.DefaultContext.prec", 3)],
    "warnings filters": [("import warnings\nwarnings.simplefilter('error')", "import warnings\nresult = warnings.filters[0][0]", "error")],
    "levels and handlers of loggers": [
        ("import logging\nlogging.getLogger().setLevel(10)\nlogging.basicConfig()", "import logging\nresult = [logging.root.level, len(logging.root.handlers)]", [10, 1]),
    ],
    "tables of `copyreg`": [("import copyreg\ncopyreg.pickle(complex, len)", "import copyreg\nresult = copyreg.dispatch_table[complex] is len", True)],
    "types of `mimetypes`": [("import mimetypes\nmimetypes.knownfiles = []\nmimetypes.add_type('x/y', '.zz')", "import mimetypes\nresult = mimetypes.guess_type('a.zz')[0]", "x/y")],
    "policy of `asyncio`": [
        ("import asyncio\nclass P(asyncio.DefaultEventLoopPolicy): pass\nasyncio.set_event_loop_policy(P())", "import asyncio\nresult = type(asyncio.get_event_loop_policy()).__name__", "P"),
    ],
    "start method of `multiprocessing`": [
        ("import multiprocessing as m\nm.set_start_method('spawn')", "import multiprocessing as m\nresult = m.get_start_method()", "spawn"),
    ],
    "history of `readline`": [("import readline\nreadline.add_history('x')", "import readline\nresult = readline.get_current_history_length()", 1)],
    "modules put into `sys.modules`": [("import sys, types\nsys.modules['mine'] = types.ModuleType('mine')", "import mine\nresult = mine.__name__", "mine")],
    "what modules called around a fork": [
        # It takes its lock before, by a function that it registered when it was imported.
        ("import logging", "import logging, os\nclass Lock:\n taken = 0\n def acquire(self): Lock.taken += 1\n def release(self): pass\n def _at_fork_reinit(self): pass\nlogging._lock = Lock()\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nresult = Lock.taken", 1),
    ],
}  # fmt: skip
# Item of the list → what ends the process after its answer.
ENDS = {
    "exit functions other than those of `logging` and `weakref`": ["import atexit\natexit.register(print)"],
    "exit functions of threads": ["import threading\nthreading._register_atexit(print)"],
    "audit hooks": ["import sys\nsys.addaudithook(lambda *_: None)", "from sys import addaudithook as add\nadd(lambda *_: None)"],
    "threads that were joined": ["import threading\nthreading.Timer(0.01, len, ['']).start()"],
    "log files that were closed": ["import logging\nlogging.basicConfig(filename='log', filemode='w')"],
    "threads left behind": ["import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"],
    "child processes": ["import subprocess\np = subprocess.Popen(['sleep', '60'])\nimport json\njson.p = p"],
    "descriptors": ["import os\nos.dup(1)"],
    "timers": ["import signal\nsignal.setitimer(signal.ITIMER_REAL, 60)"],
    "pending signals": ["import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [10])\nos.kill(os.getpid(), 10)"],
    "changed rlimits": ["import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))"],
    "changed priority": ["import os\nos.nice(1)"],
    "changed scheduling or CPU affinity": [
        "import os\nos.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})" if len(os.sched_getaffinity(0)) > 1 else "import os\nos.nice(1)",
    ],
    "closed or reconfigured standard streams": ["import sys\nsys.stdin.close()", "import sys\nsys.stdout.reconfigure(line_buffering=False)"],
    "more than half of its memory limit in use": ["import json\njson.kept = bytearray(b'x') * (200 << 20)"],
}  # fmt: skip
# Of the list's last items, where each call is the first by what the worker says: limits of time and CPU.
ELSEWHERE = {"limits of time and CPU"}


def listed(name):
    with open(PAGE, encoding="utf-8") as file:
        row = re.search(rf"^\| \*\*{name}\*\* \| (.*) \|$", file.read(), re.MULTILINE)
    return set(row[1].split(", "))


class WarmSurroundingsTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("admin", preload=["json", "random", "tempfile"])

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def test_the_page_lists_what_is_tried_here(self):
        self.assertEqual(listed("Fresh for each job"), {*CASES, *ELSEWHERE})
        self.assertEqual(listed("Kept in imported modules"), {*KEPT})
        self.assertEqual(listed("Ends the process, after its answer"), {*ENDS})

    def test_what_one_call_changes_the_next_one_does_not_see(self):
        for item, cases in CASES.items():
            for leave, look, expected in cases:
                with self.subTest(item, leave=leave):
                    kept = Kept(self.worker)
                    if item == "time zone":
                        expected = kept.exec(look, policy=POLICY).value
                        self.assertNotEqual(expected[1], 32400)
                    kept.exec(leave, policy=POLICY, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
                    self.assertTrue(kept.waits, "it did not stay")
                    child = kept.exec(look, policy=POLICY)
                    self.assertEqual(child.value, expected)
                    if "seen" in look:
                        self.assertEqual(child.stdout, "seen\n")
                    self.assertEqual(kept.exec("import os\nresult = os.environ.get('TRACEPARENT')").value, None)
                    code = "import os, subprocess\nresult = subprocess.getoutput('echo $HOME$TRACEPARENT') == os.environ['HOME']"
                    self.assertTrue(kept.exec(code, policy=POLICY).value)

    def test_what_modules_have_the_next_call_finds(self):
        for item, cases in KEPT.items():
            for leave, look, expected in cases:
                with self.subTest(item, leave=leave):
                    kept = Kept(self.worker)
                    kept.exec(leave, policy=POLICY)
                    self.assertTrue(kept.waits, "it did not stay")
                    self.assertEqual(kept.exec(look, policy=POLICY).value, expected)

    def test_what_cannot_be_put_back_ends_the_process_after_its_answer(self):
        for item, programs in ENDS.items():
            for code in programs:
                with self.subTest(item, code=code):
                    kept = Kept(self.worker)
                    self.assertEqual(kept.exec(f"{code}\nresult = 1", policy=POLICY).value, 1)
                    self.assertFalse(kept.waits)

    def test_a_program_that_imports_what_is_called_around_a_fork_stays(self):
        kept = Kept(self.worker)
        for _ in range(3):
            child = kept.exec("import logging, os\npid = os.fork()\nif pid == 0: os._exit(logging._lock._is_owned())\nresult = os.waitpid(pid, 0)[1]", policy=POLICY)
            self.assertEqual((child.value, kept.waits), (0, True))

    def test_a_lowered_limit_of_any_kind_ends_the_process(self):
        for name in ("RLIMIT_AS", "RLIMIT_STACK", "RLIMIT_MEMLOCK", "RLIMIT_FSIZE", "RLIMIT_CORE"):
            with self.subTest(name):
                kept = Kept(self.worker)
                code = "import resource\nresource.setrlimit(resource.%s, (1 << 30, 1 << 30) if '%s' == 'RLIMIT_AS' else (4096, 4096))\nresult = 1"
                if name == "RLIMIT_CORE":
                    code = "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9, 9))\nresult = 1"
                else:
                    code %= name, name
                self.assertEqual(kept.exec(code, policy=POLICY).value, 1)
                self.assertFalse(kept.waits)


if __name__ == "__main__":
    unittest.main()
