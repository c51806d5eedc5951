"""Finds in a syntax tree what a policy refuses, before anything runs; the first refusal in the text is raised."""

import ast
import re
import sys
from types import ModuleType

from . import guarded_io
from .policy import INTERNALS, REFUSED_BUILTINS

try:
    from _string import formatter_parser
except ImportError:  # another implementation of Python: literal format strings go unchecked

    def formatter_parser(_text):
        return ()


_IMPORTING_CALLS = ("import_module", "__import__")

# Without one of these no refusal is possible: a dunder, even one spelled with escapes in a format string, an import, a
# builtin or internal name; or a letter that the parser might normalise into one of them (PEP 3131).
_WORTH_A_LOOK = re.compile(
    r"__|import|[^\x00-\x7f]|\\[xuUN0-7]|" + "|".join(sorted((REFUSED_BUILTINS - {"__import__"}) | INTERNALS))
).search


def is_plainly_harmless(source, policy):
    """True spares most programs the tree (0.3 ms in a fresh child). Never a reason to refuse: that needs the tree."""
    if policy.is_restricted:
        return _WORTH_A_LOOK(source) is None
    return source.isascii() and not policy.mentions_blocked_module(source)


def check(tree, policy, variables=()):
    """Raises the policy's SecurityError, with its line, if the program uses something refused.

    `variables` are names the caller passed: like the names a program binds itself, they are not the builtins.
    """
    finder = _Finder(policy, variables)
    finder.visit_all(tree)
    finder.raise_first()


class _Finder:
    def __init__(self, policy, variables):
        self._policy = policy
        self._found = []  # (line, column, SecurityError)
        self._bound = set(variables)
        self._builtin_uses = []
        self._modules = {}  # local name → module it was imported as
        self._rebound = set()  # names that are not, or not only, imports
        self._attributes = []
        handlers = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Call: self._call,
        }
        if policy.is_restricted:
            handlers |= {
                ast.Name: self._name,
                ast.Attribute: self._attribute,
                ast.FunctionDef: self._definition,
                ast.AsyncFunctionDef: self._definition,
                ast.ClassDef: self._definition,
                ast.ExceptHandler: self._definition,
                ast.MatchAs: self._definition,
                ast.MatchStar: self._definition,
                ast.MatchMapping: self._match_mapping,
                ast.MatchClass: self._match_class,
                ast.Global: self._declaration,
                ast.Nonlocal: self._declaration,
                ast.arg: self._argument,
            }
        self._handlers = handlers

    def visit_all(self, tree):
        """Not recursive: depth is the caller's to choose."""
        handlers = self._handlers
        stack = [tree]
        while stack:
            node = stack.pop()
            handler = handlers.get(type(node))
            if handler is not None:
                handler(node)
            for field in node._fields:
                value = getattr(node, field, None)
                if type(value) is list:
                    stack.extend(item for item in value if isinstance(item, ast.AST))
                elif isinstance(value, ast.AST) and value._fields:
                    stack.append(value)

    def raise_first(self):
        for node in self._builtin_uses:
            if node.id not in self._bound:
                self._refuse(node, self._policy.builtin_refusal(node.id))
        for node in self._attributes:
            self._module_attribute(node)
        if self._found:
            line, _, error = min(self._found, key=lambda found: found[:2])
            error.line = line
            raise error

    def _refuse(self, node, error):
        if error is not None:
            self._found.append((getattr(node, "lineno", 1), getattr(node, "col_offset", 0), error))

    def _bind(self, node, name):
        if name is not None:
            self._bound.add(name)
            self._refuse(node, self._policy.name_refusal(name))

    # Imports, in both modes.

    def _import(self, node):
        for alias in node.names:
            self._refuse(node, self._policy.module_refusal(alias.name))
            local = alias.asname or alias.name.partition(".")[0]
            self._bind(node, local)
            self._modules[local] = alias.name if alias.asname else local

    def _import_from(self, node):
        name = "." * node.level + (node.module or "")
        refusal = None
        if node.level == 0 or self._policy.is_restricted:
            refusal = self._policy.module_refusal(name, "Import from")
        self._refuse(node, refusal)
        for alias in node.names:
            self._bind(node, alias.asname or alias.name)
            if self._policy.is_restricted and refusal is None:
                self._refuse(node, self._policy.attribute_refusal(alias.name))
                if name == "io" and alias.name not in (*guarded_io.NAMES, "*"):
                    self._refuse(node, self._io_refusal(alias.name))

    def _call(self, node):
        """`importlib.import_module("x")` and `__import__("x")` with the name written out; the rest shows at run time."""
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", None)
        first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if name in _IMPORTING_CALLS and type(first) is str and not self._policy.is_restricted:
            self._refuse(node, self._policy.module_refusal(first))
        if (
            self._policy.is_restricted
            and name in ("format", "format_map")
            and isinstance(called, ast.Attribute)
            and isinstance(called.value, ast.Constant)
            and type(called.value.value) is str
        ):
            for field in _format_attributes(called.value.value):
                self._refuse(node, self._policy.attribute_refusal(field))

    # Names and attributes, in restricted mode.

    def _name(self, node):
        if isinstance(node.ctx, ast.Load):
            if node.id in REFUSED_BUILTINS:
                self._builtin_uses.append(node)
            else:
                self._refuse(node, self._policy.name_refusal(node.id))
        else:
            self._bind(node, node.id)
            self._rebound.add(node.id)

    def _attribute(self, node):
        self._refuse(node, self._policy.attribute_refusal(node.attr))
        self._attributes.append(node)

    def _module_attribute(self, node):
        """`random._os` is an import of os in other words, if `random` is nothing but that module here."""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._rebound or node.id not in self._modules:
            return
        name = self._modules[node.id]
        if name == "io":
            if path[-1] not in guarded_io.NAMES:
                self._refuse(node, self._io_refusal(path[-1]))
            return
        value = sys.modules.get(name)
        for part in reversed(path):
            value = vars(value).get(part) if value is not None else None
            if not isinstance(value, ModuleType):
                return
            self._refuse(node, self._policy.module_refusal(value.__name__))

    def _io_refusal(self, name):
        return self._policy.builtin_refusal(name) or self._policy.refusal(
            f"Use of attribute 'io.{name}' requires Administrator role"
        )

    def _definition(self, node):
        self._bind(node, node.name)
        self._rebound.add(node.name)

    def _argument(self, node):
        self._bind(node, node.arg)
        self._rebound.add(node.arg)

    def _declaration(self, node):
        for name in node.names:
            self._refuse(node, self._policy.name_refusal(name))

    def _match_mapping(self, node):
        self._bind(node, node.rest)

    def _match_class(self, node):
        for name in node.kwd_attrs:
            self._refuse(node, self._policy.attribute_refusal(name))


def _format_attributes(text):
    """Attribute names a format string reaches for: `'{0.__class__}'`."""
    try:
        for _, field, spec, _ in formatter_parser(text):
            if field:
                for part in field.replace("[", ".").split(".")[1:]:
                    yield part.rstrip("]")
            if spec:
                yield from _format_attributes(spec)
    except ValueError:
        return  # not a format string; str.format will say so
