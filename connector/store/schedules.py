"""What is done by the clock. Every due time is a row; whoever moves it, by a guarded update, has the turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update

from connector.store.db import Session, insert_new
from connector.store.models import connection, schedule, sync_run

INCREMENTAL = "incremental"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One task of one connection; ``every`` is None where the installation's interval counts."""

    connection_id: str
    task: str
    workspace_id: str
    due_at: datetime
    every: int | None = None
    enabled: bool = True

    def interval(self, usual: timedelta) -> timedelta:
        """How long from one to the next."""
        return usual if self.every is None else timedelta(minutes=self.every)


def unplanned(session: Session, task: str) -> list[tuple[str, str, datetime | None]]:
    """(workspace, connection, last sync) of connections that have had a sync and have no such row, over all
    workspaces. Before its first sync nobody has agreed to what one would make in the CRM.
    """
    agreed = exists().where(
        sync_run.c.connection_id == connection.c.id, sync_run.c.type.in_(("full", "incremental"))
    )
    known = exists().where(schedule.c.connection_id == connection.c.id, schedule.c.task == task)
    query = select(connection.c.workspace_id, connection.c.id, connection.c.last_sync_at)
    return [(row[0], row[1], row[2]) for row in session.execute(query.where(agreed, ~known))]


def add(session: Session, workspace_id: str, connection_id: str, task: str, due_at: datetime) -> None:
    """Plan a task; one that is planned already stays as it is."""
    row = {"workspace_id": workspace_id, "connection_id": connection_id, "task": task}
    session.execute(insert_new(session, schedule).values(row | {"due_at": due_at, "enabled": True}))


def due(session: Session, task: str, now: datetime) -> list[Schedule]:
    """What may begin now, over all workspaces: the connection is active, not paused, and has no run that
    another would have to wait for."""
    busy = exists().where(sync_run.c.active_key == schedule.c.connection_id)
    query = (
        select(schedule)
        .join(connection, connection.c.id == schedule.c.connection_id)
        .where(
            schedule.c.task == task,
            schedule.c.enabled.is_(True),
            schedule.c.due_at <= now,
            connection.c.status == "active",
            connection.c.paused.is_(False),
            ~busy,
        )
    )
    return [Schedule(**row._mapping) for row in session.execute(query.order_by(schedule.c.due_at))]


def beyond(session: Session, task: str, moment: datetime) -> list[Schedule]:
    """What is due only after this moment, over all workspaces: for a clock that jumped."""
    query = select(schedule).where(schedule.c.task == task, schedule.c.due_at > moment)
    return [Schedule(**row._mapping) for row in session.execute(query)]


def claim(session: Session, one: Schedule, next_at: datetime) -> bool:
    """Take this turn by naming the next; False when another scheduler has it."""
    mine = and_(_of(one.workspace_id, one.connection_id, one.task), schedule.c.due_at == one.due_at)
    return session.execute(update(schedule).where(mine).values(due_at=next_at)).rowcount == 1


def get(session: Session, workspace_id: str, connection_id: str, task: str) -> Schedule | None:
    """How a task of a connection is planned; None where it is not yet."""
    row = session.execute(select(schedule).where(_of(workspace_id, connection_id, task))).first()
    return None if row is None else Schedule(**row._mapping)


def change(
    session: Session,
    workspace_id: str,
    connection_id: str,
    task: str,
    *,
    now: datetime,
    every: int | None,
    enabled: bool,
    usual: timedelta,
) -> bool:
    """Set the interval in minutes (None: the installation's) and whether it runs; False where there is no
    such connection. A shorter interval counts from now on."""
    owned = select(connection.c.id).where(
        connection.c.id == connection_id, connection.c.workspace_id == workspace_id
    )
    if session.execute(owned).first() is None:
        return False
    latest = now + (usual if every is None else timedelta(minutes=every))
    add(session, workspace_id, connection_id, task, latest)
    here = _of(workspace_id, connection_id, task)
    session.execute(update(schedule).where(here).values(every=every, enabled=enabled))
    session.execute(update(schedule).where(here, schedule.c.due_at > latest).values(due_at=latest))
    return True


def missed(session: Session, workspace_id: str, connection_id: str, since: datetime) -> int:
    """How many changes the syncs since then found that no webhook had told."""
    query = select(func.sum(sync_run.c.missed)).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        or_(sync_run.c.ended_at.is_(None), sync_run.c.ended_at >= since),
    )
    return int(session.execute(query).scalar() or 0)


def _of(workspace_id: str, connection_id: str, task: str) -> Any:
    return and_(
        schedule.c.connection_id == connection_id,
        schedule.c.workspace_id == workspace_id,
        schedule.c.task == task,
    )
