"""What a sync would do, told record by record, with nothing written: to the CRM, to links or to checkpoints.

Records go the road of a sync up to its plan. What they point at and is not in the CRM yet is thought of as
brought in. A record whose link says that it is in step is doubted where the mapping is not the one by which
it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from connector.core import outcomes as core_outcomes
from connector.core.case import Known
from connector.core.mapping import Mapping
from connector.core.matching import plan_write
from connector.core.outcomes import Outcome, Result, WriteResult, settle
from connector.core.plan import Action, Found, Link, LinkState, Reason, Taken, own_id
from connector.core.records import AbsentRecord, Page, Ref
from connector.store import previews, runs
from connector.sync import drifting, looking, parents, reading, recalling, selling, stages
from connector.sync.progress import saved
from connector.sync.scope import Item, Scope
from connector.sync.settling import add_words
from connector.sync.tools import Tools

_BLOCK: Final = 100
_PLACE: Final = ("stage", "cursor", "lately")
_WAITS: Final = {Reason.REVIEW.value, Reason.DELETED_IN_CRM.value, Reason.IGNORED.value}
_NOWHERE: Final = (Reason.FILTERED, Reason.DUPLICATE, Reason.GONE)


def work(tools: Tools, scope: Scope, until: datetime) -> bool:
    """Judge records until the time is up; True when all of them are."""
    if "refs" in scope.run.checkpoint:
        return _single(tools, scope, until)
    return all(
        _kind(tools, scope, mapping, until) for mapping in scope.mappings if stages.is_meant(scope, mapping)
    )


def judged(scope: Scope, mapping: Mapping, pages: Sequence[Page], seen: set[Ref]) -> list[Outcome]:
    """What a sync would make of these records, in their order."""
    return [_outcome(item) for item in _planned(scope, mapping, pages, seen)]


def _kind(tools: Tools, scope: Scope, mapping: Mapping, until: datetime) -> bool:
    stage, place = f"{mapping.kind}:{mapping.object.name}", scope.run.checkpoint
    done = list(place.get("done", ()))
    if stage in done:
        return True
    kept = {name: of for name, of in stages.going_on(scope).items() if name not in _PLACE}
    cursor = place.get("cursor") if place.get("stage") == stage else None
    lately = place.get("lately", ()) if place.get("stage") == stage else ()
    seen = {Ref(mapping.source, mapping.kind, id_) for id_ in lately}
    for block in reading.blocks(scope.reader, mapping.kind, cursor, tools.block_pages):
        last = block[-1]
        after: dict[str, Any] = {"done": [*done, stage]}
        if not last.last:  # what is new in the source moves the rest: at the seam of two jobs it comes again
            after = {"stage": stage, "cursor": last.cursor, "lately": [item.ref.id for item in last.items]}
        _keep(scope, _planned(scope, mapping, block, seen), {**kept, **after})
        if not last.last and (tools.clock() >= until or stages.is_to_stop(tools, scope.run)):
            return False
    if stage not in scope.run.checkpoint.get("done", ()):  # a kind without any page
        stages.save_place(scope, {**kept, "done": [*done, stage]})
    return tools.clock() < until or _is_all(scope)


def _is_all(scope: Scope) -> bool:
    done = scope.run.checkpoint.get("done", ())
    return all(
        f"{one.kind}:{one.object.name}" in done for one in scope.mappings if stages.is_meant(scope, one)
    )


def _single(tools: Tools, scope: Scope, until: datetime) -> bool:
    for mapping in scope.mappings:
        while ids := scope.run.checkpoint["refs"].get(mapping.kind, ()):
            block, rest = ids[:_BLOCK], ids[_BLOCK:]
            left = {**scope.run.checkpoint["refs"], mapping.kind: rest}
            page = fetched(scope, mapping, block)
            _keep(scope, _planned(scope, mapping, [page], set()), {**stages.going_on(scope), "refs": left})
            if tools.clock() >= until or stages.is_to_stop(tools, scope.run):
                return not any(scope.run.checkpoint["refs"].values())
    return True


def fetched(scope: Scope, mapping: Mapping, ids: Sequence[str]) -> Page:
    """These records as the source has them now."""
    found = scope.reader.fetch(mapping.kind, ids)
    refs = [Ref(mapping.source, mapping.kind, id_) for id_ in ids]
    return Page(tuple(found.get(ref.id) or AbsentRecord(ref) for ref in refs), None, last=True)


# --- one block


def _planned(scope: Scope, mapping: Mapping, pages: Sequence[Page], seen: set[Ref]) -> list[Item]:
    items = recalling.map_pages(mapping, selling.with_sums(scope, mapping, pages), seen)
    recalling.recall(scope, mapping, items)
    _recall_parents(scope, mapping, items)
    parents.resolve(scope, mapping, items, partial(_pretend, scope))
    recalling.decide_from_links(items)
    drifting.reconsider(scope, mapping, items)
    recalling.recall_memory(scope, items)
    sight = looking.look(scope, mapping, items)
    taken: Taken = {}
    for item in items:
        if item.plan is None and item.mapped is not None:
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
    return items


def _pretend(scope: Scope, mapping: Mapping, page: Page) -> None:
    """Think of parents as brought in, as far as they would be."""
    for item in _planned(scope, mapping, [page], set()):
        link = _as_if(item)
        if link is not None:
            scope.pretended[item.ref] = link


def _as_if(item: Item) -> Link | None:
    plan = item.plan
    if plan is None or plan.reason in _NOWHERE:
        return None
    failed = plan.action is Action.FAIL
    return Link(
        item.ref,
        plan.object,
        crm_id=None if failed else plan.crm_id,
        state=LinkState.FAILED if failed else plan.state,
    )


def _recall_parents(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    """Parents that this run has told of already: what they would be stands in its log."""
    for rule in mapping.links:
        refs = {ref for item in items if item.mapped for name, ref in item.mapped.parents if ref}
        wanted = [ref for ref in refs if ref.kind == rule.kind and ref not in scope.pretended]
        with scope.database.reading() as session:
            told = previews.told(
                session, scope.run.workspace_id, scope.run.number, rule.kind, [ref.id for ref in wanted]
            )
        for ref in wanted:
            if (one := told.get(ref.id)) is not None:
                scope.pretended[ref] = _from_log(scope, ref, one)


def _from_log(scope: Scope, ref: Ref, told: previews.Told) -> Link:
    if told.result == Result.FAILED.value:
        return Link(ref, told.object, state=LinkState.FAILED)
    if told.result == Result.CREATED.value:
        return Link(ref, told.object, crm_id=own_id(scope.run.workspace_id, ref, told.object))
    state = LinkState(told.reason) if told.reason and told.reason in _WAITS else LinkState.LINKED
    return Link(ref, told.object, crm_id=told.crm_id, state=state)


# --- what is kept of it


def _outcome(item: Item) -> Outcome:
    if item.plan is None:
        raise AssertionError(f"{item.ref} left the preview without a plan")
    plan = item.plan
    if item.warnings:
        plan = plan._replace(warnings=plan.warnings + item.warnings)
    if plan.action is Action.CREATE:  # there is no such record, so nothing leads to it
        return settle(plan, WriteResult(item.ref, plan.crm_id))._replace(crm_id=None)
    if plan.action is Action.UPDATE:
        return settle(plan, WriteResult(item.ref, plan.crm_id))
    known = item.link.crm_id if item.link else None
    return settle(plan if plan.crm_id else plan._replace(crm_id=known))


def _keep(scope: Scope, items: Sequence[Item], checkpoint: dict[str, Any]) -> None:
    """Tell what would become of these records, with the run's place after them, in one transaction."""
    run, now = scope.run, scope.clock()
    told = [_outcome(item) for item in items]
    words = [pair for item in items if item.mapped for pair in item.mapped.unknown_choices]
    progress: dict[str, Any] = {
        "counts": core_outcomes.add(run.counts, core_outcomes.tally(told)),
        "drift": run.drift + core_outcomes.drifted(told),
        "unknown_choices": add_words(run.unknown_choices, words),
        "checkpoint": checkpoint,
        "lease_until": now + scope.lease,
    }
    with scope.database.transaction() as session:
        runs.log(session, run, told, now)
        runs.save(session, run, owner=scope.owner, **progress)
    scope.run = replace(saved(run, **progress))
