"""Whose turn it is to refresh a connection's token, and what comes of it.

A refresh token works once. So each change here names the sealed refresh token that it follows from: what
another worker, or an admin who connected again, has put in its place is never overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, update

from connector.store.db import Session
from connector.store.models import connection

_UNCLAIMED = {"refresh_claimed_by": None, "refresh_claimed_until": None}


@dataclass(frozen=True, slots=True)
class Grant:
    """A connection's credential as it was read: the row, and the sealed refresh token it had."""

    workspace_id: str
    connection_id: str
    refresh_sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What takes the place of a grant's tokens."""

    secret_sealed: str = field(repr=False)
    refresh_sealed: str = field(repr=False)
    expires_at: datetime


def claim(session: Session, grant: Grant, *, owner: str, now: datetime, until: datetime) -> bool:
    """Take the right to refresh; False when another holds it, or the token is not this one any more."""
    claimed = connection.c.refresh_claimed_until
    free = or_(connection.c.refresh_claimed_by.is_(None), claimed.is_(None), claimed < now)
    taken = session.execute(
        update(connection)
        .where(_still(grant), connection.c.status == "active", free)
        .values(refresh_claimed_by=owner, refresh_claimed_until=until)
    )
    return taken.rowcount == 1


def release(session: Session, grant: Grant, *, owner: str) -> None:
    """Give the right back, unless it has passed to another."""
    mine = and_(_still(grant), connection.c.refresh_claimed_by == owner)
    session.execute(update(connection).where(mine).values(_UNCLAIMED))


def renew(session: Session, grant: Grant, new: Renewed) -> bool:
    """Save new tokens and give the right back; False when others are there already.

    The claim is not asked for: even if it ran out meanwhile, these tokens are the ones that work now.
    """
    values = {name: getattr(new, name) for name in Renewed.__slots__}
    return session.execute(update(connection).where(_still(grant)).values(values | _UNCLAIMED)).rowcount == 1


def expire(session: Session, grant: Grant) -> bool:
    """The grant is gone: an admin has to connect again; False when others have taken its place."""
    values = {"status": "expired", **_UNCLAIMED}
    return session.execute(update(connection).where(_still(grant)).values(values)).rowcount == 1


def _still(grant: Grant) -> ColumnElement[bool]:
    return and_(
        connection.c.id == grant.connection_id,
        connection.c.workspace_id == grant.workspace_id,
        connection.c.refresh_sealed == grant.refresh_sealed,
    )
