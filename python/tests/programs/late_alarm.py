"""A timer that fires again and again while the result is being written."""
import signal


def boom(*_):
    raise RuntimeError("alarm")


signal.signal(signal.SIGALRM, boom)
result = list(range(200_000))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.0005)
