"""The runner as the tests find it, and what they allow it unless they say otherwise. Importing this puts it on the path."""

import os
import sys

sys.dont_write_bytecode = True  # the runner folder is copied to nodes as it is

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(os.path.dirname(HERE), "runner")
PROGRAMS = os.path.join(HERE, "programs")
FIXTURES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "test", "contracts", "frames.json")
sys.path.insert(0, RUNNER)

RESTRICTED_MODULES = (
    "math json datetime itertools collections decimal random re statistics time calendar uuid hashlib base64 string "
    "textwrap difflib enum functools operator copy ast typing dataclasses fractions heapq bisect numbers cmath abc "
    "contextlib zoneinfo unicodedata struct array pprint binascii hmac secrets __future__ io python3_trace"
).split()
BLOCKED_MODULES = (
    "telnetlib paramiko pty tty termios fcntl pipes posix pwd grp crypt ctypes multiprocessing __builtin__ "
    "builtins"
).split()
POLICY = {"allowedModules": RESTRICTED_MODULES, "blockedModules": BLOCKED_MODULES}
LIMITS = {
    "memoryBytes": 256 * 1024 * 1024,
    "cpuSeconds": 20,
    "fileSizeBytes": 64 * 1024 * 1024,
    "openFiles": 256,
    "processes": 20_000,
    "valueBytes": 4 * 1024 * 1024,
}
