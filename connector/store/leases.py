"""Rows that one worker at a time is at: a lease that ends by itself, a due time, saves by compare-and-set.

A clock that jumped ahead and was put right leaves leases and due times that nobody would live to see. What
lies further ahead than any can be is void, for whatever has one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, and_, or_, update

from connector.errors import TryLaterError
from connector.store.db import Session

JUMP = timedelta(minutes=15)
"""Longer than any lease or wait: what lies further ahead was noted by a clock that was wrong."""

_LONGEST = timedelta(minutes=10)


class Leased(Protocol):
    """A row with a checkpoint."""

    @property
    def id(self) -> str: ...
    @property
    def checkpoint_version(self) -> int: ...


def later(now: datetime, seconds: float) -> datetime:
    """When what waits so long is looked at again. Who is told to wait for an hour asks a few times in it."""
    return now + min(timedelta(seconds=seconds), _LONGEST)


def is_over(until: datetime | None, now: datetime) -> bool:
    """Whether a lease has ended, or is void."""
    return until is None or until < now or until > now + JUMP


def over(until: ColumnElement[datetime | None], now: datetime) -> ColumnElement[bool]:
    """The same as a condition."""
    return or_(until.is_(None), until < now, until > now + JUMP)


def free(table: Table, now: datetime) -> ColumnElement[bool]:
    """Its time has come, and nobody is at it."""
    due = or_(table.c.due_at <= now, table.c.due_at > now + JUMP)
    return and_(due, over(table.c.lease_until, now))


def renew(session: Session, table: Table, id_: str, *, owner: str, until: datetime) -> bool:
    """The heartbeat: prolong the lease; False when it was lost."""
    held = (table.c.id == id_, table.c.lease_owner == owner)
    return session.execute(update(table).where(*held).values(lease_until=until)).rowcount == 1


def save(session: Session, table: Table, one: Leased, *, owner: str, **values: Any) -> None:
    """Save progress by compare-and-set. Raises TryLaterError when another worker took it over."""
    here = (
        table.c.id == one.id,
        table.c.lease_owner == owner,
        table.c.checkpoint_version == one.checkpoint_version,
    )
    changed = {"checkpoint_version": one.checkpoint_version + 1, **values}
    if session.execute(update(table).where(*here).values(**changed)).rowcount != 1:
        raise TryLaterError("Another worker went on with this.", code="lease_lost")
