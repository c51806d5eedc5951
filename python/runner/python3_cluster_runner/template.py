"""The template: a single-threaded process that imports once and forks one child per job.

    worker ──control channel (fd 3)──▶ template ──fork──▶ child ──job channel──▶ worker

It never runs a caller's code, never imports a name a caller gave, and never sees a payload: jobs reach the children on
connections of their own. Its loop waits for two things, the control channel and the signal pipe (SIGCHLD), and blocks
on nothing else. When the channel ends, the worker is gone, and so is every reason to live.

    configure ─▶ preload ─▶ ready ─▶ fork/kill/ping … ─▶ stop or end of file ─▶ kill all ─▶ exit 0
                     └─▶ refused, exit 3                 malformed frame ─▶ kill all ─▶ exit 4

In a forked child `serve_control_channel` returns the child's birth: `(child id, nonce, mode, socket path, template's pid,
(end of its descriptors, the child's ruleset among them), sandbox, workspace)`, everything it takes over and nothing of the template itself. In the template it
never returns.

Each child has a workspace of its own, `(user, scratch folder, pipe for stdout, pipe for stderr)`. When it has ended, and
everything it left with it, the template says so, and whether its scratch folder is empty. If it is not, and the folder is a
file system of this template's, a process of the workspace's user empties it, and `emptied` follows.
"""

import fcntl
import os
import select
import signal
import sys
import time

from . import (
    error_hooks,
    exit_codes,
    fork_hooks,
    forked_copies,
    frames,
    job_environment,
    limits,
    module_end,
    own_frames,
    preload,
    process_control,
    program_end,
    rehearsal,
    sandbox,
    standard_streams,
)
from .json_text import quote
from .reaper import Reaper

CONTROL_DESCRIPTOR = 3
CONTROL_DESCRIPTOR_HOME = 10  # out of the way of the low numbers a child hands to user code
SWEEP_AGAIN_MS = 50  # a safety net: every leftover that dies wakes us by SIGCHLD anyway
STOP_GRACE_SECONDS = 5.0
_DESCRIPTORS_MAX = 1 << 20

# The two messages of every child, written out: after each fork the template too copies what it touches.
_FORKED = '{"type":"forked","childId":%s,"pid":%d}'
_EXITED = (
    '{"type":"exited","childId":%s,"exitCode":%s,"signal":%s,"cpuMs":%.3f,"maxRssBytes":%d,"leftovers":%d,"isEmpty":%s}'
)


def serve_control_channel():
    control = _take_control_channel()
    process_control.adopt_orphans()
    standard_streams.prepare()
    own_frames.rename()
    job_environment.prepare()
    error_hooks.install()
    template = _Template(control)
    process_control.keep_for_good(template)
    birth = template.serve()
    del template
    return birth


def _take_control_channel():
    try:
        control = fcntl.fcntl(CONTROL_DESCRIPTOR, fcntl.F_DUPFD_CLOEXEC, CONTROL_DESCRIPTOR_HOME)
    except OSError as error:
        _log(f"descriptor {CONTROL_DESCRIPTOR} is not the control channel: {error}")
        os._exit(exit_codes.CONTROL_PROTOCOL_ERROR)
    # Nothing else of the worker's may reach user code, whatever it forgot to mark close-on-exec.
    os.closerange(CONTROL_DESCRIPTOR, control)
    os.closerange(control + 1, _DESCRIPTORS_MAX)
    os.set_blocking(control, False)
    empty = os.open(os.devnull, os.O_RDONLY)
    if empty != 0:
        os.dup2(empty, 0)
        os.close(empty)
    return control


def _log(text):
    try:
        os.write(2, f"python3-cluster template {os.getpid()}: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def _wake_up(_number, _frame):
    pass


class _Emptying:
    """Stands for the process that empties the scratch folder of a child that has ended."""

    __slots__ = ("child_id", "workspace")

    def __init__(self, child_id, workspace):
        self.child_id = child_id
        self.workspace = workspace


class _Template:
    # Slots: a dict more would be a page more for the template to write and for every child to take apart.
    __slots__ = (
        "_control", "_reader", "_unsent", "_reaper", "_mode", "_socket_path", "_stop_at", "_exit_code", "_wakeup",
        "_wakeup_writer", "_descriptors_end", "_poll", "_watches_writing", "_sandbox", "_workspaces",
    )  # fmt: skip

    def __init__(self, control):
        self._control = control
        self._reader = frames.FrameReader(frames.WORKER_TO_TEMPLATE)
        self._unsent = bytearray()
        self._reaper = Reaper()
        self._mode = None  # until configured
        self._socket_path = None
        self._sandbox = None
        self._workspaces = {}  # child id → workspace
        self._stop_at = None
        self._exit_code = exit_codes.OK
        self._wakeup, self._wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._descriptors_end = max(control, self._wakeup, self._wakeup_writer) + 1
        # The handler does nothing: that there is one makes Python write to the pipe.
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        # Ctrl-C and SIGTERM reach the whole process group, but when to stop is the worker's decision.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._poll = select.poll()
        self._poll.register(self._wakeup, select.POLLIN)
        self._poll.register(self._control, select.POLLIN)
        self._watches_writing = False

    def serve(self):
        while True:
            ready = self._poll.poll(SWEEP_AGAIN_MS if self._reaper.has_work or self._stop_at else None)
            for descriptor, event in ready:
                if descriptor == self._wakeup:
                    self._drain_wakeup()
                    continue
                if event & select.POLLOUT:
                    self._flush()
                if event & ~select.POLLOUT and self._stop_at is None:
                    birth = self._receive()
                    if birth is not None:
                        return birth
            self._report_endings()
            if self._stop_at and (self._reaper.is_empty or time.monotonic() > self._stop_at):
                self._flush()
                os._exit(self._exit_code)

    # Control channel.

    def _receive(self):
        """Handle at most a few frames per turn, so that endings are reported under a storm of forks too."""
        for _ in range(16):
            try:
                data = os.read(self._control, self._reader.bytes_wanted)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            if not data:
                if not self._reader.is_between_frames:
                    _log("control channel ended inside a frame")
                return self._stop(exit_codes.OK)
            try:
                frame = self._reader.feed(data)
                if frame is None:
                    continue
                birth = self._handle(frame[0])
            except frames.ProtocolError as error:
                _log(f"protocol error on the control channel: {error}")
                return self._stop(exit_codes.CONTROL_PROTOCOL_ERROR)
            if birth is not None or self._stop_at:
                return birth
        return None

    def _handle(self, message):
        kind = message["type"]
        if (kind == "configure") == (self._mode is not None):
            raise frames.ProtocolError(f"{kind} out of turn")
        if kind == "fork":
            return self._fork(message)
        if kind == "kill":
            self._reaper.kill(message["childId"])
        elif kind == "ping":
            self._send({"type": "pong", "nonce": message["nonce"]})
        elif kind == "stop":
            self._stop(exit_codes.OK)
        else:
            self._configure(message)
        return None

    def _configure(self, message):
        self._mode, self._socket_path = message["mode"], message["socketPath"]
        try:
            preload.import_preload(message["preload"])
            program_end.prepare()
            fork_hooks.set_aside(forked_copies.lose_channel)
            rehearsal.rehearse(message["mode"], message["preload"])
            module_end.note_template()
            self._sandbox = sandbox.Sandbox(message["sandbox"], message["mode"])
            self._sandbox.enter_template()
            preload.settle()
            limits.prepare()
            self._descriptors_end = max(self._descriptors_end, *(number + 1 for number in preload.open_descriptors()))
        except preload.PreloadRefused as refusal:
            self._refuse(refusal.code, str(refusal))
        except sandbox.SandboxFailed as failure:
            self._refuse("SANDBOX_FAILED", str(failure))
        self._send(
            {
                "type": "ready",
                "pid": os.getpid(),
                "pythonVersion": ".".join(map(str, sys.version_info[:3])),
                "pythonFullVersion": sys.version,
                "executable": sys.executable,
                "preloaded": message["preload"],
            }
        )

    def _refuse(self, code, text):
        os.set_blocking(self._control, True)
        self._send({"type": "refused", "code": code, "message": text[:4096]})
        os._exit(exit_codes.REFUSED)

    def _stop(self, exit_code):
        self._exit_code = exit_code
        self._stop_at = time.monotonic() + STOP_GRACE_SECONDS
        self._poll.unregister(self._control)
        self._reaper.kill_all()

    def _send(self, message):
        self._unsent += frames.encode(message)
        self._flush()

    def _send_text(self, header_text):
        self._unsent += frames.pack(header_text)
        self._flush()

    def _flush(self):
        """A worker that does not read must not stop the loop; what is left goes out when the channel is writable."""
        try:
            while self._unsent:
                del self._unsent[: os.write(self._control, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # the end of file that follows stops us
        if self._watches_writing != bool(self._unsent) and self._stop_at is None:
            self._watches_writing = not self._watches_writing
            self._poll.register(self._control, select.POLLIN | (select.POLLOUT if self._watches_writing else 0))

    # Children.

    def _fork(self, message):
        child_id = message["childId"]
        if self._reaper.has_child(child_id):
            self._send({"type": "fork-failed", "childId": child_id, "message": "a child of this id is running"})
            return None
        template_pid = os.getpid()
        workspace = (message["uid"], message["scratchPath"], message["stdoutPath"], message["stderrPath"])
        try:
            ruleset = self._sandbox.prepare_child(workspace)
            self._descriptors_end = max(self._descriptors_end, ruleset + 1)
            pid = os.fork()
        except OSError as error:
            self._send({"type": "fork-failed", "childId": child_id, "message": str(error)})
            return None
        if pid == 0:
            return (
                child_id, message["nonce"], self._mode, self._socket_path, template_pid,
                (self._descriptors_end, ruleset), self._sandbox, workspace,
            )  # fmt: skip
        self._reaper.add(pid, child_id)
        self._workspaces[child_id] = workspace
        self._send_text(_FORKED % (quote(child_id), pid))
        return None

    def _drain_wakeup(self):
        try:
            while len(os.read(self._wakeup, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def _report_endings(self):
        for ending in self._reaper.collect():
            if type(ending.child_id) is _Emptying:
                self._report_emptied(ending.child_id)
                continue
            workspace = self._workspaces.pop(ending.child_id)
            is_empty = self._sandbox.is_empty(workspace)
            self._send_text(
                _EXITED
                % (
                    quote(ending.child_id),
                    "null" if ending.exit_code is None else ending.exit_code,
                    "null" if ending.signal is None else ending.signal,
                    ending.cpu_seconds * 1000,
                    ending.max_rss_bytes,
                    ending.leftovers,
                    "true" if is_empty else "false",
                )
            )
            if is_empty is False and self._stop_at is None:
                self._start_emptying(_Emptying(ending.child_id, workspace))

    def _start_emptying(self, emptying):
        """By a process, so that many files hold up nobody, and by one of the user that made them."""
        try:
            pid = os.fork()
        except OSError as error:
            _log(f"a scratch folder cannot be emptied: {error}")
            return self._report_emptied(emptying)
        if pid == 0:
            exit_code = exit_codes.SETUP_FAILED
            try:
                signal.set_wakeup_fd(-1)
                os.closerange(standard_streams.END, self._descriptors_end)
                self._sandbox.empty(emptying.workspace)
                exit_code = exit_codes.OK
            except BaseException as error:
                _log(f"a scratch folder cannot be emptied: {error}")
            finally:
                os._exit(exit_code)
        self._reaper.add(pid, emptying)

    def _report_emptied(self, emptying):
        is_empty = self._sandbox.is_empty(emptying.workspace) is True
        self._send({"type": "emptied", "childId": emptying.child_id, "isEmpty": is_empty})
