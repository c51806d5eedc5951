"""A kept child: one process for many calls of one caller's one program, put in order and checked between them.

    run (keep) ─▶ the caller's code ─▶ in order? ──yes──▶ result, waiting ─▶ (ping/pong)* ─▶ run …
                                          └────── no ──▶ result ─▶ _exit(0)

Modules that were imported stay as they are, patches included: that is what a caller keeps a child for. Everything else is
as in a fresh child, or the process ends. The worker looks from outside too, and believes no `waiting` without.
"""

from . import execute, exit_codes, job, report
from .surroundings import Surroundings

_CONCATENATED_BYTES_MAX = 65_536

_answer, _send = job.answer, job.send
_waiting, _Surroundings, _remember_programs = report.waiting, Surroundings, execute.remember_programs


def live(channel, run, await_run):
    """Answers `run` and what `await_run` gives after it; returns the exit code."""
    surroundings = _Surroundings()
    descriptor = channel.fileno()
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
        run = await_run(channel, header["mode"])
    return exit_codes.OK
