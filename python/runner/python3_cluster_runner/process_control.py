"""prctl(2) for a process that must not outlive its parent, must inherit its orphans, or gives up rights for good.

The standard library has no prctl, hence ctypes; where there is none (not Linux) the calls report False, and the worker
learns from its own probes that this host cannot give the guarantees.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

libc = _prctl = None
if sys.platform.startswith("linux"):
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.malloc.argtypes = [ctypes.c_size_t]
        libc.malloc.restype = ctypes.c_void_p
        _prctl = libc.prctl
        # The full signature keeps ctypes from guessing int where the kernel wants unsigned long.
        _prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
        _prctl.restype = ctypes.c_int
    except (ImportError, OSError, AttributeError):
        _prctl = None

_KILL = int(signal.SIGKILL)


def die_with_parent():
    """SIGKILL to this process when its parent ends. Check the parent's pid afterwards: it may be gone already."""
    return _prctl is not None and _prctl(PR_SET_PDEATHSIG, _KILL, 0, 0, 0) == 0


def adopt_orphans():
    """Processes whose parents die below this one become its children, not init's."""
    return _prctl is not None and _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def control(option, first=0, second=0):
    """Any other option. Raises OSError."""
    if _prctl is None:
        raise OSError(f"prctl({option}): not available here")
    if _prctl(option, first, second, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def keep_for_good(value):
    """One reference more, which nobody holds: a child need not take the object apart, and cannot reach it either."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
