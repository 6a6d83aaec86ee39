"""Questions to a person, and what waits for the answer."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

review = Table(
    "review",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    Column("source", String(20), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    Column("object", String(64), nullable=False),
    Column("title", Text, nullable=False),
    #: A code of ``core.plan.Why``.
    Column("why", String(20), nullable=False),
    #: What the record says of itself, in the CRM's words: field → canonical value.
    Column("said", Json, nullable=False),
    #: The CRM records it may be, each with what tells it from the others.
    Column("candidates", Json, nullable=False),
    #: The record is in the CRM already, so that none may be made for it.
    Column("only_one", Boolean, nullable=False),
    #: Hash of the question; a decision names the one it was made for.
    Column("version", String(32), nullable=False),
    #: waiting, decided (not carried out yet), done, or closed (it settled itself).
    Column("state", String(10), nullable=False),
    #: link, create or ignore, and the CRM record to link; null while nothing is decided.
    Column("choice", String(10)),
    Column("crm_id", String(36)),
    #: The name of who decided, as it was then.
    Column("decided_by", Text),
    Column("decided_at", UtcDateTime),
    #: When a sync was started for the decision; null: one is still to be.
    Column("started_at", UtcDateTime),
    Column("asked_at", UtcDateTime, nullable=False),
    UniqueConstraint("source_id", "kind", "object", "source", "workspace_id"),
    Index("ix_review_state", "workspace_id", "state", "id"),
)

open_relation = Table(
    "open_relation",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: The record that was written without its relation.
    Column("source", String(20), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    #: The record it is to point at, once a person has decided what that is.
    Column("parent_kind", String(40), nullable=False),
    Column("parent_id", String(100), nullable=False),
    Column("parent_object", String(64), nullable=False),
    UniqueConstraint(
        "source_id", "kind", "source", "parent_id", "parent_kind", "parent_object", "workspace_id"
    ),
    Index("ix_open_relation_parent_id", "parent_id", "workspace_id"),
)
