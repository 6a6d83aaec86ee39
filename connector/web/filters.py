"""The address is the view: what a page shows, read out of its query, and written into links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request, url_for

from connector.core.outcomes import Result
from connector.store.logbook import EntryFilter
from connector.store.overview import RunFilter
from connector.store.paging import Place
from connector.web import present

_LONGEST = 200
_RESULTS = tuple(result.value for result in Result)
_FAR = 2**62  # above any id; larger numbers would not fit the database


def place() -> Place:
    """Where the page begins."""
    return Place(before=_id("before"), after=_id("after"))


def run_filter() -> RunFilter:
    """Which runs the address asks for. Without a query those that changed nothing are hidden."""
    status, type_ = word("status"), word("type")
    return RunFilter(
        status=status if status in present.RUN else None,
        type=type_ if type_ in present.RUN_TYPE else None,
        connection_id=word("connection") or None,
        hide_idle=word("idle") != "show",
    )


def entry_filter(run: int | None = None) -> EntryFilter:
    """Which entries the address asks for, of a run or the workspace. What makes no sense is ignored."""
    result, reason, day = word("result"), word("reason"), _day()
    return EntryFilter(
        run=run,
        connection_id=word("connection") or None,
        results=(result,) if result in _RESULTS else (),
        reason=reason if reason in present.REASON else None,
        object=word("object") or None,
        error_code=word("error") or None,
        text=word("q"),
        since=day,
        until=day + timedelta(days=1) if day else None,
    )


def word(name: str) -> str:
    """One word of the query, without what no database takes."""
    return request.args.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def is_filtered(*names: str) -> bool:
    """Whether the query asks for less than everything."""
    return any(word(name) for name in names)


def here(endpoint: str = "", **changed: Any) -> str:
    """This page with its query, some of it changed; the place in the list is left behind."""
    kept = {name: value for name, value in request.args.items() if name not in ("before", "after")}
    values = {**(request.view_args or {}), **kept, **changed}
    shown = {name: value for name, value in values.items() if value not in (None, "")}
    return url_for(endpoint or request.endpoint or "", **shown)


def _id(name: str) -> int | None:
    found = request.args.get(name, type=int)
    return min(max(found, 0), _FAR) if found is not None else None


def _day() -> datetime | None:
    try:
        day = datetime.strptime(word("day"), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day if 1970 < day.year < 9000 else None
