"""Called by alembic for every command; ``connector/store/migrate.py`` gives the connection and the lock."""

from __future__ import annotations

from alembic import context
from connector.store.models import metadata

given = context.config.attributes


def _remember(*, step, **_more) -> None:
    given.setdefault("applied", []).append(step.up_revision_id)


context.configure(
    connection=given["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    on_version_apply=_remember,
)
with context.begin_transaction():  # the one that is open already: all revisions or none
    context.run_migrations()
