"""The doorbell on RQ: a job's dotted name and ids go in, nothing comes out.

Arguments travel as JSON, so that whoever can write to Redis cannot have code run by a pickle.
"""

from __future__ import annotations

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from connector.errors import TryLaterError

QUEUES = ("webhooks", "incremental", "full")
"""In the order in which a worker serves them."""

QueueUnavailable = RedisError
"""What a client of the queue raises when Redis does not answer."""

_JOB_TIMEOUT = 600  # a slice of a run takes seconds; this ends one that hangs
_FAILURE_TTL = 3600


def connect(url: str) -> Redis:
    """A client of the Redis at this address; nothing is sent yet."""
    return Redis.from_url(url, socket_connect_timeout=2, health_check_interval=30)


class RqBell:
    """Fills ``ports.JobQueue``."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {
            name: Queue(name, connection=redis, serializer=JSONSerializer, default_timeout=_JOB_TIMEOUT)
            for name in QUEUES
        }

    def ring(self, job: str, queue: str, *, expires: int | None = None, **ids: str) -> None:
        """Have ``connector.jobs.<job>(**ids)`` run soon; after ``expires`` seconds it is not worth running.

        Raises TryLaterError when Redis does not answer.
        """
        try:
            self._queues[queue].enqueue_call(
                f"connector.jobs.{job}",
                kwargs=ids,
                result_ttl=0,
                ttl=expires,
                failure_ttl=_FAILURE_TTL,
                timeout=_JOB_TIMEOUT,
            )
        except RedisError as error:
            why = f"The job queue does not answer ({type(error).__name__})."
            raise TryLaterError(why, code="queue") from error
