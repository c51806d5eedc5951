"""What a run says of its own time: when it compiled, when it executed, and the spans that the program opens.

    import python3_trace as trace
    with trace.span("load", {"rows": 10}) as span:
        span.set("source", "historian")

`python3_trace` is offered in both modes, and does nothing where nobody asked for spans. It never raises, whatever it is
given: what is beyond the bounds is left out and counted. The worker does not believe the result more than anything else
that a child says (docs/wire-protocol.md §1.2): it checks the list, and makes the ids.
"""

import sys
import time
from _contextvars import ContextVar
from types import ModuleType

from .json_text import encode, quote

MODULE_NAME = "python3_trace"
SPANS_MAX = 64
NAME_MAX = 128
ATTRIBUTES_MAX = 16
KEY_MAX = 64
VALUE_MAX = 256
CHARACTERS_MAX = 16_384
_BYTES_MAX = 16_384  # as JSON: with the longest error a header still holds it
_INT_MAX = 1 << 53  # what the other side can tell exactly
_OWN_PREFIX = "python3."

_now, _encode, _quote = time.time_ns, encode, quote
_parent = ContextVar("python3_trace", default=-1)  # so that threads and generators do not nest in one another
_recorder = None  # of the run, if its spans are wanted


class _Recorder:
    __slots__ = ("started", "compiled", "executed", "compiles", "spans", "dropped", "left")

    def __init__(self):
        self.started = _now()
        self.compiled = self.executed = 0
        self.compiles = True
        self.spans = []  # [name, parent, start, end, attributes, error type]
        self.dropped = 0
        self.left = CHARACTERS_MAX


def begin(is_wanted):
    global _recorder
    _recorder = _Recorder() if is_wanted else None


def compiled(is_anything=True):
    recorder = _recorder
    if recorder is not None:
        recorder.compiled = _now()
        recorder.compiles = is_anything


def executed():
    recorder = _recorder
    if recorder is not None:
        recorder.executed = _now()


def take():
    """All of it as a further member of the result's JSON, once; empty where nobody asked, or where there is no memory."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is None:
        return ""
    try:
        return _format(recorder)
    except BaseException:
        return ""


def _format(recorder):
    end = recorder.executed or _now()
    ran = recorder.compiled
    compile_span = "[%d,%d]" % (recorder.started // 1000, (ran or end) // 1000) if recorder.compiles else "null"
    execute_span = "[%d,%d]" % (ran // 1000, end // 1000) if ran else "null"
    if not recorder.spans:
        return ',"spans":{"compile":%s,"execute":%s,"user":[],"dropped":%d}' % (compile_span, execute_span, recorder.dropped)
    texts, left, dropped = [], _BYTES_MAX, recorder.dropped
    for span in recorder.spans:
        if not span[3]:
            span[3] = end  # left open
        text = _encode([span[0], span[1], span[2] // 1000, span[3] // 1000, span[4], span[5]])
        left -= len(text) + 1
        if left < 0:  # those behind it too, as its place in the list is a parent's number
            dropped += len(recorder.spans) - len(texts)
            break
        texts.append(text)
    return ',"spans":{"compile":%s,"execute":%s,"user":[%s],"dropped":%d}' % (
        compile_span, execute_span, ",".join(texts), dropped,
    )  # fmt: skip


def _spend(recorder, text):
    """Whether there is room for it. Counted as the worker counts, which is in UTF-16."""
    cost = len(text) if text.isascii() else 2 * len(text)
    if cost > recorder.left:
        return False
    recorder.left -= cost
    return True


def _is_key(key):
    return (
        type(key) is str
        and 0 < len(key) <= KEY_MAX
        and key.isascii()
        and key[0].isalpha()
        and key.replace(".", "_").replace("-", "_").isidentifier()
        and not key.startswith(_OWN_PREFIX)
    )


def _clean(value):
    """The value as a span may hold it, or None. No method of the program's is called for it."""
    kind = type(value)
    if kind is str:
        return value[:VALUE_MAX]
    if kind is bool:
        return value
    if kind is int:
        return value if -_INT_MAX < value < _INT_MAX else None
    if kind is float:
        return value if value - value == 0 else None  # neither nan nor infinite
    return None


class Span:
    """A part of the run's time, for use with `with`."""

    __slots__ = ("_name", "_given", "_entry", "_token")

    def __init__(self, name, attributes):
        self._name = name
        self._given = attributes
        self._entry = self._token = None

    def __enter__(self):
        recorder = _recorder
        if recorder is None or self._entry is not None:
            return self
        name = self._name
        if type(name) is not str or not name or len(recorder.spans) >= SPANS_MAX or not _spend(recorder, name[:NAME_MAX]):
            recorder.dropped += 1
            return self
        self._entry = entry = [name[:NAME_MAX], _parent.get(), 0, 0, {}, None]
        if type(self._given) is dict:
            for key, value in self._given.items():
                self.set(key, value)
        self._token = _parent.set(len(recorder.spans))
        recorder.spans.append(entry)
        entry[2] = _now()
        return self

    def set(self, key, value):
        """Sets an attribute: a text, a number or a bool. Anything else is left out and counted."""
        recorder, entry = _recorder, self._entry
        if recorder is None or entry is None or entry[3]:
            return
        attributes, cleaned = entry[4], _clean(value)
        if cleaned is None or not _is_key(key) or key not in attributes and len(attributes) >= ATTRIBUTES_MAX:
            recorder.dropped += 1
        elif _spend(recorder, key) and (type(cleaned) is not str or _spend(recorder, cleaned)):
            attributes[key] = cleaned
        else:
            recorder.dropped += 1

    def __exit__(self, kind, _error, _traceback):
        entry = self._entry
        if entry is None or entry[3]:
            return
        entry[3] = _now()
        if kind is not None:
            name = _class_name(kind)
            if _recorder is not None and _spend(_recorder, name):
                entry[5] = name
        if self._token is not None:
            try:
                _parent.reset(self._token)
            except ValueError:
                pass  # left in another context than it was entered in
            self._token = None


_class_name_of = type.__dict__["__name__"].__get__


def _class_name(kind):
    """Without asking its metaclass, which may be the program's."""
    return _class_name_of(kind)[:NAME_MAX]


def span(name, attributes=None):
    """A span for use with `with`; its parent is the one that is open. `attributes`: a dict of texts, numbers and bools."""
    return Span(name, attributes)


def _create_module():
    module = ModuleType(MODULE_NAME, "Spans in the trace of this job. See docs/tracing.md of python3-cluster.")
    module.span = span
    module.__all__ = ["span"]
    Span.__module__ = span.__module__ = MODULE_NAME
    return module


_module = _create_module()


def offer():
    """Makes it importable by name."""
    sys.modules[MODULE_NAME] = _module
