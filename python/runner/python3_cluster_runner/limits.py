"""The kernel's share of the limits (setrlimit). Time, and the tree's memory and CPU, the worker enforces from outside.

`RLIMIT_DATA`, not `RLIMIT_AS`: it gives a clean MemoryError, and does not count the address space BLAS only reserves.
"""

import mmap
import os
import resource
import time

CPU_BACKSTOP_SECONDS = 1  # SIGXCPU this long after the worker should have acted; SIGKILL another second later
RESERVE_BYTES = 4 * 1024 * 1024  # a few of the interpreter's 1 MiB arenas: enough to describe a MemoryError
# Timers and queued signals of a user, each of which is memory of the kernel's; the usual limit grows with that of the host.
_PENDING_SIGNALS = 4_096
_GROWTH_BYTES_MAX = 32 * 1024 * 1024  # far above what a child adds before its limits, payload apart

_PAGE_BYTES = resource.getpagesize()
# Number and hard limit of each, as the template has them; its children cannot raise the latter.
_CPU, _FSIZE, _NOFILE, _NPROC, _CORE, _DATA = (
    (number, resource.getrlimit(number)[1])
    for number in (
        resource.RLIMIT_CPU,
        resource.RLIMIT_FSIZE,
        resource.RLIMIT_NOFILE,
        resource.RLIMIT_NPROC,
        resource.RLIMIT_CORE,
        resource.RLIMIT_DATA,
    )
)
_UNLIMITED = resource.RLIM_INFINITY
_set_limit = resource.setrlimit
_get_limit = resource.getrlimit
_process_time = time.process_time
# Address space to give back when a report must be built with nothing left. Untouched, it is free.
def _map_reserve():
    return mmap.mmap(-1, RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


_reserve = _map_reserve()
_used_by_template = None
# Of a kept child: what the kernel said after `apply`, and what that had been told to set.
_applied = None
_wanted = None


def prepare():
    """In the template, when all is imported: what a child starts with."""
    global _used_by_template
    _used_by_template = data_bytes()
    pending = getattr(resource, "RLIMIT_SIGPENDING", None)
    if pending is not None:
        _set((pending, _get_limit(pending)[1]), _PENDING_SIGNALS)


def release_reserve():
    _reserve.close()


def take_reserve():
    """Another one, where the last call needed it."""
    global _reserve
    if _reserve.closed:
        _reserve = _map_reserve()


def apply(limits, payload_bytes=0, keeps=False):
    """Set every limit; returns None, or a message when the memory limit is too small to start in (and is not set)."""
    global _applied, _wanted
    cpu_seconds = limits["cpuSeconds"] + CPU_BACKSTOP_SECONDS
    if keeps:
        # The kernel counts from the process's birth; the hard limit stays, so that the next call can be given its own.
        cpu_seconds += int(_process_time()) + 1
        wanted = (cpu_seconds, limits)
        if wanted == _wanted:
            return None  # they stand, and so does the room in them: `are_as_applied` and `data_bytes` after the last call
    memory_bytes = limits["memoryBytes"]
    # Asking the kernel (0.03 ms) is for limits that are anywhere near what a child can hold by now.
    if keeps or _used_by_template is None or _used_by_template + 4 * payload_bytes + _GROWTH_BYTES_MAX >= memory_bytes:
        used = data_bytes()
        if used >= memory_bytes:
            return f"the memory limit of {memory_bytes} bytes is less than what Python itself holds here ({used} bytes)"
    if keeps:
        _set(_CPU, cpu_seconds, _CPU[1])
    else:
        _set(_CPU, cpu_seconds, cpu_seconds + 1)
    _set(_FSIZE, limits["fileSizeBytes"])
    _set(_NOFILE, limits["openFiles"])
    _set(_NPROC, limits["processes"])
    _set(_CORE, 0)
    _set(_DATA, memory_bytes)
    if keeps:
        _applied, _wanted = _current(), wanted
    return None


def are_as_applied():
    """Whether all is as `apply` left it: a limit that was lowered for good would fail the next call."""
    return _applied == _current()


def _current():
    return [_get_limit(number) for number, _ in (_CPU, _FSIZE, _NOFILE, _NPROC, _CORE, _DATA)]


def _set(which, soft, hard=None):
    """Python ignores SIGXFSZ, so that a file over its limit fails with EFBIG instead of killing the process."""
    number, present = which
    if hard is None:
        hard = soft
    if present != _UNLIMITED:
        soft, hard = min(soft, present), min(hard, present)
    _set_limit(number, (soft, hard))


def data_bytes():
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    fields = os.read(descriptor, 256).split()
    os.close(descriptor)
    return int(fields[5]) * _PAGE_BYTES
