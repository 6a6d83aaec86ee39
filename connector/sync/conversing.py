"""Conversations whose time to be looked at has come: what was written back is kept, noted, and settled.

A look reads how the membership stands and then the chat, and commits what is new before any note is left. A
message is kept once by its id, and its note has an id that follows from the message's. So a look that was
killed anywhere is made again, and nothing is there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import structlog

from connector.core import conversations as core
from connector.core.conversations import Post
from connector.core.outcomes import as_json
from connector.core.purchases import ENDED
from connector.core.records import SourceRecord, iso
from connector.errors import ConnectorError, TryLaterError
from connector.ports import Clock, Lane, Reader
from connector.ports.chats import Chats
from connector.ports.crm_notes import NewNote, Noter
from connector.store import connections, conversations, histories, workspaces
from connector.store.connections import Connection
from connector.store.conversations import Conversation, Reply
from connector.store.db import Database, Session
from connector.store.workspaces import Workspace
from connector.sync.heartbeat import heartbeat
from connector.sync.tools import OpenReader

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=15)
_LONGEST: Final = timedelta(seconds=45)
_AT_ONCE: Final = 4
_MOST_PAGES: Final = 20
_AFTER_TROUBLE: Final = timedelta(minutes=2)
_AFTER_REFUSAL: Final = timedelta(hours=1)
_LANE: Final[Lane] = "incremental"
_BESIDE: Final = ("person", "opportunity", "company")
"""Objects of the CRM that a note about a buyer may stand beside."""


@dataclass(frozen=True, slots=True)
class TalkDesk:
    """What conversations are looked after with."""

    database: Database
    clock: Clock
    open_reader: OpenReader
    open_chats: Callable[[Connection], Chats]
    open_noter: Callable[[Workspace, Lane], Noter]
    ends: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class _Look:
    """One conversation that is being looked at."""

    desk: TalkDesk
    one: Conversation
    owner: str
    connection: Connection
    workspace: Workspace

    def keep(self, session: Session, values: Mapping[str, Any]) -> None:
        """Remember, in a transaction of the caller's. Raises TryLaterError when another has taken over."""
        if not conversations.keep(session, self.one, values, owner=self.owner):
            raise TryLaterError("Another worker has this conversation.", code="lease_lost")


def look(desk: TalkDesk, *, owner: str) -> int:
    """Look at all whose time has come, several at a time; how many were looked at."""
    taken, end = 0, desk.clock() + _LONGEST
    with ThreadPoolExecutor(_AT_ONCE, "talk") as threads:
        while not desk.ends() and desk.clock() < end:
            with desk.database.reading() as session:
                found = conversations.due(session, desk.clock(), 100)
            if not found:
                break
            taken += sum(threads.map(lambda one: _take(desk, one, owner), found))
    return taken


def _take(desk: TalkDesk, one: Conversation, owner: str) -> bool:
    """Look at one; False when another worker has it."""
    now = desk.clock()
    with desk.database.transaction() as session:
        claimed = conversations.claim(session, one, owner=owner, now=now, until=now + LEASE)
        if claimed is None:
            return False
        connection = connections.get(session, one.workspace_id, one.connection_id)
        workspace = workspaces.get(session, one.workspace_id)
    look = _Look(desk, claimed, owner, connection, workspace)
    with heartbeat(partial(_prolong, look)):
        try:
            _look(look)
        except ConnectorError as error:
            _put_off(look, error)
        except Exception as error:
            # A defect that one conversation meets must not end the work for the others.
            log.exception("a look at a conversation broke off", conversation=one.id)
            told = f"A defect of the connector ({type(error).__name__})."
            _put_off(look, TryLaterError(told, code="internal"))
    return True


def _prolong(look: _Look) -> None:
    until = look.desk.clock() + LEASE
    with look.desk.database.transaction() as session:
        conversations.keep(session, look.one, {"lease_until": until}, owner=look.owner)


def _look(look: _Look) -> None:
    desk, one = look.desk, look.one
    membership = _membership(desk.open_reader(look.connection, _LANE), one)
    ended = membership is not None and membership.fields.get("status") in ENDED
    posts = _posts(desk.open_chats(look.connection), one)
    now = desk.clock()
    since = one.since or core.since(posts, one.text, one.user_id, one.begun_at) or iso(one.begun_at)
    with desk.database.transaction() as session:
        standing = _settle(look, session, posts, since, ended=ended)
    owing = _leave_notes(look)
    with desk.database.transaction() as session:
        due_at = core.next_look(standing, now, patience=one.times_out_at - one.begun_at, owing=owing)
        conversations.let_go(session, one, due_at, {"looked_at": now, "error": None}, owner=look.owner)


def _membership(reader: Reader, one: Conversation) -> SourceRecord | None:
    found = reader.fetch("membership", [one.membership_id]).get(one.membership_id)
    return found if isinstance(found, SourceRecord) else None


def _posts(chats: Chats, one: Conversation) -> list[Post]:
    """What is in the chat since the welcome, as far as there is a welcome to be seen."""
    first, found = one.since or core.earliest(one.begun_at), list[Post]()
    for number, page in enumerate(chats.posts(one.channel), start=1):
        found += page
        if any(post.at < first for post in page) or number == _MOST_PAGES:
            break
    return found


def _settle(
    look: _Look, session: Session, posts: Sequence[Post], since: str, *, ended: bool
) -> core.Standing:
    """Keep what is new, and how the conversation stands with it."""
    one, now = look.one, look.desk.clock()
    later = [each.since or iso(each.begun_at) for each in conversations.beside(session, one)]
    until = min((at for at in later if at > since), default=None)
    fresh = [_tidied(post) for post in core.replies(posts, one.user_id, since, until)]
    known = conversations.known(session, one.workspace_id, one.connection_id, [post.id for post in fresh])
    fresh = [post for post in fresh if post.id not in known]
    for post in fresh:
        conversations.add(session, one, [post], _note_for(look.connection, post), now)
    standing = core.moved(one.standing, [post.at for post in fresh], ended=ended, now=now)
    values: dict[str, Any] = {"since": since, "state": standing.state, "last_at": standing.last_at}
    if standing.state != one.state:
        values["state_at"] = now
        log.info("a conversation moved on", conversation=one.id, state=standing.state, replies=len(fresh))
    look.keep(session, values)
    return standing


def _tidied(post: Post) -> Post:
    name, text = core.tidy(post.name, post.text)
    return post._replace(name=name, text=text)


def _note_for(connection: Connection, post: Post) -> conversations.NoteState:
    """Whether it is to leave one: notes are switched on, and were when it was written."""
    since = connection.notes_since
    return "pending" if since is not None and post.at > iso(since) else "none"


def _leave_notes(look: _Look) -> datetime | None:
    """A note for each reply that has none, beside its buyer's records; since when one waits for those."""
    desk, one = look.desk, look.one
    with desk.database.reading() as session:
        todo = conversations.unnoted(session, one.workspace_id, one.id)
        targets = _targets(session, one) if todo else ()
    if not todo:
        return None
    if not targets:
        return min(each.kept_at for each in todo)
    new = {_note_id(each): each for each in todo}
    notes = [_note(id_, each, targets) for id_, each in new.items()]
    refused = desk.open_noter(look.workspace, _LANE).leave(notes)
    with desk.database.transaction() as session:
        conversations.noted(
            session, one.workspace_id, [each.id for id_, each in new.items() if id_ not in refused]
        )
    for error in refused.values():
        raise error
    return None


def _targets(session: Session, one: Conversation) -> tuple[tuple[str, str], ...]:
    of = [("membership", one.membership_id), *([("member", one.member_id)] if one.member_id else [])]
    known = (each for ref in of for each in histories.known(session, one.workspace_id, *ref))
    return tuple(
        (each.object, each.crm_id)
        for each in known
        if each.object in _BESIDE and each.crm_id and each.state == "linked"
    )


def _note_id(one: Reply) -> str:
    return str(uuid5(NAMESPACE_URL, f"reply/{one.connection_id}/{one.message_id}"))


def _note(id_: str, one: Reply, targets: tuple[tuple[str, str], ...]) -> NewNote:
    title, text = core.note_of(one.name, one.text, one.at)
    return NewNote(id_, "note", title, text, targets)


def _put_off(look: _Look, error: ConnectorError) -> None:
    """It is looked at again later; what stood in the way is told on its page."""
    if error.code == "lease_lost":
        return
    now = look.desk.clock()
    wait = _AFTER_TROUBLE if isinstance(error, TryLaterError) else _AFTER_REFUSAL
    log.warning("a conversation could not be looked at", conversation=look.one.id, code=error.code)
    with look.desk.database.transaction() as session:
        values = {"error": as_json(error), "looked_at": now}
        conversations.let_go(session, look.one, now + wait, values, owner=look.owner)
