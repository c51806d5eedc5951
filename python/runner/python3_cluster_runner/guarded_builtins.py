"""The `__builtins__` of user code.

It is a copy, so that only code running with the caller's globals meets the guards: `import pandas` may import threading
for itself, the standard library keeps its own `open`. In admin mode the one difference to Python's is `__import__`.
"""

import builtins
import importlib
import sys
from types import ModuleType

from . import guarded_io
from .policy import REFUSED_BUILTINS
from .tracebacks import USER_FILE

_KEPT_DUNDERS = ("__build_class__", "__name__", "__doc__")
_DROPPED = ("exit", "quit", "copyright", "credits", "license")  # the site module's, for people at a prompt
_missing = object()
_real_import = builtins.__import__
_policy = None  # of the one job of this process


def _refused(name):
    """A program that binds the name in one scope and means the builtin in another finds out here."""

    def refuse(*_args, **_kwargs):
        raise _policy.builtin_refusal(name)

    return refuse


def use(policy):
    """The `__builtins__` for code under this policy. Made in the template: a copy would cost each child 0.2 ms."""
    global _policy
    _policy = policy
    return _RESTRICTED if policy.is_restricted else _ADMIN


def tables():
    """The dicts that code under either policy finds its builtins in, and could change."""
    return _RESTRICTED, _ADMIN, vars(builtins)


def import_for_call(name):
    """The module of a `call`, as user code would get it."""
    refusal = _policy.call_refusal(name)
    if refusal is not None:
        raise refusal
    if _policy.is_restricted and name == "io":
        return guarded_io.module
    return importlib.import_module(name)


def get_for_call(holder, name):
    return _guarded_getattr(holder, name) if _policy.is_restricted else getattr(holder, name)


def _guarded_import(name, globals=None, locals=None, fromlist=(), level=0):
    if type(fromlist) is list and not fromlist and globals is locals and globals is not None:
        # C code at work for the user's frame (PyImport_Import): strptime wants _strptime, pickle wants builtins.
        return _real_import(name, globals, locals, fromlist, level)
    policy = _policy
    if level == 0 or policy.is_restricted:
        refusal = policy.module_refusal("." * level + name, "Import from" if fromlist else "Import of")
        if refusal is not None:
            raise refusal
    if policy.is_restricted and name == "io":
        return guarded_io.module
    module = _real_import(name, globals, locals, fromlist, level)
    if policy.is_restricted:
        for item in fromlist or ():
            _refuse_foreign_module(getattr(module, item, None))
    elif name.partition(".")[0] == "importlib":
        importlib.import_module = _guarded_import_module
    return module


def _guarded_import_module(name, package=None):
    """`importlib.import_module` is shared with every library, so here the caller's file tells user code apart."""
    if sys._getframe(1).f_code.co_filename == USER_FILE:
        refusal = _policy.module_refusal(name)
        if refusal is not None:
            raise refusal
    return _real_import_module(name, package)


_real_import_module = importlib.import_module


def _refuse_foreign_module(value):
    if isinstance(value, ModuleType):
        refusal = _policy.module_refusal(value.__name__)
        if refusal is not None:
            raise refusal


def _check_attribute(name):
    if isinstance(name, str):
        refusal = _policy.attribute_refusal(str.__str__(name))
        if refusal is not None:
            raise refusal


def _guarded_getattr(object, name, default=_missing, /):
    _check_attribute(name)
    value = getattr(object, name) if default is _missing else getattr(object, name, default)
    _refuse_foreign_module(value)
    return value


def _guarded_hasattr(object, name, /):
    _check_attribute(name)
    return hasattr(object, name)


def _guarded_setattr(object, name, value, /):
    _check_attribute(name)
    setattr(object, name, value)


def _guarded_delattr(object, name, /):
    _check_attribute(name)
    delattr(object, name)


def _guarded_dir(*objects):
    names = dir(*objects) if objects else sorted(sys._getframe(1).f_locals)
    return [name for name in names if _policy.attribute_refusal(name) is None]


_ADMIN = {**vars(builtins), "__import__": _guarded_import}
_RESTRICTED = {
    name: value
    for name, value in vars(builtins).items()
    if (name in _KEPT_DUNDERS or not name.startswith("__")) and name not in _DROPPED
}
_RESTRICTED.update({name: _refused(name) for name in REFUSED_BUILTINS})
_RESTRICTED.update(
    __import__=_guarded_import,
    getattr=_guarded_getattr,
    hasattr=_guarded_hasattr,
    setattr=_guarded_setattr,
    delattr=_guarded_delattr,
    dir=_guarded_dir,
)
