"""Shared memory without a name, for ADMIN code: `mmap.mmap(-1, length)`.

The kernel's own is refused, because it is counted for nobody once no process has it in its page tables. The same comes of a file
in the scratch folder that has no name: forked processes share it, and it counts with the folder.
"""

import mmap
import os

_Mapping = mmap.mmap
_SHARED, _ANONYMOUS = mmap.MAP_SHARED, mmap.MAP_ANONYMOUS
_READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE
_COPY = mmap.ACCESS_COPY
_NAME_BYTES = 16


def offer():
    """In the template, once; whoever imports the class from its module gets this one."""
    mmap.mmap = _FileMapping


class _FileMapping(_Mapping):
    def __new__(cls, fileno, length, flags=_SHARED, prot=_READ_WRITE, access=mmap.ACCESS_DEFAULT, **more):
        if fileno != -1 or not flags & _SHARED or access == _COPY:
            return _Mapping.__new__(cls, fileno, length, flags, prot, access, **more)
        descriptor = _open_nameless(os.environ.get("TMPDIR", "."))
        try:
            os.ftruncate(descriptor, length)
            return _Mapping.__new__(cls, descriptor, length, flags & ~_ANONYMOUS, prot, access, **more)
        finally:
            os.close(descriptor)


_FileMapping.__name__ = _FileMapping.__qualname__ = "mmap"
_FileMapping.__module__ = "mmap"


def _open_nameless(folder):
    """Not by O_TMPFILE, which not every file system has."""
    path = os.path.join(folder, f".shared-{os.urandom(_NAME_BYTES).hex()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return descriptor
