"""Finds in a syntax tree what a policy refuses, before anything runs; the first refusal in the text is raised."""

import ast
import importlib
import re
import sys
from types import ModuleType

from . import curated_modules, format_strings, guarded_effects, late_imports
from .policy import DEFINABLE, DICT_HOLDER, FORMAT_HOLDER, INTERNALS, MRO_HOLDER, REFUSED_BUILTINS

_IMPORTING_CALLS = ("import_module", "__import__")

# Without one of these no refusal is possible: a dunder, even one spelled with escapes in a format string, an import, a
# builtin or internal name; or a letter that the parser might normalise into one of them (PEP 3131).
_WORTH_A_LOOK = re.compile(
    r"__|import|[^\x00-\x7f]|\\[xuUN0-7]|" + "|".join(sorted((REFUSED_BUILTINS - {"__import__"}) | INTERNALS))
).search
# Of a string that is not written out there, the text is known at run time only. After `'.` and `".` it is, unless an
# f-string ends there.
_FORMATS_ANOTHER_STRING = re.compile(r"""(?<!['"]\.)\bformat|\b(?:[fF][rR]?|[rR][fF])['"]""").search


def is_plainly_harmless(source, policy):
    """True spares most programs the tree (0.3 ms in a fresh child). Never a reason to refuse: that needs the tree."""
    if policy.is_restricted:
        return _WORTH_A_LOOK(source) is None and ("format" not in source or _FORMATS_ANOTHER_STRING(source) is None)
    return source.isascii() and not policy.mentions_blocked_module(source)


def check(tree, policy, variables=()):
    """Raises the policy's SecurityError, with its line, if the program uses something refused.

    Where only the run can tell, in restricted mode, the tree is changed: `text.format` becomes `holder(text).format`, and
    `x.__dict__` becomes `holder(x).__dict__`. Imports of which only the run can tell (`late_imports`) are left to it.
    `variables` are names the caller passed: like the names a program binds itself, they are not the builtins.
    """
    finder = _Finder(policy, variables)
    finder.visit_all(tree)
    finder.raise_first()
    finder.put_holders()


class _Finder:
    def __init__(self, policy, variables):
        self._policy = policy
        self._found = []  # (line, column, SecurityError)
        self._bound = set(variables)
        self._builtin_uses = []
        self._modules = {}  # local name → module it was imported as
        self._rebound = set()  # names that are not, or not only, imports
        self._attributes = []
        self._holders = []
        self._exempt = set()  # nodes that stand where they do no harm
        self._late = set()  # imports that are judged when they happen
        handlers = {ast.Import: self._import, ast.ImportFrom: self._import_from}
        handlers |= dict.fromkeys(late_imports.STATEMENTS, self._put_off)
        if not policy.is_restricted:
            handlers[ast.Call] = self._call
        else:
            handlers |= {
                ast.Assign: self._assignment,
                ast.Name: self._name,
                ast.Attribute: self._attribute,
                ast.Call: self._vars,
                ast.FunctionDef: self._function,
                ast.AsyncFunctionDef: self._function,
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

    def put_holders(self):
        for node, holder in self._holders:
            node.value = holder

    def _refuse(self, node, error):
        if error is not None:
            self._found.append((getattr(node, "lineno", 1), getattr(node, "col_offset", 0), error))

    def _bind(self, node, name):
        if name is not None:
            self._bound.add(name)
            self._refuse(node, self._policy.name_refusal(name, binds=True))

    # Imports, in both modes.

    def _put_off(self, node):
        self._late.update(late_imports.find(node))

    def _import(self, node):
        for alias in node.names:
            local = alias.asname or alias.name.partition(".")[0]
            self._bind(node, local)
            refusal = self._policy.module_refusal(alias.name)
            if node not in self._late:
                self._refuse(node, refusal)
            elif refusal is not None:
                continue
            self._modules[local] = alias.name if alias.asname else local

    def _import_from(self, node):
        name = "." * node.level + (node.module or "")
        refusal = None
        if node not in self._late and (node.level == 0 or self._policy.is_restricted):
            refusal = self._policy.module_refusal(name, "Import from")
            self._refuse(node, refusal)
        for alias in node.names:
            self._bind(node, alias.asname or alias.name)
            if self._policy.is_restricted and refusal is None:
                self._refuse(node, self._policy.attribute_refusal(alias.name))
                if alias.name != "*" and node not in self._late:
                    self._curated(node, name, alias.name)

    def _curated(self, node, module, name):
        names = curated_modules.NAMES.get(module)
        if names is None or name in names or self._policy.module_refusal(module) is not None:
            return
        with guarded_effects.suspended():
            value = getattr(importlib.import_module(module), name, None)
        if value is not None and not isinstance(value, ModuleType):  # of what is not there the run tells
            self._refuse(node, self._policy.module_attribute_refusal(module, name))

    def _call(self, node):
        """`importlib.import_module("x")` and `__import__("x")` with the name written out; the rest shows at run time."""
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", None)
        first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if name in _IMPORTING_CALLS and type(first) is str:
            self._refuse(node, self._policy.module_refusal(first))

    # Names and attributes, in restricted mode.

    def _name(self, node):
        if isinstance(node.ctx, ast.Load):
            if node.id in REFUSED_BUILTINS:
                if node.id != "vars":
                    self._builtin_uses.append(node)
            else:
                self._refuse(node, self._policy.name_refusal(node.id))
        elif node not in self._exempt:
            self._bind(node, node.id)
            self._rebound.add(node.id)

    def _vars(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "vars" and not node.args and not node.keywords:
            self._builtin_uses.append(node.func)

    def _assignment(self, node):
        """`__match_args__` says which attributes a class pattern reads: with their names written out it may be set."""
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Name) and target.id == "__match_args__" and isinstance(value, (ast.Tuple, ast.List)):
            names = [getattr(item, "value", None) for item in value.elts]
            if all(type(name) is str and self._policy.attribute_refusal(name) is None for name in names):
                self._exempt.add(target)

    def _attribute(self, node):
        is_read = isinstance(node.ctx, ast.Load)
        self._attributes.append(node)
        if node.attr == "__dict__":
            self._hold(node, DICT_HOLDER)
            return
        if node.attr == "mro":
            if is_read:
                self._hold(node, MRO_HOLDER)
            return
        self._refuse(node, (self._policy.attribute_refusal if is_read else self._policy.change_refusal)(node.attr))
        if node.attr in format_strings.METHODS and is_read:
            self._format_method(node)

    def _format_method(self, node):
        if isinstance(node.value, ast.Constant):
            if type(node.value.value) is str:
                for name in format_strings.attributes(node.value.value):
                    self._refuse(node, self._policy.attribute_refusal(name))
            return
        self._hold(node, FORMAT_HOLDER)

    def _hold(self, node, name):
        holder = ast.Call(ast.Name(name, ast.Load()), [node.value], [])
        for new in (holder, holder.func):
            ast.copy_location(new, node.value)
        self._holders.append((node, holder))  # put in place when all has been looked at

    def _module_attribute(self, node):
        """`random._os` is an import of os in other words, if `random` is nothing but that module here."""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._rebound or node.id not in self._modules:
            return
        name = self._modules[node.id]
        if name in curated_modules.NAMES and path[-1] != "__dict__":
            self._curated(node, name, path[-1])
            return
        value = sys.modules.get(name)
        for part in reversed(path):
            value = vars(value).get(part) if value is not None else None
            if not isinstance(value, ModuleType):
                return
            self._refuse(node, self._policy.module_refusal(value.__name__))

    def _function(self, node):
        if node.name in DEFINABLE:
            self._bound.add(node.name)
        else:
            self._definition(node)

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
        for name, pattern in zip(node.kwd_attrs, node.kwd_patterns):
            self._refuse(node, self._policy.attribute_refusal(name))
            if name in format_strings.METHODS and any(getattr(part, "name", None) for part in ast.walk(pattern)):
                self._refuse(node, self._policy.pattern_refusal(name))
