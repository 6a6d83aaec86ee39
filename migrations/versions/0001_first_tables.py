"""First tables: workspaces, connections, links, runs with their log, and the event inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001_first_tables"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String(36)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_workspace()
    _create_connection()
    _create_link()
    _create_sync_run()
    _create_sync_log_entry()
    _create_event_inbox()


def downgrade() -> None:
    for table in ("event_inbox", "sync_log_entry", "sync_run", "link", "connection", "workspace"):
        op.drop_table(table)


def _create_workspace() -> None:
    op.create_table(
        "workspace",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("crm_url", sa.Text(), nullable=False),
        sa.Column("crm_workspace_id", sa.String(64), nullable=False),
        sa.Column("crm_name", sa.Text(), nullable=False),
        sa.Column("crm_key_sealed", sa.Text()),
        sa.Column("schema_version", sa.Integer()),
        sa.Column("batch_cap", sa.Integer()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("name", name="uq_workspace_name"),
        sa.UniqueConstraint("crm_workspace_id", "crm_url", name="uq_workspace_crm_workspace_id_crm_url"),
    )


def _create_connection() -> None:
    op.create_table(
        "connection",
        sa.Column("id", _ID, nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("service", sa.String(20), nullable=False),
        sa.Column("company_id", sa.String(64), nullable=False),
        sa.Column("company_title", sa.Text(), nullable=False),
        sa.Column("auth", sa.String(10), nullable=False),
        sa.Column("secret_sealed", sa.Text()),
        sa.Column("refresh_sealed", sa.Text()),
        sa.Column("expires_at", _TIME),
        sa.Column("source_user_id", sa.String(64)),
        sa.Column("scopes", sa.Text()),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("last_sync_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_connection"),
        sa.UniqueConstraint(
            "company_id", "workspace_id", "service", name="uq_connection_company_id_workspace_id_service"
        ),
        _workspace_key("connection"),
    )
    op.create_index("ix_connection_workspace_id", "connection", ["workspace_id"])


def _create_link() -> None:
    op.create_table(
        "link",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("connection_id", _ID, nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("crm_id", sa.String(36)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(32)),
        sa.Column("source_updated_at", sa.String(30)),
        sa.Column("memory", sa.Text()),
        sa.Column("crm_created_at", sa.String(30)),
        sa.Column("crm_updated_at", sa.String(30)),
        sa.Column("seen_run", _BIG),
        sa.Column("claimed_by", sa.String(40)),
        sa.Column("claimed_until", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
        sa.UniqueConstraint(
            "source_id",
            "kind",
            "object",
            "source",
            "workspace_id",
            name="uq_link_source_id_kind_object_source_workspace_id",
        ),
        _workspace_key("link"),
        _connection_key("link"),
    )
    op.create_index("ix_link_crm_id", "link", ["crm_id", "workspace_id"])
    op.create_index("ix_link_connection_id", "link", ["connection_id", "kind"])


def _create_sync_run() -> None:
    op.create_table(
        "sync_run",
        sa.Column("number", _BIG, nullable=False, autoincrement=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("connection_id", _ID, nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("mapping_version", sa.String(64)),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("unknown_choices", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("checkpoint_version", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("lease_owner", sa.String(64)),
        sa.Column("lease_until", _TIME),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("queued_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("active_key", sa.String(60)),
        sa.PrimaryKeyConstraint("number", name="pk_sync_run"),
        sa.UniqueConstraint("id", name="uq_sync_run_id"),
        sa.UniqueConstraint("active_key", name="uq_sync_run_active_key"),
        _workspace_key("sync_run"),
        _connection_key("sync_run"),
    )
    op.create_index("ix_sync_run_connection_id", "sync_run", ["connection_id", "number"])
    op.create_index("ix_sync_run_due_at", "sync_run", ["status", "due_at"])


def _create_sync_log_entry() -> None:
    op.create_table(
        "sync_log_entry",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("run", _BIG, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("source_id", sa.String(100), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("crm_id", sa.String(36)),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("result", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20)),
        sa.Column("error_code", sa.String(40)),
        sa.Column("error", sa.Text()),
        sa.Column("warnings", sa.Text()),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sync_log_entry"),
        sa.ForeignKeyConstraint(["run"], ["sync_run.number"], name="fk_sync_log_entry_run_sync_run"),
        _workspace_key("sync_log_entry"),
    )
    op.create_index("ix_sync_log_entry_run", "sync_log_entry", ["run", "result", "id"])
    op.create_index("ix_sync_log_entry_source_id", "sync_log_entry", ["source_id", "workspace_id"])


def _create_event_inbox() -> None:
    op.create_table(
        "event_inbox",
        sa.Column("id", _BIG, nullable=False, autoincrement=True),
        sa.Column("workspace_id", _ID, nullable=False),
        sa.Column("connection_id", _ID, nullable=False),
        sa.Column("event_id", sa.String(100), nullable=False),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("dialect", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(40)),
        sa.Column("source_id", sa.String(100)),
        sa.Column("occurred_at", _TIME),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until", _TIME),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_inbox"),
        sa.UniqueConstraint("event_id", "connection_id", name="uq_event_inbox_event_id_connection_id"),
        _workspace_key("event_inbox"),
        _connection_key("event_inbox"),
    )
    op.create_index("ix_event_inbox_due", "event_inbox", ["connection_id", "state", "due_at"])


def _workspace_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"], ["workspace.id"], name=f"fk_{table}_workspace_id_workspace"
    )


def _connection_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection_id"], ["connection.id"], name=f"fk_{table}_connection_id_connection"
    )
