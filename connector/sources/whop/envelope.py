"""What a delivery says of itself, in any dialect: which event of which company. Its record is read later."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from .deliveries import Dialect, companies, dialect_of_body
from .payloads import record_of

_LONGEST_TYPE = 80


class Envelope(NamedTuple):
    """``id`` is the same for every retry of a delivery. What the body does not name is None.

    ``kind`` and ``record_id`` say which record it is about.
    """

    id: str
    type: str
    dialect: Dialect
    company_id: str | None
    occurred_at: datetime | None
    kind: str | None
    record_id: str | None


class Unreadable(Exception):
    """Signed, but no event: not JSON, or without a type. ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read(raw: bytes, signed_id: str) -> Envelope:
    """The envelope of a delivery. Raises Unreadable.

    ``signed_id`` is the id that was signed beside the body; the old scheme has none, and its deliveries
    are told apart by their bytes.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Unreadable("not_json") from None
    if not isinstance(body, dict):
        raise Unreadable("not_an_event")
    type_ = body.get("type") or body.get("action")
    if not isinstance(type_, str) or not 0 < len(type_) <= _LONGEST_TYPE:
        raise Unreadable("no_type")
    data = body.get("data")
    about = record_of(type_, data) if isinstance(data, dict) else None
    return Envelope(
        signed_id or f"sha256-{hashlib.sha256(raw).hexdigest()}",
        type_,
        dialect_of_body(body),
        next(iter(companies(body)), None),
        _moment(body.get("timestamp")),
        about.kind if about else None,
        about.id if about else None,
    )


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
