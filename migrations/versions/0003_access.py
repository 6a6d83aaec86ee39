"""Access: operators, their one-time links, their sessions, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_access"
down_revision = "0002_pending_authorization"
branch_labels = None
depends_on = None

_ID = sa.String(36)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_operator()
    _create_sign_in_link()
    _create_web_session()
    _create_audit_event()


def downgrade() -> None:
    for table in ("audit_event", "web_session", "sign_in_link", "operator"):
        op.drop_table(table)


def _create_operator() -> None:
    op.create_table(
        "operator",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
    )


def _create_sign_in_link() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("operator_id", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_in_link"),
        _points_at("sign_in_link", "operator"),
    )
    op.create_index("ix_sign_in_link_operator_id", "sign_in_link", ["operator_id"])


def _create_web_session() -> None:
    op.create_table(
        "web_session",
        sa.Column("id", _ID, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("operator_id", _ID, nullable=False),
        sa.Column("workspace_id", _ID),
        sa.Column("by", sa.String(10), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.Column("user_agent", sa.String(60), nullable=False),
        sa.Column("address", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_web_session"),
        sa.UniqueConstraint("token_hash", name="uq_web_session_token_hash"),
        _points_at("web_session", "operator"),
        _points_at("web_session", "workspace"),
    )
    op.create_index("ix_web_session_operator_id", "web_session", ["operator_id"])


def _create_audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("workspace_id", _ID),
        sa.Column("operator_id", _ID),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("address", sa.String(50), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
        _points_at("audit_event", "workspace"),
        _points_at("audit_event", "operator"),
    )
    op.create_index("ix_audit_event_workspace_id", "audit_event", ["workspace_id", "id"])
    op.create_index("ix_audit_event_operator_id", "audit_event", ["operator_id", "id"])


def _points_at(table: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=f"fk_{table}_{other}_id_{other}")
