"""Gives users to a user namespace whose owner is the first of them (user_namespaces(7)).

    python3 -I -B <runner> give-users <process in the namespace> <first user> <count>

Needs CAP_SETUID and CAP_SETGID, and no more: as the namespace's owner this process may write to its maps, and with the two
capabilities, which it keeps when it becomes that user, name other users in them. The same numbers inside as outside.
"""

import os

from .process_control import control
from .sandbox import Capabilities

_PR_SET_KEEPCAPS = 8
_SETGID_AND_SETUID = 1 << 6 | 1 << 7


def run(pid, first, count):
    control(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(first, first, first)
    os.setresuid(first, first, first)
    Capabilities(_SETGID_AND_SETUID).take()
    for name in ("uid_map", "gid_map"):
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY)
        os.write(descriptor, f"{first} {first} {count}\n".encode())  # one write is all there may be
        os.close(descriptor)
