"""A process that produces load: what ../load/closed-loop.mjs does for Node (its header says how), with a thread per caller.

Callers are kept from run to run, so that each opens its connections once, before anything is measured.
"""

import json
import os
import queue
import sys
import threading
import time

ADDEND = 1_000_003


def serve(open_caller):
    """`open_caller()` returns the function `call(a, b) -> sum` of one caller, and is called in the caller's own thread."""
    callers = []

    def run(count, ends_at):
        while len(callers) < count:
            callers.append(Caller(len(callers), open_caller))
        for caller in callers[:count]:
            caller.start_run(ends_at)
        return [caller.finish_run() for caller in callers[:count]]

    _serve(run)


def serve_alone(call):
    """For one caller in the main thread: `call` forks, and a fork should not see threads."""
    operands = _operands(0)
    _serve(lambda count, ends_at: [_call_until(ends_at, call, operands)])


class Caller:
    def __init__(self, number, open_caller):
        self._runs = queue.SimpleQueue()
        self._tallies = queue.SimpleQueue()
        threading.Thread(target=self._live, args=(open_caller, _operands(number)), daemon=True).start()

    def start_run(self, ends_at):
        self._runs.put(ends_at)

    def finish_run(self):
        return self._tallies.get()

    def _live(self, open_caller, operands):
        call = open_caller()
        while True:
            self._tallies.put(_call_until(self._runs.get(), call, operands))


def _serve(run):
    for line in sys.stdin:
        request = json.loads(line)
        tallies = run(request["callers"], time.perf_counter() + request["seconds"])
        answer = {name: sum(tally[name] for tally in tallies) for name in ("jobs", "errors", "wrong")}
        answer["firstError"] = next((tally["firstError"] for tally in tallies if tally["firstError"]), None)
        answer["latenciesMs"] = [latency for tally in tallies for latency in tally["latenciesMs"]]
        print(json.dumps(answer), flush=True)
    os._exit(0)  # callers' threads may be waiting for an answer


def _operands(caller):
    base = int(os.environ["BENCH_BASE"]) + caller * 1_000_000
    return iter(range(base, base + 1_000_000))


def _call_until(ends_at, call, operands):
    tally = {"jobs": 0, "errors": 0, "wrong": 0, "firstError": None, "latenciesMs": []}
    started_at = time.perf_counter()
    while started_at < ends_at:
        operand = next(operands)
        failure = None
        try:
            total = call(operand, ADDEND)
            if total != operand + ADDEND:
                tally["wrong"] += 1
                failure = f"{operand} + {ADDEND} was answered with {total!r}"
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        answered_at = time.perf_counter()
        if failure is None:
            tally["latenciesMs"].append(round((answered_at - started_at) * 1000, 3))
            tally["jobs"] += answered_at < ends_at
        else:
            tally["errors"] += 1
            tally["firstError"] = tally["firstError"] or failure
        started_at = answered_at
    return tally
