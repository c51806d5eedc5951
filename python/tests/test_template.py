"""The template's life: preload, forks, kills, endings, and what is left when someone dies."""

import os
import signal
import tempfile
import unittest

from job_channel import Child
from waiting import cpu_ms, is_alive, wait_until
from worker_side import WorkerSide

from python3_cluster_runner import sandbox


# A template shows its descriptors to nobody but root: whoever could read them there could open them, too.
takes_root = unittest.skipUnless(os.geteuid() == 0, "takes root: a template is not dumpable")


def descriptors_of(pid):
    return sorted(os.listdir(f"/proc/{pid}/fd"), key=int)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def link_of(pid, descriptor):
    return os.readlink(f"/proc/{pid}/fd/{descriptor}")


def flags_of(pid, descriptor):
    with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("flags:")).split()[1], 8)


class TemplateTests(unittest.TestCase):
    def start(self, *arguments, **options):
        worker = WorkerSide(*arguments, **options)
        self.addCleanup(worker.close)
        return worker

    # Getting ready.

    def test_it_says_who_it_is(self):
        worker = self.start(preload=["json", "collections.abc"])
        ready = worker.wait_for("ready")
        self.assertEqual((ready["pid"], ready["preloaded"]), (worker.pid, ["json", "collections.abc"]))
        self.assertRegex(ready["pythonVersion"], r"^3\.\d+\.\d+$")
        self.assertTrue(ready["pythonFullVersion"].startswith(ready["pythonVersion"]))
        worker.send({"type": "ping", "nonce": "p1"})
        worker.wait_for("pong", nonce="p1")

    def test_a_preload_that_cannot_serve_is_refused_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            sources = {
                "starts_thread": "import _thread, time\n_thread.start_new_thread(time.sleep, (60,))",
                "keeps_descriptor": "import os\nkept = os.open('/dev/null', os.O_RDONLY)",
                "exits": "raise SystemExit(0)",
            }
            for name, source in sources.items():
                with open(os.path.join(folder, name + ".py"), "w", encoding="utf-8") as file:
                    file.write(source)
            # A first preload that puts the folder on the path: -I leaves no other way in.
            runner = os.path.join(folder, "runner")
            self._runner_with_path(runner, folder)
            for name, code in [
                ("starts_thread", "TEMPLATE_HAS_THREADS"), ("keeps_descriptor", "TEMPLATE_HAS_DESCRIPTORS"),
                ("exits", "PRELOAD_IMPORT_FAILED"), ("no_such_module", "PRELOAD_IMPORT_FAILED"),
            ]:  # fmt: skip
                with self.subTest(name):
                    worker = self.start(preload=["math", name], path=runner)
                    refused = worker.wait_for("refused")
                    self.assertEqual(refused["code"], code)
                    self.assertIn(name, refused["message"])
                    self.assertEqual(worker.wait_exit(), 3)

    def _runner_with_path(self, runner, folder):
        from runner_under_test import RUNNER

        os.makedirs(runner)
        os.symlink(os.path.join(RUNNER, "python3_cluster_runner"), os.path.join(runner, "python3_cluster_runner"))
        with open(os.path.join(RUNNER, "__main__.py"), encoding="utf-8") as file:
            source = file.read()
        with open(os.path.join(runner, "__main__.py"), "w", encoding="utf-8") as file:
            file.write(f"import sys\nsys.path.append({folder!r})\n{source}")

    @takes_root
    def test_descriptors_the_worker_forgot_are_closed(self):
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        try:
            worker = self.start()
            worker.wait_for("ready")
        finally:
            os.close(reading)
            os.close(writing)
        links = [os.readlink(f"/proc/{worker.pid}/fd/{n}") for n in descriptors_of(worker.pid)]
        # 0 1 2, control channel, both ends of the signal pipe; for the sandboxes of children: paths, which cannot be read.
        of_paths = [n for n in descriptors_of(worker.pid) if flags_of(worker.pid, n) & os.O_PATH]
        # The empty file stands in for a ruleset that was closed: see `Ruleset.enter`.
        stand_ins = [n for n in descriptors_of(worker.pid)[3:] if n not in of_paths and link_of(worker.pid, n) == os.devnull]
        self.assertLessEqual(len(stand_ins), 1)
        self.assertEqual(len(links) - len(of_paths) - len(stand_ins), 6, links)
        self.assertFalse([link for link in links if link.startswith(("/root", "/home"))])

    # Protocol errors.

    def test_malformed_control_frames_end_it_with_code_4(self):
        for data in (b"garbage on the channel", b"\xff" * 8, b"\x00\x00\x00\x0f\x00\x00\x00\x00" + b'{"type":"what"}'):
            worker = self.start()
            worker.wait_for("ready")
            child = worker.connected_child()
            worker.send_raw(data)
            self.assertEqual(worker.wait_exit(), 4)
            self.assertFalse(is_alive(child.pid))
            self.assertIn("protocol error on the control channel", worker.log())
            self.assertEqual(worker.log().count("\n"), 1)

    def test_messages_out_of_turn_are_protocol_errors(self):
        worker = self.start(configure=False)
        worker.send({"type": "ping", "nonce": "n"})
        self.assertEqual(worker.wait_exit(), 4)
        worker = self.start()
        worker.wait_for("ready")
        worker.send({"type": "configure", "mode": "admin", "socketPath": "/x", "preload": []})
        self.assertEqual(worker.wait_exit(), 4)

    def test_a_child_says_hello_and_answers_pings_before_its_job(self):
        worker = self.start()
        child = worker.connected_child()
        child.send({"type": "ping", "nonce": "a"})
        worker.pump(lambda: child.other)
        self.assertEqual(child.other, [{"type": "pong", "nonce": "a"}])
        child.send_raw(b"garbage, not a frame")
        child.finish()
        self.assertEqual(child.exit["exitCode"], 65)

    def test_a_child_without_a_job_leaves_when_its_connection_ends(self):
        worker = self.start()
        child = worker.connected_child()
        child.connection._end(None)
        child.finish()
        self.assertEqual((child.exit["exitCode"], child.exit["leftovers"]), (0, 0))

    # Forks and endings.

    def test_a_burst_of_forks_and_out_of_order_endings(self):
        worker = self.start()
        worker.wait_for("ready")
        children = [Child(worker, f"b{number}") for number in range(8)]
        workspaces = {child: child.open_workspace() for child in children}
        for child in [*children, children[0]]:
            worker.send({"type": "fork", "childId": child.id, "nonce": child.nonce, "uid": None, **workspaces[child]})
        worker.wait_for("fork-failed", childId="b0")
        worker.pump(lambda: all(child.connection for child in children))
        worker.send({"type": "kill", "childId": "unknown"})
        for child in reversed(children):
            worker.send({"type": "kill", "childId": child.id})
            exited = worker.wait_for("exited", childId=child.id)
            self.assertEqual((exited["exitCode"], exited["signal"]), (None, 9))
        self.assertEqual(children_of(worker.pid), [])

    def test_ends_of_children(self):
        worker = self.start("admin")
        for program, code, number in [("exits_hard", 7, None), ("kills_itself", None, 9), ("segfaults", None, 11)]:
            with self.subTest(program):
                child = worker.program(program)
                self.assertEqual((child.exit["exitCode"], child.exit["signal"], child.answer), (code, number, None))
        self.assertEqual(worker.program("exits_hard").stdout, "before the end\n")

    def test_an_endless_loop_is_killed_and_its_usage_counted(self):
        worker = self.start()
        child = worker.connected_child()
        with open(os.path.join(os.path.dirname(__file__), "programs", "loops_forever.py"), encoding="utf-8") as file:
            child.start("exec", {"code": file.read(), "variables": {}})
        worker.pump(lambda: child.out["stdout"])
        # By its own CPU time: a busy machine may leave it little of any time on the clock.
        worker.pump(lambda: cpu_ms(child.pid) > 60)
        self.assertFalse(child.ended)
        worker.send({"type": "kill", "childId": child.id})
        child.finish()
        self.assertEqual((child.exit["signal"], child.answer, child.stdout), (9, None, "started\n"))
        self.assertGreater(child.exit["cpuMs"], 50)
        self.assertGreater(child.exit["maxRssBytes"], 1 << 20)

    def test_the_cpu_backstop_of_the_kernel_works(self):
        worker = self.start()
        child = worker.program("loops_forever", limits={"cpuSeconds": 0})
        self.assertEqual(child.exit["signal"], signal.SIGXCPU)

    def test_processes_left_behind_are_gone_when_exited_arrives(self):
        worker = self.start("admin")
        child = worker.program("leaves_daemons")
        self.assertEqual([pid for pid in child.value if is_alive(pid)], [])
        self.assertEqual((len(child.value), child.exit["exitCode"]), (4, 0))
        self.assertGreaterEqual(child.exit["leftovers"], 3)
        self.assertEqual(children_of(worker.pid), [])

    def test_leftovers_of_a_killed_child_are_gone_too(self):
        worker = self.start("admin")
        bystander = worker.connected_child()
        child = worker.connected_child()
        code = "import os, time\nif os.fork() == 0:\n os.setsid()\n print(os.getpid(), flush=True)\ntime.sleep(60)"
        child.start("exec", {"code": code})
        worker.pump(lambda: b"\n" in child.out["stdout"])
        worker.send({"type": "kill", "childId": child.id})
        child.finish()
        self.assertFalse(is_alive(int(child.stdout)))
        self.assertTrue(is_alive(bystander.pid))
        self.assertEqual(children_of(worker.pid), [str(bystander.pid)])

    def test_a_fork_bomb_is_ended(self):
        worker = self.start("admin")
        child = worker.program("fork_bomb_group")
        self.assertEqual((child.value, children_of(worker.pid)), ("left", []))
        self.assertEqual(worker.eval("1").value, 1)

    @takes_root
    def test_200_jobs_leave_no_descriptor_and_no_zombie(self):
        worker = self.start()
        worker.wait_for("ready")
        worker.eval("1")
        before = descriptors_of(worker.pid)
        for number in range(200):
            self.assertEqual(worker.eval(str(number)).value, number)
        extra = [number for number in descriptors_of(worker.pid) if number not in before]
        # Each of these jobs has a workspace of its own; a worker node has a few, used again and again.
        self.assertLessEqual(len(extra), sandbox.RULESETS_MAX)
        kinds = {os.readlink(f"/proc/{worker.pid}/fd/{number}") for number in extra}
        self.assertLessEqual({kind.replace("[", "").replace("]", "") for kind in kinds}, {"anon_inode:landlock-ruleset"})
        self.assertEqual(children_of(worker.pid), [])

    def test_a_child_has_nothing_open_but_its_streams_and_its_channel(self):
        """Not its template's rulesets above all, to which another child could add what it likes."""
        worker = self.start("admin")
        for _ in range(3):
            worker.eval("1")
        code = "import os\nresult = sorted(os.readlink(f'/proc/self/fd/{n}').partition(':')[0] for n in os.listdir('/proc/self/fd')[:-1])"
        kinds = worker.exec(code).value
        self.assertEqual(len(kinds), 4, kinds)
        self.assertEqual([kind for kind in kinds if kind in ("socket", "anon_inode")], ["socket"])

    # Death.

    def test_stop_and_end_of_file_leave_nothing(self):
        for how in ("stop", "close"):
            with self.subTest(how):
                worker = self.start("admin")
                child = worker.connected_child()
                code = "import os, time\nif os.fork() == 0:\n os.setsid()\n print(os.getpid(), flush=True)\ntime.sleep(60)"
                child.start("exec", {"code": code})
                worker.pump(lambda: b"\n" in child.out["stdout"])
                if how == "stop":
                    worker.send({"type": "stop"})
                else:
                    worker.selector.unregister(worker.control)
                    worker.control_ended = True
                    worker.control.close()
                self.assertEqual(worker.wait_exit(), 0)
                self.assertFalse(is_alive(child.pid) or is_alive(int(child.stdout)))

    def test_terminal_signals_are_the_workers_to_decide_on(self):
        worker = self.start()
        worker.wait_for("ready")
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(worker.pid, number)
        self.assertEqual(worker.eval("'alive'").value, "alive")
        child = worker.connected_child()
        os.kill(child.pid, signal.SIGTERM)
        self.assertEqual(worker.wait_for("exited", childId=child.id)["signal"], signal.SIGTERM)

    def test_children_of_a_killed_template_die_within_a_second(self):
        worker = self.start()
        idle = worker.connected_child()
        busy = worker.connected_child()
        with open(os.path.join(os.path.dirname(__file__), "programs", "loops_forever.py"), encoding="utf-8") as file:
            busy.start("exec", {"code": file.read()})
        worker.pump(lambda: busy.out["stdout"])
        os.kill(worker.pid, signal.SIGKILL)
        self.assertEqual(worker.wait_exit(), -9)
        wait_until(lambda: not is_alive(idle.pid) and not is_alive(busy.pid), 1.0, "children outlived the template")


if __name__ == "__main__":
    unittest.main()
