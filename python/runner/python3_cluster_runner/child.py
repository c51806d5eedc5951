"""A child: forked for one job, connected to the worker by a socket of its own, gone after one result.

    fork ─▶ shed the template ─▶ connect ─▶ hello ─▶ (ping/pong)* ─▶ run ─▶ result ─▶ _exit(0)
                                                └── end of file before run ─▶ _exit(0)

Everything after `run` happens with the caller's code in the same process, so nothing said here is believed beyond
"succeeded or failed, with this value": see "Child frames are hostile input" in ARCHITECTURE.md. The worker measures,
limits and kills from outside. The process ends by `_exit`: no atexit handlers, no waiting for the caller's threads.
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

from . import exit_codes, frames, job, process_control

_AF_UNIX, _SOCK_STREAM = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
_DEFAULT_HANDLERS = (
    (int(signal.SIGCHLD), int(signal.SIG_DFL)),
    (int(signal.SIGTERM), int(signal.SIG_DFL)),
    (int(signal.SIGINT), signal.default_int_handler),
)


def live(birth):
    """Never returns."""
    exit_code = exit_codes.SETUP_FAILED
    try:
        exit_code = _live(birth)
    except BaseException as error:
        _log(birth, f"{type(error).__name__}: {error}")
    finally:
        os._exit(exit_code)


def _live(birth):
    _shed_template(birth)
    if not process_control.die_with_parent() and sys.platform.startswith("linux"):
        _log(birth, "cannot be tied to the template's life")
    if os.getppid() != birth.template_pid:
        return exit_codes.NOT_CONNECTED  # the template died before the line above could take effect
    process_control.adopt_orphans()
    _reseed_random()
    gc.enable()

    channel = socket.SocketType(_AF_UNIX, _SOCK_STREAM)
    try:
        channel.connect(birth.socket_path)
        channel.sendall(frames.encode({"type": "hello", "childId": birth.child_id, "nonce": birth.nonce}))
        run = _await_run(channel, birth)
    except frames.ProtocolError as error:
        _log(birth, f"protocol error on the job channel: {error}")
        return exit_codes.JOB_PROTOCOL_ERROR
    except OSError as error:
        _log(birth, f"job channel: {error}")
        return exit_codes.NOT_CONNECTED
    if run is None:
        return exit_codes.OK
    return job.run(channel, *run)


def _shed_template(birth):
    signal.set_wakeup_fd(-1)
    for number, handler in _DEFAULT_HANDLERS:
        _set_handler(number, handler)
    for descriptor in birth.inherited_descriptors:
        os.close(descriptor)
    os.setsid()


def _reseed_random():
    """Python's `random` reseeds itself in forked processes; numpy's legacy generator does not."""
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()


def _await_run(channel, birth):
    """The `run` frame as `(header, payload)`, or None when the worker hangs up first."""
    reader = frames.FrameReader(frames.WORKER_TO_CHILD)
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
        elif header["mode"] != birth.mode:
            raise frames.ProtocolError(f"a {header['mode']} job for a {birth.mode} template")
        else:
            return frame


def _log(birth, text):
    try:
        os.write(2, f"python3-cluster child {birth.child_id}: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass
