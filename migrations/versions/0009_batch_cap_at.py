"""When it was learned how many records one request to the CRM takes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import UtcDateTime

revision = "0009_batch_cap_at"
down_revision = "0008_drain"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workspace") as table:
        table.add_column(sa.Column("batch_cap_at", UtcDateTime))


def downgrade() -> None:
    with op.batch_alter_table("workspace") as table:
        table.drop_column("batch_cap_at")
