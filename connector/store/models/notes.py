"""The notes and tasks that events have left in the CRM: one row for each that there ever was."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import UtcDateTime

note = Table(
    "note",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: The entry of a mapping file that asked for it: file and name.
    Column("rule", String(200), nullable=False),
    #: The id that it is made once for: of a payment, a membership, …
    Column("per", String(100), nullable=False),
    #: note or task.
    Column("kind", String(10), nullable=False),
    #: Our own id of it in the CRM, given before it is sent.
    Column("crm_id", String(36), nullable=False),
    #: pending (perhaps in the CRM), left (it is, or was: a person may delete it), done (a task, by us) or
    #: undone (taken back with the run that left it).
    Column("state", String(10), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    #: The event of the inbox that it came from; null for those of before this was kept.
    Column("event", Big),
    #: Number of the run that left it first.
    Column("run", Big),
    #: The object and the source id of a record that it is to stand beside and that is not in the CRM yet.
    Column("waits_object", String(64)),
    Column("waits_for", String(100)),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("per", "rule", "workspace_id"),
    Index("ix_note_connection_id", "connection_id", "state"),
    Index("ix_note_event", "event"),
    Index("ix_note_run", "run"),
    Index("ix_note_waits_for", "waits_for"),
)
