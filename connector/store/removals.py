"""The links of a connection that is left: what may be taken back of it, and what was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, null, select, update

from connector.core.plan import LinkState
from connector.core.records import Ref
from connector.errors import TryLaterError
from connector.store.db import Session, many, one_of
from connector.store.links import Claimed
from connector.store.models import link

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Left:
    """One link whose record is in the CRM."""

    id: int
    ref: Ref
    crm_id: str
    generation: int
    crm_created_at: str | None
    crm_updated_at: str | None
    memory: dict[str, Any]
    claimed_by: str | None


_COLUMNS = (
    link.c.id,
    link.c.source_id,
    link.c.crm_id,
    link.c.generation,
    link.c.crm_created_at,
    link.c.crm_updated_at,
    link.c.memory,
    link.c.claimed_by,
)


def after(session: Session, scope: Claimed, place: int, limit: int) -> list[Left]:
    """The next links of one kind and object from a place on, in the order they were made."""
    query = select(*_COLUMNS).where(*_linked(scope), link.c.id > place).order_by(link.c.id).limit(limit)
    return [
        Left(row.id, Ref(scope.source, scope.kind, row.source_id), *_rest(row))
        for row in session.execute(query)
    ]


def _rest(row: Any) -> tuple[Any, ...]:
    times = (row.crm_created_at, row.crm_updated_at)
    return (row.crm_id, row.generation, *times, row.memory or {}, row.claimed_by)


def ids(session: Session, scope: Claimed) -> Iterator[tuple[Ref, int, str]]:
    """Ref, generation and CRM id of every link of one kind and object: for counting."""
    query = select(link.c.source_id, link.c.generation, link.c.crm_id).where(*_linked(scope))
    for source_id, generation, crm_id in session.execute(query.execution_options(yield_per=_PAGE)):
        yield Ref(scope.source, scope.kind, source_id), generation, crm_id


def unseen(session: Session, scope: Claimed, first: int, place: int, limit: int) -> list[Left]:
    """Links whose record no sync from the run ``first`` on has seen, in the order they were made; those that
    were dealt with as gone are not among them."""
    query = (
        select(*_COLUMNS).where(*_unseen(scope, first), link.c.id > place).order_by(link.c.id).limit(limit)
    )
    return [
        Left(row.id, Ref(scope.source, scope.kind, row.source_id), *_rest(row))
        for row in session.execute(query)
    ]


def count_unseen(session: Session, scope: Claimed, first: int) -> tuple[int, int]:
    """How many of those there are, and of how many records."""
    every = select(func.count()).select_from(link)
    return int(session.execute(every.where(*_unseen(scope, first))).scalar() or 0), count(session, scope)


def count(session: Session, scope: Claimed) -> int:
    """Of how many records of one kind and object the CRM has one."""
    query = select(func.count()).select_from(link).where(*_with_record(scope), link.c.gone_at.is_(None))
    return int(session.execute(query).scalar() or 0)


def mark_gone(session: Session, workspace_id: str, link_ids: Sequence[int], now: datetime) -> int:
    """These were dealt with as gone; how many."""
    here = (link.c.id.in_(link_ids), link.c.workspace_id == workspace_id)
    return session.execute(update(link).where(*here).values(gone_at=now)).rowcount


def keep_unseen(session: Session, scope: Claimed, first: int, now: datetime) -> int:
    """An admin wants all of those left as they are; how many."""
    return session.execute(update(link).where(*_unseen(scope, first)).values(gone_at=now)).rowcount


def _unseen(scope: Claimed, first: int) -> tuple[Any, ...]:
    return (*_with_record(scope), link.c.seen_run < first, link.c.gone_at.is_(None))


def shared(session: Session, scope: Claimed, crm_ids: Sequence[str]) -> set[str]:
    """Those of these CRM records that a link of another connection of the workspace points at too."""
    query = select(link.c.crm_id).where(
        one_of(session, link.c.crm_id, crm_ids),
        link.c.workspace_id == scope.workspace_id,
        link.c.connection_id != scope.connection_id,
        link.c.object == scope.object,
        link.c.state == LinkState.LINKED.value,
    )
    return set(session.execute(query).scalars())


_SETTLED = (
    update(link)
    .where(
        link.c.id == bindparam("of_link"),
        link.c.workspace_id == bindparam("of_workspace"),
        link.c.claimed_by == bindparam("owner"),
    )
    .values(fingerprint=null(), claimed_by=null(), claimed_until=null())
)


def settle(session: Session, workspace_id: str, owner: str, rows: Sequence[dict[str, Any]]) -> None:
    """Save what became of claimed links and give them back; each row: ``of_link``, state, memory,
    crm_updated_at. What they were in step with is void.

    Raises TryLaterError when a claim was lost meanwhile; save nothing then.
    """
    whose = {"of_workspace": workspace_id, "owner": owner}
    if rows and many(session, _SETTLED, [{**row, **whose} for row in rows]) != len(rows):
        raise TryLaterError("A claim ended before its write was saved.", after=1.0, code="claimed")


def _with_record(scope: Claimed) -> tuple[Any, ...]:
    return (*_of_kind(scope), link.c.state.in_((LinkState.LINKED.value, LinkState.FAILED.value)))


def _linked(scope: Claimed) -> tuple[Any, ...]:
    return (*_of_kind(scope), link.c.state == LinkState.LINKED.value)


def _of_kind(scope: Claimed) -> tuple[Any, ...]:
    return (
        link.c.connection_id == scope.connection_id,
        link.c.kind == scope.kind,
        link.c.object == scope.object,
        link.c.workspace_id == scope.workspace_id,
        link.c.crm_id.is_not(None),
    )
