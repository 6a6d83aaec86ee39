"""What is to be passed over after a change of the mapping files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json

revision = "0026_mapping_passes"
down_revision = "0025_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mapping_pass",
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("kinds", Json, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("mapping_pass")
