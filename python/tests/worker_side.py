"""The worker's half of the protocol, for tests: spawns a real template and drives it as a worker node would.

Single-threaded: `pump` serves every descriptor (control channel, job channels, the slots' pipes) until a condition holds or
a deadline passes. Nothing here sleeps.
"""

import itertools
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the runner folder is copied to nodes as it is

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(os.path.dirname(HERE), "runner")
PROGRAMS = os.path.join(HERE, "programs")
FIXTURES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "test", "contracts", "frames.json")
sys.path.insert(0, RUNNER)

from python3_cluster_runner import frames, landlock  # noqa: E402

RESTRICTED_MODULES = (
    "math json datetime itertools collections decimal random re statistics time calendar uuid hashlib base64 string "
    "textwrap difflib enum functools operator copy ast typing dataclasses fractions heapq bisect numbers cmath abc "
    "contextlib zoneinfo unicodedata struct array pprint binascii hmac secrets __future__ io python3_trace"
).split()
BLOCKED_MODULES = (
    "telnetlib paramiko pty tty termios fcntl pipes posix pwd grp crypt ctypes multiprocessing threading asyncio "
    "concurrent __builtin__ builtins"
).split()
POLICY = {"allowedModules": RESTRICTED_MODULES, "blockedModules": BLOCKED_MODULES}
LIMITS = {
    "memoryBytes": 256 * 1024 * 1024,
    "cpuSeconds": 20,
    "fileSizeBytes": 64 * 1024 * 1024,
    "openFiles": 256,
    "processes": 20_000,
    "valueBytes": 4 * 1024 * 1024,
}
TIMEOUT = 15.0


class TimedOut(AssertionError):
    pass


class JobChannelBroken(Exception):
    """The child broke the protocol, or went away without a result."""


def is_alive(pid):
    """True for a running process; a zombie counts as gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def wait_until(condition, timeout=TIMEOUT, what="condition"):
    """Polls something the protocol does not announce, such as the death of a process that is not ours."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(what)
        time.sleep(0.005)


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
            "slotsPath": self.folder,
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
        self.send({"type": "fork", "childId": child.id, "nonce": child.nonce})
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


class Connection:
    """One job channel, from the worker's end."""

    def __init__(self, worker, connected):
        self.worker = worker
        self.socket = connected
        self.reader = frames.FrameReader(frames.CHILD_TO_WORKER)
        self.child = None
        worker._connections.append(self)
        worker.selector.register(connected, selectors.EVENT_READ, self._readable)

    def _readable(self):
        while True:
            try:
                data = self.socket.recv(self.reader.bytes_wanted)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                return self._end(None if self.reader.is_between_frames else "end of file inside a frame")
            try:
                frame = self.reader.feed(data)
            except frames.ProtocolError as error:
                return self._end(str(error))
            if frame is not None and not self._take(*frame):
                return None

    def _take(self, header, body):
        if self.child is None:
            child = self.worker.children.get(header.get("childId"))
            if header["type"] != "hello" or child is None or header["nonce"] != child.nonce or child.connection:
                self._end("not a child of ours")
                return False
            self.child = child
            child.connection = self
        elif self.child.answer is not None and header["type"] == "result":
            self._end("a second result")
            return False
        elif header["type"] == "result":
            if header["nonce"] != self.child.run_nonce:
                self._end("a result for another run")
                return False
            self.child.answer = header
            self.child.body = body
        else:
            self.child.other.append(header)
        return True

    def _end(self, problem):
        self.worker.selector.unregister(self.socket)
        self.socket.close()
        if self.child is not None:
            self.child.ended = True
            self.child.problem = problem


class Child:
    """One child as the worker sees it: claims (`answer`), facts (`exit`), and what its pipes carried."""

    def __init__(self, worker, child_id):
        self.worker = worker
        self.id = child_id
        self.nonce = os.urandom(8).hex()
        self.run_nonce = os.urandom(8).hex()
        self.pid = None
        self.connection = None
        self.answer = None
        self.body = b""
        self.other = []
        self.ended = False
        self.problem = None
        self.out = {"stdout": bytearray(), "stderr": bytearray()}
        self.scratch = os.path.join(worker.folder, child_id)
        self._pipes = {}
        worker.children[child_id] = self

    def start(self, kind, payload, limits=None, policy=None, mode=None, traceparent=None, keep=False, behind=b"", spans=False):
        """`payload` is a dict, or the raw bytes; `policy` may be "same", for none; `behind` are bytes after the frame."""
        os.makedirs(self.scratch, exist_ok=True)
        for name in self.out:
            path = os.path.join(self.worker.folder, f"{self.id}.{name}")
            if not os.path.exists(path):  # a kept child has the slot, and so the pipes, of its first call
                os.mkfifo(path)
            pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self._pipes[name] = pipe
            self.worker.selector.register(pipe, selectors.EVENT_READ, lambda name=name: self._drain(name))
        header = {
            "type": "run",
            "nonce": self.run_nonce,
            "kind": kind,
            "mode": mode or self.worker.mode,
            "stdoutPath": os.path.join(self.worker.folder, f"{self.id}.stdout"),
            "stderrPath": os.path.join(self.worker.folder, f"{self.id}.stderr"),
            "scratchPath": self.scratch,
            "limits": {**LIMITS, **(limits or {})},
            "policy": None if policy == "same" else policy or POLICY,
            "traceparent": traceparent,
            "spans": spans,
            "keep": keep,
        }
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_raw(frames.encode(header, body) + behind)

    def send(self, header, body=b""):
        self.send_raw(frames.encode(header, body))

    def send_raw(self, data):
        self.connection.socket.setblocking(True)
        self.connection.socket.sendall(data)
        self.connection.socket.setblocking(False)

    def _drain(self, name):
        pipe = self._pipes.get(name)
        if pipe is None:
            return
        try:
            data = os.read(pipe, 1 << 20)
        except BlockingIOError:
            return
        if data:
            self.out[name] += data
        elif self.id in self.worker.exited or self.ended:
            self._close_pipe(name)
        # Else: end of file only because the child has not opened its end yet; FIFO readiness ends when it has.

    def _close_pipe(self, name):
        pipe = self._pipes.pop(name, None)
        if pipe is not None:
            self.worker.selector.unregister(pipe)
            os.close(pipe)

    def finish(self, timeout=TIMEOUT):
        """Wait until the template says that the child is gone, and take what is left in its pipes."""
        worker = self.worker
        worker.pump(lambda: self.id in worker.exited, timeout, f"{self.id} did not exit")
        worker.messages = [message for message in worker.messages if message.get("childId") != self.id]
        if self.connection is not None:
            worker.pump(lambda: self.ended, timeout, f"{self.id}: job channel still open")
        for name in self.out if self._pipes else ():
            while name in self._pipes:
                self._drain(name)
            os.unlink(os.path.join(worker.folder, f"{self.id}.{name}"))
        shutil.rmtree(self.scratch, ignore_errors=True)
        return self

    def close(self):
        for name in list(self._pipes):
            os.close(self._pipes.pop(name))

    # What came of it.

    @property
    def exit(self):
        return self.worker.exited[self.id]

    @property
    def stdout(self):
        return self.out["stdout"].decode("utf-8", "replace")

    @property
    def stderr(self):
        return self.out["stderr"].decode("utf-8", "replace")

    @property
    def result(self):
        if self.answer is None:
            raise JobChannelBroken(f"no result: problem {self.problem}, exit {self.exit}, log {self.worker.log()[-2000:]}")
        return self.answer

    @property
    def value(self):
        """The value, of a job that must have succeeded."""
        if self.result["status"] != "succeeded":
            raise AssertionError(f"failed: {self.result['error']}")
        assert self.result["hasValue"], "no value"
        sys.set_int_max_str_digits(0)
        return json.loads(self.body)

    @property
    def error(self):
        """The error, of a job that must have failed."""
        if self.result["status"] != "failed":
            raise AssertionError(f"succeeded with {self.body[:200]!r}")
        return self.result["error"]


def forge_frame(header, body=b""):
    """Bytes of a frame whatever its header is, valid or not."""
    raw = json.dumps(header).encode()
    return struct.pack(">II", len(raw), len(body)) + raw + body
