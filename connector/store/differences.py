"""What a reconciliation found not to be in step, and which links it has compared already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select, update

from connector.core.plan import LinkState
from connector.core.reconciling import REPAIRABLE, Cause, Difference
from connector.core.records import Ref
from connector.store import leases
from connector.store.db import Session, many, one_of
from connector.store.links import Claimed
from connector.store.models import difference, event_inbox, link
from connector.store.paging import Leaf, Place, from_place, leaf_of, newest_first

_ADD = insert(difference)
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """One difference as it is kept."""

    id: int
    kind: str
    source_id: str
    object: str
    crm_id: str | None
    title: str
    cause: str
    field: str | None
    said: Any
    there: Any


@dataclass(frozen=True, slots=True)
class DifferenceFilter:
    """Which differences; empty: all."""

    object: str = ""
    field: str = ""
    cause: str = ""


def add(session: Session, workspace_id: str, number: int, found: Iterable[Difference]) -> None:
    """Keep what was found."""
    rows = [
        {
            "workspace_id": workspace_id,
            "reconciliation": number,
            "kind": one.ref.kind,
            "source_id": one.ref.id,
            "object": one.object,
            "crm_id": one.crm_id,
            "title": one.title,
            "cause": one.cause.value,
            "field": one.field,
            "said": one.said,
            "there": one.there,
        }
        for one in found
    ]
    many(session, _ADD, rows)


_COLUMNS = tuple(difference.c[name] for name in Kept.__slots__)


def page(
    session: Session,
    workspace_id: str,
    number: int,
    wanted: DifferenceFilter,
    place: Place,
    limit: int = 50,
) -> Leaf[Kept]:
    """One page, what was found last first."""
    query = select(*_COLUMNS).where(*_of(workspace_id, number), *_conditions(wanted))
    rows = session.execute(from_place(query, difference.c.id, place).limit(limit + 1)).all()
    found = newest_first([Kept(**row._mapping) for row in rows[:limit]], place)
    return leaf_of(found, [one.id for one in found], place, more=len(rows) > limit)


def fields(session: Session, workspace_id: str, number: int) -> list[tuple[str, str]]:
    """(object, field) of every field that differs somewhere."""
    query = select(difference.c.object, difference.c.field).where(
        *_of(workspace_id, number), difference.c.field.is_not(None)
    )
    return sorted((row[0], row[1]) for row in session.execute(query.distinct()))


def repairable(session: Session, workspace_id: str, number: int, limit: int) -> dict[str, list[str]]:
    """Kind → source ids of the first few records that a sync of just these may mend."""
    query = (
        select(difference.c.kind, difference.c.source_id)
        .where(*_of(workspace_id, number), difference.c.cause.in_([one.value for one in REPAIRABLE]))
        .distinct()
        .limit(limit)
    )
    refs: dict[str, list[str]] = {}
    for kind, source_id in session.execute(query):
        refs.setdefault(kind, []).append(source_id)
    return refs


def mark_compared(session: Session, workspace_id: str, link_ids: Sequence[int], number: int) -> None:
    """Remember that these links were compared."""
    for start in range(0, len(link_ids), _BLOCK):
        block = link_ids[start : start + _BLOCK]
        here = (link.c.id.in_(block), link.c.workspace_id == workspace_id)
        session.execute(update(link).where(*here).values(compared=number))


def compared(session: Session, workspace_id: str, link_ids: Sequence[int], number: int) -> set[int]:
    """Those of these links that this reconciliation has compared: the source may list a record twice."""
    found: set[int] = set()
    for start in range(0, len(link_ids), _BLOCK):
        here = (link.c.id.in_(link_ids[start : start + _BLOCK]), link.c.workspace_id == workspace_id)
        found.update(session.execute(select(link.c.id).where(*here, link.c.compared == number)).scalars())
    return found


def unseen(
    session: Session, scope: Claimed, number: int, after: int, limit: int
) -> list[tuple[int, Ref, str]]:
    """(link, record, CRM record) of links in step that this reconciliation did not meet, from a link on."""
    query = (
        select(link.c.id, link.c.source_id, link.c.crm_id)
        .where(
            link.c.connection_id == scope.connection_id,
            link.c.kind == scope.kind,
            link.c.object == scope.object,
            link.c.workspace_id == scope.workspace_id,
            link.c.state == LinkState.LINKED.value,
            link.c.crm_id.is_not(None),
            link.c.id > after,
            or_(link.c.compared.is_(None), link.c.compared != number),
        )
        .order_by(link.c.id)
        .limit(limit)
    )
    return [(id_, Ref(scope.source, scope.kind, of), crm_id) for id_, of, crm_id in session.execute(query)]


def on_their_way(
    session: Session, workspace_id: str, connection_id: str, ids: Sequence[str], now: datetime
) -> set[str]:
    """Those of these source ids of which an event waits, or that somebody is writing right now."""
    events = select(event_inbox.c.source_id).where(
        one_of(session, event_inbox.c.source_id, ids),
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.state == "pending",
    )
    claimed = select(link.c.source_id).where(
        one_of(session, link.c.source_id, ids),
        link.c.connection_id == connection_id,
        link.c.workspace_id == workspace_id,
        ~leases.over(link.c.claimed_until, now),
    )
    return {*session.execute(events).scalars(), *session.execute(claimed).scalars()}


def sums_on_their_way(session: Session, workspace_id: str, connection_id: str, kinds: Sequence[str]) -> bool:
    """Whether an event of one of these kinds waits: what a membership was paid may move."""
    query = select(event_inbox.c.id).where(
        event_inbox.c.connection_id == connection_id,
        event_inbox.c.workspace_id == workspace_id,
        event_inbox.c.state == "pending",
        or_(event_inbox.c.kind.in_(kinds), event_inbox.c.kind.is_(None)),
    )
    return session.execute(query.limit(1)).first() is not None


def _of(workspace_id: str, number: int) -> tuple[ColumnElement[bool], ...]:
    return (difference.c.reconciliation == number, difference.c.workspace_id == workspace_id)


def _conditions(wanted: DifferenceFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.object:
        yield difference.c.object == wanted.object
    if wanted.field:
        yield difference.c.field == wanted.field
    if wanted.cause in tuple(Cause):
        yield difference.c.cause == wanted.cause
