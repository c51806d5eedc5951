"""Programs and values as deep as plain Python takes them, fresh and warm, in both modes."""

import json
import subprocess
import sys
import unittest

from test_kept_child import Kept
from worker_side import WorkerSide

DEEP = {
    "a sum": lambda n: "import math\nx = 1\nresult = " + " + ".join(["x"] * n),
    "attributes": lambda n: "import math\nclass A: pass\na = A()\na.a = a\nresult = " + "a" + ".a" * n + " is a",
    "calls": lambda n: "import math\ndef f(): return f\nresult = f" + "()" * n + " is f",
    "elif": lambda n: "import math\nx = -1\nif x == 0: pass\n" + "".join(f"elif x == {i}: pass\n" for i in range(n)) + "result = x",
    "signs": lambda n: "import math\nresult = " + "-" * 2 * (n // 2) + "1",
    "a rewritten call": lambda n: "t = '{}'\nx = 1\nresult = t.format(1) and " + " + ".join(["x"] * n),
}
LEVELS = (1_000, 2_900)
RECURSION = "def f(n): return n and f(n - 1)\nresult = []\nfor n in (990, 5000):\n    try: result.append(f(n))\n    except RecursionError: result.append('too deep')"


class DepthTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workers = [WorkerSide(mode, preload=["json"]) for mode in ("admin", "restricted")]

    @classmethod
    def tearDownClass(cls):
        for worker in cls.workers:
            worker.close()

    def run_everywhere(self, code):
        for worker in self.workers:
            yield worker.exec(code)
            yield Kept(worker).exec(code)

    def test_what_python_compiles_runs(self):
        for name, make in DEEP.items():
            for levels in LEVELS:
                compile(make(levels), "", "exec")
                with self.subTest(name, levels=levels):
                    for child in self.run_everywhere(make(levels)):
                        self.assertEqual(child.result["error"], None)
                    self.assertEqual(self.workers[0].run("check", {"code": make(levels)}).value, {"errors": []})

    def test_what_python_finds_too_deep_fails_as_there(self):
        code = DEEP["a sum"](100_000)
        with self.assertRaises(RecursionError):
            compile(code, "", "exec")
        for child in self.run_everywhere(code):
            self.assertEqual(child.error["type"], "RecursionError")

    def test_functions_call_themselves_as_often_as_in_plain_python(self):
        plain = subprocess.run(
            [sys.executable, "-I", "-c", RECURSION + "\nimport json\nprint(json.dumps(result))"], capture_output=True, check=True
        )
        for child in self.run_everywhere(RECURSION):
            self.assertEqual(child.value, json.loads(plain.stdout))

    def test_objects_nested_200_deep_are_rendered(self):
        code = "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: object\nresult = 1\nfor _ in range(%d): result = A(result)"
        for child in self.run_everywhere(code % 200):
            self.assertEqual(child.body, b'{"x":' * 200 + b"1" + b"}" * 200)
        for child in self.run_everywhere(code % 201):
            self.assertEqual(child.error["type"], "ValueTooDeepError")


if __name__ == "__main__":
    unittest.main()
