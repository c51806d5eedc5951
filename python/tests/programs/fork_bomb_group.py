"""Processes that fork again as they are killed, within their group."""
import os

for _ in range(3):
    if os.fork() == 0:
        while True:
            try:
                if os.fork() == 0:
                    continue
                os.wait()
            except OSError:
                pass
            os._exit(0)
result = "left"
