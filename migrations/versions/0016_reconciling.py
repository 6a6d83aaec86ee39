"""Reconciliations with their differences, and when each connection is compared next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0016_reconciling"
down_revision = "0015_drift"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(36)


def upgrade() -> None:
    op.add_column("link", sa.Column("compared", _BIG))
    _reconciliation()
    op.create_table(
        "difference",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("reconciliation", _BIG, sa.ForeignKey("reconciliation.number"), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("crm_id", sa.String(36)),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("field", sa.String(100)),
        sa.Column("said", Json),
        sa.Column("there", Json),
    )
    op.create_index("ix_difference_reconciliation", "difference", ["reconciliation", "id"])
    op.create_table(
        "reconcile_plan",
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), primary_key=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("every_hours", sa.Integer, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_reconcile_plan_due_at", "reconcile_plan", ["due_at"])


def _reconciliation() -> None:
    op.create_table(
        "reconciliation",
        sa.Column("number", _BIG, primary_key=True, autoincrement=True),
        sa.Column("id", _ID, nullable=False, unique=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("checkpoint", Json, nullable=False),
        sa.Column("checkpoint_version", sa.Integer, nullable=False),
        sa.Column("error", Json),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("repair_run", _ID),
        sa.Column("active_key", sa.String(36), unique=True),
    )
    for name, columns in (
        ("connection_id", ["connection_id", "number"]),
        ("workspace_id", ["workspace_id", "number"]),
        ("due_at", ["status", "due_at"]),
    ):
        op.create_index(f"ix_reconciliation_{name}", "reconciliation", columns)


def downgrade() -> None:
    for table in ("reconcile_plan", "difference", "reconciliation"):
        op.drop_table(table)
    op.drop_column("link", "compared")
