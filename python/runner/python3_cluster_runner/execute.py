"""Runs the caller's code: one dict as globals and locals, as the `__main__` of a process of its own."""

import sys
from types import ModuleType
from weakref import ref

from . import check_syntax, guarded_builtins, policy_syntax, tracebacks, user_spans
from .tracebacks import USER_FILE

_ONLY_AST = 0x400  # ast.PyCF_ONLY_AST
_PROGRAMS_MAX = 16
_LEVELS_PER_FRAME = 3  # COMPILER_STACK_FRAME_SCALE
_get_recursion_limit, _set_recursion_limit = sys.getrecursionlimit, sys.setrecursionlimit
# What the runner's frames take is added, so that a program has as much as in plain Python. To count them, a dozen,
# would cost a fresh child ten pages.
_RECURSION_LIMIT = sys.getrecursionlimit() + 24

# Compile cache of a kept child, as the next call is usually the same program. The key is all that the check and
# the compiler look at, except the policy: a change of policy empties the cache.
_programs = None

_compiled = user_spans.compiled


def remember_programs():
    """To be called by a kept child, before its first call and whenever its policy is another."""
    global _programs
    _programs = {}


def create_namespace(policy, variables):
    """The globals of a fresh `__main__`, which pickle, dataclasses, enum and inspect look up by name."""
    module = ModuleType("__main__")
    namespace = module.__dict__
    namespace.update(variables)
    namespace["__builtins__"] = guarded_builtins.use(policy)
    namespace["__loader__"] = _Loader()
    namespace["__file__"] = USER_FILE  # where `inspect` finds the source, by way of `linecache`
    sys.modules["__main__"] = module
    return namespace


class _Loader:
    """Lives as long as the globals do, which cannot be referred to weakly themselves."""

    __slots__ = ("__weakref__",)


def loader_of(namespace):
    return ref(namespace["__loader__"])


def no_loader():
    """For a program that never had globals."""
    return None


def run(kind, request, policy, namespace):
    """Returns `(has_value, value)`; whatever the code raises goes through, except a clean `sys.exit()`."""
    _set_recursion_limit(_RECURSION_LIMIT)
    if kind == "check":
        return True, {"errors": check_syntax.find_errors(request["code"])}
    if kind == "exec":
        code = _compile(request["code"], "exec", request, policy)
        _compiled()
        _run_until_exit(exec, code, namespace)
        return "result" in namespace, namespace.get("result")
    if kind == "eval":
        code = _compile(_strip(request["expression"]), "eval", request, policy)
        _compiled()
        return _run_until_exit(eval, code, namespace)
    _compiled(False)
    return _run_until_exit(_call, request)


def _run_until_exit(function, *arguments):
    try:
        return True, function(*arguments)
    except SystemExit as stop:
        if stop.code is None or (isinstance(stop.code, int) and stop.code == 0):
            return False, None
        raise


def _compile(source, form, request, policy):
    tracebacks.register_source(source)
    if _programs is not None:
        return _recall_or_compile(source, form, request, policy)
    if policy_syntax.is_plainly_harmless(source, policy):
        return compile(source, USER_FILE, form, dont_inherit=True)
    return _check_and_compile(source, form, request, policy)


def _check_and_compile(source, form, request, policy):
    tree = compile(source, USER_FILE, form, _ONLY_AST, dont_inherit=True)
    policy_syntax.check(tree, policy, request["variables"])
    # On its way back from the tree the compiler counts each level as a frame, and allows a third of what it allows a source.
    # Deeper than a source may be the tree cannot be, so the stack has room for it.
    limit = _get_recursion_limit()
    _set_recursion_limit(limit * (_LEVELS_PER_FRAME + 1))
    try:
        return compile(tree, USER_FILE, form, dont_inherit=True)
    finally:
        _set_recursion_limit(limit)


def _recall_or_compile(source, form, request, policy):
    key = (source, form, *request["variables"])
    code = _programs.get(key)
    if code is None:
        code = _check_and_compile(source, form, request, policy)
        if len(_programs) >= _PROGRAMS_MAX:
            _programs.clear()
        _programs[key] = code
    return code


def _strip(expression):
    """An expression may stand between blank lines, but keeps its line number."""
    body = expression.lstrip()
    lines_before = expression[: len(expression) - len(body)].count("\n")
    return "\n" * lines_before + body.rstrip()


def _call(request):
    target = guarded_builtins.import_for_call(request["module"])
    for name in request["function"].split("."):
        target = guarded_builtins.get_for_call(target, name)
    return target(*request["args"], **request["kwargs"])
