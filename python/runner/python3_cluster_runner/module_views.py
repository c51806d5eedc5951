"""Modules as restricted code sees them: a view holds a module's public names, and no module.

Every module of the standard library leads to others: `random._os`, `json.codecs`, `statistics.sys`. A list of such names is
never complete, so restricted code is not given modules at all. It gets a module object of its own per module, with what
that module offers under public names. Other modules among them are looked up when asked for, under the policy: a submodule
or an allowed module is answered by its own view, any other refused. However the attribute is asked for (a dot, `getattr`, a
format string, a class pattern, `from … import`), Python asks the view.

    import json ─▶ view of json ──.dumps──▶ the function
                        ├────────.decoder─▶ view of json.decoder
                        └────────.codecs──▶ SecurityError

Private names (`uuid._get_command_stdout`) are refused too: nothing promises what they do. Of some modules only chosen names
are shown (`curated_modules`). Patching a view patches nothing that the standard library, or the runner, uses.
"""

import sys
from types import ModuleType

from . import curated_modules, policy

# Filled by guarded_library, by module: what the view shows instead; what the module itself finds before the builtins; what
# else is to be done before restricted code can call anything of it; another type of view.
REPLACED = {}
SHADOWS = {}
PREPARATIONS = {}
VIEW_TYPES = {}

_Module, _modules, _in_force = ModuleType, sys.modules, policy.in_force
_missing = object()
_views = {}  # by name; the template makes those of its preload
_view_ids = set()


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
    prepare = PREPARATIONS.get(name)
    if prepare is not None:
        prepare(module)


def _name_of(module):
    """The name it was imported by, whatever it says that its name is."""
    name = module.__dict__.get("__name__")
    if type(name) is str and _modules.get(name) is module:
        return name
    return next((known for known, other in list(_modules.items()) if other is module), None)


def _create_view(module, name):
    guard(module, name)
    view = VIEW_TYPES.get(name, ModuleType)(name)
    shown = view.__dict__
    del shown["__loader__"], shown["__spec__"], shown["__package__"]
    names = curated_modules.NAMES.get(name)
    shadows = SHADOWS.get(name, ())
    for attribute, value in module.__dict__.items():
        if isinstance(value, ModuleType) or attribute in shadows or isinstance(getattr(type(view), attribute, None), property):
            continue
        if _is_listed(attribute, names):
            shown[attribute] = value
    shown.update(REPLACED.get(name, ()))

    def find(attribute):
        """What the view does not hold (PEP 562). A closure: of other callables user code could read the attributes."""
        if attribute in shadows:
            value = _modules.get(attribute, _missing)  # what stands there is for the module alone
        else:
            value = getattr(module, attribute, _missing)
        if value is _missing:
            value = _modules.get(f"{name}.{attribute}", _missing)
        if value is _missing or policy.is_dunder(attribute) and not is_shown(attribute):
            raise AttributeError(f"module '{name}' has no attribute '{attribute}'", name=attribute, obj=view)
        if names is not None and not isinstance(value, ModuleType):
            raise _in_force().module_attribute_refusal(name, attribute)
        value = hand_out(value)
        if not is_shown(attribute):
            raise _in_force().private_refusal(name, attribute)
        return value

    shown["__getattr__"] = find
    return view


def _is_listed(attribute, names):
    return is_shown(attribute) and (names is None or attribute in names or attribute == "__doc__")


def is_shown(attribute):
    if not attribute.startswith("_"):
        return True
    return policy.is_dunder(attribute) and attribute in policy.ALLOWED_DUNDERS and attribute != "__getattr__"
