"""Automations: which are switched on, and every act of theirs."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

#: How an automation is set for a connection; without a row it is off.
automation = Table(
    "automation",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    #: The name of its file.
    Column("name", String(60), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: It acts on what came about after this moment; null: it is off.
    Column("since", UtcDateTime),
    #: Plans that were ticked: id → title.
    Column("plans", Json, nullable=False),
)

#: One step of an automation for one record: waits for its time, and is done once.
act = Table(
    "act",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    Column("automation", String(60), nullable=False),
    #: The place of the step in its file, from 0.
    Column("step", Integer, nullable=False),
    #: The record that set it off: a payment, say.
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    #: The event of the inbox that told of it.
    Column("event", Big),
    #: When that came about, as records have times.
    Column("fact_at", String(30), nullable=False),
    #: What the event told of it.
    Column("facts", Json, nullable=False),
    #: The membership that it is about, once that is known.
    Column("membership_id", String(100)),
    #: waiting, done, skipped (there was nothing to do) or failed (a person has to).
    Column("state", String(10), nullable=False),
    #: Not before.
    Column("due_at", UtcDateTime, nullable=False),
    #: How often all of it failed.
    Column("tries", Integer, nullable=False),
    #: When the source was asked to change something, and its answer is not kept yet; null: nothing is open.
    #: Whoever finds this set looks first whether it was carried out.
    Column("begun_at", UtcDateTime),
    #: Who is at it now, null when nobody is. Void after lease_until.
    Column("owner", String(64)),
    Column("lease_until", UtcDateTime),
    #: What became of it, in words; null while it waits for the first time.
    Column("outcome", Text),
    #: What stood in its way last; null where nothing did.
    Column("error", Json),
    #: All that was done, in order: a list of moment and words.
    Column("journal", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("source_id", "automation", "connection_id", "step"),
    Index("ix_act_due_at", "state", "due_at"),
    Index("ix_act_workspace_id", "workspace_id", "id"),
    Index("ix_act_event", "event"),
)

#: Whether people in a workspace's CRM may ask for something on the source; without a row they may not.
crm_request = Table(
    "crm_request",
    metadata,
    Column("workspace_id", Id, ForeignKey("workspace.id"), primary_key=True),
    #: What was asked after this moment counts; null: it is off.
    Column("since", UtcDateTime),
    #: The webhook that the CRM tells us by, and its sealed secret; null where it takes none from us.
    Column("hook_id", String(64)),
    Column("secret_sealed", Text),
    #: When is looked next: an hour after the last time, or as soon as the CRM tells something.
    Column("due_at", UtcDateTime, nullable=False),
    Column("looked_at", UtcDateTime),
    #: What stood in the way last; null where nothing did.
    Column("error", Json),
    #: Whether anything but people is refused: no workflow, import or API key of the CRM may ask.
    Column("only_people", Boolean, nullable=False, default=False, server_default=false()),
    Index("ix_crm_request_due_at", "due_at"),
)
