"""What attackers try in restricted mode, through a real template and child: every attempt ends in a refusal."""

import unittest

from attacks import ATTACKS
from attacks_on_the_library import BILLION_LAUGHS, LIBRARY, NOTHING_THERE
from attacks_on_the_world import EFFECTS, OPERATORS, REFUSED_BY_THEMSELVES
from optional_modules import skip_without_sqlite
from runner_under_test import BLOCKED_MODULES, RESTRICTED_MODULES
from worker_side import WorkerSide

_ALLOWED_BY_THE_OPERATOR = [
    *RESTRICTED_MODULES,
    *"os pathlib subprocess socket shutil tempfile sqlite3 urllib mmap gc sys".split(),
]


class AttackTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("restricted", preload=["math", "json", "datetime", "re", "random", "statistics"])
        cls.worker.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def assert_refused(self, code, error_type="SecurityError", **overrides):
        error = self.worker.exec(code, **overrides).error
        self.assertEqual(error["type"], error_type, error)
        if error_type == "SecurityError":
            self.assertRegex(error["message"], "^SECURITY ERROR: Security violation: ")

    def test_every_attack_is_refused(self):
        for group, attacks in {**ATTACKS, "effects": EFFECTS, "library": LIBRARY}.items():
            for name, code in attacks.items():
                with self.subTest(group, attack=name):
                    self.assert_refused(code)

    def test_what_a_function_refuses_itself_stays_its_own_error(self):
        for name, (code, error_type) in {**REFUSED_BY_THEMSELVES, **NOTHING_THERE}.items():
            with self.subTest(name):
                self.assert_refused(code, error_type)

    def test_a_text_that_grows_beyond_all_bounds_ends_in_an_error(self):
        self.assertIn(self.worker.exec(BILLION_LAUGHS).error["type"], ("ParseError", "MemoryError"))

    def test_effects_outside_the_process_are_refused_however_the_code_got_to_them(self):
        policy = {"allowedModules": _ALLOWED_BY_THE_OPERATOR, "blockedModules": BLOCKED_MODULES}
        for name, code in OPERATORS.items():
            with self.subTest(name):
                skip_without_sqlite(self, code)
                self.assert_refused(code, policy=policy)

    def test_the_ways_out_by_the_library_are_ways_where_it_is_pythons_own(self):
        admin = WorkerSide("admin", sandbox=None)
        try:
            admin.wait_for("ready")
            for name, code in LIBRARY.items():
                with self.subTest(name):
                    self.assertEqual(admin.exec(code).result["status"], "succeeded")
        finally:
            admin.close()

    def test_admin_may_do_what_restricted_may_not(self):
        admin = WorkerSide("admin")
        try:
            admin.wait_for("ready")
            for code in ("import os\nresult = os.system('true')", "result = ().__class__.__name__", "result = open('x', 'w').write('y')"):
                admin.exec(code).value
        finally:
            admin.close()


if __name__ == "__main__":
    unittest.main()
