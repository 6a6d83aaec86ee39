"""When a connection is to be looked at next, and how far it has been looked at."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, true

from connector.store.db import metadata
from connector.store.models.columns import Id
from connector.store.types import Json, UtcDateTime

#: What is done by the clock: one row for each connection and task. Whoever moves ``due_at`` has the turn.
schedule = Table(
    "schedule",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    #: incremental.
    Column("task", String(20), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    #: Minutes between two; null: as the installation has it.
    Column("every", Integer),
    #: Whether an admin lets it run.
    Column("enabled", Boolean, nullable=False, default=True, server_default=true()),
    Index("ix_schedule_due_at", "task", "due_at"),
)

#: How far a connection's records are covered: one row for each stream of them.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    #: The kind, and how it is read: "member:acted", "membership:all".
    Column("stream", String(60), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: Everything before this moment is covered; null where the stream is read in rounds.
    Column("until", UtcDateTime),
    #: Of a stream that is read in rounds: where the present round is, and what is known of it and the last.
    Column("round", Json),
    #: Moves with each save, which is compare-and-set on it.
    Column("version", Integer, nullable=False, default=0),
)

#: Records whose access ends at a known moment: looked at again when it has passed, should no event tell.
ending = Table(
    "ending",
    metadata,
    Column("source_id", String(100), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: As the source tells it.
    Column("ends_at", String(30), nullable=False),
    #: When it is looked at; later each time that nothing has changed.
    Column("due_at", UtcDateTime, nullable=False),
    Column("looks", Integer, nullable=False, default=0),
    Index("ix_ending_due_at", "due_at"),
)
