"""Ordinary programs run, in both modes, and give what they should. The programs: `ordinary/*.py.txt`."""

import glob
import json
import os
import re
import unittest

from runner_under_test import HERE, RESTRICTED_MODULES
from worker_side import WorkerSide


def read_programs(path):
    """`(name, code, value)` of each: `### name`, the code, `#= value`."""
    with open(path, encoding="utf-8") as file:
        for block in file.read().split("\n### ")[1:]:
            name, _, rest = block.partition("\n")
            code, _, value = rest.rpartition("\n#= ")
            yield name, code, json.loads(value)


PROGRAMS = {
    os.path.basename(path).partition(".")[0]: list(read_programs(path))
    for path in sorted(glob.glob(os.path.join(HERE, "ordinary", "*.py.txt")))
}


class OrdinaryProgramTests(unittest.TestCase):
    def run_all(self, mode):
        worker = WorkerSide(mode, preload=["json", "math", "datetime", "collections", "re", "statistics"])
        try:
            worker.wait_for("ready")
            for group, programs in PROGRAMS.items():
                for name, code, value in programs:
                    with self.subTest(group, program=name):
                        self.assertEqual(worker.exec(code).value, value)
        finally:
            worker.close()

    def test_they_run_in_restricted_mode(self):
        self.run_all("restricted")

    def test_they_run_in_admin_mode(self):
        self.run_all("admin")

    def test_each_allowed_module_is_in_one_of_them(self):
        texts = "\n".join(code for programs in PROGRAMS.values() for _, code, _ in programs)
        imported = re.findall(r"^\s*(?:import|from) +([^#\n]+)", texts, re.MULTILINE)
        names = set(re.findall(r"[\w.]+", "\n".join(imported)))
        below = "\n".join(sorted(names))
        missing = [name for name in RESTRICTED_MODULES if name not in names and f"{name}." not in below]
        self.assertEqual(missing, [])

    def test_none_was_lost_on_the_way(self):
        self.assertEqual(sorted(PROGRAMS), ["classes", "coroutines", "industry", "interpreter", "language", "library", "texts"])
        self.assertGreaterEqual(sum(map(len, PROGRAMS.values())), 230)


if __name__ == "__main__":
    unittest.main()
