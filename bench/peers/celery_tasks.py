"""The Celery application of the benchmark, tuned as Celery's "Optimizing" guide says for many short tasks."""

import os

from celery import Celery

app = Celery("peer", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    # short tasks want a high multiplier; how high was tried, see ../README.md
    worker_prefetch_multiplier=int(os.environ.get("BENCH_CELERY_PREFETCH", "64")),
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    task_ignore_result=False,
    # a connection per caller, or callers would queue for one
    broker_pool_limit=64,
    broker_connection_retry_on_startup=True,
)


@app.task
def add(a, b):
    return a + b
