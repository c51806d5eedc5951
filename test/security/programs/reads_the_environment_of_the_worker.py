import os

result = False
for name in os.listdir("/proc"):
    try:
        descriptor = os.open(f"/proc/{name}/environ", os.O_RDONLY)
        result = result or canary.encode() in os.read(descriptor, 1_000_000)
    except OSError:
        pass
