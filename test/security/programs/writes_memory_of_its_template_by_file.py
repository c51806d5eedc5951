import os

descriptor = os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR)
result = len(os.pread(descriptor, 8, id(None) + 16)) == 8
