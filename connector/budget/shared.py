"""State that all processes share: read it, decide, and put it back only if nobody else did meanwhile.

The decisions are plain functions, the same ones for Redis and for a process that is alone. What runs inside
Redis is the reading of its clock, the only one that all machines have in common, and a compare-and-set:
whoever loses it decides again from what the winner left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import orjson
import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

T = TypeVar("T")
Change = Callable[[object, float], tuple[object, T]]
"""From what is kept (None: nothing yet) and the moment in seconds to what is to be kept, and an answer."""

_READ = "local t = redis.call('TIME') return {redis.call('GET', KEYS[1]) or '', t[1], t[2]}"
_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_KEPT_MS = 24 * 3600 * 1000  # what is not used for a day is learned anew
_BLIND = 5.0  # seconds before a Redis that did not answer is asked again
_PREFIX = "budget:"


class Shared:
    """Kept in Redis; ``alone`` is asked in its place while Redis does not answer."""

    def __init__(self, redis: Redis, tick: Callable[[], float]) -> None:
        self._redis = redis
        self._read = redis.register_script(_READ)
        self._swap = redis.register_script(_SWAP)
        self._tick = tick
        self._blind_until = 0.0
        self._alone: dict[str, object] = {}
        self._lock = threading.Lock()

    def change(self, key: str, change: Change[T], alone: Change[T]) -> T:
        """Carry a change out in one piece, here or in Redis."""
        if self._tick() >= self._blind_until:
            try:
                return self._in_redis(_PREFIX + key, change)
            except RedisError as error:
                self._blind_until = self._tick() + _BLIND
                log.warning("Redis does not answer; requests are counted here", error=type(error).__name__)
        with self._lock:
            kept, answer = alone(self._alone.get(key), self._tick())
            self._alone[key] = kept
        return answer

    def look(self, key: str) -> tuple[object, float] | None:
        """What is kept, and the moment; None where Redis does not answer."""
        if self._tick() < self._blind_until:
            return None
        try:
            raw, now = self._seen(_PREFIX + key)
        except RedisError:
            self._blind_until = self._tick() + _BLIND
            return None
        return _parsed(raw), now

    def _in_redis(self, name: str, change: Change[T]) -> T:
        while True:
            raw, now = self._seen(name)
            kept, answer = change(_parsed(raw), now)
            if self._swap(keys=[name], args=[raw, orjson.dumps(kept), _KEPT_MS]):
                return answer

    def _seen(self, name: str) -> tuple[bytes, float]:
        raw, seconds, micros = self._read(keys=[name])
        return raw, int(seconds) + int(micros) / 1e6


def _parsed(raw: bytes) -> object:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:  # somebody else's key: it is written over
        return None
