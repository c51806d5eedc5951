"""A Python value as the JSON text of a result: exact where JSON can be, by documented renderings where it cannot.

    None bool int float str      as JSON; integers of any size, -0.0 and 1.0 as they are, lone surrogates as escapes
    nan, inf, -inf               "NaN", "Infinity", "-Infinity"
    list tuple deque array range views        array; set, frozenset: array, sorted if its items can be
    dict, Mapping                object; keys: str as is, int float bool None as JSON writes them, others str()
    everything in value_renderings.py         see there; anything else str()

One pass, which stops at the first byte too many, at a cycle, at a depth of 200, or where two keys are one name. Runs of
plain scalars are handed to the C encoder in pieces; that is where nearly all the time of a large value goes.
"""

import warnings
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from itertools import islice

from . import json_text, value_renderings
from .value_renderings import DuplicateNameError
from .values_in import allow_any_digits, restore_digits

DEPTH_MAX = 200
_PIECE = 512
_STEPS_SHOWN = 12
_NAME_SHOWN = 80

_SMALL = 1 << 60
_text_of_int = int.__repr__
_quote = json_text.quote
_PLAIN = frozenset((type(None), bool, int, float, str))
_NON_FINITE = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


class CircularReferenceError(ValueError):
    """The value contains itself."""

    __module__ = "builtins"  # as programs and tracebacks see it


class ValueTooDeepError(ValueError):
    """Containers nested more than DEPTH_MAX deep."""

    __module__ = "builtins"


class ValueTooLargeError(ValueError):
    """More bytes of JSON than the job may return."""

    __module__ = "builtins"


class NotRendered(Exception):
    """`error` kept the value from being rendered; `place` is where in it."""

    def __init__(self, error, place):
        super().__init__()
        self.error = error
        self.place = place


def encode_value(value, bytes_max):
    """UTF-8 JSON. Raises NotRendered for one of the errors above, or what the caller's own `__str__` and its like raise."""
    text = _encode_small(value)
    if text is not None and len(text) <= bytes_max:
        return text.encode("ascii")
    limit = allow_any_digits()
    encoder = _Encoder(bytes_max)
    try:
        encoder.encode(value, 0)
        return "".join(encoder.parts).encode("ascii")
    except MemoryError:
        raise
    except BaseException as error:
        raise NotRendered(error, encoder.place()) from None
    finally:
        encoder.hear_warnings()
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
        self._steps = []  # from a failure outwards
        self._silence = None

    def place(self):
        """Where in the value the failure is, as one would write it."""
        steps = self._steps[::-1]
        if len(steps) > _STEPS_SHOWN:
            steps[_STEPS_SHOWN // 2 : -_STEPS_SHOWN // 2] = [" … "]
        return "result" + "".join(steps)

    def _ignore_warnings(self):
        """What libraries warn of here is no doing of the program's."""
        self._silence = warnings.catch_warnings()
        self._silence.__enter__()
        warnings.simplefilter("ignore")

    def hear_warnings(self):
        if self._silence is not None:
            self._silence.__exit__(None, None, None)

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
        if self._silence is None:
            self._ignore_warnings()
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
                try:
                    self.encode(item, depth + 1)
                except BaseException:
                    self._steps.append(f"[{start + index}]")
                    raise
        self._write("]")
        self._ancestors.discard(key)

    def _encode_mapping(self, value, mapping, depth):
        key = self._enter(value, depth)
        self._expect(4 * len(mapping))
        self._write("{")
        items = iter(mapping.items())
        # Only here can two keys be one name.
        names = None if type(mapping) is dict and all(type(name) is str for name in mapping) else {}
        first = True
        while piece := list(islice(items, _PIECE)):
            if not first:
                self._write(",")
            first = False
            if names is None:
                self._expect(sum(len(name) for name, _ in piece))
                plain = self._plain([item for _, item in piece], dict(piece), len(piece))
                if plain is not None:
                    self._write(plain[1:-1])
                    continue
            for index, (key_of_item, item) in enumerate(piece):
                if index:
                    self._write(",")
                name = _key(key_of_item)
                if names is not None:
                    self._note_name(names, name, key_of_item)
                self._write(_quote(name) + ":")
                try:
                    self.encode(item, depth + 1)
                except BaseException:
                    self._steps.append(f"[{_quote(name[:_NAME_SHOWN])}]")
                    raise
        self._write("}")
        self._ancestors.discard(key)

    def _note_name(self, names, name, key):
        if name in names:
            raise DuplicateNameError(
                f"two keys are the name {_quote(name[:_NAME_SHOWN])} in JSON: {_shown(names[name])} and {_shown(key)}"
            )
        names[name] = key

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


def _shown(key):
    return repr(key)[:_NAME_SHOWN]


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
