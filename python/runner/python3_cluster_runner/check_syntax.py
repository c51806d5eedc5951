"""The `check` kind: what the compiler says about code that is not run."""

import warnings

from .tracebacks import USER_FILE, complete_syntax_error, message_of, register_source


def find_errors(source):
    """A list with at most one error, `{line, column, message, severity}`; lines and columns from 1, 0 when unknown.

    Columns count characters.
    """
    register_source(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Parsing alone would miss `return` outside a function and its like, so the compiler has a say too.
            compile(source, USER_FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        complete_syntax_error(error)
        return [_entry(error.lineno, error.offset, error.msg)]
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return [_entry(0, 0, message_of(error) or type(error).__name__)]
    return []


def _entry(line, column, message):
    return {"line": line or 0, "column": max(column or 0, 0), "message": str(message), "severity": "error"}
