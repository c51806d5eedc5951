"""The worker's half of the protocol, for tests: spawns a real template and drives it as a worker node would.

Single-threaded: `pump` serves every descriptor (control channel, job channels, the slots' pipes) until a condition holds or
a deadline passes. Nothing here sleeps.
"""

import itertools
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time

from job_channel import Child, Connection
from runner_under_test import PROGRAMS, RUNNER
from waiting import TIMEOUT, TimedOut

from python3_cluster_runner import frames, landlock


class WorkerSide:
    def __init__(self, mode="restricted", preload=("math",), configure=True, path=None, sandbox={}):
        """`sandbox`: members of that name in `configure` that differ from all layers a single user can have; None for none."""
        self.mode = mode
        self.folder = tempfile.mkdtemp(prefix="p3c-")
        self.selector = selectors.DefaultSelector()
        self.messages = []  # from the template
        self.children = {}
        self.exited = {}
        self.control_ended = False
        self.exit_status = None
        self._ids = itertools.count(1)
        self._connections = []
        self._listen()
        self._spawn(path or RUNNER)
        if configure:
            self.send(
                {
                    "type": "configure",
                    "mode": mode,
                    "socketPath": self.socket_path,
                    "preload": list(preload),
                    "sandbox": None if sandbox is None else self._sandbox(sandbox),
                }
            )

    # Set-up.

    def _sandbox(self, differences):
        folders = [path for path in (sys.prefix + "/lib", "/usr/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/usr/bin", "/bin")]
        return {
            "uid": None,
            "namespaces": False,
            "landlockAbi": landlock.version(),
            "seccomp": True,
            "readPaths": folders + ["/etc/localtime"],
            "writePaths": [],
            "workspacesPath": self.folder,
            "firstChildUid": None,
            "scratch": None,
        } | differences

    def _listen(self):
        self.socket_path = os.path.join(self.folder, "jobs.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.socket_path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def _spawn(self, path):
        self.control, theirs = socket.socketpair()
        self.log_path = os.path.join(self.folder, "log")
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "SECRET": "not for children"}
        if "LD_LIBRARY_PATH" in os.environ:  # of an interpreter that was unpacked rather than installed
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-B", "-u", path],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
            ],
        )
        theirs.close()
        self._reader = frames.FrameReader(frames.TEMPLATE_TO_WORKER)
        self.control.setblocking(False)
        self.selector.register(self.control, selectors.EVENT_READ, self._control_readable)

    # The loop.

    def pump(self, condition, timeout=TIMEOUT, what="condition"):
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"{what}; log: {self.log()[-2000:]}")
            for key, _ in self.selector.select(min(left, 0.5)):
                key.data()

    def _control_readable(self):
        while True:
            try:
                data = self.control.recv(self._reader.bytes_wanted)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.control_ended = True
                self.selector.unregister(self.control)
                return
            frame = self._reader.feed(data)
            if frame is not None:
                message = frame[0]
                self.messages.append(message)
                if message["type"] == "exited":
                    self.exited[message["childId"]] = message

    def _accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        Connection(self, connection)

    # Template.

    def send(self, header, body=b""):
        self.send_raw(frames.encode(header, body))

    def send_raw(self, data):
        self.control.setblocking(True)
        self.control.sendall(data)
        self.control.setblocking(False)

    def wait_for(self, kind, timeout=TIMEOUT, **members):
        """The first message of this type whose members match; it is taken out of `messages`."""

        def find():
            for index, message in enumerate(self.messages):
                if message["type"] == kind and all(message.get(name) == value for name, value in members.items()):
                    return index
            return None

        self.pump(lambda: find() is not None, timeout, f"no {kind} {members}")
        return self.messages.pop(find())

    def fork(self):
        child = Child(self, f"child-{next(self._ids)}")
        self.send({"type": "fork", "childId": child.id, "nonce": child.nonce, "uid": None, **child.open_workspace()})
        child.pid = self.wait_for("forked", childId=child.id)["pid"]
        return child

    def connected_child(self):
        child = self.fork()
        self.pump(lambda: child.connection is not None, what="no hello")
        return child

    def run(self, kind, payload, **overrides):
        """One fresh job from fork to `exited`; returns the child."""
        child = self.connected_child()
        child.start(kind, payload, **overrides)
        child.finish()
        return child

    def exec(self, code, variables=None, **overrides):
        return self.run("exec", {"code": code, "variables": variables or {}}, **overrides)

    def eval(self, expression, variables=None, **overrides):
        return self.run("eval", {"expression": expression, "variables": variables or {}}, **overrides)

    def call(self, module, function, args=(), kwargs=None, **overrides):
        payload = {"module": module, "function": function, "args": list(args), "kwargs": kwargs or {}}
        return self.run("call", payload, **overrides)

    def program(self, name, variables=None, **overrides):
        with open(os.path.join(PROGRAMS, name + ".py"), encoding="utf-8") as file:
            return self.exec(file.read(), variables, **overrides)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def wait_exit(self, timeout=TIMEOUT):
        """Exit code of the template (negative: signal)."""

        def gone():
            if self.exit_status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.exit_status = os.waitstatus_to_exitcode(status)
            return self.exit_status is not None

        deadline = time.monotonic() + timeout
        while not gone():
            if time.monotonic() > deadline:
                raise TimedOut("the template did not exit")
            for key, _ in self.selector.select(0.01):
                key.data()
        return self.exit_status

    def close(self):
        try:
            if self.exit_status is None:
                if not self.control_ended:
                    self.selector.unregister(self.control)
                self.control.close()
                try:
                    self.wait_exit()
                except TimedOut:
                    os.kill(self.pid, signal.SIGKILL)
                    self.wait_exit()
                    raise
        finally:
            self.control.close()
            self.listener.close()
            for child in self.children.values():
                child.close()
            for connection in self._connections:
                connection.socket.close()
            self.selector.close()
            shutil.rmtree(self.folder, ignore_errors=True)
