"""Previews are found among all runs, so that the log leaves out what they tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023_previews"
down_revision = "0022_mapping_files"
branch_labels = None
depends_on = None

_PREVIEW = sa.text("type = 'preview'")


def upgrade() -> None:
    op.create_index(
        "ix_sync_run_preview",
        "sync_run",
        ["workspace_id", "number"],
        sqlite_where=_PREVIEW,
        postgresql_where=_PREVIEW,
    )


def downgrade() -> None:
    op.drop_index("ix_sync_run_preview", "sync_run")
