"""How values that JSON does not know are shown.

    bytes bytearray memoryview     their text if it is UTF-8, else "base64:…"
    datetime date time             isoformat();  timedelta: total_seconds()
    Decimal Fraction UUID complex Path        str()
    Enum                           its value (in values_out)
    dataclass                      object of its fields;  namedtuple: array (it is a tuple)
    exception                      "Type: message"
    range deque array              array
    numpy scalar, array            item(), tolist();  datetime64: ISO text;  timedelta64: seconds;  NaT: null
    pandas Series, Index, DataFrame           array, array, array of row objects;  Timestamp as datetime;  NaT, NA: null

Types are recognised by name along their bases, so nothing has to be imported to ask: if the module was never loaded, no
value of it can be here.
"""

import base64
import sys
from enum import Enum

ENUM = Enum

_module_of = type.__dict__["__module__"].__get__
_name_of = type.__dict__["__qualname__"].__get__


def render(value, expect):
    """`(True, simpler value)`, or `(False, None)`; `expect(n)` raises when n more bytes of JSON would be too many."""
    kind = type(value)
    for base in kind.__mro__[:-1]:
        rule = _RULES.get((_module_of(base), _name_of(base)))
        if rule is not None:
            return True, rule(value, expect)
    if hasattr(kind, "__dataclass_fields__") and "dataclasses" in sys.modules:
        return True, {field.name: getattr(value, field.name) for field in sys.modules["dataclasses"].fields(value)}
    return False, None


def _text(value, _expect):
    return str(value)


def _null(_value, _expect):
    return None


def _iso(value, _expect):
    return value.isoformat()


def _seconds(value, _expect):
    return value.total_seconds()


def _error(value, _expect):
    message = str(value)
    return f"{type(value).__name__}: {message}" if message else type(value).__name__


def _bytes(value, expect):
    expect(value.nbytes if isinstance(value, memoryview) else len(value))
    raw = bytes(value)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(raw).decode("ascii")


def _sized(value, expect):
    try:
        count = len(value)
    except OverflowError:  # a range longer than memory
        count = sys.maxsize
    expect(2 * count)
    return list(value)


def _numpy_scalar(value, _expect):
    kind = value.dtype.kind
    if kind == "M":
        text = str(value)
        return None if text == "NaT" else text
    if kind == "m":
        seconds = float(value / type(value)(1, "s"))
        return None if seconds != seconds else seconds
    item = value.item()
    return float(value) if type(item) is type(value) else item  # longdouble's item() is itself


def _numpy_array(value, expect):
    if value.ndim == 0:
        return value[()]
    expect(2 * value.size)
    # tolist() would turn times into bare integers and leave records as they are; those go item by item.
    return value.tolist() if value.dtype.kind in "biufcSU" else list(value)


def _pandas_column(value, expect):
    expect(2 * len(value))
    return list(value)


def _pandas_frame(value, expect):
    expect(2 * value.size)
    return value.to_dict(orient="records")


_RULES = {
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytes,
    ("builtins", "memoryview"): _bytes,
    ("builtins", "complex"): _text,
    ("builtins", "range"): _sized,
    ("builtins", "BaseException"): _error,
    ("collections", "deque"): _sized,
    ("array", "array"): _sized,
    ("datetime", "datetime"): _iso,
    ("datetime", "date"): _iso,
    ("datetime", "time"): _iso,
    ("datetime", "timedelta"): _seconds,
    ("decimal", "Decimal"): _text,
    ("fractions", "Fraction"): _text,
    ("uuid", "UUID"): _text,
    ("pathlib", "PurePath"): _text,
    ("pathlib._local", "PurePath"): _text,
    ("numpy", "generic"): _numpy_scalar,
    ("numpy", "ndarray"): _numpy_array,
    ("pandas._libs.tslibs.nattype", "NaTType"): _null,
    ("pandas._libs.missing", "NAType"): _null,
    ("pandas.core.series", "Series"): _pandas_column,
    ("pandas.core.indexes.base", "Index"): _pandas_column,
    ("pandas.core.arrays.base", "ExtensionArray"): _pandas_column,
    ("pandas.core.frame", "DataFrame"): _pandas_frame,
}
