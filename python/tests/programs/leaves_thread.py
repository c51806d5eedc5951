"""A thread nobody will wait for."""
import _thread
import time

_thread.start_new_thread(time.sleep, (60,))
result = "done"
