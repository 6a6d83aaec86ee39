"""What the pages show at a glance: the runs of a workspace, and how its records stand. Only queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, and_, func, or_, select, type_coerce

from connector.store.db import Session
from connector.store.models import connection, link, sync_run
from connector.store.paging import NEWEST, Leaf, Place, from_place, leaf_of, newest_first
from connector.store.runs import ACTIVE, Run


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None and False: all. ``hide_idle`` leaves out those that went well and changed nothing."""

    status: str | None = None
    type: str | None = None
    connection_id: str | None = None
    hide_idle: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """How many records of a connection are in step, left alone, waiting for a person, and failing."""

    in_step: int = 0
    excluded: int = 0
    review: int = 0
    failing: int = 0

    def __add__(self, other: Health) -> Health:
        """Both together."""
        return Health(
            self.in_step + other.in_step,
            self.excluded + other.excluded,
            self.review + other.review,
            self.failing + other.failing,
        )

    @property
    def known(self) -> int:
        """All records there is a link for."""
        return self.in_step + self.excluded + self.review + self.failing


_HEALTH = {
    "linked": "in_step",
    "review": "review",
    "failed": "failing",
    "deleted_in_crm": "excluded",
    "gone": "excluded",
    "ignored": "excluded",
}


def run_page(
    session: Session, workspace_id: str, wanted: RunFilter, place: Place = NEWEST, limit: int = 50
) -> Leaf[Run]:
    """One page of the workspace's runs."""
    query = select(sync_run).where(sync_run.c.workspace_id == workspace_id, *_run_conditions(wanted))
    rows = session.execute(from_place(query, sync_run.c.number, place).limit(limit + 1)).all()
    runs = newest_first([Run(**row._mapping) for row in rows[:limit]], place)
    more = len(rows) > limit
    return leaf_of(runs, [run.number for run in runs], place, more=more)


def _run_conditions(wanted: RunFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.status:
        yield sync_run.c.status == wanted.status
    if wanted.type:
        yield sync_run.c.type == wanted.type
    if wanted.connection_id:
        yield sync_run.c.connection_id == wanted.connection_id
    if wanted.hide_idle:
        yield ~_is_idle()


def _is_idle() -> ColumnElement[bool]:
    # The counts name only results that occurred, so that a result's name in their text is a change.
    counts = type_coerce(sync_run.c.counts, Text)
    changed = or_(*(counts.contains(f'"{name}":') for name in ("created", "updated", "failed")))
    return and_(sync_run.c.status == "success", ~changed)


def idle_runs(session: Session, workspace_id: str) -> int:
    """How many runs went well and changed nothing."""
    query = select(func.count()).where(sync_run.c.workspace_id == workspace_id, _is_idle())
    return int(session.execute(query).scalar_one())


def active_runs(session: Session, workspace_id: str) -> dict[str, Run]:
    """Connection id → its run that still has work before it; a preview is none, as it does nothing."""
    mine = (
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.status.in_(ACTIVE),
        sync_run.c.type != "preview",
    )
    rows = session.execute(select(sync_run).where(*mine))
    return {run.connection_id: run for run in (Run(**row._mapping) for row in rows)}


def previews_by(session: Session, workspace_id: str, version: str, *, limit: int = 5) -> list[Run]:
    """The latest previews that went by these mapping files, newest first."""
    query = select(sync_run).where(
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.type == "preview",
        sync_run.c.mapping_version == version,
    )
    rows = session.execute(query.order_by(sync_run.c.number.desc()).limit(limit))
    return [Run(**row._mapping) for row in rows]


def active_of(session: Session, workspace_id: str, connection_id: str) -> Run | None:
    """The connection's run that still has work before it, if there is one."""
    query = select(sync_run).where(
        sync_run.c.workspace_id == workspace_id, sync_run.c.active_key == connection_id
    )
    row = session.execute(query).first()
    return None if row is None else Run(**row._mapping)


def ever_synced(session: Session, workspace_id: str, connection_id: str) -> bool:
    """Whether the connection ever had a sync: then what it needs in the CRM was agreed to."""
    query = select(sync_run.c.id).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.type.in_(("full", "incremental")),
    )
    return session.execute(query.limit(1)).first() is not None


def last_complete(session: Session, workspace_id: str, connection_id: str) -> Run | None:
    """The connection's newest full run that came to its end: what a next one will find, about."""
    query = select(sync_run).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.type == "full",
        sync_run.c.status.in_(("success", "partial")),
    )
    row = session.execute(query.order_by(sync_run.c.number.desc()).limit(1)).first()
    return None if row is None else Run(**row._mapping)


def latest_syncs(session: Session, workspace_id: str, connection_id: str, limit: int = 10) -> list[Run]:
    """The connection's newest runs that were asked for, newest first: those of events, of which there are
    many, are left out."""
    query = select(sync_run).where(
        sync_run.c.connection_id == connection_id,
        sync_run.c.workspace_id == workspace_id,
        sync_run.c.type.in_(("full", "incremental", "repair")),
    )
    rows = session.execute(query.order_by(sync_run.c.number.desc()).limit(limit))
    return [Run(**row._mapping) for row in rows]


def run_ids(session: Session, workspace_id: str, numbers: Sequence[int]) -> dict[int, str]:
    """Number → id of these runs of the workspace."""
    query = select(sync_run.c.number, sync_run.c.id).where(
        sync_run.c.number.in_(numbers), sync_run.c.workspace_id == workspace_id
    )
    return {row.number: row.id for row in session.execute(query)}


def health(session: Session, workspace_id: str) -> dict[str, Health]:
    """Connection id → how its records stand, as the links remember it; none: no record yet."""
    mine = select(connection.c.id).where(connection.c.workspace_id == workspace_id)
    query = (
        select(link.c.connection_id, link.c.state, func.count())
        .where(link.c.connection_id.in_(mine))
        .group_by(link.c.connection_id, link.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for connection_id, state, count in session.execute(query):
        numbers, name = found.setdefault(connection_id, {}), _HEALTH[state]
        numbers[name] = numbers.get(name, 0) + count
    return {connection_id: Health(**numbers) for connection_id, numbers in found.items()}
