"""What may be a little old, kept in Redis for a while. A cache that does not answer is an empty one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_BLIND = 5.0  # seconds before a Redis that did not answer is asked again


class Cache:
    """``tick`` is the process's own clock in seconds. Whoever uses it says what its keys mean."""

    def __init__(self, redis: Redis, tick: Callable[[], float]) -> None:
        self._redis = redis
        self._tick = tick
        self._blind_until = 0.0

    def get(self, names: Iterable[str]) -> dict[str, bytes]:
        """What is kept under these names."""
        asked = list(names)
        if not asked or self._tick() < self._blind_until:
            return {}
        try:
            found = self._redis.mget([f"cache:{name}" for name in asked])
        except RedisError as error:
            self._is_blind(error)
            return {}
        return {name: raw for name, raw in zip(asked, found, strict=True) if isinstance(raw, bytes)}

    def put(self, values: Mapping[str, bytes], seconds: int) -> None:
        """Keep these for so long."""
        if not values or self._tick() < self._blind_until:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for name, value in values.items():
                    pipe.set(f"cache:{name}", value, ex=seconds)
                pipe.execute()
        except RedisError as error:
            self._is_blind(error)

    def drop(self, names: Iterable[str]) -> None:
        """Keep these no longer."""
        asked = [f"cache:{name}" for name in names]
        try:
            if asked:
                self._redis.delete(*asked)
        except RedisError as error:
            self._is_blind(error)

    def _is_blind(self, error: RedisError) -> None:
        self._blind_until = self._tick() + _BLIND
        log.warning("Redis does not answer; nothing is taken from the cache", error=type(error).__name__)
