"""Deliveries that the source sent and that did not arrive here, and which of them did after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, not_, or_, select, update

from connector.store.db import Session, insert_new, many
from connector.store.models import event_inbox, missed_delivery

_MOST_WANTED = 2_000
_IN_VAIN = 2


@dataclass(frozen=True, slots=True)
class Miss:
    """One delivery that is not in the inbox; ``event_id`` is its id there."""

    workspace_id: str
    connection_id: str
    event_id: str
    type: str
    delivery_id: str
    sent_at: datetime
    found_at: datetime
    asked: int = 0
    recovered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """How many never arrived in the last 30 days, how many did after all, and how many are lost: asked for
    again and again in vain, with no full sync since that would have brought what they told."""

    found: int = 0
    recovered: int = 0
    lost: int = 0


def arrived(session: Session, workspace_id: str, connection_id: str, event_ids: Sequence[str]) -> set[str]:
    """Which of these the inbox has."""
    query = select(event_inbox.c.event_id).where(
        event_inbox.c.event_id.in_(event_ids),
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.workspace_id == workspace_id,
    )
    return set(session.execute(query).scalars())


def add(session: Session, new: Sequence[Miss]) -> int:
    """Keep what did not arrive; one that is known already stays as it is."""
    rows = [{name: getattr(one, name) for name in Miss.__slots__} for one in new]
    return many(session, insert_new(session, missed_delivery), rows)


def mark_recovered(session: Session, workspace_id: str, connection_id: str, now: datetime) -> int:
    """Note those that have arrived since; how many."""
    there = exists().where(
        event_inbox.c.event_id == missed_delivery.c.event_id,
        event_inbox.c.connection_id == missed_delivery.c.connection_id,
    )
    here = (*_of(workspace_id, connection_id), missed_delivery.c.recovered_at.is_(None), there)
    return session.execute(update(missed_delivery).where(*here).values(recovered_at=now)).rowcount


def wanted(session: Session, workspace_id: str, connection_id: str, *, most_asked: int) -> list[Miss]:
    """Those to be asked for, the oldest first: missing still, and not asked for too often."""
    names = (missed_delivery.c[name] for name in Miss.__slots__)
    query = select(*names).where(
        *_of(workspace_id, connection_id),
        missed_delivery.c.recovered_at.is_(None),
        missed_delivery.c.asked < most_asked,
    )
    rows = session.execute(query.order_by(missed_delivery.c.sent_at).limit(_MOST_WANTED))
    return [Miss(**row._mapping) for row in rows]


def count_asked(session: Session, workspace_id: str, connection_id: str, event_ids: Sequence[str]) -> int:
    """The source was asked for these once more."""
    here = (*_of(workspace_id, connection_id), missed_delivery.c.event_id.in_(event_ids))
    grown = update(missed_delivery).where(*here).values(asked=missed_delivery.c.asked + 1)
    return session.execute(grown).rowcount


def prune(session: Session, workspace_id: str, connection_id: str, before: datetime) -> int:
    """Forget those that the source forgets too."""
    here = (*_of(workspace_id, connection_id), missed_delivery.c.sent_at < before)
    return session.execute(delete(missed_delivery).where(*here)).rowcount


def count(session: Session, workspace_id: str, connection_id: str, *, healed: datetime | None) -> Missed:
    """How they stand; ``healed`` is when the last full sync began that came to its end."""
    there = exists().where(
        event_inbox.c.event_id == missed_delivery.c.event_id,
        event_inbox.c.connection_id == missed_delivery.c.connection_id,
    )
    came = or_(missed_delivery.c.recovered_at.is_not(None), there)
    lost = and_(not_(came), missed_delivery.c.asked >= _IN_VAIN)
    if healed is not None:
        lost = and_(lost, missed_delivery.c.sent_at > healed)
    counted = (func.count(), *(func.sum(case((each, 1), else_=0)) for each in (came, lost)))
    row = session.execute(select(*counted).where(*_of(workspace_id, connection_id))).one()
    return Missed(row[0], int(row[1] or 0), int(row[2] or 0))


def _of(workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        missed_delivery.c.connection_id == connection_id,
        missed_delivery.c.workspace_id == workspace_id,
    )
