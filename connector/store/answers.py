"""Approvals that were begun here and come back from elsewhere: each counts once, and not for long.

A state is random, so a plain hash of it cannot be searched backwards. Shared by the tables of both services.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, select, update

from connector.store.db import Session

LIFE = timedelta(minutes=15)


def digest(secret: str) -> str:
    """What is kept of a state or of a cookie: 256 random bits need no slower hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def use_up(
    session: Session, table: Table, here: ColumnElement[bool], now: datetime
) -> tuple[Row[Any] | None, bool]:
    """The row of a state, if there is one, and whether it was used up just now: of two answers, one gets it.

    ``here`` names the state's hash and whose it must be. What was used, or is over, stays as it was.
    """
    taken = session.execute(
        update(table).where(here, table.c.used_at.is_(None), table.c.expires_at > now).values(used_at=now)
    )
    return session.execute(select(table).where(here)).first(), taken.rowcount == 1


def forget(session: Session, table: Table, now: datetime) -> int:
    """Delete every row whose time is over, with what it holds; how many."""
    return session.execute(delete(table).where(table.c.expires_at <= now)).rowcount
