"""A word on files that are there, and not for the program: what ADMIN code is shown is a setting.

A sandbox does not tell the two apart either: outside of its view a file is not there, or may not be opened.
"""

import errno
import os

_HIDDEN = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS)
_HINT = (
    "\nIf it is there: ADMIN code is shown the system's programs and libraries, its own folder, and what the settings "
    "PYTHON3_ADMIN_READ_PATHS and PYTHON3_ADMIN_WRITE_PATHS of the worker nodes name."
)


def hint(error):
    """To be put behind the error's message; empty where it has nothing to do with that."""
    if not isinstance(error, OSError) or error.errno not in _HIDDEN:
        return ""
    path = error.filename
    if not isinstance(path, (str, bytes)) or not os.path.isabs(path):
        return ""
    path = os.fsdecode(path)
    folder = os.environ.get("HOME", "/")
    return "" if os.path.commonpath((path, folder)) == folder else _HINT
