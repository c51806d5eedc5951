"""The result frame: what the child may claim, within the bounds of a header."""

from . import frames, policy, tracebacks

TYPE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 8 * 1024
TRACEBACK_BYTES_MAX = 32 * 1024


class Report:
    def __init__(self, nonce):
        self._nonce = nonce

    def succeeded(self, body):
        """`body` is the value's JSON, or None when the job has no value."""
        return self._encode("succeeded", None, body)

    def failed(self, type_name, message, line=None, traceback="", errno=None):
        error = {
            "type": tracebacks.cap_text(type_name, TYPE_BYTES_MAX),
            "message": tracebacks.cap_text(message, MESSAGE_BYTES_MAX),
            "line": line,
            "traceback": tracebacks.cap_text(traceback, TRACEBACK_BYTES_MAX),
            "errno": errno,
        }
        return self._encode("failed", error, None)

    def out_of_memory(self):
        """Made before user code runs, for the case that nothing better can be made after it."""
        return self.failed("MemoryError", "out of memory")

    def undescribed(self, failure):
        """For when `from_exception` itself failed, with `failure`."""
        return self.failed(tracebacks.type_name_of(failure), "the error could not be described")

    def from_exception(self, error):
        line = tracebacks.line_of(error)
        if isinstance(error, policy.SecurityError):
            return self.failed("SecurityError", tracebacks.message_of(error), error.line or line)
        errno = error.errno if isinstance(error, OSError) and type(error.errno) is int else None
        return self.failed(
            tracebacks.type_name_of(error), tracebacks.message_of(error), line, tracebacks.format_error(error), errno
        )

    def _encode(self, status, error, body):
        header = {
            "type": "result",
            "nonce": self._nonce,
            "status": status,
            "hasValue": body is not None,
            "error": error,
        }
        return frames.encode(header, body or b"")


def release_locals(error, namespace):
    """Let go of what the failed code held, so that there is memory to say that there was none."""
    tracebacks.clear_frames(error)
    if namespace is not None:
        namespace.clear()
