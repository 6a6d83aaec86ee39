"""``Idempotency-Key``: a POST under a key that was used already is not carried out again.

The first answer is given once more, a refusal too; what failed on Whop's side is not kept. Another request
under the same key is refused, and one whose first is still under way is told so.
"""

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from flask import Response, g, request

from connector.sandbox.whop import errors

LONGEST: Final = 255
_MOST: Final = 20_000


@dataclass(slots=True)
class _Kept:
    fingerprint: bytes
    status: int = 0
    body: bytes = b""


@dataclass(slots=True)
class Replays:
    """By credential and key, the oldest first."""

    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def enter(self, caller: str) -> Response | None:
        """The answer that was given already, if one was."""
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or not key:
            return None
        if len(key.encode()) > LONGEST:
            raise errors.bad_param("Idempotency-Key", f"It must be at most {LONGEST} bytes.")
        fingerprint, place = _fingerprint(), (caller, key)
        with self._lock:
            known = self._kept.get(place)
            if known is None:
                self._kept[place] = _Kept(fingerprint)
                g.replay = place
                if len(self._kept) > _MOST:
                    del self._kept[next(iter(self._kept))]
                return None
        if known.fingerprint != fingerprint:
            raise errors.bad_param("Idempotency-Key", "This key was used for another request.")
        if not known.status:
            raise errors.ApiError(409, "conflict", "A request under this key is still being carried out.")
        headers = {"Idempotent-Replayed": "true"}
        return Response(known.body, known.status, headers, content_type="application/json")

    def leave(self, response: Response) -> None:
        """Keep what was answered to the first request under a key."""
        place = g.pop("replay", None)
        if place is None:
            return
        with self._lock:
            known = self._kept.get(place)
            if response.status_code >= 500 or response.status_code == 429:
                self._kept.pop(place, None)
            elif known is not None:
                known.status, known.body = response.status_code, response.get_data()


def _fingerprint() -> bytes:
    told = (request.method, request.full_path, request.headers.get("Api-Version-Date", ""))
    return hashlib.sha256("\n".join(told).encode() + b"\n" + request.get_data()).digest()
