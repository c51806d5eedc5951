"""Functions that the interpreter calls around a fork (`os.register_at_fork`), which Python lets nobody list or take out.

They stand in three lists of the interpreter's, found as `interpreter_state` finds its tables: by what refers to a function of
ours in them. Two things come of that:

In the template, those of `random` and `threading` are set aside. They make each child write to 90 pages, a fifth of all a small
job costs, to say what a template knows: it has one thread, which holds no lock, and children draw their own numbers
(child.py). They are put back in a child when it forks itself, or is kept.

In a kept child, what a program has registered is taken out after its call; what modules have registered stays with them.
"""

import _random
import _thread
import gc
import os
import sys
from types import FunctionType, ModuleType as _Module

_modules, _get_native_id = sys.modules, _thread.get_native_id
_seed, _random_bytes, _int_of = _random.Random.seed, os.urandom, int.from_bytes
_SEED_BYTES = 32
_generator = None  # of `random`, where that was imported
_main_thread = None  # whose native id Python sets anew after a fork, in versions that do

_aside = []  # (place, function), of those called in a new process


def _put_back_in_time():
    """Called before each fork. The list of those to be called in the new process is read after it."""
    if _is_child:
        put_back()


def _in_parent():
    pass


def _in_new_process():
    pass


def _find_list(function):
    """An empty one, which nobody reads, where the interpreter's is not to be found."""
    for table in gc.get_referrers(function):
        if type(table) is list:
            return table
    return []


_is_child = False
os.register_at_fork(before=_put_back_in_time, after_in_parent=_in_parent, after_in_child=_in_new_process)
_lists = tuple(map(_find_list, (_put_back_in_time, _in_parent, _in_new_process)))
_before, _after_in_parent, _after_in_child = _lists
ARE_KNOWN = all(_lists)
if ARE_KNOWN:
    _after_in_parent.remove(_in_parent)
    _after_in_child.remove(_in_new_process)


def set_aside(ours):
    """In the template, when all is imported. `ours`: a function of the runner's that only copies of a child need."""
    global _generator, _main_thread
    known = [ours]
    random, threading = _modules.get("random"), _modules.get("threading")
    if random is not None:
        _generator = random._inst
        known.append(_generator.seed)
    if threading is not None:
        known.append(threading._after_fork)
        if "_set_native_id" in threading._after_fork.__code__.co_names:
            _main_thread = threading.main_thread()
    _aside[:] = [(place, function) for place, function in enumerate(_after_in_child) if function in known]
    for place, _ in reversed(_aside):
        del _after_in_child[place]


def begin_child():
    """In a child: what the functions set aside would have done for it."""
    global _is_child
    _is_child = True
    if _main_thread is not None:
        _main_thread._native_id = _get_native_id()
    if _generator is not None:
        # By itself `seed` asks the kernel for 2,496 bytes.
        _seed(_generator, _int_of(_random_bytes(_SEED_BYTES), "little"))
        _generator.gauss_next = None


def put_back():
    for place, function in _aside:
        _after_in_child.insert(place, function)
    _aside.clear()


class ForkHooks:
    def __init__(self):
        """Before any code of the caller's."""
        put_back()
        self._kept = [list(functions) for functions in _lists]
        self._imported = set(_modules)

    def restore(self):
        """Returns whether something of the program's was taken out."""
        changed = False
        for number, functions in enumerate(_lists):
            if functions != self._kept[number]:
                before = self._kept[number]
                kept = [function for function in functions if function in before or is_of_module(function, self._imported)]
                changed = changed or len(kept) != len(functions)
                functions[:] = self._kept[number] = kept
        if len(_modules) != len(self._imported):
            self._imported = set(_modules)
        return changed


def is_of_module(function, imported=()):
    """Whether a module that stays has it: as a function of its own, or as a method of an object that it has.

    Not one of those `imported` before the program ran: modules register what they need when they are imported.
    """
    if type(function) is FunctionType:
        name = function.__globals__.get("__name__")
        module = _modules.get(name)
        return name != "__main__" and name not in imported and module is not None and vars(module) is function.__globals__
    owner = getattr(function, "__self__", None)
    if owner is None or type(owner) is _Module:
        return False  # of a builtin function nobody can tell who registered it
    return any(
        value is owner
        for name, module in list(_modules.items())
        if name != "__main__" and name not in imported and type(module) is _Module
        for value in list(vars(module).values())
    )
