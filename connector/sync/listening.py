"""Conversations begin with what automations write, and events say which of them to look at now.

An event is only a bell here: what was written is read from the source, so one that is lost, late or comes
three times changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from connector.core.records import SourceRecord
from connector.errors import RecordError
from connector.store import conversations
from connector.store.acts import Act
from connector.store.conversations import NewConversation
from connector.store.db import Session
from connector.store.inbox import InboxEvent
from connector.sync.tools import Tools

log = structlog.get_logger(__name__)

MEMBERSHIP: Final = "membership"


def begin(
    session: Session, act: Act, membership: SourceRecord, channel: str, text: str, patience: timedelta
) -> None:
    """Its buyer was written to: keep that, in the transaction that settles the act."""
    begun_at = act.begun_at or act.due_at
    new = NewConversation(
        act.workspace_id,
        act.connection_id,
        act.automation,
        membership.ref.id,
        membership.fields.get("member_id"),
        str(membership.fields["user_id"]),
        channel,
        text,
        begun_at,
        begun_at + patience,
    )
    conversations.begin(session, new, begun_at)


def heard(tools: Tools, workspace_id: str, connection_id: str, events: Sequence[InboxEvent]) -> int:
    """Have the conversations looked at that these events tell of; how many."""
    with tools.database.reading() as session:
        if not conversations.any_on(session, workspace_id, connection_id):
            return 0
    memberships, channels, users = set[str](), set[str](), set[str]()
    for one in events:
        if one.kind is not None:
            memberships |= {one.source_id} if one.kind == MEMBERSHIP and one.source_id else set()
            continue
        try:
            told = tools.hear(one.body)
        except RecordError:
            continue
        memberships |= {told.ref.id} if told.ref and told.ref.kind == MEMBERSHIP else set()
        channels |= {told.chat} if told.chat else set()
        users |= {told.writer} if told.writer else set()
    if not (memberships or channels or users):
        return 0
    named = {"channels": sorted(channels), "users": sorted(users), "memberships": sorted(memberships)}
    with tools.database.transaction() as session:
        return conversations.heard(session, workspace_id, connection_id, tools.clock(), **named)
