"""The event inbox: verified webhook deliveries, ours from the commit on until they are settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import or_, select, update

from connector.store.db import Session, insert_new, many
from connector.store.models import event_inbox

Settled = Literal["done", "ignored", "parked"]


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One delivery; ``id`` is None before it is kept. ``body`` is exactly what was signed.

    ``state`` is pending, done, ignored (nothing for us to do) or parked (for a person to look at).
    """

    workspace_id: str
    connection_id: str
    event_id: str
    type: str
    dialect: str
    body: bytes
    received_at: datetime
    due_at: datetime
    scheme: str = "standard"
    kind: str | None = None
    source_id: str | None = None
    occurred_at: datetime | None = None
    state: str = "pending"
    attempts: int = 0
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    settled: bool = False
    settled_at: datetime | None = None
    reason: str | None = None
    error: dict[str, Any] | None = None
    run: int | None = None
    id: int | None = None


_KEPT = tuple(name for name in InboxEvent.__slots__ if name != "id")


def add(session: Session, new: Sequence[InboxEvent]) -> int:
    """Keep deliveries; how many. One whose event id the connection has already changes nothing."""
    rows = [{name: getattr(one, name) for name in _KEPT} for one in new]
    return many(session, insert_new(session, event_inbox), rows)


def pending(
    session: Session, workspace_id: str, connection_id: str, now: datetime, limit: int
) -> list[InboxEvent]:
    """The connection's events whose time has come and that nobody is at, in the order they arrived."""
    query = select(event_inbox).where(
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.state == "pending",
        event_inbox.c.due_at <= now,
        or_(event_inbox.c.claimed_until.is_(None), event_inbox.c.claimed_until < now),
    )
    rows = session.execute(query.order_by(event_inbox.c.id).limit(limit))
    return [InboxEvent(**row._mapping) for row in rows]


def settle(session: Session, workspace_id: str, ids: Iterable[int], state: Settled) -> int:
    """End these events and release them; how many were not settled before.

    A parked event is set aside, not settled: it can still become done or ignored.
    """
    result = session.execute(
        update(event_inbox)
        .where(
            event_inbox.c.id.in_(list(ids)),
            event_inbox.c.workspace_id == workspace_id,
            event_inbox.c.settled.is_(False),
        )
        .values(state=state, settled=state != "parked", claimed_by=None, claimed_until=None)
    )
    return result.rowcount
