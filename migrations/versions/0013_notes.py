"""Notes and tasks are remembered, so that one payment has one; connections say since when they are on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import UtcDateTime

revision = "0013_notes"
down_revision = "0012_sign_in_with_twenty"
branch_labels = None
depends_on = None

_ID = sa.String(36)
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "note",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("per", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("crm_id", _ID, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("per", "rule", "workspace_id"),
    )
    op.create_index("ix_note_connection_id", "note", ["connection_id", "state"])
    # Connections from before stay quiet until somebody switches it on: an update is no reason to begin.
    with op.batch_alter_table("connection") as table:
        table.add_column(sa.Column("notes_since", UtcDateTime))


def downgrade() -> None:
    with op.batch_alter_table("connection") as table:
        table.drop_column("notes_since")
    op.drop_table("note")
