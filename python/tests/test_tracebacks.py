"""Bounds and hiding of our own frames, in this process."""

import json
import unittest

import runner_under_test  # noqa: F401  (puts the runner on the path)
from python3_cluster_runner import report, tracebacks


class CapTests(unittest.TestCase):
    def test_short_texts_stay_as_they_are(self):
        self.assertEqual(tracebacks.cap_text("abc", 100), "abc")
        self.assertEqual(tracebacks.cap_text("é" * 16, 100), "é" * 16)

    def test_head_and_tail_are_kept_within_the_bytes_of_json(self):
        for character in ("x", "é", "\U0001f600", "\x00", "\ud800"):
            capped = tracebacks.cap_text("HEAD" + character * 50_000 + "TAIL", 1000)
            self.assertLessEqual(len(json.dumps(capped)) - 2, 1000)
            self.assertRegex(capped, r"(?s)^HEAD.*characters cut.*TAIL$")

    def test_the_largest_report_fits_a_header(self):
        worst = "\U0001f600" * 100_000
        frame = report.Report("n" * 64).failed(worst, worst, 1, worst, 2)
        self.assertLess(len(frame), 65_536)


class ShapeTests(unittest.TestCase):
    def failure(self, code):
        tracebacks.register_source(code)
        try:
            exec(compile(code, tracebacks.USER_FILE, "exec"), {})
        except BaseException as error:
            return error

    def test_lines_are_those_of_user_code(self):
        self.assertEqual(tracebacks.line_of(self.failure("import json\n\njson.loads('{')")), 3)
        self.assertEqual(tracebacks.line_of(self.failure("def f():\n  1/0\nf()")), 2)
        self.assertEqual(tracebacks.line_of(self.failure("x = 1\ny = = 2")), 2)
        self.assertIsNone(tracebacks.line_of(ValueError()))

    def test_form_feeds_do_not_shift_source_lines(self):
        error = self.failure("x = '\x0c \u2028'\nraise ValueError(x)")
        self.assertIn("raise ValueError(x)", tracebacks.format_error(error))

    def test_chains_and_groups_are_shown(self):
        text = tracebacks.format_error(self.failure("try:\n 1/0\nexcept Exception as e:\n raise KeyError('k') from e"))
        self.assertIn("ZeroDivisionError", text)
        self.assertIn("direct cause", text)
        text = tracebacks.format_error(self.failure("raise ExceptionGroup('g', [ValueError('a'), KeyError('b')])"))
        self.assertIn("ValueError: a", text)

    def test_a_message_that_cannot_be_shown_is_said_to_be_so(self):
        class Broken(Exception):
            def __str__(self):
                raise RuntimeError

        self.assertRegex(tracebacks.message_of(Broken()), "cannot be shown: RuntimeError")
        self.assertIn("Broken", tracebacks.format_error(Broken()))


if __name__ == "__main__":
    unittest.main()
