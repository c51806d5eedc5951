"""Leaves three double-forked daemons behind, each in a session of its own, and one that forked again."""
import os
import time

reading, writing = os.pipe()
for number in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if number == 0 and os.fork() == 0:
                os.setsid()
            os.write(writing, b"%d\n" % os.getpid())
            while True:
                time.sleep(60)
        os._exit(0)
text = b""
while text.count(b"\n") < 4:
    text += os.read(reading, 100)
result = [int(line) for line in text.split()]
