"""Calls Celery the way its documentation does: `add.delay(a, b).get()`."""

import closed_loop
from celery_tasks import add

ANSWER_WITHIN_SECONDS = 60


def open_caller():
    return lambda a, b: add.delay(a, b).get(timeout=ANSWER_WITHIN_SECONDS)


if __name__ == "__main__":
    closed_loop.serve(open_caller)
