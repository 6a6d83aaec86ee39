"""A block of source records beside the CRM as it is: the steps of the road up to the plan, and no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connector.core.case import Known
from connector.core.mapping import Mapping
from connector.core.matching import plan_write
from connector.core.plan import Action, Found, Link, Taken, fingerprint, plan_from_link
from connector.core.reconciling import Difference, Flight, Judged, Standing, judge
from connector.core.records import Page, Ref, iso
from connector.core.sales import KINDS as SALES
from connector.store import differences, links
from connector.sync import looking, parents, recalling, selling
from connector.sync.looking import Sight
from connector.sync.scope import Item, Scope

_FRESH = timedelta(minutes=5)
"""What changed at the source so short a while ago may be on its way without anybody knowing yet."""


@dataclass(slots=True)
class Findings:
    """What a block came to: how many stand how, what differs, and the links that were compared."""

    standings: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    links: list[int] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """Count one record."""
        name = judged.standing.value
        self.standings[name] = self.standings.get(name, 0) + 1
        self.differences.extend(judged.differences)


def judged(scope: Scope, mapping: Mapping, pages: Sequence[Page], number: int, seen: set[Ref]) -> Findings:
    """Compare every record of these pages, but those that this comparison has met before."""
    items = recalling.map_pages(mapping, selling.with_sums(scope, mapping, pages), seen)
    _recall(scope, mapping, items)
    items = _new(scope, items, number)
    _decide(scope, mapping, items)
    sight = looking.look(scope, mapping, items)
    flights = _flights(scope, mapping, items)
    taken: Taken = {}
    findings = Findings()
    for item in items:
        _plan(item, mapping, sight, taken)
        if item.link and item.link.id is not None:
            findings.links.append(item.link.id)
        if item.plan is not None:
            found = sight.found.get(item.ref, Found())
            findings.add(judge(item.plan, mapping, item.link, found, flights(item)))
    return findings


def _recall(scope: Scope, mapping: Mapping, items: list[Item]) -> None:
    """The links of all of them: one that a rule leaves out now may be in the CRM since it did not."""
    with scope.database.reading() as session:
        known = links.find(session, scope.run.workspace_id, mapping.object.name, [item.ref for item in items])
    for item in items:
        item.link = known.get(item.ref)
    recalling.recall_memory(scope, items)


def _new(scope: Scope, items: list[Item], number: int) -> list[Item]:
    ids = [item.link.id for item in items if item.link and item.link.id is not None]
    with scope.database.reading() as session:
        known = differences.compared(session, scope.run.workspace_id, ids, number)
    return [item for item in items if item.link is None or item.link.id not in known]


def _decide(scope: Scope, mapping: Mapping, items: list[Item]) -> None:
    """What needs no look at the CRM. A parent that is not there is not brought in: it differs itself."""
    parents.resolve(scope, mapping, items, lambda _mapping, _page: None)
    for item in items:
        if item.plan is None and item.mapped is not None:
            item.print_ = fingerprint(item.values)
            plan = plan_from_link(item.mapped, item.print_, item.link)
            item.plan = plan if plan is not None and plan.action is Action.SKIP else None


def _plan(item: Item, mapping: Mapping, sight: Sight, taken: Taken) -> None:
    if item.plan is not None or item.mapped is None:
        return
    known = Known(
        item.link or Link(item.ref, mapping.object.name),
        sight.found.get(item.ref, Found()),
        item.print_,
        item.new_id,
        taken,
        item.next_id,
        item.asked.decision if item.asked else None,
        sight.holders_of(item),
    )
    item.plan = plan_write(item.mapped, item.values, mapping, known)


class _Flights:
    """What is on its way of the records of a block."""

    def __init__(self, ids: set[str], sums: bool, fresh: str) -> None:
        self._ids = ids
        self._sums = sums
        self._fresh = fresh

    def __call__(self, item: Item) -> Flight:
        at = item.mapped.updated_at if item.mapped else None
        return Flight(item.ref.id in self._ids or (at is not None and at >= self._fresh), self._sums)


def _flights(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> _Flights:
    run, now = scope.run, scope.clock()
    whose = (run.workspace_id, run.connection_id)
    with scope.database.reading() as session:
        ids = differences.on_their_way(session, *whose, [item.ref.id for item in items], now)
        sums = mapping.kind == selling.PARENT and differences.sums_on_their_way(session, *whose, SALES)
    return _Flights(ids, sums, iso(now - _FRESH))


def absent(findings: Findings, difference: Difference) -> None:
    """Count a CRM record whose source record is not there any more."""
    findings.add(Judged(Standing.NO_SOURCE, (difference,)))
