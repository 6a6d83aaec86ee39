"""What is too old to be undone is found without a look at the rest of the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025_retention"
down_revision = "0024_acts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    before = sa.text("before IS NOT NULL")
    op.create_index(
        "ix_sync_log_entry_before",
        "sync_log_entry",
        ["run", "id"],
        sqlite_where=before,
        postgresql_where=before,
    )


def downgrade() -> None:
    op.drop_index("ix_sync_log_entry_before", "sync_log_entry")
