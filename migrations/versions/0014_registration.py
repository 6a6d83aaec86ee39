"""The webhooks that we register at Whop, and the deliveries of its log that had not arrived."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Json, UtcDateTime

revision = "0014_registration"
down_revision = "0013_notes"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "registration",
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("hook_id", sa.String(64)),
        sa.Column("secret_id", sa.String(36)),
        sa.Column("registered_at", UtcDateTime),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("disabled_at", UtcDateTime),
        sa.Column("checked_at", UtcDateTime),
        sa.Column("error", Json),
        sa.Column("compared_until", UtcDateTime),
        sa.Column("cursor", sa.Text),
        sa.Column("newest", UtcDateTime),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", UtcDateTime),
    )
    op.create_index("ix_registration_due_at", "registration", ["due_at"])
    op.create_table(
        "missed_delivery",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("event_id", sa.String(100), nullable=False),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("sent_at", UtcDateTime, nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("recovered_at", UtcDateTime),
        sa.UniqueConstraint("event_id", "connection_id"),
    )
    op.create_index("ix_missed_delivery_connection_id", "missed_delivery", ["connection_id", "sent_at"])


def downgrade() -> None:
    op.drop_table("missed_delivery")
    op.drop_table("registration")
