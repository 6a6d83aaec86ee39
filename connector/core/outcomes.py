"""What became of a record in a run: exactly one of five results, and counts derived from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from connector.core.plan import Action, PlannedWrite
from connector.core.records import BadRecord, Ref, Values
from connector.errors import ConnectorError


class Result(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


class WriteResult(NamedTuple):
    """What the CRM did with one planned write: an error, or the row's id and times.

    ``left_out`` are relations that were not written, because what they should point at is gone.
    """

    ref: Ref
    crm_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    error: ConnectorError | None = None
    left_out: tuple[str, ...] = ()


class Outcome(NamedTuple):
    ref: Ref
    object: str
    result: Result
    reason: str | None = None
    crm_id: str | None = None
    title: str = ""
    before: Values | None = None
    after: Mapping[str, Any] | None = None
    error: ConnectorError | None = None
    warnings: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


_WRITTEN = {Action.CREATE: Result.CREATED, Action.UPDATE: Result.UPDATED}
_UNWRITTEN = {Action.NOTHING: Result.UNCHANGED, Action.SKIP: Result.SKIPPED, Action.FAIL: Result.FAILED}


def settle(plan: PlannedWrite, result: WriteResult | None = None) -> Outcome:
    """Join a plan with what the CRM answered; ``result`` is None where the plan needed no write."""
    error = result.error if result else plan.error
    kind = Result.FAILED if error else (_WRITTEN[plan.action] if result else _settled_without(plan))
    there = not (error and plan.action is Action.CREATE)  # the id of a refused create leads nowhere
    return Outcome(
        ref=plan.ref,
        object=plan.object,
        result=kind,
        reason=plan.reason,
        crm_id=((result.crm_id if result else None) or plan.crm_id) if there else None,
        title=plan.title,
        before=plan.before,
        after=plan.values or None,
        error=error,
        warnings=plan.warnings + tuple(_left_out(name) for name in (result.left_out if result else ())),
        drift=plan.drift if kind is Result.UPDATED else (),
    )


def _left_out(name: str) -> str:
    what = f"{name} is left empty: what it should point at was destroyed in the CRM meanwhile."
    return f"{what} The next sync looks for it again."


def _settled_without(plan: PlannedWrite) -> Result:
    # A worker died after this very write reached the CRM: nothing is left to send, but it was our write.
    if plan.finished is not None:
        return _WRITTEN[plan.finished]
    return _UNWRITTEN[plan.action]


def failed(bad: BadRecord, object_: str) -> Outcome:
    """The outcome of an item that never became a record."""
    error = bad.error if isinstance(bad.error, ConnectorError) else None
    return Outcome(ref=bad.ref, object=object_, result=Result.FAILED, error=error, title=bad.ref.id)


Counts = dict[str, dict[str, int]]
"""Object → result → how many; absent means none."""


def tally(outcomes: Iterable[Outcome]) -> Counts:
    """Count outcomes per object and result. The only place where a run's numbers come from."""
    counter = Counter((outcome.object, outcome.result.value) for outcome in outcomes)
    counts: Counts = {}
    for (object_, result), number in counter.items():
        counts.setdefault(object_, {})[result] = number
    return counts


def drifted(outcomes: Iterable[Outcome]) -> int:
    """How many records hold again what somebody had changed in the CRM."""
    return sum(1 for outcome in outcomes if outcome.drift)


def add(left: Counts, right: Counts) -> Counts:
    """The sum of two tallies, as a new one."""
    total = {object_: dict(results) for object_, results in left.items()}
    for object_, results in right.items():
        into = total.setdefault(object_, {})
        for result, number in results.items():
            into[result] = into.get(result, 0) + number
    return total


def sum_of(counts: Counts, result: Result | None = None) -> int:
    """How many outcomes there are in all, or of one result."""
    return sum(
        number for results in counts.values() for name, number in results.items() if result in (None, name)
    )


def as_json(error: ConnectorError | None) -> dict[str, Any] | None:
    """An error as the sync log keeps it: codes and words, never a stack trace."""
    if error is None:
        return None
    parts = {
        "code": error.code,
        "message": str(error),
        "remedy": error.remedy,
        "field": getattr(error, "field", None),
        "expected": getattr(error, "expected", None),
        "found": getattr(error, "found", None),
    }
    return {name: value for name, value in parts.items() if value}
