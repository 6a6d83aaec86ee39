"""Workspaces whose people may ask for something by a field of the CRM, and when is looked for it next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from connector.store.db import Session, insert_new, one_of
from connector.store.models import crm_request, link


@dataclass(frozen=True, slots=True)
class Listening:
    """How it is set for a workspace. ``since`` None: off. ``hook_id`` None: the CRM tells nothing."""

    workspace_id: str
    since: datetime | None
    hook_id: str | None
    secret_sealed: str | None = field(repr=False)
    due_at: datetime
    looked_at: datetime | None
    error: dict[str, Any] | None
    only_people: bool


def get(session: Session, workspace_id: str) -> Listening | None:
    """How it is set; None where it was never switched on."""
    row = session.execute(select(crm_request).where(crm_request.c.workspace_id == workspace_id)).first()
    return None if row is None else Listening(**row._mapping)


def keep(session: Session, workspace_id: str, *, due_at: datetime, **values: Any) -> None:
    """Set it."""
    changed = {"due_at": due_at, **values}
    session.execute(insert_new(session, crm_request).values({"workspace_id": workspace_id, **changed}))
    here = crm_request.c.workspace_id == workspace_id
    session.execute(update(crm_request).where(here).values(changed))


def let_ask(session: Session, workspace_id: str, now: datetime, *, only_people: bool) -> None:
    """Set who may ask, and nothing else of it."""
    session.execute(insert_new(session, crm_request).values(workspace_id=workspace_id, due_at=now))
    here = crm_request.c.workspace_id == workspace_id
    session.execute(update(crm_request).where(here).values(only_people=only_people))


def heard(session: Session, workspace_id: str, now: datetime) -> int:
    """The CRM told something: look now. How many were not due anyway."""
    here = (crm_request.c.workspace_id == workspace_id, crm_request.c.since.is_not(None))
    later = crm_request.c.due_at > now
    return session.execute(update(crm_request).where(*here, later).values(due_at=now)).rowcount


def due(session: Session, now: datetime) -> list[Listening]:
    """Where it is time to look, over all workspaces."""
    query = select(crm_request).where(crm_request.c.since.is_not(None), crm_request.c.due_at <= now)
    return [Listening(**row._mapping) for row in session.execute(query.order_by(crm_request.c.due_at))]


def claim(session: Session, one: Listening, next_at: datetime, now: datetime) -> bool:
    """Take this look by naming the next; False when another worker has it."""
    mine = (crm_request.c.workspace_id == one.workspace_id, crm_request.c.due_at == one.due_at)
    values = {"due_at": next_at, "looked_at": now}
    return session.execute(update(crm_request).where(*mine).values(values)).rowcount == 1


def memberships(
    session: Session, workspace_id: str, object_: str, crm_ids: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Id in the CRM → (connection, membership), by what the links remember: a field can be typed into."""
    if not crm_ids:
        return {}
    query = select(link.c.crm_id, link.c.connection_id, link.c.source_id).where(
        one_of(session, link.c.crm_id, crm_ids),
        link.c.workspace_id == workspace_id,
        link.c.object == object_,
        link.c.kind == "membership",
        link.c.state == "linked",
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}
