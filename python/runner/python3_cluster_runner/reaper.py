"""How children end: killed, reaped, and everything they left behind gone before anyone is told.

Theory of operation. The template is a child subreaper, and so is every child. While a child lives, its orphaned
descendants stay below it; when it dies, whatever is left below it becomes a child of the template. Hence a child of the
template that was never registered here is a leftover of a dead one. Per SIGCHLD:

    peek at a zombie ──▶ SIGKILL its process group ──▶ reap it ──▶ "dying"
    list our children ──▶ SIGKILL every unregistered one; as each dies, its own children arrive here, with a SIGCHLD
    nothing unregistered left, and nothing to reap since ──▶ the dying ones have ended

The group is killed while the zombie still holds its pid, so the number cannot have been given to a stranger; this one
atomic call also ends a fork bomb that did not leave its group. Nothing here waits: a leftover in an uninterruptible
sleep delays `exited`, never the loop.
"""

import os
import signal

from . import process_tree

_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT if hasattr(os, "WNOWAIT") else 0


class Ending:
    """What the kernel says about one child that is gone, or going."""

    def __init__(self, child_id, pid, status):
        self.child_id = child_id
        self.pid = pid
        code = os.waitstatus_to_exitcode(status)
        self.exit_code = code if code >= 0 else None
        self.signal = -code if code < 0 else None
        self.cpu_seconds = 0.0
        self.max_rss_bytes = 0
        self.leftovers = 0

    def add_usage(self, usage):
        self.cpu_seconds += usage.ru_utime + usage.ru_stime
        self.max_rss_bytes = max(self.max_rss_bytes, usage.ru_maxrss * 1024)


class Reaper:
    __slots__ = ("_running", "_dying", "_leftovers")

    def __init__(self):
        self._running = {}  # pid → child id
        self._dying = {}  # pid → Ending: reaped, but leftovers may remain
        self._leftovers = {}  # pid of a killed leftover → Ending it counts for

    @property
    def has_work(self):
        """True while something was killed that has not been seen to be gone."""
        return bool(self._dying)

    @property
    def is_empty(self):
        return not self._running and not self._dying

    def add(self, pid, child_id):
        """`child_id` is given back in the `Ending`; anything hashable will do."""
        self._running[pid] = child_id

    def has_child(self, child_id):
        return child_id in self._running.values()

    def kill(self, child_id):
        for pid, running in self._running.items():
            if running == child_id:
                return _kill_group(pid)

    def kill_all(self):
        for pid in self._running:
            _kill_group(pid)

    def collect(self):
        """Endings that are complete now: the child is reaped and no process of it is left."""
        self._reap()
        while self._dying:
            strangers = [pid for pid in process_tree.children_of_self() if pid not in self._running]
            for pid in strangers:
                self._kill_leftover(pid)
            if self._reap():
                continue
            if strangers:
                return []
            endings = list(self._dying.values())
            self._dying.clear()
            self._leftovers.clear()
            return endings
        return []

    def _reap(self):
        reaped = False
        while True:
            try:
                zombie = os.waitid(os.P_ALL, 0, _PEEK)
            except ChildProcessError:
                return reaped
            if zombie is None:
                return reaped
            pid = zombie.si_pid
            child_id = self._running.pop(pid, None)
            if child_id is not None:
                _kill_group(pid)
            _, status, usage = os.wait4(pid, 0)
            reaped = True
            if child_id is not None:
                ending = self._dying[pid] = Ending(child_id, pid, status)
                ending.add_usage(usage)
            elif (owner := self._leftovers.get(pid) or self._any_dying()) is not None:
                owner.add_usage(usage)

    def _kill_leftover(self, pid):
        stat = process_tree.read_stat(pid)
        if stat is not None and stat[2] != "Z" and pid not in self._leftovers:
            # With several children dying at once the session says whose it was, unless it made its own.
            owner = self._dying.get(stat[1]) or self._any_dying()
            owner.leftovers += 1
            self._leftovers[pid] = owner
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _any_dying(self):
        return next(iter(self._dying.values()), None)


def _kill_group(pid):
    """The child, and its group once it has one (for an instant after the fork it is still in the template's)."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
