"""Payments, refunds and disputes are kept, so that what a membership was paid can be added up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_sale"
down_revision = "0009_batch_cap_at"
branch_labels = None
depends_on = None

_ID = sa.String(36)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sale",
        sa.Column("row", _BIG, autoincrement=True, nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("connection_id", _ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("payment_id", sa.String(100)),
        sa.Column("membership_id", sa.String(100)),
        sa.Column("status", sa.String(40)),
        sa.Column("currency", sa.String(10)),
        sa.Column("amount", sa.Text()),
        sa.Column("refunded", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(30)),
        sa.Column("updated_at", sa.String(30)),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_sale"),
        sa.UniqueConstraint("id", "connection_id", name="uq_sale_id_connection_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_sale_workspace_id_workspace"),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name="fk_sale_connection_id_connection"
        ),
    )
    op.create_index("ix_sale_membership_id", "sale", ["membership_id", "connection_id", "kind"])
    with op.batch_alter_table("connection") as table:
        table.add_column(sa.Column("sales_read_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    with op.batch_alter_table("connection") as table:
        table.drop_column("sales_read_at")
    op.drop_table("sale")
