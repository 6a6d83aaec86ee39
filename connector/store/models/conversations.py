"""What was said in chats: each welcome that was written, and what its buyer wrote back."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

#: One for each membership that an automation has written to.
conversation = Table(
    "conversation",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: The name of its file.
    Column("automation", String(60), nullable=False),
    Column("membership_id", String(100), nullable=False),
    #: Null where the source names none.
    Column("member_id", String(100)),
    Column("user_id", String(100), nullable=False),
    Column("channel", String(100), nullable=False),
    #: What was written.
    Column("text", Text, nullable=False),
    #: open, answered, timed_out or closed.
    Column("state", String(10), nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    #: When the welcome stands in the chat, by the source's clock; null until somebody has looked.
    Column("since", String(30)),
    #: By when an answer is waited for.
    Column("times_out_at", UtcDateTime, nullable=False),
    #: When its buyer wrote last.
    Column("last_at", UtcDateTime),
    #: When it came to the state that it is in.
    Column("state_at", UtcDateTime, nullable=False),
    #: When is looked next; null: once an event tells something.
    Column("due_at", UtcDateTime),
    Column("looked_at", UtcDateTime),
    #: Who is at it now, null when nobody is. Void after lease_until.
    Column("owner", String(64)),
    Column("lease_until", UtcDateTime),
    #: What stood in the way of the last look; null where nothing did.
    Column("error", Json),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("membership_id", "automation", "connection_id"),
    Index("ix_conversation_due_at", "due_at"),
    Index("ix_conversation_workspace_id", "workspace_id", "id"),
    Index("ix_conversation_member_id", "member_id"),
    Index("ix_conversation_channel", "channel"),
    Index("ix_conversation_user_id", "user_id"),
    Index("ix_conversation_connection_id", "connection_id", "state"),
)

#: What a buyer wrote: each message once.
reply = Table(
    "reply",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    Column("conversation", Big, ForeignKey("conversation.id"), nullable=False),
    #: Its id on the source.
    Column("message_id", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("text", Text, nullable=False),
    #: The source's time of it, as records have times.
    Column("at", String(30), nullable=False),
    #: pending (no note yet), left (there is, or was: a person may delete it) or none (notes are off).
    Column("note", String(10), nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    UniqueConstraint("message_id", "connection_id"),
    Index("ix_reply_conversation", "conversation", "id"),
)
