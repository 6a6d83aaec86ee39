"""How often somebody may fail at the door: counted in Redis, in memory while Redis is down.

What counts is a failure, because all good traffic may come from one proxy's address. Only views that are
decorated are limited; webhooks and health checks never are.
"""

from __future__ import annotations

import hashlib
import time
import unicodedata

import structlog
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from limits import parse

from connector.bootstrap import Parts
from connector.jobqueue import QueueUnavailable

log = structlog.get_logger(__name__)

#: Failures per address and per name. ``app.config`` may hold others under these names.
LIMITS = {
    "SIGN_IN_FAILURES_PER_ADDRESS": "20 per 5 minutes",
    "SIGN_IN_FAILURES_PER_NAME": "10 per 15 minutes",
}
_RECORDED = parse("20 per minute")
_FAILED = (403, 410)


class _Limiter(Limiter):
    def init_app(self, app: Flask) -> None:
        """A second application in one process starts with a Redis of its own, presumed alive."""
        self._storage_dead = False
        super().init_app(app)


def address() -> str:
    """Where the request came from, as far as this process can see."""
    return (request.remote_addr or "unknown")[:50]


limiter = _Limiter(address, in_memory_fallback_enabled=True, swallow_errors=True, key_prefix="access")


def install(app: Flask, parts: Parts) -> None:
    """Count on the same Redis, and by the same connections, as the job queue."""
    for name, value in LIMITS.items():
        app.config.setdefault(name, value)
    app.config["RATELIMIT_STORAGE_URI"] = "redis://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"connection_pool": parts.redis.connection_pool}
    limiter.init_app(app)
    limiter.request_filter(_is_unlimited)


def _is_unlimited() -> bool:
    """Webhooks have a limit of their own; not even looking for another makes their answer sooner."""
    return request.blueprint == "webhooks"


def per_address() -> str:
    """The limit on failures from one address."""
    return str(current_app.config["SIGN_IN_FAILURES_PER_ADDRESS"])


def per_name() -> str:
    """The limit on failures with one name."""
    return str(current_app.config["SIGN_IN_FAILURES_PER_NAME"])


def typed_name() -> str:
    """A key for the name in the form: of fixed length, and one for all ways to write it."""
    name = unicodedata.normalize("NFKC", " ".join(request.form.get("name", "").split())).casefold()
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]


def failed(response: Response) -> bool:
    """Whether this answer counts."""
    return response.status_code in _FAILED


def seconds_to_wait() -> int:
    """How long the limit that was just exceeded still lasts."""
    found = limiter.current_limit
    return max(1, found.reset_at - int(time.time())) if found else 60


def is_worth_recording(what: str) -> bool:
    """False once an address has had its share of the audit log: a flood must not fill the database."""
    try:
        return limiter.limiter.hit(_RECORDED, "recorded", what, address())
    except QueueUnavailable:
        log.warning("not recorded while Redis is down", what=what, address=address())
        return False
