"""Calls RQ: `enqueue`, then wait for the result.

RQ 1.13 documents polling only. With 64 callers on few cores polling would take the CPU that the workers need, so this waits
in Redis for the job's result stream, which is what `latest_result(timeout=…)` of RQ 1.16 and later does: RQ at its best.
"""

import os

import closed_loop
import redis
from rq import Queue
from rq.results import Result
from rq_tasks import add

ANSWER_WITHIN_MS = 60_000


def open_caller():
    connection = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])
    queue = Queue(connection=connection)

    def call(a, b):
        job = queue.enqueue(add, a, b)
        answer = connection.xread({Result.get_key(job.id): "0-0"}, count=1, block=ANSWER_WITHIN_MS)
        if not answer:
            raise TimeoutError(f"no result within {ANSWER_WITHIN_MS} ms")
        result_id, payload = answer[0][1][0]
        result = Result.restore(job.id, result_id.decode(), payload, connection=connection)
        if result.type is not Result.Type.SUCCESSFUL:
            raise RuntimeError(result.exc_string)
        return result.return_value

    return call


if __name__ == "__main__":
    closed_loop.serve(open_caller)
