"""ADMIN: blocked modules are refused to user code itself, not to the libraries it uses."""

import os
import shutil
import tempfile
import unittest

from optional_modules import skip_without_sqlite
from runner_under_test import BLOCKED_MODULES
from worker_side import WorkerSide

# Some that libraries bring along, as the setting may name them.
BLOCKED = [*BLOCKED_MODULES, "threading", "asyncio", "concurrent"]
REFUSED = {
    **{f"import {name}": f"import {name}" for name in BLOCKED},
    "from": "from threading import Thread",
    "submodule": "import concurrent.futures",
    "from a submodule": "from multiprocessing.pool import ThreadPool",
    "second in the line": "import os, ctypes",
    "in a function": "def f():\n import fcntl\nf()",
    "by name": "name = 'thread' + 'ing'\n__import__(name)",
    "by name, with its submodule": "__import__('concurrent.futures')",
    "importlib": "import importlib\nimportlib.import_module('threading')",
    "importlib, assembled": "import importlib\nimportlib.import_module('thread' + 'ing')",
    "importlib, from": "from importlib import import_module as load\nload('ctypes')",
    "exec": "exec('import asyncio')",
    "eval": "eval(\"__import__('as' + 'yncio')\")",
    "already imported by a library": "import logging\nimport threading",
}

WORKS = {
    "logging": (
        "import io, logging, logging.handlers\nout = io.StringIO()\nlogging.basicConfig(stream=out)\n"
        "logging.warning('hot')\nresult = out.getvalue()",
        "WARNING:root:hot\n",
    ),
    "subprocess": (
        "import subprocess\np = subprocess.Popen(['cat'], stdin=-1, stdout=-1, stderr=-1)\nresult = p.communicate(b'x')[0].decode()",
        "x",
    ),
    "sqlite3": (
        "import sqlite3\nc = sqlite3.connect('plant.db')\nc.execute('create table t (a)')\n"
        "c.execute('insert into t values (5)')\nresult = c.execute('select a from t').fetchone()",
        [5],
    ),
    "tempfile": ("import tempfile\nwith tempfile.TemporaryFile() as f:\n f.write(b'abc')\n result = f.tell()", 3),
    "urllib.request": ("import urllib.request\nresult = urllib.request.urlopen('data:,hello').read().decode()", "hello"),
    "http, ssl, socket": (
        "import http.client, http.server, socketserver, ssl, socket\nresult = socketserver.ThreadingMixIn.__name__",
        "ThreadingMixIn",
    ),
    "queue and sched": ("import queue, sched\nq = queue.Queue()\nq.put(1)\nresult = q.get()", 1),
    "getpass and pathlib": ("import getpass, pathlib\nresult = pathlib.Path('x').write_text('ab')", 2),
    "csv, xml, configparser, zipfile": (
        "import csv, io, zipfile, configparser, xml.etree.ElementTree as et\nz = zipfile.ZipFile(io.BytesIO(), 'w')\n"
        "z.writestr('a', 'b')\nresult = [list(csv.reader(['1,2'])), et.fromstring('<a b=\"1\"/>').get('b')]",
        [[["1", "2"]], "1"],
    ),
    "pickle of its own class": (
        "import pickle\nclass A:\n def __init__(self): self.x = 3\nresult = pickle.loads(pickle.dumps(A())).x",
        3,
    ),
    "threads": (
        "import threading\nfound = []\nthreads = [threading.Thread(target=found.append, args=[n]) for n in range(4)]\n"
        "for t in threads: t.start()\nfor t in threads: t.join()\nresult = sorted(found)",
        [0, 1, 2, 3],
    ),
    "a pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool: result = list(pool.map(abs, [-1, 2]))",
        [1, 2],
    ),
    "asyncio": (
        "import asyncio\nasync def f(n):\n await asyncio.sleep(0)\n return n\nasync def main():\n"
        " return await asyncio.gather(f(1), asyncio.to_thread(abs, -2), asyncio.create_subprocess_exec('true'))\nresult = asyncio.run(main())[:2]",
        [1, 2],
    ),
    "a library's thread": (
        "import logging.handlers, queue\nq = queue.Queue()\nl = logging.handlers.QueueListener(q)\nl.start()\nl.stop()\nresult = 'ran'",
        "ran",
    ),
    # As far as it goes: see docs/restricted-mode.md.
    "what is loaded can be found": ("import logging, sys\nresult = sys.modules['threading'].active_count()", 1),
}

PACKAGES = {
    "pandas": (
        "import io, pandas as pd\nd = pd.read_csv(io.StringIO('t,v\\na,1\\nb,3\\n'))\nd.to_csv('x.csv')\n"
        "result = [float(d.v.mean()), len(pd.read_csv('x.csv')), 'threading' in __import__('sys').modules]",
        [2.0, 2, True],
    ),
    "numpy": ("import numpy as np\nnp.save('x.npy', np.arange(4))\nresult = int(np.load('x.npy').sum())", 6),
    "numpy.ctypeslib inside numpy": ("import numpy as np\nresult = np.ctypeslib.__name__", "numpy.ctypeslib"),
}


class AdminImportTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("admin", preload=["json", "math"])
        cls.worker.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def test_user_codes_own_imports_are_refused(self):
        for name, code in REFUSED.items():
            with self.subTest(name):
                error = self.worker.exec(code, policy={"allowedModules": [], "blockedModules": BLOCKED}).error
                self.assertEqual(error["type"], "SecurityError")
                self.assertRegex(
                    error["message"],
                    "^SECURITY ERROR: .*Module '.*' is always blocked for security reasons\n.* PYTHON3_BLOCKED_MODULES ",
                )

    def test_threads_are_bounded_by_the_limit_of_processes(self):
        if os.getuid() == 0:
            self.skipTest("the limit does not bind root")
        error = self.worker.exec("import threading\nfor _ in range(99): threading.Thread(target=threading.Event().wait, daemon=True).start()", limits={"processes": 1}).error
        self.assertEqual((error["type"], error["message"]), ("RuntimeError", "can't start new thread"))

    def test_files_that_it_is_not_shown_name_the_setting(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "plant.csv")
        with open(path, "w") as file:
            file.write("1")
        for code in ("open(p)", "import os\nos.listdir(d)", "import shutil\nshutil.copy(p, 'x')", "open(p + '.new', 'w')"):
            with self.subTest(code):
                error = self.worker.exec(code, {"p": path, "d": folder}).error
                self.assertEqual((error["type"], error["errno"]), ("PermissionError", 13))
                self.assertIn("PYTHON3_ADMIN_READ_PATHS", error["message"])
        for code in ("open('no such file')", "import os\nopen(os.path.abspath('no such file'))", "1 / 0", "import os\nraise OSError(2, 'x', 5)"):
            self.assertNotIn("PYTHON3_", self.worker.exec(code).error["message"])

    def test_libraries_import_what_they_need(self):
        for name, (code, value) in WORKS.items():
            with self.subTest(name):
                skip_without_sqlite(self, code)
                self.assertEqual(self.worker.exec(code).value, value)

    def test_the_list_is_a_setting(self):
        policy = {"allowedModules": [], "blockedModules": ["sqlite3"]}
        self.assertEqual(self.worker.exec("import ctypes\nresult = 1", policy=policy).value, 1)
        self.assertIn("Module 'sqlite3' is always blocked", self.worker.exec("import sqlite3", policy=policy).error["message"])

    def test_numpy_and_pandas_work_and_the_list_still_holds(self):
        try:
            import pandas  # noqa: F401
        except ImportError:
            self.skipTest("pandas is not installed: 1 test skipped")
        for name, (code, value) in PACKAGES.items():
            with self.subTest(name):
                self.assertEqual(self.worker.exec(code, limits={"memoryBytes": 1 << 30}).value, value)
        error = self.worker.exec("import pandas\nimport fcntl", limits={"memoryBytes": 1 << 30}).error
        self.assertIn("always blocked", error["message"])


if __name__ == "__main__":
    unittest.main()
