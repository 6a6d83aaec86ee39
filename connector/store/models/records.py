"""What we remember of each record, the runs that wrote it, and what they told."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

link = Table(
    "link",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    Column("source", String(20), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    Column("object", String(64), nullable=False),
    #: Null while there is no counterpart: being created, refused, or waiting for a person.
    Column("crm_id", String(36)),
    #: linked, review, failed, deleted_in_crm or gone.
    Column("state", String(20), nullable=False, default="linked"),
    #: Counts up when a record is made anew after a deletion; part of its own id.
    Column("generation", Integer, nullable=False, default=0),
    Column("fingerprint", String(32)),
    Column("source_updated_at", String(30)),
    #: Field → [hash of the canonical value we wrote last, number of the run that wrote it].
    Column("memory", Json),
    #: The CRM's own times after our last write: a ghost has another creation, an edit a later update.
    Column("crm_created_at", String(30)),
    Column("crm_updated_at", String(30)),
    #: The CRM's time of the record when it was last compared whole. Not the same as what our last write left
    #: behind: a person may have changed what is theirs since, and that record is not ours to delete.
    Column("crm_seen_at", String(30)),
    #: Number of the run that saw the source record last.
    Column("seen_run", Big),
    #: Number of the comparison that met the source record last.
    Column("compared", Big),
    #: When the source was found to have it no more, and that was dealt with; null while it has it.
    Column("gone_at", UtcDateTime),
    #: Number of the run that took its last change back. While it says what it said then, it is not written
    #: again; null: nobody did, or it was let go.
    Column("held_run", Big),
    #: Who writes this record now; null when nobody does. Void after claimed_until.
    Column("claimed_by", String(40)),
    Column("claimed_until", UtcDateTime),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("source_id", "kind", "object", "source", "workspace_id"),
    Index("ix_link_crm_id", "crm_id", "workspace_id"),
    Index("ix_link_connection_id", "connection_id", "kind"),
    Index("ix_link_state", "connection_id", "state"),
)
_HELD = link.c.held_run.is_not(None)
Index("ix_link_held_run", link.c.workspace_id, link.c.id, sqlite_where=_HELD, postgresql_where=_HELD)

sync_run = Table(
    "sync_run",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=True),
    Column("id", Id, nullable=False, unique=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: full, incremental, webhook, preview, undo, repair.
    Column("type", String(20), nullable=False),
    #: queued, running, paused, waiting, success, partial, failed, cancelled.
    Column("status", String(20), nullable=False),
    #: Why it started, in words.
    Column("why", Text, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("mapping_version", String(64)),
    #: Object → result → how many.
    Column("counts", Json, nullable=False),
    #: Field of the mapping → source value without an answer → how often.
    Column("unknown_choices", Json, nullable=False),
    #: {"kind": …, "cursor": …, "done": [kinds]}: the place after the last settled page.
    Column("checkpoint", Json, nullable=False),
    #: Moves with each checkpoint; saving is compare-and-set on it.
    Column("checkpoint_version", Integer, nullable=False, default=0),
    #: How many records held what somebody had changed in the CRM, and hold ours again.
    Column("drift", Integer, nullable=False, default=0, server_default="0"),
    Column("error", Json),
    #: The worker at it now, and until when it may be silent before another takes over.
    Column("lease_owner", String(64)),
    Column("lease_until", UtcDateTime),
    #: When it may go on; the sweeper rings for every active run whose time has come.
    Column("due_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    #: Changes that it found and that no webhook had told; null where none listens, or before its end.
    Column("missed", Integer),
    #: The connection's id while the run is active, else null: one run per connection at a time.
    Column("active_key", String(60), unique=True),
    #: When its log began to be cut; null: it is whole. What is cut cannot be taken back.
    Column("pruned_at", UtcDateTime),
    Index("ix_sync_run_connection_id", "connection_id", "number"),
    Index("ix_sync_run_due_at", "status", "due_at"),
    Index("ix_sync_run_workspace_id", "workspace_id", "number"),
)
#: Few among many: the log leaves out what they tell.
_PREVIEW = sync_run.c.type == "preview"
Index(
    "ix_sync_run_preview",
    sync_run.c.workspace_id,
    sync_run.c.number,
    sqlite_where=_PREVIEW,
    postgresql_where=_PREVIEW,
)

#: What is about to be written, noted with the claim: the log of a write whose worker dies before it is told.
intent = Table(
    "intent",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("run", Big, ForeignKey("sync_run.number"), nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    Column("object", String(64), nullable=False),
    #: Source id → [before, after, reason, drift], of the updates of one request.
    Column("writes", Json, nullable=False),
)

sync_log_entry = Table(
    "sync_log_entry",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("run", Big, ForeignKey("sync_run.number"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("source_id", String(100), nullable=False),
    Column("object", String(64), nullable=False),
    Column("crm_id", String(36)),
    Column("title", Text, nullable=False),
    Column("result", String(10), nullable=False),
    #: Why it was skipped, or how it was settled; null where the result says it all.
    Column("reason", String(20)),
    Column("error_code", String(40)),
    Column("error", Json),
    Column("warnings", Json),
    Column("before", Json),
    Column("after", Json),
    #: Fields that somebody had changed in the CRM and that were put back; null: none.
    Column("drift", Json),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_sync_log_entry_run", "run", "result", "id"),
    Index("ix_sync_log_entry_source_id", "source_id", "workspace_id"),
    # The pages read the log newest first: all of a workspace by result, failures by their cause.
    Index("ix_sync_log_entry_workspace_id", "workspace_id", "result", "id"),
    Index("ix_sync_log_entry_created_at", "workspace_id", "created_at"),
)
# What can be cut once a sync cannot be undone any more; what was made has nothing before it.
_BEFORE = sync_log_entry.c.before.is_not(None)
Index(
    "ix_sync_log_entry_before",
    sync_log_entry.c.run,
    sync_log_entry.c.id,
    sqlite_where=_BEFORE,
    postgresql_where=_BEFORE,
)
# Successes, the most by far, have no error code and cost these indexes nothing.
_FAILED = sync_log_entry.c.error_code.is_not(None)
for _name, _first in (("ix_sync_log_entry_cause", "run"), ("ix_sync_log_entry_error_code", "workspace_id")):
    Index(
        _name,
        sync_log_entry.c[_first],
        sync_log_entry.c.error_code,
        sync_log_entry.c.id,
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )
