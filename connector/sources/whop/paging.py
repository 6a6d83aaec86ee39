"""Whop's lists: where each kind is, and what a page of one is made of."""

from __future__ import annotations

from typing import Any, Final

from connector.errors import RefusedError, TryLaterError

from .answers import unlike_whop
from .catalogue import CATALOGUE

_PATHS: Final = {kind: f"/{kind}s" for kind in CATALOGUE.order}


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
