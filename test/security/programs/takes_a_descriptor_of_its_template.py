import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
descriptor = libc.syscall(numbers["pidfd_open"], os.getppid(), 0)
result = any(libc.syscall(numbers["pidfd_getfd"], descriptor, number, 0) >= 0 for number in range(16))
