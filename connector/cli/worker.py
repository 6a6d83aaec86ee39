"""Running RQ: which worker class, with which patience."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from types import FrameType

from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from connector import jobs

# A job that died with its worker is found by the next maintenance, which only happens between two waits
# for work: short waits. The database's own sweeper is quicker still; this keeps RQ's books clean.
_WORKER_TTL = 45
_MAINTENANCE = 30
_COLLECT_EACH = 5.0
"""Seconds. Left to itself, Python would look for such garbage once in a hundred thousand records."""


class Worker(SimpleWorker):
    """RQ's worker that runs jobs in its own process; a Redis that comes back is noticed soon."""

    max_connection_wait_time = 5

    _collected_at = 0.0

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Between two jobs little is left that is no garbage: all of it is looked through in no time."""
        super().execute_job(job, queue)
        if time.monotonic() - self._collected_at >= _COLLECT_EACH:
            gc.collect()
            self._collected_at = time.monotonic()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal: let the job in hand come to its next stop. Called by RQ."""
        jobs.stop()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def collect_seldom() -> None:
    """What is loaded by now stays; a page of records is garbage all at once. Python's collector, left as it
    is, goes through everything for each few hundred new objects: a quarter of a sync's CPU. What refers to
    itself is found between jobs (``execute_job``).
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def work(redis: Redis, queues: Sequence[str], *, burst: bool = False) -> None:
    """Serve the queues, the first before the second, until SIGTERM (or, in a burst, until they are empty).

    Jobs run in this process: they last seconds, are safe to kill, and a fork would cost each 20 ms and
    its open connections.
    """
    collect_seldom()
    worker = Worker(
        list(queues),
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=_WORKER_TTL,
        maintenance_interval=_MAINTENANCE,
        log_job_description=False,
    )
    worker.work(burst=burst)
