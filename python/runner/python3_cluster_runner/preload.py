"""Imports done once in the template, so that no child has to, and proof that they left nothing a fork would break."""

import gc
import importlib
import os

from . import hole_filling, standard_streams


class PreloadRefused(Exception):
    """The template must not serve. `code` is part of the wire contract."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def import_preload(names):
    """Import every name in order; raises PreloadRefused.

    Nothing is skipped: a template without a module it was asked to have would make every job slow, silently.
    """
    gc.disable()  # no holes in the pages the children will share
    descriptors = open_descriptors()
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # SystemExit at import time must not pass for a clean stop
            raise PreloadRefused(
                "PRELOAD_IMPORT_FAILED", f"module '{name}' cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if _thread_count() > 1:
            raise PreloadRefused("TEMPLATE_HAS_THREADS", f"module '{name}' started threads, which a fork would lose")
        extra = open_descriptors() - descriptors
        if extra:
            raise PreloadRefused(
                "TEMPLATE_HAS_DESCRIPTORS",
                f"module '{name}' left descriptors open: {', '.join(map(_describe, sorted(extra)))}",
            )
    standard_streams.flush()  # what a module said while it was imported is no output of a job


def settle():
    """After all else that precedes the first fork: a layout of memory that children disturb as little as can be."""
    gc.collect()
    hole_filling.fill_holes()
    gc.freeze()  # a child's collections no longer write to (and so copy) the pages of all this


def _thread_count():
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def open_descriptors():
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return set()
    found = set()
    for name in names:
        try:
            os.fstat(int(name))
        except OSError:
            continue  # the descriptor of the listing itself
        found.add(int(name))
    return found


def _describe(descriptor):
    try:
        return f"{descriptor} ({os.readlink(f'/proc/self/fd/{descriptor}')})"
    except OSError:
        return str(descriptor)
