"""What a run did to the CRM, taken back by a run of its own, after a preview: the same, without a write.

It walks the log of that run, kind by kind, children before parents. ``core.undoing`` decides by what the CRM
holds right before; each request is claimed, sent, and kept in one transaction with its place, as ever. A job
that is killed anywhere repeats one request and finds its own work done. What was taken back is held: no sync
writes it again while the source says what it said.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from connector.core import outcomes, undoing
from connector.core.limits import is_too_much
from connector.core.mapping import Mapping
from connector.core.outcomes import Outcome, Result, WriteResult
from connector.core.ownership import first_of, held
from connector.core.plan import Action, LinkState, PlannedWrite, Reason, own_id, value_hash
from connector.core.records import CrmRow, Values, iso
from connector.core.removal import Known
from connector.core.undoing import DELETED_AT, Do, Fate, Past, Seen
from connector.errors import RefusedError
from connector.ports import Seek
from connector.store import holds, intents, links, pasts, removals, runs
from connector.store.db import Session
from connector.store.intents import Intent
from connector.store.removals import Left
from connector.store.runs import Run
from connector.sync import isolating, stages, unnoting
from connector.sync.scope import Scope
from connector.sync.tools import Tools

_CLAIM: Final = timedelta(seconds=120)
_MOST: Final = 200  # of a soft delete


def is_of_run(run: Run) -> bool:
    """Whether a run takes back what another did, or shows what that would be."""
    return "of" in run.checkpoint


def is_preview(run: Run) -> bool:
    """Whether it only shows."""
    return run.type == "preview"


def work(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Take back until the time is up; True when nothing is left."""
    with scope.database.reading() as session:
        of = runs.numbered(session, scope.run.workspace_id, scope.run.checkpoint["of"])
    if not unnoting.work(tools, scope, of, until):
        return False
    for mapping in reversed(scope.mappings):
        while (step := _next(scope, mapping, of)) is not None:
            _take_back(scope, mapping, of, step)
            if scope.clock() >= until or tools.ends():
                return False
    return True


@dataclass(frozen=True, slots=True)
class _Step:
    """The records of one request, and the run's place after them."""

    pasts: list[Past]
    checkpoint: dict[str, Any]


def _next(scope: Scope, mapping: Mapping, of: Run) -> _Step | None:
    checkpoint, stage = stages.going_on(scope), f"{mapping.kind}:{mapping.object.name}"
    places: dict[str, int] = checkpoint.get("at", {})
    what = (mapping.source, mapping.kind, mapping.object.name)
    most = min(_MOST, scope.writer.batch_size())
    with scope.database.reading() as session:
        found, place = pasts.of_run(session, of.workspace_id, of.number, what, places.get(stage), most)
    if place is None:
        return None
    return _Step(found, {**checkpoint, "at": {**places, stage: place}})


_UNDECIDED: Final = Fate(Do.SAME)


@dataclass(slots=True)
class _Case:
    """One record on its way: what was done to it, its link, the CRM's row, and what becomes of it."""

    past: Past
    left: Left
    row: CrmRow | None
    fate: Fate = _UNDECIDED
    begun: Intent | None = None
    result: WriteResult | None = None


def _take_back(scope: Scope, mapping: Mapping, of: Run, step: _Step) -> None:
    cases = _looked_at(scope, mapping, step.pasts)
    if is_preview(scope.run):
        with scope.database.reading() as session:
            _decide(scope, mapping, of, session, cases)
        _keep(scope, mapping, cases, step.checkpoint)
        return
    with scope.writer.reserved():
        with scope.database.transaction() as session:
            refs, now = [case.past.ref for case in cases], scope.clock()
            claims = scope.claims(mapping)
            links.claim(session, claims, refs, owner=scope.run.id, now=now, until=now + _CLAIM)
            _decide(scope, mapping, of, session, cases)
            _check_agreed(scope, mapping, cases)
            _note_ahead(scope, mapping, session, cases)
        _delete(scope, mapping, [case for case in cases if case.fate.do is Do.DELETE])
        _write(scope, mapping, [case for case in cases if case.fate.do in (Do.PUT, Do.RESTORE)])
    _keep(scope, mapping, cases, step.checkpoint)


def _looked_at(scope: Scope, mapping: Mapping, found: Sequence[Past]) -> list[_Case]:
    if not found:
        return []
    with scope.database.reading() as session:
        known = holds.lefts(session, scope.claims(mapping), [past.ref.id for past in found])
        begun = intents.of_run(session, scope.run.workspace_id, scope.run.number)
    there = [(past, known[past.ref.id]) for past in found if past.ref.id in known]
    rows = scope.writer.look(mapping, [Seek(past.ref, left.crm_id, ()) for past, left in there])
    return [
        _Case(past, left, rows[past.ref].by_id, begun=begun.get((past.ref.kind, past.ref.id)))
        for past, left in there
    ]


def _decide(scope: Scope, mapping: Mapping, of: Run, session: Session, cases: Sequence[_Case]) -> None:
    claims = scope.claims(mapping)
    shared = removals.shared(session, claims, [case.left.crm_id for case in cases])
    later = pasts.later(session, scope.run.workspace_id, of, [case.past for case in cases])
    types = [spec.name for spec in mapping.specs]
    for case in cases:
        left = case.left
        known = Known(
            left.ref,
            left.crm_id,
            own_id(claims.workspace_id, left.ref, claims.object, left.generation),
            left.crm_created_at,
            left.crm_updated_at,
            left.memory,
            shared=left.crm_id in shared,
            resumed=left.claimed_by == scope.run.id,
        )
        begun = case.begun.after if case.begun and known.resumed else {}
        seen = Seen(known, case.row, types, later.get(left.ref, {}), begun)
        case.fate = undoing.decide(case.past, seen)


def _check_agreed(scope: Scope, mapping: Mapping, cases: Sequence[_Case]) -> None:
    """No more goes into the bin than the preview showed, but for a few."""
    agreed: int = scope.run.checkpoint["agreed"]
    more = _removed(scope) + sum(case.fate.do is Do.DELETE for case in cases) - agreed
    if is_too_much(more, agreed, mapping.limits.most_removed):
        raise RefusedError(
            f"The preview showed {agreed} records that go into Twenty's bin. By now there would be more.",
            code="undo_more",
            remedy="Look at a new preview, and begin again from there.",
        )


def _removed(scope: Scope) -> int:
    removed: int = scope.run.checkpoint.get("removed", 0)
    return removed


def _note_ahead(scope: Scope, mapping: Mapping, session: Session, cases: Sequence[_Case]) -> None:
    due = [case for case in cases if case.fate.do is Do.PUT and not case.fate.done]
    if due:
        writes: dict[str, Any] = {case.past.ref.id: [_now(case), case.fate.values, None, []] for case in due}
        intents.note(session, scope.run, mapping.kind, mapping.object.name, writes)


def _now(case: _Case) -> Values:
    """What the fields held before this run put them back."""
    kept = case.begun.before if case.begun and case.begun.before else {}
    now = held(case.row, case.fate.values) if case.row else {}
    return {name: kept.get(name, now.get(name)) for name in case.fate.values}


def _delete(scope: Scope, mapping: Mapping, cases: Sequence[_Case]) -> None:
    due = [case.row for case in cases if case.row and not case.fate.done]
    went = scope.writer.remove(mapping, due) if due else set()
    for case in cases:
        if not case.fate.done and case.left.crm_id not in went:
            case.fate = Fate(Do.LEAVE, left=("Somebody changed it in Twenty since.",))


def _write(scope: Scope, mapping: Mapping, cases: Sequence[_Case]) -> None:
    due = [case for case in cases if not case.fate.done]
    stamps = {spec.name: iso(scope.clock()) for spec in mapping.stamps}
    writes = [
        PlannedWrite(
            case.past.ref,
            Action.UPDATE,
            mapping.object.name,
            case.left.crm_id,
            {**case.fate.values, **stamps},
            raw=case.row.raw if case.row else {},
            created_at=case.row.created_at if case.row else None,
            restores=case.fate.do is Do.RESTORE,
        )
        for case in due
    ]
    results = isolating.apply(scope, mapping, writes) if writes else []
    for case, result in zip(due, results, strict=True):
        case.result = result
        if result.error is not None and result.error.code == "crm_record_gone":
            case.fate = Fate(Do.GONE, left=("Somebody deleted it in Twenty since.",))


# --- keeping


def _keep(scope: Scope, mapping: Mapping, cases: Sequence[_Case], checkpoint: dict[str, Any]) -> None:
    told, now = [_outcome(case, scope.clock()) for case in cases], scope.clock()
    removed = _removed(scope) + sum(one.reason == Reason.UNMADE for one in told)
    progress: dict[str, Any] = {
        "counts": outcomes.add(scope.run.counts, outcomes.tally(told)),
        "checkpoint": {**checkpoint, "removed": removed},
        "lease_until": now + scope.lease,
    }
    rows = [_link_row(scope.run, case, one) for case, one in zip(cases, told, strict=True)]
    with scope.database.transaction() as session:
        if not is_preview(scope.run):
            holds.settle(session, scope.run.workspace_id, scope.run.id, rows)
            intents.forget_run(session, scope.run.workspace_id, scope.run.number)
        runs.log(session, scope.run, told, now)
        runs.save(session, scope.run, owner=scope.owner, **progress)
    scope.run = replace(scope.run, **progress, checkpoint_version=scope.run.checkpoint_version + 1)


def _outcome(case: _Case, now: datetime) -> Outcome:
    past, fate = case.past, case.fate
    told = Outcome(
        past.ref,
        past.object,
        Result.SKIPPED,
        crm_id=case.left.crm_id,
        title=past.title,
        warnings=fate.left,
    )
    if case.result is not None and case.result.error is not None and fate.do is not Do.GONE:
        return told._replace(result=Result.FAILED, error=case.result.error)
    match fate.do:
        case Do.DELETE:
            return _changed(told, Reason.UNMADE, {DELETED_AT: None}, {DELETED_AT: iso(now)})
        case Do.RESTORE:
            return _changed(told, Reason.RESTORED, {DELETED_AT: past.after[DELETED_AT]}, {DELETED_AT: None})
        case Do.PUT:
            return _changed(told, Reason.TAKEN_BACK, _now(case), fate.values)
        case Do.SAME:
            return told._replace(result=Result.UNCHANGED, reason=None, warnings=())
        case Do.GONE:
            return told._replace(reason=Reason.DELETED_IN_CRM)
    return told._replace(reason=Reason.KEPT)


def _changed(told: Outcome, reason: Reason, before: Values, after: MappingType[str, Any]) -> Outcome:
    return told._replace(result=Result.UPDATED, reason=reason, before=before, after=after)


def _link_row(run: Run, case: _Case, told: Outcome) -> dict[str, Any]:
    """What the link remembers from now on: what the fields hold again is ours, and the record is held."""
    row: dict[str, Any] = {"of_link": case.left.id}
    if told.result is Result.UPDATED and case.fate.do is Do.DELETE:
        return row | {"state": LinkState.GONE.value, "held_run": run.number}
    if told.result is Result.UPDATED and case.fate.do is Do.RESTORE:
        return row | {"state": LinkState.LINKED.value, **_times(case)}
    if told.result not in (Result.UPDATED, Result.UNCHANGED):
        return row
    put = {name: [value_hash(first_of(value)), run.number] for name, value in case.fate.values.items()}
    return row | {"memory": {**case.left.memory, **put}, "held_run": run.number, **_times(case)}


def _times(case: _Case) -> dict[str, Any]:
    """The CRM's time of the record as we left it, where we wrote; as we saw it, where nothing was to be."""
    at = case.result.updated_at if case.result else None
    if at is None and case.fate.done and case.row is not None:
        at = case.row.updated_at
    return {"crm_updated_at": at, "crm_seen_at": at} if at is not None else {}
