"""Running RQ: which worker class, with which patience."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from types import FrameType

from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from connector import jobs

# A job that died with its worker is found by the next maintenance, which only happens between two waits
# for work: short waits. The database's own sweeper is quicker still; this keeps RQ's books clean.
_WORKER_TTL = 45
_MAINTENANCE = 30


class Worker(SimpleWorker):
    """RQ's worker that runs jobs in its own process; a Redis that comes back is noticed soon."""

    max_connection_wait_time = 5

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal: let the job in hand come to its next stop. Called by RQ."""
        jobs.stop()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def collect_seldom() -> None:
    """What is loaded by now stays; a page of records is garbage all at once. Python's collector, left as it
    is, goes through everything for each few hundred new objects: a quarter of a sync's CPU.
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
