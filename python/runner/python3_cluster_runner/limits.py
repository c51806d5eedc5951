"""The kernel's share of the limits (setrlimit). Time, and the tree's memory and CPU, the worker enforces from outside.

`RLIMIT_DATA`, not `RLIMIT_AS`: it gives a clean MemoryError, and does not count the address space BLAS only reserves.
"""

import mmap
import os
import resource

CPU_BACKSTOP_SECONDS = 1  # SIGXCPU this long after the worker should have acted; SIGKILL another second later
RESERVE_BYTES = 4 * 1024 * 1024  # a few of the interpreter's 1 MiB arenas: enough to describe a MemoryError

_PAGE_BYTES = resource.getpagesize()
# Number and hard limit of each, as the template has them; its children cannot raise the latter.
_PRESENT = {
    name: (getattr(resource, name), resource.getrlimit(getattr(resource, name))[1])
    for name in ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_DATA")
}


def reserve_memory():
    """Address space to give back (`close()`) when a report must be built with nothing left. Untouched, it is free."""
    return mmap.mmap(-1, RESERVE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def apply(limits):
    """Set every limit; returns None, or a message when the memory limit is too small to start in (and is not set)."""
    memory_bytes = limits["memoryBytes"]
    used = _data_bytes()
    if used >= memory_bytes:
        return f"the memory limit of {memory_bytes} bytes is less than what Python itself holds here ({used} bytes)"
    cpu_seconds = limits["cpuSeconds"] + CPU_BACKSTOP_SECONDS
    _set("RLIMIT_CPU", cpu_seconds, cpu_seconds + 1)
    _set("RLIMIT_FSIZE", limits["fileSizeBytes"])
    _set("RLIMIT_NOFILE", limits["openFiles"])
    _set("RLIMIT_NPROC", limits["processes"])
    _set("RLIMIT_CORE", 0)
    _set("RLIMIT_DATA", memory_bytes)
    return None


def _set(name, soft, hard=None):
    """Python ignores SIGXFSZ, so that a file over its limit fails with EFBIG instead of killing the process."""
    hard = soft if hard is None else hard
    number, present = _PRESENT[name]
    if present != resource.RLIM_INFINITY:
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(number, (soft, hard))


def _data_bytes():
    try:
        descriptor = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    fields = os.read(descriptor, 256).split()
    os.close(descriptor)
    return int(fields[5]) * _PAGE_BYTES
