"""The remembered pairs of source record and CRM record, and who may write which right now.

A claim lasts for one request to the CRM: ``claim`` before it, ``keep`` after it, which releases and
checks that the claim was still held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import bindparam, func, null, or_, select, update
from sqlalchemy.exc import OperationalError

from connector.core.plan import NOTHING_YET, Link, LinkState, Memory
from connector.core.records import Ref
from connector.errors import TryLaterError
from connector.store import leases
from connector.store.db import Session, insert_new, many, one_of
from connector.store.models import link

_T = TypeVar("_T")
_STATES = {state.value: state for state in LinkState}
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's word for a row that NOWAIT found locked
_BLOCK = 500  # parameters per IN list: well below SQLite's limit, and one prepared statement shape


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim covers: one kind of one connection, one object."""

    workspace_id: str
    connection_id: str
    source: str
    kind: str
    object: str


def find(
    session: Session, workspace_id: str, object_: str, refs: Sequence[Ref], *, owner: str | None = None
) -> dict[Ref, Link]:
    """The links of these refs (all of one kind) to one object, without their memory; none: absent.

    A link that ``owner`` has claimed comes back ``resumed``: it was cut off, and its write may have
    reached the CRM.
    """
    found: dict[Ref, Link] = {}
    if not refs:
        return found
    source, kind = refs[0].source, refs[0].kind
    query = _FIND.where(
        one_of(session, link.c.source_id, [ref.id for ref in refs]),
        link.c.kind == kind,
        link.c.object == object_,
        link.c.source == source,
        link.c.workspace_id == workspace_id,
    )
    for id_, source_id, crm_id, state, *known, seen_at, held_run, claimed_by in session.execute(query):
        ref, resumed = Ref(source, kind, source_id), owner is not None and claimed_by == owner
        generation, print_, updated_at, created_at, seen_run = known
        found[ref] = Link(
            ref,
            object_,
            crm_id,
            _STATES[state],
            generation,
            print_,
            updated_at,
            created_at,
            NOTHING_YET,
            resumed,
            id_,
            seen_run,
            seen_at,
            held_run,
        )
    return found


_FIND = select(
    link.c.id,
    link.c.source_id,
    link.c.crm_id,
    link.c.state,
    link.c.generation,
    link.c.fingerprint,
    link.c.source_updated_at,
    link.c.crm_created_at,
    link.c.seen_run,
    func.coalesce(link.c.crm_seen_at, link.c.crm_updated_at),
    link.c.held_run,
    link.c.claimed_by,
)


def memories(session: Session, workspace_id: str, link_ids: Sequence[int]) -> dict[int, Memory]:
    """What we wrote last into each field of these links: the most to read, and only updates need it."""
    found: dict[int, Memory] = {}
    query = select(link.c.id, link.c.memory).where(
        link.c.id.in_(bindparam("ids", expanding=True)), link.c.workspace_id == workspace_id
    )
    for ids in _blocks(link_ids):
        found.update({id_: memory or {} for id_, memory in session.execute(query, {"ids": ids})})
    return found


def claim(
    session: Session,
    scope: Claimed,
    refs: Sequence[Ref],
    *,
    owner: str,
    now: datetime,
    until: datetime,
) -> dict[Ref, Link]:
    """Take these records for writing, making a row for each that has none; the links as they are now.

    Where all rows are new, nothing is read back: they have no ``id`` then.

    Raises TryLaterError when another owner holds one of them; nothing is claimed then.
    """
    if not refs:
        return {}
    ids = sorted({ref.id for ref in refs})
    if _insert_claimed(session, scope, ids, owner, until) == len(ids):
        return {ref: Link(ref, scope.object) for ref in refs}
    _claim_free(session, scope, ids, owner, now, until)
    return find(session, scope.workspace_id, scope.object, refs)


def _claim_free(
    session: Session, scope: Claimed, ids: Sequence[str], owner: str, now: datetime, until: datetime
) -> None:
    """Claim rows that are there. Nobody waits for another's lock, which could close a ring; and rows are
    locked in one order, so that of two owners who meet one gets all.
    """
    over = leases.over(link.c.claimed_until, now)
    free = or_(link.c.claimed_by.is_(None), link.c.claimed_by == owner, over)
    taken = 0
    for block in _blocks(ids):
        mine = select(link.c.id).where(*_within(scope, block), free).order_by(link.c.source_id)
        claimed = update(link).values(claimed_by=owner, claimed_until=until)
        with _unless_locked():
            result = session.execute(claimed.where(link.c.id.in_(mine.with_for_update(nowait=True))))
        taken += result.rowcount
    if taken != len(ids):
        raise _claimed()


def _claimed() -> TryLaterError:
    return TryLaterError("Another job is writing some of these records.", after=1.0, code="claimed")


@contextmanager
def _unless_locked() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise _claimed() from error


def _insert_claimed(session: Session, scope: Claimed, ids: Sequence[str], owner: str, until: datetime) -> int:
    """Make a row, claimed already, for each record that has none; how many."""
    rows = [
        {
            "workspace_id": scope.workspace_id,
            "connection_id": scope.connection_id,
            "source": scope.source,
            "kind": scope.kind,
            "source_id": id_,
            "object": scope.object,
            "state": LinkState.LINKED.value,
            "generation": 0,
            "claimed_by": owner,
            "claimed_until": until,
        }
        for id_ in ids
    ]
    return many(session, insert_new(session, link), rows)


_HELD = (
    update(link)
    .where(
        link.c.source_id == bindparam("of_id"),
        link.c.kind == bindparam("of_kind"),
        link.c.object == bindparam("of_object"),
        link.c.source == bindparam("of_source"),
        link.c.workspace_id == bindparam("of_workspace"),
        link.c.claimed_by == bindparam("owner"),
    )
    .values(claimed_by=null(), claimed_until=null(), gone_at=null())
)


def keep(session: Session, scope: Claimed, owner: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Save what the CRM answered and release the claims.

    Each row: ``of_id`` (the source id), crm_id, state, fingerprint, source_updated_at, memory,
    crm_created_at, crm_updated_at (None leaves it as it was), crm_seen_at, seen_run, held_run. Raises
    TryLaterError when a claim was lost meanwhile; save nothing then.
    """
    if not rows:
        return
    whose = {
        "of_kind": scope.kind,
        "of_object": scope.object,
        "of_source": scope.source,
        "of_workspace": scope.workspace_id,
        "owner": owner,
    }
    told = [{**row, **whose} for row in rows if row["crm_updated_at"] is not None]
    untold = [{**row, **whose} for row in rows if row["crm_updated_at"] is None]
    for row in untold:
        del row["crm_updated_at"]
    if many(session, _HELD, told) + many(session, _HELD, untold) != len(rows):
        raise TryLaterError("A claim ended before its write was saved.", after=1.0, code="claimed")


def see(session: Session, workspace_id: str, link_ids: Iterable[int], run: int) -> None:
    """Remember that the source still has these records."""
    for block in _blocks(list(link_ids)):
        session.execute(
            update(link)
            .where(link.c.id.in_(block), link.c.workspace_id == workspace_id)
            .values(seen_run=run, gone_at=None)
        )


_MOVED_ON = (
    update(link)
    .where(
        link.c.id == bindparam("of_id"),
        link.c.workspace_id == bindparam("of_workspace"),
        or_(link.c.source_updated_at.is_(None), link.c.source_updated_at < bindparam("moved_to")),
    )
    .values(source_updated_at=bindparam("moved_to"))
)


def move_on(session: Session, workspace_id: str, times: Mapping[int, str]) -> int:
    """Remember by link that its record changed at this time, though that changed nothing in the CRM.

    What tells of an earlier change is stale from then on. How many had not changed so lately.
    """
    rows = [{"of_id": id_, "of_workspace": workspace_id, "moved_to": time} for id_, time in times.items()]
    return many(session, _MOVED_ON, rows)


def release(session: Session, workspace_id: str, owner: str) -> None:
    """Give back whatever an owner that ended still held."""
    session.execute(
        update(link)
        .where(link.c.workspace_id == workspace_id, link.c.claimed_by == owner)
        .values(claimed_by=None, claimed_until=None)
    )


def doubt(session: Session, workspace_id: str, object_: str) -> None:
    """Have every record of an object compared with the CRM anew: a field of it lost what it held."""
    session.execute(
        update(link)
        .where(link.c.workspace_id == workspace_id, link.c.object == object_)
        .values(fingerprint=None)
    )


def _within(scope: Claimed, ids: Sequence[str]) -> tuple[Any, ...]:
    return (
        link.c.source_id.in_(ids),
        link.c.kind == scope.kind,
        link.c.object == scope.object,
        link.c.source == scope.source,
        link.c.workspace_id == scope.workspace_id,
    )


def _blocks(items: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (items[start : start + _BLOCK] for start in range(0, len(items), _BLOCK))
