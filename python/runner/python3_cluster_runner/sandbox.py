"""The kernel as boundary, the runner's half: what the template gives up for all, and each child once more for itself.

    template   (uid and namespaces by whoever started it) ─▶ preload ─▶ no new privileges, no capabilities, not dumpable,
                                                             Landlock: its mode's paths    seccomp: its mode's calls
    child      run   ─▶ Landlock: the slot it was given, and nothing of the others
                        seccomp: the calls that only a template needs, and those that it needed to come here

One layer alone is not enough: Landlock and seccomp in the child keep it from its template and from the other children, the
template's keep it from the worker node. The worker says which layers there must be (it has tried them); a template that
cannot enter one of them refuses to serve.
"""

import ctypes
import os

from . import landlock, seccomp, shared_mappings
from .process_control import control, libc

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 4, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

_FOR_ALL = (("/proc", landlock.READ),)
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_ZERO = "/dev/zero"  # read only: what is mapped from it to be written is shared memory without a name
_control = control


class SandboxFailed(Exception):
    """A layer is not there, or does not hold."""


class Sandbox:
    """`settings` is the member `sandbox` of `configure`; None for isolation level D, where every step does nothing."""

    __slots__ = ("_settings", "_mode", "_child_ruleset", "_child_filter", "_scratch_rights")

    def __init__(self, settings, mode):
        self._settings = settings
        self._mode = mode
        self._child_ruleset = self._child_filter = None
        self._scratch_rights = landlock.WRITE if mode == "restricted" else landlock.WRITE | landlock.RUN

    def enter_template(self):
        """Raises SandboxFailed."""
        settings = self._settings
        if settings is None:
            return
        try:
            self._check_start(settings)
            _control(_PR_SET_NO_NEW_PRIVS, 1)
            _drop_capabilities()
            _control(_PR_SET_DUMPABLE, 0)
            calls, self._child_filter = self._load_filters()  # while their files can be read
            if settings["landlockAbi"]:
                ruleset = self._ruleset(settings["slotsPath"])
                ruleset.open()
                ruleset.enter()
                self._child_ruleset = self._ruleset(None)
            if calls is not None:
                calls.enter()
                if self._mode == "admin":
                    shared_mappings.offer()
        except OSError as error:
            raise SandboxFailed(str(error)) from error
        self._check_end(settings)

    def enter_at_birth(self):
        """In a child, before it hears of a job. Raises SandboxFailed."""
        try:
            self._enter_at_birth()
        except OSError as error:
            raise SandboxFailed(str(error)) from error

    def _enter_at_birth(self):
        if self._child_ruleset is not None:
            # Landlock keeps its siblings out. Its own files in /proc are its own again, and the worker node, where it is
            # the same user, can look into it.
            _control(_PR_SET_DUMPABLE, 1)
            self._child_ruleset.open()

    def enter_slot(self, scratch_path, stdout_path, stderr_path, keeps):
        """In a child, before anything a caller sent is looked at; `keeps`: it is asked to stay. Raises SandboxFailed."""
        try:
            if self._child_ruleset is not None:
                self._child_ruleset.enter(
                    (scratch_path, self._scratch_rights),
                    (stdout_path, landlock.WRITE_INTO),
                    (stderr_path, landlock.WRITE_INTO),
                    keeps_number=keeps,
                )
            # After Landlock, whose calls it refuses from now on.
            if self._child_filter is not None:
                self._child_filter.enter()
        except OSError as error:
            raise SandboxFailed(str(error)) from error

    def _load_filters(self):
        if not self._settings["seccomp"]:
            return None, None
        if self._mode == "admin":
            return seccomp.Filter("admin"), seccomp.Filter("admin-child")
        return seccomp.Filter("restricted-template"), seccomp.Filter("restricted-child")

    def _ruleset(self, slots_path):
        settings = self._settings
        ruleset = landlock.Ruleset(settings["landlockAbi"], network=self._mode == "admin")
        for path, rights in _FOR_ALL:
            ruleset.allow(path, rights)
        for path in _DEVICES:
            ruleset.allow(path, landlock.READ | landlock.WRITE_INTO)
        ruleset.allow(_ZERO, landlock.READ)
        for path in settings["readPaths"]:
            ruleset.allow(path, landlock.READ if self._mode == "restricted" else landlock.RUN)
        for path in settings["writePaths"]:
            ruleset.allow(path, landlock.WRITE)
        if slots_path is not None:
            ruleset.allow(slots_path, self._scratch_rights)
        return ruleset

    def _check_start(self, settings):
        uid = settings["uid"]
        if uid is not None and (os.getresuid() != (uid, uid, uid) or os.getresgid() != (uid, uid, uid)):
            raise SandboxFailed(f"it runs as user {os.getresuid()}, group {os.getresgid()}, not as {uid}")
        if uid is not None and set(os.getgroups()) - {uid}:
            raise SandboxFailed(f"it is in groups {os.getgroups()}")
        if settings["namespaces"] and os.getpid() != 1:
            raise SandboxFailed("it is not the first process of a pid namespace")

    def _check_end(self, settings):
        status = _read_status()
        wanted = {"NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16, "CapInh": "0" * 16}
        if settings["seccomp"]:
            wanted["Seccomp"] = "2"
        for name, value in wanted.items():
            if status.get(name) != value:
                raise SandboxFailed(f"{name} is {status.get(name)} and not {value}")
        if settings["landlockAbi"] and _is_open("/", os.O_RDONLY | os.O_DIRECTORY):
            raise SandboxFailed("Landlock is entered and does not hold")


def _drop_capabilities():
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _control(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _read_status():
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        lines = [line.partition(":") for line in file]
    return {name: value.strip() for name, _, value in lines}


def _is_open(path, flags):
    try:
        os.close(os.open(path, flags))
    except OSError:
        return False
    return True
