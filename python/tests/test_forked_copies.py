"""A fork in user code makes a child of the program, not a second runner: it ends as a child of plain Python does."""

import os
import unittest

from plain_python import run_plainly
from test_kept_child import Kept
from worker_side import WorkerSide

POLICY = {"allowedModules": [], "blockedModules": []}
FORK = "import atexit, os, sys\natexit.register(lambda: os.getpid() == parent or print('exit function'))\nparent = os.getpid()\npid = os.fork()\n"
WAIT = "if pid: result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
COPIES = {
    "falls off the end": "",
    "prints": "if not pid: print('copy')\n",
    "raises": "if not pid: raise ValueError('of the copy')\n",
    "exits": "if not pid: sys.exit()\n",
    "exits with a code": "if not pid: sys.exit(7)\n",
    "exits with a text": "if not pid: sys.exit('text')\n",
    "has a hook": "if not pid:\n    sys.excepthook = lambda *_: print('hook')\n    1 / 0\n",
    "is interrupted": "if not pid: raise KeyboardInterrupt\n",
    "leaves at once": "if not pid: os._exit(3)\n",
    "starts a thread": "import threading\nif not pid: threading.Timer(0.05, print, ['thread']).start()\n",
    "forks again": "if not pid:\n    pid = os.fork()\n    if not pid: sys.exit(4)\n    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
}
ELSEWHERE = {
    "in a function of an eval": ("eval", {"expression": "[__import__('os').fork(), 1][1]"}, 1),
    "while the value is rendered": ("exec", {"code": "import os\nclass A:\n    def __str__(self): return str(os.fork() >= 0)\nresult = A()"}, "True"),
    "in an exit function": ("exec", {"code": "import atexit, os\natexit.register(os.fork)\nresult = 1"}, 1),
    "in a destructor": ("exec", {"code": "import os\nclass A:\n    def __del__(self, f=os.fork): f()\na = A()\nresult = 1"}, 1),
    "below Python": ("exec", {"code": "import ctypes\nctypes.PyDLL(None).fork()\nresult = 1"}, 1),
    "by multiprocessing": ("exec", {"code": "import multiprocessing as m\na, b = m.Pipe()\np = m.get_context('fork').Process(target=b.send, args=[5])\np.start()\nresult = a.recv()\np.join()"}, 5),
}  # fmt: skip


class ForkedCopyTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = WorkerSide("admin", preload=["json"])

    @classmethod
    def tearDownClass(cls):
        cls.worker.close()

    def test_a_copy_ends_as_a_child_of_plain_python(self):
        for name, code in COPIES.items():
            with self.subTest(name):
                plain = run_plainly(FORK + code + WAIT + "if pid: print(result)")
                child = self.worker.exec(FORK + code + WAIT, policy=POLICY)
                self.assertEqual(f"{child.stdout}{child.value}\n", plain[1])
                self.assertEqual(child.stderr, plain[2])
                self.assertIsNone(child.problem)

    def test_wherever_it_was_forked_there_is_one_result(self):
        for name, (kind, payload, value) in ELSEWHERE.items():
            with self.subTest(name):
                child = self.worker.run(kind, payload, policy=POLICY)
                self.assertEqual((child.value, child.problem), (value, None))

    def test_a_copy_that_lives_on_has_no_job_channel(self):
        code = (
            "import os, stat\ndef is_socket(n):\n    try: return stat.S_ISSOCK(os.fstat(n).st_mode)\n    except OSError: return False\n"
            "reading, writing = os.pipe()\nif not os.fork():\n    os.setsid()\n"
            "    os.write(writing, b'%d' % sum(map(is_socket, range(64))))\n    os._exit(0)\n"
            "result = os.read(reading, 9).decode()"
        )
        self.assertEqual(self.worker.exec(code, policy=POLICY).value, "0")

    def test_a_kept_child_goes_on_after_a_copy(self):
        kept = Kept(self.worker)
        for number in range(3):
            child = kept.exec("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: 1 / 0\nresult = n", {"n": number}, policy=POLICY)
            self.assertEqual(child.value, number)
            self.assertIn("ZeroDivisionError", child.stderr)
            self.assertTrue(kept.waits)


if __name__ == "__main__":
    unittest.main()
