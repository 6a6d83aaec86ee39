"""Sign in with Twenty: admins, what they granted, our registrations at CRMs, and sign-ins under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_sign_in_with_twenty"
down_revision = "0011_reviews"
branch_labels = None
depends_on = None

_ID = sa.String(36)
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("workspace", sa.Column("crm_key_expires_at", _TIME))
    op.add_column("workspace", sa.Column("crm_refusal", sa.Text()))
    _create_admin()
    _create_crm_grant()
    _create_crm_registration()
    _create_crm_sign_in()
    with op.batch_alter_table("web_session") as table:
        table.alter_column("operator_id", existing_type=_ID, nullable=True)
        table.add_column(sa.Column("admin_id", _ID))
        table.create_foreign_key("fk_web_session_admin_id_admin", "admin", ["admin_id"], ["id"])
        table.create_index("ix_web_session_admin_id", ["admin_id"])
    with op.batch_alter_table("audit_event") as table:
        table.add_column(sa.Column("admin_id", _ID))
        table.create_foreign_key("fk_audit_event_admin_id_admin", "admin", ["admin_id"], ["id"])


def downgrade() -> None:
    op.execute("DELETE FROM web_session WHERE operator_id IS NULL")
    with op.batch_alter_table("audit_event") as table:
        table.drop_constraint("fk_audit_event_admin_id_admin", type_="foreignkey")
        table.drop_column("admin_id")
    with op.batch_alter_table("web_session") as table:
        table.drop_index("ix_web_session_admin_id")
        table.drop_constraint("fk_web_session_admin_id_admin", type_="foreignkey")
        table.drop_column("admin_id")
        table.alter_column("operator_id", existing_type=_ID, nullable=False)
    for name in ("crm_sign_in", "crm_registration", "crm_grant", "admin"):
        op.drop_table(name)
    with op.batch_alter_table("workspace") as table:
        table.drop_column("crm_refusal")
        table.drop_column("crm_key_expires_at")


def _create_admin() -> None:
    op.create_table(
        "admin",
        sa.Column("id", _ID, nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("crm_user_id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("signed_in_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_admin"),
        sa.UniqueConstraint("crm_user_id", "workspace_id", name="uq_admin_crm_user_id_workspace_id"),
        _points_at("admin", "workspace"),
    )
    op.create_index("ix_admin_workspace_id", "admin", ["workspace_id"])


def _create_crm_grant() -> None:
    op.create_table(
        "crm_grant",
        sa.Column("admin_id", _ID, nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("access_sealed", sa.Text(), nullable=False),
        sa.Column("refresh_sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("granted_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until", _TIME),
        sa.PrimaryKeyConstraint("admin_id", name="pk_crm_grant"),
        _points_at("crm_grant", "admin"),
        _points_at("crm_grant", "workspace"),
    )
    op.create_index("ix_crm_grant_workspace_id", "crm_grant", ["workspace_id"])


def _create_crm_registration() -> None:
    op.create_table(
        "crm_registration",
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("redirect_uri", sa.String(300), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("origin", "redirect_uri", name="pk_crm_registration"),
    )


def _create_crm_sign_in() -> None:
    op.create_table(
        "crm_sign_in",
        sa.Column("id", _ID, nullable=False),
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("verifier_sealed", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("token_url", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("operator_id", _ID),
        sa.Column("workspace_id", _ID),
        sa.Column("onward", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_crm_sign_in"),
        sa.UniqueConstraint("state_hash", name="uq_crm_sign_in_state_hash"),
        _points_at("crm_sign_in", "operator"),
        _points_at("crm_sign_in", "workspace"),
    )
    op.create_index("ix_crm_sign_in_expires_at", "crm_sign_in", ["expires_at"])


def _points_at(table: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=f"fk_{table}_{other}_id_{other}")
