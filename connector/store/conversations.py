"""Conversations: who was written to, what came back, and when is looked next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, update

from connector.core.conversations import Post, Standing, State
from connector.store import leases
from connector.store.db import Session, insert_new, many, one_of
from connector.store.models import connection, conversation, reply
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first

_ON: tuple[State, ...] = ("open", "answered", "timed_out")

NoteState = Literal["pending", "left", "none"]


@dataclass(frozen=True, slots=True)
class NewConversation:
    """Somebody who was just written to."""

    workspace_id: str
    connection_id: str
    automation: str
    membership_id: str
    member_id: str | None
    user_id: str
    channel: str
    text: str
    begun_at: datetime
    times_out_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row."""

    id: int
    workspace_id: str
    connection_id: str
    automation: str
    membership_id: str
    member_id: str | None
    user_id: str
    channel: str
    text: str
    state: State
    begun_at: datetime
    since: str | None
    times_out_at: datetime
    last_at: datetime | None
    state_at: datetime
    due_at: datetime | None
    looked_at: datetime | None
    owner: str | None
    lease_until: datetime | None
    error: dict[str, Any] | None

    @property
    def standing(self) -> Standing:
        """What decisions are made by."""
        return Standing(self.state, self.times_out_at, self.last_at)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a buyer wrote."""

    id: int
    workspace_id: str
    connection_id: str
    conversation: int
    message_id: str
    name: str
    text: str
    at: str
    note: NoteState
    kept_at: datetime


class ConversationFilter(NamedTuple):
    """Which conversations; None: all."""

    connection_id: str | None = None
    automation: str | None = None
    state: str | None = None


def begin(session: Session, new: NewConversation, now: datetime) -> int:
    """Keep one, to be looked at soon; how many are new. A membership has one for each automation."""
    row = {name: getattr(new, name) for name in NewConversation.__slots__}
    row |= {"state": "open", "state_at": now, "due_at": now}
    return many(session, insert_new(session, conversation), [row])


def due(session: Session, now: datetime, limit: int = 500) -> list[Conversation]:
    """What nobody is at and whose time has come, over all workspaces. A connection that is paused, or has
    lost its access, keeps its conversations waiting."""
    here = and_(conversation.c.due_at <= now, leases.over(conversation.c.lease_until, now))
    active = and_(connection.c.status == "active", connection.c.paused.is_(False))
    query = select(conversation).join(connection, connection.c.id == conversation.c.connection_id)
    rows = session.execute(query.where(here, active).order_by(conversation.c.due_at).limit(limit))
    return [Conversation(**row._mapping) for row in rows]


def claim(
    session: Session, one: Conversation, *, owner: str, now: datetime, until: datetime
) -> Conversation | None:
    """Take one to look at it; None when another worker has it. As it is now."""
    free = (conversation.c.due_at <= now, leases.over(conversation.c.lease_until, now))
    taken = update(conversation).where(*_of(one.workspace_id, one.id), *free)
    if session.execute(taken.values(owner=owner, lease_until=until)).rowcount != 1:
        return None
    return get(session, one.workspace_id, one.id)


def keep(session: Session, one: Conversation, values: Mapping[str, Any], *, owner: str) -> bool:
    """Remember what was found; False when another worker has taken over."""
    here = (*_of(one.workspace_id, one.id), conversation.c.owner == owner)
    return session.execute(update(conversation).where(*here).values(dict(values))).rowcount == 1


def let_go(
    session: Session, one: Conversation, due_at: datetime | None, values: Mapping[str, Any], *, owner: str
) -> bool:
    """The same at the end of a look, with when the next is; an event that came meanwhile has it looked at
    once more, now."""
    here = (*_of(one.workspace_id, one.id), conversation.c.owner == owner)
    same = conversation.c.due_at == one.due_at
    next_at = case((same, literal(due_at, conversation.c.due_at.type)), else_=conversation.c.due_at)
    ended = {**values, "owner": None, "lease_until": None, "due_at": next_at}
    return session.execute(update(conversation).where(*here).values(ended)).rowcount == 1


def any_on(session: Session, workspace_id: str, connection_id: str) -> bool:
    """Whether there is one that an event may tell of."""
    here = (conversation.c.connection_id == connection_id, conversation.c.workspace_id == workspace_id)
    query = select(conversation.c.id).where(*here, conversation.c.state.in_(_ON))
    return session.execute(query.limit(1)).first() is not None


def heard(
    session: Session,
    workspace_id: str,
    connection_id: str,
    now: datetime,
    *,
    channels: Sequence[str] = (),
    users: Sequence[str] = (),
    memberships: Sequence[str] = (),
) -> int:
    """An event told of these: look now. How many there are."""
    here = (conversation.c.workspace_id == workspace_id, conversation.c.connection_id == connection_id)
    named = or_(
        one_of(session, conversation.c.channel, channels),
        one_of(session, conversation.c.user_id, users),
        one_of(session, conversation.c.membership_id, memberships),
    )
    awake = update(conversation).where(named, *here, conversation.c.state.in_(_ON))
    return session.execute(awake.values(due_at=now)).rowcount


def beside(session: Session, one: Conversation) -> list[Conversation]:
    """Those in the same chat that go on, itself left out."""
    same = (
        conversation.c.channel == one.channel,
        conversation.c.workspace_id == one.workspace_id,
        conversation.c.connection_id == one.connection_id,
        conversation.c.id != one.id,
        conversation.c.state.in_(_ON),
    )
    return [Conversation(**row._mapping) for row in session.execute(select(conversation).where(*same))]


def add(session: Session, one: Conversation, posts: Sequence[Post], note: NoteState, now: datetime) -> int:
    """Keep what its buyer wrote; how many are new. Each message is there once."""
    row = {"workspace_id": one.workspace_id, "connection_id": one.connection_id, "conversation": one.id}
    row |= {"note": note, "kept_at": now}
    rows = [
        {**row, "message_id": post.id, "name": post.name, "text": post.text, "at": post.at} for post in posts
    ]
    return many(session, insert_new(session, reply), rows)


def known(session: Session, workspace_id: str, connection_id: str, message_ids: Sequence[str]) -> set[str]:
    """Which of these messages are kept, whatever conversation they belong to."""
    query = select(reply.c.message_id).where(
        one_of(session, reply.c.message_id, message_ids),
        reply.c.workspace_id == workspace_id,
        reply.c.connection_id == connection_id,
    )
    return set(session.execute(query).scalars())


def replies(
    session: Session, workspace_id: str, ids: Sequence[int], limit: int = 500
) -> dict[int, list[Reply]]:
    """Conversation → what came back, the oldest first; of many the newest."""
    query = select(reply).where(reply.c.conversation.in_(ids), reply.c.workspace_id == workspace_id)
    found: dict[int, list[Reply]] = {}
    for row in session.execute(query.order_by(reply.c.at.desc(), reply.c.id.desc()).limit(limit)):
        found.setdefault(row.conversation, []).insert(0, Reply(**row._mapping))
    return found


def unnoted(session: Session, workspace_id: str, id_: int, limit: int = 100) -> list[Reply]:
    """What is to have a note and has none yet."""
    here = (reply.c.conversation == id_, reply.c.workspace_id == workspace_id, reply.c.note == "pending")
    query = select(reply).where(*here).order_by(reply.c.at, reply.c.id).limit(limit)
    return [Reply(**row._mapping) for row in session.execute(query)]


def noted(session: Session, workspace_id: str, ids: Sequence[int]) -> int:
    """These have their notes; how many."""
    here = (reply.c.id.in_(ids), reply.c.workspace_id == workspace_id, reply.c.note == "pending")
    return session.execute(update(reply).where(*here).values(note="left")).rowcount if ids else 0


def get(session: Session, workspace_id: str, id_: int) -> Conversation | None:
    """One of the workspace."""
    row = session.execute(select(conversation).where(*_of(workspace_id, id_))).first()
    return None if row is None else Conversation(**row._mapping)


def of_record(session: Session, workspace_id: str, kind: str, source_id: str) -> list[Conversation]:
    """Those with a member, or about a membership; the newest first."""
    column = {"member": conversation.c.member_id, "membership": conversation.c.membership_id}.get(kind)
    if column is None:
        return []
    query = select(conversation).where(column == source_id, conversation.c.workspace_id == workspace_id)
    rows = session.execute(query.order_by(conversation.c.id.desc()).limit(20))
    return [Conversation(**row._mapping) for row in rows]


def page(
    session: Session, workspace_id: str, wanted: ConversationFilter, place: Place = NEWEST, limit: int = 30
) -> Leaf[Conversation]:
    """All of them, newest first."""
    query = select(conversation).where(conversation.c.workspace_id == workspace_id)
    for name, value in wanted._asdict().items():
        if value is not None:
            query = query.where(conversation.c[name] == value)
    rows = session.execute(from_place(query, conversation.c.id, place).limit(limit + 1)).all()
    found = newest_first([Conversation(**row._mapping) for row in rows[:limit]], place)
    return leaf_of(found, [one.id for one in found], place, more=len(rows) > limit)


def count(session: Session, workspace_id: str, connection_id: str, automation: str) -> dict[str, int]:
    """State → how many."""
    query = select(conversation.c.state, func.count()).where(
        conversation.c.workspace_id == workspace_id,
        conversation.c.connection_id == connection_id,
        conversation.c.automation == automation,
    )
    rows = session.execute(query.group_by(conversation.c.state))
    return {row[0]: row[1] for row in rows}


def _of(workspace_id: str, id_: int) -> tuple[ColumnElement[bool], ...]:
    return (conversation.c.id == id_, conversation.c.workspace_id == workspace_id)
