"""Keeps the runner's frames from looking like the program's.

Tracebacks are ours to cut (`tracebacks.py`). Dumps of faulthandler and warnings that point above the program are not: there
our frames go by a name that is no path, and that `warnings` passes over as it does with the machinery of imports.
"""

import _imp
import os
import sys
from types import FunctionType

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = "<python3-cluster importlib._bootstrap>"
_PACKAGE = __name__.partition(".")[0]


def is_ours(filename):
    return filename == NAME or filename.startswith(FOLDER)


def rename():
    """In the template, when all of the runner is imported and before its modules are forgotten."""
    _rename_running(sys._getframe())
    for name, module in list(sys.modules.items()):
        if name == "__main__" or name.partition(".")[0] == _PACKAGE:
            for value in vars(module).values():
                _rename(value)
    sys.orig_argv[:] = sys.orig_argv[:1]


def _rename(value):
    if type(value) is FunctionType:
        if value.__code__.co_filename.startswith(FOLDER):
            _imp._fix_co_filename(value.__code__, NAME)
    elif isinstance(value, type) and value.__module__.startswith(_PACKAGE):
        for member in vars(value).values():
            _rename(getattr(member, "fget", None) or getattr(member, "__func__", member))


def _rename_running(frame):
    """What runs below, which no module may hold any more; runpy, by which Python started us, programs get anew."""
    while frame is not None:
        _imp._fix_co_filename(frame.f_code, NAME)
        frame = frame.f_back
    sys.modules.pop("runpy", None)
