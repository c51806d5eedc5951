"""Functions of the standard library that take names of attributes, or texts of programs, from their caller.

As they are they would read for restricted code what `getattr` and `eval` refuse it. Two ways to guard them: the view of a
module shows another function (REPLACED), or the module itself finds a guarded function among its globals before it finds
Python's builtin (SHADOWS). Both happen when a view is made, so only in processes of restricted mode.
"""

import builtins
import functools
import importlib
import operator
import sys
from types import ModuleType

from . import format_strings, guarded_streams, module_views, policy
from .attribute_guards import check, guarded_getattr

RESTRICTED_BUILTINS = {}  # filled by guarded_builtins

_ONLY_AST = 0x400
_real_eval, _real_exec, _real_setattr = eval, exec, setattr
_attrgetter, _methodcaller = operator.attrgetter, operator.methodcaller
_singledispatch, _singledispatchmethod = functools.singledispatch, functools.singledispatchmethod
_in_force, _hand_out = policy.in_force, module_views.hand_out
_PACKAGE = __name__.partition(".")[0]
_missing = object()


# operator: reads attributes by name.


def attrgetter(attribute, /, *attributes):
    """As operator.attrgetter; the names are checked when it is made."""
    names = [_checked_path(name) for name in (attribute, *attributes)]
    if not any(part in format_strings.METHODS for name in names for part in name.split(".")):
        return _attrgetter(*names)

    def get(object, /):
        found = tuple(functools.reduce(guarded_getattr, name.split("."), object) for name in names)
        return found[0] if len(found) == 1 else found

    return get


def methodcaller(name, /, *args, **kwargs):
    """As operator.methodcaller; the name is checked when it is made."""
    name = _checked_path(name)
    if name not in format_strings.METHODS:
        return _methodcaller(name, *args, **kwargs)
    return lambda object, /: guarded_getattr(object, name)(*args, **kwargs)


def _checked_path(name):
    if not isinstance(name, str):
        raise TypeError("attribute name must be a string")
    name = str.__str__(name)
    for part in name.split("."):
        check(part)
    return name


# functools: copies attributes whose names it is given; reads annotations by way of typing.


def _functools_getattr(object, name, default=_missing):
    if name == "__dict__" and isinstance(object, (type, ModuleType)):
        return {key: value for key, value in object.__dict__.items() if not key.startswith("_")}
    if name not in _WRAPPER_NAMES:
        check(name)
    return getattr(object, name) if default is _missing else getattr(object, name, default)


_WRAPPER_NAMES = {*functools.WRAPPER_ASSIGNMENTS, "__dict__", "__isabstractmethod__", "__wrapped__", "__mro__"}


def singledispatch(func):
    """As functools.singledispatch, with typing guarded before it reads annotations."""
    _guard_typing()
    return _singledispatch(func)


class singledispatchmethod(_singledispatchmethod):
    __doc__ = _singledispatchmethod.__doc__

    def __init__(self, func):
        _guard_typing()
        super().__init__(func)


def _guard_typing():
    for name in ("typing", "annotationlib") if sys.version_info >= (3, 14) else ("typing",):
        module_views.guard(importlib.import_module(name), name)


# contextlib: its redirections read and write the attribute of `sys` that a subclass names.


def _contextlib_getattr(object, name, default=_missing):
    if object is sys:
        return guarded_streams.shown(getattr(sys, _checked_stream(name)))
    return getattr(object, name) if default is _missing else getattr(object, name, default)


def _contextlib_setattr(object, name, value):
    if object is sys:
        name, value = _checked_stream(name), guarded_streams.real(value)
    _real_setattr(object, name, value)


def _checked_stream(name):
    if name not in ("stdout", "stderr", "stdin"):
        raise _in_force().module_attribute_refusal("sys", name)
    return name


# typing: evaluates annotations that are texts, among the globals of the module that a class says it is from.


def _typing_eval(code, globals=None, locals=None):
    if isinstance(code, str):
        code = compile(code, "<string>", "eval")
    rules = _in_force()
    scope = {"__builtins__": RESTRICTED_BUILTINS}
    for name in _names_in(code):
        refusal = rules.attribute_refusal(name) or rules.builtin_refusal(name)
        if refusal is not None:
            raise refusal
        for table in (globals, locals):
            if table is not None and name in table:
                if _is_ours(table):
                    raise rules.text_refusal(name)
                scope[name] = _hand_out(table[name])
    return _real_eval(code, scope)


def _is_ours(table):
    """Globals of the runner: functions like the guarded `getattr` lead there, and to the policy in force."""
    name = table.get("__name__")
    return isinstance(name, str) and name.partition(".")[0] == _PACKAGE


def _names_in(code):
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from _names_in(constant)


# dataclasses: writes a program around the names of fields, and runs it among the globals of the class's module.


def _dataclasses_exec(text, globals=None, locals=None):
    import ast

    _refuse_foreign_parts(list(ast.walk(compile(text, "<string>", "exec", _ONLY_AST))), ast)
    _real_exec(text, globals, locals)


def _refuse_foreign_parts(nodes, ast):
    """Raises SecurityError if there is more in the text than dataclasses writes itself."""
    bound = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    aliases = 0  # of the module `builtins`, which some versions of dataclasses pass in
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            raise _in_force().text_refusal("import")
        if isinstance(node, ast.Attribute):
            if node.attr not in _DATACLASS_ATTRIBUTES:
                check(node.attr)
            aliases -= node.attr == "object" and isinstance(node.value, ast.Name) and node.value.id == "BUILTINS"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            aliases += node.id == "BUILTINS"
            if node.id not in bound and (node.id in policy.REFUSED_BUILTINS or not hasattr(builtins, node.id)):
                raise _in_force().text_refusal(node.id)
    if aliases:
        raise _in_force().text_refusal("BUILTINS")


_DATACLASS_ATTRIBUTES = ("__class__", "__qualname__")


def _dataclasses_setattr(object, name, value):
    if name == "__match_args__":
        for field in value:
            check(field)
    _real_setattr(object, name, value)


# enum: writes members into the globals of the module that a class says it is from; `builtins` is one.


def global_enum(cls, update_str=False):
    raise _in_force().module_attribute_refusal("enum", "global_enum")


module_views.REPLACED.update(
    enum={"global_enum": global_enum},
    operator={"attrgetter": attrgetter, "methodcaller": methodcaller},
    functools={"singledispatch": singledispatch, "singledispatchmethod": singledispatchmethod},
)
module_views.SHADOWS.update(
    functools={"getattr": _functools_getattr},
    contextlib={"getattr": _contextlib_getattr, "setattr": _contextlib_setattr},
    string={"getattr": guarded_getattr},
    ast={"getattr": guarded_getattr},  # of the names in `_fields`, which any object may have
    typing={"eval": _typing_eval},
    annotationlib={"eval": _typing_eval},
    dataclasses={"exec": _dataclasses_exec, "setattr": _dataclasses_setattr},
)
