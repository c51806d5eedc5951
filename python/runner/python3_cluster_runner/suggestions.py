"""`Did you mean …?` of NameError and AttributeError, for interpreters that say it only where they print an error themselves.

From 3.12 on the `traceback` module says it. The rules are CPython's: the nearest name in the scope, then in the globals, then
among the builtins; the nearest attribute; nearest by the least cost of inserted, deleted and changed characters.
"""

import sys

IS_NEEDED = sys.version_info < (3, 12)

_CANDIDATES_MAX = 750
_LENGTH_MAX = 40
_CHANGE, _CHANGE_OF_CASE = 2, 1


def suggestion(error):
    """The name that was meant, or None. Objects of the caller's are asked for their names, which may raise anything."""
    wrong = getattr(error, "name", None)
    if type(wrong) is not str or len(wrong) > _LENGTH_MAX:
        return None
    for candidates in _scopes(error):
        found = _nearest(wrong, candidates)
        if found is not None:
            return found
    return None


def _scopes(error):
    if isinstance(error, AttributeError):
        if getattr(error, "obj", None) is not None:
            yield dir(error.obj)
    elif isinstance(error, NameError):
        step = error.__traceback__
        while step is not None and step.tb_next is not None:
            step = step.tb_next
        if step is not None:
            frame = step.tb_frame
            yield frame.f_code.co_varnames
            yield frame.f_globals
            yield frame.f_builtins


def _nearest(wrong, candidates):
    if len(candidates) >= _CANDIDATES_MAX:
        return None
    nearest, least = None, None
    for candidate in candidates:
        if type(candidate) is not str or candidate == wrong or len(candidate) > _LENGTH_MAX:
            continue
        bound = (len(wrong) + len(candidate) + 3) * _CHANGE // 6
        if least is not None:
            bound = min(bound, least - 1)
        cost = _cost(wrong, candidate, bound)
        if cost <= bound:
            nearest, least = candidate, cost
    return nearest


def _cost(source, target, bound):
    """Of making the one of the other; anything over `bound` where it is more."""
    if abs(len(source) - len(target)) * _CHANGE > bound:
        return bound + 1
    row = [index * _CHANGE for index in range(len(target) + 1)]
    for number, character in enumerate(source, 1):
        before, row[0] = row[0], number * _CHANGE
        for index, other in enumerate(target, 1):
            change = 0 if character == other else _CHANGE_OF_CASE if character.lower() == other.lower() else _CHANGE
            before, row[index] = row[index], min(before + change, row[index] + _CHANGE, row[index - 1] + _CHANGE)
        if min(row) > bound:
            return bound + 1
    return row[-1]
