"""What moved lately, as far as Whop's lists can be asked for it: no list filters by the time of a change.

Members are listed by what they did last, payments by when they were paid or made; a payment that is still
open is among the open ones, whenever it changed. Memberships can only be listed by when they were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from . import client
from .paging import astray, parts, path_of


class Way(NamedTuple):
    """An order of a list, the newest first, and the field that says how new an item is; without one, all
    that the filter lets through is read."""

    order: str
    field: str | None = None
    only: Mapping[str, str] = {}


_MADE: Final = Way("created_at", "created_at")
WAYS: Final[Mapping[str, Mapping[str, Way]]] = {
    "member": {"acted": Way("most_recent_action_at", "most_recent_action_at")},
    "membership": {"made": _MADE},
    "payment": {
        "paid": Way("paid_at", "paid_at"),
        "made": _MADE,
        "open": Way("created_at", None, {"status": "open"}),
    },
    "refund": {"made": _MADE},
    "dispute": {"made": _MADE},
}


def walk(
    session: client.Session, kind: str, way: str, since: str, cursor: str | None, params: client.Params
) -> Iterator[tuple[list[Any], str | None, bool]]:
    """Items, cursor and whether it is the last page. The last page is the one that reaches ``since``."""
    path, known = path_of(kind), WAYS[kind][way]
    asked: client.Params = {**params, **known.only, "order": known.order, "direction": "desc"}
    seen, last = {cursor}, False
    while not last:
        body = client.get(session, path, asked if cursor is None else {**asked, "after": cursor})
        items, cursor, last = parts(path, body)
        last = last or _reaches(items, known.field, since)
        if not last and (cursor is None or cursor in seen):
            raise astray(path)
        seen.add(cursor)
        yield items, cursor, last


def _reaches(items: list[Any], field: str | None, since: str) -> bool:
    """Whether the oldest item is older. One that does not say when it was comes last in Whop's order."""
    if field is None or not items:
        return False
    at = items[-1].get(field) if isinstance(items[-1], dict) else None
    return not isinstance(at, str) or at < since
