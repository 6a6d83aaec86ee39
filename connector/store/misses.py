"""Deliveries that the source sent and that did not arrive here, and which of them did after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from connector.store.db import Session, insert_new, many
from connector.store.models import event_inbox, missed_delivery

_MOST_WANTED = 2_000


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
    """How many never arrived in the last 30 days, and how many of them did after all."""

    found: int = 0
    recovered: int = 0

    @property
    def lost(self) -> int:
        """How many are still missing."""
        return self.found - self.recovered


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


def count(session: Session, workspace_id: str, connection_id: str) -> Missed:
    """How many there are, and how many arrived after all."""
    query = select(func.count(), func.count(missed_delivery.c.recovered_at))
    row = session.execute(query.where(*_of(workspace_id, connection_id))).one()
    return Missed(row[0], row[1])


def _of(workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        missed_delivery.c.connection_id == connection_id,
        missed_delivery.c.workspace_id == workspace_id,
    )
