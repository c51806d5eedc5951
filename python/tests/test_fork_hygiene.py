"""Children of one template draw different numbers, whatever they draw from; what they do share is known."""

import unittest

from runner_under_test import BLOCKED_MODULES, RESTRICTED_MODULES
from worker_side import WorkerSide

JOBS = 20
SOURCES = {
    "random.random": "import random\nresult = random.random()",
    "random.Random": "import random\nresult = random.Random().random()",
    "random.SystemRandom": "import random\nresult = random.SystemRandom().random()",
    "secrets": "import secrets\nresult = secrets.token_hex(16)",
    "os.urandom": "import os\nresult = os.urandom(16).hex()",
    "uuid4": "import uuid\nresult = str(uuid.uuid4())",
    "uuid1": "import uuid\nresult = str(uuid.uuid1())",
    "tempfile": "import tempfile\nresult = next(tempfile._get_candidate_names())",
    "tempfile, a folder": "import os, tempfile\nresult = os.path.basename(tempfile.mkdtemp())",
    "ssl": "import ssl\nresult = ssl.RAND_bytes(16).hex()",
}
NUMPY_SOURCES = {
    "numpy, legacy": "import numpy\nresult = numpy.random.rand()",
    "numpy, legacy integers": "import numpy\nresult = int(numpy.random.randint(1 << 62))",
    "numpy, legacy state": "import numpy\nresult = float(numpy.random.RandomState().rand())",
    "numpy, default_rng": "import numpy\nresult = float(numpy.random.default_rng().random())",
}
PRELOAD = ["random", "secrets", "uuid", "tempfile", "ssl"]


class ForkHygieneTests(unittest.TestCase):
    def start(self, mode, preload):
        worker = WorkerSide(mode, preload=preload)
        self.addCleanup(worker.close)
        worker.wait_for("ready", timeout=60)
        return worker

    def assert_all_differ(self, worker, sources, **overrides):
        for name, code in sources.items():
            with self.subTest(name, mode=worker.mode):
                draws = {worker.exec(code, **overrides).value for _ in range(JOBS)}
                self.assertEqual(len(draws), JOBS)

    def test_every_job_draws_for_itself(self):
        self.assert_all_differ(self.start("admin", PRELOAD), SOURCES)

    def test_every_restricted_job_draws_for_itself(self):
        names = ("random.random", "random.Random", "random.SystemRandom", "secrets", "uuid4", "uuid1")
        self.assert_all_differ(self.start("restricted", PRELOAD), {name: SOURCES[name] for name in names})

    def test_children_forked_ahead_draw_for_themselves(self):
        worker = self.start("admin", PRELOAD)
        children = [worker.connected_child() for _ in range(JOBS)]
        for child in children:
            child.start("exec", {"code": SOURCES["random.random"], "variables": {}})
        self.assertEqual(len({child.finish().value for child in children}), JOBS)

    def test_numpy_draws_for_every_job_too(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("numpy is not installed: 1 test skipped")
        self.assert_all_differ(self.start("admin", [*PRELOAD, "numpy"]), NUMPY_SOURCES)
        policy = {"allowedModules": [*RESTRICTED_MODULES, "numpy"], "blockedModules": BLOCKED_MODULES}
        self.assert_all_differ(self.start("restricted", ["numpy"]), NUMPY_SOURCES, policy=policy)

    def test_the_hash_seed_is_the_templates(self):
        code = "result = hash('a text')"
        workers = [self.start("admin", ["math"]) for _ in range(2)]
        seen = [{worker.exec(code).value for _ in range(3)} for worker in workers]
        self.assertEqual([len(values) for values in seen], [1, 1])
        self.assertNotEqual(*seen)


if __name__ == "__main__":
    unittest.main()
