"""`traceback` for restricted code, and for the library that logs for it: as the real one, without frames of the runner.

Those frames are in the way of every error that a guarded builtin raises. Their source may not be read here.
"""

import sys
import traceback

from . import tracebacks

_missing = object()


def _describe(error, value, tb, limit):
    if value is _missing or tb is _missing:
        value, tb = error, None if error is None else error.__traceback__
    described = traceback.TracebackException(type(value), value, tb, limit=limit, lookup_lines=False, compact=True)
    tracebacks.hide_runner(described)
    return described


def format_exception(exc, /, value=_missing, tb=_missing, limit=None, chain=True):
    return list(_describe(exc, value, tb, limit).format(chain=chain))


def print_exception(exc, /, value=_missing, tb=_missing, limit=None, file=None, chain=True):
    print("".join(format_exception(exc, value, tb, limit, chain)), end="", file=file or sys.stderr)


def format_exc(limit=None, chain=True):
    return "".join(format_exception(sys.exc_info()[1], limit=limit, chain=chain))


def print_exc(limit=None, file=None, chain=True):
    print_exception(sys.exc_info()[1], limit=limit, file=file, chain=chain)


def extract_tb(tb, limit=None):
    summary = traceback.extract_tb(tb, limit)
    summary[:] = [frame for frame in summary if not tracebacks.is_of_runner(frame)]
    return summary


def format_tb(tb, limit=None):
    return extract_tb(tb, limit).format()


def print_tb(tb, limit=None, file=None):
    print("".join(format_tb(tb, limit)), end="", file=file or sys.stderr)


FUNCTIONS = {
    function.__name__: function
    for function in (format_exception, print_exception, format_exc, print_exc, extract_tb, format_tb, print_tb)
}
