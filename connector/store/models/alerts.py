"""What somebody is told: incidents, the messages about them, and how a workspace wants to be told."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json, UtcDateTime

incident = Table(
    "incident",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: A code of ``core.alerting.Kind``.
    Column("kind", String(30), nullable=False),
    #: What makes it the same as one that is told already.
    Column("key", String(100), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    #: The page that mends it.
    Column("path", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("cleared_at", UtcDateTime),
    #: Workspace and key while it is open, else null: one open incident of a key.
    Column("open_key", String(140), unique=True),
    Index("ix_incident_workspace_id", "workspace_id", "id"),
)

alert_message = Table(
    "alert_message",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    #: Null for a test.
    Column("incident_id", Big, ForeignKey("incident.id")),
    #: opened, cleared or test.
    Column("what", String(10), nullable=False),
    #: email or webhook.
    Column("channel", String(10), nullable=False),
    #: waiting, sent or failed.
    Column("state", String(10), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    #: What stood in the way last; never an address that is a secret.
    Column("error", Text),
    Column("due_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    # One message of a kind for each incident and channel; tests have no incident.
    UniqueConstraint("incident_id", "what", "channel"),
    Index("ix_alert_message_due_at", "state", "due_at"),
    Index("ix_alert_message_workspace_id", "workspace_id", "id"),
)

#: How a workspace wants to be told; without a row everything is on.
alert_settings = Table(
    "alert_settings",
    metadata,
    Column("workspace_id", Id, ForeignKey("workspace.id"), primary_key=True),
    #: Addresses; null: everybody who signed in with Twenty.
    Column("recipients", Json),
    #: Sealed address of a webhook; whoever knows it may write there.
    Column("webhook_sealed", Text),
    #: Kinds that nobody is told of.
    Column("off", Json, nullable=False),
    Column("thresholds", Json, nullable=False),
    #: Nothing is sent before; null: not muted.
    Column("muted_until", UtcDateTime),
)
