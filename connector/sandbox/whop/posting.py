"""Posting deliveries: signed, each in a thread, again by the schedule of Whop until it is accepted."""

import base64
import hashlib
import hmac
import http.client
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from heapq import heappop, heappush
from typing import Final, NamedTuple
from urllib.parse import urlsplit

TIMEOUT: Final = 5.0
HOUR: Final = 3600.0
#: Seconds until each further try: 12 in about 71 hours.
RETRIES: Final = (30.0, 120.0, 480.0, 1800.0, HOUR, 3 * HOUR, 6 * HOUR, *[12 * HOUR] * 5)


class Answer(NamedTuple):
    """What the endpoint said; ``status`` None: nothing in time."""

    status: int | None
    body: str
    seconds: float

    @property
    def accepted(self) -> bool:
        """Redirects are failures."""
        return self.status is not None and 200 <= self.status < 300


def signed(scheme: str, secret: str, message: str, moment: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery: ``v1`` as Standard Webhooks, with the whole secret, or the old one."""
    key = secret.encode()
    if scheme == "v1":
        digest = hmac.digest(key, f"{message}.{moment}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": message,
            "webhook-timestamp": str(moment),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
    old = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Whop-Signature": f"t={moment},v1={old}"}


def post(url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Post once; redirects are not followed."""
    parts, started = urlsplit(url), time.monotonic()
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target or "/", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read(65_536).decode("utf-8", "replace")
        return Answer(answer.status, text, time.monotonic() - started)
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, type(error).__name__, time.monotonic() - started)
    finally:
        connection.close()


class Postman:
    """Runs what is due, and what is due later at its time. ``quiet`` waits until nothing is due now."""

    def __init__(self, at_once: int = 8) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="whop-hook")
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._running = 0
        self._changed = threading.Condition()
        self._watch: threading.Thread | None = None

    def send(self, work: Callable[[], None], after: float = 0.0) -> None:
        """Have ``work`` done, at once or after so many seconds."""
        with self._changed:
            if not after:
                self._start(work)
                return
            self._count += 1
            heappush(self._later, (time.monotonic() + after, self._count, work))
            if self._watch is None:
                self._watch = threading.Thread(target=self._wait, name="whop-retries", daemon=True)
                self._watch.start()
            self._changed.notify_all()

    def quiet(self, seconds: float) -> bool:
        """Whether all that was due is done within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, seconds)

    def forget(self) -> None:
        """Drop what would be tried again later."""
        with self._changed:
            self._later.clear()

    def hurry(self) -> int:
        """Do now what would be tried again later; how many."""
        with self._changed:
            late, self._later = self._later, []
            for _, _, work in late:
                self._start(work)
        return len(late)

    def _start(self, work: Callable[[], None]) -> None:
        self._running += 1
        self._pool.submit(self._run, work)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _wait(self) -> None:
        with self._changed:
            while True:
                due = self._later[0][0] - time.monotonic() if self._later else None
                if due is None or due > 0:
                    self._changed.wait(due)
                    continue
                self._start(heappop(self._later)[2])
