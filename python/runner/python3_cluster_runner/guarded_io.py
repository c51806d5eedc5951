"""What `import io` gives in restricted mode: streams over memory, nothing that opens a file."""

import io
import types

from . import policy

NAMES = ("StringIO", "BytesIO", "TextIOWrapper", "SEEK_SET", "SEEK_CUR", "SEEK_END", "UnsupportedOperation")

module = types.ModuleType("io", "In-memory streams (restricted mode).")
for _name in NAMES:
    setattr(module, _name, getattr(io, _name))


def _find(name):
    if hasattr(io, name) and not policy.is_dunder(name):
        raise policy.in_force().module_attribute_refusal("io", name)
    raise AttributeError(f"module 'io' has no attribute '{name}'", name=name, obj=module)


module.__getattr__ = _find
