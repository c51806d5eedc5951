"""The surroundings of a job: working folder, environment variables, import path, `sys` as a fresh `python3` has it.

What is the same for every job is done once, in the template (`prepare`, before the preload); a child pays at its birth for
what is its own (`settle_in`), and with each job for what is the job's (`enter`).
"""

import os
import sys

from . import user_spans

RUNNER_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = __name__.partition(".")[0]

_environment, _modules, _change_folder = os.environ, sys.modules, os.chdir
_raw_environment, _put = os.environ._data, os.putenv
_FOLDERS = tuple(map(os.environ.encodekey, ("HOME", "TMPDIR")))

_VARIABLES = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    # The system knows no name of a slot's user, and `getpass.getuser` fails where it asks the system.
    "USER": "python3",
    "LOGNAME": "python3",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread per job: a BLAS pool per child would fight over the node's cores, and count as leftovers.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_KEPT = ("LD_LIBRARY_PATH", "TZ")  # what the worker gave the interpreter to run at all, and the plant's local time


def prepare():
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(_VARIABLES | kept)
    # User code finds no module of ours by name; what still runs holds its functions by reference.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != RUNNER_FOLDER]
    sys.path_importer_cache.pop(RUNNER_FOLDER, None)
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
    user_spans.offer()
    sys.argv[:] = [""]


def settle_in(scratch_path):
    _change_folder(scratch_path)
    # Past `os.environ`'s own functions, which would cost a child a dozen pages more.
    raw = scratch_path.encode("utf-8", "surrogateescape")
    for name in _FOLDERS:
        _put(name, raw)
        _raw_environment[name] = raw


def enter(traceparent):
    if traceparent is not None:
        _environment["TRACEPARENT"] = traceparent
    tempfile = _modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None  # else the template's folder, chosen before TMPDIR was known
