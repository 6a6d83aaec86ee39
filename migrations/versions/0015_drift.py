"""When a CRM record was last compared whole, and what was put back of people's changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from connector.store.types import Json

revision = "0015_drift"
down_revision = "0014_registration"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("crm_seen_at", sa.String(30)))
    op.add_column("sync_run", sa.Column("drift", sa.Integer, nullable=False, server_default="0"))
    op.add_column("sync_log_entry", sa.Column("drift", Json))


def downgrade() -> None:
    op.drop_column("sync_log_entry", "drift")
    op.drop_column("sync_run", "drift")
    op.drop_column("link", "crm_seen_at")
