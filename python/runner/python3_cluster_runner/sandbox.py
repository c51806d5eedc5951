"""The kernel as boundary, the runner's half: what the template gives up for all, and each child once more for itself.

    template   (uid and namespaces by whoever started it) ─▶ preload ─▶ mounts ─▶ no new privileges, hardly a capability, not
                                                             dumpable, Landlock: its mode's paths, seccomp: its mode's calls
    child      its workspace's user, no capability ─▶ Landlock: its workspace, and nothing of the others
                                                             ─▶ without the calls that only a template needs, or needed so far

One layer alone is not enough: Landlock and seccomp in the child keep it from its template and from the other children, the
template's keep it from the worker node. The worker says which layers there must be (it has tried them); a template that
cannot enter one of them refuses to serve.

Where the template's user namespace has a user for each workspace, the template keeps three capabilities in there: to become
one of these users, and to end their processes. It uses the former in processes that have just been forked, before a byte of
a caller's is read, and they give all three up with it.
"""

import ctypes
import os

from . import landlock, mounts, scratch, seccomp, shared_mappings
from .process_control import control, libc

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 4, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

_FOR_ALL = (("/proc", landlock.READ),)
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_ZERO = "/dev/zero"  # read only: what is mapped from it to be written is shared memory without a name
_control, _enter_ruleset, _set_groups, _set_gid, _set_uid = control, landlock.enter, os.setgroups, os.setresgid, os.setresuid
_set_capabilities = None if libc is None else libc.capset
RULESETS_MAX = 64  # that are kept, each by a descriptor; a node has hardly as many workspaces of a mode
_KEPT_CAPABILITIES = 1 << 5 | 1 << 6 | 1 << 7  # KILL, SETGID, SETUID


class SandboxFailed(Exception):
    """A layer is not there, or does not hold."""


class Sandbox:
    """`settings` is the member `sandbox` of `configure`; None for isolation level D, where every step does nothing."""

    __slots__ = (
        "_settings", "_mode", "_child_rules", "_child_rulesets", "_child_filter", "_scratch_rights", "_nothing", "_scratch_mode",
    )  # fmt: skip

    def __init__(self, settings, mode):
        self._settings = settings
        self._mode = mode
        self._child_rules = self._child_filter = None
        self._child_rulesets = {}  # scratch folder → descriptor
        self._scratch_rights = landlock.WRITE if mode == "restricted" else landlock.WRITE | landlock.RUN
        self._nothing = Capabilities(0)
        self._scratch_mode = None  # where scratch folders are not file systems of this template's

    def enter_template(self):
        """Raises SandboxFailed."""
        settings = self._settings
        if settings is None:
            return
        try:
            self._check_start(settings)
            self._mount(settings)
            _control(_PR_SET_NO_NEW_PRIVS, 1)
            _clear_ambient_capabilities()
            Capabilities(self._kept_capabilities()).take()
            _control(_PR_SET_DUMPABLE, 0)
            calls, self._child_filter = self._load_filters()  # while their files can be read
            if settings["landlockAbi"]:
                rules = self._rules(settings["workspacesPath"])
                landlock.enter(rules.make())
                rules.close()
                self._child_rules = self._rules(None)
            if calls is not None:
                calls.enter()
                if self._mode == "admin":
                    shared_mappings.offer()
        except OSError as error:
            raise SandboxFailed(str(error)) from error
        self._check_end(settings)

    def become_user(self, workspace):
        """In a process just forked: the workspace's own user, for good. Raises SandboxFailed."""
        uid = workspace[0]
        if uid is None:
            return
        try:
            _set_groups([uid])
            _set_gid(uid, uid, uid)
            _set_uid(uid, uid, uid)
            self._nothing.take()
        except OSError as error:
            raise SandboxFailed(f"cannot become user {uid}: {error}") from error

    def prepare_child(self, workspace):
        """In the template, before the fork: the descriptor of the child's Landlock ruleset, -1 where it has none.

        The same for all children of a workspace, whose folder and pipes stay what they are. Raises OSError.
        """
        if self._child_rules is None:
            return -1
        _, scratch_path, stdout_path, stderr_path = workspace
        made = self._child_rulesets.pop(scratch_path, None)
        if made is None:
            if len(self._child_rulesets) >= RULESETS_MAX:
                # Unused for the longest time: of a workspace that was given up, mostly.
                os.close(self._child_rulesets.pop(next(iter(self._child_rulesets))))
            made = self._child_rules.make(
                (scratch_path, self._scratch_rights),
                (stdout_path, landlock.WRITE_INTO),
                (stderr_path, landlock.WRITE_INTO),
            )
        self._child_rulesets[scratch_path] = made
        return made

    def enter_child(self, ruleset):
        """In a child, before it hears of a job. Raises SandboxFailed."""
        try:
            if ruleset >= 0:
                # Landlock keeps its siblings out. Its own files in /proc are its own again, and the worker node, where it
                # is the same user, can look into it.
                _control(_PR_SET_DUMPABLE, 1)
                _enter_ruleset(ruleset)
            # After Landlock, whose calls it refuses from now on.
            if self._child_filter is not None:
                self._child_filter.enter()
        except OSError as error:
            raise SandboxFailed(str(error)) from error

    def is_empty(self, workspace):
        """Of a workspace nobody is in: None where that is not this template's to say."""
        if self._scratch_mode is None:
            return None
        return scratch.is_pristine(workspace[1], self._scratch_mode)

    def empty(self, workspace):
        """In a process of its own. Raises SandboxFailed or OSError."""
        self.become_user(workspace)
        # Of another owner's, the user could not change the mode, and neither could who was here before.
        scratch.empty(workspace[1], self._scratch_mode if workspace[0] is None else None)

    def _mount(self, settings):
        mounted = settings["scratch"]
        if mounted is None:
            return
        owner = os.getuid()
        first = settings["firstChildUid"]
        for index, path in enumerate(mounted["paths"]):
            mounts.mount_scratch(path, owner, owner if first is None else first + index, mounted, self._mode == "admin")
        mounts.hide_processes(os.getgid())
        self._scratch_mode = 0o700 if first is None else 0o770

    def _kept_capabilities(self):
        return 0 if self._settings["firstChildUid"] is None else _KEPT_CAPABILITIES

    def _load_filters(self):
        if not self._settings["seccomp"]:
            return None, None
        if self._mode == "admin":
            return seccomp.Filter("admin"), seccomp.Filter("admin-child")
        return seccomp.Filter("restricted-template"), seccomp.Filter("restricted-child")

    def _rules(self, workspaces_path):
        settings = self._settings
        rules = landlock.Ruleset(settings["landlockAbi"], network=self._mode == "admin")
        for path, rights in _FOR_ALL:
            rules.allow(path, rights)
        for path in _DEVICES:
            rules.allow(path, landlock.READ | landlock.WRITE_INTO)
        rules.allow(_ZERO, landlock.READ)
        for path in settings["readPaths"]:
            rules.allow(path, landlock.READ if self._mode == "restricted" else landlock.RUN)
        for path in settings["writePaths"]:
            rules.allow(path, landlock.WRITE)
        if workspaces_path is not None:
            rules.allow(workspaces_path, self._scratch_rights)
        return rules

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
        kept = f"{self._kept_capabilities():016x}"
        wanted = {"NoNewPrivs": "1", "CapEff": kept, "CapPrm": kept, "CapInh": "0" * 16, "CapAmb": "0" * 16}
        if settings["seccomp"]:
            wanted["Seccomp"] = "2"
        for name, value in wanted.items():
            if status.get(name) != value:
                raise SandboxFailed(f"{name} is {status.get(name)} and not {value}")
        if settings["landlockAbi"] and _is_open("/", os.O_RDONLY | os.O_DIRECTORY):
            raise SandboxFailed("Landlock is entered and does not hold")


class Capabilities:
    """Laid out where it is made, so that `take` is one system call (capset(2))."""

    __slots__ = ("_header", "_sets")

    def __init__(self, mask):
        self._header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        self._sets = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)  # effective, permitted, inheritable; the high halves

    def take(self):
        if _set_capabilities(self._header, self._sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")


def _clear_ambient_capabilities():
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
