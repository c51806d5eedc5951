"""Waiting for what a test cannot be told of, for a bounded time."""

import os
import time

TIMEOUT = 15.0


class TimedOut(AssertionError):
    pass


def is_alive(pid):
    """True for a running process; a zombie counts as gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def cpu_ms(pid):
    """CPU time that a running process has used, in milliseconds."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        user, system = file.read().rpartition(b")")[2].split()[11:13]
    return (int(user) + int(system)) * 1_000 / os.sysconf("SC_CLK_TCK")


def wait_until(condition, timeout=TIMEOUT, what="condition"):
    """Polls something the protocol does not announce, such as the death of a process that is not ours."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimedOut(what)
        time.sleep(0.005)
