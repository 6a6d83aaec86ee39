"""Sync runs and their log: one row per execution, one entry per record that was not simply unchanged.

Whoever works on a run holds its lease; every save names the lease's owner and the checkpoint's version,
so a worker that was thought dead cannot overwrite the one that took over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, literal, select, update

from connector.core.outcomes import Counts, Outcome, Result, as_json
from connector.errors import RefusedError
from connector.store import intents, leases
from connector.store.db import Session, insert_into, many
from connector.store.models import connection, sync_log_entry, sync_run
from connector.store.types import UtcDateTime

ACTIVE = ("queued", "running", "paused")
"""What has work before it. One that waits for an answer is through; what was approved is a run of its own."""

ASKING = ("many_changes",)
"""Errors of paused runs that only a person's yes to just this run lets go on."""


@dataclass(frozen=True, slots=True)
class Run:
    number: int
    id: str
    workspace_id: str
    connection_id: str
    type: str
    status: str
    why: str
    correlation_id: str
    mapping_version: str | None
    counts: Counts
    unknown_choices: dict[str, dict[str, int]]
    checkpoint: dict[str, Any]
    checkpoint_version: int
    drift: int
    error: dict[str, Any] | None
    lease_owner: str | None
    lease_until: datetime | None
    due_at: datetime
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    active_key: str | None
    missed: int | None = None
    pruned_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it still has work before it."""
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class LogEntry:
    id: int
    run: int
    kind: str
    source_id: str
    object: str
    crm_id: str | None
    title: str
    result: str
    reason: str | None
    error_code: str | None
    error: dict[str, Any] | None
    warnings: list[str] | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    drift: list[str] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is asked for with."""

    id: str
    workspace_id: str
    connection_id: str
    type: str
    why: str
    correlation_id: str
    now: datetime
    checkpoint: dict[str, Any] = field(default_factory=dict)
    #: Whether the connection may have no other such run beside it; events are taken beside any.
    alone: bool = True
    #: What it maps by, where that is not what is in force when it begins.
    mapping_version: str | None = None


def start(session: Session, new: NewRun) -> None:
    """Queue a run. Raises RefusedError when the connection has an active one already."""
    values = {
        "id": new.id,
        "workspace_id": new.workspace_id,
        "connection_id": new.connection_id,
        "type": new.type,
        "status": "queued",
        "why": new.why,
        "correlation_id": new.correlation_id,
        "counts": {},
        "unknown_choices": {},
        "checkpoint": new.checkpoint,
        "checkpoint_version": 0,
        "due_at": new.now,
        "queued_at": new.now,
        "active_key": new.connection_id if new.alone else None,
        "mapping_version": new.mapping_version,
    }
    statement = (
        insert_into(session, sync_run)
        .values(values)
        .on_conflict_do_nothing(index_elements=["active_key"])
        .returning(sync_run.c.number)
    )
    if session.execute(statement).first() is None:
        raise RefusedError(
            "A sync of this connection is under way already.",
            code="run_active",
            remedy="Wait for it to end, or look at it with `flask sync list`.",
        )


def lease(session: Session, run_id: str, *, owner: str, now: datetime, until: datetime) -> Run | None:
    """Take a run to work on it; None when it has ended, is not due, or another worker is at it."""
    taken = session.execute(
        update(sync_run)
        .where(
            sync_run.c.id == run_id,
            sync_run.c.status.in_(("queued", "running")),
            leases.free(sync_run, now),
        )
        .values(
            lease_owner=owner,
            lease_until=until,
            status="running",
            started_at=func.coalesce(sync_run.c.started_at, literal(now, UtcDateTime)),
        )
    )
    return _one(session, sync_run.c.id == run_id) if taken.rowcount == 1 else None


def renew(session: Session, run_id: str, *, owner: str, until: datetime) -> bool:
    """The heartbeat: prolong the lease; False when it was lost."""
    return leases.renew(session, sync_run, run_id, owner=owner, until=until)


def save(session: Session, run: Run, *, owner: str, **values: Any) -> None:
    """Save progress by compare-and-set. Raises TryLaterError when another worker took the run over."""
    leases.save(session, sync_run, run, owner=owner, **values)


def release(session: Session, run: Run, *, owner: str, due_at: datetime, status: str = "running") -> None:
    """Give the lease back; the run goes on when it is due, unless it is paused."""
    save(session, run, owner=owner, lease_owner=None, lease_until=None, due_at=due_at, status=status)


def finish(
    session: Session,
    run: Run,
    *,
    owner: str,
    status: str,
    now: datetime,
    error: dict[str, Any] | None = None,
    missed: int | None = None,
) -> None:
    """End a run; the connection is free for the next. ``missed``: changes that no webhook had told."""
    ended = {"status": status, "error": error, "ended_at": now, "active_key": None, "missed": missed}
    save(session, run, owner=owner, lease_owner=None, lease_until=None, **ended)
    intents.forget_run(session, run.workspace_id, run.number)


def _of_connection(workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (sync_run.c.workspace_id == workspace_id, sync_run.c.connection_id == connection_id)


def pause_idle(session: Session, workspace_id: str, connection_id: str) -> None:
    """Pause the connection's run where no worker is at it; a worker pauses its own between two blocks."""
    session.execute(
        update(sync_run)
        .where(
            *_of_connection(workspace_id, connection_id),
            sync_run.c.status.in_(("queued", "running")),
            sync_run.c.lease_owner.is_(None),
        )
        .values(status="paused")
    )


def resume(session: Session, workspace_id: str, connection_id: str, now: datetime) -> list[Run]:
    """Let the connection's paused run go on, unless it asks a person something; the runs that did."""
    paused = (*_of_connection(workspace_id, connection_id), sync_run.c.status == "paused")
    found = [_made(row) for row in session.execute(select(sync_run).where(*paused))]
    ids = [run.id for run in found if (run.error or {}).get("code") not in ASKING]
    return [by_id(session, id_) for id_ in ids if resume_one(session, workspace_id, id_, now)]


def resume_one(session: Session, workspace_id: str, run_id: str, now: datetime) -> bool:
    """Let one paused run go on, whatever it waits for; False when it is not paused (any more)."""
    mine = (sync_run.c.id == run_id, sync_run.c.workspace_id == workspace_id, sync_run.c.status == "paused")
    return session.execute(update(sync_run).where(*mine).values(status="running", due_at=now)).rowcount == 1


def resume_all(session: Session, workspace_id: str, now: datetime) -> list[Run]:
    """Let every paused run of the workspace go on whose connection nobody paused, unless it asks a person
    something; the runs that did."""
    wanted = select(connection.c.id).where(
        connection.c.workspace_id == workspace_id, connection.c.paused.is_(False)
    )
    ids = list(session.execute(wanted).scalars())
    return [run for id_ in ids for run in resume(session, workspace_id, id_, now)]


def cancel(
    session: Session, workspace_id: str, connection_id: str, now: datetime, why: dict[str, Any] | None = None
) -> None:
    """End the connection's active run without finishing it. A worker at it finds its lease gone and stops."""
    over = {"status": "cancelled", "ended_at": now, "active_key": None, "error": why}
    session.execute(
        update(sync_run)
        .where(*_of_connection(workspace_id, connection_id), sync_run.c.status.in_((*ACTIVE, "waiting")))
        .values(**over, lease_owner=None, lease_until=None)
    )


def end(session: Session, workspace_id: str, run_id: str, now: datetime, why: dict[str, Any] | None) -> bool:
    """Cancel one run that has work before it; False when it has none. What it has done stays."""
    mine = (sync_run.c.id == run_id, sync_run.c.workspace_id == workspace_id, sync_run.c.status.in_(ACTIVE))
    over = {"status": "cancelled", "ended_at": now, "active_key": None, "error": why}
    ended = update(sync_run).where(*mine).values(**over, lease_owner=None, lease_until=None)
    return session.execute(ended).rowcount == 1


def overdue(session: Session, now: datetime) -> list[str]:
    """Ids of active runs that nobody is at and whose time has come: for the sweeper, over all workspaces."""
    query = select(sync_run.c.id).where(
        sync_run.c.status.in_(("queued", "running")),
        leases.free(sync_run, now),
    )
    return list(session.execute(query).scalars())


_LOG = insert(sync_log_entry)


def log(session: Session, run: Run, outcomes: Iterable[Outcome], now: datetime) -> None:
    """Write a log entry for each outcome but the unchanged, which are only counted."""
    many(session, _LOG, [_entry(run, one, now) for one in outcomes if _is_told(one)])


def _is_told(outcome: Outcome) -> bool:
    return outcome.result is not Result.UNCHANGED or bool(outcome.reason or outcome.warnings)


def _entry(run: Run, outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "workspace_id": run.workspace_id,
        "run": run.number,
        "kind": outcome.ref.kind,
        "source_id": outcome.ref.id,
        "object": outcome.object,
        "crm_id": outcome.crm_id,
        "title": outcome.title,
        "result": outcome.result.value,
        "reason": outcome.reason,
        "error_code": outcome.error.code if outcome.error else None,
        "error": as_json(outcome.error),
        "warnings": list(outcome.warnings) or None,
        "before": outcome.before,
        "after": outcome.after,
        "drift": list(outcome.drift) or None,
        "created_at": now,
    }


def get(session: Session, workspace_id: str, run_id: str) -> Run:
    """One run of the workspace. Raises RefusedError when it has none of this id."""
    found = _one(session, and_(sync_run.c.id == run_id, sync_run.c.workspace_id == workspace_id))
    if found is None:
        raise RefusedError(f"There is no run {run_id!r}.", code="no_run")
    return found


def numbered(session: Session, workspace_id: str, number: int) -> Run:
    """One run of the workspace by its number. Raises RefusedError when it has none of it."""
    found = _one(session, and_(sync_run.c.number == number, sync_run.c.workspace_id == workspace_id))
    if found is None:
        raise RefusedError(f"There is no sync {number}.", code="no_run")
    return found


def by_id(session: Session, run_id: str) -> Run:
    """A run by its id alone: for jobs, whose arguments are ids."""
    found = _one(session, sync_run.c.id == run_id)
    if found is None:
        raise RefusedError(f"There is no run {run_id!r}.", code="no_run")
    return found


def owner_of(session: Session, run_id: str) -> str:
    """The workspace a run belongs to: for the operator's commands, which name only the run."""
    found = session.execute(select(sync_run.c.workspace_id).where(sync_run.c.id == run_id)).scalar()
    if found is None:
        raise RefusedError(
            f"There is no run {run_id!r}.", code="no_run", remedy="`flask sync list` shows them."
        )
    return str(found)


def of_workspace(session: Session, workspace_id: str, *, limit: int = 50) -> list[Run]:
    """The workspace's runs, newest first."""
    query = select(sync_run).where(sync_run.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(query.order_by(sync_run.c.number.desc()).limit(limit))]


def entries(
    session: Session,
    workspace_id: str,
    run: int,
    *,
    results: Sequence[str] = (),
    after: int = 0,
    limit: int = 100,
) -> list[LogEntry]:
    """Log entries of one run in the order they were written, from ``after`` on."""
    query = select(sync_log_entry).where(
        sync_log_entry.c.run == run,
        sync_log_entry.c.workspace_id == workspace_id,
        sync_log_entry.c.id > after,
    )
    if results:
        query = query.where(sync_log_entry.c.result.in_(results))
    rows = session.execute(query.order_by(sync_log_entry.c.id).limit(limit))
    return [
        LogEntry(**{name: value for name, value in row._mapping.items() if name != "workspace_id"})
        for row in rows
    ]


def _one(session: Session, condition: Any) -> Run | None:
    row = session.execute(select(sync_run).where(condition)).first()
    return None if row is None else _made(row)


def _made(row: Row[Any]) -> Run:
    return Run(**row._mapping)
