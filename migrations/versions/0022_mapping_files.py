"""A workspace may have mapping files of its own; what a run maps by is kept by its hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0022_mapping_files"
down_revision = "0021_undo"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspace", sa.Column("mapping_change", sa.Integer))
    op.create_table(
        "mapping_change",
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("file", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("hash", sa.String(16)),
        sa.Column("set_version", sa.String(64), nullable=False),
        sa.Column("previous", sa.Integer),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_mapping_change_file", "mapping_change", ["workspace_id", "file", "number"])
    op.create_table(
        "mapping_set",
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), primary_key=True),
        sa.Column("texts", Json, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mapping_set")
    op.drop_table("mapping_change")
    op.drop_column("workspace", "mapping_change")
