"""What `import io` gives in restricted mode: the in-memory streams, nothing that opens a file."""

import io
import types

NAMES = ("StringIO", "BytesIO", "SEEK_SET", "SEEK_CUR", "SEEK_END", "UnsupportedOperation")

module = types.ModuleType("io", "In-memory streams (restricted mode).")
for _name in NAMES:
    setattr(module, _name, getattr(io, _name))
