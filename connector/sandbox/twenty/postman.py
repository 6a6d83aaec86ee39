"""Sends webhooks from a thread of its own: once each, five seconds at most, never again after a failure.

Held back by a dial, letters wait until they are let go, in whatever order a test asks for: the real server
promises none (676-680).
"""

import hashlib
import hmac
import queue
import secrets
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from connector.sandbox.twenty.webhooks import Letter

TIMEOUT = 5.0
REMEMBERED = 1000


class Postman:
    """`now` in seconds since 1970 stamps the letters."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._queue: queue.Queue[Letter] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._sent: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.waiting: list[Letter] = []
        self.held = False

    def take(self, letters: list[Letter]) -> None:
        if self.held:
            self.waiting += letters
        else:
            self._post(letters)

    def release(self, order: list[int] | None = None) -> None:
        """Send what waits: all in order, or those at these places, which may repeat."""
        letters = self.waiting if order is None else [self.waiting[at] for at in order]
        self.waiting = []
        self._post(letters)

    def flush(self) -> None:
        """Wait until everything that was let go is delivered, or has failed."""
        self._queue.join()

    def sent(self) -> list[dict[str, Any]]:
        return list(self._sent)

    def _post(self, letters: list[Letter]) -> None:
        if letters and self._thread is None:
            self._thread = threading.Thread(target=self._deliver, daemon=True, name="twenty-webhooks")
            self._thread.start()
        for letter in letters:
            self._queue.put(letter)

    def _deliver(self) -> None:
        while True:
            letter = self._queue.get()
            try:
                outcome = _send(letter, int(self._now() * 1000))
                told = {"url": letter.url, "eventName": letter.body["eventName"]}
                self._sent.append({**told, "recordId": letter.body["record"]["id"], "outcome": outcome})
            finally:
                self._queue.task_done()


def _send(letter: Letter, stamp: int) -> int | str:
    """The status that came back, or why none did."""
    raw = orjson.dumps(letter.body)
    headers = {
        "Accept": "application/json, text/plain, */*",
        "Content-Type": "application/json",
        "X-Twenty-Webhook-Timestamp": str(stamp),
        "X-Twenty-Webhook-Signature": signature(letter.secret, stamp, raw),
        "X-Twenty-Webhook-Nonce": secrets.token_hex(16),
        "User-Agent": "axios/1.17.0",
    }
    # Addresses are http or https: checked when the webhook was made.
    asked = urllib.request.Request(letter.url, data=raw, headers=headers, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError as error:
        return str(error)


def signature(secret: str, stamp: int, raw: bytes) -> str:
    """Hex HMAC-SHA256 over the time in milliseconds, a colon and the raw body (670)."""
    return hmac.new(secret.encode(), f"{stamp}:".encode() + raw, hashlib.sha256).hexdigest()
