"""Follows every attribute that restricted code may follow from the modules it may import, and says what it came to.

Run by itself, in a process of its own: making views guards the standard library of the process.
Prints JSON: `{"objects": count, "found": [path, ...]}`, where `found` leads to what must not be reachable.
"""

import builtins
import functools
import gc
import importlib
import io
import json
import operator
import posix
import sys
import types

from runner_under_test import BLOCKED_MODULES, RESTRICTED_MODULES
from python3_cluster_runner import attribute_guards, guarded_builtins, module_views, policy, user_spans

user_spans.offer()

OBJECTS_MAX = 60_000
HARMLESS = ("urandom", "fspath", "DirEntry", "_exit") + tuple(name for name in dir(posix) if name.startswith("__"))
LEAVES = (
    types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, types.WrapperDescriptorType, types.FunctionType,
    types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType,
)  # fmt: skip


def is_capability(value):
    """A module as it is, or what opens files, runs texts, reads attributes unseen, or makes functions from code."""
    if isinstance(value, types.ModuleType):
        return id(value) not in module_views._view_ids
    return any(value is known for known in CAPABILITIES)


CAPABILITIES = [
    eval, exec, compile, open, input, globals, locals, vars, breakpoint, builtins.__import__, getattr, setattr, delattr,
    io.FileIO, io.open_code, types.CodeType, gc.get_objects, sys.modules, sys._getframe,
    importlib.import_module, operator.attrgetter, operator.methodcaller, functools.singledispatch,
]  # fmt: skip
CAPABILITIES += [value for name, value in vars(posix).items() if callable(value) and name not in HARMLESS]


def attributes_of(value):
    if isinstance(value, (str, bytes, int, float, complex, tuple, list, dict, set, frozenset)):
        return ()
    return dir(value)


def crawl():
    rules = policy.Policy("restricted", RESTRICTED_MODULES, BLOCKED_MODULES)
    guarded_builtins.use(rules)
    todo = []
    for name in RESTRICTED_MODULES:
        if name != "__future__":
            todo.append((name, guarded_builtins.import_for_call(name)))
    found, seen, kept = [], set(), []
    while todo and len(seen) < OBJECTS_MAX:
        path, value = todo.pop()
        for name in attributes_of(value):
            try:
                attribute_guards.check(name)
                reached = getattr(value, name)  # as a dot does
            except Exception:
                continue
            if not isinstance(reached, LEAVES):  # those are made anew each time
                if id(reached) in seen:
                    continue
                seen.add(id(reached))
                kept.append(reached)  # so that no other object gets its id
            if is_capability(reached):
                found.append(f"{path}.{name}")
            elif not isinstance(reached, LEAVES):
                todo.append((f"{path}.{name}", reached))
    return {"objects": len(seen), "found": sorted(found)}


if __name__ == "__main__":
    print(json.dumps(crawl()))
