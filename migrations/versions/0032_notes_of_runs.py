"""Which sync left a note, so that it is taken back with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032_notes_of_runs"
down_revision = "0031_who_may_ask"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("note", sa.Column("run", _BIG))
    op.create_index("ix_note_run", "note", ["run"])
    op.execute(
        "UPDATE note SET run = (SELECT event_inbox.run FROM event_inbox WHERE event_inbox.id = note.event)"
        " WHERE note.state <> 'pending'"
    )


def downgrade() -> None:
    op.drop_index("ix_note_run", "note")
    op.drop_column("note", "run")
