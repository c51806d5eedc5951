"""docs/restricted-mode.md: every row of its tables is refused, in those words, and nothing of it had run before."""

import os
import re
import unittest

from runner_under_test import HERE, RESTRICTED_MODULES
from worker_side import WorkerSide

PAGE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "restricted-mode.md")
START = "SECURITY ERROR: Security violation: "
BLOCKED_HINT = "\nWhich modules are, the setting PYTHON3_BLOCKED_MODULES of the worker nodes says."
HINT = '\nTo run this, use ADMIN mode: send "mode": "admin" with an admin key, or the header X-Python3-Admin-Key.'


def read_rows():
    with open(PAGE, encoding="utf-8") as file:
        for line in file:
            row = re.fullmatch(r"\| `(.+)` \| (.+) \|\n", line)
            if row:
                yield row[1].replace("\\n", "\n"), row[2].replace("[…]", str(sorted(RESTRICTED_MODULES)))


class RefusalTests(unittest.TestCase):
    def test_every_row_of_the_page_is_refused_in_its_words(self):
        rows = list(read_rows())
        self.assertGreaterEqual(len(rows), 75)
        worker = WorkerSide("restricted", preload=["math", "json", "re", "random"])
        try:
            worker.wait_for("ready")
            for code, message in rows:
                with self.subTest(code):
                    error = worker.exec(code).error
                    blocked = message.endswith("is always blocked for security reasons")
                    self.assertEqual(error["message"], START + message + (BLOCKED_HINT if blocked else HINT))
                    self.assertEqual((error["type"], type(error["line"])), ("SecurityError", int))
        finally:
            worker.close()

    def test_no_row_is_refused_in_admin_mode_but_the_blocked_modules(self):
        worker = WorkerSide("admin")
        try:
            worker.wait_for("ready")
            for code, message in read_rows():
                with self.subTest(code):
                    result = worker.exec(code).result
                    refused = result["status"] == "failed" and result["error"]["type"] == "SecurityError"
                    self.assertEqual(refused, "always blocked" in message)
        finally:
            worker.close()


if __name__ == "__main__":
    unittest.main()
