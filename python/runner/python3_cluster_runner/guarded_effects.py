"""Refuses, at run time, effects outside the process that restricted code has no business with.

The checks before and around the code (policy_syntax, module_views, guarded_library) decide which functions it can name.
This one does not ask how the code got there: Python announces the operations that matter to audit hooks (PEP 578), and a
hook that raises keeps them from happening. So a way round the other checks still ends at a refusal in the same words:
no file but those Python itself reads, no process, socket, signal, thread or library call.

    template (restricted): install ─▶ fork ─▶ child: begin ─▶ code, its value ─▶ end ─▶ the runner's own work

Not everything is announced (`os.write` to an open descriptor is not), and code that has got this far can find the hook. It
is the fence's second row, not the wall; that is the kernel's.
"""

import os.path
import sys
from errno import EACCES

from .job_environment import RUNNER_FOLDER

_REFUSED_PREFIXES = frozenset(
    """
    os subprocess socket ctypes shutil fcntl mmap signal syslog resource pty tempfile sqlite3 glob pathlib
    ftplib http imaplib nntplib poplib smtplib telnetlib urllib webbrowser _thread cpython winreg _winapi msvcrt
    """.split()
)
_REFUSED = frozenset("sys.addaudithook sys._current_frames gc.get_objects gc.get_referrers".split())
_LISTINGS = ("os.listdir", "os.scandir", "os.walk")
_WRITE_MODES = frozenset("wax+")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_real_path = os.path.realpath

_policy = None  # while code of the caller's runs
_is_installed = False
_roots = ()
_OF_BIRTH = ("socket.__new__", "socket.connect", "os.chdir", "os.putenv")


def _is_watched(event):
    return event in _REFUSED or event.partition(".")[0] in _REFUSED_PREFIXES


# Event → whether it is looked at. Those of a child's birth are here, as to find out would cost it a few pages for each.
_known = {"open": True, "builtins.id": False, "import": False, **{event: _is_watched(event) for event in _OF_BIRTH}}


def install():
    """Once per process, and for good: hooks cannot be removed."""
    global _is_installed, _roots
    if _is_installed:
        return
    _is_installed = True
    _roots = tuple(_find_roots())
    sys.addaudithook(_hook)


def begin(policy):
    global _policy
    _policy = policy


def end():
    global _policy
    _policy = None


class suspended:
    """For what the runner does on the code's behalf: an import runs library code, not the caller's."""

    __slots__ = ("_before",)

    def __enter__(self):
        global _policy
        self._before = _policy
        _policy = None

    def __exit__(self, *_):
        global _policy
        _policy = self._before


def _hook(event, arguments):
    watched = _known.get(event)
    if watched is None:
        watched = _known[event] = _is_watched(event)
    if watched and _policy is not None:
        _judge(event, arguments)


def _judge(event, arguments):
    policy = _policy
    if event == "open":
        path, mode, flags = arguments
        if type(path) is str and path.startswith(RUNNER_FOLDER):
            # For a traceback the library looks for the lines of every frame. Those of ours are as if they were not there.
            raise PermissionError(EACCES, "not for restricted code", path)
        if not _WRITE_MODES.isdisjoint(mode or "") or (flags or 0) & _WRITE_FLAGS or not _is_pythons_own(path):
            raise policy.builtin_refusal("open")
    elif not (event in _LISTINGS and _is_pythons_own(arguments[0])):
        raise policy.effect_refusal(event)


def _is_pythons_own(path):
    if type(path) is bytes:
        path = path.decode("utf-8", "surrogateescape")
    return type(path) is str and path.startswith("/") and (_real_path(path) + "/").startswith(_roots)


def _find_roots():
    """Folders Python reads by itself: its modules, and time zones."""
    from sysconfig import get_config_var

    zones = get_config_var("TZPATH") or "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"
    for path in (*sys.path, *zones.split(":")):
        if path.startswith("/"):
            yield _real_path(path).rstrip("/") + "/"
