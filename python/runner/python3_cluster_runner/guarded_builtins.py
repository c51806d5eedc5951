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
_SAFE = {
    name: value
    for name, value in vars(builtins).items()
    if (name in _KEPT_DUNDERS or not name.startswith("__"))
    and name not in _DROPPED
    and name not in REFUSED_BUILTINS
}


def create(policy):
    names = dict(_SAFE if policy.is_restricted else vars(builtins))
    if policy.is_restricted:
        for name in REFUSED_BUILTINS:
            names[name] = _refused(policy, name)
        names.update(_guarded_attribute_functions(policy))
    names["__import__"] = _guarded_import(policy)
    return names


def import_for_call(policy, name):
    """The module of a `call`, as user code would get it."""
    refusal = policy.call_refusal(name)
    if refusal is not None:
        raise refusal
    if policy.is_restricted and name == "io":
        return guarded_io.module
    return importlib.import_module(name)


def get_for_call(policy, holder, name):
    return _guarded_attribute_functions(policy)["getattr"](holder, name) if policy.is_restricted else getattr(holder, name)


def _guarded_import(policy):
    import_module = builtins.__import__

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 or policy.is_restricted:
            refusal = policy.module_refusal("." * level + name, "Import from" if fromlist else "Import of")
            if refusal is not None:
                raise refusal
        if policy.is_restricted and name == "io":
            return guarded_io.module
        module = import_module(name, globals, locals, fromlist, level)
        if policy.is_restricted:
            for item in fromlist or ():
                _refuse_foreign_module(policy, getattr(module, item, None))
        elif name.partition(".")[0] == "importlib":
            _guard_import_module(policy)
        return module

    return __import__


def _refuse_foreign_module(policy, value):
    if isinstance(value, ModuleType):
        refusal = policy.module_refusal(value.__name__)
        if refusal is not None:
            raise refusal


def _guard_import_module(policy):
    """`importlib.import_module` is shared with every library, so here the caller's file tells user code apart."""
    original = importlib.import_module
    if getattr(original, "is_guarded", False):
        return

    def import_module(name, package=None):
        if sys._getframe(1).f_code.co_filename == USER_FILE:
            refusal = policy.module_refusal(name)
            if refusal is not None:
                raise refusal
        return original(name, package)

    import_module.is_guarded = True
    importlib.import_module = import_module


def _refused(policy, name):
    """A program that binds the name in one scope and means the builtin in another finds out here."""

    def refuse(*_args, **_kwargs):
        raise policy.builtin_refusal(name)

    return refuse


def _guarded_attribute_functions(policy):
    def check(name):
        if isinstance(name, str):
            refusal = policy.attribute_refusal(str.__str__(name))
            if refusal is not None:
                raise refusal

    def guarded_getattr(object, name, default=_missing, /):
        check(name)
        value = getattr(object, name) if default is _missing else getattr(object, name, default)
        _refuse_foreign_module(policy, value)
        return value

    def guarded_hasattr(object, name, /):
        check(name)
        return hasattr(object, name)

    def guarded_setattr(object, name, value, /):
        check(name)
        setattr(object, name, value)

    def guarded_delattr(object, name, /):
        check(name)
        delattr(object, name)

    def guarded_dir(*objects):
        names = dir(*objects) if objects else sorted(sys._getframe(1).f_locals)
        return [name for name in names if policy.attribute_refusal(name) is None]

    guards = {
        "getattr": guarded_getattr,
        "hasattr": guarded_hasattr,
        "setattr": guarded_setattr,
        "delattr": guarded_delattr,
        "dir": guarded_dir,
    }
    for name, guard in guards.items():
        guard.__name__ = guard.__qualname__ = name
    return guards
