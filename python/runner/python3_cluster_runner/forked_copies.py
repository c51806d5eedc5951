"""Copies of the runner that user code forks: children of the program, never runners.

A copy that comes to the end of the program finds itself in the runner's frames. It ends as a child of plain Python does:
its error on standard error, its exit functions run, its exit code its own. It says nothing on the job channel, whose
descriptor it loses at birth.
"""

import os
import signal

_own_pid = 0  # of the child that runs the job; 0 in the template, which runs none
_channel = -1

# Bound here, because user code can replace the names in the modules.
_getpid, _close, _exit, _kill = os.getpid, os.close, os._exit, os.kill
_set_handler, _block_signals = signal.signal, signal.pthread_sigmask
_SIGINT, _DEFAULT, _UNBLOCK = int(signal.SIGINT), signal.SIG_DFL, signal.SIG_UNBLOCK


def begin(channel):
    """In the child, before user code: everything with another process id is a copy."""
    global _own_pid, _channel
    _own_pid, _channel = _getpid(), channel


def is_begun():
    return _own_pid != 0


def is_copy():
    return _own_pid != 0 and _getpid() != _own_pid


def exit_code_of(error):
    """What Python exits with; negative for the signal that it ends itself by."""
    if isinstance(error, KeyboardInterrupt):
        return -_SIGINT
    if not isinstance(error, SystemExit):
        return 1
    code = error.code
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1


def leave(code):
    """The end of a copy, which never returns. What is no exit code is a frame: it was forked at the very end."""
    if type(code) is not int:
        code = 0
    if code < 0:
        _set_handler(-code, _DEFAULT)
        _block_signals(_UNBLOCK, (-code,))
        _kill(_getpid(), -code)
    _exit(code)


def lose_channel():
    global _channel
    if _channel >= 0:
        channel, _channel = _channel, -1
        try:
            _close(channel)
        except OSError:
            pass  # the program had closed it


os.register_at_fork(after_in_child=lose_channel)
