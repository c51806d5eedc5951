"""Kept children: many calls of one process, each as if it were the first, or the process ends."""

import os
import unittest

from waiting import TimedOut, is_alive
from worker_side import WorkerSide
from python3_cluster_runner import frames

MEGABYTE = 1024 * 1024


class Kept:
    """A child that is run again and again, as the worker does with a warm key."""

    def __init__(self, worker):
        self.worker = worker
        self.child = worker.connected_child()
        self.pid = self.child.pid

    def run(self, kind, payload, keep=True, **overrides):
        """Returns the child, whose members tell of this call only."""
        child = self.child
        if child.answer is not None:
            for name in child.out:
                child.out[name] = bytearray()
            child.answer, child.body = None, b""
            child.run_nonce = os.urandom(8).hex()
            child.other.clear()
        child.start(kind, payload, keep=keep, **overrides)
        self.worker.pump(lambda: child.ended or (child.answer and child.other), what="neither waiting nor gone")
        for name in child.out:
            child._drain(name)
        return child

    def exec(self, code, variables=None, **overrides):
        return self.run("exec", {"code": code, "variables": variables or {}}, **overrides)

    @property
    def waits(self):
        return self.child.other == [{"type": "waiting", "nonce": self.child.run_nonce}] and not self.child.ended


class KeptChildTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workers = {mode: WorkerSide(mode, preload=["json", "random", "tempfile"]) for mode in ("admin", "restricted")}

    @classmethod
    def tearDownClass(cls):
        for worker in cls.workers.values():
            worker.close()

    def kept(self, mode="admin"):
        return Kept(self.workers[mode])

    def test_200_calls_of_one_process_get_their_own_answers(self):
        for mode in ("restricted", "admin"):
            kept = self.kept(mode)
            for number in range(200):
                child = kept.exec("print(mark)\nresult = mark * 2", {"mark": number})
                self.assertEqual((child.value, child.stdout, child.stderr), (2 * number, f"{number}\n", ""))
                self.assertTrue(kept.waits)
            self.assertTrue(is_alive(kept.pid))

    def test_answers_pings_between_calls_and_leaves_when_told_to(self):
        kept = self.kept()
        kept.exec("result = 1")
        kept.child.other.clear()
        kept.child.send({"type": "ping", "nonce": "p"})
        kept.worker.pump(lambda: kept.child.other)
        self.assertEqual(kept.child.other, [{"type": "pong", "nonce": "p"}])
        self.assertEqual(kept.exec("result = 2", keep=False).value, 2)
        self.assertTrue(kept.child.ended)
        kept.child.finish()
        self.assertEqual((kept.child.exit["exitCode"], kept.child.exit["leftovers"]), (0, 0))

    def test_leaves_when_the_connection_ends(self):
        kept = self.kept()
        kept.exec("result = 1")
        kept.child.connection._end(None)
        kept.child.finish()
        self.assertEqual(kept.child.exit["exitCode"], 0)

    def test_a_malformed_frame_between_calls_ends_it(self):
        kept = self.kept()
        kept.exec("result = 1")
        kept.child.send_raw(b"garbage, not a frame")
        kept.child.finish()
        self.assertEqual(kept.child.exit["exitCode"], 65)

    def test_a_failing_call_keeps_the_process_and_tells_nothing_to_the_next(self):
        kept = self.kept()
        for code, kind in (("secret = 1\n1 / 0", "ZeroDivisionError"), ("raise SystemExit(3)", "SystemExit"), ("1 +", "SyntaxError")):
            self.assertEqual(kept.exec(code).error["type"], kind)
            self.assertTrue(kept.waits, code)
        self.assertEqual(kept.exec("result = sorted(n for n in dir() if not n.startswith('__'))").value, [])

    def test_imported_modules_stay_as_they_are(self):
        kept = self.kept()
        kept.exec("import colorsys\ncolorsys.mine = 42")
        self.assertEqual(kept.exec("import sys\nresult = sys.modules['colorsys'].mine").value, 42)

    def test_what_cannot_be_put_back_ends_the_process_after_its_answer(self):
        programs = {
            "thread": "import sys\nt = __import__('sched').threading\nt.Thread(target=t.Event().wait, daemon=True).start()\nresult = 1",
            "process": "import os, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(600)\nresult = 1",
            "orphan": "import subprocess\nsubprocess.run(['sh', '-c', 'sleep 600 & disown; exit 0'], shell=False)\nresult = 1",
            "timer": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 600)\nresult = 1",
            "alarm": "import signal\nsignal.alarm(600)\nresult = 1",
            "pending signal": "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [10])\nos.kill(os.getpid(), 10)\nresult = 1",
            "limit": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\nresult = 1",
            "priority": "import os\nos.nice(5)\nresult = 1",
            "closed descriptors": "import os\nos.close(1)\nos.close(0)\nresult = 1",
            "output elsewhere": "import os\nos.dup2(os.open('/dev/null', os.O_WRONLY), 1)\nresult = 1",
            "a descriptor left open": "import os\nos.open('/dev/null', os.O_RDONLY)\nresult = 1",
            "closed stream": "import sys\nsys.stdout.close()\nresult = 1",
            "changed stream": "import sys\nsys.stdout.reconfigure(encoding='latin-1')\nresult = 1",
            "output that cannot go out": "import os, sys\nsys.stdout.buffer.write(b'x')\nos.close(1)\nresult = 1",
            "thread of a destructor": "t = __import__('sched').threading\nclass A:\n def __del__(self): t.Thread(target=t.Event().wait, daemon=True).start()\na = A()\na.a = a\nresult = 1",
        }  # fmt: skip
        for what, code in programs.items():
            with self.subTest(what):
                kept = self.kept()
                self.assertEqual(kept.exec("result = 0", policy={"allowedModules": [], "blockedModules": []}).value, 0)
                child = kept.exec(code, policy={"allowedModules": [], "blockedModules": []})
                self.assertEqual(child.value, 1)
                self.assertFalse(kept.waits)
                child.finish()
                self.assertFalse(is_alive(kept.pid))

    def test_memory_that_a_call_held_is_free_for_the_next(self):
        kept = self.kept()
        limits = {"memoryBytes": 128 * MEGABYTE}
        code = "x = b'x' * (70 << 20)\ndef f(): return x\nresult = len(f())"
        for _ in range(8):
            self.assertEqual(kept.exec(code, limits=limits).value, 70 * MEGABYTE)
            self.assertTrue(kept.waits)

    def test_a_process_that_grew_too_large_is_not_kept(self):
        kept = self.kept()
        code = "import colorsys\ncolorsys.kept = b'x' * (80 << 20)\nresult = 1"
        self.assertEqual(kept.exec(code, limits={"memoryBytes": 128 * MEGABYTE}).value, 1)
        self.assertFalse(kept.waits)

    def test_the_cpu_backstop_counts_each_call_for_itself(self):
        kept = self.kept("restricted")
        spin = "import time\nend = time.process_time() + s\nwhile time.process_time() < end: pass\nresult = 1"
        for _ in range(4):
            self.assertEqual(kept.exec(spin, {"s": 0.8}, limits={"cpuSeconds": 0}).value, 1)
        child = kept.child
        kept.exec("while True: pass", limits={"cpuSeconds": 0})
        child.finish()
        self.assertEqual((child.answer, child.exit["signal"]), (None, 24))

    def test_a_call_that_runs_on_is_killed_like_any_other(self):
        kept = self.kept("restricted")
        kept.exec("result = 1")
        with self.assertRaises(TimedOut):
            kept.worker.pump(lambda: False, timeout=0.1)
        kept.child.other.clear()
        kept.child.answer = None
        kept.child.send({"type": "ping", "nonce": "x"})
        kept.worker.pump(lambda: kept.child.other)
        kept.worker.send({"type": "kill", "childId": kept.child.id})
        kept.child.finish()
        self.assertEqual(kept.child.exit["signal"], 9)

    def test_without_a_policy_the_one_before_holds(self):
        kept = self.kept("restricted")
        narrow = {"allowedModules": ["json"], "blockedModules": []}
        self.assertEqual(kept.exec("import math\nresult = 1").value, 1)
        self.assertEqual(kept.exec("import math\nresult = 1", policy="same").value, 1)
        self.assertEqual(kept.exec("import math\nresult = 1", policy=narrow).error["type"], "SecurityError")
        self.assertEqual(kept.exec("import math\nresult = 1", policy="same").error["type"], "SecurityError")
        self.assertTrue(kept.waits)

    def test_a_first_call_without_a_policy_is_refused_with_the_process(self):
        for keep in (True, False):
            child = self.workers["restricted"].connected_child()
            child.start("exec", {"code": "result = 1", "variables": {}}, policy="same", keep=keep)
            child.finish()
            self.assertEqual((child.answer, child.exit["exitCode"]), (None, 65))

    def test_a_program_is_checked_again_where_a_variable_no_longer_hides_a_builtin(self):
        kept = self.kept("restricted")
        self.assertEqual(kept.exec("result = open", {"open": 7}).value, 7)
        self.assertEqual(kept.exec("result = open").error["type"], "SecurityError")
        self.assertEqual(kept.exec("result = open", {"open": 8}).value, 8)

    def test_the_same_text_as_another_kind_is_another_program(self):
        kept = self.kept("restricted")
        self.assertFalse(kept.exec("1 + 1").answer["hasValue"])
        self.assertEqual(kept.run("eval", {"expression": "1 + 1", "variables": {}}).value, 2)

    def test_what_comes_behind_a_call_ends_the_process(self):
        kept = self.kept()
        kept.exec("result = 1")
        child = kept.exec("result = 2", behind=frames.encode({"type": "ping", "nonce": "x"}))
        child.finish()
        self.assertEqual((child.answer, child.exit["exitCode"]), (None, 65))

    def test_a_refused_payload_keeps_the_process(self):
        kept = self.kept("restricted")
        self.assertEqual(kept.run("exec", b"not json").error["type"], "JSONDecodeError")
        self.assertEqual(kept.exec("import os").error["type"], "SecurityError")
        self.assertEqual(kept.exec("result = 3").value, 3)


if __name__ == "__main__":
    unittest.main()
