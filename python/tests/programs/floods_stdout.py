"""Eight megabytes to descriptor 1, past Python."""
import os

block = b"x" * 65536
for _ in range(128):
    view = block
    while view:
        view = view[os.write(1, view):]
result = "done"
