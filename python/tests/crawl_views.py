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
from python3_cluster_runner import attribute_guards, execute, guarded_builtins, module_views, policy, user_spans

user_spans.offer()

OBJECTS_MAX = 60_000
STEPS_MAX = 8  # from a sample: some objects make new ones for ever (`path.parent`)
HARMLESS = ("urandom", "fspath", "DirEntry", "_exit", "error", "_path_normpath", "_path_splitroot_ex") + tuple(name for name in dir(posix) if name.startswith("__"))
LEAVES = (
    types.MethodType, types.BuiltinMethodType, types.MethodWrapperType, types.WrapperDescriptorType, types.FunctionType,
    types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType, types.ClassMethodDescriptorType,
)  # fmt: skip


# Objects of what programs make of these modules: instances hold what no class shows.
SAMPLES = """
import argparse, asyncio, pprint, bz2, codecs, configparser, contextvars, csv, graphlib, gzip, html.parser, http, io, ipaddress, logging, lzma
import pathlib, queue, sched, shlex, sys, time, traceback, types, urllib.parse, warnings, weakref, xml.dom.minidom, zlib
import contextlib, xml.etree.ElementTree as tree, xml.parsers.expat, xml.sax.saxutils
def contextlib_targets():
    redirection = contextlib.redirect_stdout(io.StringIO())
    with redirection: return redirection._old_targets[:]
class Own:
    def method(self): pass
own = Own()
async def wait(): await asyncio.sleep(0)
async def main():
    task = asyncio.create_task(wait())
    loop = asyncio.get_running_loop()
    kept.append([task, loop, loop.call_soon(print), loop.call_later(9, print), asyncio.Queue(), asyncio.Lock(), task.get_stack()])
    async with asyncio.timeout(9) if hasattr(asyncio, 'timeout') else asyncio.Lock() as t: kept.append(t)
    await task
kept = []
asyncio.run(main())
try: types.missing
except Exception as e: kept += [e, e.obj, e.__traceback__, traceback.TracebackException.from_exception(e), traceback.extract_tb(e.__traceback__)]
with warnings.catch_warnings(record=True) as log: warnings.warn('x')
logger = logging.getLogger('x')
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter('{message}', style='{'))
logger.addHandler(handler)
logger.manager.root.addHandler(logging.NullHandler())
parser = argparse.ArgumentParser(); parser.add_argument('--x')
result = kept + list(log) + [
    own, own.method, logger, handler, handler.formatter, handler.formatter._style, logger.makeRecord('x', 1, 'p', 2, 'm', (), None),
    logging.LoggerAdapter(logger, {}), parser, parser.parse_args([]), warnings.catch_warnings(),
    bz2.BZ2File(io.BytesIO()), gzip.GzipFile(fileobj=io.BytesIO()), lzma.LZMAFile(io.BytesIO()), codecs.lookup('utf-8'),
    codecs.getreader('utf-8')(io.BytesIO()), configparser.ConfigParser(), contextvars.copy_context(), csv.reader(['a']), csv.DictReader(['a']),
    csv.writer(io.StringIO()), graphlib.TopologicalSorter({}), html.parser.HTMLParser(), http.HTTPStatus.OK, ipaddress.ip_network('10.0.0.0/8'),
    pathlib.PurePath('a/b'), pathlib.PureWindowsPath('a/b'), pathlib.PurePath('a/b').parents, queue.Queue(), queue.SimpleQueue(),
    sched.scheduler(time.time, time.sleep), sched.scheduler(time.time).enter(1, 1, print), shlex.shlex('a b'), sys.stdout, sys.stderr,
    sys.stdout.buffer, sys.flags, sys.implementation, urllib.parse.urlsplit('http://a/b?c'), weakref.ref(own), weakref.proxy(own),
    weakref.WeakMethod(own.method), weakref.finalize(own, print), weakref.WeakValueDictionary(), weakref.WeakKeyDictionary(), weakref.WeakSet(),
    xml.dom.minidom.parseString('<a b="c"/>'), tree.fromstring('<a b="c"/>'), tree.ElementTree(tree.fromstring('<a/>')), tree.XMLParser(),
    tree.iterparse(io.StringIO('<a/>')), xml.parsers.expat.ParserCreate(), xml.sax.saxutils.XMLGenerator(io.StringIO()), zlib.compressobj(),
    pprint.PrettyPrinter(), shlex.shlex(), argparse.FileType('r')('-'), argparse.FileType('w')('-'), contextlib_targets(),
    vars(sys), vars(Own), own.__dict__, Own.__dict__, type(wait).__dict__, vars(weakref.proxy(type(wait))),
]
"""


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
    """Pairs of how it is written, and what it gives; what does not give anything is left out."""
    if isinstance(value, (str, bytes, int, float, complex)):
        return
    try:
        if isinstance(value, (dict, types.MappingProxyType)):
            for key in list(value):
                yield f"[{key!r}]", value[key]
        elif isinstance(value, (tuple, list, set, frozenset)):
            for item in list(value):
                yield "[…]", item
        names = dir(value)
    except Exception:
        return
    for name in names:
        try:
            attribute_guards.check(name)
            yield f".{name}", getattr(value, name)  # as a dot does
        except Exception:
            continue


def is_there(name):
    return name != "__future__" and (name != "tomllib" or sys.version_info >= (3, 11))


def samples(rules):
    namespace = execute.create_namespace(rules, {})
    execute.run("exec", {"code": SAMPLES, "variables": {}}, rules, namespace)
    return namespace["result"]


def crawl():
    rules = policy.Policy("restricted", RESTRICTED_MODULES, BLOCKED_MODULES)
    guarded_builtins.use(rules)
    todo = [(name, guarded_builtins.import_for_call(name)) for name in RESTRICTED_MODULES if is_there(name)]
    todo += [(f"samples[{index}]", sample) for index, sample in enumerate(samples(rules))]
    found, seen, kept = [], set(), []
    while todo and len(seen) < OBJECTS_MAX:
        path, value = todo.pop()
        if path.startswith("samples") and path.count(".") + path.count("][") > STEPS_MAX:
            continue
        for how, reached in attributes_of(value):
            if not isinstance(reached, LEAVES):  # those are made anew each time
                if id(reached) in seen:
                    continue
                seen.add(id(reached))
                kept.append(reached)  # so that no other object gets its id
            if is_capability(reached):
                found.append(f"{path}{how}")
            elif not isinstance(reached, LEAVES):
                todo.append((f"{path}{how}", reached))
    return {"objects": len(seen), "found": sorted(found)}


if __name__ == "__main__":
    print(json.dumps(crawl()))
