"""Modules as restricted code sees them: a view holds a module's public names, and no module.

Every module of the standard library leads to others: `random._os`, `json.codecs`, `statistics.sys`. A list of such names is
never complete, so restricted code is not given modules at all. It gets a module object of its own per module, with what
that module offers under public names. Other modules among them are looked up when asked for, under the policy: a submodule
or an allowed module is answered by its own view, any other refused. However the attribute is asked for (a dot, `getattr`, a
format string, a class pattern, `from … import`), Python asks the view.

    import json ─▶ view of json ──.dumps──▶ the function
                        ├────────.decoder─▶ view of json.decoder
                        └────────.codecs──▶ SecurityError

Private names (`uuid._get_command_stdout`) are refused too: nothing promises what they do. Patching a view patches nothing
that the standard library, or the runner, uses.
"""

import sys
from types import ModuleType

from . import guarded_io, policy

# Filled by guarded_library, by module: what the view shows instead; what the module itself finds before the builtins.
REPLACED = {}
SHADOWS = {}

_Module, _modules, _in_force = ModuleType, sys.modules, policy.in_force
_missing = object()
_views = {"io": guarded_io.module}  # by name; the template makes those of its preload
_view_ids = {id(guarded_io.module)}


def view_of(module, name):
    """The view of a module that the policy allows."""
    view = _views.get(name)
    if view is None:
        view = _views[name] = _create_view(module, name)
        _view_ids.add(id(view))
    return view


def hand_out(value):
    """`value`, or the view of it if it is a module; SecurityError if that module is not allowed."""
    if not isinstance(value, _Module) or id(value) in _view_ids:
        return value
    name = _name_of(value)
    if name is None:
        return value  # made by the program
    refusal = _in_force().module_refusal(name)
    if refusal is not None:
        raise refusal
    return view_of(value, name)


def guard(module, name):
    """Before restricted code can call anything of it."""
    module.__dict__.update(SHADOWS.get(name, ()))


def _name_of(module):
    """The name it was imported by, whatever it says that its name is."""
    name = module.__dict__.get("__name__")
    if type(name) is str and _modules.get(name) is module:
        return name
    return next((known for known, other in list(_modules.items()) if other is module), None)


def _create_view(module, name):
    guard(module, name)
    view = ModuleType(name)
    shown = view.__dict__
    del shown["__loader__"], shown["__spec__"], shown["__package__"]
    for attribute, value in module.__dict__.items():
        if _is_shown(attribute) and not isinstance(value, ModuleType):
            shown[attribute] = value
    shown.update(REPLACED.get(name, ()))

    def find(attribute):
        """What the view does not hold (PEP 562). A closure: of other callables user code could read the attributes."""
        value = getattr(module, attribute, _missing)
        if value is _missing:
            value = _modules.get(f"{name}.{attribute}", _missing)
        if value is _missing or policy.is_dunder(attribute) and not _is_shown(attribute):
            raise AttributeError(f"module '{name}' has no attribute '{attribute}'", name=attribute, obj=view)
        value = hand_out(value)
        if not _is_shown(attribute):
            raise _in_force().private_refusal(name, attribute)
        return value

    shown["__getattr__"] = find
    return view


def _is_shown(attribute):
    if not attribute.startswith("_"):
        return True
    return policy.is_dunder(attribute) and attribute in policy.ALLOWED_DUNDERS and attribute != "__getattr__"
