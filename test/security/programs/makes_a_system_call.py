import ctypes

EPERM, ENOSYS = 1, 38
libc = ctypes.CDLL(None, use_errno=True)
answer = libc.syscall(numbers[name], *arguments)
result = answer >= 0 or ctypes.get_errno() not in (EPERM, ENOSYS)
