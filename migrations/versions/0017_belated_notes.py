"""Notes know their event and the record that they wait for; an event taken again may be told to leave none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017_belated_notes"
down_revision = "0016_reconciling"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event_inbox", sa.Column("quiet", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("note") as table:
        table.add_column(sa.Column("event", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
        table.add_column(sa.Column("waits_object", sa.String(64)))
        table.add_column(sa.Column("waits_for", sa.String(100)))
    op.create_index("ix_event_inbox_connection_id", "event_inbox", ["connection_id", "id"])
    op.create_index("ix_note_event", "note", ["event"])
    op.create_index("ix_note_waits_for", "note", ["waits_for"])


def downgrade() -> None:
    op.drop_index("ix_note_waits_for", "note")
    op.drop_index("ix_note_event", "note")
    with op.batch_alter_table("note") as table:
        table.drop_column("waits_for")
        table.drop_column("waits_object")
        table.drop_column("event")
    op.drop_index("ix_event_inbox_connection_id", "event_inbox")
    op.drop_column("event_inbox", "quiet")
