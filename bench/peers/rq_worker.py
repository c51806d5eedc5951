"""RQ's default worker, which forks for every job; a script of our own because RQ's guide ("Performance notes") says to import
what jobs need before `work()`, so that the forked processes need not."""

import os

import redis
import rq_tasks  # noqa: F401
from rq import Queue, Worker

connection = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])
Worker([Queue(connection=connection)], connection=connection).work(logging_level="WARNING")
