"""The environment as the C library has it, which `os.putenv` changes behind `os.environ`."""

import ctypes
import os
import sys

from .process_control import libc

_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)

_environ = None
if libc is not None:
    try:
        _environ = ctypes.c_void_p.in_dll(libc, "environ")
        _clear = libc.clearenv
    except (ValueError, AttributeError):
        _environ = None
_put, _string_at = os.putenv, ctypes.string_at


class CEnvironment:
    def __init__(self):
        # The table when it was last in order, and where: unchanged pointers are unchanged variables.
        self._seen, self._address = None, None

    def restore(self, variables, free):
        """Make it `variables`, bytes by bytes; those in `free` may be there or not, with any value."""
        if _environ is None:
            return
        address = _environ.value
        if address is not None and address == self._address and _string_at(address, len(self._seen)) == self._seen:
            return
        if not _is(variables, free):
            _clear()
            for name, value in variables.items():
                _put(name, value)
        self._seen, self._address = _table(), _environ.value


def _table():
    """The pointers, the one that ends them included, as bytes."""
    address = _environ.value
    if not address:
        return b""
    count = 0
    while _string_at(address + count * _POINTER_BYTES, _POINTER_BYTES).strip(b"\0"):
        count += 1
    return _string_at(address, (count + 1) * _POINTER_BYTES)


def _read():
    table = _table()
    for start in range(0, len(table) - _POINTER_BYTES, _POINTER_BYTES):
        name, _, value = _string_at(int.from_bytes(table[start : start + _POINTER_BYTES], sys.byteorder)).partition(b"=")
        yield name, value


def _is(variables, free):
    there = {name: value for name, value in _read() if name not in free}
    return there == {name: value for name, value in variables.items() if name not in free}
