"""What was paid, paid back and disputed, kept so that sums need no second reading."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from connector.store.db import metadata
from connector.store.models.columns import Big, Id
from connector.store.types import Json

sale = Table(
    "sale",
    metadata,
    Column("row", Big, primary_key=True, autoincrement=True),
    Column("workspace_id", Id, ForeignKey("workspace.id"), nullable=False),
    Column("connection_id", Id, ForeignKey("connection.id"), nullable=False),
    #: payment, refund or dispute.
    Column("kind", String(10), nullable=False),
    Column("id", String(100), nullable=False),
    #: Its payment; a payment names itself.
    Column("payment_id", String(100)),
    #: Null for what belongs to none, and where Whop does not say.
    Column("membership_id", String(100)),
    Column("status", String(40)),
    Column("currency", String(10)),
    #: Decimal text in major units: exact whatever the currency.
    Column("amount", Text),
    Column("refunded", Text),
    #: Attempts to collect it that failed.
    Column("failures", Integer, nullable=False),
    #: When it was paid, or made; ISO text as in all canonical records.
    Column("at", String(30)),
    Column("updated_at", String(30)),
    #: The whole canonical record, where an event told of it; {} where a sync read it for the sums.
    Column("fields", Json, nullable=False),
    # The selective column first: PostgreSQL without statistics would choose the other.
    UniqueConstraint("id", "connection_id"),
    Index("ix_sale_membership_id", "membership_id", "connection_id", "kind"),
)
