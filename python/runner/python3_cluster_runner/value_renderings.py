"""How values that JSON does not know are shown.

    bytes bytearray memoryview     their text if it is UTF-8, else "base64:…"
    datetime date time             isoformat();  timedelta: total_seconds()
    Decimal Fraction UUID complex Path        str()
    Enum                           its value (in values_out)
    dataclass                      object of its fields;  namedtuple: array (it is a tuple)
    exception                      "Type: message"
    range deque array              array
    numpy scalar, array            item(), tolist();  datetime64: ISO text;  NaT, masked: null;  record: array
    numpy timedelta64              seconds;  of years and months: "P2Y", "P3M";  without a unit: its number
    pandas Index, Series, DataFrame           array, array, array of row objects;  Timestamp as datetime;  NaT, NA: null
                                   an index that says something: Series as row objects too, index columns first

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
        return _numpy_duration(value)
    if kind == "V" and value.dtype.names:
        return [value[name] for name in value.dtype.names]  # item() would turn times into bare integers
    item = value.item()
    if type(item) is not type(value):
        return item
    return complex(value) if kind == "c" else float(value)  # of long doubles, item() is the value itself


# Unit → how many of them are a second, or how many seconds it is.
_PARTS = {"ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "D": 86400, "W": 604800}


def _numpy_duration(value):
    """Counted in integers: numpy itself cannot divide months by seconds, and overflows."""
    if str(value) == "NaT":
        return None
    unit, step = sys.modules["numpy"].datetime_data(value.dtype)
    count = int(value.astype("int64")) * step
    if unit in _PARTS:
        return count / _PARTS[unit]
    if unit in _SECONDS:
        return float(count * _SECONDS[unit])
    if unit in "YM":
        return f"{'-' if count < 0 else ''}P{abs(count)}{unit}"
    return count


def _numpy_array(value, expect):
    if value.ndim == 0:
        return value[()] if value.dtype.names is None else _numpy_scalar(value, expect)
    expect(2 * value.size)
    # tolist() would turn times into bare integers and leave records as they are; those go item by item.
    return value.tolist() if value.dtype.kind in "biufcSU" else list(value)


def _numpy_matrix(value, expect):
    return _numpy_array(sys.modules["numpy"].asarray(value), expect)  # rows of a matrix are matrices


def _pandas_index(value, expect):
    expect(2 * len(value))
    return list(value)


def _pandas_series(value, expect):
    expect(2 * len(value))
    if not _says_something(value.index):
        return list(value)
    name = value.name if isinstance(value.name, str) else "value"
    names = [*_index_names(value.index, [name]), name]
    _check_unique(names, "Series")
    index = value.index if value.index.nlevels > 1 else ((entry,) for entry in value.index)
    return [dict(zip(names, (*entries, item))) for entries, item in zip(index, value)]


def _pandas_frame(value, expect):
    columns = list(value.columns)
    expect(2 * value.size)
    if _says_something(value.index):
        names = _index_names(value.index, columns)
        columns = [*names, *columns]
    _check_unique(columns, "DataFrame")
    if len(columns) > len(value.columns):
        value = value.set_axis(value.index.set_names(names), axis="index").reset_index()
    return value.to_dict(orient="records")


def _says_something(index):
    """More than the numbers of rows, which is what is left of those when rows were filtered or sorted."""
    return index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu"


def _index_names(index, columns):
    """As `reset_index` names them."""
    if index.nlevels == 1:
        first = index.name
        return [first if first is not None else "index" if "index" not in columns else "level_0"]
    return [name if name is not None else f"level_{level}" for level, name in enumerate(index.names)]


def _check_unique(names, kind):
    seen = set()
    for name in names:
        if name in seen:
            raise DuplicateNameError(f"the {kind} has two columns named {name!r}, which one object cannot hold")
        seen.add(name)


class DuplicateNameError(ValueError):
    """Two values under one name of a JSON object."""

    __module__ = "builtins"


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
    ("numpy", "matrix"): _numpy_matrix,
    ("numpy.ma.core", "MaskedConstant"): _null,
    ("numpy.ma", "MaskedConstant"): _null,
    ("numpy", "ndarray"): _numpy_array,
    ("pandas._libs.tslibs.nattype", "NaTType"): _null,
    ("pandas._libs.missing", "NAType"): _null,
    ("pandas.core.series", "Series"): _pandas_series,
    ("pandas.core.indexes.base", "Index"): _pandas_index,
    ("pandas.core.arrays.base", "ExtensionArray"): _pandas_index,
    ("pandas.core.frame", "DataFrame"): _pandas_frame,
    ("pandas", "Series"): _pandas_series,
    ("pandas", "Index"): _pandas_index,
    ("pandas", "DataFrame"): _pandas_frame,
}
