"""The webhooks that we registered: which they are, how they stand, and who looks after them now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update

from connector.core.hooking import SourceHook
from connector.store.db import Session, insert_new
from connector.store.models import connection, registration, sync_run


@dataclass(frozen=True, slots=True)
class Registration:
    """What we know of a connection's webhook at the source; ``hook_id`` is None while there is none."""

    connection_id: str
    workspace_id: str
    hook_id: str | None = None
    secret_id: str | None = None
    registered_at: datetime | None = None
    enabled: bool = False
    failures: int = 0
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    checked_at: datetime | None = None
    error: dict[str, Any] | None = None
    compared_until: datetime | None = None
    cursor: str | None = None
    newest: datetime | None = None
    due_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None


def due(session: Session, now: datetime) -> list[tuple[str, str]]:
    """(workspace, connection) of every webhook to be looked after now, over all workspaces; connections that
    could have one and are not known here yet come first. Before its first sync a connection has none: nobody
    has agreed yet to what events would make in the CRM.
    """
    agreed = exists().where(
        sync_run.c.connection_id == connection.c.id, sync_run.c.type.in_(("full", "incremental"))
    )
    able = and_(connection.c.status == "active", connection.c.auth == "api_key", agreed)
    known = exists().where(registration.c.connection_id == connection.c.id)
    new = select(connection.c.workspace_id, connection.c.id).where(able, ~known)
    old = (
        select(registration.c.workspace_id, registration.c.connection_id)
        .join(connection, connection.c.id == registration.c.connection_id)
        .where(able, _free(now), registration.c.due_at <= now)
    )
    rows = [*session.execute(new), *session.execute(old.order_by(registration.c.due_at))]
    return [(row[0], row[1]) for row in rows]


def lease(
    session: Session, workspace_id: str, connection_id: str, *, owner: str, now: datetime, until: datetime
) -> Registration | None:
    """Take a connection's webhook to look after it; None when somebody is at it."""
    owned = select(connection.c.id).where(
        connection.c.id == connection_id,
        connection.c.workspace_id == workspace_id,
        connection.c.status != "revoked",
    )
    if session.execute(owned).first() is None:
        return None
    first = {
        "connection_id": connection_id,
        "workspace_id": workspace_id,
        "due_at": now,
        "enabled": False,
        "failures": 0,
    }
    session.execute(insert_new(session, registration).values(first))
    here = _of(workspace_id, connection_id)
    taken = update(registration).where(here, _free(now)).values(owner=owner, lease_until=until)
    return get(session, workspace_id, connection_id) if session.execute(taken).rowcount == 1 else None


def keep(
    session: Session, workspace_id: str, connection_id: str, *, owner: str, values: Mapping[str, Any]
) -> bool:
    """Change what is known of it; False when the lease was lost."""
    mine = and_(_of(workspace_id, connection_id), registration.c.owner == owner)
    return session.execute(update(registration).where(mine).values(dict(values))).rowcount == 1


def release(
    session: Session,
    workspace_id: str,
    connection_id: str,
    *,
    owner: str,
    now: datetime,
    due_at: datetime,
    error: Mapping[str, Any] | None,
) -> bool:
    """Give the lease back after a look: what stood in its way, and when the next one is due."""
    values = {"owner": None, "lease_until": None, "checked_at": now, "due_at": due_at, "error": error}
    return keep(session, workspace_id, connection_id, owner=owner, values=values)


def get(session: Session, workspace_id: str, connection_id: str) -> Registration | None:
    """What we know of a connection's webhook; None where it was never looked after."""
    row = session.execute(select(registration).where(_of(workspace_id, connection_id))).first()
    return None if row is None else Registration(**row._mapping)


def forget(session: Session, workspace_id: str, connection_id: str) -> None:
    """The connection has no webhook of ours any more."""
    session.execute(delete(registration).where(_of(workspace_id, connection_id)))


def state_of(hook: SourceHook) -> dict[str, Any]:
    """How the source has it, as it is kept."""
    names = ("enabled", "failures", "failing_since", "disabled_at")
    return {"hook_id": hook.id} | {name: getattr(hook, name) for name in names}


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(registration.c.lease_until.is_(None), registration.c.lease_until < now)


def _of(workspace_id: str, connection_id: str) -> ColumnElement[bool]:
    return and_(registration.c.connection_id == connection_id, registration.c.workspace_id == workspace_id)
