"""Questions to a person: which CRM record a source record is; and the relations that wait for the answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0011_reviews"
down_revision = "0010_sale"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _owned() -> list[sa.Column[object]]:
    return [
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", sa.String(36), sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", sa.String(36), sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "review",
        *_owned(),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("why", sa.String(20), nullable=False),
        sa.Column("said", Json, nullable=False),
        sa.Column("candidates", Json, nullable=False),
        sa.Column("only_one", sa.Boolean, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("choice", sa.String(10)),
        sa.Column("crm_id", sa.String(36)),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", UtcDateTime),
        sa.Column("started_at", UtcDateTime),
        sa.Column("asked_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("source_id", "kind", "object", "source", "workspace_id"),
    )
    op.create_index("ix_review_state", "review", ["workspace_id", "state", "id"])
    op.create_table(
        "open_relation",
        *_owned(),
        sa.Column("parent_kind", sa.String(40), nullable=False),
        sa.Column("parent_id", sa.String(100), nullable=False),
        sa.Column("parent_object", sa.String(64), nullable=False),
        sa.UniqueConstraint(
            *("source_id", "kind", "source", "parent_id", "parent_kind", "parent_object", "workspace_id")
        ),
    )
    op.create_index("ix_open_relation_parent_id", "open_relation", ["parent_id", "workspace_id"])


def downgrade() -> None:
    op.drop_table("open_relation")
    op.drop_table("review")
