"""A kept child: one process for many calls of one caller's one program, put in order and checked between them.

    run (keep) ─▶ the caller's code ─▶ in order? ──yes──▶ result, waiting ─▶ (ping/pong)* ─▶ run …
                                          └────── no ──▶ result ─▶ _exit(0)

Modules that were imported stay as they are, patches included: that is what a caller keeps a child for. Everything else is
as in a fresh child, or the process ends. The worker looks from outside too, and believes no `waiting` without.
"""

from . import execute, exit_codes, forked_copies, frames, job, program_end, report
from .surroundings import Surroundings

_CONCATENATED_BYTES_MAX = 65_536
# A whole call, mostly. In a fresh child, which reads part by part, the buffer would cost seven pages.
_RECEIVED_AT_ONCE = 65_536

_answer, _send = job.answer, job.send
_FrameReader, _MESSAGES, _ProtocolError, _encode = frames.FrameReader, frames.WORKER_TO_CHILD, frames.ProtocolError, frames.encode
_waiting, _Surroundings, _remember_programs = report.waiting, Surroundings, execute.remember_programs


def live(channel, run):
    """Answers `run` and those that come after it; returns the exit code."""
    program_end.adopt()
    surroundings = _Surroundings()
    descriptor = channel.fileno()
    forked_copies.begin(descriptor)
    policy = None
    while run is not None:
        header, payload = run
        if header["policy"] is None:
            header["policy"] = policy
        elif header["policy"] != policy:
            policy = header["policy"]
            _remember_programs()
        if not header["keep"]:
            return job.run(channel, header, payload)
        run = None
        answer = _answer(header, payload, True)
        del payload
        stays = surroundings.restore(header["limits"]["memoryBytes"])
        waiting = _waiting(header["nonce"]) if stays else b""
        if len(answer) < _CONCATENATED_BYTES_MAX:
            answer, waiting = answer + waiting, b""
        exit_code = _send(descriptor, answer) or _send(descriptor, waiting)
        if exit_code or not stays:
            return exit_code
        del answer
        run = _await_next(channel, header["mode"])
    return exit_codes.OK


def _await_next(channel, mode):
    """The next `run` frame as `(header, payload)`, or None when the worker hangs up first."""
    reader = _FrameReader(_MESSAGES)
    data = b""
    while True:
        data = data or channel.recv(_RECEIVED_AT_ONCE)
        if not data:
            if reader.is_between_frames:
                return None
            raise _ProtocolError("end of file inside a frame")
        wanted = reader.bytes_wanted
        frame = reader.feed(data[:wanted])
        data = data[wanted:]
        if frame is None:
            continue
        header = frame[0]
        if header["type"] == "ping":
            channel.sendall(_encode({"type": "pong", "nonce": header["nonce"]}))
        elif header["mode"] != mode or data:
            raise _ProtocolError("a job of another mode, or more behind it")
        else:
            return frame
