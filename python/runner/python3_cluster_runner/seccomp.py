"""seccomp filters (seccomp(2)): which system calls this process, and all it forks, may make.

The filters are made by `scripts/seccomp/generate.py`; here they are only loaded. A filter stays for good, and one on top
of another takes away more.
"""

import ctypes
import os

from .process_control import control

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_INSTRUCTION_BYTES = 8
_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "filters")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


class Filter:
    __slots__ = ("_instructions", "_program", "_address")

    def __init__(self, name):
        """Raises OSError where there is none for this machine."""
        with open(os.path.join(_FOLDER, os.uname().machine, f"{name}.bpf"), "rb") as file:
            instructions = file.read()
        self._instructions = ctypes.create_string_buffer(instructions, len(instructions))
        self._program = _Program(len(instructions) // _INSTRUCTION_BYTES, ctypes.addressof(self._instructions))
        self._address = ctypes.addressof(self._program)

    def enter(self):
        """Needs `no_new_privs`. Raises OSError."""
        control(_PR_SET_SECCOMP, _MODE_FILTER, self._address)
