"""One record's story: its links, and what the log has of it. Only queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from connector.core.plan import Memory
from connector.store.db import Session
from connector.store.models import link, sync_log_entry, sync_run
from connector.store.runs import LogEntry, Run


@dataclass(frozen=True, slots=True)
class Known:
    """How we know a record in the CRM. ``in_step``: what was written last is what the source said."""

    connection_id: str
    object: str
    crm_id: str | None
    state: str
    in_step: bool
    memory: Memory
    source_updated_at: str | None
    seen_run: int | None
    held_run: int | None
    gone_at: datetime | None


def known(session: Session, workspace_id: str, kind: str, source_id: str) -> list[Known]:
    """The links of a source record: one for each object that it becomes."""
    query = select(
        link.c.connection_id,
        link.c.object,
        link.c.crm_id,
        link.c.state,
        link.c.fingerprint.is_not(None).label("in_step"),
        link.c.memory,
        link.c.source_updated_at,
        link.c.seen_run,
        link.c.held_run,
        link.c.gone_at,
    ).where(link.c.source_id == source_id, link.c.kind == kind, link.c.workspace_id == workspace_id)
    return [
        Known(**{**row._mapping, "in_step": bool(row.in_step), "memory": row.memory or {}})
        for row in session.execute(query.order_by(link.c.id))
    ]


def entries(
    session: Session, workspace_id: str, kind: str, source_id: str, *, limit: int = 200
) -> list[LogEntry]:
    """What the log has of a record, the newest first; not what would have been."""
    entry = sync_log_entry.c
    query = (
        select(sync_log_entry)
        .join(sync_run, sync_run.c.number == entry.run)
        .where(
            entry.source_id == source_id,
            entry.kind == kind,
            entry.workspace_id == workspace_id,
            sync_run.c.type != "preview",
        )
    )
    rows = session.execute(query.order_by(entry.id.desc()).limit(limit))
    return [
        LogEntry(**{name: value for name, value in row._mapping.items() if name != "workspace_id"})
        for row in rows
    ]


def runs_of(session: Session, workspace_id: str, numbers: set[int]) -> dict[int, Run]:
    """These runs, by their numbers, as far as they are kept."""
    query = select(sync_run).where(
        sync_run.c.number.in_(sorted(numbers)), sync_run.c.workspace_id == workspace_id
    )
    return {row.number: Run(**row._mapping) for row in session.execute(query)}
