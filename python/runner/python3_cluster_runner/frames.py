"""Frames and messages of both channels: the Python half of docs/wire-protocol.md §1.

    frame = headerBytes:u32be  bodyBytes:u32be  header  body

Both halves are checked against the fixtures in test/contracts/frames.json. Members that the contract does not name are
ignored; everything else that differs from it is a `ProtocolError`, after which the stream is never used again.
"""

import json
import struct

from . import json_text

HEADER_BYTES_MAX = 65_536
BODY_BYTES_MAX = 256 * 1024 * 1024
READ_BYTES_MAX = 1024 * 1024

_LENGTHS = struct.Struct(">II")
_scan_json = json.JSONDecoder().scan_once  # C; `raw_decode` is Python around it


class ProtocolError(Exception):
    """The other side did not keep to the contract; the message is for the log only."""


# What a member must be: a type, a tuple of them, a set of words, [str] for a list of texts, or a dict for an object.
_NULL = type(None)
_MODE = frozenset(("restricted", "admin"))
_LIMITS = dict.fromkeys(
    ("memoryBytes", "cpuSeconds", "fileSizeBytes", "openFiles", "processes", "valueBytes"), int
)
_POLICY = {"allowedModules": [str], "blockedModules": [str]}
_ERROR = {"type": str, "message": str, "line": (int, _NULL), "traceback": str, "errno": (int, _NULL)}

_SCRATCH = {"paths": [str], "bytes": int, "entries": int}
_SANDBOX = {
    "uid": (int, _NULL),
    "namespaces": bool,
    "landlockAbi": int,
    "seccomp": bool,
    "readPaths": [str],
    "writePaths": [str],
    "workspacesPath": str,
    "firstChildUid": (int, _NULL),
    "scratch": (_SCRATCH, _NULL),
}

WORKER_TO_TEMPLATE = {
    "configure": {"mode": _MODE, "socketPath": str, "preload": [str], "sandbox": (_SANDBOX, _NULL)},
    "fork": {"childId": str, "nonce": str, "uid": (int, _NULL), "scratchPath": str, "stdoutPath": str, "stderrPath": str},
    "kill": {"childId": str},
    "ping": {"nonce": str},
    "stop": {},
}
TEMPLATE_TO_WORKER = {
    "ready": {"pid": int, "pythonVersion": str, "pythonFullVersion": str, "executable": str, "preloaded": [str]},
    "refused": {"code": str, "message": str},
    "forked": {"childId": str, "pid": int},
    "fork-failed": {"childId": str, "message": str},
    "exited": {
        "childId": str,
        "exitCode": (int, _NULL),
        "signal": (int, _NULL),
        "cpuMs": (int, float),
        "maxRssBytes": int,
        "leftovers": int,
        "isEmpty": bool,
    },
    "emptied": {"childId": str, "isEmpty": bool},
    "pong": {"nonce": str},
}
WORKER_TO_CHILD = {
    "ping": {"nonce": str},
    "run": {
        "nonce": str,
        "kind": frozenset(("exec", "eval", "call", "check")),
        "mode": _MODE,
        "limits": _LIMITS,
        "policy": _POLICY,  # or null: see `_is`
        "traceparent": (str, _NULL),
        "keep": bool,
    },
}
CHILD_TO_WORKER = {
    "hello": {"childId": str, "nonce": str},
    "pong": {"nonce": str},
    "result": {
        "nonce": str,
        "status": frozenset(("succeeded", "failed")),
        "hasValue": bool,
        "error": (_ERROR, _NULL),
    },
    "waiting": {"nonce": str},
}
_TYPES_WITH_BODY = ("run", "result")


def _is(value, kind):
    """Exact types: `true` is not 1, and `1.0` is no whole number."""
    shape = type(kind)
    if shape is type:
        return type(value) is kind
    if shape is frozenset:
        return type(value) is str and value in kind
    if shape is tuple:
        for one in kind:
            if _is(value, one):
                return True
        return False
    # Loops, because a generator expression makes a function and a generator: ten pages of a fresh child.
    if type(value) is not shape:
        return value is None and kind is _POLICY  # here, where a policy that is there costs nothing (8 pages)
    if shape is list:
        for item in value:
            if type(item) is not str:
                return False
        return True
    for name in kind:
        if name not in value or not _is(value[name], kind[name]):
            return False
    return True


def encode(header, body=b""):
    """One frame as bytes. Lone surrogates in texts survive as `\\udXXX` escapes."""
    return pack(json_text.encode(header), body)


def pack(header_text, body=b""):
    """One frame of a header that is JSON already, in ASCII."""
    header_bytes = header_text.encode("ascii")
    if len(header_bytes) > HEADER_BYTES_MAX or len(body) > BODY_BYTES_MAX:
        raise ProtocolError(f"frame too large: header {len(header_bytes)}, body {len(body)} bytes")
    return _LENGTHS.pack(len(header_bytes), len(body)) + header_bytes + body


def _parse_header(raw, messages):
    try:
        text = raw.decode("utf-8").strip(" \t\r\n")
        header, end = _scan_json(text, 0)
    except (ValueError, RecursionError, StopIteration) as error:
        raise ProtocolError(f"header is not UTF-8 JSON: {error}") from None
    if end != len(text) or type(header) is not dict or type(header.get("type")) is not str:
        raise ProtocolError("header is not an object with a type")
    members = messages.get(header["type"])
    if members is None:
        raise ProtocolError(f"unknown type {header['type'][:80]!r}")
    if not _is(header, members):
        raise ProtocolError(f"{header['type']}: a member is missing or of the wrong kind")
    return header


class FrameReader:
    """Puts frames together from whatever pieces arrive.

    `bytes_wanted` never reaches past the frame being read. That matters in the template: a child forked for one frame
    must not inherit the next one, which holds the nonce of somebody else's child.
    """

    __slots__ = ("bytes_wanted", "_messages", "_pieces", "_missing", "_lengths", "_header")

    def __init__(self, messages):
        self._messages = messages
        self._pieces = None  # of a part that did not arrive whole
        self._lengths = None
        self._header = None
        self._missing = self.bytes_wanted = _LENGTHS.size

    @property
    def is_between_frames(self):
        return self._lengths is None and self._pieces is None

    def feed(self, data):
        """Add bytes (at most `bytes_wanted`); returns `(header, body)` when a frame is complete, else None."""
        missing = self._missing - len(data)
        if missing or self._pieces is not None:
            data = self._join(data, missing)
            if data is None:
                return None
        if self._lengths is None:
            self._lengths = header_bytes, body_bytes = _LENGTHS.unpack(data)
            if not 0 < header_bytes <= HEADER_BYTES_MAX or body_bytes > BODY_BYTES_MAX:
                raise ProtocolError(f"lengths out of bounds: header {header_bytes}, body {body_bytes}")
            self._missing = self.bytes_wanted = header_bytes
            return None
        header = self._header
        if header is None:
            header = _parse_header(data, self._messages)
            missing = self._lengths[1]
            if missing:
                if header["type"] not in _TYPES_WITH_BODY:
                    raise ProtocolError(f"{header['type']} has no body")
                self._header = header
                self._missing = missing
                self.bytes_wanted = missing if missing < READ_BYTES_MAX else READ_BYTES_MAX
                return None
            data = b""
        self._lengths = self._header = None
        self._missing = self.bytes_wanted = _LENGTHS.size
        return header, data

    def _join(self, data, missing):
        """The part as a whole once nothing of it is missing, else None."""
        if self._pieces is None:
            self._pieces = bytearray()
        self._pieces += data
        if missing:
            self._missing = missing
            self.bytes_wanted = min(missing, READ_BYTES_MAX)
            return None
        whole = bytes(self._pieces)
        self._pieces = None
        return whole
