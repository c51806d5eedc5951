"""Errors as their author should see them: only frames of user code and below, bounded, and never failing themselves.

What plain Python takes from the program's file is made up for here, because a program has none: the source line of what
the compiler refuses, and the columns in it.
"""

import linecache
import os
import sys
import traceback

from . import suggestions
from .json_text import quote
from .own_frames import is_ours

USER_FILE = "<python3>"
FRAMES_MAX = 1_100  # the last ones; a traceback of a raised recursion limit must not take longer than the job

_source_cache, _write = linecache.cache, os.write
_name_of_type = type.__dict__["__name__"].__get__  # a metaclass may answer `__name__` with anything


def register_source(source):
    """Make source lines of user code available to tracebacks and to `inspect`."""
    # A modification time of None: linecache never looks for a file.
    # Not splitlines(), which knows more line ends than Python does.
    lines = []
    for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        lines.append(line + "\n")
    _source_cache[USER_FILE] = (len(source), None, lines, USER_FILE)


def complete_syntax_error(error):
    """Errors of the compiler and of the symbol table come without their line, and with columns in bytes."""
    if error.filename != USER_FILE or error.text is not None or type(error.lineno) is not int:
        return
    lines = _source_cache[USER_FILE][2] if USER_FILE in _source_cache else ()
    if not 0 < error.lineno <= len(lines):
        return
    error.text = line = lines[error.lineno - 1]
    error.offset = _column(line, error.offset)
    if error.end_lineno == error.lineno:
        error.end_offset = _column(line, error.end_offset)


def _column(line, offset):
    if type(offset) is not int or offset < 1 or line.isascii():
        return offset
    return len(line.encode("utf-8", "surrogatepass")[: offset - 1].decode("utf-8", "ignore")) + 1


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


def format_error(error, trace=None):
    """`trace`: where not that of the error itself."""
    try:
        if isinstance(error, SyntaxError):
            complete_syntax_error(error)
        # Source lines later: those of our own frames are not shown, and restricted mode would not let them be read.
        formatted = traceback.TracebackException(
            type(error), error, trace or error.__traceback__, limit=-FRAMES_MAX, lookup_lines=False
        )
        _adapt(formatted, error, set())
        return "".join(formatted.format())
    except BaseException as failure:
        return f"{type_name_of(error)}: <the traceback cannot be shown: {type(failure).__name__}>\n"


def of_user(error):
    """The traceback from the first frame on that is not ours."""
    step = error.__traceback__
    while step is not None and is_ours(step.tb_frame.f_code.co_filename):
        step = step.tb_next
    return step


def tell(error):
    """To the program's standard error, as the interpreter does."""
    say(format_error(error))


def say(text):
    try:
        sys.stderr.write(text)
    except BaseException:
        try:
            _write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def _adapt(formatted, error, seen):
    """Cut our own frames, wherever they are: at the top, in guarded builtins, in chained and grouped errors."""
    if formatted is None or id(formatted) in seen:
        return
    seen.add(id(formatted))
    if formatted.stack:
        _cut(formatted.stack, error)
    if not formatted.stack:
        formatted.stack = None  # a syntax error happened nowhere: no "Traceback" heading over nothing
    if suggestions.IS_NEEDED:
        _suggest(formatted, error)
    _adapt(formatted.__cause__, getattr(error, "__cause__", None), seen)
    _adapt(formatted.__context__, getattr(error, "__context__", None), seen)
    for part, part_error in zip(getattr(formatted, "exceptions", None) or (), getattr(error, "exceptions", ())):
        _adapt(part, part_error, seen)


def _cut(stack, error):
    cut = _count_frames(error) - FRAMES_MAX
    stack[:] = [frame for frame in stack if not is_ours(frame.filename)]
    if cut > 0:
        stack.__class__ = _CutStack
        stack.cut = cut


class _CutStack(traceback.StackSummary):
    def format(self, **options):
        return [f"  ... {self.cut} frames cut ...\n", *super().format(**options)]


def _count_frames(error):
    count, step = 0, getattr(error, "__traceback__", None)
    while step is not None:
        count += 1
        step = step.tb_next
    return count


def _suggest(formatted, error):
    try:
        meant = suggestions.suggestion(error) if isinstance(error, (NameError, AttributeError)) else None
    except BaseException:
        return  # the caller's objects would not tell their names
    if meant is not None:
        formatted._str = f"{formatted._str}. Did you mean: '{meant}'?"


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
