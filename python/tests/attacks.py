"""Programs that try to get at what restricted mode does not give. Each succeeds only if it got there.

More of them, which then reach for something outside, are those of `test/security/attacks`.
"""

# Ways to a module that is not allowed, or to a function that opens a file or runs a text.
MODULE_WALKS = {
    "attribute of a module": "import random\nm = random\nresult = m._os.getcwd()",
    "attribute through a container": "import random\nresult = [random][0]._os.getcwd()",
    "attribute through a function": "import random\ndef f(m): return m._os\nresult = f(random).getcwd()",
    "attribute through getattr": "import random\nresult = getattr(random, '_' + 'os').getcwd()",
    "attribute through a default": "import json\nresult = (lambda m=json: m.codecs)().open('/etc/passwd').read()",
    "of a submodule": "import json\nd = json.decoder\nresult = d.scanner.re.enum.sys.modules['os'].getcwd()",
    "of a class namespace": "import statistics\nclass A: m = statistics\nresult = A.m.sys.modules['os'].getcwd()",
    "from import": "from typing import sys\nresult = sys.modules['os'].getcwd()",
    "from a submodule": "from json.decoder import scanner\ns = scanner\nresult = s.re.enum.sys.modules",
    "enum.sys": "import enum\ne = enum\nresult = e.sys.modules['os'].getcwd()",
    "re.enum.sys": "import re\nr = re\nresult = r.enum.sys.modules['os'].getcwd()",
    "dataclasses.inspect": "import dataclasses\nd = dataclasses\nresult = d.inspect.sys.modules",
    "difflib": "import difflib\nd = difflib\nresult = [d._mdiff, d.difflib]",
    "contextlib.os": "import contextlib\nc = contextlib\nresult = c.os.getcwd()",
    "calendar.sys": "import calendar\nc = calendar\nresult = c.sys.modules",
    "uuid.os": "import uuid\nu = uuid\nresult = u.os.getcwd()",
    "ast.sys": "import ast\na = ast\nresult = a.sys.modules",
    "zoneinfo._common": "import zoneinfo\nz = zoneinfo\nresult = z._common.importlib",
    "operator.attrgetter": "import operator, random\nresult = operator.attrgetter('_os')(random).getcwd()",
    "main function": "import ast\nresult = ast.sys.modules and ast.main",
    "match on a module": "import random\nmatch random:\n case object(_os=o): result = o.getcwd()",
    "pattern with attribute value": "import typing\nt = typing\nresult = t.types.CodeType",
    "io.open": "import io\ni = io\nresult = i.open('/etc/passwd').read()",
    "io.FileIO": "import io\nresult = getattr(io, 'File' + 'IO')('/etc/passwd').read()",
    "io.open_code": "import io\nresult = [io][0].open_code('/etc/passwd').read()",
    "module getattr": "import random\nresult = random.__getattr__('_os')",
    "format of a module": "import random\nt = '{0._os.environ}'\nresult = t.format(random)",
}

# Dunder names in every form.
DUNDER_WALKS = {
    "attribute": "result = ().__class__.__base__.__subclasses__()",
    "getattr": "result = getattr(int, '__subcla' + 'sses__')",
    "getattr with a str subclass": "class S(str): pass\nresult = getattr(int, S('__subclasses__'))",
    "getattr with a lying str subclass": (
        "class S(str):\n def __eq__(s, o): return True\n def __hash__(s): return hash('real')\n"
        " def startswith(s, *a): return False\nresult = getattr(int, S('__subclasses__'))"
    ),
    "hasattr": "result = hasattr(int, '__subcla' + 'sses__')",
    "setattr": "class A: pass\nclass B: pass\na = A()\nsetattr(a, '__cla' + 'ss__', B)\nresult = 1",
    "delattr": "def f(): 'x'\ndelattr(f, '__anno' + 'tations__' + '_')\nresult = 1",
    "attrgetter": "import operator\nresult = operator.attrgetter('__subclasses__')(int)",
    "attrgetter, dotted": "import operator\nresult = operator.attrgetter('real.__init__.__objclass__')(1)",
    "attrgetter, second": "import operator\nresult = operator.attrgetter('__name__', '__subclasses__')(int)",
    "attrgetter, imported": "from operator import attrgetter as g\nresult = g('__globals__')(lambda: 0)",
    "methodcaller": "import operator\nresult = operator.methodcaller('__subclasses__')(object)",
    "methodcaller of format": "import operator\nresult = operator.methodcaller('format', int)('{0.__subclasses__}')",
    "attrgetter of format": "import operator\nresult = operator.attrgetter('format')('{0.__subclasses__}')(int)",
    "format, literal": "result = '{0.__subclasses__}'.format(int)",
    "format, nested in the spec": "t = '{0:{1.__base__.__name__}}'\nresult = t.format('', bool)",
    "string.Formatter, subclass": (
        "import string\nclass F(string.Formatter):\n pass\nresult = F().vformat('{f.__globals__}', (), {'f': F.vformat})"
    ),
    "f-string": "x = int\nresult = f'{x.__subclasses__}'",
    "f-string, in the spec": "x = int\nresult = f'{1:{x.__base__}}'",
    "match class": "match int:\n case type(__base__=c): result = c",
    "match args": "class A:\n __match_args__ = ('__reduce_ex__',)\nmatch A():\n case A(c): result = c",
    "super": "class A:\n def f(self): return super().__getattribute__('f')\nresult = A().f()",
    "object.__getattribute__": "result = object.__getattribute__((), 'count')",
    "type.__getattribute__": "result = type.__getattribute__(int, '__subclasses__')",
    "mro": "result = int.mro()",
    "mro, by a proxy": "import weakref\nclass A(int): pass\nresult = weakref.proxy(A).mro()",
    "mro, by super": "class M(type):\n def f(cls): return super().mro()\nclass A(metaclass=M): pass\nresult = A.f()",
    "__class_getitem__": "class A:\n def __class_getitem__(c, k): return c.__base__\nresult = A[1]",
    "metaclass": "class M(type):\n def __call__(c): return c.__subclasses__()\nclass A(metaclass=M): pass\nresult = A()",
    "decorator": "def d(f): return f.__globals__\n@d\ndef g(): pass\nresult = g",
    "generator frame by getattr": "def g(): yield\nresult = getattr(g(), 'gi_fr' + 'ame').f_globals",
    "generator code": "g = (x for x in ())\nresult = g.gi_code.co_consts",
    "exit arguments": (
        "class C:\n def __enter__(s): pass\n def __exit__(s, t, v, tb): s.f = tb.tb_frame; return True\n"
        "c = C()\nwith c: 1/0\nresult = c.f.f_globals"
    ),
    "code constants": "def f(): pass\nresult = f.__code__.co_consts",
    "closure": "import functools\nresult = functools.lru_cache.__closure__",
    "defaults": "import random\nresult = random.choice.__defaults__",
    "bound self": "import random\nresult = random.choice.__self__",
    "loader name": "result = __loader__",
    "spec name": "result = __spec__",
    "import attribute": "import random\nresult = random.__loader__",
    "global statement": "def f():\n global __builtins__\n __builtins__ = {}\nf()\nresult = 1",
    "class body name": "class A:\n __getattribute__ = 1\n __dict__ = 2\nresult = 1",
    "__reduce_ex__": "result = (1).__reduce_ex__(4)",
    "__reduce_ex__ by getattr": "result = getattr(object(), '__reduce' + '_ex__')(4)",
    "typing.get_type_hints": (
        "import typing\nclass A:\n x: \"int.__subclasses__\"\nresult = str(typing.get_type_hints(A))"
    ),
    "typing.get_type_hints with globals": (
        "import typing\ndef f(x: \"__import__('os').getcwd()\"): pass\nresult = str(typing.get_type_hints(f, {}))"
    ),
    "namedtuple, module": "import collections\nresult = collections.namedtuple('A', 'x', module='os')._make.__func__.__globals__",
    "contextmanager": "import contextlib\n@contextlib.contextmanager\ndef f(): yield\nwith f() as x: pass\nresult = f().gen.gi_frame",
    "dataclass, hostile field": (
        "import dataclasses\nclass A:\n x = 0\n __annotations__ = {'x or ().__class__.__base__': int}\n"
        "A = dataclasses.dataclass(init=False, repr=False)(A)\nresult = A() == A()"
    ),
    "dataclass, hostile field with builtins": (
        "import dataclasses\nclass A:\n x = 0\n __annotations__ = {'x or (BUILTINS,)[0].open': int}\n"
        "A = dataclasses.dataclass(init=False, repr=False)(A)\nresult = A() == A()"
    ),
    "dataclass, match args": (
        "import dataclasses\nA = dataclasses.make_dataclass('A', ['__globals__'], init=False, repr=False, eq=False)\n"
        "result = A.x"
    ),
    "match args, assembled": "n = '__glob' + 'als__'\nclass A:\n __match_args__ = (n,)\nresult = 1",
    "singledispatch, annotation": (
        "import functools\n@functools.singledispatch\ndef f(x): pass\n@f.register\n"
        "def g(x: \"int.__subclasses__\"): pass\nresult = 1"
    ),
    "enum.global_enum": (
        "import enum\nclass E(enum.Enum):\n __module__ = 'builtins'\n getattr = 1\nenum.global_enum(E)\nresult = 1"
    ),
    "exec in a class": "class A: exec('x = 1')\nresult = A.x",
    "compile": "result = compile('1', '', 'eval')",
    "open": "result = open('/etc/passwd').read()",
    "open in a comprehension": "result = [o for o in [open]]",
    "input": "result = input()",
    "breakpoint": "breakpoint()\nresult = 1",
    "locals": "result = locals()",
    "help": "result = help",
    "__import__": "result = __import__('os').getcwd()",
    "__import__ of an allowed module": "result = __import__('json').codecs",
    "build_class": "result = __build_class__",
    "unicode attribute": "result = int.__\u1d47\u1d43se__",
    "variable named like a builtin": "def f(open): return open\nresult = f(open)('/etc/passwd').read()",
    "Exception with a lying name": "class SecurityError(Exception): pass\nimport os\nresult = os.getcwd()",
    "caught and tried again": "try:\n getattr(int, '__subclasses__')\nexcept BaseException: pass\nresult = getattr(int, '__subclasses__')",
}

IMPORTS = {
    "dotted": "import os.path\nresult = 1",
    "alias": "import os.path as p\nresult = 1",
    "from": "from os import path\nresult = 1",
    "from, alias": "from os import path as p\nresult = 1",
    "star": "from os import *\nresult = 1",
    "relative": "from . import os\nresult = 1",
    "relative, dotted": "from .os import path\nresult = 1",
    "relative, two levels": "from .. import os\nresult = 1",
    "in a function": "def f():\n import os\n return os\nresult = f().getcwd()",
    "in a class": "class A:\n import os\nresult = A.os.getcwd()",
    "after an allowed one": "import math, os\nresult = 1",
    "in try": "try:\n import os\nexcept ValueError: pass\nresult = 1",
    "in try, and used": "try:\n import os\nexcept ImportError as e: raise e\nresult = os.getcwd()",
    "in a function called in try": "def f():\n import os\n return os\ntry: result = f().getcwd()\nexcept ImportError: pass",
    "under a condition that holds": "import sys\nif sys.version_info > (3, 0): import os\nresult = os.getcwd()",
    "under TYPE_CHECKING set by the program": "TYPE_CHECKING = True\nif TYPE_CHECKING: import os\nresult = os.getcwd()",
    "in try, then from the modules": "import sys\ntry: import os\nexcept ImportError: pass\nresult = sys.modules['os'].getcwd()",
    "importlib.util": "import importlib.util\nresult = 1",
    "sys": "import sys\nresult = sys.modules['os'].getcwd()",
    "__main__": "import __main__\nresult = __main__.__builtins__",
    "the runner": "import python3_cluster_runner\nresult = 1",
    "posix": "import posix\nresult = posix.getcwd()",
    "_io": "import _io\nresult = _io.open('/etc/passwd').read()",
    "_thread": "import _thread\nresult = _thread.start_new_thread(print, ())",
    "gc": "import gc\nresult = len(gc.get_objects())",
    "inspect": "import inspect\nresult = inspect.currentframe()",
    "types": "import types\nresult = types.CodeType",
    "a module below an allowed one that configures": "import logging.config\nresult = 1",
    "from it": "from logging.config import dictConfig\nresult = 1",
    "a module beside an allowed one": "import urllib.request\nresult = 1",
    "from the package of an allowed one": "from urllib import request\nresult = 1",
    "below a curated one": "from asyncio.base_events import BaseEventLoop\nresult = 1",
    "below a curated one, by its package": "from asyncio import subprocess\nresult = 1",
    "above an allowed one": "import xml.sax.saxutils\nresult = xml.sax.make_parser(['os'])",
    "pickle": "import pickle\nresult = 1",
    "copyreg": "import copyreg\nresult = 1",
    "a submodule that is not below the allowed one": "import mathx\nresult = 1",
    "__future__ and then": "from __future__ import annotations\nimport os\nresult = 1",
}

ATTACKS = {"imports": IMPORTS, "module walks": MODULE_WALKS, "dunder walks": DUNDER_WALKS}
