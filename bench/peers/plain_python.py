"""The same work in a plain Python process: the code is compiled and run, in variables of its own, and nothing else happens.

`--calibrate` prints how many turns of the loop take as much CPU time as BENCH_WORK_MS says, on this machine at this moment.
"""

import os
import sys
import time

import closed_loop

CODE = os.environ["BENCH_CODE"]


def call(a, b):
    variables = {"a": a, "b": b, "n": TURNS}
    exec(compile(CODE, "<job>", "exec"), variables)
    return variables["result"]


def calibrate():
    global TURNS
    TURNS = 1_000_000
    best = float("inf")
    for _ in range(15):
        started_at = time.process_time()
        call(1, 2)
        best = min(best, time.process_time() - started_at)
    return round(TURNS * float(os.environ["BENCH_WORK_MS"]) / 1000 / best)


TURNS = int(os.environ.get("BENCH_TURNS", "0"))

if __name__ == "__main__":
    if sys.argv[1:] == ["--calibrate"]:
        print(calibrate())
    else:
        closed_loop.serve_alone(call)
