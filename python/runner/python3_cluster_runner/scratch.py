"""The scratch folder of a workspace between two of its children: whether it is empty, and how it becomes so.

Nobody privileged does this, and never while a process lives that could change the folder: a template has it done by a
process of the workspace's own user, and a kept child does it to its own.
"""

import os

_listdir, _chdir, _lstat, _unlink, _rmdir, _chmod = os.listdir, os.chdir, os.lstat, os.unlink, os.rmdir, os.chmod
_statvfs, _stat = os.statvfs, os.stat
_FORMAT, _FOLDER, _ALL_MODES, _OWN_MODES = 0o170000, 0o040000, 0o7777, 0o700


def is_pristine(path, mode):
    """Whether nothing is in a file system of its own, names or not, and it is as it was mounted."""
    usage = _statvfs(path)
    return usage.f_files - usage.f_ffree == 1 and _stat(path).st_mode & _ALL_MODES == mode


def empty(path, mode=None):
    """Remove all below a folder and be in it afterwards. Raises OSError where something will not go.

    By way of the current folder, so that no name is too long and no nesting too deep for it. Links are removed.
    """
    if mode is not None:
        _chmod(path, mode)
    _chdir(path)
    left = [_listdir(b".")]  # names still to go, for each folder on the way down
    while True:
        if not left[-1]:
            left.pop()
            if not left:
                return
            _chdir("..")
            _rmdir(left[-1].pop())
            continue
        name = left[-1][-1]
        found = _lstat(name).st_mode
        if found & _FORMAT != _FOLDER:
            _unlink(left[-1].pop())
            continue
        if found & _OWN_MODES != _OWN_MODES:
            _chmod(name, _OWN_MODES)
        _chdir(name)
        left.append(_listdir(b"."))
