"""Records that are gone from the source are remembered as such, so that nobody is asked twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import UtcDateTime

revision = "0020_gone"
down_revision = "0019_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("gone_at", UtcDateTime))
    op.create_table(
        "ending",
        sa.Column("source_id", sa.String(100), primary_key=True),
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("ends_at", sa.String(30), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
    )
    op.create_index("ix_ending_due_at", "ending", ["due_at"])


def downgrade() -> None:
    op.drop_table("ending")
    op.drop_column("link", "gone_at")
