"""Landlock (landlock(7)): the files, ports, processes and abstract sockets that a process and all it forks can reach.

Rulesets only ever take away, and one on top of another takes away more: the template has one for its mode, each child one
more for its workspace. Nothing here needs privileges. Numbers are those of linux/landlock.h.
"""

import ctypes
import os
import stat

from .process_control import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every machine
_GET_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_FOLDER, _MAKE_FILE, _MAKE_SOCKET = 1 << 6, 1 << 7, 1 << 8, 1 << 9
_MAKE_FIFO, _MAKE_BLOCK, _MAKE_LINK = 1 << 10, 1 << 11, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_ALL_BY_ABI = ((1, _MAKE_LINK), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE))
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

READ = _READ_FILE | _READ_FOLDER
RUN = READ | _EXECUTE
WRITE_INTO = _WRITE_FILE
WRITE = (
    READ | _WRITE_FILE | _TRUNCATE | _REMOVE_FOLDER | _REMOVE_FILE | _MAKE_FOLDER | _MAKE_FILE | _MAKE_FIFO | _MAKE_LINK
    | _REFER
)  # fmt: skip; no sockets: Landlock does not ask who connects to one, and jobs could hand each other descriptors of their slots

NETWORK_ABI = 4  # and older kernels cannot keep code from the network this way
SCOPE_ABI = 6
_BIND_TCP, _BIND_OR_CONNECT_TCP = 1, 3
_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_PATH_FLAGS = os.O_PATH | os.O_CLOEXEC if hasattr(os, "O_PATH") else 0
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_open, _close = os.open, os.close


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64)]


class _NetPort(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _system_call():
    """A prototype of its own: nobody else's idea of `syscall` gets in the way, and errno is kept for us."""
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_long, use_errno=True
    )
    return prototype(("syscall", libc))


_call = _system_call() if libc is not None else None


def version():
    """The kernel's ABI, 0 where it has no Landlock."""
    return 0 if _call is None else max(0, _call(_CREATE_RULESET, 0, 0, _GET_VERSION, 0))


class Ruleset:
    """What is allowed for all of a mode: `allow` it, then `make` any number of rulesets from it, each with more of its own.

    The template makes them, one for each workspace, before the first child that is in it: entering one is a single call
    then, where to make it takes two for each rule.
    """

    __slots__ = ("_attributes", "_address", "_size", "_handled", "_rules", "_any_port")

    def __init__(self, abi, network):
        """`network`: whether TCP ports stay open, but to those who would listen on a port of their choice."""
        handled = 0
        for since, highest in _ALL_BY_ABI:
            if abi >= since:
                handled |= (highest << 1) - 1
        self._handled = handled
        self._attributes = _RulesetAttributes(
            handled,
            0 if abi < NETWORK_ABI else _BIND_TCP if network else _BIND_OR_CONNECT_TCP,
            _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= SCOPE_ABI else 0,
        )
        self._address = ctypes.addressof(self._attributes)
        self._size = 24 if abi >= SCOPE_ABI else 16 if abi >= NETWORK_ABI else 8
        self._any_port = _NetPort(_BIND_TCP, 0) if network and abi >= NETWORK_ABI else None  # one that the kernel chooses
        self._rules = []

    def allow(self, path, rights):
        """A file, or a folder and all below it. What cannot be reached is left out."""
        try:
            descriptor = _open(path, _PATH_FLAGS)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        self._rules.append(_PathBeneath(rights & self._handled, descriptor))

    def make(self, *more):
        """The descriptor of a ruleset with `more`, pairs of a path and the rights there. Raises OSError."""
        made = _checked(_call(_CREATE_RULESET, self._address, self._size, None, 0))
        try:
            if self._any_port is not None:
                _add(made, _NET_PORT, self._any_port)
            for rule in self._rules:
                _add(made, _PATH_BENEATH, rule)
            for path, rights in more:
                rule = _PathBeneath(rights & self._handled, _open(path, _PATH_FLAGS | _NO_LINK))
                try:
                    _add(made, _PATH_BENEATH, rule)
                finally:
                    _close(rule.parent)
        except OSError:
            _close(made)
            raise
        return made

    def close(self):
        """When no more are to be made."""
        for rule in self._rules:
            _close(rule.parent)
        self._rules.clear()


def enter(made):
    """Restrict this process for good by a ruleset that was made, whose descriptor is closed. Raises OSError."""
    _checked(_call(_RESTRICT_SELF, made, 0, None, 0))
    _close(made)


def _add(made, kind, rule):
    _checked(_call(_ADD_RULE, made, kind, ctypes.addressof(rule), 0))


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
