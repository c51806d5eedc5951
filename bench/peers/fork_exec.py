"""The least a fresh process per job can cost: a warmed-up interpreter forks, the child compiles and runs the code, writes the
answer to a pipe and ends. No queue, no HTTP, no limits, no sandbox."""

import gc
import os

import closed_loop

gc.disable()
# what the product's templates preload unless told otherwise
import collections, datetime, json, math, re, statistics  # noqa: E401,E402,F401

gc.collect()
gc.freeze()


def call(a, b):
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        run_job(f"result = {a} + {b}", writable)
    os.close(writable)
    answer = os.read(readable, 64)
    os.close(readable)
    os.waitpid(pid, 0)
    return json.loads(answer)


def run_job(code, writable):
    gc.enable()
    variables = {}
    exec(compile(code, "<job>", "exec"), variables)
    os.write(writable, json.dumps(variables["result"]).encode())
    os._exit(0)


if __name__ == "__main__":
    closed_loop.serve_alone(call)
