import os

os.kill(worker_pid, 0)
result = True
