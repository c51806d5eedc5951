"""A child: forked for one job, connected to the worker by a socket of its own, gone after one result.

    fork ─▶ shed the template ─▶ connect ─▶ its user, folder, sandbox ─▶ hello ─▶ (ping/pong)* ─▶ run ─▶ result ─▶ _exit(0)
                                                                          └── end of file before run ─▶ _exit(0)

Its workspace (user, scratch folder, pipes) is its own from birth until it and all it left are gone; nobody else gets it before.

A `run` that says `keep` goes another way: kept_child.py.

Everything after `run` happens with the caller's code in the same process, so nothing said here is believed beyond
"succeeded or failed, with this value": see "Child frames are hostile input" in ARCHITECTURE.md. The worker measures,
limits and kills from outside. The process ends by `_exit`; what plain Python does at exit has been done by then, before the
result was final: program_end.py.
"""

import gc
import os
import signal
import socket
import sys

try:
    from _signal import signal as _set_handler  # without the enum conversions, which cost a fork 0.2 ms
except ImportError:
    from signal import signal as _set_handler

from . import exit_codes, fork_hooks, frames, job, job_environment, kept_child, standard_streams
from .frames import WORKER_TO_CHILD, FrameReader, pack
from .json_text import quote
from .process_control import adopt_orphans, die_with_parent

_HELLO = '{"type":"hello","childId":%s,"nonce":%s}'
_AF_UNIX, _SOCK_STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
_DEFAULT_HANDLERS = (
    (int(signal.SIGCHLD), int(signal.SIG_DFL)),
    (int(signal.SIGTERM), int(signal.SIG_DFL)),
    (int(signal.SIGINT), signal.default_int_handler),
)


# Bound here, because the first look-up of an attribute of a module costs a child three pages (7 µs): one of the module
# type's cache, one of the name it evicts, one of the name it takes.
_close_range, _exit, _parent, _start_session = os.closerange, os._exit, os.getppid, os.setsid
_forget_wakeup = signal.set_wakeup_fd
_Socket, _modules = socket.SocketType, sys.modules
_begin_hooks, _enable_gc = fork_hooks.begin_child, gc.enable
_run_job, _live_on = job.run, kept_child.live
_connect_streams, _settle_in = standard_streams.connect, job_environment.settle_in
_STREAMS_END = standard_streams.END
_SETUP_FAILED = exit_codes.SETUP_FAILED


def live(birth):
    """Never returns."""
    exit_code = _SETUP_FAILED
    try:
        exit_code = _live(*birth)
    except BaseException as error:
        _log(birth[0], f"{type(error).__name__}: {error}")
    finally:
        _exit(exit_code)


def _live(child_id, nonce, mode, socket_path, template_pid, inherited, sandbox, workspace):
    # Shed the template.
    _forget_wakeup(-1)
    for number, handler in _DEFAULT_HANDLERS:
        _set_handler(number, handler)
    # One call each, where there is close_range(2): all but the ruleset for this workspace.
    end, ruleset = inherited
    if ruleset < 0:
        _close_range(_STREAMS_END, end)
    else:
        _close_range(_STREAMS_END, ruleset)
        _close_range(ruleset + 1, end)
    _start_session()
    channel = _Socket(_AF_UNIX, _SOCK_STREAM)
    try:
        # As the template's user: with another one, code could connect too.
        channel.connect(socket_path)
    except OSError as error:
        _log(child_id, f"job channel: {error}")
        return exit_codes.NOT_CONNECTED
    sandbox.become_user(workspace)
    # Not before: whoever changes the user of a process unties it.
    if not die_with_parent() and sys.platform.startswith("linux"):
        _log(child_id, "cannot be tied to the template's life")
    if _parent() != template_pid:
        return exit_codes.NOT_CONNECTED  # the template died before the line above could take effect
    adopt_orphans()
    _reseed_random()
    _enable_gc()

    _settle_in(workspace[1])
    sandbox.enter_child(ruleset)
    try:
        channel.sendall(pack(_HELLO % (quote(child_id), quote(nonce))))
        run = _await_run(channel, mode)
        if run is not None and run[0]["policy"] is None:
            raise frames.ProtocolError("a first job without a policy")
        if run is not None:
            try:
                _connect_streams(workspace[2], workspace[3])
            except OSError as error:
                _log(child_id, f"output: {error}")
                return _SETUP_FAILED
            if run[0]["keep"]:
                return _live_on(channel, run)
    except frames.ProtocolError as error:
        _log(child_id, f"protocol error on the job channel: {error}")
        return exit_codes.JOB_PROTOCOL_ERROR
    except OSError as error:
        _log(child_id, f"job channel: {error}")
        return exit_codes.NOT_CONNECTED
    if run is None:
        return exit_codes.OK
    return _run_job(channel, *run)


def _reseed_random():
    """What does not reseed itself in forked processes, or was kept from it."""
    _begin_hooks()
    generator = _modules.get("numpy.random")
    if generator is not None:
        generator.seed()


def _await_run(channel, mode):
    """The `run` frame as `(header, payload)`, or None when the worker hangs up first."""
    reader = FrameReader(WORKER_TO_CHILD)
    while True:
        data = channel.recv(reader.bytes_wanted)
        if not data:
            if reader.is_between_frames:
                return None
            raise frames.ProtocolError("end of file inside a frame")
        frame = reader.feed(data)
        if frame is None:
            continue
        header = frame[0]
        if header["type"] == "ping":
            channel.sendall(frames.encode({"type": "pong", "nonce": header["nonce"]}))
        elif header["mode"] != mode:
            raise frames.ProtocolError(f"a {header['mode']} job for a {mode} template")
        else:
            return frame


def _log(child_id, text):
    try:
        os.write(2, f"python3-cluster child {child_id}: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
