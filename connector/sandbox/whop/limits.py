"""The rate limit: 600 requests a minute for each operation and credential.

How Whop counts (fixed minutes, sliding minute) is not documented; a sliding
minute is the strictest reading. A refused request is not counted.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from connector.sandbox.whop import errors

MINUTE = 60.0


class Limiter:
    """Counts requests; ``monotonic`` is the clock it counts by."""

    def __init__(
        self,
        *,
        enabled: bool = True,
        per_minute: int = 600,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.enabled = enabled
        self.per_minute = per_minute
        #: Whop documents a Retry-After header for its OAuth endpoints only.
        self.header = False
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], deque[float]] = {}
        self._lock = Lock()

    def count(self, operation: str, key: str) -> None:
        """Count one request, or raise the 429 of the API with the seconds to wait."""
        if not self.enabled:
            return
        now = self._monotonic()
        with self._lock:
            seen = self._seen.setdefault((operation, key), deque())
            while seen and seen[0] <= now - MINUTE:
                seen.popleft()
            if len(seen) >= self.per_minute:
                raise errors.too_many(max(1, math.ceil(seen[0] + MINUTE - now)) if seen else 60)
            seen.append(now)

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._seen.clear()
