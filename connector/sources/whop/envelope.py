"""What a delivery says of itself, in any dialect: which event of which company. Its record is read later.

The dialects are those of section 5 of the API notes: current and legacy v1 have ``type``, v5 and v2 have
``action``. The older ones name the company in odd places, or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from .payloads import record_of

_CURRENT_SINCE = "2026-08-14"  # from here on the envelope says account_id
_LONGEST_TYPE = 80


class Dialect(StrEnum):
    CURRENT = "v1"
    LEGACY = "v1-legacy"
    V5 = "v5"
    V2 = "v2"


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
        _dialect(body),
        _company(body),
        _moment(body.get("timestamp")),
        about.kind if about else None,
        about.id if about else None,
    )


def _dialect(body: Mapping[str, Any]) -> Dialect:
    if not isinstance(body.get("type"), str):
        return Dialect.V5 if body.get("api_version") == "v5" else Dialect.V2
    pinned = body.get("api_version_date")
    return Dialect.CURRENT if isinstance(pinned, str) and pinned >= _CURRENT_SINCE else Dialect.LEGACY


def _company(body: Mapping[str, Any]) -> str | None:
    data = body.get("data")
    data = data if isinstance(data, dict) else {}
    places = (body.get("account_id"), body.get("company_id"), body.get("company"), data.get("account_id"))
    more = (data.get("company_id"), data.get("page_id"), data.get("account"), data.get("company"))
    for found in (*places, *more):
        id_ = found.get("id") if isinstance(found, dict) else found
        if isinstance(id_, str) and id_.startswith("biz_"):
            return id_
    return None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
