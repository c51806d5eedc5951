"""Parts of the standard library that an interpreter may come without."""

import importlib


def skip_without_sqlite(test, code):
    """Python unpacked beside the system has no libsqlite3 of its own, and an attack on what is not there proves nothing."""
    if "sqlite3" not in code:
        return
    try:
        importlib.import_module("_sqlite3")
    except ImportError as error:
        test.skipTest(f"this interpreter has no sqlite3: {error}")
