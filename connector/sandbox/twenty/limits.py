"""Two token buckets per workspace for all its API keys (twenty-api.md section 4; recordings 600-610)."""

from collections.abc import Callable

from connector.sandbox.twenty.oauth_errors import OAuthError
from connector.sandbox.twenty.refusals import throttled

#: (tokens, window in ms): the defaults of the server.
BUCKETS = ((100, 1_000), (100, 60_000))


class Limiter:
    """Counts as the server does: whole tokens come back, since the last call that passed (608, 609)."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._state: dict[tuple[str, int], tuple[int, float]] = {}
        self.refused = 0

    def spend(self, workspace_id: str) -> None:
        """Take one token from both buckets, or raise the 429."""
        now = self._time() * 1000
        for size, window in BUCKETS:
            tokens, since = self._state.get((workspace_id, window), (size, now))
            # A hair more than nothing, so that 0.6 s of a float clock are 600 ms and not 599.99.
            left = min(size, tokens + int((now - since) * size / window + 1e-6))
            if left < 1:
                self.refused += 1
                raise throttled(size, window)
            self._state[workspace_id, window] = (left - 1, now)


class Window:
    """So many requests an address in a time; what is beyond is answered with 429 (905, 906)."""

    def __init__(self, most: int, seconds: int, message: str) -> None:
        self._most, self._seconds, self._message = most, seconds, message
        self._seen: dict[str, list[float]] = {}

    def count(self, who: str, now: float) -> None:
        """Count one request, or raise the 429."""
        recent = [at for at in self._seen.get(who, ()) if now - at < self._seconds]
        if len(recent) >= self._most:
            raise OAuthError("rate_limit_exceeded", self._message, status=429)
        self._seen[who] = [*recent, now]
