"""Automations: which are switched on, and every act of theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0024_acts"
down_revision = "0023_previews"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "automation",
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("since", UtcDateTime),
        sa.Column("plans", Json, nullable=False),
    )
    op.create_table(
        "act",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("automation", sa.String(60), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
        sa.Column("event", _BIG),
        sa.Column("fact_at", sa.String(30), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("membership_id", sa.String(100)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("begun_at", UtcDateTime),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("outcome", sa.Text),
        sa.Column("error", Json),
        sa.Column("journal", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("source_id", "automation", "connection_id", "step"),
    )
    op.create_index("ix_act_due_at", "act", ["state", "due_at"])
    op.create_index("ix_act_workspace_id", "act", ["workspace_id", "id"])
    op.create_index("ix_act_event", "act", ["event"])


def downgrade() -> None:
    for table in ("act", "automation"):
        op.drop_table(table)
