"""Who works on a connection's events: one drainer at a time, whose claim ends by itself when it dies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, select, update

from connector.store import leases
from connector.store.db import Session, insert_new
from connector.store.models import connection, drain, event_inbox


@dataclass(frozen=True, slots=True)
class Drain:
    """The work on one connection's events; ``tries`` counts the waits in a row that others asked for."""

    connection_id: str
    workspace_id: str
    owner: str | None
    lease_until: datetime | None
    due_at: datetime
    tries: int
    error: dict[str, Any] | None = None


def waiting(session: Session, now: datetime, *, owner: str | None = None) -> list[tuple[str, str]]:
    """(workspace, connection) with events that are due and that nobody but ``owner`` is at.

    Over all workspaces. A connection that has expired keeps its events until it is connected again.
    """
    due = exists().where(
        event_inbox.c.connection_id == connection.c.id,
        event_inbox.c.state == "pending",
        event_inbox.c.due_at <= now,
    )
    taken = exists().where(
        drain.c.connection_id == connection.c.id,
        ~leases.free(drain, now),
        drain.c.owner.is_distinct_from(owner),
    )
    active = and_(connection.c.status == "active", connection.c.paused.is_(False))
    query = select(connection.c.workspace_id, connection.c.id).where(active, due, ~taken)
    return [(row[0], row[1]) for row in session.execute(query.order_by(connection.c.id))]


def lease(
    session: Session, workspace_id: str, connection_id: str, *, owner: str, now: datetime, until: datetime
) -> Drain | None:
    """Take a connection's events to work on them; None when another is at it, or it is not due."""
    first = {"connection_id": connection_id, "workspace_id": workspace_id, "due_at": now, "tries": 0}
    owned = select(connection.c.id).where(
        connection.c.id == connection_id, connection.c.workspace_id == workspace_id
    )
    if session.execute(owned).first() is None:
        return None
    session.execute(insert_new(session, drain).values(first))
    here = _of(workspace_id, connection_id)
    taken = session.execute(
        update(drain).where(here, leases.free(drain, now)).values(owner=owner, lease_until=until)
    )
    if taken.rowcount != 1:
        return None
    return _made(session.execute(select(drain).where(here)).one())


def renew(session: Session, workspace_id: str, connection_id: str, *, owner: str, until: datetime) -> bool:
    """Prolong the lease; False when it was lost."""
    mine = and_(_of(workspace_id, connection_id), drain.c.owner == owner)
    return session.execute(update(drain).where(mine).values(lease_until=until)).rowcount == 1


def release(
    session: Session,
    workspace_id: str,
    connection_id: str,
    *,
    owner: str,
    due_at: datetime,
    tries: int = 0,
    error: dict[str, Any] | None = None,
) -> bool:
    """Give the lease back; the next may take it when it is due. False when it was lost.

    ``error`` is what stands in the way of all events, and so of none of them in particular.
    """
    mine = and_(_of(workspace_id, connection_id), drain.c.owner == owner)
    values = {"owner": None, "lease_until": None, "due_at": due_at, "tries": tries, "error": error}
    return session.execute(update(drain).where(mine).values(values)).rowcount == 1


def get(session: Session, workspace_id: str, connection_id: str) -> Drain | None:
    """How the work on a connection's events stands; None where there never was any."""
    row = session.execute(select(drain).where(_of(workspace_id, connection_id))).first()
    return None if row is None else _made(row)


def _of(workspace_id: str, connection_id: str) -> ColumnElement[bool]:
    return and_(drain.c.connection_id == connection_id, drain.c.workspace_id == workspace_id)


def _made(row: Row[Any]) -> Drain:
    return Drain(**row._mapping)
