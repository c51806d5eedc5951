"""Descriptors 1 and 2 of a child: the slot's named pipes, which the worker drains and bounds.

The text objects over them are made once, in the template, and inherited: a child only has to put its pipes under them.
"""

import os
import sys

from .prompt_stream import PromptStream

END = 3  # the first descriptor that is none of them

_streams = []
_AS_MADE = (False, "utf-8", "backslashreplace", True, False)
_open, _dup2, _close, _set_blocking = os.open, os.dup2, os.close, os.set_blocking
_PIPE_FLAGS = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC


def prepare():
    """In the template. Its own log goes to descriptor 2 directly and never through these."""
    reading, writing = os.pipe()
    for descriptor in (1, 2):
        # Made over a pipe, because the objects remember whether what they were made over can seek.
        log = os.dup(descriptor)
        os.dup2(writing, descriptor)
        # At once: what was printed before a kill is there. backslashreplace: print must not fail.
        _streams.append(
            PromptStream(
                open(descriptor, "wb", closefd=False), encoding="utf-8", errors="backslashreplace", line_buffering=True
            )
        )
        _streams[-1].mode = "w"  # as `open` sets it
        os.dup2(log, descriptor)
        os.close(log)
    os.close(reading)
    os.close(writing)
    # Here and not in the child, where the objects they replace would be taken apart (20 pages, 0.05 ms).
    sys.stdout = sys.__stdout__ = _streams[0]
    sys.stderr = sys.__stderr__ = _streams[1]


def connect(stdout_path, stderr_path):
    """Raises OSError when nobody reads a pipe: better a dead child than one that waits in open(2) for ever."""
    for path, descriptor in ((stdout_path, 1), (stderr_path, 2)):
        pipe = _open(path, _PIPE_FLAGS)
        _set_blocking(pipe, True)
        _dup2(pipe, descriptor)
        _close(pipe)


def are_usable():
    """Whether the next call can print as if it were the first; raises when what this one printed does not go out."""
    for stream in _streams:
        stream.flush()
        if (stream.closed, stream.encoding, stream.errors, stream.line_buffering, stream.write_through) != _AS_MADE:
            return False
    return not sys.__stdin__.closed


def flush():
    """Whatever user code did to its streams (closed, replaced, broke the pipe), the result is not lost for it."""
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None), *_streams):
        try:
            stream.flush()
        except BaseException:
            pass
