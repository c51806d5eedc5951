"""What a mode lets code do: decisions and their wording.

`policy_syntax` finds the uses in the text; at run time `guarded_builtins`, `module_views` and `guarded_library` decide what
the code can name, and `guarded_effects` what it can do. This is a fence with signs on it, not the wall: the kernel is the
boundary (ARCHITECTURE.md, "Modes are enforced by the kernel"). Its job is to tell honest authors early, by *meaning*, what
restricted mode refuses and how to get it, and never to trip over a variable called `direction` or a comment that says
"open". Which modules are allowed or blocked comes with each run; the single source of both lists is the worker's
configuration. What is refused, in which words: docs/restricted-mode.md, which the tests read.

Dunder names. As attributes or plain names: operators and other data-model methods that only act on the object at hand,
and a few descriptive strings. Not: whatever leads from an object to classes, frames, code, globals or modules
(`__class__`, `__subclasses__`, `__globals__`, `__dict__`, `__self__`, `__getattribute__`, `__match_args__` …).
"""

_ADMIN_HINT = (
    '\nTo run this, use ADMIN mode: send "mode": "admin" with an admin key, or the header X-Python3-Admin-Key.'
)

_BLOCKED_HINT = "\nWhich modules are, the setting PYTHON3_BLOCKED_MODULES of the worker nodes says."

REFUSED_BUILTINS = frozenset(
    "eval exec compile open input __import__ breakpoint globals locals vars help".split()
)

FORMAT_HOLDER = "__python3_cluster_format__"  # a builtin that programs cannot name; see policy_syntax

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
    copy deepcopy fspath
    """.split()
)
_DESCRIPTIONS = frozenset(
    "__name__ __qualname__ __module__ __doc__ __version__ __author__ __all__ __slots__ __annotations__ "
    "__members__ __cause__ __context__ __notes__ __debug__".split()
)
ALLOWED_DUNDERS = _METHODS | _DESCRIPTIONS
DEFINABLE = frozenset(
    "__getattr__ __getstate__ __setstate__ __reduce__ __getnewargs__ __dir__ __sizeof__ __mro_entries__ __replace__".split()
)  # a program may give its classes these methods; calling them is Python's business (`__getattr__` of a generic alias of
# typing's reads whatever it is told of whatever it was made for)
CLASS_NAMES = ("__name__", "__qualname__")  # all that may follow `.__class__`

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
        """Why `name` may not be imported, or None. The top-level name decides; relative imports have none."""
        top = name.partition(".")[0]
        if top in self._blocked:
            return self.refusal(f"Module '{top}' is always blocked for security reasons{_BLOCKED_HINT}", hint=False)
        if self.is_restricted and top not in self._allowed:
            return self.refusal(
                f"{verb} '{top or name}' requires Administrator role. Allowed modules: {sorted(set(self._allowed))}"
            )
        return None

    def call_refusal(self, name):
        """The same for the module of a `call`, in the predecessor's other wording."""
        top = name.partition(".")[0]
        if self.is_restricted and top not in self._allowed and top not in self._blocked:
            return SecurityError(
                f"SECURITY ERROR: Module '{name}' requires Administrator role. "
                f"Allowed modules: {sorted(set(self._allowed))}{_ADMIN_HINT}"
            )
        return self.module_refusal(name)

    def attribute_refusal(self, name):
        if self.is_restricted and (is_dunder(name) and name not in ALLOWED_DUNDERS or name in INTERNALS):
            return self.refusal(f"Use of attribute '{name}' requires Administrator role")
        return None

    def private_refusal(self, module, name):
        return self.refusal(f"Use of private attribute '{module}.{name}' requires Administrator role")

    def module_attribute_refusal(self, module, name):
        return self.builtin_refusal(name) or self.refusal(
            f"Use of attribute '{module}.{name}' requires Administrator role"
        )

    def effect_refusal(self, event):
        return self.refusal(f"Use of '{event}' requires Administrator role")

    def pattern_refusal(self, name):
        return self.refusal(f"Binding attribute '{name}' in a class pattern requires Administrator role")

    def text_refusal(self, name):
        return self.refusal(f"Use of '{name}' in the text of an annotation or a field requires Administrator role")

    def name_refusal(self, name):
        if self.is_restricted and is_dunder(name) and name not in ALLOWED_DUNDERS:
            return self.refusal(f"Use of name '{name}' requires Administrator role")
        return None

    def builtin_refusal(self, name):
        if self.is_restricted and name in REFUSED_BUILTINS:
            return self.refusal(f"Function '{name}' requires Administrator role")
        return None

    def refusal(self, reason, hint=True):
        return SecurityError(f"SECURITY ERROR: Security violation: {reason}{_ADMIN_HINT if hint else ''}")
