"""What a run did to each record, read back from its log: what undoing it goes by. Only queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from connector.core.outcomes import Result
from connector.core.plan import Reason
from connector.core.records import Ref
from connector.core.undoing import Past
from connector.store.db import Session, one_of
from connector.store.models import sync_log_entry, sync_run
from connector.store.runs import Run

_WRITTEN = (Result.CREATED.value, Result.UPDATED.value)
_ENTRY = sync_log_entry.c
_TAKES_BACK = ("undo", "preview")


def of_run(
    session: Session, workspace_id: str, run: int, what: tuple[str, str, str], place: int | None, limit: int
) -> tuple[list[Past], int | None]:
    """Records that a run changed, those it changed last first, and the place to go on from; None at the end.

    ``what``: source, kind and object. Each record comes once, with everything that the run did to it.
    """
    source, kind, object_ = what
    mine = (_ENTRY.workspace_id == workspace_id, _ENTRY.run == run)
    heads = _heads(session, (*mine, _ENTRY.kind == kind, _ENTRY.object == object_), place, limit)
    if not heads:
        return [], None
    ids = list(dict.fromkeys(head.source_id for head in heads))
    of_these = (one_of(session, _ENTRY.source_id, ids), *mine, _ENTRY.kind == kind, _ENTRY.object == object_)
    query = select(sync_log_entry).where(*of_these, _ENTRY.result.in_(_WRITTEN)).order_by(_ENTRY.id)
    rows: dict[str, list[Row[Any]]] = {}
    for row in session.execute(query):
        rows.setdefault(row.source_id, []).append(row)
    found = [_past(source, rows[id_]) for id_ in ids if place is None or rows[id_][-1].id < place]
    return found, heads[-1].id


def _heads(
    session: Session, mine: Sequence[ColumnElement[bool]], place: int | None, limit: int
) -> list[Row[Any]]:
    """The next entries, newest first: one result at a time, as the index has them."""
    heads: list[Row[Any]] = []
    for result in _WRITTEN:
        query = select(_ENTRY.id, _ENTRY.source_id).where(*mine, _ENTRY.result == result)
        if place is not None:
            query = query.where(_ENTRY.id < place)
        heads.extend(session.execute(query.order_by(_ENTRY.id.desc()).limit(limit)))
    return sorted(heads, key=lambda head: -head.id)[:limit]


def _past(source: str, rows: Sequence[Row[Any]]) -> Past:
    last = rows[-1]
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for row in rows:
        before = {**(row.before or {}), **before}
        after |= row.after or {}
    return Past(
        Ref(source, last.kind, last.source_id),
        last.object,
        last.title,
        last.id,
        any(row.result == Result.CREATED.value for row in rows),
        any(row.reason == Reason.RESTORED for row in rows),
        before,
        after,
    )


def later(session: Session, workspace_id: str, run: Run, pasts: Sequence[Past]) -> dict[Ref, dict[str, int]]:
    """Which fields of these records syncs wrote after this run did, with the number of the sync.

    What was taken back since counts as not written, and so does what takes back or only looks.
    """
    newest = {past.ref.id: past for past in pasts}
    undone = {number for number, _ in undos(session, run.workspace_id, run.connection_id)}
    query = (
        select(_ENTRY.id, _ENTRY.source_id, _ENTRY.run, _ENTRY.after)
        .join(sync_run, sync_run.c.number == _ENTRY.run)
        .where(
            one_of(session, _ENTRY.source_id, list(newest)),
            _ENTRY.workspace_id == workspace_id,
            _ENTRY.run != run.number,
            _ENTRY.result.in_(_WRITTEN),
            sync_run.c.type.not_in(_TAKES_BACK),
        )
    )
    found: dict[Ref, dict[str, int]] = {}
    for id_, source_id, number, after in session.execute(query.order_by(_ENTRY.id)):
        past = newest[source_id]
        if id_ > past.last and number not in undone:
            found.setdefault(past.ref, {}).update(dict.fromkeys(after or (), number))
    return found


def undos(session: Session, workspace_id: str, connection_id: str) -> Iterator[tuple[int, Run]]:
    """Number of a run that was taken back, whole → the run that did it; the oldest first."""
    query = select(sync_run).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.type == "undo",
        sync_run.c.status == "success",
    )
    for row in session.execute(query.order_by(sync_run.c.number)):
        run = Run(**row._mapping)
        if "of" in run.checkpoint:
            yield run.checkpoint["of"], run
