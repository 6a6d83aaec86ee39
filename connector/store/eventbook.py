"""Events as they are read on pages: a list by key, one of them, and how they stand. Only queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from connector.errors import RefusedError
from connector.store.db import Session
from connector.store.inbox import InboxEvent
from connector.store.models import event_inbox
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first

STATES = ("pending", "done", "ignored", "parked")
_LATELY = 5_000
_MOST = 10_000
"""Events that one press of a button takes again."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events; None and empty: all. ``text`` is the id of a record or of a delivery."""

    state: str | None = None
    type: str | None = None
    connection_id: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """How a connection's events stand: how many wait and are parked, and when the last one came."""

    waiting: int = 0
    parked: int = 0
    last_at: datetime | None = None
    oldest_waiting: datetime | None = None


def event_page(
    session: Session, workspace_id: str, wanted: EventFilter, place: Place = NEWEST, limit: int = 50
) -> Leaf[InboxEvent]:
    """One page of the events that fit, newest first."""
    query = select(event_inbox).where(*_conditions(workspace_id, wanted))
    rows = session.execute(from_place(query, event_inbox.c.id, place).limit(limit + 1)).all()
    events = newest_first([_made(row) for row in rows[:limit]], place)
    return leaf_of(events, [event.id or 0 for event in events], place, more=len(rows) > limit)


def get(session: Session, workspace_id: str, id_: int) -> InboxEvent:
    """One event of the workspace. Raises RefusedError when it has none of this id."""
    here = (event_inbox.c.id == id_, event_inbox.c.workspace_id == workspace_id)
    row = session.execute(select(event_inbox).where(*here)).first()
    if row is None:
        raise RefusedError(f"There is no event {id_}.", code="no_event")
    return _made(row)


def named(session: Session, workspace_id: str, ids: Sequence[int]) -> list[InboxEvent]:
    """These events, as far as they are the workspace's."""
    here = (event_inbox.c.id.in_(list(ids)), event_inbox.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(select(event_inbox).where(*here))]


def parked_ids(session: Session, workspace_id: str, connection_id: str | None = None) -> list[int]:
    """The events that wait for a person, the oldest first."""
    wanted = EventFilter("parked", connection_id=connection_id)
    query = select(event_inbox.c.id).where(*_conditions(workspace_id, wanted))
    return list(session.execute(query.order_by(event_inbox.c.id).limit(_MOST)).scalars())


def types(session: Session, workspace_id: str) -> list[str]:
    """The names of the events that came lately, for a choice of one."""
    mine = select(event_inbox.c.type).where(event_inbox.c.workspace_id == workspace_id)
    lately = mine.order_by(event_inbox.c.id.desc()).limit(_LATELY).subquery()
    return sorted(session.execute(select(lately.c.type).distinct().limit(200)).scalars())


def flow(session: Session, workspace_id: str, connection_id: str) -> Flow:
    """How the connection's events stand now."""
    of = (event_inbox.c.workspace_id == workspace_id, event_inbox.c.connection_id == connection_id)
    counted = select(event_inbox.c.state, func.count(), func.min(event_inbox.c.received_at)).where(
        *of, event_inbox.c.state.in_(("pending", "parked"))
    )
    found = {row[0]: (row[1], row[2]) for row in session.execute(counted.group_by(event_inbox.c.state))}
    last = select(event_inbox.c.received_at).where(*of).order_by(event_inbox.c.id.desc()).limit(1)
    waiting, oldest = found.get("pending", (0, None))
    return Flow(waiting, found.get("parked", (0, None))[0], session.execute(last).scalar(), oldest)


def taken(session: Session, workspace_id: str, connection_id: str, since: datetime) -> int:
    """How many events came since then; not counted beyond 10,000."""
    some = select(event_inbox.c.id).where(
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.state.in_(STATES),
        event_inbox.c.due_at >= since,  # never before it came, and there is an index
        event_inbox.c.received_at >= since,
    )
    return int(session.execute(select(func.count()).select_from(some.limit(_MOST).subquery())).scalar() or 0)


def count_parked(session: Session, workspace_id: str) -> int:
    """How many events of the workspace wait for a person."""
    query = select(func.count()).where(*_conditions(workspace_id, EventFilter("parked")))
    return int(session.execute(query).scalar() or 0)


def durations(session: Session, workspace_id: str, connection_id: str, limit: int = 200) -> list[float]:
    """Seconds from arrival to done, of the latest events that are."""
    query = select(event_inbox.c.received_at, event_inbox.c.settled_at).where(
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.state == "done",
        event_inbox.c.settled_at.is_not(None),
    )
    rows: Sequence[Any] = session.execute(query.order_by(event_inbox.c.id.desc()).limit(limit)).all()
    return sorted((settled - received).total_seconds() for received, settled in rows)


def _conditions(workspace_id: str, wanted: EventFilter) -> Iterator[ColumnElement[bool]]:
    yield event_inbox.c.workspace_id == workspace_id
    if wanted.state:
        yield event_inbox.c.state == wanted.state
    if wanted.type:
        yield event_inbox.c.type == wanted.type
    if wanted.connection_id:
        yield event_inbox.c.connection_id == wanted.connection_id
    if wanted.text:
        yield or_(event_inbox.c.source_id == wanted.text, event_inbox.c.event_id == wanted.text)


def _made(row: Any) -> InboxEvent:
    return InboxEvent(**row._mapping)
