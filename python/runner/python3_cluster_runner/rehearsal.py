"""The way of a job, gone a few times in the template, so that no child goes it for the first time.

It makes bytecode specialise itself and fills the cache of type attributes, all of which a child would write to pages that
it then has to copy (50 of them, 0.1 ms). After this comes `preload.settle`, which nothing may follow that collects
garbage in earnest. The program run here is ours.
"""

import linecache
import signal
import sys

from . import frames, job, report, user_spans
from .tracebacks import USER_FILE

TIMES = 64  # more than CPython 3.11 and later want to see before they specialise

_PAYLOAD = b'{"code": "%sresult = a + b", "variables": {"a": 1, "b": 2}}'


def rehearse(mode, preload):
    """`preload`: names of modules; restricted code finds their views made."""
    imports = "".join(f"import {name}\\n" for name in preload) if mode == "restricted" else ""
    main = sys.modules.get("__main__")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    run = frames.encode(
        {
            "type": "run",
            "nonce": "rehearsal",
            "kind": "exec",
            "mode": mode,
            "limits": dict.fromkeys(frames.WORKER_TO_CHILD["run"]["limits"], 1 << 20),
            "policy": {"allowedModules": ["math", *(name.partition(".")[0] for name in preload)], "blockedModules": []},
            "traceparent": None,
            "keep": False,
        },
        _PAYLOAD % imports.encode(),
    )
    for _ in range(TIMES):
        reader = frames.FrameReader(frames.WORKER_TO_CHILD)
        rest, frame = run, None
        while frame is None:
            wanted = reader.bytes_wanted
            frame = reader.feed(rest[:wanted])
            rest = rest[wanted:]
        report.out_of_memory("rehearsal")
        user_spans.begin(True)
        answer = job.run_and_report(*frame)
        if b'"succeeded"' not in answer:
            raise RuntimeError(f"the rehearsal of a job failed: {answer!r}")
    sys.modules["__main__"] = main
    linecache.cache.pop(USER_FILE, None)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
