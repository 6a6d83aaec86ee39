"""CRM records that are the counterpart of several source records, and links that others lean on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select, update

from connector.core.plan import LinkState
from connector.core.records import Ref
from connector.store.db import Session, one_of
from connector.store.models import connection, link


@dataclass(frozen=True, slots=True)
class Share:
    """One link to a CRM record, and the connection it belongs to."""

    crm_id: str
    link_id: int
    ref: Ref
    connection_id: str
    connected_at: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Pointer:
    """A linked record that we last pointed at a CRM record by one of its relations."""

    ref: Ref
    crm_id: str
    hash: int


def shares(session: Session, workspace_id: str, object_: str, crm_ids: Sequence[str]) -> list[Share]:
    """Every link to these CRM records, the first connection's first, without those gone from the source."""
    if not crm_ids:
        return []
    query = (
        select(
            link.c.crm_id,
            link.c.id,
            link.c.source,
            link.c.kind,
            link.c.source_id,
            link.c.connection_id,
            connection.c.created_at,
            connection.c.status,
        )
        .join(connection, connection.c.id == link.c.connection_id)
        .where(
            one_of(session, link.c.crm_id, crm_ids),
            link.c.workspace_id == workspace_id,
            link.c.object == object_,
            link.c.state != LinkState.GONE.value,
        )
        .order_by(connection.c.created_at, link.c.id)
    )
    return [
        Share(crm_id, id_, Ref(source, kind, source_id), connection_id, created_at, status != "revoked")
        for crm_id, id_, source, kind, source_id, connection_id, created_at, status in session.execute(query)
    ]


def pointing(
    session: Session, workspace_id: str, object_: str, field: str, hashes: Collection[int]
) -> Iterator[Pointer]:
    """Linked records of an object whose ``field`` we last wrote with one of these values.

    Reads the memory of every link of the object, so it is for the rare case that nothing else tells.
    """
    query = select(link.c.source, link.c.kind, link.c.source_id, link.c.crm_id, link.c.memory).where(
        link.c.workspace_id == workspace_id, link.c.object == object_, link.c.crm_id.is_not(None)
    )
    for source, kind, source_id, crm_id, memory in session.execute(query.execution_options(yield_per=1000)):
        written = (memory or {}).get(field)
        if written is not None and written[0] in hashes:
            yield Pointer(Ref(source, kind, source_id), crm_id, written[0])


def written_by(
    session: Session, workspace_id: str, object_: str, crm_ids: Sequence[str], run: int
) -> set[str]:
    """Those of these CRM records that this run wrote, so that they were there just now."""
    query = select(link.c.crm_id, link.c.memory).where(
        one_of(session, link.c.crm_id, crm_ids),
        link.c.workspace_id == workspace_id,
        link.c.object == object_,
        link.c.seen_run == run,
    )
    return {
        crm_id
        for crm_id, memory in session.execute(query)
        if any(one[1] == run for one in (memory or {}).values())
    }


def distrust(session: Session, workspace_id: str, object_: str, crm_ids: Sequence[str]) -> None:
    """Have the records behind these CRM ids looked up at their next sync, whatever we remember of them."""
    if crm_ids:
        session.execute(
            update(link)
            .where(
                one_of(session, link.c.crm_id, crm_ids),
                link.c.workspace_id == workspace_id,
                link.c.object == object_,
            )
            .values(fingerprint=None, seen_run=None)
        )


def hand_over(session: Session, workspace_id: str, connection_id: str) -> None:
    """A connection comes or goes: what it shares with others is looked at again, since its owner changes."""
    mine = select(link.c.crm_id).where(
        link.c.connection_id == connection_id,
        link.c.workspace_id == workspace_id,
        link.c.crm_id.is_not(None),
    )
    shared = select(link.c.crm_id).where(
        and_(
            link.c.crm_id.in_(mine),
            link.c.workspace_id == workspace_id,
            link.c.connection_id != connection_id,
        )
    )
    session.execute(
        update(link)
        .where(link.c.workspace_id == workspace_id, link.c.crm_id.in_(shared))
        .values(fingerprint=None)
    )
