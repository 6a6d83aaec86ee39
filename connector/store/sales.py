"""Payments, refunds and disputes as they were read last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import and_, literal_column, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from connector.core.sales import Paid, Sale
from connector.store.db import Session, insert_into, many, one_of
from connector.store.models import sale

_REPLACED = tuple(name for name in Sale._fields if name not in ("kind", "id"))
_COMPARED = tuple(name for name in _REPLACED if name != "fields")
_OPEN_PAYMENTS = ("open", "pending", "authorized", "unresolved")
_OPEN_REFUNDS = ("pending", "requires_action")
_Insert = postgresql.Insert | sqlite.Insert


def keep(session: Session, workspace_id: str, connection_id: str, found: Iterable[Sale]) -> int:
    """Keep these; one that is older than what is kept, or says the same, changes nothing. How many did."""
    scope = {"workspace_id": workspace_id, "connection_id": connection_id}
    rows = [{**scope, **one._asdict(), "fields": dict(one.fields)} for one in found]
    return many(session, _upsert(session.dialect.name, insert_into(session, sale)), rows)


def differing(session: Session, workspace_id: str, connection_id: str, found: Sequence[Sale]) -> list[Sale]:
    """Those of these that say something else than what is kept of them, and are not older."""
    columns = [sale.c[name] for name in ("id", *_COMPARED)]
    query = select(*columns).where(
        one_of(session, sale.c.id, [one.id for one in found]),
        sale.c.connection_id == connection_id,
        sale.c.workspace_id == workspace_id,
    )
    known = {row.id: row._mapping for row in session.execute(query)} if found else {}
    return [one for one in found if one.id not in known or _moves(known[one.id], one)]


def _moves(known: Any, one: Sale) -> bool:
    if known["updated_at"] and one.updated_at and one.updated_at < known["updated_at"]:
        return False
    return any(known[name] != getattr(one, name) for name in _COMPARED)


def unsettled(session: Session, workspace_id: str, connection_id: str) -> list[tuple[str, str]]:
    """Kind and id of payments and refunds that were under way when they were read last, by id."""
    under_way = or_(
        and_(sale.c.kind == "payment", sale.c.status.in_(_OPEN_PAYMENTS)),
        and_(sale.c.kind == "refund", sale.c.status.in_(_OPEN_REFUNDS)),
    )
    query = select(sale.c.kind, sale.c.id).where(
        sale.c.connection_id == connection_id, sale.c.workspace_id == workspace_id, under_way
    )
    return [(row[0], row[1]) for row in session.execute(query.order_by(sale.c.id))]


def paid(
    session: Session, workspace_id: str, connection_id: str, membership_ids: Sequence[str]
) -> dict[str, list[Paid]]:
    """Membership → the parts of its payments that count; one without payments is absent."""
    columns = (sale.c[name] for name in Paid._fields)
    query = select(sale.c.membership_id, *columns).where(
        one_of(session, sale.c.membership_id, membership_ids),
        sale.c.connection_id == connection_id,
        sale.c.workspace_id == workspace_id,
        sale.c.kind == "payment",
    )
    found: defaultdict[str, list[Paid]] = defaultdict(list)
    for membership_id, *values in session.execute(query):
        found[membership_id].append(Paid(*values))
    return dict(found)


def memberships_of(
    session: Session, workspace_id: str, connection_id: str, payment_ids: Sequence[str]
) -> dict[str, str]:
    """Payment → its membership, as far as they are known."""
    query = select(sale.c.id, sale.c.membership_id).where(
        one_of(session, sale.c.id, payment_ids),
        sale.c.connection_id == connection_id,
        sale.c.workspace_id == workspace_id,
        sale.c.kind == "payment",
        sale.c.membership_id.is_not(None),
    )
    return {row[0]: row[1] for row in session.execute(query)}


def of_record(session: Session, workspace_id: str, kind: str, source_id: str) -> list[Sale]:
    """What was paid, paid back and disputed for a membership, or that one payment, refund or dispute."""
    column = sale.c.membership_id if kind == "membership" else sale.c.id
    query = select(*(sale.c[name] for name in Sale._fields)).where(
        column == source_id, sale.c.workspace_id == workspace_id
    )
    return [Sale(*row) for row in session.execute(query.order_by(sale.c.at.desc()))]


def latest(
    session: Session, workspace_id: str, connection_id: str, ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The whole record of each of these payments, refunds and disputes, where it was kept whole last."""
    query = select(sale.c.id, sale.c.fields).where(
        one_of(session, sale.c.id, ids),
        sale.c.connection_id == connection_id,
        sale.c.workspace_id == workspace_id,
    )
    return {row[0]: row[1] for row in session.execute(query) if row[1]}


_statements: dict[str, _Insert] = {}


def _upsert(dialect: str, statement: _Insert) -> _Insert:
    """The same object each time: what is compiled is remembered by it (see ``many``)."""
    if dialect not in _statements:
        new = statement.excluded
        newer = or_(
            sale.c.updated_at.is_(None), new.updated_at.is_(None), new.updated_at >= sale.c.updated_at
        )
        # What comes whole replaces what was kept for its sums, though these are the same.
        differs = or_(
            new.fields != literal_column("'{}'"),
            *(sale.c[name].is_distinct_from(new[name]) for name in _COMPARED),
        )
        _statements[dialect] = statement.on_conflict_do_update(
            index_elements=["id", "connection_id"],
            set_={name: new[name] for name in _REPLACED},
            where=and_(newer, differs, sale.c.workspace_id == new.workspace_id),
        )
    return _statements[dialect]
