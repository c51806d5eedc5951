"""JSON to text, with the C encoder held ready instead of made anew per call as `json.dumps` does.

In a freshly forked child every object touched is a page copied; this is the path of every frame and every plain value.
Private CPython API with a public fallback of the same meaning: ASCII only, no spaces, no check for cycles.
"""

import json
import json.encoder

quote = json.encoder.encode_basestring_ascii


def _refuse(value):
    raise TypeError(f"{type(value).__name__} is not JSON")


def _create_encoder(allow_nan):
    make = json.encoder.c_make_encoder
    if make is None:
        encoder = json.JSONEncoder(check_circular=False, allow_nan=allow_nan, separators=(",", ":"))
        return lambda value, _level: (encoder.encode(value),)
    # markers, default, encoder, indent, key_separator, item_separator, sort_keys, skipkeys, allow_nan
    return make(None, _refuse, quote, None, ":", ",", False, False, allow_nan)


_chunks = _create_encoder(allow_nan=False)


def encode(value):
    """Dicts, lists and plain scalars only; ValueError for nan and the infinities."""
    return "".join(_chunks(value, 0))
