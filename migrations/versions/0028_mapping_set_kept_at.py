"""Sets of mapping files that no sync went by are forgotten in time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028_mapping_set_kept_at"
down_revision = "0027_crm_requests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mapping_set", sa.Column("kept_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("mapping_set", "kept_at")
