"""What this process is, and which inner layers hold here: tried in processes that are thrown away.

    python3 -I -B -u <runner> probe [<child's user> <path to mount at>]      prints one JSON object and ends
"""

import errno
import json
import os
import sys

from . import landlock, mounts, seccomp
from .process_control import control, libc

_PR_SET_NO_NEW_PRIVS = 38
_ASK = 0xFFFFFFFF  # personality(2): tell, and change nothing


def run():
    abi = landlock.version()
    uid, path = sys.argv[2:] or (None, None)
    findings = {
        "pid": os.getpid(),
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": os.getgroups(),
        "landlockAbi": abi,
        "landlock": _try(lambda: _try_landlock(abi)) if abi else "this kernel has no Landlock",
        "seccomp": _try(_try_seccomp),
        "childUser": _try(lambda: _try_user(int(uid))) if uid else None,
        "mounts": _try(lambda: _try_mounts(path)) if path else None,
    }
    print(json.dumps(findings))


def _try(layer):
    """None where the layer holds, else why not."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            control(_PR_SET_NO_NEW_PRIVS, 1)
            reason = layer()
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
        os.write(writing, (reason or "").encode("utf-8", "replace")[:1000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as answer:
        reason = answer.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return reason or (None if status == 0 else f"the process that tried it ended with {status}")


def _try_user(uid):
    os.setgroups([uid])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _try_mounts(path):
    mounts.hide_processes(os.getgid())
    mounts.mount_scratch(path, os.getuid(), os.getgid(), {"bytes": 1 << 20, "entries": 16}, False)


def _try_landlock(abi):
    os.listdir("/")
    ruleset = landlock.Ruleset(abi, network=False)
    ruleset.allow("/proc", landlock.READ)
    landlock.enter(ruleset.make())
    os.listdir("/proc")
    try:
        os.listdir("/")
    except PermissionError:
        return None
    return "a folder that was not allowed could be read"


def _try_seccomp():
    if libc.personality(_ASK) < 0:
        return "the call to try it with fails without it"
    filters = [seccomp.Filter(name) for name in ("admin", "restricted-template", "restricted-child")]
    filters[0].enter()
    if libc.personality(_ASK) >= 0:
        return "a call that ADMIN code may not make went through"
    filters[1].enter()
    filters[2].enter()
    try:
        pid = os.fork()
    except OSError as error:
        return None if error.errno == errno.EPERM else f"fork failed by itself: {error}"
    if pid == 0:
        os._exit(0)
    return "a call that RESTRICTED code may not make went through"
