"""Who works on a connection's events: one for all of them, so that no event is claimed by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_drain"
down_revision = "0007_refresh_intent"
branch_labels = None
depends_on = None

_Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "drain",
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", _Time),
        sa.Column("due_at", _Time, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("connection_id", name="pk_drain"),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name="fk_drain_connection_id_connection"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_drain_workspace_id_workspace"),
    )
    with op.batch_alter_table("event_inbox") as table:
        table.drop_column("claimed_by")
        table.drop_column("claimed_until")


def downgrade() -> None:
    with op.batch_alter_table("event_inbox") as table:
        table.add_column(sa.Column("claimed_until", _Time))
        table.add_column(sa.Column("claimed_by", sa.String(64)))
    op.drop_table("drain")
