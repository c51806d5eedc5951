"""Which processes are below a process, from /proc."""

import os


def children_of_self():
    """Pids of this (single-threaded) process's children, zombies included.

    The kernel may skip an entry of this list when another child ends while it is read, so callers trust an empty
    answer only if nothing could be reaped right after it.
    """
    pid = os.getpid()
    try:
        descriptor = os.open(f"/proc/self/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _children_by_scan(pid)
    try:
        text = b""
        while piece := os.read(descriptor, 65536):
            text += piece
    finally:
        os.close(descriptor)
    return [int(word) for word in text.split()]


def _children_by_scan(parent):
    """The slow way, for kernels built without CONFIG_PROC_CHILDREN."""
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        if name.isdigit():
            stat = read_stat(int(name))
            if stat is not None and stat[0] == parent:
                found.append(int(name))
    return found


def read_stat(pid):
    """`(parent pid, session id, state letter)` of a process, or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The command name is in parentheses and may itself hold spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[1]), int(fields[3]), fields[0].decode("ascii")
