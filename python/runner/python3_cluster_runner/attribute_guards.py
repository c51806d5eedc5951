"""`getattr` and its like for restricted code: the same names are refused as after a dot."""

import sys

from . import format_strings, module_views, own_attributes, policy

_in_force, _hand_out = policy.in_force, module_views.hand_out
_exact = str.__str__  # of a subclass of str, what it holds, not what it says
_missing = object()


def check(name):
    """Raises SecurityError for a name that may not follow a dot."""
    if isinstance(name, str):
        refusal = _in_force().attribute_refusal(_exact(name))
        if refusal is not None:
            raise refusal


def check_change(name):
    """The same for a name that is to be set or deleted."""
    if isinstance(name, str):
        refusal = _in_force().change_refusal(_exact(name))
        if refusal is not None:
            raise refusal


def _is_dict(name):
    return isinstance(name, str) and _exact(name) == "__dict__"


def guarded_getattr(object, name, default=_missing, /):
    if _is_dict(name):
        return own_attributes.holder(object).__dict__ if default is _missing or hasattr(object, "__dict__") else default
    check(name)
    value = getattr(object, name) if default is _missing else getattr(object, name, default)
    if name in format_strings.METHODS:
        value = format_strings.guarded(value, check)
    return _hand_out(value)


def guarded_hasattr(object, name, /):
    if not _is_dict(name):
        check(name)
    return hasattr(object, name)


def guarded_setattr(object, name, value, /):
    check_change(name)
    setattr(object, name, value)


def guarded_delattr(object, name, /):
    check_change(name)
    delattr(object, name)


def guarded_dir(*objects):
    names = dir(*objects) if objects else sorted(sys._getframe(1).f_locals)
    rules = _in_force()
    return [name for name in names if rules.attribute_refusal(name) is None]


def format_holder(value):
    """What policy_syntax puts before `.format` and `.format_map`: an object whose methods of that name may be called."""
    if isinstance(value, str):
        for name in format_strings.attributes(_exact(value)):
            check(name)
        return value
    if isinstance(value, super) or isinstance(value, type) and issubclass(value, str):
        return _Holder(value)
    return value


class _Holder:
    __slots__ = format_strings.METHODS

    def __init__(self, value):
        for name in format_strings.METHODS:
            method = getattr(value, name, _missing)
            if method is not _missing:
                setattr(self, name, format_strings.guarded(method, check))
