"""Whop's lists: where each kind is, and what a page of one is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from connector.errors import RefusedError, TryLaterError

from . import client
from .answers import unlike_whop
from .catalogue import CATALOGUE

_PATHS: Final = {kind: f"/{kind}s" for kind in CATALOGUE.order}


class Listed(NamedTuple):
    """A page of a list as it came."""

    items: list[Any]
    cursor: str | None
    last: bool


def walk(session: client.Session, path: str, params: client.Params, cursor: str | None) -> Iterator[Listed]:
    """Page after page from the cursor on. Raises TryLaterError for a cursor that came before."""
    seen, last = {cursor}, False
    while not last:
        body = client.get(session, path, params if cursor is None else {**params, "after": cursor})
        items, cursor, last = parts(path, body)
        if not last and (cursor is None or cursor in seen):
            raise astray(path)
        seen.add(cursor)
        yield Listed(items, cursor, last)


def path_of(kind: str) -> str:
    """The list of a kind. Raises RefusedError where Whop has none."""
    if kind not in _PATHS:
        raise RefusedError(f"Whop has no records of the kind {kind}.", code="unknown_kind")
    return _PATHS[kind]


def parts(path: str, body: Any) -> tuple[list[Any], str | None, bool]:
    """Items, cursor and whether this is the last page; ``end_cursor`` stays filled on the last one."""
    items, info = (body.get("data"), body.get("page_info")) if isinstance(body, dict) else (None, None)
    if not isinstance(items, list) or not isinstance(info, dict):
        raise unlike_whop(path)
    more, cursor = info.get("has_next_page"), info.get("end_cursor")
    if not isinstance(more, bool) or not (cursor is None or isinstance(cursor, str)):
        raise unlike_whop(path)
    return items, cursor or None, not more


def astray(path: str) -> TryLaterError:
    """A cursor came back again: who followed it would read for ever."""
    return TryLaterError(f"The pages of {path} do not go on: a cursor came back again.", code="source_paging")
