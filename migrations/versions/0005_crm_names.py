"""What the CRM calls our objects and fields now, and where its pages are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json

revision = "0005_crm_names"
down_revision = "0004_log_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workspace") as table:
        table.add_column(sa.Column("crm_names", Json))
        table.add_column(sa.Column("crm_front_url", sa.Text))


def downgrade() -> None:
    with op.batch_alter_table("workspace") as table:
        table.drop_column("crm_front_url")
        table.drop_column("crm_names")
