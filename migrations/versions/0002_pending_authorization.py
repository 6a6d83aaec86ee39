"""Connecting Whop by OAuth: authorizations under way, and who refreshes a connection's token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_pending_authorization"
down_revision = "0001_first_tables"
branch_labels = None
depends_on = None

_ID = sa.String(36)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("connection") as table:
        table.add_column(sa.Column("asked_company_id", sa.String(64)))
        table.add_column(sa.Column("refresh_claimed_by", sa.String(64)))
        table.add_column(sa.Column("refresh_claimed_until", _TIME))
    _create_pending_authorization()


def downgrade() -> None:
    op.drop_table("pending_authorization")
    with op.batch_alter_table("connection") as table:
        table.drop_column("refresh_claimed_until")
        table.drop_column("refresh_claimed_by")
        table.drop_column("asked_company_id")


def _create_pending_authorization() -> None:
    op.create_table(
        "pending_authorization",
        sa.Column("id", _ID, nullable=False),
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("verifier_sealed", sa.Text(), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("operator_id", _ID, nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("connection_id", _ID),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.Column("grant_sealed", sa.Text()),
        sa.Column("offer", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_pending_authorization"),
        sa.UniqueConstraint("state_hash", name="uq_pending_authorization_state_hash"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_pending_authorization_workspace_id_workspace"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name="fk_pending_authorization_connection_id_connection"
        ),
    )
    op.create_index("ix_pending_authorization_expires_at", "pending_authorization", ["expires_at"])
