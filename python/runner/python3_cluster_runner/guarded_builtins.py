"""The `__builtins__` of user code.

It is a copy, so that only code running with the caller's globals meets the guards: `import pandas` may import threading
for itself, the standard library keeps its own `open`. In admin mode the one difference to Python's is `__import__`.
"""

import builtins
import importlib
import sys

from . import (
    attribute_guards,
    guarded_effects,
    guarded_event_loop,
    guarded_library,
    guarded_modules,  # fills the tables of module_views
    guarded_streams,
    module_views,
    own_attributes,
    policy,
)
from .policy import DICT_HOLDER, FORMAT_HOLDER, MRO_HOLDER, REFUSED_BUILTINS
from .tracebacks import USER_FILE

_KEPT_DUNDERS = ("__build_class__", "__name__", "__doc__")
_DROPPED = ("copyright", "credits", "license")  # the site module's, for people at a prompt
_real_import = builtins.__import__
_real_import_module = importlib.import_module
_in_force = policy.in_force


def _refused(name):
    """A program that binds the name in one scope and means the builtin in another finds out here."""

    def refuse(*_args, **_kwargs):
        raise _in_force().builtin_refusal(name)

    return refuse


def _exit(code=None):
    """The site module's `exit` and `quit` close standard input as well."""
    raise SystemExit(code)


def use(rules):
    """The `__builtins__` for code under this policy. Made in the template: a copy would cost each child 0.2 ms."""
    policy.use(rules)
    if not rules.is_restricted:
        return _ADMIN
    guarded_streams.begin()
    guarded_effects.install()
    guarded_effects.begin(rules)
    return _RESTRICTED


def tables():
    """The dicts that code under either policy finds its builtins in, and could change."""
    return _RESTRICTED, _ADMIN, vars(builtins)


def import_for_call(name):
    """The module of a `call`, as user code would get it."""
    rules = _in_force()
    refusal = rules.call_refusal(name)
    if refusal is not None:
        raise refusal
    if not rules.is_restricted:
        return importlib.import_module(name)
    with guarded_effects.suspended():
        module = importlib.import_module(name)
    return module_views.view_of(module, name)


def get_for_call(holder, name):
    return attribute_guards.guarded_getattr(holder, name) if _in_force().is_restricted else getattr(holder, name)


def _guarded_import(name, globals=None, locals=None, fromlist=(), level=0):
    if type(fromlist) is list and not fromlist and globals is locals and globals is not None:
        # C code at work for the user's frame (PyImport_Import): strptime wants _strptime, pickle wants builtins.
        return _real_import(name, globals, locals, fromlist, level)
    rules = _in_force()
    if level == 0 or rules.is_restricted:
        refusal = rules.module_refusal("." * level + name, "Import from" if fromlist else "Import of")
        if refusal is not None:
            raise refusal
    if rules.is_restricted:
        return _import_view(name, fromlist)
    module = _real_import(name, globals, locals, fromlist, level)
    if name.partition(".")[0] == "importlib":
        importlib.import_module = _guarded_import_module
    return module


def _import_view(name, fromlist):
    with guarded_effects.suspended():
        if name == "asyncio":
            with guarded_event_loop.without_tls():
                module = _real_import(name, None, None, fromlist or ())
        else:
            module = _real_import(name, None, None, fromlist or ())
    if not fromlist:
        return module_views.view_of(module, name.partition(".")[0])
    view = module_views.view_of(module, name)
    for item in fromlist:
        # Said here: what Python does not find it would look for in sys.modules.
        if item != "*" and not hasattr(view, item):
            raise ImportError(f"cannot import name '{item}' from '{name}'", name=name)
    return view


def _guarded_import_module(name, package=None):
    """`importlib.import_module` is shared with every library, so here the caller's file tells user code apart."""
    if sys._getframe(1).f_code.co_filename == USER_FILE:
        refusal = _in_force().module_refusal(name)
        if refusal is not None:
            raise refusal
    return _real_import_module(name, package)


_ADMIN = {**vars(builtins), "__import__": _guarded_import}
_RESTRICTED = guarded_library.RESTRICTED_BUILTINS
_RESTRICTED.update(
    (name, value)
    for name, value in vars(builtins).items()
    if (name in _KEPT_DUNDERS or not name.startswith("__")) and name not in _DROPPED
)
_RESTRICTED.update({name: _refused(name) for name in REFUSED_BUILTINS})
_RESTRICTED.update(
    {
        "__import__": _guarded_import,
        "getattr": attribute_guards.guarded_getattr,
        "hasattr": attribute_guards.guarded_hasattr,
        "setattr": attribute_guards.guarded_setattr,
        "delattr": attribute_guards.guarded_delattr,
        "dir": attribute_guards.guarded_dir,
        "vars": own_attributes.guarded_vars,
        "exit": _exit,
        "quit": _exit,
        FORMAT_HOLDER: attribute_guards.format_holder,
        DICT_HOLDER: own_attributes.holder,
        MRO_HOLDER: own_attributes.mro_holder,
    }
)
