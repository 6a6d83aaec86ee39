"""Reconciliations: when they are due, what each found, and every difference."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: queued, running, done, failed or cancelled.
    Column("status", String(20), nullable=False),
    #: Why it started, in words.
    Column("why", Text, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    #: Object → standing → how many.
    Column("counts", Json, nullable=False),
    #: {"done": [stages], "stage": …, "cursor": …}: the place after the last block that is counted.
    Column("checkpoint", Json, nullable=False),
    #: Moves with each save; saving is compare-and-set on it.
    Column("checkpoint_version", Integer, nullable=False, default=0),
    Column("error", Json),
    Column("lease_owner", String(64)),
    Column("lease_until", UtcDateTime),
    Column("due_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    #: The sync that was started to mend what it found; null: none.
    Column("repair_run", Id),
    #: The connection's id while it is under way: one at a time.
    Column("active_key", String(36), unique=True),
    Index("ix_reconciliation_connection_id", "connection_id", "number"),
    Index("ix_reconciliation_workspace_id", "workspace_id", "number"),
    Index("ix_reconciliation_due_at", "status", "due_at"),
)

difference = Table(
    "difference",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("reconciliation", Big, ForeignKey("reconciliation.number"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    Column("object", String(64), nullable=False),
    Column("crm_id", String(36)),
    Column("title", Text, nullable=False),
    #: A code of ``core.reconciling.Cause``.
    Column("cause", String(20), nullable=False),
    #: Null where it is the whole record.
    Column("field", String(100)),
    Column("said", Json),
    Column("there", Json),
    Index("ix_difference_reconciliation", "reconciliation", "id"),
)

#: When a connection is compared next. A row is made with the first look at it.
reconcile_plan = Table(
    "reconcile_plan",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: 0: only when somebody asks.
    Column("every_hours", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False, index=True),
)
