"""How errors are told that nobody catches: in threads, in destructors, by a hook of the program's that calls Python's own.

Python's hooks read source lines from the file, which a program has not, and show the runner's frames. These write the same
texts from the source that `tracebacks` knows. They stand in for Python's before any module can have bound those.
"""

import _thread
import sys

from . import tracebacks


def install():
    """In the template, before anything is imported for jobs."""
    sys.excepthook = sys.__excepthook__ = excepthook
    sys.unraisablehook = sys.__unraisablehook__ = unraisablehook
    _thread._excepthook = thread_excepthook
    threading = sys.modules.get("threading")
    if threading is not None:
        threading.excepthook = threading.__excepthook__ = thread_excepthook


def excepthook(exc_type, exc_value, exc_traceback, /):
    """Handle an exception by displaying it with a traceback on sys.stderr."""
    tracebacks.say(tracebacks.format_error(exc_value, exc_traceback))


def unraisablehook(unraisable, /):
    """Handle an unraisable exception."""
    message = unraisable.err_msg or "Exception ignored in"
    if unraisable.object is not None:
        message = f"{message}: {_show(unraisable.object)}"
    tracebacks.say(f"{message}\n{tracebacks.format_error(unraisable.exc_value, unraisable.exc_traceback)}")


def thread_excepthook(args, /):
    """Handle uncaught Thread.run() exception."""
    if args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread is not None else _thread.get_ident()
    tracebacks.say(f"Exception in thread {name}:\n{tracebacks.format_error(args.exc_value, args.exc_traceback)}")


def _show(value):
    try:
        return repr(value)
    except BaseException:
        return "<object repr() failed>"


for _hook in (excepthook, unraisablehook, thread_excepthook):
    _hook.__module__ = "sys"
