"""What signed-in people granted: a token pair for each, sealed, renewed by one worker at a time.

Two renewals at once do no harm to this CRM, whose old refresh tokens keep working; yet its limit of them is
shared by all connections, so one is enough. Each change names the sealed refresh token that it follows
from: what a newer sign-in has put in its place is never overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, select, update

from connector.store import leases
from connector.store.db import Session
from connector.store.models import crm_grant

_UNCLAIMED = {"claimed_by": None, "claimed_until": None}


@dataclass(frozen=True, slots=True)
class CrmGrant:
    """One row. ``ended_at`` is set when the CRM no longer renews it."""

    admin_id: str
    workspace_id: str
    token_url: str
    client_id: str
    access_sealed: str = field(repr=False)
    refresh_sealed: str = field(repr=False)
    expires_at: datetime
    granted_at: datetime
    ended_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None


def keep(session: Session, new: CrmGrant) -> None:
    """Keep what was granted, in place of what the same person granted before."""
    remove(session, new.workspace_id, new.admin_id)
    session.execute(insert(crm_grant).values({name: getattr(new, name) for name in CrmGrant.__slots__}))


def newest(session: Session, workspace_id: str, *, prefer: str | None = None) -> CrmGrant | None:
    """A grant of the workspace that works, as far as is known: that of ``prefer``, else the latest."""
    found = [one for one in of_workspace(session, workspace_id) if one.ended_at is None]
    return next((one for one in found if one.admin_id == prefer), found[0] if found else None)


def get(session: Session, workspace_id: str, admin_id: str) -> CrmGrant | None:
    """What this person granted; None when it was deleted."""
    row = session.execute(select(crm_grant).where(_of(workspace_id, admin_id))).first()
    return None if row is None else _made(row)


def of_workspace(session: Session, workspace_id: str) -> list[CrmGrant]:
    """All grants of the workspace, the latest first."""
    query = select(crm_grant).where(crm_grant.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(query.order_by(crm_grant.c.granted_at.desc()))]


def claim(session: Session, grant: CrmGrant, *, owner: str, now: datetime, until: datetime) -> bool:
    """Take the right to renew; False when another holds it, or the grant is not this one any more."""
    free = leases.over(crm_grant.c.claimed_until, now)
    taken = session.execute(
        update(crm_grant).where(_still(grant), free).values(claimed_by=owner, claimed_until=until)
    )
    return taken.rowcount == 1


def release(session: Session, grant: CrmGrant, *, owner: str) -> None:
    """Give the right back, unless it has passed to another."""
    mine = and_(_still(grant), crm_grant.c.claimed_by == owner)
    session.execute(update(crm_grant).where(mine).values(_UNCLAIMED))


def renew(session: Session, grant: CrmGrant, *, access: str, refresh: str, expires_at: datetime) -> bool:
    """Save new tokens (sealed) and give the right back; False when others are there already."""
    values = {"access_sealed": access, "refresh_sealed": refresh, "expires_at": expires_at}
    changed = session.execute(update(crm_grant).where(_still(grant)).values(values | _UNCLAIMED))
    return changed.rowcount == 1


def end(session: Session, grant: CrmGrant, now: datetime) -> bool:
    """The CRM does not renew it; False when another has taken its place."""
    values = {"ended_at": now, **_UNCLAIMED}
    return session.execute(update(crm_grant).where(_still(grant)).values(values)).rowcount == 1


def remove(session: Session, workspace_id: str, admin_id: str) -> bool:
    """Forget what this person granted; False when there was nothing."""
    return session.execute(delete(crm_grant).where(_of(workspace_id, admin_id))).rowcount == 1


def _of(workspace_id: str, admin_id: str) -> ColumnElement[bool]:
    return and_(crm_grant.c.admin_id == admin_id, crm_grant.c.workspace_id == workspace_id)


def _still(grant: CrmGrant) -> ColumnElement[bool]:
    same = crm_grant.c.refresh_sealed == grant.refresh_sealed
    return and_(_of(grant.workspace_id, grant.admin_id), same, crm_grant.c.ended_at.is_(None))


def _made(row: Row[Any]) -> CrmGrant:
    return CrmGrant(**row._mapping)
