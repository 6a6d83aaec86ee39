"""What automations have looked at before its turn in the queue of events came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029_unheard_events"
down_revision = "0028_mapping_set_kept_at"
branch_labels = None
depends_on = None

_UNHEARD = sa.text("state = 'pending' AND heard IS FALSE AND quiet IS FALSE")


def upgrade() -> None:
    op.add_column("event_inbox", sa.Column("heard", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_event_inbox_unheard",
        "event_inbox",
        ["connection_id", "id"],
        sqlite_where=_UNHEARD,
        postgresql_where=_UNHEARD,
    )


def downgrade() -> None:
    op.drop_index("ix_event_inbox_unheard", "event_inbox")
    op.drop_column("event_inbox", "heard")
