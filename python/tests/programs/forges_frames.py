"""Garbage to every descriptor it can find."""
import os

for descriptor in range(3, 51):
    try:
        os.write(descriptor, b"\xff\xfe garbage that is no frame \x00" * 10)
    except OSError:
        pass
result = "mine"
