"""Syncs by the clock: when each is due, how far each stream is covered, and what webhooks missed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0018_schedule"
down_revision = "0017_belated_notes"
branch_labels = None
depends_on = None

_ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "schedule",
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("task", sa.String(20), primary_key=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("every", sa.Integer),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    op.create_index("ix_schedule_due_at", "schedule", ["task", "due_at"])
    op.create_table(
        "checkpoint",
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("stream", sa.String(60), primary_key=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("round", Json),
        sa.Column("version", sa.Integer, nullable=False),
    )
    with op.batch_alter_table("sync_run") as table:
        table.add_column(sa.Column("missed", sa.Integer))


def downgrade() -> None:
    with op.batch_alter_table("sync_run") as table:
        table.drop_column("missed")
    op.drop_table("checkpoint")
    op.drop_table("schedule")
