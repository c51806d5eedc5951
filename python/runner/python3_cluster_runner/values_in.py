"""The payload: JSON as the caller sent it, into exact Python values.

Integers of any length stay exact, `1.0` stays a float, `1e400` is inf, of two equal keys the last one counts, and lone
surrogates survive. Node never touched these bytes; the signature covers them.
"""

import json
import sys
from keyword import iskeyword

_set_int_max_str_digits = getattr(sys, "set_int_max_str_digits", None)
_scan = json.JSONDecoder(strict=False).scan_once  # C; `decode` runs two regular expressions around it

_BYTE_ORDER_MARK = "\ufeff"
_MEMBERS = {
    "exec": (("code", str), ("variables", dict)),
    "eval": (("expression", str), ("variables", dict)),
    "call": (("module", str), ("function", str), ("args", list), ("kwargs", dict)),
    "check": (("code", str),),
}


def allow_any_digits():
    """For our own reading and writing of numbers only; returns what `restore_digits` needs to undo it."""
    if _set_int_max_str_digits is None:
        return None
    limit = sys.get_int_max_str_digits()
    _set_int_max_str_digits(0)
    return limit


def restore_digits(limit):
    if limit is not None:
        _set_int_max_str_digits(limit)


def parse_payload(kind, payload):
    """A dict of the members of this kind, containers defaulting to empty; ValueError when it is something else."""
    # surrogatepass: bytes that were valid for the API are not ours to refuse.
    text = payload.decode("utf-8", "surrogatepass").strip(" \t\r\n")
    limit = allow_any_digits()
    try:
        sent, end = _scan(text, 0)
    except StopIteration as error:
        raise json.JSONDecodeError("Expecting value", text, error.value) from None
    finally:
        restore_digits(limit)
    if end != len(text):
        raise ValueError(f"the payload is not JSON: more text after character {end}")
    if type(sent) is not dict:
        raise ValueError("the payload is not an object")
    request = {}
    for name, kind_of in _MEMBERS[kind]:
        value = sent.get(name)
        if value is None and kind_of is not str:
            value = kind_of()
        if type(value) is not kind_of:
            raise ValueError(f"'{name}' is missing or of the wrong type")
        request[name] = value
    for name in ("code", "expression"):
        if name in request and request[name].startswith(_BYTE_ORDER_MARK):
            request[name] = request[name][1:]  # as Python does with a file
    names = request.get("variables") or request.get("kwargs")
    if names:
        for name in names:
            if not name.isascii():
                names = _normalise(request, "variables" if "variables" in request else "kwargs")
                break
        for name in names if "variables" in request else ():
            if not name.isidentifier() or iskeyword(name) or (name.startswith("__") and name.endswith("__")):
                raise ValueError(f"{name[:80]!r} cannot be the name of a variable")
    return request


def _normalise(request, member):
    """As Python does with the names in a program (PEP 3131), which would not find them otherwise."""
    from unicodedata import normalize  # as late as the compiler loads it

    names = {}
    for name, value in request[member].items():
        normal = normalize("NFKC", name)
        if normal in names:
            raise ValueError(f"two names of '{member}' are {normal[:80]!r} to Python")
        names[normal] = value
    request[member] = names
    return names
