"""Views: what restricted code gets instead of modules."""

import json
import os
import subprocess
import sys
import unittest

from runner_under_test import BLOCKED_MODULES, HERE, RESTRICTED_MODULES
from worker_side import WorkerSide


class CrawlTests(unittest.TestCase):
    def crawl(self, *flags):
        run = subprocess.run(
            [sys.executable, "-B", *flags, os.path.join(HERE, "crawl_views.py")], capture_output=True, text=True, timeout=120
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_no_attribute_of_any_allowed_module_leads_to_a_module_or_to_what_reads_files_and_runs_texts(self):
        report = self.crawl()
        self.assertEqual(report["found"], [])
        self.assertGreater(report["objects"], 1_000)
        self.assertLess(report["objects"], 60_000)  # it saw all there is


class ViewTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("restricted", preload=["math", "json", "random", "statistics"])
        cls.worker.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def test_views_behave_as_modules(self):
        programs = {
            "name and text": ("import json\nresult = [json.__name__, json.__doc__ is not None, 'dumps' in dir(json)]", ["json", True, True]),
            "same each time": ("import json, json as j\nfrom json import decoder\nresult = j is json and decoder is j.decoder", True),
            "submodule": ("import collections.abc\nresult = isinstance([], collections.abc.Sequence)", True),
            "submodule, alias": ("import collections.abc as c\nresult = isinstance([], c.Sequence)", True),
            "submodule, from": ("from json import decoder\nresult = decoder.JSONDecoder().decode('[1]')", [1]),
            "submodule of a submodule": ("import json.decoder\nresult = json.decoder.JSONDecodeError.__name__", "JSONDecodeError"),
            "star": ("from math import *\nfrom json import *\nresult = [floor(pi), dumps([1])]", [3, "[1]"]),
            "allowed module of another": ("import statistics\nresult = statistics.math.pi > 3", True),
            "computed attribute": ("import zoneinfo\nresult = type(zoneinfo.TZPATH).__name__", "tuple"),
            "missing": ("import math\nresult = [hasattr(math, 'nothing'), getattr(math, 'nothing', 5)]", [False, 5]),
            "state of the module": ("import random\nrandom.seed(5)\na = random.random()\nrandom.seed(5)\nresult = a == random.random()", True),
            "context of the module": ("import decimal\ndecimal.getcontext().prec = 3\nresult = str(decimal.Decimal(1) / 3)", "0.333"),
            "patch": ("import math\nmath.tau2 = 1\nimport math as m\nresult = m.tau2", 1),
            "missing module": ("try:\n import json.nothing\nexcept ImportError as e: result = e.name", "json.nothing"),
        }  # fmt: skip
        for name, (code, value) in programs.items():
            with self.subTest(name):
                self.assertEqual(self.worker.exec(code).value, value)

    def test_the_traceback_of_a_missing_attribute_shows_the_program_and_nothing_of_ours(self):
        traceback = self.worker.exec("import math\n\nmath.nothing").error["traceback"]
        self.assertRegex(traceback, "(?s)line 3, in <module>\n    math.nothing\n.*AttributeError: module 'math' has no attribute 'nothing'")
        self.assertNotIn("module_views", traceback)

    def test_patching_a_view_patches_nothing_below_it(self):
        code = "import random, statistics\nrandom.Random = None\nstatistics.fsum = None\nresult = statistics.mean([1.0, 3.0])"
        self.assertEqual(self.worker.exec(code).value, 2)

    def test_a_module_is_refused_by_its_own_name_wherever_it_is_found(self):
        for code, name in (
            ("import json\nj = json\nj.codecs", "Import of 'codecs'"),
            ("import typing\nt = typing\nt.sys", "Import of 'sys'"),
            ("import contextlib\nc = contextlib\nc.os", "Import of 'os'"),
            ("from random import _random", "Import of '_random'|private attribute 'random._random'"),
            ("import uuid\nu = uuid\nu._get_command_stdout", "private attribute 'uuid._get_command_stdout'"),
        ):
            with self.subTest(code):
                self.assertRegex(self.worker.exec(code).error["message"], name)

    def test_a_blocked_module_is_refused_by_its_own_name_too(self):
        policy = {"allowedModules": [*RESTRICTED_MODULES, "logging"], "blockedModules": [*BLOCKED_MODULES, "threading"]}
        error = self.worker.exec("import logging\nlog = logging\nlog.threading", policy=policy).error
        self.assertIn("Module 'threading' is always blocked", error["message"])


class OperatorsModuleTests(unittest.TestCase):
    """`PYTHON3_RESTRICTED_MODULES=numpy,pandas`, with the packages of the system."""

    @classmethod
    def setUpClass(cls):
        try:
            import numpy  # noqa: F401
            import pandas  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("numpy and pandas are not installed: 1 class of tests skipped") from None
        cls.workers = [WorkerSide("restricted", preload=preload) for preload in (["math"], ["numpy", "pandas"])]
        for worker in cls.workers:
            worker.wait_for("ready", timeout=60)

    @classmethod
    def tearDownClass(cls):
        for worker in getattr(cls, "workers", ()):
            worker.close()

    policy = {"allowedModules": [*RESTRICTED_MODULES, "numpy", "pandas"], "blockedModules": BLOCKED_MODULES}
    limits = {"memoryBytes": 1 << 30, "openFiles": 256}

    def run_in_both(self, code):
        return [worker.exec(code, policy=self.policy, limits=self.limits) for worker in self.workers]

    def test_they_work_preloaded_and_imported_by_the_job(self):
        programs = {
            "linear algebra": ("import numpy as np\nresult = round(np.linalg.det(np.eye(3) * 2), 6)", 8.0),
            "submodule": ("import numpy.linalg as la\nfrom numpy import fft\nresult = [float(la.norm([3, 4])), len(fft.fft([1, 2]))]", [5.0, 2]),
            "random": ("import numpy as np\nresult = np.random.default_rng(1).integers(5, size=3).shape", [3]),
            "frame": ("import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 3]})\nresult = [int(d.a.sum()), float(d.a.rolling(2).mean().iloc[-1])]", [6, 2.5]),
            "text": ("import io, pandas as pd\nresult = pd.read_csv(io.StringIO('a,b\\n1,2\\n')).b.tolist()", [2]),
            "group, date, rendering": (
                "import pandas as pd\nd = pd.DataFrame({'t': pd.date_range('2024-01-01', periods=4, freq='D'), 'v': [1, 2, 3, 4]})\n"
                "g = d.groupby(d.t.dt.day % 2).v.sum()\nresult = [g.tolist(), 'v' in d.to_string(), d.to_json() is not None]",
                [[6, 4], True, True],
            ),
        }  # fmt: skip
        for name, (code, value) in programs.items():
            for child in self.run_in_both(code):
                with self.subTest(name):
                    self.assertEqual(child.value, value)

    def test_their_files_and_their_modules_are_refused(self):
        for code, message in (
            ("import numpy as np\nnp.load('/etc/passwd')", "Function 'open'"),
            ("import pandas as pd\npd.read_csv('/etc/passwd')", "Function 'open'"),
            ("import pandas as pd\npd.DataFrame().to_csv('x.csv')", "Function 'open'"),
            ("import numpy as np\nnp.fromfile('/etc/passwd')", "Function 'open'"),
            ("import pandas as pd\nx = pd\nx.compat.os.getcwd()", "Import of 'os'"),
            ("import numpy as np\nx = np\nx.os", "Import of 'os'|no attribute"),
        ):
            for child in self.run_in_both(code):
                with self.subTest(code):
                    self.assertRegex(child.error["message"], message)


if __name__ == "__main__":
    unittest.main()
