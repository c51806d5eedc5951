"""Programs that try to reach outside their process in restricted mode. Each succeeds only if it did."""

# What allowed functions would do to the world outside the process.
EFFECTS = {
    "zoneinfo reads any file": "import zoneinfo\nzoneinfo.reset_tzpath(['/'])\nresult = str(zoneinfo.ZoneInfo('etc/passwd'))",
    "zoneinfo lists a folder": (
        "import zoneinfo\nzoneinfo.reset_tzpath(['/etc'])\nresult = sorted(zoneinfo.available_timezones())\n"
        "if not result: raise LookupError"
    ),
    "print to a file object": "print('x', file=open('x', 'w'))\nresult = 1",
    "uuid's command": "import uuid\nresult = uuid._get_command_stdout('id').read()",

}

# By a module that an operator allowed, or that a program found some other way.
OPERATORS = {
    "os.system": "import os\nresult = os.system('true')",
    "os.fork": "import os\nresult = os.fork()",
    "os.posix_spawn": "import os\nresult = os.posix_spawn('/bin/true', ['true'], {})",
    "os.execv": "import os\nos.execv('/bin/true', ['true'])",
    "os.kill": "import os\nresult = os.kill(os.getppid(), 0)",
    "os.remove": "import os\nresult = os.remove('/tmp/nothing')",
    "os.listdir": "import os\nresult = os.listdir('/etc')",
    "os.scandir": "import os\nresult = list(os.scandir('/'))",
    "os.listdir of the working folder": "import os\nresult = os.listdir()",
    "os.open": "import os\nresult = os.open('/etc/passwd', os.O_RDONLY)",
    "os.open in a folder of Python's, for writing": "import os\nresult = os.open(os.path.dirname(os.__file__) + '/x', os.O_WRONLY)",
    "os.chdir": "import os\nresult = os.chdir('/')",
    "pathlib": "import pathlib\nresult = pathlib.Path('/etc/passwd').read_text()",
    "out of a folder of Python's": "import pathlib, os\nresult = pathlib.Path(pathlib.__file__, '../../../../etc/passwd').read_text()",
    "subprocess": "import subprocess\nresult = subprocess.run(['true']).returncode",
    "socket": "import socket\nresult = socket.socket()",
    "shutil": "import shutil\nresult = shutil.rmtree('/tmp/nothing')",
    "tempfile": "import tempfile\nresult = tempfile.mkdtemp()",
    "sqlite3": "import sqlite3\nresult = sqlite3.connect(':memory:')",
    "urllib": "import urllib.request\nresult = urllib.request.urlopen('http://127.0.0.1:9/').read()",
    "mmap": "import mmap\nresult = mmap.mmap(-1, 10)",
    "gc": "import gc\nresult = len(gc.get_objects())",
}

# Refused by what they call, in their own words.
REFUSED_BY_THEMSELVES = {
    "make_dataclass": ("import dataclasses\ndataclasses.make_dataclass('A', ['x=1'])", "TypeError"),
    "namedtuple": ("import collections\ncollections.namedtuple('A', ['x=1'])", "ValueError"),
    "copy of a module": ("import copy, random\ncopy.copy(random)", "TypeError"),
    "file_digest of a path": ("import hashlib\nhashlib.file_digest('/etc/passwd', 'md5')", "ValueError"),
    "literal_eval": ("import ast\nast.literal_eval('().__class__')", "ValueError"),
    "import from a view with another's name": ("import json\njson.__name__ = 'os'\nfrom json import path", "ImportError"),
    "attribute of a view with another's name": ("import json\njson.__name__ = 'os'\njson.path", "AttributeError"),
    "missing name of a module": ("from math import nothing", "ImportError"),
    "missing attribute of a module": ("import math\nmath.nothing", "AttributeError"),
}
