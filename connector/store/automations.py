"""Which automations are switched on, for which connection and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from connector.store import connections
from connector.store.db import Session, insert_new
from connector.store.models import automation


@dataclass(frozen=True, slots=True)
class Switch:
    """How an automation is set for a connection. ``since`` None: off. ``plans``: id → title."""

    connection_id: str
    name: str
    workspace_id: str
    since: datetime | None = None
    plans: dict[str, str] = field(default_factory=dict)


def of_connection(session: Session, workspace_id: str, connection_id: str) -> dict[str, Switch]:
    """Name → how it is set, for those that were ever switched on."""
    query = select(automation).where(
        automation.c.connection_id == connection_id, automation.c.workspace_id == workspace_id
    )
    return {row.name: Switch(**row._mapping) for row in session.execute(query)}


def on(session: Session, name: str) -> list[Switch]:
    """Where it is on, over all workspaces."""
    query = select(automation).where(automation.c.name == name, automation.c.since.is_not(None))
    return [Switch(**row._mapping) for row in session.execute(query)]


def switch(
    session: Session,
    workspace_id: str,
    connection_id: str,
    name: str,
    *,
    since: datetime | None,
    plans: Mapping[str, str],
) -> None:
    """Set it. Raises RefusedError for a connection that the workspace does not have."""
    connections.get(session, workspace_id, connection_id)
    key = {"connection_id": connection_id, "name": name, "workspace_id": workspace_id}
    values = {"since": since, "plans": dict(plans)}
    session.execute(insert_new(session, automation).values(key | values))
    here = (
        automation.c.connection_id == connection_id,
        automation.c.name == name,
        automation.c.workspace_id == workspace_id,
    )
    session.execute(update(automation).where(*here).values(values))
