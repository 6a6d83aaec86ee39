"""The doorbell on RQ: a job's dotted name and ids go in, nothing comes out.

Arguments travel as JSON, so that whoever can write to Redis cannot have code run by a pickle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from connector.errors import TryLaterError

QUEUES = ("actions", "webhooks", "incremental", "full")
"""In the order in which a worker serves them."""

QueueUnavailable = RedisError
"""What a client of the queue raises when Redis does not answer."""

log = structlog.get_logger(__name__)

_JOB_TIMEOUT = 600  # a slice of a run takes seconds; this ends one that hangs
_FAILURE_TTL = 3600
_MOST_UNHEARD = 200
"""A queue that nobody serves: its rings expire, but their names stay in Redis."""


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

        What is rung for again soon is not rung for where many rings wait unheard. Raises TryLaterError when
        Redis does not answer.
        """
        try:
            if expires is not None and self._queues[queue].count >= _MOST_UNHEARD:
                return
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


class QuickBell:
    """A bell for a door where somebody waits: one ring for many, a tenth of a second at most, never an error.

    While Redis does not answer it is left alone for some seconds: a clock rings for what is due all the same.
    """

    _HOLD = 60
    _ATTENDED = 5
    _SILENCE = 5.0
    _PATIENCE = 0.1
    _APART = 0.02

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = Redis.from_url(
            url,
            socket_connect_timeout=self._PATIENCE,
            socket_timeout=self._PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        self._bell = RqBell(self._redis)
        self._monotonic = monotonic
        self._silent_until = 0.0
        self._asked = threading.Condition()
        self._wanted: set[tuple[str, str]] = set()
        self._ringing = False
        self._ringer: threading.Thread | None = None

    def ring_soon(self, job: str, queue: str) -> None:
        """As ``ring_once``, by a thread of its own: nobody waits for it, and many who ask share a ring."""
        with self._asked:
            self._wanted.add((job, queue))
            if self._ringer is None or not self._ringer.is_alive():  # nor is it in a process that was forked
                self._ringer = threading.Thread(target=self._ring_wanted, name="ringer", daemon=True)
                self._ringer.start()
            self._asked.notify_all()

    def is_quiet(self, patience: float = 1.0) -> bool:
        """Whether all that were asked for have been rung, at once or within so many seconds."""
        with self._asked:
            return self._asked.wait_for(lambda: not (self._wanted or self._ringing), patience)

    def _ring_wanted(self) -> None:
        while True:
            with self._asked:
                self._ringing = False
                self._asked.notify_all()
                self._asked.wait_for(lambda: bool(self._wanted))
                found, self._wanted, self._ringing = self._wanted, set(), True
            for job, queue in found:
                self.ring_once(job, queue)
            time.sleep(self._APART)

    def ring_once(self, job: str, queue: str) -> bool:
        """Have ``jobs.<job>()`` run soon, unless it was rung for and has not begun; whether it was heard."""
        if self._monotonic() < self._silent_until:
            return False
        try:
            if self._redis.set(_rung(job), 1, nx=True, ex=self._HOLD):
                self._bell.ring(job, queue)
        except (RedisError, TryLaterError) as error:
            self._silent_until = self._monotonic() + self._SILENCE
            log.warning("the job queue does not answer", job=job, error=type(error).__name__)
            return False
        return True

    def attended(self, job: str) -> None:
        """Somebody looks for work again and again; for the seconds to come nobody needs to ring."""
        try:
            self._redis.set(_rung(job), 1, ex=self._ATTENDED)
        except RedisError as error:
            log.warning("the job queue does not answer", job=job, error=type(error).__name__)

    def heard(self, job: str) -> None:
        """The job begins: whoever rings from now on rings anew. To be called before it looks for work."""
        try:
            self._redis.delete(_rung(job))
        except RedisError as error:
            log.warning("the job queue does not answer", job=job, error=type(error).__name__)

    def close(self) -> None:
        """Give back the connections; what was asked for is rung for first."""
        self.is_quiet()
        self._redis.close()


def _rung(job: str) -> str:
    return f"rung:{job}"
