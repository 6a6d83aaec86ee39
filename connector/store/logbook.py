"""The sync log as it is read: pages of entries, and the causes of failures.

Only queries. Every page is found by a key (keyset), never by an offset, and no query counts what an index
does not hold, so a page takes as long with a hundred thousand entries as with a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, func, or_, select, type_coerce

from connector.core.outcomes import Result
from connector.store.db import Session, one_of
from connector.store.models import sync_log_entry, sync_run
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first
from connector.store.runs import LogEntry

_RESULTS = tuple(result.value for result in Result)
_WINDOW = 40_000  # ids that one page looks through where no index helps: a search is not a table scan
_SLACK = timedelta(minutes=1)  # how far ids and times of two runs under way may cross


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which log entries; None and empty: all. ``text`` is part of a title or an e-mail, or an id.

    ``since`` and ``until`` (exclusive) bound the time of writing.
    """

    run: int | None = None
    connection_id: str | None = None
    results: tuple[str, ...] = ()
    reason: str | None = None
    object: str | None = None
    error_code: str | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """The failures of a run that share an error code, and the newest of them."""

    code: str
    count: int
    sample: LogEntry


def entry_page(
    session: Session, workspace_id: str, wanted: EntryFilter, place: Place = NEWEST, limit: int = 50
) -> Leaf[LogEntry]:
    """One page of the log entries that fit."""
    conditions = list(_entry_conditions(session, workspace_id, wanted))
    edge = _edge(session, workspace_id, wanted, place)
    if edge is not None:
        entry_id = sync_log_entry.c.id
        conditions.append(entry_id <= edge if place.after is not None else entry_id >= edge)
    rows: list[Row[Any]] = []
    for lane in _lanes(workspace_id, wanted):
        query = select(sync_log_entry).where(*lane, *conditions)
        rows.extend(session.execute(from_place(query, sync_log_entry.c.id, place).limit(limit + 1)))
    rows.sort(key=lambda row: row.id, reverse=place.after is None)
    entries = newest_first([_entry(row) for row in rows[:limit]], place)
    leaf = leaf_of(entries, [entry.id for entry in entries], place, more=len(rows) > limit)
    return leaf if len(rows) > limit or edge is None else _looked_to(leaf, edge, place)


def _lanes(workspace_id: str, wanted: EntryFilter) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions for each of which an index gives the entries in the order of their ids."""
    entry = sync_log_entry.c
    scope = entry.workspace_id == workspace_id
    if wanted.run is not None:
        scope = entry.run == _own_run(workspace_id, wanted.run)
    if wanted.error_code:
        yield scope, entry.error_code == wanted.error_code, entry.result.in_(wanted.results or _RESULTS)
        return
    for result in wanted.results or _RESULTS:
        yield scope, entry.result == result


def _own_run(workspace_id: str, number: int) -> Any:
    # The workspace is asked of the run, not of each entry: so the indexes that begin with the run suffice.
    query = select(sync_run.c.number).where(
        sync_run.c.number == number, sync_run.c.workspace_id == workspace_id
    )
    return query.scalar_subquery()


def _entry_conditions(
    session: Session, workspace_id: str, wanted: EntryFilter
) -> Iterator[ColumnElement[bool]]:
    entry = sync_log_entry.c
    if wanted.run is None:  # what would be is no part of what was
        previews = select(sync_run.c.number).where(
            sync_run.c.workspace_id == workspace_id, sync_run.c.type == "preview"
        )
        yield entry.run.not_in(previews)
    if wanted.reason:
        yield entry.reason == wanted.reason
    if wanted.object:
        yield entry.object == wanted.object
    if wanted.connection_id:
        yield entry.run.in_(_runs_of(workspace_id, wanted.connection_id))
    if wanted.text:
        yield _fits_text(session, workspace_id, wanted.text)
    yield from _within(session, workspace_id, wanted)


def _runs_of(workspace_id: str, connection_id: str) -> Select[Any]:
    return select(sync_run.c.number).where(
        sync_run.c.connection_id == connection_id, sync_run.c.workspace_id == workspace_id
    )


def _fits_text(session: Session, workspace_id: str, text: str) -> ColumnElement[bool]:
    entry = sync_log_entry.c
    if _is_id(session, workspace_id, text):
        exact = select(entry.id).where(entry.source_id == text, entry.workspace_id == workspace_id)
        return entry.id.in_(exact.order_by(entry.id.desc()).limit(1000))
    places = (entry.title, entry.source_id, type_coerce(entry.after, Text), entry.crm_id)
    return or_(*(place.icontains(text, autoescape=True) for place in places))


def _is_id(session: Session, workspace_id: str, text: str) -> bool:
    entry = sync_log_entry.c
    mine = select(entry.id).where(entry.source_id == text, entry.workspace_id == workspace_id)
    return bool(text) and session.execute(mine.limit(1)).first() is not None


def _within(session: Session, workspace_id: str, wanted: EntryFilter) -> Iterator[ColumnElement[bool]]:
    """The time, and the ids that belong to it: the entries are read by their ids."""
    entry = sync_log_entry.c
    ids = select(entry.id).where(entry.workspace_id == workspace_id).limit(1)
    if wanted.since:
        yield entry.created_at >= wanted.since
        first = ids.where(entry.created_at >= wanted.since - _SLACK).order_by(entry.created_at)
        yield entry.id >= (session.execute(first).scalar() or 0)
    if wanted.until:
        yield entry.created_at < wanted.until
        last = ids.where(entry.created_at < wanted.until + _SLACK).order_by(entry.created_at.desc())
        yield entry.id <= (session.execute(last).scalar() or 0)


def _edge(session: Session, workspace_id: str, wanted: EntryFilter, place: Place) -> int | None:
    """The id up to which this page looks; None where an index leads to what fits, or no more is there."""
    if not (wanted.text or wanted.object or wanted.reason or wanted.connection_id):
        return None
    if _is_id(session, workspace_id, wanted.text):  # an index leads to its entries, however old
        return None
    first, last = _ends(session, workspace_id)
    if place.after is not None:
        edge = place.after + _WINDOW
        return edge if edge < last else None
    edge = (place.before if place.before is not None else last + 1) - _WINDOW
    return edge if edge > first else None


def _ends(session: Session, workspace_id: str) -> tuple[int, int]:
    ids: list[int] = []
    entry = sync_log_entry.c
    for result in _RESULTS:
        mine = select(entry.id).where(entry.workspace_id == workspace_id, entry.result == result).limit(1)
        for order in (entry.id, entry.id.desc()):
            ids.extend(session.execute(mine.order_by(order)).scalars())
    return min(ids, default=0), max(ids, default=0)


def entries_of(session: Session, workspace_id: str, run: int, ids: Sequence[int]) -> list[LogEntry]:
    """These entries of a run, in the order of their ids."""
    query = select(sync_log_entry).where(
        sync_log_entry.c.id.in_(ids),
        sync_log_entry.c.run == run,
        sync_log_entry.c.workspace_id == workspace_id,
    )
    return [_entry(row) for row in session.execute(query.order_by(sync_log_entry.c.id))]


def written_for(
    session: Session,
    workspace_id: str,
    run: int,
    source_ids: Sequence[str],
    within: tuple[datetime, datetime],
) -> list[LogEntry]:
    """The entries of a run about these records, from the one moment to the other, the last 50."""
    entry = sync_log_entry.c
    query = select(sync_log_entry).where(
        entry.source_id.in_(source_ids),
        entry.workspace_id == workspace_id,
        entry.run == run,
        entry.created_at >= within[0],
        entry.created_at <= within[1],
    )
    return [_entry(row) for row in session.execute(query.order_by(entry.id.desc()).limit(50))]


def causes(session: Session, workspace_id: str, run: int) -> list[Cause]:
    """Why records of a run failed: one cause per error code, the most frequent first."""
    entry = sync_log_entry.c
    mine = (entry.run == _own_run(workspace_id, run), entry.error_code.is_not(None))
    query = select(entry.error_code, func.count(), func.max(entry.id)).where(*mine).group_by(entry.error_code)
    found = list(session.execute(query))
    samples = {one.id: one for one in entries_of(session, workspace_id, run, [row[2] for row in found])}
    listed = [Cause(code, count, samples[newest]) for code, count, newest in found]
    return sorted(listed, key=lambda cause: (-cause.count, cause.code))


def reasons(session: Session, workspace_id: str, run: int) -> dict[str, int]:
    """How many records of a run were settled for which reason."""
    entry = sync_log_entry.c
    query = select(entry.reason, func.count()).where(
        entry.run == run, entry.workspace_id == workspace_id, entry.reason.is_not(None)
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(entry.reason))}


def _looked_to(leaf: Leaf[LogEntry], edge: int, place: Place) -> Leaf[LogEntry]:
    if place.after is not None:
        return Leaf(leaf.items, leaf.older, newer=edge)
    return Leaf(leaf.items, older=edge, newer=leaf.newer)


def _entry(row: Row[Any]) -> LogEntry:
    return LogEntry(**{name: value for name, value in row._mapping.items() if name != "workspace_id"})


def refs_to_retry(
    session: Session, workspace_id: str, run: int, entry_ids: Sequence[int], error_code: str | None
) -> dict[str, list[str]]:
    """Kind → source ids of a run's failures: the given entries, or all (of one error code)."""
    query = select(sync_log_entry.c.kind, sync_log_entry.c.source_id).where(
        sync_log_entry.c.run == run,
        sync_log_entry.c.workspace_id == workspace_id,
        sync_log_entry.c.result.in_((Result.FAILED.value, Result.SKIPPED.value)),
    )
    if entry_ids:
        query = query.where(sync_log_entry.c.id.in_(entry_ids))
    else:
        query = query.where(sync_log_entry.c.result == Result.FAILED.value)
    if error_code:
        query = query.where(sync_log_entry.c.error_code == error_code)
    refs: dict[str, dict[str, None]] = {}
    for kind, source_id in session.execute(query):
        refs.setdefault(kind, {})[source_id] = None
    return {kind: list(ids) for kind, ids in refs.items()}


def titles(session: Session, workspace_id: str, source_ids: Sequence[str]) -> dict[str, str]:
    """What each of these records was called when the log told of it last."""
    query = select(sync_log_entry.c.source_id, sync_log_entry.c.title).where(
        one_of(session, sync_log_entry.c.source_id, source_ids),
        sync_log_entry.c.workspace_id == workspace_id,
    )
    return {row[0]: row[1] for row in session.execute(query.order_by(sync_log_entry.c.id))}
