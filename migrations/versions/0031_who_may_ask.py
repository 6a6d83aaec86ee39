"""Who may ask for something in the CRM: whoever may edit the field, as until now, or only people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031_who_may_ask"
down_revision = "0030_conversations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "crm_request", sa.Column("only_people", sa.Boolean, nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("crm_request", "only_people")
