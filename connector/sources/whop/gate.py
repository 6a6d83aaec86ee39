"""Who sent a delivery: its signature over the raw bytes, and how old it is.

Two schemes (section 5 of the API notes). *standard* is Standard Webhooks with Whop's own rule for the key:
the bytes of the whole secret, ``ws_`` included. *legacy* is the one header of v2 and v5 hooks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

WINDOW = timedelta(seconds=300)
"""How far a delivery's time may be from ours, in either direction."""

_LONGEST_ID = 100
_MOST_SIGNATURES = 10


class Scheme(StrEnum):
    STANDARD = "standard"
    LEGACY = "legacy"


class Secret(NamedTuple):
    """A secret that is accepted, and the scheme it is for."""

    scheme: Scheme
    value: bytes


class Signed(NamedTuple):
    """A delivery that is what its sender signed. ``id`` is empty where the scheme has none."""

    scheme: Scheme
    id: str
    at: datetime


class Headers(Protocol):
    """Looked into without regard to case, by small letters."""

    def get(self, key: str, default: str, /) -> str: ...


class Forged(Exception):
    """Not to be believed. ``reason`` is for our log, not for the sender: missing, malformed, stale, wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Claim(NamedTuple):
    scheme: Scheme
    id: str
    seconds: int
    signed: bytes
    signatures: tuple[bytes, ...]


def check(raw: bytes, headers: Headers, secrets: Iterable[Secret], now: datetime) -> Signed:
    """The proof that one of the secrets signed these very bytes not long ago. Raises Forged.

    Every secret and every signature is compared, each in constant time.
    """
    claim = _claim(raw, headers)
    at = _moment(claim.seconds)
    if abs(now - at) > WINDOW:
        raise Forged("stale")
    fits = False
    for secret in secrets:
        if secret.scheme is claim.scheme:
            right = hmac.digest(secret.value, claim.signed, hashlib.sha256)
            for given in claim.signatures:
                fits |= hmac.compare_digest(right, given)
    if not fits:
        raise Forged("wrong")
    return Signed(claim.scheme, claim.id, at)


def _claim(raw: bytes, headers: Headers) -> _Claim:
    """What the headers say; the current scheme where both are there."""
    id_, time, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if id_ and time and given:
        if len(id_) > _LONGEST_ID or not id_.isascii() or not id_.isprintable():
            raise Forged("malformed")
        signed = b"%s.%s.%s" % (id_.encode(), time.encode(errors="replace"), raw)
        return _Claim(Scheme.STANDARD, id_, _seconds(time), signed, tuple(_of_base64(given)))
    if legacy := headers.get("x-whop-signature", ""):
        parts = dict(part.strip().partition("=")[::2] for part in legacy.split(",")[:_MOST_SIGNATURES])
        time = parts.get("t", "")
        signed = b"%s.%s" % (time.encode(errors="replace"), raw)
        return _Claim(Scheme.LEGACY, "", _seconds(time), signed, tuple(_of_hex(parts.get("v1", ""))))
    raise Forged("missing")


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 12:
        raise Forged("malformed")
    return int(text)


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise Forged("malformed") from None


def _of_base64(text: str) -> Iterator[bytes]:
    for one in text.split(" ")[:_MOST_SIGNATURES]:
        version, _, value = one.partition(",")
        if version == "v1":
            try:
                yield base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                continue  # it fits nothing


def _of_hex(text: str) -> Iterator[bytes]:
    try:
        yield bytes.fromhex(text)
    except ValueError:
        return
