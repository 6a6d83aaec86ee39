"""A source record beside its CRM record as it really is: in step, or how not. Nothing is written.

What would be written is what differs: the plan of a sync is the measure, so that each field's owner counts
here as there, and a repair mends exactly what is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from connector.core.mapping import Mapping as MappingFile
from connector.core.mapping import Own, key_text
from connector.core.ownership import first_of, remembers
from connector.core.plan import Action, Found, Link, PlannedWrite, Reason, value_hash
from connector.core.records import Ref

TARGET: Final = 0.999
"""The share of records in step below which a person should look."""


class Standing(StrEnum):
    """How one record stands; each record that is compared has exactly one."""

    MATCH = "match"
    DIFFERS = "differs"
    IN_FLIGHT = "in_flight"
    LEFT = "left"
    NO_SOURCE = "no_source"


class Cause(StrEnum):
    """Why a record or a field of it is not in step."""

    DRIFT = "drift"
    BEHIND = "behind"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    FAILING = "failing"
    NO_SOURCE = "no_source"


REPAIRABLE: Final = (Cause.DRIFT, Cause.BEHIND, Cause.MISSING, Cause.FAILING)
"""What a sync of just these records may mend."""


class Difference(NamedTuple):
    """One field that differs; ``field`` is None where it is the whole record. ``said`` is what the source
    says, ``there`` what the CRM holds."""

    ref: Ref
    object: str
    title: str
    cause: Cause
    crm_id: str | None = None
    field: str | None = None
    said: Any = None
    there: Any = None


class Judged(NamedTuple):
    standing: Standing
    differences: tuple[Difference, ...] = ()


MATCHES: Final = Judged(Standing.MATCH)
_IN_FLIGHT: Final = Judged(Standing.IN_FLIGHT)
_LEFT: Final = Judged(Standing.LEFT)


class Flight(NamedTuple):
    """What is on its way: an event of the record itself, or one that may move what it adds up to."""

    itself: bool = False
    sums: bool = False


GROUNDED: Final = Flight()


def judge(
    plan: PlannedWrite, mapping: MappingFile, link: Link | None, found: Found, flight: Flight = GROUNDED
) -> Judged:
    """How a record stands, by what a sync would do with it now."""
    if plan.action is Action.SKIP:
        return _IN_FLIGHT if plan.reason is Reason.STALE else _LEFT
    differences = (*_of_plan(plan, mapping, link), *_twins(plan, mapping, found))
    if not differences:
        return MATCHES
    if flight.itself or (flight.sums and _are_sums(differences, mapping)):
        return _IN_FLIGHT
    return Judged(Standing.DIFFERS, differences)


def without_source(ref: Ref, object_: str, crm_id: str) -> Difference:
    """A CRM record that is tied to a source record which is not there any more."""
    return Difference(ref, object_, ref.id, Cause.NO_SOURCE, crm_id)


def _of_plan(plan: PlannedWrite, mapping: MappingFile, link: Link | None) -> Iterator[Difference]:
    whole = Difference(plan.ref, plan.object, plan.title, Cause.MISSING, plan.crm_id)
    if plan.action is Action.FAIL:
        yield whole._replace(cause=Cause.FAILING, said=str(plan.error) if plan.error else None)
    elif plan.action is Action.CREATE or plan.restores:
        yield whole._replace(crm_id=None)
    elif plan.action is Action.UPDATE:
        before, ownership = plan.before or {}, mapping.ownership
        for name, said in plan.values.items():
            there = before.get(name)
            cause = _cause(ownership[name], name, there, link)
            yield whole._replace(cause=cause, field=name, said=said, there=there)


def _cause(own: Own, name: str, there: Any, link: Link | None) -> Cause:
    memory = link.memory if link else {}
    wrote = name in memory and not remembers(memory, name, value_hash(first_of(there)))
    return Cause.DRIFT if own is Own.ALWAYS and wrote else Cause.BEHIND


def _twins(plan: PlannedWrite, mapping: MappingFile, found: Found) -> Iterator[Difference]:
    """Living CRM records beside its own that say they are the same record."""
    identity = {key.field for key in mapping.match if key.identity}
    others = {
        row.id: (field, row.values.get(field))
        for field, rows in found.by_key
        if field in identity
        for row in rows
        if not row.deleted and row.id != plan.crm_id and row.values.get(field) is not None
    }
    for id_, (field, value) in others.items():
        yield Difference(
            plan.ref, plan.object, plan.title, Cause.DUPLICATE, id_, field, there=key_text(value)
        )


def _are_sums(differences: Sequence[Difference], mapping: MappingFile) -> bool:
    """Whether all of it is what payments add up to."""
    sums = {rule.spec.name for rule in mapping.fields if rule.source.startswith("payments.")}
    return all(one.field in sums for one in differences)


Standings = dict[str, dict[str, int]]
"""Object → standing → how many; absent means none."""


def count(standings: Mapping[str, Mapping[str, int]], standing: Standing) -> int:
    """How many records of all objects stand so."""
    return sum(of.get(standing.value, 0) for of in standings.values())


def share(standings: Mapping[str, Mapping[str, int]]) -> float | None:
    """The share of records in step of those that have to be; None where there are none."""
    good, bad = count(standings, Standing.MATCH), count(standings, Standing.DIFFERS)
    return good / (good + bad) if good + bad else None
