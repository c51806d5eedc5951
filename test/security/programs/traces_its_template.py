import ctypes
import os

SEIZE, DETACH = 0x4206, 17
libc = ctypes.CDLL(None, use_errno=True)
result = libc.syscall(numbers["ptrace"], SEIZE, os.getppid(), None, None) == 0
if result:
    libc.syscall(numbers["ptrace"], DETACH, os.getppid(), None, None)
