"""Whose turn it is to refresh a connection's token, and what comes of it.

A refresh token works once. So each change here names the sealed refresh token that it follows from: what
another worker, or an admin who connected again, has put in its place is never overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from connector.store import leases
from connector.store.connections import MAY_COME_BACK
from connector.store.db import Session
from connector.store.models import connection

_UNCLAIMED: dict[str, Any] = {"refresh_claimed_by": None, "refresh_claimed_until": None}
_SETTLED: dict[str, Any] = {**_UNCLAIMED, "refresh_asked_at": None}


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


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to refresh. ``asked_at`` is when it was asked for before without an answer being known:
    whoever did so died or heard nothing, and the refresh token may be used up. None: never."""

    asked_at: datetime | None = None


def claim(session: Session, grant: Grant, *, owner: str, now: datetime, until: datetime) -> Turn | None:
    """Take the right to refresh and note that it is about to be used.

    None when another holds it, or the token is not this one any more. The note is there from the commit on,
    so commit before asking.
    """
    over = leases.over(connection.c.refresh_claimed_until, now)
    free = or_(connection.c.refresh_claimed_by.is_(None), over)
    taken = session.execute(
        update(connection)
        .where(_still(grant), _usable(), free)
        .values(refresh_claimed_by=owner, refresh_claimed_until=until)
    )
    if taken.rowcount != 1:
        return None
    before = session.execute(select(connection.c.refresh_asked_at).where(_still(grant))).scalar()
    session.execute(update(connection).where(_still(grant)).values(refresh_asked_at=before or now))
    return Turn(before)


def release(session: Session, grant: Grant, *, owner: str, turn: Turn | None = None) -> None:
    """Give the right back, unless it has passed to another.

    With ``turn``, which was used for nothing, the note stands as it did before; without, it stays, because
    no answer came.
    """
    mine = and_(_still(grant), connection.c.refresh_claimed_by == owner)
    note: dict[str, Any] = {} if turn is None else {"refresh_asked_at": turn.asked_at}
    session.execute(update(connection).where(mine).values(_UNCLAIMED | note))


def renew(session: Session, grant: Grant, new: Renewed) -> bool:
    """Save new tokens and give the right back; False when others are there already.

    The claim is not asked for: even if it ran out meanwhile, these tokens are the ones that work now.
    """
    values = {name: getattr(new, name) for name in Renewed.__slots__}
    changed = update(connection).where(_still(grant)).values(values | _SETTLED)
    return session.execute(changed).rowcount == 1


def expire(
    session: Session, grant: Grant, *, code: str, now: datetime, asked_at: datetime | None = None
) -> bool:
    """The grant opens nothing; False when others have taken its place.

    ``asked_at`` is the note of an earlier renewal whose end is not known, where this one used nothing up.
    """
    since = func.coalesce(connection.c.ended_at, now)
    values = {"status": "expired", "ended_code": code, "ended_at": since, **_SETTLED}
    values["refresh_asked_at"] = asked_at
    return session.execute(update(connection).where(_still(grant)).values(values)).rowcount == 1


def _usable() -> ColumnElement[bool]:
    return or_(connection.c.status == "active", connection.c.ended_code.in_(MAY_COME_BACK))


def _still(grant: Grant) -> ColumnElement[bool]:
    return and_(
        connection.c.id == grant.connection_id,
        connection.c.workspace_id == grant.workspace_id,
        connection.c.refresh_sealed == grant.refresh_sealed,
    )
