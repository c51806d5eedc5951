"""`x.__dict__`, `vars(x)` and `x.mro` for restricted code.

Of an object it is the real dict, which programs fill and empty. Of a class, a module, or what stands for one, it is a
read-only copy of what may follow a dot: the real one holds descriptors like `type(f).__dict__["__globals__"]`, which read
what the dot refuses.
"""

from types import BuiltinMethodType, MappingProxyType, ModuleType, SimpleNamespace

from . import module_views, policy

_in_force = policy.in_force


def holder(value):
    """What policy_syntax puts before `.__dict__`: an object whose `__dict__` may be read."""
    names = value.__dict__  # AttributeError, in Python's own words, where there is none
    if type(names) is dict and not issubclass(type(value), (type, ModuleType)):
        return value
    return _Shown(MappingProxyType(dict(_shown(names, issubclass(type(value), ModuleType)))))


def guarded_vars(*objects):
    """As vars(x). Without an object it is locals(), which only the caller's frame has."""
    if not objects:
        raise _in_force().builtin_refusal("vars")
    try:
        (value,) = objects
        return holder(value).__dict__
    except (AttributeError, ValueError):
        raise TypeError("vars() argument must have __dict__ attribute") from None


def mro_holder(value):
    """The same before `.mro`: of a class it is refused, and everything else may have an attribute of that name."""
    found = value.mro
    if type(found) is BuiltinMethodType and isinstance(found.__self__, type):
        raise _in_force().attribute_refusal("mro")
    return SimpleNamespace(mro=found)


class _Shown:
    __slots__ = ("_names",)

    def __init__(self, names):
        self._names = names

    __dict__ = property(lambda self: self._names)


def _shown(names, is_module):
    rules = _in_force()
    for name, value in names.items():
        if type(name) is not str or rules.attribute_refusal(name) is not None:
            continue
        if is_module and not module_views.is_shown(name):
            continue
        try:
            yield name, module_views.hand_out(value)
        except policy.SecurityError:
            continue
