import os

pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), 9)  # `os._exit` is private to restricted code
os.waitpid(pid, 0)
result = True
