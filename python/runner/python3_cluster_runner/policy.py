"""What a mode lets code do: decisions and their wording.

`policy_syntax` finds the uses in the text; at run time `guarded_builtins`, `module_views` and `guarded_library` decide what
the code can name, and `guarded_effects` what it can do. This is a fence with signs on it, not the wall: the kernel is the
boundary (ARCHITECTURE.md, "Modes are enforced by the kernel"). Its job is to tell honest authors early, by *meaning*, what
restricted mode refuses and how to get it, and never to trip over a variable called `direction` or a comment that says
"open". Which modules are allowed or blocked comes with each run; the single source of both lists is the worker's
configuration. What is refused, in which words: docs/restricted-mode.md, which the tests read.

A refusal says what is refused, what can be done instead (`alternatives`), how to get ADMIN mode, and last which modules are
allowed.

Dunder names. As attributes or plain names: operators and other data-model methods that only act on the object at hand,
and a few descriptive strings. `x.__class__` is what `type(x)` gives, `__traceback__` what `__exit__` is given. `__dict__` goes
through a check of its own (`own_attributes`). Not: whatever leads from an object to other classes, frames, code, globals or
modules (`__subclasses__`, `__globals__`, `__self__`, `__getattribute__`, `__match_args__` …).
"""

from . import alternatives, curated_modules

_START = "SECURITY ERROR: Security violation: "
_ADMIN_HINT = (
    '\nTo run this, use ADMIN mode: send "mode": "admin" with an admin key, or the header X-Python3-Admin-Key.'
)

_BLOCKED_HINT = "\nWhich modules are, the setting PYTHON3_BLOCKED_MODULES of the worker nodes says."

REFUSED_BUILTINS = frozenset(
    "eval exec compile open input __import__ breakpoint globals locals vars help".split()
)

# Builtins that programs cannot name; see policy_syntax.
FORMAT_HOLDER = "__python3_cluster_format__"
DICT_HOLDER = "__python3_cluster_dict__"
MRO_HOLDER = "__python3_cluster_mro__"

_METHODS = frozenset(
    f"__{name}__"
    for name in """
    new init post_init init_subclass del call repr str bytes format bool hash len length_hint
    eq ne lt le gt ge contains getitem setitem delitem missing iter next reversed class_getitem
    enter exit aenter aexit aiter anext await
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor neg pos abs invert
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand ror rxor
    iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ior ixor
    int float complex index round trunc floor ceil
    setattr delattr get set delete set_name prepare instancecheck subclasscheck subclasshook
    copy deepcopy fspath dir sizeof
    """.split()
)
_DESCRIPTIONS = frozenset(
    f"__{name}__"
    for name in """
    name qualname module doc version author all slots annotations members cause context notes debug
    license email copyright date status maintainer credits contact
    suppress_context class traceback args origin total required_keys optional_keys dataclass_fields
    """.split()
)
ALLOWED_DUNDERS = _METHODS | _DESCRIPTIONS
DEFINABLE = frozenset(
    "__getattr__ __getstate__ __setstate__ __reduce__ __getnewargs__ __mro_entries__ __replace__".split()
)  # a program may give its classes these methods; calling them is Python's business (`__getattr__` of a generic alias of
# typing's reads whatever it is told of whatever it was made for)
READ_ONLY = frozenset(("__class__", "__dict__"))  # may follow a dot, and may not be defined

INTERNALS = frozenset(
    """
    gi_frame gi_code gi_yieldfrom cr_frame cr_code cr_await cr_origin ag_frame ag_code ag_await
    f_back f_builtins f_code f_globals f_locals f_trace tb_frame tb_next
    co_code co_consts co_names co_varnames func_code func_globals func_closure mro _convert_
    """.split()
)

_in_force = None  # of the one job of this process


def use(policy):
    global _in_force
    _in_force = policy


def in_force():
    return _in_force


def is_dunder(name):
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


class SecurityError(Exception):
    """A refusal. `line` is where, when the syntax tree told."""

    def __init__(self, message, line=None):
        super().__init__(message)
        self.line = line


class RefusedImport(SecurityError, ModuleNotFoundError):
    """Of a module: `except ImportError` has it, as programs expect that can do without the module."""


RefusedImport.__name__ = SecurityError.__name__  # what authors are told


class Policy:
    def __init__(self, mode, allowed_modules, blocked_modules):
        self.is_restricted = mode == "restricted"
        self._allowed = allowed_modules  # lists as they came: sets of them would cost a child 20 µs
        self._blocked = blocked_modules

    def mentions_blocked_module(self, source):
        for name in self._blocked:
            if name in source:
                return True
        return False

    def module_refusal(self, name, verb="Import of"):
        """Why `name` may not be imported, or None. Relative imports have no name to allow."""
        top = name.partition(".")[0]
        if top in self._blocked:
            reason = f"Module '{top}' is always blocked for security reasons"
            alternative = alternatives.to_module(name) if self.is_restricted else ""
            return self._refusal(reason, alternative, hint=_BLOCKED_HINT, module=name)
        if self.is_restricted and not self._allows(name, top):
            shown = name if not top or self._allows(top, top) else top
            return self._refusal(
                f"{verb} '{shown}' requires Administrator role",
                alternatives.to_module(name) if top else "",
                module=name,
            )
        return None

    def call_refusal(self, name):
        """The same for the module of a `call`, in the predecessor's other wording."""
        top = name.partition(".")[0]
        if self.is_restricted and top not in self._blocked and not self._allows(name, top):
            return self._refusal(
                f"Module '{name}' requires Administrator role", alternatives.to_module(name), module=name, start="SECURITY ERROR: "
            )
        return self.module_refusal(name)

    def _allows(self, name, top):
        allowed = self._allowed
        if name == top:
            if top in allowed:
                return True
        else:
            package = name
            while package:
                if package in allowed:
                    return True
                if curated_modules.is_own_matter(package):
                    break
                package = package.rpartition(".")[0]
        below = name + "."
        return any(other.startswith(below) for other in allowed)  # a package above an allowed module

    def attribute_refusal(self, name):
        if self.is_restricted and (is_dunder(name) and name not in ALLOWED_DUNDERS or name in INTERNALS):
            return self._refusal(f"Use of attribute '{name}' requires Administrator role", alternatives.to_attribute(name))
        return None

    def change_refusal(self, name):
        """Of an attribute to be set or deleted."""
        if self.is_restricted and name in READ_ONLY:
            return self._refusal(f"Use of attribute '{name}' requires Administrator role")
        return self.attribute_refusal(name)

    def private_refusal(self, module, name):
        return self._refusal(f"Use of private attribute '{module}.{name}' requires Administrator role")

    def module_attribute_refusal(self, module, name):
        return self.builtin_refusal(name) or self._refusal(
            f"Use of attribute '{module}.{name}' requires Administrator role", alternatives.to_member(module, name)
        )

    def effect_refusal(self, event):
        return self._refusal(f"Use of '{event}' requires Administrator role", alternatives.to_effect(event))

    def pattern_refusal(self, name):
        return self._refusal(f"Binding attribute '{name}' in a class pattern requires Administrator role")

    def text_refusal(self, name):
        return self._refusal(f"Use of '{name}' in the text of an annotation or a field requires Administrator role")

    def name_refusal(self, name, binds=False):
        if self.is_restricted and is_dunder(name) and (name not in ALLOWED_DUNDERS or binds and name in READ_ONLY):
            return self._refusal(f"Use of name '{name}' requires Administrator role", alternatives.to_attribute(name))
        return None

    def builtin_refusal(self, name):
        if self.is_restricted and name in REFUSED_BUILTINS:
            return self._refusal(f"Function '{name}' requires Administrator role", alternatives.to_function(name))
        return None

    def _refusal(self, reason, alternative="", *, hint=_ADMIN_HINT, module=None, start=_START):
        text = f"{start}{reason}{'. ' if alternative else ''}{alternative}{hint}"
        if module is None:
            return SecurityError(text)
        refusal = RefusedImport(text if hint is _BLOCKED_HINT else f"{text}\nAllowed modules: {sorted(set(self._allowed))}")
        refusal.name = module
        return refusal
