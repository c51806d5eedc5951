"""The end of modules that a program imported, as an interpreter that ends takes its modules down.

Only of those that are written in Python and were not there when the child was forked: what else they hold (an open file, an
object with a destructor, what a cache remembers) is let go. Extension modules stay, as they do where an interpreter ends; the
template's stay, since to take them down would take longer than most jobs.

Python's order: all are taken out of `sys.modules`, garbage is collected, and of those that somebody still holds the globals are
set to None, last imported first, private names before public ones.
"""

import gc
import sys
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import ModuleType
from weakref import ref

_modules, _collect, _ref = sys.modules, gc.collect, ref
_LOADERS = (SourceFileLoader, SourcelessFileLoader)
_of_template = frozenset()
_count, _last = 0, None


def note_template():
    """In the template, when it will import no more."""
    global _of_template, _count, _last
    _of_template = frozenset(_modules)
    _count, _last = len(_modules), next(name for name in reversed(_modules) if name != "__main__")


def are_new():
    """Whether a program may have imported any; `__main__` is gone by then. To look at each would cost pages for all of them."""
    return len(_modules) >= _count or next(reversed(_modules)) != _last


def take_down():
    """Raises what a destructor of the program's lets through: a signal's exception."""
    names = [name for name, module in _modules.items() if name not in _of_template and _is_written_in_python(name, module)]
    references = [_ref(_modules.pop(name)) for name in names]
    _collect()
    for reference in reversed(references):
        module = reference()
        if module is not None:
            clear(module.__dict__)
    _collect()


def clear(namespace):
    """As Python does it, whose destructors still find the builtins."""
    names = [name for name in namespace if name != "__builtins__"]
    for name in sorted(names, key=_is_public):
        namespace[name] = None


def _is_public(name):
    return not (type(name) is str and name.startswith("_") and not name.startswith("__"))


def _is_written_in_python(name, module):
    # Codecs stand in a table of the interpreter's, and streams that are still to be flushed use them.
    return (
        type(name) is str
        and type(module) is ModuleType
        and name.partition(".")[0] != "encodings"
        and type(getattr(module.__dict__.get("__spec__"), "loader", None)) in _LOADERS
    )
