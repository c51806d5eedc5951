"""Attributes that format strings read: `'{0.__globals__}'`."""

try:
    from _string import formatter_field_name_split, formatter_parser
except ImportError:  # another implementation of Python: format strings go unchecked

    def formatter_parser(_text):
        return ()


METHODS = ("format", "format_map")
_BuiltinMethod = type("".format)
_DESCRIPTORS = {str.format: str.format, str.format_map: str.format_map}


def attributes(text):
    """Names of attributes the text reaches for."""
    if "_" not in text:
        return  # none that any policy refuses
    try:
        for _, field, spec, _ in formatter_parser(text):
            if field:
                yield from (name for is_attribute, name in formatter_field_name_split(field)[1] if is_attribute)
            if spec:
                yield from attributes(spec)
    except ValueError:
        return  # not a format string; str.format will say so


def guarded(method, check):
    """`method`, an attribute called `format` or `format_map`: that of a string only if `check` passes what it reads."""
    if type(method) is _BuiltinMethod and isinstance(method.__self__, str):
        for name in attributes(str.__str__(method.__self__)):
            check(name)
        return method
    descriptor = _find_descriptor(method)
    if descriptor is None:
        return method

    def unbound(text, /, *args, **kwargs):
        if isinstance(text, str):
            for name in attributes(str.__str__(text)):
                check(name)
        return descriptor(text, *args, **kwargs)

    return unbound


def _find_descriptor(method):
    return next((known for known in _DESCRIPTORS if method is known), None)
