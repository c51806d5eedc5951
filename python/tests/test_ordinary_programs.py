"""Ordinary programs run, in both modes, and give what they should."""

import importlib
import unittest

from worker_side import WorkerSide

GROUPS = ("language", "classes", "library", "industry")
PROGRAMS = {group: importlib.import_module(f"ordinary.{group}").PROGRAMS for group in GROUPS}


class OrdinaryProgramTests(unittest.TestCase):
    def run_all(self, mode):
        worker = WorkerSide(mode, preload=["json", "math", "datetime", "collections", "re", "statistics"])
        try:
            worker.wait_for("ready")
            for group, programs in PROGRAMS.items():
                for name, (code, value) in programs.items():
                    with self.subTest(group, program=name):
                        self.assertEqual(worker.exec(code).value, value)
        finally:
            worker.close()

    def test_they_run_in_restricted_mode(self):
        self.run_all("restricted")

    def test_they_run_in_admin_mode(self):
        self.run_all("admin")

    def test_there_are_many(self):
        self.assertGreaterEqual(sum(map(len, PROGRAMS.values())), 180)


if __name__ == "__main__":
    unittest.main()
