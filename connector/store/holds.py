"""Records whose last change was taken back: they are held until their source changes, or they are let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, null, select, update

from connector.core.plan import LinkState
from connector.core.records import Ref
from connector.errors import TryLaterError
from connector.store.db import Session, many, one_of
from connector.store.links import Claimed
from connector.store.models import link, sync_run
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first
from connector.store.removals import Left

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Hold:
    """One record that is held, by the run that took its change back. ``gone``: it is in the CRM's bin."""

    id: int
    connection_id: str
    kind: str
    source_id: str
    object: str
    crm_id: str
    run: int
    run_id: str | None = None
    gone: bool = False


def lefts(session: Session, scope: Claimed, source_ids: Sequence[str]) -> dict[str, Left]:
    """Source id → its link, of those that have a CRM record."""
    query = select(
        link.c.id,
        link.c.source_id,
        link.c.crm_id,
        link.c.generation,
        link.c.crm_created_at,
        link.c.crm_updated_at,
        link.c.memory,
        link.c.claimed_by,
    ).where(
        one_of(session, link.c.source_id, source_ids),
        link.c.kind == scope.kind,
        link.c.object == scope.object,
        link.c.source == scope.source,
        link.c.workspace_id == scope.workspace_id,
        link.c.crm_id.is_not(None),
    )
    return {
        row.source_id: Left(
            row.id,
            Ref(scope.source, scope.kind, row.source_id),
            row.crm_id,
            row.generation,
            row.crm_created_at,
            row.crm_updated_at,
            row.memory or {},
            row.claimed_by,
        )
        for row in session.execute(query)
    }


_MINE = (
    link.c.id == bindparam("of_link"),
    link.c.workspace_id == bindparam("of_workspace"),
    link.c.claimed_by == bindparam("owner"),
)
_FREED = update(link).where(*_MINE).values(claimed_by=null(), claimed_until=null())


def settle(session: Session, workspace_id: str, owner: str, rows: Sequence[dict[str, Any]]) -> None:
    """Save what became of claimed links and give them back; each row: ``of_link``, and what of state, memory,
    crm_updated_at, crm_seen_at and held_run is new.

    Raises TryLaterError when a claim was lost meanwhile; save nothing then.
    """
    whose = {"of_workspace": workspace_id, "owner": owner}
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(row), []).append({**row, **whose})
    if sum(many(session, _FREED, group) for group in alike.values()) != len(rows):
        raise TryLaterError("A claim ended before its write was saved.", after=1.0, code="claimed")


def page(session: Session, workspace_id: str, place: Place = NEWEST, limit: int = 50) -> Leaf[Hold]:
    """One page of the records that are held, the newest link first."""
    query = (
        select(
            link.c.id,
            link.c.connection_id,
            link.c.kind,
            link.c.source_id,
            link.c.object,
            link.c.crm_id,
            link.c.held_run,
            sync_run.c.id.label("run_id"),
            link.c.state,
        )
        .join(sync_run, sync_run.c.number == link.c.held_run, isouter=True)
        .where(*_held(workspace_id))
    )
    rows = list(session.execute(from_place(query, link.c.id, place).limit(limit + 1)))
    made = [_made(row) for row in rows[:limit]]
    holds = newest_first(made, place)
    return leaf_of(holds, [one.id for one in holds], place, more=len(rows) > limit)


def _made(row: Row[Any]) -> Hold:
    gone = row.state == LinkState.GONE.value
    where = (row.connection_id, row.kind, row.source_id, row.object, row.crm_id)
    return Hold(row.id, *where, row.held_run, row.run_id, gone)


def count(session: Session, workspace_id: str) -> int:
    """How many records are held."""
    query = select(func.count()).select_from(link).where(*_held(workspace_id))
    return int(session.execute(query).scalar_one())


def of_ids(session: Session, workspace_id: str, source_ids: Sequence[str]) -> list[Hold]:
    """Those of these records that are held; no ids: all that are, as many as one transaction takes."""
    query = select(
        link.c.id,
        link.c.connection_id,
        link.c.kind,
        link.c.source_id,
        link.c.object,
        link.c.crm_id,
        link.c.held_run,
    ).where(*_held(workspace_id))
    if source_ids:
        query = query.where(one_of(session, link.c.source_id, source_ids))
    query = query.order_by(link.c.id).limit(_AT_ONCE)
    return [Hold(*row) for row in session.execute(query)]


_LET_GO = (
    update(link)
    .where(
        link.c.id == bindparam("of_link"),
        link.c.workspace_id == bindparam("of_workspace"),
        link.c.held_run.is_not(None),
    )
    .values(held_run=null(), fingerprint=null())
)


def let_go(session: Session, workspace_id: str, holds: Sequence[Hold]) -> int:
    """Have these written again by the next sync that meets them; how many."""
    rows = [{"of_link": one.id, "of_workspace": workspace_id} for one in holds]
    return many(session, _LET_GO, rows)


def _held(workspace_id: str) -> tuple[Any, ...]:
    return (link.c.workspace_id == workspace_id, link.c.held_run.is_not(None))
