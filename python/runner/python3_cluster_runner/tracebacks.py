"""Errors as their author should see them: only frames of user code and below, bounded, and never failing themselves."""

import linecache
import traceback

from .job_environment import RUNNER_FOLDER
from .json_text import quote

USER_FILE = "<python3>"
FRAMES_MAX = 500  # deepest first; a traceback of a raised recursion limit must not take longer than the job

_source_cache = linecache.cache
_name_of_type = type.__dict__["__name__"].__get__  # a metaclass may answer `__name__` with anything


def register_source(source):
    """Make source lines of user code available to tracebacks and to `inspect`."""
    # A modification time of None: linecache never looks for a file.
    # Not splitlines(), which knows more line ends than Python does.
    lines = []
    for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        lines.append(line + "\n")
    _source_cache[USER_FILE] = (len(source), None, lines, USER_FILE)


def line_of(error):
    """The line of user code where it went wrong, or None."""
    line = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == USER_FILE:
            line = step.tb_lineno
        step = step.tb_next
    if line is None and isinstance(error, SyntaxError) and error.filename == USER_FILE:
        line = error.lineno
    return line if type(line) is int else None


def type_name_of(error):
    return _name_of_type(type(error))


def message_of(error):
    if isinstance(error, SystemExit):
        error = error.code
    try:
        text = str(error)
        return text if type(text) is str else str.__str__(text)
    except BaseException as failure:
        return f"<the message cannot be shown: {type(failure).__name__}>"


def format_error(error):
    try:
        # Source lines later: those of our own frames are not shown, and restricted mode would not let them be read.
        formatted = traceback.TracebackException(
            type(error), error, error.__traceback__, limit=-FRAMES_MAX, lookup_lines=False
        )
        hide_runner(formatted)
        return "".join(formatted.format())
    except BaseException as failure:
        return f"{type_name_of(error)}: <the traceback cannot be shown: {type(failure).__name__}>\n"


def is_of_runner(frame):
    """Of a frame as `traceback` describes it."""
    return frame.filename.startswith(RUNNER_FOLDER)


def hide_runner(formatted):
    """Cut our own frames, wherever they are: at the top, in guarded builtins, in chained and grouped errors."""
    _hide_runner(formatted, set())


def _hide_runner(formatted, seen):
    if formatted is None or id(formatted) in seen:
        return
    seen.add(id(formatted))
    if formatted.stack:
        formatted.stack[:] = [frame for frame in formatted.stack if not is_of_runner(frame)]
    if not formatted.stack:
        formatted.stack = None  # a syntax error happened nowhere: no "Traceback" heading over nothing
    _hide_runner(formatted.__cause__, seen)
    _hide_runner(formatted.__context__, seen)
    for part in getattr(formatted, "exceptions", None) or ():
        _hide_runner(part, seen)


def clear_frames(error):
    """Drop the local variables of everything that led to the error; line numbers stay."""
    traceback.clear_frames(error.__traceback__)
    for other in (error.__cause__, error.__context__):
        if other is not None:
            traceback.clear_frames(other.__traceback__)


def cap_text(text, bytes_max):
    """At most `bytes_max` bytes when written as a JSON string; head and tail are kept, the middle is counted."""
    if len(text) * 6 <= bytes_max or len(quote(text)) - 2 <= bytes_max:
        return text
    budget = bytes_max - 64
    tail = _fit(text[::-1], budget // 3)[::-1]
    head = _fit(text, budget - budget // 3)
    return f"{head}\n... {len(text) - len(head) - len(tail)} characters cut ...\n{tail}"


def _fit(text, bytes_max):
    """The longest beginning of `text` that fits, found by halving (a character takes 1 to 12 bytes)."""
    low, high = 0, min(len(text), bytes_max)
    while low < high:
        middle = (low + high + 1) // 2
        if len(quote(text[:middle])) - 2 <= bytes_max:
            low = middle
        else:
            high = middle - 1
    return text[:low]
