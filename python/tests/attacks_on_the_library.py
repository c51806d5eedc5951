"""Ways out by modules that restricted code may import. Each succeeds where the module is Python's own, as in admin mode."""

_F = "f = lambda: 0\n"
_LOOP = "import asyncio\nasync def main(loop): "
_RUN = "\nasync def run(): return await main(asyncio.get_running_loop())\nresult = asyncio.run(run())"

LIBRARY = {
    "sys.modules": "import sys\nresult = sys.modules['os'].getcwd()",
    "sys.modules, by another module": "import typing\nt = typing\nresult = t.sys.modules['os'].getcwd()",
    "sys.modules, imported": "from sys import modules\nresult = modules['os'].getcwd()",
    "sys.modules, by getattr": "import sys\nresult = getattr(sys, 'mod' + 'ules')['os'].getcwd()",
    "sys._getframe": "import sys\ns = sys\nresult = s._getframe(1).f_globals",
    "sys.settrace": "import sys\nsys.settrace(None)\nresult = 1",
    "sys.path": "import sys\nresult = sys.path",
    "frame of a caught error": "try: 1 / 0\nexcept Exception as e: result = len(e.__traceback__.tb_frame.f_globals)",
    "frame of a caught error, by sys": "import sys\ntry: 1 / 0\nexcept Exception: result = len(sys.exc_info()[2].tb_frame.f_globals)",
    "traceback.walk_stack": "import traceback\nresult = [f.f_globals for f, _ in traceback.walk_stack(None)]",
    "traceback.walk_tb": "import traceback\ntry: 1 / 0\nexcept Exception as e: result = len(list(traceback.walk_tb(e.__traceback__))[0][0].f_globals)",
    "traceback reads a line of a file": "import traceback\nresult = traceback.format_list([('/etc/passwd', 1, 'f', None)])",
    "logging's modules": "import logging\nl = logging\nresult = l.os.getcwd()",
    "logging's sys": "import logging\nl = logging\nresult = l.sys.modules['os'].getcwd()",
    "logging's traceback": "import logging\nl = logging\nresult = l.traceback.linecache.getline('/etc/passwd', 1)",
    "logging formats a text": (
        "import logging\nclass A:\n def __init__(self): pass\nf = logging.Formatter('{msg.__init__.__globals__}', style='{')\n"
        "result = f.format(logging.makeLogRecord({'msg': A()}))"
    ),
    "logging formats a text set later": (
        "import logging\nf = logging.Formatter('{msg}', style='{')\nf._style._fmt = '{msg.__globals__}'\n"
        "result = f.format(logging.makeLogRecord({'msg': lambda: 0}))"
    ),
    "logging.FileHandler": "import logging\nlogging.FileHandler('x')\nresult = 1",
    "logging.basicConfig to a file": "import logging\nlogging.basicConfig(filename='x')\nresult = 1",
    "argparse reads any attribute": (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', dest='__globals__', action='append')\n"
        "try: p.parse_args(['--x', '1'], namespace=lambda: 0)\nexcept AttributeError as e: result = e.obj['__builtins__']"
    ),
    "argparse sets any attribute": (
        "import argparse\nclass A: pass\np = argparse.ArgumentParser()\np.add_argument('--x', dest='__match_args__')\n"
        "p.parse_args(['--x', 'ab'], namespace=A)\nresult = 1"
    ),
    "argparse opens a file": "import argparse\nresult = argparse.FileType('r')('/etc/passwd').read()",
    "pathlib.Path": "import pathlib\nresult = pathlib.Path('/etc/passwd').read_text()",
    "pathlib.Path, imported": "from pathlib import Path\nresult = Path('/etc/passwd').read_text()",
    "the module inside a PurePath": (
        "from pathlib import PurePath\nf = getattr(PurePath, 'parser', None) or PurePath('x')._flavour\n"
        "result = getattr(f, 'pathmod', f).os.getcwd()"
    ),
    "types.FunctionType": "import types\nresult = types.FunctionType",
    "types.CodeType": "from types import CodeType\nresult = CodeType",
    "base of a namespace": "from types import SimpleNamespace\nresult = SimpleNamespace().__class__.__base__.__subclasses__()",
    "asyncio starts a thread": _LOOP + "return await loop.run_in_executor(None, len, 'x')" + _RUN,
    "asyncio starts a thread, by super": _LOOP + "return await super(type(loop), loop).run_in_executor(None, len, 'x')" + _RUN,
    "asyncio.to_thread": _LOOP + "return await asyncio.to_thread(len, 'x')" + _RUN,
    "asyncio.to_thread, by getattr": _LOOP + "return await getattr(asyncio, 'to_' + 'thread')(len, 'x')" + _RUN,
    "asyncio's modules": "import asyncio\na = asyncio\nresult = a.events.os.getcwd()",
    "asyncio's policy": "import asyncio\nresult = asyncio.get_event_loop_policy()",
    "asyncio, frames of the running task": _LOOP + "return asyncio.current_task().get_stack()[0].f_globals" + _RUN,
    "asyncio runs a program": _LOOP + "return (await asyncio.create_subprocess_exec('true')).pid" + _RUN,
    "asyncio runs a program, by the loop": _LOOP + "return await loop.subprocess_exec(asyncio.SubprocessProtocol, 'true')" + _RUN,
    "asyncio finds a host": _LOOP + "return await loop.getaddrinfo('127.0.0.1', 80)" + _RUN,
    "asyncio waits for a descriptor": _LOOP + "return loop.remove_reader(0)" + _RUN,
    "configparser's modules": "import configparser\nc = configparser\nresult = c.os.getcwd()",
    "configparser reads a file": "import configparser\nresult = configparser.ConfigParser().read('/dev/null')",
    "urllib.parse's modules": "import urllib.parse\nu = urllib.parse\nresult = u.re.enum.sys.modules['os'].getcwd()",
    "urllib.parse's re": "from urllib.parse import re\nr = re\nresult = r.enum.sys.modules['os'].getcwd()",
    "html's modules": "import html\nh = html\nresult = h._re.enum.sys.modules",
    "html.parser's modules": "import html.parser\nh = html.parser\nresult = h.re.enum.sys.modules",
    "csv's modules": "import csv\nc = csv\nresult = c.re.enum.sys.modules",
    "codecs.open": "import codecs\nresult = codecs.open('/etc/passwd').read()",
    "codecs' builtins": "import codecs\nc = codecs\nresult = c.builtins.open('/etc/passwd').read()",
    "gzip opens a file": "import gzip\nresult = gzip.open('/etc/passwd').name",
    "gzip's modules": "import gzip\ng = gzip\nresult = g.os.getcwd()",
    "bz2 opens a file": "import bz2\nresult = bz2.BZ2File('/etc/passwd').fileno()",
    "lzma opens a file": "import lzma\nresult = lzma.LZMAFile('/etc/passwd').fileno()",
    "shlex reads a file": "import shlex\ns = shlex.shlex('source /dev/null')\ns.source = 'source'\ns.whitespace_split = True\ns.get_token()\nresult = 1",
    "xml.etree includes a file": "import xml.etree.ElementInclude as i\nresult = i.default_loader('/etc/passwd', 'text')",
    "xml.etree writes a file": "import xml.etree.ElementTree as e\ne.ElementTree(e.fromstring('<a/>')).write('x')\nresult = 1",
    "xml.sax.saxutils' modules": "import xml.sax.saxutils as s\nt = s\nresult = t.os.getcwd()",
    "xml.dom.minidom's modules": "import xml.dom.minidom as m\nn = m\nresult = len(n.xml.dom.domreg.sys.modules)",
    "weakref's modules": "import weakref\nw = weakref\nresult = w.sys.modules",
    "warnings' modules": "import warnings\nw = warnings\nresult = w.sys.modules",
    "queue's modules": "import queue\nq = queue\nresult = q.threading.active_count()",
    "gc.get_objects": "import gc\nresult = len(gc.get_objects())",
    "gc.get_referents": "import gc\nresult = len(gc.get_referents(lambda: 0))",
    "inspect.currentframe": "import inspect\nresult = len(inspect.currentframe().f_globals)",
    "inspect.getmembers": "import inspect\nresult = len(dict(inspect.getmembers(lambda: 0))['__globals__'])",
    "platform.node": "import platform\nresult = platform.node()",
    "locale reads a variable": "import locale\nresult = locale.getdefaultlocale(('LANG',))",
    "http.client": "from http import client\nresult = client.HTTPConnection",
    "the class, set": "class A: pass\nclass B: pass\na = A()\na.__class__ = B\nresult = 1",
}

# Refused by there being nothing: the error that the program gets instead.
NOTHING_THERE = {
    "dict of a class": (_F + "result = type(f).__dict__['__globals__'].__get__(f)", "KeyError"),
    "vars of a class": (_F + "result = vars(type(f))['__globals__'].__get__(f)", "KeyError"),
    "dict of a class, by getattr": (_F + "result = getattr(type(f), '__dict__')['__globals__'].__get__(f)", "KeyError"),
    "dict of a class, by its proxy": (
        "import weakref\n" + _F + "result = weakref.proxy(type(f)).__dict__['__globals__'].__get__(f)",
        "KeyError",
    ),
    "dict of a class, by a generic alias": ("result = list[int].__dict__['__reduce_ex__']", "KeyError"),
    "dict of a class, by super": (
        "class M(type):\n def look(cls): return super().__dict__['__subclasses__']\nclass A(metaclass=M): pass\nresult = A.look()",
        "KeyError",
    ),
    "dict of a class, compared": (
        "class Sees:\n def __eq__(self, other): self.seen = other; return True\ns = Sees()\nint.__dict__ == s\n"
        "result = s.seen['__reduce_ex__']",
        "KeyError",
    ),
    "dict of the type of generators": ("g = (x for x in ())\nresult = vars(type(g))['gi_frame'].__get__(g)", "KeyError"),
    "dict of type": ("result = type.__dict__['__subclasses__'](object)", "KeyError"),
    "dict of a class, changed": ("int.__dict__['x'] = 1", "TypeError"),
    "dict of a module": ("import random\nresult = random.__dict__['_os'].getcwd()", "KeyError"),
    "vars of a module": ("import random\nresult = vars(random)['_os'].getcwd()", "KeyError"),
    "the module inside catch_warnings": ("import warnings\nresult = warnings.catch_warnings()._module.sys", "AttributeError"),
    "warnings reads a line of a file": (
        "import warnings\ntext = warnings.formatwarning('x', UserWarning, '/etc/passwd', 1)\nresult = text.index('root')",
        "ValueError",
    ),
    "an attrgetter of pathlib's": (
        "import pathlib\nresult = type(pathlib.PurePath.root.fget)('__globals__')(lambda: 0)['__builtins__']",
        "TypeError",
    ),
    "descriptor of the output": ("import sys\nresult = sys.stdout.fileno()", "UnsupportedOperation"),
    "file below the output": ("import sys\nresult = sys.stdout.buffer.raw", "AttributeError"),
    "file below logging's output": ("import logging\nresult = logging.StreamHandler().stream.buffer.raw", "AttributeError"),
    "file below pprint's output": ("import pprint\nresult = pprint.PrettyPrinter()._stream.buffer.raw", "AttributeError"),
    "file below shlex's input": ("import shlex\nresult = shlex.shlex().instream.buffer.raw", "AttributeError"),
    "file below argparse's output": ("import argparse\nresult = argparse.FileType('w')('-').buffer.raw", "AttributeError"),
    "file below argparse's own output": (
        "import argparse\nclass P(argparse.ArgumentParser):\n def _print_message(self, message, file=None): self.seen = file\n"
        "p = P()\np.print_help()\nresult = p.seen.buffer.raw",
        "AttributeError",
    ),
    "file below xml.etree's output": (
        "import xml.etree.ElementTree as e\nclass T(e.ElementTree):\n def write(self, file, **_): self.seen = file\n"
        "t = T(e.fromstring('<a/>'))\ne.dump(t)\nresult = t.seen.buffer.raw",
        "AttributeError",
    ),
    "file below a redirected output": (
        "import contextlib, io\nr = contextlib.redirect_stdout(io.StringIO())\nwith r: result = r._old_targets[0].buffer.raw",
        "AttributeError",
    ),
    "an external entity": (
        "import xml.etree.ElementTree as e\n"
        "result = e.fromstring('<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>').text",
        "ParseError",
    ),
    "an interpolation that never ends": (
        "import configparser\nc = configparser.ConfigParser()\nc.read_string('[a]\\nx = %(x)s')\nresult = c['a']['x']",
        "InterpolationDepthError",
    ),
}

# Each entity is ten of the one before: 10^9 texts, of 700 bytes.
BILLION_LAUGHS = (
    "import xml.etree.ElementTree as e\n"
    "lines = ['<!ENTITY a0 \"lol\">'] + ['<!ENTITY a%d \"%s\">' % (n, '&a%d;' % (n - 1) * 10) for n in range(1, 10)]\n"
    "result = e.fromstring('<!DOCTYPE a [%s]><a>&a9;</a>' % ''.join(lines)).text"
)
