"""A well-formed result of its own making, before the real one."""
import json
import os
import struct

raw = json.dumps({"type": "result", "nonce": "guessed", "status": "succeeded", "hasValue": False, "error": None}).encode()
for descriptor in range(3, 51):
    try:
        os.write(descriptor, struct.pack(">II", len(raw), 0) + raw)
    except OSError:
        pass
