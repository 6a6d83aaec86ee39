"""The tables. A ``#:`` says why a column exists and when it is null.

Ids that are shown or travel are UUID text; links and log entries, of which there are many, count.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
)

from connector.store.db import metadata
from connector.store.types import Json, UtcDateTime

_Id = String(36)
_Big = BigInteger().with_variant(Integer, "sqlite")

workspace = Table(
    "workspace",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    #: Origin of the CRM, as typed and checked; the API lives below it.
    Column("crm_url", Text, nullable=False),
    #: The CRM's own id of the workspace. With the origin it is the identity, never alone.
    Column("crm_workspace_id", String(64), nullable=False),
    Column("crm_name", Text, nullable=False, default=""),
    #: Sealed API key for writing; null once OAuth alone is used.
    Column("crm_key_sealed", Text),
    #: The data model's version when we last looked; null before the first look.
    Column("schema_version", Integer),
    #: How many records one request takes, as learned; null: the default.
    Column("batch_cap", Integer),
    #: Mapping name of each object and field → its id and present name in the CRM; null before a look.
    Column("crm_names", Json),
    #: Origin of the CRM's pages, where it is another than ``crm_url``; null: the same.
    Column("crm_front_url", Text),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("crm_workspace_id", "crm_url"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False, index=True),
    Column("service", String(20), nullable=False),
    #: The company on Whop; one connection per company and workspace.
    Column("company_id", String(64), nullable=False),
    Column("company_title", Text, nullable=False, default=""),
    #: api_key or oauth.
    Column("auth", String(10), nullable=False),
    #: Sealed API key or access token; null after disconnecting.
    Column("secret_sealed", Text),
    #: Sealed refresh token; null for API keys.
    Column("refresh_sealed", Text),
    #: When the access token ends; null for API keys.
    Column("expires_at", UtcDateTime),
    #: The Whop user who approved; null for API keys.
    Column("source_user_id", String(64)),
    #: What the admin granted of what was asked, by name; null for API keys.
    Column("scopes", Json),
    #: The company that was named when access was asked for, which each refresh repeats; null where none was.
    Column("asked_company_id", String(64)),
    #: Who asks Whop for a new access token now; null when nobody does. Void after refresh_claimed_until.
    Column("refresh_claimed_by", String(64)),
    Column("refresh_claimed_until", UtcDateTime),
    #: active, expired or revoked.
    Column("status", String(10), nullable=False),
    #: Whether an admin stopped its syncs for the time being.
    Column("paused", Boolean, nullable=False, default=False, server_default=false()),
    Column("last_sync_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("company_id", "workspace_id", "service"),
)

link = Table(
    "link",
    metadata,
    Column("id", _Big, primary_key=True, autoincrement=True),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", _Id, ForeignKey("connection.id"), nullable=False),
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
    #: Number of the run that saw the source record last.
    Column("seen_run", _Big),
    #: Who writes this record now; null when nobody does. Void after claimed_until.
    Column("claimed_by", String(40)),
    Column("claimed_until", UtcDateTime),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("source_id", "kind", "object", "source", "workspace_id"),
    Index("ix_link_crm_id", "crm_id", "workspace_id"),
    Index("ix_link_connection_id", "connection_id", "kind"),
    Index("ix_link_state", "connection_id", "state"),
)

sync_run = Table(
    "sync_run",
    metadata,
    Column("number", _Big, primary_key=True, autoincrement=True),
    Column("id", _Id, nullable=False, unique=True),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", _Id, ForeignKey("connection.id"), nullable=False),
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
    Column("error", Json),
    #: The worker at it now, and until when it may be silent before another takes over.
    Column("lease_owner", String(64)),
    Column("lease_until", UtcDateTime),
    #: When it may go on; the sweeper rings for every active run whose time has come.
    Column("due_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    #: The connection's id while the run is active, else null: one run per connection at a time.
    Column("active_key", String(60), unique=True),
    Index("ix_sync_run_connection_id", "connection_id", "number"),
    Index("ix_sync_run_due_at", "status", "due_at"),
    Index("ix_sync_run_workspace_id", "workspace_id", "number"),
)

sync_log_entry = Table(
    "sync_log_entry",
    metadata,
    Column("id", _Big, primary_key=True, autoincrement=True),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False),
    Column("run", _Big, ForeignKey("sync_run.number"), nullable=False),
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
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_sync_log_entry_run", "run", "result", "id"),
    Index("ix_sync_log_entry_source_id", "source_id", "workspace_id"),
    # The pages read the log newest first: all of a workspace by result, failures by their cause.
    Index("ix_sync_log_entry_workspace_id", "workspace_id", "result", "id"),
    Index("ix_sync_log_entry_created_at", "workspace_id", "created_at"),
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

event_inbox = Table(
    "event_inbox",
    metadata,
    Column("id", _Big, primary_key=True, autoincrement=True),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", _Id, ForeignKey("connection.id"), nullable=False),
    #: The sender's id of the delivery; the same on every retry.
    Column("event_id", String(100), nullable=False),
    Column("type", String(80), nullable=False),
    Column("dialect", String(20), nullable=False),
    Column("kind", String(40)),
    Column("source_id", String(100)),
    Column("occurred_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body", LargeBinary, nullable=False),
    #: pending, done, parked or ignored.
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False),
    Column("claimed_by", String(64)),
    Column("claimed_until", UtcDateTime),
    Column("settled", Boolean, nullable=False, default=False),
    UniqueConstraint("event_id", "connection_id"),
    Index("ix_event_inbox_due", "connection_id", "state", "due_at"),
)

pending_authorization = Table(
    "pending_authorization",
    metadata,
    Column("id", _Id, primary_key=True),
    #: SHA-256 of the state that Whop hands back; the state itself is in the browser's address bar only.
    Column("state_hash", String(64), nullable=False, unique=True),
    #: Sealed; proves to Whop that whoever redeems the code is the one who asked for it.
    Column("verifier_sealed", Text, nullable=False),
    #: Comes back inside the id token.
    Column("nonce", String(64), nullable=False),
    Column("workspace_id", _Id, ForeignKey("workspace.id"), nullable=False),
    #: Who began it, and SHA-256 of the token in that browser's cookie: nobody else may end it.
    Column("operator_id", _Id, nullable=False),
    Column("browser_hash", String(64), nullable=False),
    #: The connection that gets a new credential; null for a new one.
    Column("connection_id", _Id, ForeignKey("connection.id")),
    Column("redirect_uri", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    #: Set once, by the answer that Whop sent for it.
    Column("used_at", UtcDateTime),
    #: Sealed tokens that wait for the choice of a company; null before, and after it.
    Column("grant_sealed", Text),
    #: The companies to choose from and who approved; null where there is nothing to choose.
    Column("offer", Json),
)

operator = Table(
    "operator",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    #: Null until one is set: the one-time link is enough to sign in.
    Column("password_hash", Text),
    Column("created_at", UtcDateTime, nullable=False),
    #: A removed operator stays for the audit log's sake; null: may sign in.
    Column("removed_at", UtcDateTime),
)

sign_in_link = Table(
    "sign_in_link",
    metadata,
    #: SHA-256 of the token; the token itself is in the link and nowhere else.
    Column("token_hash", String(64), primary_key=True),
    Column("operator_id", _Id, ForeignKey("operator.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    #: Set once, by the one who signed in with it.
    Column("used_at", UtcDateTime),
)

web_session = Table(
    "web_session",
    metadata,
    #: Names the session on pages; opens nothing.
    Column("id", _Id, primary_key=True),
    #: SHA-256 of the token in the browser's cookie.
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("operator_id", _Id, ForeignKey("operator.id"), nullable=False, index=True),
    #: The one workspace it looks at; null until one is chosen.
    Column("workspace_id", _Id, ForeignKey("workspace.id")),
    #: link or password: a fresh link may set a password without the old one.
    Column("by", String(10), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    #: Moved at most once a minute.
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    #: Browser and system in two words, and the network: enough to know a session again.
    Column("user_agent", String(60), nullable=False),
    Column("address", String(50), nullable=False),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", _Big, primary_key=True, autoincrement=True),
    #: Null where it concerns no workspace, as signing in does.
    Column("workspace_id", _Id, ForeignKey("workspace.id")),
    #: Null where nobody known did it.
    Column("operator_id", _Id, ForeignKey("operator.id")),
    #: A code of ``audit.CODES``.
    Column("what", String(40), nullable=False),
    #: Names and numbers that belong to it; never a secret.
    Column("about", Json, nullable=False),
    Column("address", String(50), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_audit_event_workspace_id", "workspace_id", "id"),
    Index("ix_audit_event_operator_id", "operator_id", "id"),
)
