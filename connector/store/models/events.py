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
    false,
    text,
)

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

#: As a condition of the very same words has to say it: an index of a part is of use for no other.
UNHEARD = text("state = 'pending' AND heard IS FALSE AND quiet IS FALSE")

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
    #: Taken again by somebody who did not ask for notes and tasks: it leaves none.
    Column("quiet", Boolean, nullable=False, default=False, server_default=false()),
    #: Automations have looked at it already, before its turn came.
    Column("heard", Boolean, nullable=False, default=False, server_default=false()),
    UniqueConstraint("event_id", "connection_id"),
    Index("ix_event_inbox_due", "connection_id", "state", "due_at"),
    # What automations have not looked at: asked for each second, and nearly always nothing.
    Index("ix_event_inbox_unheard", "connection_id", "id", sqlite_where=UNHEARD, postgresql_where=UNHEARD),
    # The newest of a connection, and how long those took.
    Index("ix_event_inbox_connection_id", "connection_id", "id"),
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

#: The webhook that we registered for a connection, and when it is looked after next.
registration = Table(
    "registration",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: The webhook's id at Whop; null while we have registered none.
    Column("hook_id", String(64)),
    #: The secret that Whop told when it was made.
    Column("secret_id", Id),
    Column("registered_at", UtcDateTime),
    #: How Whop had it when we looked last: does it deliver, how often in a row did it fail, since when.
    Column("enabled", Boolean, nullable=False, default=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("failing_since", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    #: What stood in the way when we looked last; null where nothing did.
    Column("error", Json),
    #: Up to when Whop's log of deliveries was compared with what arrived; null before the first time.
    Column("compared_until", UtcDateTime),
    #: Where a comparison goes on that was too long for one look, and the newest delivery that it began with.
    Column("cursor", Text),
    Column("newest", UtcDateTime),
    #: Not before; and who is at it now, null when nobody is. Void after lease_until.
    Column("due_at", UtcDateTime, nullable=False),
    Column("owner", String(64)),
    Column("lease_until", UtcDateTime),
    Index("ix_registration_due_at", "due_at"),
)

#: Deliveries of Whop's log that had not arrived here.
missed_delivery = Table(
    "missed_delivery",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: As in the inbox, where it is once it has arrived.
    Column("event_id", String(100), nullable=False),
    Column("type", String(80), nullable=False),
    #: The delivery in Whop's log by which it is asked for again.
    Column("delivery_id", String(64), nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    #: How often Whop was asked to deliver it again.
    Column("asked", Integer, nullable=False, default=0),
    #: When it was seen to have arrived after all.
    Column("recovered_at", UtcDateTime),
    UniqueConstraint("event_id", "connection_id"),
    Index("ix_missed_delivery_connection_id", "connection_id", "sent_at"),
)
