"""Indexes for reading the log: newest first, by result, by cause, by day; and for counting links by state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_log_indexes"
down_revision = "0003_access"
branch_labels = None
depends_on = None

_FAILED = sa.text("error_code IS NOT NULL")
_ALL = {
    "ix_sync_run_workspace_id": ("sync_run", ["workspace_id", "number"]),
    "ix_sync_log_entry_workspace_id": ("sync_log_entry", ["workspace_id", "result", "id"]),
    "ix_sync_log_entry_created_at": ("sync_log_entry", ["workspace_id", "created_at"]),
    "ix_link_state": ("link", ["connection_id", "state"]),
}
_OF_FAILURES = {
    "ix_sync_log_entry_cause": ["run", "error_code", "id"],
    "ix_sync_log_entry_error_code": ["workspace_id", "error_code", "id"],
}


def upgrade() -> None:
    for name, (table, columns) in _ALL.items():
        op.create_index(name, table, columns)
    for name, columns in _OF_FAILURES.items():
        op.create_index(name, "sync_log_entry", columns, sqlite_where=_FAILED, postgresql_where=_FAILED)


def downgrade() -> None:
    for name in reversed(_OF_FAILURES):
        op.drop_index(name, "sync_log_entry")
    for name, (table, _) in reversed(_ALL.items()):
        op.drop_index(name, table)
