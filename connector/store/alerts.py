"""Incidents and the messages about them: what is wrong, what was told, and how it is to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update

from connector.core.alerting import Condition
from connector.store.db import Session, insert_into, insert_new, many
from connector.store.models import alert_message, alert_settings, incident
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """How a workspace wants to be told; ``recipients`` None: everybody who signed in with the CRM."""

    workspace_id: str
    recipients: list[str] | None = None
    webhook_sealed: str | None = field(default=None, repr=False)
    off: list[str] = field(default_factory=list)
    thresholds: dict[str, int] = field(default_factory=dict)
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    id: int
    workspace_id: str
    kind: str
    key: str
    title: str
    text: str
    path: str
    opened_at: datetime
    seen_at: datetime
    cleared_at: datetime | None
    open_key: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one channel, sent or not."""

    id: int
    workspace_id: str
    incident_id: int | None
    what: str
    channel: str
    state: str
    title: str
    text: str
    tries: int
    error: str | None
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What is to be told; ``what`` is opened, cleared or test."""

    incident_id: int | None
    what: str
    channel: str
    title: str
    text: str


# --- settings


def settings(session: Session, workspace_id: str) -> AlertSettings:
    """How the workspace wants to be told."""
    query = select(alert_settings).where(alert_settings.c.workspace_id == workspace_id)
    row = session.execute(query).first()
    return AlertSettings(workspace_id) if row is None else AlertSettings(**row._mapping)


def keep_settings(session: Session, workspace_id: str, **changed: Any) -> None:
    """Change how the workspace wants to be told."""
    first = {"workspace_id": workspace_id, "off": [], "thresholds": {}}
    session.execute(insert_new(session, alert_settings).values(first))
    here = alert_settings.c.workspace_id == workspace_id
    session.execute(update(alert_settings).where(here).values(**changed))


# --- incidents


def open_incidents(session: Session, workspace_id: str) -> list[Incident]:
    """Those that are not over."""
    here = (incident.c.workspace_id == workspace_id, incident.c.open_key.is_not(None))
    rows = session.execute(select(incident).where(*here).order_by(incident.c.id.desc()))
    return [Incident(**row._mapping) for row in rows]


def open_(session: Session, workspace_id: str, new: Iterable[Condition], now: datetime) -> None:
    """Begin incidents; one of the same key that is open already stays as it is."""
    for one in new:
        values = {
            "workspace_id": workspace_id,
            "kind": one.kind.value,
            "key": one.key,
            "title": one.title,
            "text": one.text,
            "path": one.path,
            "opened_at": now,
            "seen_at": now,
            "open_key": f"{workspace_id}:{one.key}",
        }
        added = insert_into(session, incident).values(values)
        session.execute(added.on_conflict_do_nothing(index_elements=["open_key"]))


def see(session: Session, workspace_id: str, keys: Sequence[str], now: datetime) -> None:
    """These go on."""
    here = (*_open(workspace_id), incident.c.key.in_(keys))
    session.execute(update(incident).where(*here).values(seen_at=now))


def clear(session: Session, workspace_id: str, keys: Sequence[str], now: datetime) -> list[int]:
    """These are over; the ids of those that nobody else cleared meanwhile."""
    here = (*_open(workspace_id), incident.c.key.in_(keys))
    over = update(incident).where(*here).values(cleared_at=now, open_key=None)
    return list(session.execute(over.returning(incident.c.id)).scalars())


# --- messages


def add(session: Session, workspace_id: str, new: Sequence[NewMessage], now: datetime) -> None:
    """Have these told; one of an incident that is told already, or about to be, is not told twice."""
    rows = [
        {
            "workspace_id": workspace_id,
            "incident_id": one.incident_id,
            "what": one.what,
            "channel": one.channel,
            "state": "waiting",
            "title": one.title,
            "text": one.text,
            "tries": 0,
            "due_at": now,
            "created_at": now,
        }
        for one in new
    ]
    many(session, insert_new(session, alert_message), rows)


def told_of(session: Session, workspace_id: str, incident_ids: Sequence[int]) -> set[tuple[int, str]]:
    """(incident, channel) of the messages that say that it began, sent or not."""
    query = select(alert_message.c.incident_id, alert_message.c.channel).where(
        alert_message.c.incident_id.in_(incident_ids),
        alert_message.c.workspace_id == workspace_id,
        alert_message.c.what == "opened",
    )
    return {(row[0], row[1]) for row in session.execute(query)}


def told(session: Session, workspace_id: str, incident_ids: Sequence[int]) -> list[Message]:
    """What was sent when these incidents began."""
    rows = session.execute(
        select(alert_message).where(
            alert_message.c.incident_id.in_(incident_ids),
            alert_message.c.workspace_id == workspace_id,
            alert_message.c.what == "opened",
            alert_message.c.state == "sent",
        )
    )
    return [Message(**row._mapping) for row in rows]


def drop(session: Session, workspace_id: str, incident_ids: Sequence[int]) -> int:
    """What of these incidents was not sent yet need not be any more."""
    here = (
        alert_message.c.incident_id.in_(incident_ids),
        alert_message.c.workspace_id == workspace_id,
        alert_message.c.state == "waiting",
    )
    return session.execute(update(alert_message).where(*here).values(state="dropped")).rowcount


_LONGEST_WAIT = timedelta(hours=4)
"""Longer than any message waits: what is due later was put off by a clock that was wrong."""


def due(session: Session, now: datetime, limit: int = 50) -> list[Message]:
    """What is to be sent now, over all workspaces."""
    come = or_(alert_message.c.due_at <= now, alert_message.c.due_at > now + _LONGEST_WAIT)
    here = (alert_message.c.state == "waiting", come)
    rows = session.execute(select(alert_message).where(*here).order_by(alert_message.c.id).limit(limit))
    return [Message(**row._mapping) for row in rows]


def claim(session: Session, one: Message, until: datetime) -> bool:
    """Take a message to send it; False: another worker has. One whose sender died is due again then."""
    here = (
        alert_message.c.id == one.id,
        alert_message.c.workspace_id == one.workspace_id,
        alert_message.c.state == "waiting",
        alert_message.c.due_at == one.due_at,
    )
    return session.execute(update(alert_message).where(*here).values(due_at=until)).rowcount == 1


def settle(session: Session, workspace_id: str, id_: int, **changed: Any) -> int:
    """What became of a message."""
    here = (alert_message.c.id == id_, alert_message.c.workspace_id == workspace_id)
    return session.execute(update(alert_message).where(*here).values(**changed)).rowcount


def page(session: Session, workspace_id: str, place: Place = NEWEST, limit: int = 30) -> Leaf[Message]:
    """The log of what was sent, newest first."""
    query = select(alert_message).where(alert_message.c.workspace_id == workspace_id)
    rows = session.execute(from_place(query, alert_message.c.id, place).limit(limit + 1)).all()
    found = newest_first([Message(**row._mapping) for row in rows[:limit]], place)
    return leaf_of(found, [one.id for one in found], place, more=len(rows) > limit)


def prune(session: Session, workspace_id: str, before: datetime) -> int:
    """Forget messages of long ago, but not that an incident which goes on was told."""
    going_on = select(incident.c.id).where(*_open(workspace_id))
    here = (
        alert_message.c.workspace_id == workspace_id,
        alert_message.c.created_at < before,
        or_(alert_message.c.incident_id.is_(None), alert_message.c.incident_id.not_in(going_on)),
    )
    return session.execute(delete(alert_message).where(*here)).rowcount


def _open(workspace_id: str) -> tuple[ColumnElement[bool], ...]:
    return (incident.c.workspace_id == workspace_id, incident.c.open_key.is_not(None))
