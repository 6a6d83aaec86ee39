"""People of a CRM who may sign in: each belongs to one workspace, and the CRM vouches for them each time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, update

from connector.errors import RefusedError
from connector.store.db import Session
from connector.store.models import admin

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Admin:
    """One row. ``removed_at`` is set once the CRM did not vouch for them any more."""

    id: str
    workspace_id: str
    crm_user_id: str
    name: str
    email: str
    created_at: datetime
    signed_in_at: datetime
    removed_at: datetime | None


def vouched(
    session: Session, workspace_id: str, crm_user_id: str, *, name: str, email: str, now: datetime
) -> Admin:
    """Who the CRM just said this is: known from before, or new. One who was shut out is in again."""
    here = and_(admin.c.workspace_id == workspace_id, admin.c.crm_user_id == crm_user_id)
    shown = {"name": (name or email or "Somebody")[:_LONGEST], "email": email[:_LONGEST]}
    seen = {**shown, "signed_in_at": now, "removed_at": None}
    if session.execute(update(admin).where(here).values(seen)).rowcount == 0:
        ids = {"id": str(uuid.uuid4()), "workspace_id": workspace_id, "crm_user_id": crm_user_id}
        session.execute(insert(admin).values(**ids, **seen, created_at=now))
    return _made(session.execute(select(admin).where(here)).one())


def get(session: Session, workspace_id: str, id_: str) -> Admin:
    """One admin of the workspace. Raises RefusedError when it has none of this id."""
    here = and_(admin.c.workspace_id == workspace_id, admin.c.id == id_)
    row = session.execute(select(admin).where(here)).first()
    if row is None:
        raise RefusedError("There is no such person in this workspace.", code="no_admin")
    return _made(row)


def of_workspace(session: Session, workspace_id: str) -> list[Admin]:
    """Everybody who ever signed in to the workspace, the latest first."""
    query = select(admin).where(admin.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(query.order_by(admin.c.signed_in_at.desc()))]


def remove(session: Session, workspace_id: str, id_: str, now: datetime) -> None:
    """Shut a person out: the look-up of their sessions finds them gone at once."""
    here = and_(admin.c.workspace_id == workspace_id, admin.c.id == id_)
    session.execute(update(admin).where(here).values(removed_at=now))


def _made(row: Row[Any]) -> Admin:
    return Admin(**row._mapping)
