"""People: who may sign in, who has, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

operator = Table(
    "operator",
    metadata,
    Column("id", Id, primary_key=True),
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
    Column("operator_id", Id, ForeignKey("operator.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    #: Set once, by the one who signed in with it.
    Column("used_at", UtcDateTime),
)

web_session = Table(
    "web_session",
    metadata,
    #: Names the session on pages; opens nothing.
    Column("id", Id, primary_key=True),
    #: SHA-256 of the token in the browser's cookie.
    Column("token_hash", String(64), nullable=False, unique=True),
    #: Whose it is: an operator's, or an admin's.
    Column("operator_id", Id, ForeignKey("operator.id"), index=True),
    Column("admin_id", Id, ForeignKey("admin.id"), index=True),
    #: The one workspace an operator looks at; null until one is chosen. An admin has but one.
    Column("workspace_id", Id, ForeignKey("workspace.id")),
    #: link, password or twenty: a fresh link may set a password without the old one.
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
    Column("id", Big, primary_key=True, autoincrement=True),
    #: Null where it concerns no workspace, as signing in does.
    Column("workspace_id", Id, ForeignKey("workspace.id")),
    #: Who did it; both null where nobody known did.
    Column("operator_id", Id, ForeignKey("operator.id")),
    Column("admin_id", Id, ForeignKey("admin.id")),
    #: A code of ``audit.CODES``.
    Column("what", String(40), nullable=False),
    #: Names and numbers that belong to it; never a secret.
    Column("about", Json, nullable=False),
    Column("address", String(50), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_audit_event_workspace_id", "workspace_id", "id"),
    Index("ix_audit_event_operator_id", "operator_id", "id"),
)
