"""Workspaces and their connections: the two sides that are joined."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, UniqueConstraint, false

from connector.store.db import metadata
from connector.store.models.columns import Id
from connector.store.types import Json, UtcDateTime

workspace = Table(
    "workspace",
    metadata,
    Column("id", Id, primary_key=True),
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
    #: When that was learned: it is found out anew now and then.
    Column("batch_cap_at", UtcDateTime),
    #: Mapping name of each object and field → its id and present name in the CRM; null before a look.
    Column("crm_names", Json),
    #: Origin of the CRM's pages, where it is another than ``crm_url``; null: the same.
    Column("crm_front_url", Text),
    Column("created_at", UtcDateTime, nullable=False),
    #: When the API key ends, as it says itself; null without a key, or where it does not say.
    Column("crm_key_expires_at", UtcDateTime),
    #: Why the CRM lets nobody write now: {"code": …, "message": …, "remedy": …}; null while it does.
    #: Syncs wait meanwhile, and go on when a credential is given that works.
    Column("crm_refusal", Json),
    #: The latest change of its own mapping files that is in force; null: it has none, the shipped ones count.
    Column("mapping_change", Integer),
    UniqueConstraint("crm_workspace_id", "crm_url"),
)

connection = Table(
    "connection",
    metadata,
    Column("id", Id, primary_key=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False, index=True),
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
    #: What is granted of what the mappings need, by name; null where it was never looked at.
    Column("scopes", Json),
    #: The company that was named when access was asked for, which each refresh repeats; null where none was.
    Column("asked_company_id", String(64)),
    #: Who asks Whop for a new access token now; null when nobody does. Void after refresh_claimed_until.
    Column("refresh_claimed_by", String(64)),
    Column("refresh_claimed_until", UtcDateTime),
    #: When Whop was first asked for a new token without an answer being known; null when none is open. Set
    #: before the request goes out: who finds it after a crash knows that the refresh token may be used up.
    Column("refresh_asked_at", UtcDateTime),
    #: Why and when its access ended: an error code; null while it is active, and after disconnecting.
    Column("ended_code", String(40)),
    Column("ended_at", UtcDateTime),
    #: active, expired or revoked.
    Column("status", String(10), nullable=False),
    #: Whether an admin stopped its syncs for the time being.
    Column("paused", Boolean, nullable=False, default=False, server_default=false()),
    Column("last_sync_at", UtcDateTime),
    #: When every payment was read once; null before: what a membership was paid is not known.
    Column("sales_read_at", UtcDateTime),
    #: Only what came about after this leaves notes and tasks; null: nothing does.
    Column("notes_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("company_id", "workspace_id", "service"),
)

pending_authorization = Table(
    "pending_authorization",
    metadata,
    Column("id", Id, primary_key=True),
    #: SHA-256 of the state that Whop hands back; the state itself is in the browser's address bar only.
    Column("state_hash", String(64), nullable=False, unique=True),
    #: Sealed; proves to Whop that whoever redeems the code is the one who asked for it.
    Column("verifier_sealed", Text, nullable=False),
    #: Comes back inside the id token.
    Column("nonce", String(64), nullable=False),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: Who began it, and SHA-256 of the token in that browser's cookie: nobody else may end it.
    Column("operator_id", Id, nullable=False),
    Column("browser_hash", String(64), nullable=False),
    #: The connection that gets a new credential; null for a new one.
    Column("connection_id", Id, ForeignKey("connection.id")),
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
