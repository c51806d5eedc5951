"""`sys.stdout`, `sys.stderr` and `sys.stdin` for restricted code: they write and read, and do not lead to files.

Of the real streams `sys.stdout.buffer.raw` is a FileIO, whose class opens files.
"""

import io
import sys

_facades = {}  # id of a real stream → (the stream, its facade)


def shown(stream):
    """What a program is given for a stream of `sys`: its own as it is, one over a descriptor as a facade."""
    if not isinstance(stream, io.TextIOWrapper) or not _is_over_descriptor(stream):
        return stream
    known = _facades.get(id(stream))
    if known is None:
        known = _facades[id(stream)] = (stream, _create_facade(stream))
    return known[1]


def _is_over_descriptor(stream):
    try:
        stream.fileno()
    except (OSError, ValueError):  # ValueError: closed
        return False
    return True


def real(stream):
    """The stream that a program means when it puts back what it was given."""
    return next((known for known, facade in _facades.values() if facade is stream), stream)


def _create_facade(stream):
    """Closures: of other callables user code could read the stream."""

    class BytesBelow(io.BufferedIOBase):
        def writable(self):
            return True

        def write(self, data):
            stream.flush()
            return stream.buffer.write(data)

        def flush(self):
            stream.buffer.flush()

        def close(self):
            stream.flush()

    class StandardStream(io.TextIOBase):
        encoding = stream.encoding
        errors = stream.errors
        line_buffering = True
        buffer = BytesBelow()
        name = stream.name

        def writable(self):
            return True

        def write(self, text):
            return stream.write(text)

        def flush(self):
            stream.flush()

        def close(self):
            stream.flush()

        def reconfigure(self, **settings):
            stream.reconfigure(**settings)

    return StandardStream()


class Streams:
    """Attributes of the view of `sys` that are always those of the moment."""

    stdout = property(lambda self: shown(sys.stdout), lambda self, stream: setattr(sys, "stdout", real(stream)))
    stderr = property(lambda self: shown(sys.stderr), lambda self, stream: setattr(sys, "stderr", real(stream)))
    stdin = property(lambda self: _get_input(), lambda self, stream: _set_input(stream))


_input = None


def begin():
    """Before a program runs, which may be another than the last one: a job's standard input is empty."""
    global _input
    _input = None


def _get_input():
    global _input
    if _input is None:
        _input = io.StringIO()
    return _input


def _set_input(stream):
    global _input
    _input = stream
