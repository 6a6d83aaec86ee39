"""Reconciliations: one row for each, worked on by whoever holds its lease, and the report that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, literal, select, update

from connector.core.reconciling import Standings
from connector.errors import RefusedError
from connector.store import leases
from connector.store.db import Session, insert_into
from connector.store.models import difference, reconciliation
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first
from connector.store.types import UtcDateTime

ACTIVE = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    number: int
    id: str
    workspace_id: str
    connection_id: str
    status: str
    why: str
    correlation_id: str
    counts: Standings
    checkpoint: dict[str, Any]
    checkpoint_version: int
    error: dict[str, Any] | None
    lease_owner: str | None
    lease_until: datetime | None
    due_at: datetime
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    repair_run: str | None
    active_key: str | None

    @property
    def active(self) -> bool:
        """Whether it still has work before it."""
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class NewReconciliation:
    """What one is asked for with."""

    id: str
    workspace_id: str
    connection_id: str
    why: str
    correlation_id: str
    now: datetime


def start(session: Session, new: NewReconciliation) -> Reconciliation:
    """Queue one. Raises RefusedError when the connection is being compared already."""
    values = {
        "id": new.id,
        "workspace_id": new.workspace_id,
        "connection_id": new.connection_id,
        "status": "queued",
        "why": new.why,
        "correlation_id": new.correlation_id,
        "counts": {},
        "checkpoint": {},
        "checkpoint_version": 0,
        "due_at": new.now,
        "queued_at": new.now,
        "active_key": new.connection_id,
    }
    added = insert_into(session, reconciliation).values(values)
    added = added.on_conflict_do_nothing(index_elements=["active_key"])
    if session.execute(added.returning(reconciliation.c.number)).first() is None:
        raise RefusedError(
            "This company is being compared already.",
            code="reconcile_active",
            remedy="Wait for it to end; `flask reconcile list` shows it.",
        )
    return by_id(session, new.id)


def lease(session: Session, id_: str, *, owner: str, now: datetime, until: datetime) -> Reconciliation | None:
    """Take it to work on it; None when it has ended, is not due, or another worker is at it."""
    taken = session.execute(
        update(reconciliation)
        .where(
            reconciliation.c.id == id_,
            _waits(now),
        )
        .values(
            lease_owner=owner,
            lease_until=until,
            status="running",
            started_at=func.coalesce(reconciliation.c.started_at, literal(now, UtcDateTime)),
        )
    )
    return by_id(session, id_) if taken.rowcount == 1 else None


def renew(session: Session, id_: str, *, owner: str, until: datetime) -> bool:
    """The heartbeat: prolong the lease; False when it was lost."""
    return leases.renew(session, reconciliation, id_, owner=owner, until=until)


def save(session: Session, one: Reconciliation, *, owner: str, **values: Any) -> None:
    """Save progress by compare-and-set. Raises TryLaterError when another worker took it over."""
    leases.save(session, reconciliation, one, owner=owner, **values)


def finish(
    session: Session,
    one: Reconciliation,
    *,
    owner: str,
    now: datetime,
    error: dict[str, Any] | None = None,
) -> None:
    """End it: done, or failed where there is an error."""
    ended = {"status": "failed" if error else "done", "error": error, "ended_at": now, "active_key": None}
    save(session, one, owner=owner, lease_owner=None, lease_until=None, **ended)


def end(session: Session, workspace_id: str, id_: str, now: datetime, why: dict[str, Any] | None) -> bool:
    """Cancel one that is under way; False when it is not (any more). What it found until then stays."""
    here = (reconciliation.c.id == id_, reconciliation.c.workspace_id == workspace_id)
    over = {"status": "cancelled", "ended_at": now, "active_key": None, "error": why}
    ended = update(reconciliation).where(*here, reconciliation.c.status.in_(ACTIVE))
    return session.execute(ended.values(**over, lease_owner=None, lease_until=None)).rowcount == 1


def mark_repaired(session: Session, workspace_id: str, id_: str, run_id: str) -> int:
    """Remember the sync that mends what was found."""
    here = (reconciliation.c.id == id_, reconciliation.c.workspace_id == workspace_id)
    return session.execute(update(reconciliation).where(*here).values(repair_run=run_id)).rowcount


def overdue(session: Session, now: datetime) -> list[str]:
    """Ids of those that nobody is at and whose time has come, over all workspaces."""
    return list(session.execute(select(reconciliation.c.id).where(_waits(now))).scalars())


def _waits(now: datetime) -> ColumnElement[bool]:
    """It is under way, its time has come, and nobody is at it."""
    return and_(reconciliation.c.status.in_(ACTIVE), leases.free(reconciliation, now))


def get(session: Session, workspace_id: str, id_: str) -> Reconciliation:
    """One of the workspace. Raises RefusedError when it has none of this id."""
    here = (reconciliation.c.id == id_, reconciliation.c.workspace_id == workspace_id)
    row = session.execute(select(reconciliation).where(*here)).first()
    if row is None:
        raise _unknown(id_)
    return _made(row)


def by_id(session: Session, id_: str) -> Reconciliation:
    """One by its id alone: for jobs, and for the operator's commands."""
    row = session.execute(select(reconciliation).where(reconciliation.c.id == id_)).first()
    if row is None:
        raise _unknown(id_)
    return _made(row)


def page(session: Session, workspace_id: str, place: Place = NEWEST, limit: int = 30) -> Leaf[Reconciliation]:
    """One page of the workspace's, newest first."""
    query = select(reconciliation).where(reconciliation.c.workspace_id == workspace_id)
    rows = session.execute(from_place(query, reconciliation.c.number, place).limit(limit + 1)).all()
    found = newest_first([_made(row) for row in rows[:limit]], place)
    return leaf_of(found, [one.number for one in found], place, more=len(rows) > limit)


def latest(session: Session, workspace_id: str, connection_id: str) -> Reconciliation | None:
    """The connection's newest that came to its end well."""
    query = select(reconciliation).where(
        reconciliation.c.connection_id == connection_id,
        reconciliation.c.workspace_id == workspace_id,
        reconciliation.c.status == "done",
    )
    row = session.execute(query.order_by(reconciliation.c.number.desc()).limit(1)).first()
    return None if row is None else _made(row)


def prune(session: Session, workspace_id: str, connection_id: str, keep: int) -> int:
    """Forget the differences of all but the newest few of a connection; the reports' numbers stay."""
    mine = select(reconciliation.c.number).where(
        reconciliation.c.connection_id == connection_id, reconciliation.c.workspace_id == workspace_id
    )
    old = mine.order_by(reconciliation.c.number.desc()).offset(keep).limit(1)
    edge = session.execute(old).scalar()
    if edge is None:
        return 0
    gone = (difference.c.reconciliation.in_(mine), difference.c.reconciliation <= edge)
    return session.execute(
        delete(difference).where(*gone, difference.c.workspace_id == workspace_id)
    ).rowcount


def _unknown(id_: str) -> RefusedError:
    return RefusedError(
        f"There is no comparison {id_!r}.",
        code="no_reconciliation",
        remedy="`flask reconcile list` shows them.",
    )


def _made(row: Row[Any]) -> Reconciliation:
    return Reconciliation(**row._mapping)
