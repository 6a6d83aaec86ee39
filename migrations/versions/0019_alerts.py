"""Incidents, the messages about them, and how a workspace wants to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0019_alerts"
down_revision = "0018_schedule"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "incident",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("cleared_at", UtcDateTime),
        sa.Column("open_key", sa.String(140), unique=True),
    )
    op.create_index("ix_incident_workspace_id", "incident", ["workspace_id", "id"])
    op.create_table(
        "alert_message",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("incident_id", _BIG, sa.ForeignKey("incident.id")),
        sa.Column("what", sa.String(10), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
        sa.UniqueConstraint("incident_id", "what", "channel"),
    )
    op.create_index("ix_alert_message_due_at", "alert_message", ["state", "due_at"])
    op.create_index("ix_alert_message_workspace_id", "alert_message", ["workspace_id", "id"])
    op.create_table(
        "alert_settings",
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), primary_key=True),
        sa.Column("recipients", Json),
        sa.Column("webhook_sealed", sa.Text),
        sa.Column("off", Json, nullable=False),
        sa.Column("thresholds", Json, nullable=False),
        sa.Column("muted_until", UtcDateTime),
    )


def downgrade() -> None:
    for table in ("alert_settings", "alert_message", "incident"):
        op.drop_table(table)
