"""Changes that a sync brought and that no event had told: is anybody silent who should speak?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, select

from connector.store.db import Session
from connector.store.models import event_inbox, link, sync_log_entry, sync_run, webhook_secret
from connector.store.runs import Run

_RUNS = 5
_ENTRIES = 500
_IN_TIME = timedelta(minutes=5)
"""So long an event may take: a change that a sync found sooner was no miss."""


@dataclass(frozen=True, slots=True)
class Untold:
    """How many changes, of those that the latest syncs brought, no event told; when the last was."""

    count: int = 0
    last_at: datetime | None = None


def untold(session: Session, workspace_id: str, connection_id: str, since: datetime) -> Untold:
    """Looks at the latest few syncs that ended after ``since``: at records that say when they changed, and at
    what each counted as missed.

    A change from before ``since``, when nobody listened yet, is none. What a sync counted has changed since
    the one before it began, nobody knows when.
    """
    latest = (
        select(sync_run.c.number, sync_run.c.started_at, sync_run.c.missed)
        .where(
            sync_run.c.connection_id == connection_id,
            sync_run.c.workspace_id == workspace_id,
            sync_run.c.type.in_(("full", "incremental")),
            sync_run.c.ended_at >= since,
        )
        .order_by(sync_run.c.number.desc())
        .limit(_RUNS)
    )
    runs = session.execute(latest).all()
    silent = _silent(session, workspace_id, connection_id, [run.number for run in runs], since)
    before = [*(run.started_at or since for run in runs[1:]), since]
    counted = [(run.missed, at) for run, at in zip(runs, before, strict=False) if run.missed]
    count = max(len(silent), sum(missed for missed, _ in counted))
    return Untold(count, max([*silent, *(at for _, at in counted)], default=None))


def missed(session: Session, run: Run) -> int | None:
    """How many of the changes that a sync found a webhook should have brought: those of records without an
    event about them. None where no webhook could be believed before the sync before it.

    What moved only just now may be told yet, and is none. A record that does not say when it changed has
    changed since the sync before.
    """
    ids = (run.workspace_id, run.connection_id)
    listens = select(func.min(webhook_secret.c.created_at)).where(*_of(webhook_secret, *ids))
    before = select(func.max(sync_run.c.started_at)).where(
        *_of(sync_run, *ids),
        sync_run.c.type.in_(("full", "incremental")),
        sync_run.c.status.in_(("success", "partial")),
        sync_run.c.number < run.number,
    )
    heard, last = session.execute(listens).scalar(), session.execute(before).scalar()
    if heard is None or last is None or last < heard:
        return None
    timed = _silent(session, *ids, [run.number], heard)
    untimed = (
        select(sync_log_entry.c.source_id)
        .join(link, _same(sync_log_entry))
        .where(
            sync_log_entry.c.run == run.number,
            sync_log_entry.c.workspace_id == run.workspace_id,
            sync_log_entry.c.result.in_(("created", "updated")),
            sync_log_entry.c.drift.is_(None),  # that was changed in the CRM, of which no event tells
            link.c.connection_id == run.connection_id,
            link.c.source_updated_at.is_(None),
        )
    )
    changes = dict.fromkeys(session.execute(untimed.limit(_ENTRIES)).scalars(), last - _IN_TIME)
    told = _told(session, *ids, changes)
    return len(timed) + sum(1 for id_, at in changes.items() if told.get(id_, at) <= at)


def _of(table: Table, workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (table.c.connection_id == connection_id, table.c.workspace_id == workspace_id)


def _same(entry: Any) -> ColumnElement[bool]:
    same = ("source_id", "kind", "object", "workspace_id")
    return and_(*(link.c[name] == entry.c[name] for name in same))


def _silent(
    session: Session, workspace_id: str, connection_id: str, numbers: Sequence[int], since: datetime
) -> list[datetime]:
    """When each record changed that these runs brought and no event told."""
    recent = (
        select(sync_log_entry)
        .where(
            sync_log_entry.c.run.in_(numbers),
            sync_log_entry.c.workspace_id == workspace_id,
            sync_log_entry.c.result.in_(("created", "updated")),
            sync_log_entry.c.drift.is_(None),  # that was changed in the CRM, of which no event tells
        )
        .order_by(sync_log_entry.c.id.desc())
        .limit(_ENTRIES)
        .subquery()
    )
    brought = (
        select(link.c.source_id, link.c.source_updated_at, recent.c.created_at)
        .join(link, _same(recent))
        .where(link.c.connection_id == connection_id, link.c.source_updated_at.is_not(None))
    )
    changes = dict(_late(session.execute(brought), since)) if numbers else {}
    told = _told(session, workspace_id, connection_id, changes)
    return [at for id_, at in changes.items() if id_ not in told or told[id_] < at]


def _late(rows: Iterable[Any], since: datetime) -> Iterable[tuple[str, datetime]]:
    for source_id, changed, found_at in rows:
        at = _moment(changed)
        if at is not None and at >= since and found_at - at > _IN_TIME:
            yield source_id, at


def _told(
    session: Session, workspace_id: str, connection_id: str, changes: dict[str, datetime]
) -> dict[str, datetime]:
    """Record → when the last event about it came. Clocks may differ a little."""
    query = select(event_inbox.c.source_id, event_inbox.c.received_at).where(
        event_inbox.c.source_id.in_(list(changes)),
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.connection_id == connection_id,
    )
    found: dict[str, datetime] = {}
    for source_id, at in session.execute(query):
        found[source_id] = max(at + _IN_TIME, found.get(source_id, at))
    return found


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
