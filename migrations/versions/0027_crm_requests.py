"""Whether people in a workspace's CRM may ask for something on the source."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0027_crm_requests"
down_revision = "0026_mapping_passes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crm_request",
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), primary_key=True),
        sa.Column("since", UtcDateTime),
        sa.Column("hook_id", sa.String(64)),
        sa.Column("secret_sealed", sa.Text),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("looked_at", UtcDateTime),
        sa.Column("error", Json),
    )
    op.create_index("ix_crm_request_due_at", "crm_request", ["due_at"])


def downgrade() -> None:
    op.drop_table("crm_request")
