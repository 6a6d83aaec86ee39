"""The acts of automations: what is to be done, by when, who is at it, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update

from connector.core.automation import record_of
from connector.store import leases
from connector.store.db import Session, insert_new, many
from connector.store.models import act, connection
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first

State = Literal["waiting", "done", "skipped", "failed"]
STATES: Sequence[State] = ("waiting", "done", "skipped", "failed")
Line = tuple[str, str]
"""A moment, as records have times, and what was done then, in words."""


@dataclass(frozen=True, slots=True)
class NewAct:
    """One that is to be done at ``due_at``."""

    workspace_id: str
    connection_id: str
    automation: str
    step: int
    kind: str
    source_id: str
    event: int | None
    fact_at: str
    facts: dict[str, Any]
    due_at: datetime
    journal: list[Line] = field(default_factory=list)
    membership_id: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One row. ``begun_at`` is set while it is not known what became of a request that changes something."""

    id: int
    workspace_id: str
    connection_id: str
    automation: str
    step: int
    kind: str
    source_id: str
    event: int | None
    fact_at: str
    facts: dict[str, Any]
    membership_id: str | None
    state: State
    due_at: datetime
    tries: int
    begun_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    outcome: str | None
    error: dict[str, Any] | None
    journal: list[Line]
    created_at: datetime
    ended_at: datetime | None


class ActFilter(NamedTuple):
    """Which acts; None: all."""

    state: str | None = None
    connection_id: str | None = None
    automation: str | None = None


def add(session: Session, new: Sequence[NewAct], now: datetime) -> int:
    """Have these done; how many. One that is there already, whatever became of it, is not made again."""
    rows = [
        {
            **{name: getattr(one, name) for name in NewAct.__slots__},
            "state": "waiting",
            "tries": 0,
            "created_at": now,
        }
        for one in new
    ]
    return many(session, insert_new(session, act), rows)


def due(session: Session, now: datetime, limit: int = 500, *, but: Collection[str] = ()) -> list[Act]:
    """What nobody is at and whose time has come, over all workspaces, ``but`` these connections. One that is
    paused, or has lost its access, keeps its acts waiting."""
    here = and_(act.c.state == "waiting", act.c.due_at <= now, _free(now), act.c.connection_id.not_in(but))
    active = and_(connection.c.status == "active", connection.c.paused.is_(False))
    query = select(act).join(connection, connection.c.id == act.c.connection_id).where(here, active)
    return [_made(row) for row in session.execute(query.order_by(act.c.due_at, act.c.id).limit(limit))]


def claim(session: Session, one: Act, *, owner: str, now: datetime, until: datetime) -> Act | None:
    """Take an act to do it; None when another worker has it, or it is done. As it is now."""
    here = (*_of(one.workspace_id, one.id), act.c.state == "waiting", act.c.due_at <= now, _free(now))
    taken = session.execute(update(act).where(*here).values(owner=owner, lease_until=until))
    return get(session, one.workspace_id, one.id) if taken.rowcount == 1 else None


def renew(session: Session, one: Act, *, owner: str, until: datetime) -> bool:
    """The heartbeat; False when it was lost."""
    here = (*_of(one.workspace_id, one.id), act.c.owner == owner)
    return session.execute(update(act).where(*here).values(lease_until=until)).rowcount == 1


def keep(session: Session, one: Act, values: Mapping[str, Any], *, owner: str) -> bool:
    """Remember what has become of it so far; False when another worker has taken over."""
    here = (*_of(one.workspace_id, one.id), act.c.owner == owner, act.c.state == "waiting")
    return session.execute(update(act).where(*here).values(dict(values))).rowcount == 1


def put_off(session: Session, one: Act, values: Mapping[str, Any], due_at: datetime, *, owner: str) -> bool:
    """Let go of it until ``due_at``, unless it was woken since it was taken; False when it was lost."""
    here = (*_of(one.workspace_id, one.id), act.c.owner == owner, act.c.state == "waiting")
    later = case((act.c.due_at == one.due_at, due_at), else_=act.c.due_at)
    free = {"owner": None, "lease_until": None, "due_at": later}
    return session.execute(update(act).where(*here).values({**values, **free})).rowcount == 1


def wake(
    session: Session,
    workspace_id: str,
    connection_id: str,
    steps: Collection[tuple[str, int]],
    records: Collection[str],
    now: datetime,
) -> int:
    """Have these steps look again now, as far as they are about one of these records; how many."""
    here = (
        act.c.connection_id == connection_id,
        act.c.workspace_id == workspace_id,
        act.c.state == "waiting",
        act.c.due_at > now,
        or_(act.c.membership_id.in_(records), act.c.source_id.in_(records)),
        or_(*(and_(act.c.automation == name, act.c.step == step) for name, step in steps)),
    )
    return session.execute(update(act).where(*here).values(due_at=now)).rowcount


def again(session: Session, workspace_id: str, id_: int, *, now: datetime, journal: Sequence[Line]) -> bool:
    """Have one that failed tried anew; False when it has not failed."""
    here = (*_of(workspace_id, id_), act.c.state == "failed")
    fresh = {"state": "waiting", "due_at": now, "tries": 0, "ended_at": None, "begun_at": None}
    fresh |= {"journal": list(journal)}
    return session.execute(update(act).where(*here).values(fresh)).rowcount == 1


def end_by_hand(
    session: Session, workspace_id: str, id_: int, *, now: datetime, outcome: str, journal: Sequence[Line]
) -> bool:
    """A person did what one that failed was to do; False when it has not failed."""
    here = (*_of(workspace_id, id_), act.c.state == "failed")
    ended = {"state": "done", "ended_at": now, "outcome": outcome, "journal": list(journal)}
    return session.execute(update(act).where(*here).values(ended)).rowcount == 1


def drop(
    session: Session,
    workspace_id: str,
    connection_id: str,
    name: str,
    *,
    now: datetime,
    outcome: str,
    but: Collection[int] = (),
) -> int:
    """What waits of an automation is not to be done any more, ``but`` these steps; how many. What was begun
    goes on."""
    here = (
        act.c.connection_id == connection_id,
        act.c.workspace_id == workspace_id,
        act.c.automation == name,
        act.c.state == "waiting",
        act.c.begun_at.is_(None),
        act.c.step.not_in(but),
    )
    ended = {"state": "skipped", "ended_at": now, "outcome": outcome}
    return session.execute(update(act).where(*here).values(ended)).rowcount


def get(session: Session, workspace_id: str, id_: int) -> Act | None:
    """One of the workspace."""
    row = session.execute(select(act).where(*_of(workspace_id, id_))).first()
    return None if row is None else _made(row)


def asked_at(session: Session, one: Act, choice: str) -> datetime | None:
    """When the same record of the CRM asked for this last, before this act, and was not refused."""
    record = record_of(one.source_id)
    query = select(act).where(
        act.c.source_id.startswith(f"{record}@", autoescape=True),
        act.c.workspace_id == one.workspace_id,
        act.c.kind == one.kind,
        act.c.id < one.id,
    )
    rows = session.execute(query.order_by(act.c.id.desc()).limit(10))
    fits = (row for row in rows if row.facts.get("asked") == choice and not row.facts.get("refused"))
    return next((row.created_at for row in fits), None)


def page(
    session: Session, workspace_id: str, wanted: ActFilter, place: Place = NEWEST, limit: int = 30
) -> Leaf[Act]:
    """The log of acts, newest first."""
    query = select(act).where(act.c.workspace_id == workspace_id)
    for name, value in wanted._asdict().items():
        if value is not None:
            query = query.where(act.c[name] == value)
    rows = session.execute(from_place(query, act.c.id, place).limit(limit + 1)).all()
    found = newest_first([_made(row) for row in rows[:limit]], place)
    return leaf_of(found, [one.id for one in found], place, more=len(rows) > limit)


def of_event(session: Session, workspace_id: str, event: int) -> list[Act]:
    """What an event set off."""
    query = select(act).where(act.c.event == event, act.c.workspace_id == workspace_id)
    return [_made(row) for row in session.execute(query.order_by(act.c.id).limit(50))]


def count(session: Session, workspace_id: str) -> dict[tuple[str, str], dict[str, int]]:
    """(connection, automation) → state → how many."""
    columns = (act.c.connection_id, act.c.automation, act.c.state)
    query = select(*columns, func.count()).where(act.c.workspace_id == workspace_id).group_by(*columns)
    found: dict[tuple[str, str], dict[str, int]] = {}
    for connection_id, name, state, number in session.execute(query):
        found.setdefault((connection_id, name), {})[state] = number
    return found


def _of(workspace_id: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (act.c.id == id_, act.c.workspace_id == workspace_id)


def _free(now: datetime) -> ColumnElement[bool]:
    return leases.over(act.c.lease_until, now)


def _made(row: Any) -> Act:
    values = dict(row._mapping)
    return Act(**values | {"journal": [tuple(line) for line in values["journal"]]})
