"""When each connection is compared with the CRM next: due times are rows, claimed by a guarded update."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update

from connector.store.db import Session, insert_new
from connector.store.models import connection, reconcile_plan, sync_run

NIGHTLY = 24


@dataclass(frozen=True, slots=True)
class Plan:
    """``every_hours`` 0: only when somebody asks."""

    connection_id: str
    workspace_id: str
    every_hours: int
    due_at: datetime


def due(session: Session, now: datetime) -> list[Plan]:
    """The plans whose time has come, over all workspaces, of connections that may be read."""
    query = (
        select(reconcile_plan)
        .join(connection, connection.c.id == reconcile_plan.c.connection_id)
        .where(
            reconcile_plan.c.every_hours > 0,
            reconcile_plan.c.due_at <= now,
            connection.c.status == "active",
            connection.c.paused.is_(False),
        )
    )
    return [Plan(**row._mapping) for row in session.execute(query)]


def unplanned(session: Session) -> list[tuple[str, str]]:
    """(workspace, connection) of every connection that was synced and has no plan, over all workspaces."""
    known = exists().where(reconcile_plan.c.connection_id == connection.c.id)
    synced = exists().where(
        sync_run.c.connection_id == connection.c.id,
        sync_run.c.type == "full",
        sync_run.c.status.in_(("success", "partial")),
    )
    query = select(connection.c.workspace_id, connection.c.id)
    rows = session.execute(query.where(connection.c.status == "active", synced, ~known))
    return [(row[0], row[1]) for row in rows]


def add(session: Session, plan: Plan) -> None:
    """Give a connection its plan, unless it has one."""
    values = {name: getattr(plan, name) for name in Plan.__slots__}
    session.execute(insert_new(session, reconcile_plan).values(values))


def take(session: Session, plan: Plan, now: datetime) -> bool:
    """Claim a due time and set the next; nights that were missed come once. False: another has it."""
    step = timedelta(hours=plan.every_hours)
    next_ = plan.due_at + step * ((now - plan.due_at) // step + 1)
    here = (
        reconcile_plan.c.connection_id == plan.connection_id,
        reconcile_plan.c.workspace_id == plan.workspace_id,
        reconcile_plan.c.due_at == plan.due_at,
    )
    return session.execute(update(reconcile_plan).where(*here).values(due_at=next_)).rowcount == 1


def get(session: Session, workspace_id: str, connection_id: str) -> Plan | None:
    """A connection's plan; None before its first complete sync."""
    here = (
        reconcile_plan.c.connection_id == connection_id,
        reconcile_plan.c.workspace_id == workspace_id,
    )
    row = session.execute(select(reconcile_plan).where(*here)).first()
    return None if row is None else Plan(**row._mapping)


def change(
    session: Session, workspace_id: str, connection_id: str, *, every_hours: int, due_at: datetime
) -> int:
    """How often from now on, and when next."""
    here = (
        reconcile_plan.c.connection_id == connection_id,
        reconcile_plan.c.workspace_id == workspace_id,
    )
    values = {"every_hours": every_hours, "due_at": due_at}
    return session.execute(update(reconcile_plan).where(*here).values(values)).rowcount
