"""What is known of a renewal whose answer is not there yet, and why and when a connection's access ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_refresh_intent"
down_revision = "0006_webhook_intake"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("connection", sa.Column("refresh_asked_at", _TIME))
    op.add_column("connection", sa.Column("ended_code", sa.String(40)))
    op.add_column("connection", sa.Column("ended_at", _TIME))


def downgrade() -> None:
    with op.batch_alter_table("connection") as table:
        for name in ("ended_at", "ended_code", "refresh_asked_at"):
            table.drop_column(name)
