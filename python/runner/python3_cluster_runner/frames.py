"""Frames and messages of both channels: the Python half of docs/wire-protocol.md §1.

    frame = headerBytes:u32be  bodyBytes:u32be  header  body

Both halves are checked against the fixtures in test/contracts/frames.json. Members that the contract does not name are
ignored; everything else that differs from it is a `ProtocolError`, after which the stream is never used again.
"""

import json
import struct

HEADER_BYTES_MAX = 65_536
BODY_BYTES_MAX = 256 * 1024 * 1024
READ_BYTES_MAX = 1024 * 1024

_LENGTHS = struct.Struct(">II")
_encode_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_scan_json = json.JSONDecoder().raw_decode


class ProtocolError(Exception):
    """The other side did not keep to the contract; the message is for the log only."""


def _text(value):
    return type(value) is str


def _integer(value):
    return type(value) is int


def _number(value):
    return type(value) is int or (type(value) is float and value - value == 0)


def _flag(value):
    return type(value) is bool


def _texts(value):
    return type(value) is list and all(type(item) is str for item in value)


def _or_null(kind):
    return lambda value: value is None or kind(value)


def _one_of(*words):
    return lambda value: type(value) is str and value in words


def _record(**members):
    return lambda value: type(value) is dict and all(
        name in value and kind(value[name]) for name, kind in members.items()
    )


_LIMITS = _record(
    memoryBytes=_integer,
    cpuSeconds=_integer,
    fileSizeBytes=_integer,
    openFiles=_integer,
    processes=_integer,
    valueBytes=_integer,
)
_ERROR = _record(type=_text, message=_text, line=_or_null(_integer), traceback=_text, errno=_or_null(_integer))
_MODE = _one_of("restricted", "admin")

WORKER_TO_TEMPLATE = {
    "configure": _record(mode=_MODE, socketPath=_text, preload=_texts),
    "fork": _record(childId=_text, nonce=_text),
    "kill": _record(childId=_text),
    "ping": _record(nonce=_text),
    "stop": _record(),
}
TEMPLATE_TO_WORKER = {
    "ready": _record(
        pid=_integer, pythonVersion=_text, pythonFullVersion=_text, executable=_text, preloaded=_texts
    ),
    "refused": _record(code=_text, message=_text),
    "forked": _record(childId=_text, pid=_integer),
    "fork-failed": _record(childId=_text, message=_text),
    "exited": _record(
        childId=_text,
        exitCode=_or_null(_integer),
        signal=_or_null(_integer),
        cpuMs=_number,
        maxRssBytes=_integer,
        leftovers=_integer,
    ),
    "pong": _record(nonce=_text),
}
WORKER_TO_CHILD = {
    "ping": _record(nonce=_text),
    "run": _record(
        nonce=_text,
        kind=_one_of("exec", "eval", "call", "check"),
        mode=_MODE,
        stdoutPath=_text,
        stderrPath=_text,
        scratchPath=_text,
        limits=_LIMITS,
        policy=_record(allowedModules=_texts, blockedModules=_texts),
        traceparent=_or_null(_text),
    ),
}
CHILD_TO_WORKER = {
    "hello": _record(childId=_text, nonce=_text),
    "pong": _record(nonce=_text),
    "result": _record(
        nonce=_text, status=_one_of("succeeded", "failed"), hasValue=_flag, error=_or_null(_ERROR)
    ),
}
_TYPES_WITH_BODY = ("run", "result")


def encode(header, body=b""):
    """One frame as bytes. Lone surrogates in texts survive as `\\udXXX` escapes."""
    header_bytes = _encode_json(header).encode("ascii")
    if len(header_bytes) > HEADER_BYTES_MAX or len(body) > BODY_BYTES_MAX:
        raise ProtocolError(f"frame too large: header {len(header_bytes)}, body {len(body)} bytes")
    return _LENGTHS.pack(len(header_bytes), len(body)) + header_bytes + body


def _parse_header(raw, messages):
    try:
        text = raw.decode("utf-8").strip(" \t\r\n")
        header, end = _scan_json(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"header is not UTF-8 JSON: {error}") from None
    if end != len(text) or type(header) is not dict or type(header.get("type")) is not str:
        raise ProtocolError("header is not an object with a type")
    accepts = messages.get(header["type"])
    if accepts is None:
        raise ProtocolError(f"unknown type {header['type'][:80]!r}")
    if not accepts(header):
        raise ProtocolError(f"{header['type']}: a member is missing or of the wrong kind")
    return header


class FrameReader:
    """Puts frames together from whatever pieces arrive.

    `bytes_wanted` never reaches past the frame being read. That matters in the template: a child forked for one frame
    must not inherit the next one, which holds the nonce of somebody else's child.
    """

    def __init__(self, messages):
        self._messages = messages
        self._start()

    def _start(self):
        self._buffer = bytearray()
        self._needed = _LENGTHS.size
        self._lengths = None
        self._header = None

    @property
    def bytes_wanted(self):
        return min(self._needed - len(self._buffer), READ_BYTES_MAX)

    @property
    def is_between_frames(self):
        return self._lengths is None and not self._buffer

    def feed(self, data):
        """Add bytes (at most `bytes_wanted`); returns `(header, body)` when a frame is complete, else None."""
        self._buffer += data
        while len(self._buffer) == self._needed:
            part = bytes(self._buffer)
            self._buffer.clear()
            if self._lengths is None:
                self._read_lengths(part)
            elif self._header is None:
                self._header = _parse_header(part, self._messages)
                if self._lengths[1] and self._header["type"] not in _TYPES_WITH_BODY:
                    raise ProtocolError(f"{self._header['type']} has no body")
                self._needed = self._lengths[1]
            else:
                frame = (self._header, part)
                self._start()
                return frame
        return None

    def _read_lengths(self, part):
        self._lengths = _LENGTHS.unpack(part)
        header_bytes, body_bytes = self._lengths
        if not 0 < header_bytes <= HEADER_BYTES_MAX or body_bytes > BODY_BYTES_MAX:
            raise ProtocolError(f"lengths out of bounds: header {header_bytes}, body {body_bytes}")
        self._needed = header_bytes
