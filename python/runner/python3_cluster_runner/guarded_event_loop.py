"""`asyncio` for restricted code: an event loop that computes and sleeps.

Python's own loop waits in epoll and wakes itself by a pair of sockets; the kernel gives restricted code neither. Nothing can
wake this one from outside, so it only has to sleep until the next timer. Where there is none, every task waits for
another for ever, and it says so.
"""

import contextlib
import sys
import time

from .policy import in_force as _in_force

_REFUSED = """
    run_in_executor set_default_executor getaddrinfo getnameinfo create_connection create_server create_unix_connection
    create_unix_server create_datagram_endpoint connect_accepted_socket start_tls sendfile subprocess_exec subprocess_shell
    connect_read_pipe connect_write_pipe add_reader remove_reader add_writer remove_writer add_signal_handler
    remove_signal_handler sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendto sock_connect
    sock_accept sock_sendfile
""".split()


def prepare():
    """In a process of restricted mode, before its code gets at asyncio. Importing asyncio takes long, so not earlier."""
    from asyncio import base_events, events

    class Policy(getattr(events, "_BaseDefaultEventLoopPolicy", None) or events.BaseDefaultEventLoopPolicy):
        _loop_factory = _create_loop_class(base_events)

    events._event_loop_policy = Policy()
    base_events.concurrent = _NoThreads()  # `super().run_in_executor` would start some


@contextlib.contextmanager
def without_tls():
    """While asyncio is imported. It does without ssl, whose own import takes as long as all the rest (of 50 ms)."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        yield
        return
    sys.modules["ssl"] = None
    try:
        yield
    finally:
        del sys.modules["ssl"]


class _NoThreads:
    @property
    def futures(self):
        raise _in_force().module_attribute_refusal("asyncio", "run_in_executor")


class _Sleeper:
    """In the place of a selector."""

    def select(self, timeout):
        if timeout is None:
            raise RuntimeError("deadlock: every task waits for another, and no timer is left that would wake one")
        if timeout > 0:
            time.sleep(timeout)
        return ()

    def close(self):
        pass


def _create_loop_class(base_events):
    class EventLoop(base_events.BaseEventLoop):
        """Timers, tasks and futures. What needs sockets, processes or threads is refused."""

        def __init__(self):
            super().__init__()
            self._selector = _Sleeper()

        def _process_events(self, _events):
            pass

        def _write_to_self(self):
            pass

    for name in _REFUSED:
        setattr(EventLoop, name, _refused(name))
    return EventLoop


def _refused(name):
    def refuse(self, *_args, **_kwargs):
        raise _in_force().module_attribute_refusal("asyncio", name)

    refuse.__name__ = name
    return refuse
