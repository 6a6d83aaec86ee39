"""Webhooks: what came in, what may come in, and how much was refused."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

event_inbox = Table(
    "event_inbox",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: The sender's id of the delivery; the same on every retry.
    Column("event_id", String(100), nullable=False),
    Column("type", String(80), nullable=False),
    Column("dialect", String(20), nullable=False),
    #: How it was signed: standard or legacy.
    Column("scheme", String(10), nullable=False, default="standard", server_default="standard"),
    #: The record it is about; null until it is looked at, and where it is about none that we know.
    Column("kind", String(40)),
    Column("source_id", String(100)),
    Column("occurred_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    #: pending, done, parked or ignored.
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False),
    Column("settled", Boolean, nullable=False, default=False),
    Column("settled_at", UtcDateTime),
    #: Why it was ignored; null otherwise.
    Column("reason", String(20)),
    #: What stood in the way last; null once it is done.
    Column("error", Json),
    #: Number of the run that settled it; null where no run did.
    Column("run", Big),
    UniqueConstraint("event_id", "connection_id"),
    Index("ix_event_inbox_due", "connection_id", "state", "due_at"),
    # The page of events reads the newest first, all of a workspace or by state.
    Index("ix_event_inbox_workspace_id", "workspace_id", "state", "id"),
    Index("ix_event_inbox_source_id", "source_id", "workspace_id"),
)

webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("id", Id, primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False, index=True),
    #: standard or legacy: which signatures it is good for.
    Column("scheme", String(10), nullable=False),
    Column("secret_sealed", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    #: Until when it is still accepted beside a newer one; null: until it is taken back.
    Column("retires_at", UtcDateTime),
)

webhook_refusal = Table(
    "webhook_refusal",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    #: Null, and an empty connection, where the address named none of ours.
    Column("workspace_id", Id, ForeignKey("workspace.id")),
    Column("connection_id", Id, nullable=False),
    #: missing, malformed, stale, wrong, too_large, unreadable, disconnected, foreign or unconnected.
    Column("reason", String(20), nullable=False),
    #: The hour it is counted in.
    Column("hour", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    #: The network the last one came from.
    Column("last_address", String(50), nullable=False),
    UniqueConstraint("connection_id", "hour", "reason"),
    Index("ix_webhook_refusal_workspace_id", "workspace_id", "hour"),
)

#: Who works on a connection's events now: one at a time.
drain = Table(
    "drain",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: Null when nobody does. Void after lease_until.
    Column("owner", String(64)),
    Column("lease_until", UtcDateTime),
    #: Not before: the CRM or Whop asked for patience.
    Column("due_at", UtcDateTime, nullable=False),
    #: How often in a row that was so.
    Column("tries", Integer, nullable=False, default=0),
    #: What stood in the way of all of its events last; null once it does not.
    Column("error", Json),
)
