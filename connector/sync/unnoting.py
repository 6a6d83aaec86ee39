"""Notes and tasks that a run left, taken back with it: first of all, for they stand beside its records.

What somebody changed since stays theirs, and is listed. Each that is to go is noted ahead, and kept in one
transaction with the run's place, so a job that is killed anywhere finds its own work done. What was taken
back is remembered as that: no event leaves it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from connector.core import outcomes, undoing
from connector.core.outcomes import Outcome, Result
from connector.core.plan import Reason
from connector.core.records import Ref, iso
from connector.core.undoing import DELETED_AT, Do, Fate, LeftNote
from connector.ports.crm_notes import Noter
from connector.store import intents, notes, runs
from connector.store.notes import Kept
from connector.store.runs import Run
from connector.sync import stages
from connector.sync.scope import Scope
from connector.sync.tools import Tools

_STAGE: Final = "notes"
_KINDS: Final = ("note", "task")
_MOST: Final = 200  # of a soft delete


@dataclass(slots=True)
class _Case:
    """One note on its way: what is known of it, the CRM's row, and what becomes of it."""

    kept: Kept
    row: LeftNote | None
    fate: Fate


def work(tools: Tools, scope: Scope, of: Run, until: datetime) -> bool:
    """Take them back until the time is up; True when none is left."""
    if scope.noter is None:
        return True
    while found := _next(scope, of):
        _take_back(scope, scope.noter, found)
        if scope.clock() >= until or tools.ends():
            return False
    return True


def _next(scope: Scope, of: Run) -> list[Kept]:
    place = scope.run.checkpoint.get("at", {}).get(_STAGE)
    most = min(_MOST, scope.writer.batch_size())
    with scope.database.reading() as session:
        return notes.of_run(session, of.workspace_id, of.number, place, most)


def _take_back(scope: Scope, noter: Noter, found: Sequence[Kept]) -> None:
    cases = _looked_at(scope, noter, found)
    if scope.run.type != "preview":
        _delete(scope, noter, [case for case in cases if case.fate.do is Do.DELETE and not case.fate.done])
    _keep(scope, cases)


def _looked_at(scope: Scope, noter: Noter, found: Sequence[Kept]) -> list[_Case]:
    with scope.database.reading() as session:
        begun = intents.of_run(session, scope.run.workspace_id, scope.run.number)
    rows: dict[str, LeftNote] = {}
    for kind in _KINDS:
        rows |= noter.look(kind, [one.crm_id for one in found if one.kind == kind])
    return [
        _Case(one, row, undoing.decide_note(row, closed=one.state == "done", begun=_key(one) in begun))
        for one in found
        for row in (rows.get(one.crm_id),)
    ]


def _key(one: Kept) -> tuple[str, str]:
    return one.kind, one.crm_id


def _delete(scope: Scope, noter: Noter, due: Sequence[_Case]) -> None:
    for kind in _KINDS:
        of = [case for case in due if case.kept.kind == kind]
        if not of:
            continue
        ahead: dict[str, Any] = {case.kept.crm_id: [{DELETED_AT: None}, {}, None, []] for case in of}
        with scope.database.transaction() as session:
            intents.note(session, scope.run, kind, kind, ahead)
        went = noter.remove(kind, [case.row for case in of if case.row])
        for case in of:
            if case.kept.crm_id not in went:
                case.fate = undoing.touched()


def _keep(scope: Scope, cases: Sequence[_Case]) -> None:
    run, now = scope.run, scope.clock()
    told = [_outcome(scope, case, now) for case in cases]
    checkpoint = stages.going_on(scope)
    places = {**checkpoint.get("at", {}), _STAGE: cases[-1].kept.id}
    progress: dict[str, Any] = {
        "counts": outcomes.add(run.counts, outcomes.tally(told)),
        "checkpoint": {**checkpoint, "at": places},
        "lease_until": now + scope.lease,
    }
    with scope.database.transaction() as session:
        if run.type != "preview":
            gone = [case.kept.crm_id for case in cases if case.fate.do is Do.DELETE]
            notes.undone(session, run.workspace_id, gone)
            intents.forget_run(session, run.workspace_id, run.number)
        runs.log(session, run, told, now)
        runs.save(session, run, owner=scope.owner, **progress)
    scope.run = replace(run, **progress, checkpoint_version=run.checkpoint_version + 1)


def _outcome(scope: Scope, case: _Case, now: datetime) -> Outcome:
    one, fate = case.kept, case.fate
    told = Outcome(
        Ref(scope.mappings[0].source, one.kind, one.crm_id),
        one.kind,
        Result.SKIPPED,
        Reason.KEPT,
        crm_id=one.crm_id,
        title=case.row.title if case.row else "",
        warnings=fate.left,
    )
    if fate.do is Do.DELETE:
        told = told._replace(before={DELETED_AT: None}, after={DELETED_AT: iso(now)})
        return told._replace(result=Result.UPDATED, reason=Reason.UNMADE)
    return told._replace(reason=Reason.DELETED_IN_CRM) if fate.do is Do.GONE else told
