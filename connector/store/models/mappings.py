"""The mapping files that a workspace has of its own, as they were and are."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from connector.store.db import metadata
from connector.store.models.columns import Id
from connector.store.types import Json, UtcDateTime

mapping_change = Table(
    "mapping_change",
    metadata,
    Column("workspace_id", Id, ForeignKey("workspace.id"), primary_key=True),
    #: Counts the changes of a workspace, over all its files.
    Column("number", Integer, primary_key=True),
    Column("file", String(100), nullable=False),
    #: own: the text below. shipped: the file that comes with the connector counts again. off: none does.
    Column("state", String(10), nullable=False),
    #: Null where the workspace has no text of its own.
    Column("text", Text),
    #: SHA-256 of the text, shortened; null without one.
    Column("hash", String(16)),
    #: The hash of all files together, as runs record it.
    Column("set_version", String(64), nullable=False),
    #: The change of this file before this one; null: it was as shipped.
    Column("previous", Integer),
    Column("who", String(200), nullable=False),
    #: edited, uploaded, reverted, shipped or removed.
    Column("how", String(20), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_mapping_change_file", "workspace_id", "file", "number"),
)

mapping_pass = Table(
    "mapping_pass",
    metadata,
    Column("connection_id", Id, ForeignKey("connection.id"), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: The kinds whose records are to be read anew.
    Column("kinds", Json, nullable=False),
    #: The latest change that wants it.
    Column("change", Integer, nullable=False),
    Column("why", Text, nullable=False),
)

mapping_set = Table(
    "mapping_set",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), primary_key=True),
    #: File name → its text, of every file that counted: a run maps by it to its end.
    Column("texts", Json, nullable=False),
    #: When it was last begun with, about; null where that was not kept yet.
    Column("kept_at", UtcDateTime),
)
