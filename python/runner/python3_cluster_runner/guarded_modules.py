"""What further modules of the standard library need before restricted code may use them; `guarded_library` says how.

logging    describes errors without the runner's frames, and formats with checked texts
warnings   `catch_warnings` holds the module `warnings` itself
pathlib    a PurePath holds the module that its names are taken apart with, and properties made by operator.attrgetter
argparse   reads and sets attributes whose names it is given
asyncio    has an event loop of ours
And those that hand out the standard streams, like pprint: what they find in their `sys` is a facade.
"""

import contextlib
import operator
import sys
from types import ModuleType

from . import attribute_guards, guarded_event_loop, guarded_streams, guarded_traceback, module_views, policy


class _SysView(guarded_streams.Streams, ModuleType):
    """The module `sys`, as far as it tells of the interpreter."""


class _SysOfLibrary(guarded_streams.Streams):
    """For modules that hand out its streams."""

    def __getattr__(self, name):
        return getattr(sys, name)


class _TracebackOfLogging:
    print_exception = staticmethod(guarded_traceback.print_exception)

    def __getattr__(self, name):
        import traceback

        return getattr(traceback, name)


def _prepare_logging(logging):
    def _format(self, record):
        values = {**(getattr(self, "_defaults", None) or {}), **record.__dict__}
        return attribute_guards.format_holder(self._fmt).format(**values)

    logging.StrFormatStyle._format = _format


def _prepare_warnings(warnings):
    real = warnings.catch_warnings
    if not isinstance(real, type):
        return  # done before

    @contextlib.contextmanager
    def catch_warnings(**settings):
        if settings.get("module") is not None:
            raise TypeError("catch_warnings() takes no module here")
        with real(**settings) as log:
            yield log

    catch_warnings.__doc__ = real.__doc__
    module_views.REPLACED["warnings"] = {"catch_warnings": catch_warnings}


def _prepare_pathlib(pathlib):
    """The module has been at `_flavour.pathmod`, `_flavour` (3.12) and `parser` (3.13), where it is compared by identity."""
    for kind in (pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath):
        for name, value in list(vars(kind).items()):
            if isinstance(value, property) and isinstance(value.fget, operator.attrgetter):
                setattr(kind, name, _as_function(value))
            elif isinstance(value, ModuleType):
                setattr(kind, name, _view_of(value))
            elif name == "_flavour":
                _show_views(type(value))
            elif name == "_globber":
                _take_files_from(value)
    names = pathlib.PurePath.joinpath.__globals__
    names.update({name: _view_of(names[name]) for name in ("posixpath", "ntpath") if name in names})


def _show_views(kind):
    for name, value in list(vars(kind).items()):
        if isinstance(value, ModuleType):
            setattr(kind, name, _view_of(value))


def _take_files_from(globber):
    """It matches patterns for PurePath and looks into folders for Path (3.13)."""
    for kind in globber.__mro__:
        for name, value in list(vars(kind).items()):
            function = value.__func__ if isinstance(value, staticmethod) else value
            if isinstance(function, (operator.attrgetter, operator.methodcaller)):
                setattr(kind, name, staticmethod(_closure(function)))
            elif getattr(function, "__module__", None) == "posix":
                setattr(kind, name, _refused(name))


def _view_of(module):
    return module_views.view_of(module, module.__name__)


def _closure(function):
    return lambda *arguments: function(*arguments)


def _refused(name):
    def refuse(*_arguments, **_settings):
        raise policy.in_force().effect_refusal(f"os.{name}")

    return staticmethod(refuse)


def _as_function(made_by_attrgetter):
    """The type of an attrgetter makes more of them."""
    return property(lambda path: made_by_attrgetter.fget(path), doc=made_by_attrgetter.__doc__)


def _prepare_asyncio(_asyncio):
    guarded_event_loop.prepare()


module_views.VIEW_TYPES["sys"] = _SysView
module_views.REPLACED["traceback"] = guarded_traceback.FUNCTIONS
_sys = _SysOfLibrary()
module_views.SHADOWS.update(
    argparse={
        "_sys": _sys,
        "getattr": attribute_guards.guarded_getattr,
        "setattr": attribute_guards.guarded_setattr,
        "hasattr": attribute_guards.guarded_hasattr,
    },
    logging={"sys": _sys, "traceback": _TracebackOfLogging()},
    pprint={"_sys": _sys},
    shlex={"sys": _sys},
)
module_views.SHADOWS["xml.etree.ElementTree"] = {"sys": _sys}
module_views.PREPARATIONS.update(
    logging=_prepare_logging, warnings=_prepare_warnings, pathlib=_prepare_pathlib, asyncio=_prepare_asyncio
)
