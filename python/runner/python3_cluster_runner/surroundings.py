"""What a call of a kept child may not leave to the next one: taken down before the first call, put back after each.

Put back:     `__main__` and what only it held, environment, folder, umask, standard streams, signal handlers and mask,
              `sys`, builtins, context variables (job.py), locale, garbage collector, random generators, and what has no
              module to be in (interpreter_state.py).
Ends it:      exit functions that took modules down (program_end.py), Python's threads, child processes, timers, pending
              signals, changed limits or priority, streams that cannot be used again, descriptors left open, too much memory
              to run once more.
Worker's:     threads of any kind, and processes. It looks into /proc after each call whatever is said here.
Stays:        modules and everything in them.
"""

import _locale
import _thread
import gc
import linecache
import os
import resource
import signal
import sys
from types import ModuleType

from . import guarded_builtins, limits, program_end, scratch, standard_streams
from .c_environment import CEnvironment
from .interpreter_state import InterpreterState
from .process_control import die_with_parent
from .tracebacks import USER_FILE

try:
    from _signal import getsignal as _get_handler, pthread_sigmask as _set_mask, signal as _set_handler
except ImportError:
    from signal import getsignal as _get_handler, pthread_sigmask as _set_mask, signal as _set_handler

_SIGNALS = tuple(int(number) for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP))
_TIMERS = tuple(int(getattr(signal, name)) for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"))
_SIG_SETMASK = int(signal.SIG_SETMASK)
_ANY_CHILD = os.WNOHANG | getattr(os, "__WALL", 0x40000000)
_SEED_BYTES = 32
_TRACEPARENT = os.environ.encodekey("TRACEPARENT")
_SYS_LISTS = ("path", "argv", "meta_path", "path_hooks")
_Module, _int_of = ModuleType, int.from_bytes

# Bound here, because user code can replace the names in the modules.
_chdir, _umask, _wait, _list, _fstat, _get_blocking = os.chdir, os.umask, os.waitpid, os.listdir, os.fstat, os.get_blocking
_random_bytes, _count_threads, _empty_folder = os.urandom, _thread._count, scratch.empty
_get_priority, _get_affinity = os.getpriority, getattr(os, "sched_getaffinity", lambda _pid: None)
_get_scheduler, _stat, _chmod = getattr(os, "sched_getscheduler", lambda _pid: None), os.stat, os.chmod
_ALL_MODES = 0o7777
_set_timer, _pending, _forget_wakeup = signal.setitimer, signal.sigpending, signal.set_wakeup_fd
_collect, _freeze, _enable_gc = gc.collect, gc.freeze, gc.enable
_get_thresholds, _set_thresholds, _set_gc_debug = gc.get_threshold, gc.set_threshold, gc.set_debug
_set_trace, _set_profile, _set_recursion_limit = sys.settrace, sys.setprofile, sys.setrecursionlimit
_RECURSION_LIMIT = sys.getrecursionlimit()
_get_digits, _set_digits = (
    getattr(sys, name, lambda *_: None) for name in ("get_int_max_str_digits", "set_int_max_str_digits")
)
_set_locale, _LC_ALL = _locale.setlocale, _locale.LC_ALL
_limits_as_applied, _data_bytes, _take_reserve = limits.are_as_applied, limits.data_bytes, limits.take_reserve
_is_spent = program_end.is_spent
_get_limit = resource.getrlimit
_OTHER_LIMITS = tuple(
    getattr(resource, name)
    for name in ("RLIMIT_AS", "RLIMIT_STACK", "RLIMIT_MEMLOCK")  # 1.5 µs each
    if hasattr(resource, name)
)
_MONITORING_TOOLS = 6


class Surroundings:
    def __init__(self):
        """Before any code of the caller's."""
        self._environ = os.environ
        self._variables = dict(os.environ)
        # As bytes: to compare texts means to decode each of them.
        self._raw_variables = dict(os.environ._data)
        self._folder = os.getcwd()
        self._descriptors = _list("/proc/self/fd")
        self._streams = _describe_streams()
        self._handlers = [(number, _get_handler(number)) for number in _SIGNALS]
        self._mask = _set_mask(int(signal.SIG_BLOCK), ())
        self._interpreter, self._c_environment = InterpreterState(), CEnvironment()
        self._lists = [(getattr(sys, name), list(getattr(sys, name))) for name in _SYS_LISTS]
        self._tables = [(table, dict(table)) for table in guarded_builtins.tables()]
        self._umask = _umask(0o077)
        _umask(self._umask)
        self._other_limits = _get_other_limits()
        self._priority = _get_priority(os.PRIO_PROCESS, 0)
        self._affinity, self._scheduler = _get_affinity(0), _get_scheduler_or_none()
        self._folder_mode = _stat(self._folder).st_mode
        self._thresholds = _get_thresholds()
        self._gc_callbacks = (gc.callbacks, list(gc.callbacks))
        self._digits = _get_digits()
        self._locale = _set_locale(_LC_ALL, None)
        self._monitoring = getattr(sys, "monitoring", None)
        self._modules, self._source_cache = sys.modules, linecache.cache
        self._import_module = sys.modules["importlib"].__dict__["import_module"]
        self._is_first = True

    def restore(self, memory_bytes):
        """Whether the process can take another call. Anything that goes wrong on the way means that it cannot."""
        try:
            return self._restore(memory_bytes)
        except BaseException:
            return False

    def _restore(self, memory_bytes):
        if _is_spent() or self._interpreter.is_spent:
            return False
        # First what can still run the caller's code: destructors.
        self._stop_watching()
        self._drop_program()
        if self._restore_interpreter():
            # What was taken out may have had destructors too.
            _collect()
            self._restore_interpreter()
        if not self._has_calm_signals() or not _is_alone():
            return False
        if not standard_streams.are_usable() or _describe_streams() != self._streams:
            return False
        if _list("/proc/self/fd") != self._descriptors:
            return False
        self._restore_environment()
        if not self._has_own_limits() or _data_bytes() * 2 > memory_bytes:
            return False
        _take_reserve()
        _reseed_random()
        return die_with_parent() or not sys.platform.startswith("linux")

    def _stop_watching(self):
        """No function of the caller's follows what is done here."""
        _set_trace(None)
        _set_profile(None)
        _set_recursion_limit(_RECURSION_LIMIT)

    def _drop_program(self):
        """Its globals were let go at its end (program_end.py), and collected."""
        self._modules["__main__"] = _Module("__main__")
        self._source_cache.pop(USER_FILE, None)
        callbacks, kept = self._gc_callbacks
        callbacks[:] = kept
        _set_gc_debug(0)
        _set_thresholds(*self._thresholds)
        _enable_gc()
        if self._is_first:
            self._is_first = False
            _collect()
            _freeze()  # the modules it imported are here to stay; later collections need not look at them

    def _restore_interpreter(self):
        """Returns whether anything was taken out, whose destructors may have changed what was put back before it."""
        self._stop_watching()
        _set_digits(self._digits)
        changed = self._interpreter.restore()
        for values, kept in self._lists:
            if values != kept:
                values[:] = kept
                changed = True
        for table, kept in self._tables:
            if table != kept:
                table.clear()
                table.update(kept)
                changed = True
        modules = self._modules
        importlib = modules["importlib"].__dict__
        if importlib["import_module"] is not self._import_module:
            importlib["import_module"] = self._import_module
        threading = modules.get("threading")
        if threading is not None:
            threading.settrace(None)
            threading.setprofile(None)
        if self._monitoring is not None:
            changed = self._free_monitoring_tools() or changed
        if _set_locale(_LC_ALL, None) != self._locale:
            _set_locale(_LC_ALL, self._locale)
        return changed

    def _free_monitoring_tools(self):
        changed = False
        for tool in range(_MONITORING_TOOLS):
            if self._monitoring.get_tool(tool) is not None:
                self._monitoring.set_events(tool, 0)
                self._monitoring.free_tool_id(tool)
                changed = True
        return changed

    def _has_calm_signals(self):
        calm = True
        for timer in _TIMERS:
            if _set_timer(timer, 0)[0]:
                calm = False
        _forget_wakeup(-1)
        for number, handler in self._handlers:
            if _get_handler(number) is not handler and _get_handler(number) != handler:
                if handler is None:
                    return False
                _set_handler(number, handler)
        if not calm or _pending():
            return False
        _set_mask(_SIG_SETMASK, self._mask)
        return True

    def _restore_environment(self):
        os.environ = environ = self._environ
        raw = environ._data
        if _TRACEPARENT in raw:
            del environ["TRACEPARENT"]
        if raw != self._raw_variables:
            environ.clear()
            environ.update(self._variables)
        self._c_environment.restore(self._raw_variables, ())
        self._interpreter.restore_time_zone()
        _chdir(self._folder)
        if _stat(b".").st_mode != self._folder_mode:
            _chmod(b".", self._folder_mode & _ALL_MODES)
        if _list(b"."):
            _empty_folder(self._folder)
        _umask(self._umask)

    def _has_own_limits(self):
        return (
            _limits_as_applied()
            and _get_other_limits() == self._other_limits
            and _get_priority(os.PRIO_PROCESS, 0) == self._priority
            and _get_affinity(0) == self._affinity
            and (self._scheduler is None or _get_scheduler(0) == self._scheduler)
        )


def _get_scheduler_or_none():
    """None where the filters of restricted mode refuse to tell, and so to change it."""
    try:
        return _get_scheduler(0)
    except OSError:
        return None


def _get_other_limits():
    """Those that `limits` does not set and that memory is refused by: who lowered one has lowered it for good."""
    return [_get_limit(number) for number in _OTHER_LIMITS]


def _is_alone():
    """No other thread of Python's, no child process; the dead ones are collected on the way."""
    if _count_threads():
        return False
    try:
        while _wait(-1, _ANY_CHILD)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _describe_streams():
    """Which files descriptors 0 to 2 are, and whether writing waits for a reader."""
    found = []
    for descriptor in (0, 1, 2):
        stat = _fstat(descriptor)
        found.append((stat.st_dev, stat.st_ino, _get_blocking(descriptor)))
    return found


def _reseed_random():
    module = sys.modules.get("random")
    if module is not None:
        # By itself `seed` asks the kernel for 2,496 bytes, which takes longer than all else here.
        module.seed(_int_of(_random_bytes(_SEED_BYTES), "little"))
    module = sys.modules.get("numpy.random")
    if module is not None:
        module.seed()
