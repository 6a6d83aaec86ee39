"""Webhooks: secrets of the connections, counts of what was refused, and what became of an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_webhook_intake"
down_revision = "0005_crm_names"
branch_labels = None
depends_on = None

_Id = sa.String(36)
_Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("event_inbox") as table:
        table.add_column(sa.Column("scheme", sa.String(10), nullable=False, server_default="standard"))
        table.add_column(sa.Column("settled_at", _Time))
        table.add_column(sa.Column("reason", sa.String(20)))
        table.add_column(sa.Column("error", sa.Text()))
        table.add_column(sa.Column("run", _Big))
    op.create_index("ix_event_inbox_workspace_id", "event_inbox", ["workspace_id", "state", "id"])
    op.create_index("ix_event_inbox_source_id", "event_inbox", ["source_id", "workspace_id"])
    op.create_table(
        "webhook_secret",
        sa.Column("id", _Id, nullable=False),
        sa.Column("workspace_id", _Id, nullable=False),
        sa.Column("connection_id", _Id, nullable=False),
        sa.Column("scheme", sa.String(10), nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", _Time, nullable=False),
        sa.Column("retires_at", _Time),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_secret"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_webhook_secret_workspace_id_workspace"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name="fk_webhook_secret_connection_id_connection"
        ),
    )
    op.create_index("ix_webhook_secret_connection_id", "webhook_secret", ["connection_id"])
    op.create_table(
        "webhook_refusal",
        sa.Column("id", _Big, autoincrement=True, nullable=False),
        sa.Column("workspace_id", _Id),
        sa.Column("connection_id", _Id, nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("hour", _Time, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", _Time, nullable=False),
        sa.Column("last_address", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_refusal"),
        sa.UniqueConstraint(
            "connection_id", "hour", "reason", name="uq_webhook_refusal_connection_id_hour_reason"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_webhook_refusal_workspace_id_workspace"
        ),
    )
    op.create_index("ix_webhook_refusal_workspace_id", "webhook_refusal", ["workspace_id", "hour"])


def downgrade() -> None:
    op.drop_table("webhook_refusal")
    op.drop_table("webhook_secret")
    op.drop_index("ix_event_inbox_source_id", "event_inbox")
    op.drop_index("ix_event_inbox_workspace_id", "event_inbox")
    with op.batch_alter_table("event_inbox") as table:
        for name in ("run", "error", "reason", "settled_at", "scheme"):
            table.drop_column(name)
