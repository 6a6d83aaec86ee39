"""What becomes of the CRM's records when a company is disconnected: marked, or deleted where only we made
them. A run of its own, of the type that takes back (``undo``): its access to the source is gone by then.

It walks the links kind by kind, children before parents, in requests of at most 200. What is looked at right
before decides. Each request is claimed, sent, and kept in one transaction with its place; a job that is
killed anywhere repeats one request, and finds its own work done.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn, cast

from connector.core import outcomes, removal
from connector.core.gone import Gone
from connector.core.mapping import Mapping
from connector.core.outcomes import Outcome, Result
from connector.core.plan import LinkState, Reason, own_id, value_hash
from connector.core.records import CrmRow, Ref, Values, iso
from connector.core.removal import Known, Verdict
from connector.errors import ReconnectError
from connector.ports import Reader, Seek
from connector.store import links, removals, runs
from connector.store.connections import Connection
from connector.store.db import Session
from connector.store.links import Claimed
from connector.store.removals import Left
from connector.store.runs import NewRun
from connector.sync.scope import Scope

_CLAIM = timedelta(seconds=120)


class Then(StrEnum):
    """What is done with the records once their company is disconnected."""

    KEEP = "keep"
    MARK = "mark"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Count:
    """So many records of one object are in step, we made ``made`` of them, and ``marked`` can be marked."""

    object: str
    linked: int
    made: int
    marked: int
    mapping: Mapping


def count(
    session: Session, mappings: Sequence[Mapping], workspace_id: str, connection_id: str
) -> list[Count]:
    """What disconnecting may do, counted by the links: those that somebody changed since are left out only
    when it is done."""
    found = []
    for mapping in mappings:
        scope = scope_of(mapping, workspace_id, connection_id)
        known = list(removals.ids(session, scope))
        made = {id_ for ref, generation, id_ in known if id_ == _ours(scope, ref, generation)}
        linked = len({id_ for _, _, id_ in known})
        marked = linked if _mark_of(mapping) else 0
        found.append(Count(mapping.object.name, linked, len(made), marked, mapping))
    return found


def total(counts: Sequence[Count], then: Then) -> int:
    """How many records a choice may touch."""
    numbers = {Then.KEEP: 0, Then.MARK: sum(one.marked for one in counts)}
    return numbers.get(then, sum(one.made for one in counts))


def start(
    session: Session, connection: Connection, then: Then, *, why: str, correlation_id: str, now: datetime
) -> str:
    """Queue the run, in the transaction that disconnects; its id."""
    id_ = str(uuid.uuid4())
    checkpoint: dict[str, Any] = {"then": then.value, "at": {}}
    where = (connection.workspace_id, connection.id)
    runs.start(session, NewRun(id_, *where, "undo", why, correlation_id, now, checkpoint))
    return id_


def work(scope: Scope, until: datetime) -> bool:
    """Take back until the time is up; True when nothing is left."""
    for mapping in reversed(scope.mappings):
        if not _concerns(scope, mapping):
            continue
        while block := _next(scope, mapping):
            at = {**scope.run.checkpoint["at"], _stage(mapping): block[-1].id}
            place = {"then": scope.run.checkpoint["then"], "at": at}
            take_back(scope, mapping, block, _then(scope), place)
            if scope.clock() >= until:
                return False
    return True


def _concerns(scope: Scope, mapping: Mapping) -> bool:
    return _then(scope) is Then.DELETE or _mark_of(mapping) is not None


def _then(scope: Scope) -> Then:
    return Then(scope.run.checkpoint["then"])


def _mark_of(mapping: Mapping) -> tuple[str, Any] | None:
    """The field and the value that say that a record is gone, where the mapping has them."""
    gone = mapping.when_gone
    if gone.field is None or gone.do not in (Gone.MARK, Gone.CLEAR):
        return None
    return gone.field, gone.value


def scope_of(mapping: Mapping, workspace_id: str, connection_id: str) -> Claimed:
    """What is claimed when records of a mapping are taken back."""
    return Claimed(workspace_id, connection_id, mapping.source, mapping.kind, mapping.object.name)


def _ours(scope: Claimed, ref: Ref, generation: int) -> str:
    return own_id(scope.workspace_id, ref, scope.object, generation)


def _stage(mapping: Mapping) -> str:
    return f"{mapping.kind}:{mapping.object.name}"


def _next(scope: Scope, mapping: Mapping) -> list[Left]:
    place = scope.run.checkpoint["at"].get(_stage(mapping), 0)
    most = min(200, scope.writer.batch_size())
    with scope.database.reading() as session:
        return removals.after(session, scope.claims(mapping), place, most)


def take_back(
    scope: Scope, mapping: Mapping, block: Sequence[Left], then: Then, checkpoint: dict[str, Any]
) -> None:
    """Look, decide, and carry out what one request takes; all is kept together, with the run's place."""
    found = scope.writer.look(mapping, [Seek(left.ref, left.crm_id, ()) for left in block])
    rows = {left.ref: found[left.ref].by_id for left in block}
    with scope.writer.reserved():
        known = _claimed(scope, mapping, block)
        act = _delete if then is Then.DELETE else _mark
        fates = act(scope, mapping, known, rows)
    _keep(scope, block, [fates[left.ref] for left in block], checkpoint)


def _claimed(scope: Scope, mapping: Mapping, block: Sequence[Left]) -> list[Known]:
    claims, now = scope.claims(mapping), scope.clock()
    refs = [left.ref for left in block]
    with scope.database.transaction() as session:
        links.claim(session, claims, refs, owner=scope.run.id, now=now, until=now + _CLAIM)
        shared = removals.shared(session, claims, [left.crm_id for left in block])
    return [
        Known(
            left.ref,
            left.crm_id,
            _ours(claims, left.ref, left.generation),
            left.crm_created_at,
            left.crm_updated_at,
            left.memory,
            shared=left.crm_id in shared,
            resumed=left.claimed_by == scope.run.id,
        )
        for left in block
    ]


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of one record: for the log, and for its link."""

    outcome: Outcome
    state: LinkState
    memory: dict[str, Any] | None = None
    updated_at: str | None = None


def _delete(
    scope: Scope, mapping: Mapping, known: Sequence[Known], rows: dict[Ref, CrmRow | None]
) -> dict[Ref, _Fate]:
    verdicts = {one.ref: removal.may_delete(one, rows[one.ref]) for one in known}
    due = [row for one in known if verdicts[one.ref] is removal.REMOVE and (row := rows[one.ref])]
    went = scope.writer.remove(mapping, due) if due else set()
    fates = {}
    for one in known:
        verdict = verdicts[one.ref]
        if verdict is removal.REMOVE and one.crm_id not in went:
            verdict = removal.TOUCHED
        change: Values = {"deletedAt": iso(scope.clock())}
        fates[one.ref] = _fate(mapping, one, rows[one.ref], verdict, change, LinkState.GONE)
    return fates


def _mark(
    scope: Scope, mapping: Mapping, known: Sequence[Known], rows: dict[Ref, CrmRow | None]
) -> dict[Ref, _Fate]:
    name, value = _mark_of(mapping) or ("", None)
    own = mapping.ownership[name]
    verdicts = {one.ref: removal.may_mark(one, rows[one.ref], own, name, value) for one in known}
    due = [one.crm_id for one in known if verdicts[one.ref] is removal.REMOVE]
    took = scope.writer.put(mapping, due, name, value) if due else {}
    fates = {}
    for one in known:
        verdict, row = verdicts[one.ref], rows[one.ref]
        if verdict is removal.REMOVE and one.crm_id not in took:
            verdict = removal.GONE
        fate = _fate(mapping, one, row, verdict, {name: value}, LinkState.LINKED)
        if verdict in (removal.REMOVE, removal.REMOVED):
            memory = {**one.memory, name: [value_hash(value), scope.run.number]}
            now = took.get(one.crm_id, row.updated_at if row else None)
            fate = replace(fate, memory=memory, updated_at=now)
        fates[one.ref] = fate
    return fates


def _fate(
    mapping: Mapping, one: Known, row: CrmRow | None, verdict: Verdict, change: Values, state: LinkState
) -> _Fate:
    told = Outcome(
        one.ref, mapping.object.name, Result.SKIPPED, crm_id=one.crm_id, title=_title(one.ref, row)
    )
    if verdict in (removal.REMOVE, removal.REMOVED):
        before = {name: row.values.get(name) for name in change} if row else dict.fromkeys(change)
        done = told._replace(result=Result.UPDATED, reason=Reason.REMOVED, before=before, after=change)
        return _Fate(done, state)
    if verdict is removal.SAME:
        return _Fate(told._replace(result=Result.UNCHANGED), LinkState.LINKED)
    if verdict is removal.GONE:
        return _Fate(told._replace(reason=Reason.DELETED_IN_CRM), LinkState.DELETED_IN_CRM)
    return _Fate(told._replace(reason=Reason.KEPT, warnings=(verdict.why,)), LinkState.LINKED)


def _title(ref: Ref, row: CrmRow | None) -> str:
    """What the record is called in the CRM; a person's name has parts."""
    name = row.values.get("name") if row else None
    text = " ".join(filter(None, map(str, name.values()))) if isinstance(name, dict) else name
    return str(text) if text else ref.id


def _keep(scope: Scope, block: Sequence[Left], fates: Sequence[_Fate], checkpoint: dict[str, Any]) -> None:
    told, now = [_reasoned(scope, fate.outcome) for fate in fates], scope.clock()
    progress: dict[str, Any] = {
        "counts": outcomes.add(scope.run.counts, outcomes.tally(told)),
        "checkpoint": checkpoint,
        "lease_until": now + scope.lease,
    }
    rows = [_link_row(left, fate) for left, fate in zip(block, fates, strict=True)]
    with scope.database.transaction() as session:
        removals.settle(session, scope.run.workspace_id, scope.run.id, rows)
        if scope.run.type != "undo":
            removals.mark_gone(session, scope.run.workspace_id, [left.id for left in block], now)
        runs.log(session, scope.run, told, now)
        runs.save(session, scope.run, owner=scope.owner, **progress)
    scope.run = replace(scope.run, **progress, checkpoint_version=scope.run.checkpoint_version + 1)


def _reasoned(scope: Scope, told: Outcome) -> Outcome:
    """Why it was touched: its company left, or it is gone from the source."""
    gone = scope.run.type != "undo" and told.reason == Reason.REMOVED
    return told._replace(reason=Reason.GONE) if gone else told


def _link_row(left: Left, fate: _Fate) -> dict[str, Any]:
    return {
        "of_link": left.id,
        "state": fate.state.value,
        "memory": left.memory if fate.memory is None else fate.memory,
        "crm_updated_at": fate.updated_at or left.crm_updated_at,
    }


class _Unread:
    """A reader that reads nothing: what is taken back needs no access to the source any more."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _gone()


UNREAD = cast("Reader", _Unread())


def _gone() -> ReconnectError:
    return ReconnectError("This company was disconnected.", code="whop_disconnected")
