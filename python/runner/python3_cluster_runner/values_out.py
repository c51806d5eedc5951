"""A Python value as the JSON text of a result: exact where JSON can be, by documented renderings where it cannot.

    None bool int float str      as JSON; integers of any size, -0.0 and 1.0 as they are, lone surrogates as escapes
    nan, inf, -inf               "NaN", "Infinity", "-Infinity"
    list tuple deque array range views        array; set, frozenset: array, sorted if its items can be
    dict, Mapping                object; keys: str as is, int float bool None as JSON writes them, others str()
    everything in value_renderings.py         see there; anything else str()

One pass, which stops at the first byte too many, at a cycle, or at a depth of 200. Runs of plain scalars are handed
to the C encoder in pieces; that is where nearly all the time of a large value goes.
"""

from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from itertools import islice

from . import json_text, value_renderings
from .values_in import allow_any_digits, restore_digits

DEPTH_MAX = 200
_PIECE = 512

_SMALL = 1 << 60
_text_of_int = int.__repr__
_quote = json_text.quote
_PLAIN = frozenset((type(None), bool, int, float, str))
_NON_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


class CircularReferenceError(ValueError):
    """The value contains itself."""


class ValueTooDeepError(ValueError):
    """Containers nested more than DEPTH_MAX deep."""


class ValueTooLargeError(ValueError):
    """More bytes of JSON than the job may return."""


def encode_value(value, bytes_max):
    """UTF-8 JSON. Raises one of the errors above, or whatever the caller's own `__str__` and its like raise."""
    text = _encode_small(value)
    if text is not None and len(text) <= bytes_max:
        return text.encode("ascii")
    limit = allow_any_digits()
    try:
        encoder = _Encoder(bytes_max)
        encoder.encode(value, 0)
        return "".join(encoder.parts).encode("ascii")
    finally:
        restore_digits(limit)


def _encode_small(value):
    """What most jobs return, without the fifteen pages that an encoder touches in a fresh child; None for the rest."""
    kind = type(value)
    if kind is int:
        return _text_of_int(value) if -_SMALL <= value <= _SMALL else None
    if kind is str:
        return _quote(value) if len(value) <= _PIECE else None
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    return None


class _Encoder:
    def __init__(self, bytes_max):
        self.parts = []
        self._bytes_max = bytes_max
        self._bytes = 0
        self._ancestors = set()

    def _write(self, text):
        self._bytes += len(text)
        if self._bytes > self._bytes_max:
            self._too_large(self._bytes)
        self.parts.append(text)

    def _expect(self, count):
        """`count` more bytes are certain: better to stop before making them."""
        if self._bytes + count > self._bytes_max:
            self._too_large(self._bytes + count)

    def _too_large(self, count):
        raise ValueTooLargeError(
            f"the value takes at least {count} bytes as JSON; at most {self._bytes_max} are allowed"
        )

    def encode(self, value, depth):
        if value is None:
            self._write("null")
        elif value is True:
            self._write("true")
        elif value is False:
            self._write("false")
        elif isinstance(value, value_renderings.ENUM):
            self._encode_as(value, value.value, depth)
        elif isinstance(value, str):
            self._expect(len(value) + 2)
            self._write(_quote(value))
        elif isinstance(value, int):
            self._write(self._integer(value))
        elif isinstance(value, float):
            self._write(_float(value))
        elif isinstance(value, (list, tuple)):
            self._encode_sequence(value, value, depth)
        elif isinstance(value, dict):
            self._encode_mapping(value, value, depth)
        else:
            self._encode_other(value, depth)

    def _integer(self, value):
        self._expect(value.bit_length() * 3 // 10)
        return int.__repr__(value)

    def _encode_other(self, value, depth):
        if isinstance(value, (set, frozenset)):
            self._expect(2 * len(value))
            self._encode_sequence(value, _sorted_if_possible(value), depth)
            return
        found, rendered = value_renderings.render(value, self._expect)
        if found:
            self._encode_as(value, rendered, depth)
        elif isinstance(value, Mapping):
            self._encode_mapping(value, value, depth)
        elif isinstance(value, (KeysView, ValuesView, ItemsView)):
            self._encode_sequence(value, list(value), depth)
        else:
            self.encode(str.__str__(str(value)), depth)

    def _encode_as(self, value, rendered, depth):
        """`rendered` in place of `value`, which stays on the path so that a cycle through it is seen."""
        key = self._enter(value, depth)
        if isinstance(rendered, (list, dict)):
            self.encode(rendered, depth)
        else:
            self.encode(rendered, depth + 1)
        self._ancestors.discard(key)

    def _enter(self, value, depth):
        key = id(value)
        if key in self._ancestors:
            raise CircularReferenceError(f"the value contains itself (a {type(value).__name__} inside itself)")
        if depth >= DEPTH_MAX:
            raise ValueTooDeepError(f"the value is nested more than {DEPTH_MAX} levels deep")
        self._ancestors.add(key)
        return key

    def _encode_sequence(self, value, items, depth):
        key = self._enter(value, depth)
        self._expect(2 * len(items))
        self._write("[")
        for start in range(0, len(items), _PIECE):
            piece = items[start : start + _PIECE]
            if start:
                self._write(",")
            plain = self._plain(piece, piece)
            if plain is not None:
                self._write(plain[1:-1])
                continue
            for index, item in enumerate(piece):
                if index:
                    self._write(",")
                self.encode(item, depth + 1)
        self._write("]")
        self._ancestors.discard(key)

    def _encode_mapping(self, value, mapping, depth):
        key = self._enter(value, depth)
        self._expect(4 * len(mapping))
        self._write("{")
        items = iter(mapping.items())
        first = True
        while piece := list(islice(items, _PIECE)):
            if not first:
                self._write(",")
            first = False
            if all(type(name) is str for name, _ in piece):
                self._expect(sum(len(name) for name, _ in piece))
                plain = self._plain([item for _, item in piece], dict(piece), len(piece))
                if plain is not None:
                    self._write(plain[1:-1])
                    continue
            for index, (name, item) in enumerate(piece):
                if index:
                    self._write(",")
                self._write(_quote(_key(name)) + ":")
                self.encode(item, depth + 1)
        self._write("}")
        self._ancestors.discard(key)

    def _plain(self, items, container, length=None):
        """The container by the C encoder, if it holds nothing but plain scalars it can write exactly; else None."""
        if not _PLAIN.issuperset(map(type, items)) or (length is not None and len(container) != length):
            return None
        least = 0
        for item in items:
            kind = type(item)
            if kind is str:
                least += len(item)
            elif kind is int:
                least += item.bit_length() * 3 // 10
        self._expect(least)
        try:
            return json_text.encode(container)
        except ValueError:  # nan or an infinity among them
            return None


def _float(value):
    text = float.__repr__(value)
    return _NON_FINITE.get(text, text)


def _key(key):
    if isinstance(key, value_renderings.ENUM) and isinstance(key, (str, int, float)):
        key = key.value
    if isinstance(key, str):
        return key
    if key is None or key is True or key is False:
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        return _float(key).strip('"')
    return str.__str__(str(key))


def _sorted_if_possible(items):
    try:
        return sorted(items)
    except TypeError:
        return list(items)
