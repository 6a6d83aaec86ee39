"""The event inbox: verified webhook deliveries, ours from the commit on until they are settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Update, select, update

from connector.store.db import Database, Session, alone, insert_new, many
from connector.store.models import UNHEARD, automation, connection, event_inbox

Settled = Literal["done", "ignored"]


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
    settled: bool = False
    settled_at: datetime | None = None
    reason: str | None = None
    error: dict[str, Any] | None = None
    run: int | None = None
    quiet: bool = False
    heard: bool = False
    id: int | None = None


_KEPT = tuple(name for name in InboxEvent.__slots__ if name != "id")


def add(session: Session, new: Sequence[InboxEvent]) -> int:
    """Keep deliveries; how many. One whose event id the connection has already changes nothing."""
    return many(session, insert_new(session, event_inbox), _rows(new))


def take_in(database: Database, new: Sequence[InboxEvent]) -> int:
    """As ``add``, committed as soon as it can be: a sender waits for it."""
    with database.single() as session:
        return alone(session, insert_new(session, event_inbox), _rows(new))


def _rows(new: Sequence[InboxEvent]) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in _KEPT} for one in new]


def pending(
    session: Session, workspace_id: str, connection_id: str, now: datetime, limit: int
) -> list[InboxEvent]:
    """The connection's events whose time has come, in the order they arrived."""
    query = select(event_inbox).where(
        *_of(workspace_id, connection_id), event_inbox.c.state == "pending", event_inbox.c.due_at <= now
    )
    rows = session.execute(query.order_by(event_inbox.c.id).limit(limit))
    return [InboxEvent(**row._mapping) for row in rows]


def unheard(session: Session, limit: int) -> dict[tuple[str, str], list[InboxEvent]]:
    """(workspace, connection) → the events that automations have not looked at, in the order they arrived;
    over all workspaces, only of connections for which an automation is on."""
    on = select(automation.c.connection_id).where(automation.c.since.is_not(None))
    query = select(event_inbox).where(event_inbox.c.connection_id.in_(on), UNHEARD)
    found: dict[tuple[str, str], list[InboxEvent]] = {}
    for row in session.execute(query.order_by(event_inbox.c.id).limit(limit)):
        found.setdefault((row.workspace_id, row.connection_id), []).append(InboxEvent(**row._mapping))
    return found


def mark_heard(session: Session, workspace_id: str, ids: Iterable[int]) -> int:
    """Automations have looked at these; how many."""
    here = (event_inbox.c.id.in_(list(ids)), event_inbox.c.workspace_id == workspace_id)
    return session.execute(update(event_inbox).where(*here).values(heard=True)).rowcount


def beyond(session: Session, moment: datetime, limit: int) -> list[tuple[str, int]]:
    """(workspace, event) of what waits for later than this, over all workspaces: for a clock that jumped."""
    known = select(connection.c.id)  # so that the index by connection serves
    query = select(event_inbox.c.workspace_id, event_inbox.c.id).where(
        event_inbox.c.connection_id.in_(known),
        event_inbox.c.state == "pending",
        event_inbox.c.due_at > moment,
    )
    return [(row[0], row[1]) for row in session.execute(query.limit(limit))]


def settle(
    session: Session,
    workspace_id: str,
    ids: Iterable[int],
    state: Settled,
    *,
    now: datetime,
    run: int | None = None,
    reason: str | None = None,
) -> int:
    """End these events; how many were not settled before. What stood in their way is forgotten."""
    values = {"state": state, "settled": True, "settled_at": now, "run": run, "reason": reason, "error": None}
    return session.execute(_unsettled(workspace_id, ids).values(values)).rowcount


def put_off(session: Session, workspace_id: str, ids: Iterable[int], due_at: datetime) -> int:
    """Look at these again at a time, without blame: something else has to be through first."""
    return session.execute(_unsettled(workspace_id, ids).values(due_at=due_at)).rowcount


def fail(
    session: Session,
    workspace_id: str,
    id_: int,
    error: Mapping[str, Any],
    *,
    due_at: datetime | None,
    run: int | None = None,
) -> int:
    """A failure of this event: tried again at ``due_at``, or parked for a person where that is None."""
    values: dict[str, Any] = {"error": dict(error), "attempts": event_inbox.c.attempts + 1, "run": run}
    values |= {"state": "parked"} if due_at is None else {"due_at": due_at}
    return session.execute(_unsettled(workspace_id, [id_]).values(values)).rowcount


def replay(session: Session, workspace_id: str, ids: Iterable[int], now: datetime, *, quiet: bool) -> int:
    """Have these events taken again from the start, whatever became of them; how many.

    ``quiet`` ones bring their records in line, and leave no notes or tasks.
    """
    here = (event_inbox.c.id.in_(list(ids)), event_inbox.c.workspace_id == workspace_id)
    fresh = {"state": "pending", "settled": False, "settled_at": None, "attempts": 0, "due_at": now}
    fresh |= {"quiet": quiet}
    forgotten = {"reason": None, "error": None, "run": None}
    return session.execute(update(event_inbox).where(*here).values(fresh | forgotten)).rowcount


def _of(workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (event_inbox.c.connection_id == connection_id, event_inbox.c.workspace_id == workspace_id)


def _unsettled(workspace_id: str, ids: Iterable[int]) -> Update:
    return update(event_inbox).where(
        event_inbox.c.id.in_(list(ids)),
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.settled.is_(False),
    )
