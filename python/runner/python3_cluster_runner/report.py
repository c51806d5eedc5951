"""The result frame: what the child may claim, within the bounds of a header."""

from . import frames, path_hints, policy, tracebacks, user_spans
from .json_text import encode, quote

TYPE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 8 * 1024
TRACEBACK_BYTES_MAX = 32 * 1024


# The two frames of nearly every job, all but the nonce: made by the encoder they would cost a child 30 pages, 0.07 ms.
_SUCCEEDED = '{"type":"result","nonce":%s,"status":"succeeded","hasValue":%s,"error":null%s}'
_WAITING = '{"type":"waiting","nonce":%s}'
_OUT_OF_MEMORY = (
    '{"type":"result","nonce":%s,"status":"failed","hasValue":false,"error":'
    '{"type":"MemoryError","message":"out of memory","line":null,"traceback":"","errno":null}}'
)


_take_spans = user_spans.take


def succeeded(nonce, body):
    """`body` is the value's JSON, or None when the job has no value."""
    if body is None:
        return frames.pack(_SUCCEEDED % (quote(nonce), "false", _take_spans()))
    return frames.pack(_SUCCEEDED % (quote(nonce), "true", _take_spans()), body)


def out_of_memory(nonce):
    """Made before user code runs, for the case that nothing better can be made after it."""
    return frames.pack(_OUT_OF_MEMORY % quote(nonce))


def waiting(nonce):
    """For after the result of that run: a kept child is in order again, and waits for the next."""
    return frames.pack(_WAITING % quote(nonce))


class Report:
    """The other frames: what went wrong."""

    def __init__(self, nonce):
        self._nonce = nonce

    def failed(self, type_name, message, line=None, traceback="", errno=None):
        error = {
            "type": tracebacks.cap_text(type_name, TYPE_BYTES_MAX),
            "message": tracebacks.cap_text(message, MESSAGE_BYTES_MAX),
            "line": line,
            "traceback": tracebacks.cap_text(traceback, TRACEBACK_BYTES_MAX),
            "errno": errno,
        }
        header = {"type": "result", "nonce": self._nonce, "status": "failed", "hasValue": False, "error": error}
        return frames.pack(encode(header)[:-1] + _take_spans() + "}")

    def undescribed(self, failure):
        """For when `from_exception` itself failed, with `failure`."""
        return self.failed(tracebacks.type_name_of(failure), "the error could not be described")

    def from_exception(self, error, place=None):
        """`place`: where in the value, if rendering it failed."""
        line = tracebacks.line_of(error)
        if isinstance(error, policy.SecurityError):
            return self.failed("SecurityError", tracebacks.message_of(error), error.line or line)
        errno = error.errno if isinstance(error, OSError) and type(error.errno) is int else None
        message, text = tracebacks.message_of(error) + _hint(error), tracebacks.format_error(error)
        if place is not None:
            message = f"the result could not be rendered, at {place}: {message}"
            text = f"{text}The result could not be rendered, at {place}\n"
        return self.failed(tracebacks.type_name_of(error), message, line, text, errno)


def _hint(error):
    rules = policy.in_force()
    if rules is None or rules.is_restricted or not isinstance(error, OSError):
        return ""
    try:
        return path_hints.hint(error)
    except BaseException:  # the attributes are the program's
        return ""


def release_locals(error, namespace):
    """Let go of what the failed code held, so that there is memory to say that there was none."""
    tracebacks.clear_frames(error)
    if namespace is not None:
        namespace.clear()
