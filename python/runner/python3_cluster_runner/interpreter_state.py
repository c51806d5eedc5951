"""What the interpreter and the C library keep outside of modules, put back after each call of a kept child.

Thread stack size, switch interval, codecs and their error handlers, faulthandler, tracemalloc, hooks of coroutines and forks, time
zone, default time-out of sockets, `sys` as a whole. Where there is no function that lists it, the table itself is looked up,
once and in the template: the collector knows who refers to what is in it.
"""

import _thread
import _tracemalloc
import codecs
import encodings
import gc
import sys
import time

from . import fork_hooks

_sys, _time, _modules = vars(sys), vars(time), sys.modules
_reset_stack_size = _thread.stack_size
_get_interval, _set_interval = sys.getswitchinterval, sys.setswitchinterval
_get_hooks, _set_hooks = sys.get_asyncgen_hooks, sys.set_asyncgen_hooks
_get_origin_depth, _set_origin_depth = sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth
_is_tracing, _stop_tracing, _tzset = _tracemalloc.is_tracing, _tracemalloc.stop, time.tzset
_get_load_flags, _set_load_flags, _add_audit_hook = sys.getdlopenflags, sys.setdlopenflags, sys.addaudithook
_NO_HOOKS = (None, None)


def _find_table(kind, entry, is_it):
    """The interpreter's own list or dict that holds `entry`; an empty one where this interpreter has none."""
    for table in gc.get_referrers(entry):
        if type(table) is kind and is_it(table):
            return table
    return kind()


_error_handlers = _find_table(dict, codecs.lookup_error("strict"), lambda table: "strict" in table and "ignore" in table)
_codec_searches = _find_table(list, encodings.search_function, lambda table: table[0] is encodings.search_function)
_codecs_found = _find_table(dict, codecs.lookup("utf-8"), lambda table: "utf-8" in table or "utf_8" in table)


_has_audit_hook = False


def addaudithook(hook):
    """Adds a new audit hook callback."""
    global _has_audit_hook
    _has_audit_hook = True
    _add_audit_hook(hook)


addaudithook.__module__ = "sys"


class InterpreterState:
    def __init__(self):
        """Before any code of the caller's."""
        _sys["addaudithook"] = addaudithook
        self._load_flags = _get_load_flags()
        self._sys = dict(_sys)
        self._interval = _get_interval()
        self._handlers = dict(_error_handlers)
        self._searches = list(_codec_searches)
        self._time_zone = _time["tzname"]
        self._fork_hooks = fork_hooks.ForkHooks()

    @property
    def is_spent(self):
        """Whether there is something that cannot be taken out again: Python keeps its list of audit hooks to itself."""
        return _has_audit_hook or not fork_hooks.ARE_KNOWN

    def restore(self):
        """Returns whether something was taken out that may have held objects of the program's."""
        _reset_stack_size()
        if _get_interval() != self._interval:
            _set_interval(self._interval)
        if _get_origin_depth():
            _set_origin_depth(0)
        if _is_tracing():
            _stop_tracing()
        faulthandler = _modules.get("faulthandler")
        if faulthandler is not None:
            _silence(faulthandler)
        sockets = _modules.get("_socket")
        if sockets is not None and sockets.getdefaulttimeout() is not None:
            sockets.setdefaulttimeout(None)
        if _get_load_flags() != self._load_flags:
            _set_load_flags(self._load_flags)
        changed = self._restore_codecs()
        changed = self._fork_hooks.restore() or changed
        if _get_hooks() != _NO_HOOKS:
            _set_hooks(*_NO_HOOKS)
            changed = True
        if _sys != self._sys:
            _sys.clear()
            _sys.update(self._sys)
            changed = True
        return changed

    def restore_time_zone(self):
        """When the environment is in order. `tzset` is the only function that makes new names."""
        if _time["tzname"] is not self._time_zone:
            _tzset()
            self._time_zone = _time["tzname"]

    def _restore_codecs(self):
        changed = False
        if _error_handlers != self._handlers:
            _error_handlers.clear()
            _error_handlers.update(self._handlers)
            changed = True
        if _codec_searches != self._searches:
            _codec_searches[:] = self._searches
            _codecs_found.clear()
            changed = True
        return changed


def _silence(faulthandler):
    faulthandler.disable()
    faulthandler.cancel_dump_traceback_later()
    for number in range(1, 65):
        try:
            faulthandler.unregister(number)
        except (ValueError, RuntimeError, AttributeError):
            pass
