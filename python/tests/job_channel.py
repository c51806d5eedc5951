"""The worker's end of one job: its channel, and its child as the worker sees it."""

import json
import os
import selectors
import shutil
import struct
import sys

from runner_under_test import LIMITS, POLICY
from waiting import TIMEOUT

from python3_cluster_runner import frames


class JobChannelBroken(Exception):
    """The child broke the protocol, or went away without a result."""


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

    def open_workspace(self):
        """Makes it; the members of `fork` that name it."""
        os.makedirs(self.scratch, exist_ok=True)
        paths = {"scratchPath": self.scratch}
        for name in self.out:
            path = paths[f"{name}Path"] = os.path.join(self.worker.folder, f"{self.id}.{name}")
            os.mkfifo(path)
            pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self._pipes[name] = pipe
            self.worker.selector.register(pipe, selectors.EVENT_READ, lambda name=name: self._drain(name))
        return paths

    def start(self, kind, payload, limits=None, policy=None, mode=None, traceparent=None, keep=False, behind=b"", spans=False):
        """`payload` is a dict, or the raw bytes; `policy` may be "same", for none; `behind` are bytes after the frame."""
        header = {
            "type": "run",
            "nonce": self.run_nonce,
            "kind": kind,
            "mode": mode or self.worker.mode,
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
