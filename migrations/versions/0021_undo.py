"""What a run wrote over survives its worker, and what was taken back is held."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0021_undo"
down_revision = "0020_gone"
branch_labels = None
depends_on = None


def upgrade() -> None:
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("link", sa.Column("held_run", big))
    held = sa.text("held_run IS NOT NULL")
    op.create_index(
        "ix_link_held_run", "link", ["workspace_id", "id"], sqlite_where=held, postgresql_where=held
    )
    op.add_column("sync_run", sa.Column("pruned_at", UtcDateTime))
    op.create_table(
        "intent",
        sa.Column("id", big, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("run", big, sa.ForeignKey("sync_run.number"), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("writes", Json, nullable=False),
    )
    op.create_index("ix_intent_run", "intent", ["run"])


def downgrade() -> None:
    op.drop_table("intent")
    op.drop_column("sync_run", "pruned_at")
    op.drop_index("ix_link_held_run", "link")
    op.drop_column("link", "held_run")
