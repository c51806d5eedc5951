"""Imports whose refusal has to wait for the run: programs say what they do without the module, or may never come there.

    try: import numpy                if TYPE_CHECKING: import pandas         with suppress(ImportError): import numpy
    except ImportError: numpy = None if sys.platform == "win32": import winreg

Refused they are all the same, when they happen: by an error that is an ImportError too (`policy.RefusedImport`).
"""

import ast

STATEMENTS = (ast.Try, ast.If, ast.With)

_CATCHING = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_ABOUT_THE_INTERPRETER = frozenset(("TYPE_CHECKING", "version_info", "platform", "implementation", "hexversion"))
_OTHER_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def find(statement):
    """The import nodes that this statement makes late."""
    if isinstance(statement, ast.Try):
        if any(handler.type is None or _names_of(handler.type) & _CATCHING for handler in statement.handlers):
            yield from _imports_in(statement.body)
    elif isinstance(statement, ast.With):
        if any(_suppresses(item.context_expr) for item in statement.items):
            yield from _imports_in(statement.body)
    elif _names_of(statement.test) & _ABOUT_THE_INTERPRETER or _is_never(statement.test):
        yield from _imports_in(statement.body + statement.orelse)


def _suppresses(expression):
    return (
        isinstance(expression, ast.Call)
        and "suppress" in _names_of(expression.func)
        and any(_names_of(argument) & _CATCHING for argument in expression.args)
    )


def _is_never(test):
    return isinstance(test, ast.Constant) and not test.value


def _names_of(expression):
    """All names and attributes in it."""
    return {getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(expression)}


def _imports_in(statements):
    """Not those in functions, which run at another time."""
    todo = list(statements)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif not isinstance(node, _OTHER_SCOPES):
            todo.extend(ast.iter_child_nodes(node))
