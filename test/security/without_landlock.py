"""Runs a command on a kernel that seems to have no Landlock, as under the filters of older container engines.

    python3 without_landlock.py <command> [<argument> …]
"""

import ctypes
import os
import struct
import sys

LOAD_NUMBER, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, NOT_THERE = 0x7FFF0000, 0x00050000 | 38
FIRST, LAST = 444, 446


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


lines = [(LOAD_NUMBER, 0, 0, 0)]
lines += [(IF_EQUAL, LAST - number + 1, 0, number) for number in range(FIRST, LAST + 1)]
lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_THERE)]
program = Program(len(lines), b"".join(struct.pack("HBBI", *line) for line in lines))
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
