"""What was said in chats: each welcome that was written, and what its buyer wrote back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from connector.store.types import Json, UtcDateTime

revision = "0030_conversations"
down_revision = "0029_unheard_events"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("automation", sa.String(60), nullable=False),
        sa.Column("membership_id", sa.String(100), nullable=False),
        sa.Column("member_id", sa.String(100)),
        sa.Column("user_id", sa.String(100), nullable=False),
        sa.Column("channel", sa.String(100), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("begun_at", UtcDateTime, nullable=False),
        sa.Column("since", sa.String(30)),
        sa.Column("times_out_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime),
        sa.Column("state_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("looked_at", UtcDateTime),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("error", Json),
        sa.UniqueConstraint("membership_id", "automation", "connection_id"),
    )
    op.create_index("ix_conversation_due_at", "conversation", ["due_at"])
    op.create_index("ix_conversation_workspace_id", "conversation", ["workspace_id", "id"])
    op.create_index("ix_conversation_connection_id", "conversation", ["connection_id", "state"])
    for column in ("member_id", "channel", "user_id"):
        op.create_index(f"ix_conversation_{column}", "conversation", [column])
    op.create_table(
        "reply",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("workspace_id", _ID, sa.ForeignKey("workspace.id"), nullable=False),
        sa.Column("connection_id", _ID, sa.ForeignKey("connection.id"), nullable=False),
        sa.Column("conversation", _BIG, sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("message_id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.String(30), nullable=False),
        sa.Column("note", sa.String(10), nullable=False),
        sa.Column("kept_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("message_id", "connection_id"),
    )
    op.create_index("ix_reply_conversation", "reply", ["conversation", "id"])


def downgrade() -> None:
    for table in ("reply", "conversation"):
        op.drop_table(table)
