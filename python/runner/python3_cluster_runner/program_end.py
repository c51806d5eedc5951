"""The end of a program, as the end of an interpreter: what plain Python does at exit is done before the result is final.

    uncaught error ─▶ sys.excepthook ─▶ threads joined ─▶ (value rendered) ─▶ atexit ─▶ globals let go ─▶ streams flushed

Each step looks first whether there is anything to do. A whole finalisation would take longer than most jobs. Modules that a
fresh job imported are taken down (module_end.py); a kept child's caller wants them to stay.
"""

import _thread
import atexit
import gc
import sys
import weakref

from . import error_hooks, fork_hooks, forked_copies, module_end, tracebacks

_count_threads, _count_exit_functions = _thread._count, atexit._ncallbacks
_run_exit_functions, _unregister = atexit._run_exitfuncs, atexit.unregister
_collect, _get_referrers, _modules = gc.collect, gc.get_referrers, sys.modules
_excepthook, _is_copy, _is_begun = error_hooks.excepthook, forked_copies.is_copy, forked_copies.is_begun
_sys, _drop_module = vars(sys), sys.modules.pop
_is_of_module = fork_hooks.is_of_module
_finalize, _finalizers = weakref.finalize, weakref.finalize._registry
_count_collections = gc.get_count
_are_new, _take_down, _clear = module_end.are_new, module_end.take_down, module_end.clear
_SYS_NAMES = ("stdin", "stdout", "stderr", "excepthook", "unraisablehook", "displayhook", "breakpointhook")
_LAST_ERROR = ("last_type", "last_value", "last_traceback")

_keeps = False
_registered = 0  # as Python counts them, when there were none to call; removed ones count on
_of_modules = []  # exit functions that stay registered
_is_spent = False
_originals = ()  # of the names above
_log_handlers, _log_handlers_of_modules = (), 0


def prepare():
    """In the template, when all is imported and the standard streams are those of jobs."""
    global _originals
    _originals = tuple((name, _sys[name]) for name in _SYS_NAMES)
    _take_over_exit_functions()
    _note_registered()


def adopt():
    """By a kept child, before its first call: modules, and their exit functions, outlive each program from here on."""
    global _keeps, _of_modules
    _keeps = True
    _of_modules = _list_exit_functions()
    _note_registered()


def is_spent():
    """Whether modules were taken down with the program, so that another one would find them out of order."""
    return _is_spent


def close_threads(error=None):
    """The part that comes before the value is rendered: it may still change it."""
    if error is not None:
        _tell_uncaught(error)
    if _count_threads() or _has_thread_exit_functions():
        _join_threads()


def close(loader):
    """The rest. `loader` refers weakly to the loader of `__main__`, which lives as long as the globals do."""
    if not _is_begun():
        return _let_go()  # a rehearsal: nothing of the template's ends
    _call_exit_functions()
    # Twice, as Python does: what is alive in the first comes to stand in order, holders before what they hold. So in the
    # second a file is finalised before the buffer beneath it, and loses nothing.
    generation = _collect_garbage()
    _let_go()
    _collect(generation)
    if loader() is not None:
        _clear_globals(loader)
        _collect_garbage()
    # What runs on in a thread that nobody joins needs its modules.
    if not _keeps and _are_new() and not _count_threads():
        _take_down()


def _has_thread_exit_functions():
    """Of the program's (`threading._register_atexit`): those of modules have nothing to do where there are no threads."""
    threading = _modules.get("threading")
    registered = None if threading is None else getattr(threading, "_threading_atexits", None)
    return bool(registered) and not all(_is_of_module(getattr(call, "func", call)) for call in registered)


def _tell_uncaught(error):
    """The job's own error is reported, so that saying it is left to a hook of the program's; a copy's is said."""
    hook = getattr(sys, "excepthook", None)
    if isinstance(error, SystemExit):
        if _is_copy() and error.code is not None and not isinstance(error.code, int):
            tracebacks.say(tracebacks.message_of(error) + "\n")
    elif hook is not _excepthook:
        _call_excepthook(hook, error)
    elif _is_copy():
        tracebacks.tell(error)


def _call_excepthook(hook, error):
    trace = tracebacks.of_user(error)
    _sys.update(zip(_LAST_ERROR, (type(error), error, trace)))
    try:
        hook(type(error), error, trace)
    except BaseException as failure:
        if failure.__context__ is error:
            failure.__context__ = None  # the program was done with it when its hook was called
        tracebacks.say("Error in sys.excepthook:\n")
        tracebacks.tell(failure)
        tracebacks.say("\nOriginal exception was:\n")
        tracebacks.tell(error)


def _join_threads():
    global _is_spent
    _is_spent = True
    threading = _modules.get("threading")
    if threading is None:
        return
    try:
        threading._shutdown()
    except BaseException as error:
        tracebacks.say(f"Exception ignored in: {threading!r}\n")
        tracebacks.tell(error)


def _call_exit_functions():
    global _is_spent
    if _count_exit_functions() != _registered:
        if _keeps:
            _take_over_exit_functions()
        if not _keeps or not _note_registered():
            _is_spent = True
            _run_exit_functions()
    if _finalizers:
        _finalize._exitfunc()
        _finalize._shutdown = False
    if len(_log_handlers) != _log_handlers_of_modules:
        logging = _modules["logging"]
        if not all(_outlives_shutdown(logging, reference()) for reference in _log_handlers):
            _is_spent = True
        logging.shutdown()


def _outlives_shutdown(logging, handler):
    return handler is None or type(handler) in (logging.StreamHandler, logging.NullHandler, logging._StderrHandler)


class _Listing:
    """Equal to nothing, and so shown everything that `unregister` compares it to."""

    def __init__(self):
        self.found = []

    def __eq__(self, other):
        self.found.append(other)
        return False


def _list_exit_functions():
    listing = _Listing()
    _unregister(listing)
    return listing.found


def _note_registered():
    """Returns whether none are registered but those of modules that stay."""
    global _registered
    if _list_exit_functions() != _of_modules:
        return False
    _registered = _count_exit_functions()
    return True


def _take_over_exit_functions():
    """Those of two modules that nearly everybody has. They are called by name, where there is something for them to do."""
    global _log_handlers, _log_handlers_of_modules
    _unregister(_finalize._exitfunc)
    logging = _modules.get("logging")
    if logging is not None and _log_handlers == ():
        _unregister(logging.shutdown)
        _log_handlers = logging._handlerList
        _log_handlers_of_modules = 0 if _is_begun() else len(_log_handlers)


def _let_go():
    """What holds the globals: their module, and hooks and streams of the program's."""
    if "last_value" in _sys:
        for name in _LAST_ERROR:
            _sys.pop(name, None)
    for name, original in _originals:
        if _sys.get(name) is not original:
            _flush(_sys.get(name))
            _sys[name] = original
    _drop_module("__main__", None)


def _collect_garbage():
    """As many generations as have anything in them: each more writes to pages. Returns the one all is in now."""
    _, first, second = _count_collections()
    generation = 2 if second else 1 if first else 0
    _collect(generation)
    return min(generation + 1, 2)


def _clear_globals(loader):
    """Somebody else holds a function of the program: a signal handler, a module. Private names first, as Python does."""
    for namespace in _get_referrers(loader()):
        if type(namespace) is dict and namespace.get("__name__") == "__main__":
            _clear(namespace)


def _flush(stream):
    try:
        stream.flush()
    except BaseException:
        pass
