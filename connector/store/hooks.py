"""Webhook secrets of the connections, and the count of what was refused at their door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, delete, insert, or_, select, update

from connector.store.db import Session, insert_into
from connector.store.models import connection, webhook_refusal, webhook_secret


@dataclass(frozen=True, slots=True)
class HookSecret:
    """One secret; ``retires_at`` is set once a newer one took its place."""

    id: str
    workspace_id: str
    connection_id: str
    scheme: str
    secret_sealed: str = field(repr=False)
    created_at: datetime
    retires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """What the door must know of a connection to judge a delivery."""

    workspace_id: str
    connection_id: str
    company_id: str
    status: str
    secrets: tuple[HookSecret, ...]


class Refused(NamedTuple):
    """One kind of refusal; workspace and connection are empty where the address named none of ours."""

    workspace_id: str | None
    connection_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefusalCount:
    reason: str
    hour: datetime
    count: int
    last_at: datetime
    last_address: str


def add_secret(session: Session, new: HookSecret) -> None:
    """Keep another secret of a connection."""
    session.execute(
        insert(webhook_secret).values({name: getattr(new, name) for name in HookSecret.__slots__})
    )


def retire_others(
    session: Session, workspace_id: str, connection_id: str, keep_id: str, *, at: datetime
) -> int:
    """Let every other secret of the connection end at a moment; how many had no end yet."""
    others = (*_of(workspace_id, connection_id), webhook_secret.c.id != keep_id)
    unending = (*others, webhook_secret.c.retires_at.is_(None))
    return session.execute(update(webhook_secret).where(*unending).values(retires_at=at)).rowcount


def retire(session: Session, workspace_id: str, connection_id: str, id_: str, *, at: datetime) -> int:
    """Let one secret end at a moment; 0 where there is none, or it ends sooner."""
    later = or_(webhook_secret.c.retires_at.is_(None), webhook_secret.c.retires_at > at)
    here = (*_of(workspace_id, connection_id), webhook_secret.c.id == id_, later)
    return session.execute(update(webhook_secret).where(*here).values(retires_at=at)).rowcount


def drop_secret(session: Session, workspace_id: str, connection_id: str, id_: str) -> int:
    """Take a secret back at once; 1, or 0 where there is none."""
    here = (*_of(workspace_id, connection_id), webhook_secret.c.id == id_)
    return session.execute(delete(webhook_secret).where(*here)).rowcount


def secrets(session: Session, workspace_id: str, connection_id: str) -> list[HookSecret]:
    """The connection's secrets, newest first, those that ended included."""
    query = select(webhook_secret).where(*_of(workspace_id, connection_id))
    rows = session.execute(query.order_by(webhook_secret.c.created_at.desc()))
    return [HookSecret(**row._mapping) for row in rows]


def hook(session: Session, connection_id: str, now: datetime) -> Hook | None:
    """What the door must know, by the connection's id alone: it knows no workspace yet."""
    row = session.execute(_HOOKS.where(connection.c.id == connection_id)).first()
    if row is None:
        return None
    alive = or_(webhook_secret.c.retires_at.is_(None), webhook_secret.c.retires_at > now)
    mine = webhook_secret.c.connection_id == connection_id
    found = session.execute(select(webhook_secret).where(mine, alive))
    return _hook(row, tuple(HookSecret(**one._mapping) for one in found))


def hooks_of_company(session: Session, company_id: str) -> list[Hook]:
    """Every connection of a company, whatever its workspace: for deliveries to the app as a whole."""
    here = (connection.c.company_id == company_id, connection.c.status != "revoked")
    return [_hook(row, ()) for row in session.execute(_HOOKS.where(*here))]


def count_refusals(session: Session, found: Mapping[Refused, int], *, at: datetime, address: str) -> None:
    """Add to the counts of this hour."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    for one, number in found.items():
        statement = insert_into(session, webhook_refusal).values(
            **one._asdict(), hour=hour, count=number, last_at=at, last_address=address
        )
        grown = {"count": webhook_refusal.c.count + number, "last_at": at, "last_address": address}
        keys = ["connection_id", "hour", "reason"]
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=grown))


def refusals(session: Session, workspace_id: str, connection_id: str, since: datetime) -> list[RefusalCount]:
    """What was refused at a connection's address, newest first."""
    columns = (webhook_refusal.c[name] for name in RefusalCount.__slots__)
    query = select(*columns).where(
        webhook_refusal.c.workspace_id == workspace_id,
        webhook_refusal.c.connection_id == connection_id,
        webhook_refusal.c.hour >= since,
    )
    rows = session.execute(query.order_by(webhook_refusal.c.last_at.desc()))
    return [RefusalCount(**row._mapping) for row in rows]


_HOOKS: Select[Any] = select(
    connection.c.workspace_id,
    connection.c.id.label("connection_id"),
    connection.c.company_id,
    connection.c.status,
)


def _of(workspace_id: str, connection_id: str) -> tuple[ColumnElement[bool], ...]:
    return (webhook_secret.c.connection_id == connection_id, webhook_secret.c.workspace_id == workspace_id)


def _hook(row: Row[Any], found: tuple[HookSecret, ...]) -> Hook:
    return Hook(**row._mapping, secrets=found)
