"""Mounts that a template makes for its children, in the mount namespace that was made for it (mount(2)).

Each workspace has a file system of its own in memory: the kernel keeps the bounds on bytes and files, whatever a job does
to hide them, and all of it is gone with the template. Processes of other users are hidden in /proc (proc(5), `hidepid`).
"""

import ctypes
import os

from .process_control import libc

_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _REMOUNT = 2, 4, 8, 32


def mount_scratch(path, owner, group, limits, runs_programs):
    """A folder for `group`, which is not the owner: it cannot close it to those who come next. Raises OSError."""
    mode = "0770" if group != owner else "0700"
    options = f"size={limits['bytes']},nr_inodes={limits['entries']},mode={mode},uid={owner},gid={group}"
    flags = _NO_SETUID | _NO_DEVICES | (0 if runs_programs else _NO_PROGRAMS)
    _mount("tmpfs", path, flags, options)


def hide_processes(group):
    """Of other users, from all but members of `group`. Raises OSError."""
    _mount("proc", "/proc", _REMOUNT | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS, f"hidepid=2,gid={group}")


def _mount(kind, path, flags, options):
    if libc.mount(kind.encode(), os.fsencode(path), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount of {kind} at {path}: {os.strerror(number)}")
