"""Jobs through real children: kinds, values, streams, surroundings, and every way to fail."""

import json
import math
import unittest

from job_channel import JobChannelBroken
from runner_under_test import RUNNER
from worker_side import WorkerSide


class JobTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.admin = WorkerSide("admin", preload=["math", "random", "tempfile"])
        cls.admin.wait_for("ready")

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()


class KindTests(JobTests):
    def test_exec_returns_the_variable_result(self):
        self.assertEqual(self.admin.exec("result = x + y", {"x": 10, "y": 20}).value, 30)
        child = self.admin.exec("result = None")
        self.assertEqual((child.result["hasValue"], child.body), (True, b"null"))
        child = self.admin.exec("x = 1")
        self.assertEqual((child.result["status"], child.result["hasValue"], child.body), ("succeeded", False, b""))

    def test_exec_is_one_namespace(self):
        code = "import math\ndef even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\n"
        code += "k = 2\nresult = [even(10), [k * n for n in range(2)], (lambda: math.pi)() > 3]"
        self.assertEqual(self.admin.exec(code).value, [True, [0, 2], True])

    def test_user_classes_pickle_and_show_their_source(self):
        reading = {"tag": "t1", "value": 2.5, "parts": []}
        self.assertEqual(
            self.admin.program("admin_program").value, [reading, "red", "def twice(x):\n    return 2 * x\n", "__main__"]
        )

    def test_the_program_is_a_module_with_a_file(self):
        code = (
            "import getpass, inspect, os, sys\nclass A:\n    x = 1\n\ndef f(): pass\n"
            "result = [inspect.getsource(A), inspect.getsource(f), inspect.getmodule(A) is sys.modules['__main__'], inspect.getfile(f) == __file__, "
            "sys.modules['__main__'].__file__ == __file__, os.path.dirname(os.path.abspath(__file__)) == os.getcwd(), inspect.getsourcelines(A)[1], "
            "getpass.getuser()]"
        )
        expected = ["class A:\n    x = 1\n", "def f(): pass\n", True, True, True, True, 2, "python3"]
        self.assertEqual(self.admin.exec(code).value, expected)

    def test_a_byte_order_mark_is_no_part_of_a_program(self):
        self.assertEqual(self.admin.exec("\ufeffresult = 1").value, 1)
        self.assertEqual(self.admin.eval("\ufeff 1 + 1").value, 2)
        self.assertEqual(self.admin.run("check", {"code": "\ufeffx = 1"}).value, {"errors": []})
        self.assertEqual(self.admin.run("check", {"code": "\ufeffreturn"}).value["errors"][0]["column"], 1)
        self.assertEqual(self.admin.exec("x = 1\n\ufeffresult = 1").error["type"], "SyntaxError")

    def test_eval_returns_the_value_of_an_expression(self):
        self.assertEqual(self.admin.eval("\n  a + b \n", {"a": 10, "b": 20}).value, 30)
        self.assertEqual(self.admin.eval("2 ** 100").value, 2**100)
        self.assertEqual(self.admin.eval("[x ** 2 for x in range(k)]", {"k": 3}).value, [0, 1, 4])
        self.assertEqual(self.admin.eval("\n\n1 +").error["line"], 3)

    def test_call_resolves_dotted_names_and_passes_arguments(self):
        self.assertEqual(self.admin.call("math", "sqrt", [16]).body, b"4.0")
        self.assertEqual(self.admin.call("datetime", "datetime.fromisoformat", ["2024-01-02"]).value, "2024-01-02T00:00:00")
        self.assertEqual(self.admin.call("json", "dumps", [{"b": 1, "a": 2}], {"sort_keys": True}).value, '{"a": 2, "b": 1}')
        self.assertEqual(self.admin.call("math", "pi").error["type"], "TypeError")
        self.assertEqual(self.admin.call("no_such_module", "f").error["type"], "ModuleNotFoundError")
        self.assertEqual(self.admin.call("math", "nope").error["type"], "AttributeError")

    def test_check_parses_and_does_not_run(self):
        child = self.admin.run("check", {"code": "print('ran')\nx = = 1"})
        self.assertEqual(child.stdout, "")
        [error] = child.value["errors"]
        self.assertEqual((error["line"], error["column"], error["severity"]), (2, 5, "error"))
        self.assertEqual(self.admin.run("check", {"code": "print('ran')"}).value, {"errors": []})
        for code in ("return 1", "x\x00", "(" * 5000):
            [error] = self.admin.run("check", {"code": code}).value["errors"]
            self.assertTrue(error["message"])

    def test_a_payload_of_the_wrong_shape_is_a_failure(self):
        self.assertEqual(self.admin.run("exec", b"not json").error["type"], "JSONDecodeError")
        self.assertEqual(self.admin.exec("1", {"__builtins__": {}}).error["type"], "ValueError")


class ValueTests(JobTests):
    def test_numbers_survive_both_ways(self):
        digits = "7" * 5000
        raw = f'{{"expression":"[v, w, x, y, z]","variables":{{"v":9007199254740993,"w":1.0,"x":-0.0,"y":1e400,"z":{digits}}}}}'
        child = self.admin.run("eval", raw.encode())
        self.assertEqual(child.body.decode(), f'[9007199254740993,1.0,-0.0,"Infinity",{digits}]')

    def test_lone_surrogates_and_last_keys_survive(self):
        child = self.admin.run("eval", b'{"expression":"v","variables":{"v":{"k":1,"k":"\\ud800"}}}')
        self.assertEqual(child.body, b'{"k":"\\ud800"}')

    def test_names_are_found_however_they_are_spelled(self):
        for sent, written in (("\u00b5", "\u00b5"), ("\u00b5", "\u03bc"), ("\u03bc", "\u00b5"), ("\ufb01t", "fit")):
            self.assertEqual(self.admin.eval(f"{written} * 2", {sent: 0.5}).value, 1.0)
        child = self.admin.call("types", "SimpleNamespace", [], {"\u00b5": 1})
        self.assertEqual(child.value, "namespace(\u03bc=1)")

    def test_user_code_keeps_the_limit_on_digits(self):
        self.assertEqual(self.admin.eval("int('1' * 5000)").error["type"], "ValueError")
        self.assertTrue(math.isfinite(self.admin.eval("10 ** 5000 % 7").value))

    def test_values_that_cannot_be_returned_fail_by_name_and_keep_the_output(self):
        self.assertEqual(self.admin.program("cyclic_value").error["type"], "CircularReferenceError")
        child = self.admin.exec("print('kept')\nv = []\nfor _ in range(300): v = [v]\nresult = v")
        self.assertEqual((child.error["type"], child.stdout), ("ValueTooDeepError", "kept\n"))
        error = self.admin.program("huge_value").error
        self.assertEqual(error["type"], "ValueTooLargeError")
        self.assertIn("4194304", error["message"])
        error = self.admin.exec("class A:\n def __str__(self): return 1 / 0\nresult = [A()]").error
        self.assertEqual((error["type"], error["line"]), ("ZeroDivisionError", 2))
        self.assertEqual(error["message"], "the result could not be rendered, at result[0]: division by zero")
        self.assertIn("The result could not be rendered, at result[0]\n", error["traceback"])
        error = self.admin.eval("{'a': [{1: 2, '1': 3}]}").error
        self.assertEqual(error["type"], "DuplicateNameError")
        self.assertIn('at result["a"][0]: two keys', error["message"])

    def test_a_warning_while_the_value_is_rendered_is_nobodys(self):
        code = "import warnings\nwarnings.simplefilter('error')\nclass A:\n    def __str__(self):\n        warnings.warn('w')\n        return 'x'\nresult = A()"
        child = self.admin.exec(code)
        self.assertEqual((child.value, child.stderr), ("x", ""))


class StreamTests(JobTests):
    def test_output_is_captured_below_python_too(self):
        child = self.admin.exec(
            "import os, subprocess, sys\nprint('é\\ud800')\nos.write(1, b'raw\\n')\nprint('err', file=sys.stderr)\n"
            "subprocess.run(['sh', '-c', 'echo sub; cat'])\nprint('end', end='')"
        )
        self.assertEqual(child.stdout, "é\\ud800\nraw\nsub\nend")
        self.assertEqual(child.stderr, "err\n")

    def test_text_that_is_less_than_a_line_is_there_before_the_end(self):
        codes = {
            "print('reading', 1, end=' ')": "reading 1 ", "print('50 %', end='\\r')": "50 %\r", "import sys\nsys.stdout.write('x')": "x",
            "print('a\\nb', end='')": "a\nb", "import sys\nsys.stdout.writelines(['p', 'q'])": "pq",
        }  # fmt: skip
        for code, expected in codes.items():
            child = self.admin.connected_child()
            child.start("exec", {"code": code + "\nwhile True: pass", "variables": {}})
            self.admin.pump(lambda child=child, expected=expected: child.stdout == expected, what=f"{expected!r} was not written")
            self.admin.send({"type": "kill", "childId": child.id})
            child.finish()
            self.assertEqual((child.stdout, child.answer), (expected, None))

    def test_streams_are_like_pythons(self):
        code = "import io, sys\nresult = [type(sys.stdout).__name__, isinstance(sys.stdout, io.TextIOWrapper), sys.stdout.mode, sys.stdout.name, "
        code += "repr(sys.stdout), type(sys.stdout.buffer).__name__, sys.stdout.isatty(), sys.stdout.line_buffering]"
        self.assertEqual(
            self.admin.exec(code).value,
            ["TextIOWrapper", True, "w", 1, "<_io.TextIOWrapper name=1 mode='w' encoding='utf-8'>", "BufferedWriter", False, True],
        )

    def test_standard_input_is_empty(self):
        self.assertEqual(self.admin.exec("import sys\nresult = sys.stdin.read()").value, "")

    def test_output_in_eval_and_call_does_not_disturb_the_protocol(self):
        child = self.admin.eval("print('LEAK') or 5")
        self.assertEqual((child.value, child.stdout), (5, "LEAK\n"))

    def test_a_flood_is_drained(self):
        child = self.admin.program("floods_stdout")
        self.assertEqual((child.value, len(child.out["stdout"])), ("done", 8 * 1024 * 1024))

    def test_streams_that_user_code_broke_do_not_cost_the_result(self):
        self.assertEqual(self.admin.program("replaces_everything").value, 42)
        self.assertEqual(self.admin.exec("import os\nprint('x', end='')\nos.close(1)\nresult = 1").value, 1)

    def test_a_pipe_nobody_reads_ends_the_child_and_not_the_template(self):
        child = self.admin.connected_child()
        for name in child.out:
            child._close_pipe(name)
        child.start("exec", {"code": "result = 1"})
        child.finish()
        self.assertEqual((child.answer, child.exit["exitCode"]), (None, 70))


class SurroundingsTests(JobTests):
    def test_descriptors_are_the_streams_and_the_job_channel(self):
        code = (
            "import os\ndef is_open(n):\n    try: return bool(os.readlink('/proc/self/fd/' + n))\n"
            "    except OSError: return False\nresult = [int(n) for n in os.listdir('/proc/self/fd') if is_open(n)]"
        )
        numbers = sorted(self.admin.exec(code).value)
        self.assertEqual(numbers[:3], [0, 1, 2])
        self.assertEqual(len(numbers), 4)
        code = "import os\nresult = os.readlink('/proc/self/fd/' + str(n)), os.get_inheritable(n)"
        link, inheritable = self.admin.exec(code, {"n": numbers[3]}).value
        self.assertTrue(link.startswith("socket:"))
        self.assertFalse(inheritable)

    def test_environment_folder_and_sys_are_the_jobs_own(self):
        child = self.admin.exec(
            "import os, sys, tempfile\nresult = [dict(os.environ), os.getcwd(), tempfile.gettempdir(), sys.argv, "
            "[m for m in sys.modules if 'cluster' in m], sys.path, os.getsid(0) == os.getpid()]",
            traceparent="00-aa-bb-01",
        )
        environment, folder, temporary, argv, modules, path, leads = child.value
        self.assertEqual(environment["TRACEPARENT"], "00-aa-bb-01")
        self.assertEqual(environment["HOME"], child.scratch)
        self.assertLessEqual(set(environment), set(
            "PATH LANG USER LOGNAME HOME TMPDIR PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS "
            "MALLOC_ARENA_MAX TRACEPARENT LD_LIBRARY_PATH".split()))  # fmt: skip
        self.assertEqual((folder, temporary, argv, modules, leads), (child.scratch, child.scratch, [""], [], True))
        self.assertNotIn(RUNNER, path)
        self.assertNotIn("TRACEPARENT", self.admin.exec("import os\nresult = dict(os.environ)").value)

    def test_callers_do_not_see_each_other(self):
        self.admin.exec("import os, math\nmath.pi = 3\nos.environ['X'] = '1'\nleak = 1")
        code = "import os, math\nresult = [math.pi > 3, 'X' in os.environ, 'leak' in globals()]"
        self.assertEqual(self.admin.exec(code).value, [True, False, False])

    def test_limits_of_the_kernel_are_set(self):
        child = self.admin.exec(
            "import resource as r\nresult = [r.getrlimit(n) for n in (r.RLIMIT_DATA, r.RLIMIT_CPU, r.RLIMIT_FSIZE, "
            "r.RLIMIT_NOFILE, r.RLIMIT_CORE)]",
            limits={"memoryBytes": 200 << 20, "cpuSeconds": 5, "fileSizeBytes": 1 << 20, "openFiles": 64},
        )
        self.assertEqual(child.value, [[200 << 20] * 2, [6, 7], [1 << 20] * 2, [64, 64], [0, 0]])

    def test_a_file_over_its_limit_fails_with_an_errno(self):
        child = self.admin.exec("open('f', 'wb', buffering=0).write(b'x' * 4096)\nopen('g', 'wb').write(b'x' * 200000)",
                                limits={"fileSizeBytes": 8192})  # fmt: skip
        self.assertEqual((child.error["type"], child.error["errno"]), ("OSError", 27))
        child = self.admin.exec("kept = [open('/dev/null') for _ in range(100)]", limits={"openFiles": 32})
        self.assertEqual((child.error["type"], child.error["errno"]), ("OSError", 24))


class FailureTests(JobTests):
    def test_errors_show_the_users_frames_only(self):
        error = self.admin.program("raises").error
        self.assertEqual((error["type"], error["message"], error["line"]), ("ZeroDivisionError", "division by zero", 5))
        lines = error["traceback"].splitlines()
        self.assertEqual(lines[0], "Traceback (most recent call last):")
        self.assertEqual(lines[1], '  File "<python3>", line 12, in <module>')
        self.assertIn("    return 10 / n", lines)
        self.assertNotIn(RUNNER, error["traceback"])

    def test_library_frames_below_the_users_are_kept(self):
        error = self.admin.exec("import json\njson.loads('{')").error
        self.assertEqual(error["line"], 2)
        self.assertIn("decoder.py", error["traceback"])
        self.assertNotIn(RUNNER, self.admin.call("json", "loads", ["{"]).error["traceback"])
        error = self.admin.exec("import no_such_module").error
        self.assertEqual((error["type"], error["line"]), ("ModuleNotFoundError", 1))
        self.assertNotIn(RUNNER, error["traceback"])

    def test_exits(self):
        for code, value in [("exit(0)", None), ("exit()", None), ("exit(None)", None), ("exit(False)", None)]:
            child = self.admin.exec(f"import sys\nsys.{code}")
            self.assertEqual((child.result["status"], child.result["hasValue"]), ("succeeded", False))
        self.assertEqual(self.admin.exec("import sys\nresult = 5\nsys.exit(0)").value, 5)
        for code, message in [("exit(3)", "3"), ("exit('sorry')", "sorry"), ("exit(True)", "True")]:
            error = self.admin.exec(f"import sys\nsys.{code}").error
            self.assertEqual((error["type"], error["message"], error["line"]), ("SystemExit", message, 2))

    def test_kinds_of_errors(self):
        for code, kind in [
            ("raise KeyboardInterrupt", "KeyboardInterrupt"), ("x = = 1", "SyntaxError"), ("\tx\n y", "IndentationError"),
            ("open('/no/such')", "FileNotFoundError"), ("x = '\ud800'", "UnicodeEncodeError"), ("x\x00", "SyntaxError|ValueError"),
            ("class E(BaseException): pass\nraise E('m')", "E"), ("raise ExceptionGroup('g', [ValueError(1)])", "ExceptionGroup"),
            ("import os\nos.kill(os.getpid(), 2)\nwhile True: pass", "KeyboardInterrupt"),
        ]:  # fmt: skip
            with self.subTest(code):
                self.assertRegex(self.admin.exec(code).error["type"], f"^({kind})$")
        self.assertEqual(self.admin.exec("open('/no/such')").error["errno"], 2)

    def test_recursion(self):
        error = self.admin.program("deep_recursion").error
        self.assertEqual((error["type"], error["line"]), ("RecursionError", 2))
        self.assertIn("more times", error["traceback"])

    def test_an_error_that_cannot_be_shown(self):
        error = self.admin.program("bad_str").error
        self.assertEqual(error["type"], "Broken")
        self.assertIn("cannot be shown", error["message"])

        code = "class E(OSError):\n @property\n def errno(self): raise LookupError\nraise E()"
        error = self.admin.exec(code).error
        self.assertEqual((error["type"], error["message"]), ("LookupError", "the error could not be described"))

    def test_streams_that_cannot_even_be_compared(self):
        code = "import sys\nclass S:\n def __eq__(self, o): raise OSError\n def flush(self): raise KeyboardInterrupt\n"
        self.assertEqual(self.admin.exec(code + "sys.stdout = S()\ndel sys.stderr\nresult = 1").value, 1)

    def test_huge_errors_are_cut(self):
        error = self.admin.exec("raise type('T' * 100000, (Exception,), {})('\\U0001f600' * 10**6)").error
        self.assertLess(len(error["type"]), 300)
        self.assertLess(len(json.dumps(error)), 60_000)

    def test_memory(self):
        error = self.admin.program("memory_bomb", limits={"memoryBytes": 64 << 20}).error
        self.assertEqual((error["type"], error["line"]), ("MemoryError", 4))
        self.assertIn("kept.append", error["traceback"])
        self.assertEqual(self.admin.program("memory_bomb_caught").value, "caught")
        error = self.admin.eval("'x' * 10**9").error
        self.assertEqual((error["type"], error["line"]), ("MemoryError", 1))
        self.assertEqual(self.admin.exec("result = ['x' * 1000] * 10**7", limits={"valueBytes": 1 << 31}).error["type"],
                         "MemoryError")  # fmt: skip

    def test_a_limit_below_what_python_holds_is_said(self):
        error = self.admin.eval("1", limits={"memoryBytes": 1 << 20}).error
        self.assertEqual(error["type"], "MemoryError")
        self.assertIn("1048576", error["message"])

    def test_timers_and_threads_do_not_disturb_the_report(self):
        child = self.admin.program("late_alarm")
        if child.result["status"] == "succeeded":
            self.assertEqual(len(child.value), 200_000)
        else:
            self.assertEqual(child.error["type"], "RuntimeError")
        self.assertEqual(self.admin.program("leaves_thread").value, "done")
        self.assertEqual(self.admin.exec("import atexit\natexit.register(print, 'late')\nresult = 1").stdout, "late\n")


class ForgeryTests(JobTests):
    def test_garbage_on_the_job_channel_is_a_protocol_error(self):
        child = self.admin.program("forges_frames")
        self.assertIsNotNone(child.problem)
        with self.assertRaises(JobChannelBroken):
            child.result
        self.assertEqual(self.admin.eval("'still' + ' mine'").value, "still mine")

    def test_a_forged_result_has_the_wrong_nonce(self):
        child = self.admin.program("forges_result")
        self.assertEqual((child.problem, child.answer), ("a result for another run", None))

    def test_a_child_that_closed_everything_ends_without_a_result(self):
        child = self.admin.program("closes_descriptors")
        self.assertEqual((child.answer, child.problem, child.exit["exitCode"]), (None, None, 74))


class RestrictedJobTests(unittest.TestCase):
    def test_a_job_for_the_other_mode_is_refused(self):
        worker = WorkerSide("restricted")
        try:
            child = worker.connected_child()
            child.start("exec", {"code": "1"}, mode="admin")
            child.finish()
            self.assertEqual((child.answer, child.exit["exitCode"]), (None, 65))
        finally:
            worker.close()


if __name__ == "__main__":
    unittest.main()
