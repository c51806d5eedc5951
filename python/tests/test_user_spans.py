"""Spans that a run tells of: its own parts, and what programs open."""

import json
import os
import time
import unittest

from runner_under_test import FIXTURES
from worker_side import WorkerSide

SPAN_FIXTURES = os.path.join(os.path.dirname(FIXTURES), "spans.json")
NESTED = """
import python3_trace as trace
with trace.span("outer", {"rows": 10, "ratio": 0.5, "name": "x", "yes": True}) as outer:
    with trace.span("inner") as inner:
        inner.set("k", "v")
    outer.set("rows", 11)
with trace.span("second"):
    pass
result = 1
"""


class SpanTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workers = {mode: WorkerSide(mode, preload=["math"]) for mode in ("restricted", "admin")}
        for worker in cls.workers.values():
            worker.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        for worker in cls.workers.values():
            worker.close()

    def spans(self, code, mode="restricted", status="succeeded", **overrides):
        child = self.workers[mode].exec(code, spans=True, **overrides)
        self.assertEqual(child.result["status"], status, child.result["error"])
        return child.result["spans"]

    def test_a_run_that_is_not_asked_says_nothing_of_spans_and_may_open_them_all_the_same(self):
        child = self.workers["restricted"].exec(NESTED)
        self.assertEqual(child.value, 1)
        self.assertNotIn("spans", child.result)

    def test_compiling_and_executing_follow_one_another_inside_the_run(self):
        before = time.time_ns() // 1000
        spans = self.spans("x = 1")
        times = [before, *spans["compile"], *spans["execute"], time.time_ns() // 1000]
        self.assertEqual(times, sorted(times))
        self.assertEqual(spans["compile"][1], spans["execute"][0])
        self.assertEqual((spans["user"], spans["dropped"]), ([], 0))

    def test_other_kinds_tell_of_what_they_do(self):
        worker = self.workers["restricted"]
        self.assertIsNotNone(worker.eval("1 + 1", spans=True).result["spans"]["execute"])
        called = worker.call("math", "sqrt", [4], spans=True).result["spans"]
        self.assertIsNone(called["compile"])
        self.assertIsNotNone(called["execute"])
        checked = worker.run("check", {"code": "x ="}, spans=True).result["spans"]
        self.assertIsNone(checked["execute"])

    def test_spans_nest_with_names_attributes_and_times_in_both_modes(self):
        for mode in ("restricted", "admin"):
            with self.subTest(mode):
                spans = self.spans(NESTED, mode)
                names = [(name, parent) for name, parent, *_ in spans["user"]]
                self.assertEqual(names, [("outer", -1), ("inner", 0), ("second", -1)])
                outer, inner, second = spans["user"]
                self.assertEqual(outer[4], {"rows": 11, "ratio": 0.5, "name": "x", "yes": True})
                self.assertEqual((inner[4], second[4]), ({"k": "v"}, {}))
                start, end = spans["execute"]
                times = [start, outer[2], inner[2], inner[3], outer[3], second[2], second[3], end]
                self.assertEqual(times, sorted(times))
                self.assertEqual([span[5] for span in spans["user"]], [None, None, None])

    def test_an_exception_is_told_by_its_class_and_goes_on(self):
        spans = self.spans(
            "from python3_trace import span\nclass Odd(ValueError): pass\nwith span('a'):\n  with span('b'):\n    raise Odd('secret')",
            status="failed",
        )
        self.assertEqual([(span[0], span[5]) for span in spans["user"]], [("a", "Odd"), ("b", "Odd")])
        self.assertNotIn("secret", json.dumps(spans))

    def test_a_program_that_does_not_compile_was_not_executed(self):
        spans = self.spans("x = = 1", status="failed")
        self.assertIsNone(spans["execute"])
        self.assertIsNotNone(spans["compile"])

    def test_what_is_beyond_the_bounds_is_left_out_and_counted(self):
        for code, count, dropped in (
            ("for n in range(70):\n  with trace.span(f's{n}'): pass", 64, 6),
            ("with trace.span('s') as s:\n  for n in range(20): s.set(f'k{n}', n)", 1, 4),
            ("with trace.span('s' * 500) as s: s.set('k', 'v' * 500)", 1, 0),
            ("for n in range(64):\n  with trace.span('s') as s: s.set('k', '\\u4e16' * 256)", None, None),
        ):
            with self.subTest(code):
                spans = self.spans("import python3_trace as trace\n" + code)
                if count is not None:
                    self.assertEqual((len(spans["user"]), spans["dropped"]), (count, dropped))
                self.assertGreater(len(spans["user"]), 0)
                self.assertLessEqual(len(json.dumps(spans["user"], separators=(",", ":"))), 16_384 + 2)
                for name, _parent, _start, _end, attributes, _error in spans["user"]:
                    self.assertLessEqual(len(name), 128)
                    self.assertLessEqual(len(attributes), 16)
                    self.assertTrue(all(len(value) <= 256 for value in attributes.values() if isinstance(value, str)))

    def test_nonsense_is_left_out_and_never_raises(self):
        code = """
import python3_trace as trace
class Wild:
    def __str__(self): raise RuntimeError('asked')
    __repr__ = __hash__ = __str__
for name in (None, 3, '', Wild(), [], 'fine'):
    with trace.span(name, {'a': float('nan'), 'b': 1e999, 'c': 10**30, 'd': Wild(), 'e': None, 'f': [1]}) as s:
        s.set(7, 1)
        s.set('python3.job.id', 'mine')
        s.set('__proto__', 'x')
        s.set('two words', 'x')
        s.set('http.route', '/x')
with trace.span('given nonsense', 17): pass
s.set('late', 1)
with s: pass
result = True
"""
        spans = self.spans(code)
        self.assertEqual([(span[0], span[4]) for span in spans["user"]], [("fine", {"http.route": "/x"}), ("given nonsense", {})])
        self.assertGreater(spans["dropped"], 10)

    def test_threads_do_not_nest_in_one_another(self):
        code = """
import python3_trace as trace, _thread, time
done = []
def work():
    with trace.span('in thread'): done.append(1)
with trace.span('main'):
    _thread.start_new_thread(work, ())
    while not done: time.sleep(0.001)
"""
        spans = self.spans(code, "admin")
        self.assertEqual(sorted((span[0], span[1]) for span in spans["user"]), [("in thread", -1), ("main", -1)])

    def test_a_span_that_is_left_open_ends_with_the_execution(self):
        spans = self.spans("import python3_trace as trace\ntrace.span('open').__enter__()")
        self.assertEqual(spans["user"][0][3], spans["execute"][1])

    def test_the_longest_error_and_the_most_spans_fit_into_one_frame(self):
        code = """
import python3_trace as trace
for n in range(64):
    with trace.span('\\u4e16' * 40) as s: s.set('k', 'v' * 150)
def deep(n):
    if n: deep(n - 1)
    raise ValueError('\\u4e16' * 20_000)
deep(300)
"""
        spans = self.spans(code, status="failed")
        self.assertGreater(len(spans["user"]), 10)

    def test_a_program_that_replaces_the_module_fails_nobody(self):
        child = self.workers["admin"].exec("import sys\nsys.modules['python3_trace'] = None\nresult = 1", spans=True)
        self.assertEqual(child.value, 1)
        self.assertEqual(self.spans(NESTED, "admin")["user"][0][0], "outer")

    def test_a_kept_child_begins_anew_with_each_run(self):
        from test_kept_child import Kept

        kept = Kept(self.workers["restricted"])
        first = kept.exec(NESTED, spans=True).result["spans"]
        second = kept.exec("import python3_trace\nwith python3_trace.span('mine'): pass", spans=True).result["spans"]
        third = kept.exec("result = 2").result
        self.assertTrue(kept.waits)
        self.assertEqual([span[0] for span in first["user"]], ["outer", "inner", "second"])
        self.assertEqual([(span[0], span[1]) for span in second["user"]], [("mine", -1)])
        self.assertGreaterEqual(second["compile"][0], first["execute"][1])
        self.assertNotIn("spans", third)

    def test_what_programs_can_make_of_it_is_what_the_fixtures_accept(self):
        """The accepted lists were made by these programs; the worker's tests read the same file."""
        with open(SPAN_FIXTURES, encoding="utf-8") as file:
            fixtures = [fixture for fixture in json.load(file) if "program" in fixture]
        self.assertGreater(len(fixtures), 3)
        for fixture in fixtures:
            with self.subTest(fixture["name"]):
                spans = self.spans("import python3_trace as trace\n" + fixture["program"], status=fixture.get("status", "succeeded"))
                self.assertEqual(without_times(spans), without_times(fixture["spans"]))


def without_times(spans):
    return {
        "parts": [spans["compile"] is None, spans["execute"] is None],
        "user": [[name, parent, attributes, error] for name, parent, _start, _end, attributes, error in spans["user"]],
        "dropped": spans["dropped"],
    }


if __name__ == "__main__":
    unittest.main()
