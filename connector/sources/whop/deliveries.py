"""Which dialect a delivery is in and which companies it names, told by its body: the one place for both.

The dialects are those of section 5 of the API notes: current and legacy v1 have ``type``, v5 and v2 have
``action``. The older ones name the company in odd places, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

_CURRENT_SINCE: Final = "2026-08-14"  # from here on the envelope says account_id
_OUTSIDE: Final = ("account_id", "company_id", "company")
_INSIDE: Final = ("account_id", "company_id", "page_id", "account", "company")


class Dialect(StrEnum):
    """That of the envelope; that of the record inside may be another."""

    CURRENT = "v1"
    LEGACY = "v1-legacy"
    V5 = "v5"
    V2 = "v2"


def dialect_of_body(body: Mapping[str, Any]) -> Dialect:
    """The dialect whose envelope this is."""
    if not isinstance(body.get("type"), str):
        return Dialect.V5 if body.get("api_version") == "v5" else Dialect.V2
    pinned = body.get("api_version_date")
    return Dialect.CURRENT if isinstance(pinned, str) and pinned >= _CURRENT_SINCE else Dialect.LEGACY


def companies(body: Mapping[str, Any]) -> list[str]:
    """Every company that the body names, that of the envelope first. One that is right names one or none."""
    data = body.get("data")
    payment = data.get("payment") if isinstance(data, dict) else None  # refunds and disputes of v5 name none
    parts = ((body, _OUTSIDE), (data, _INSIDE), (payment, _INSIDE))
    return list(dict.fromkeys(id_ for part, places in parts for id_ in _named(part, places)))


def _named(part: Any, places: tuple[str, ...]) -> Iterator[str]:
    for place in places if isinstance(part, dict) else ():
        found = part.get(place)
        id_ = found.get("id") if isinstance(found, dict) else found
        if isinstance(id_, str) and id_.startswith("biz_"):
            yield id_
