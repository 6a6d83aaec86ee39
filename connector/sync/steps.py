"""A block of source pages on the one road: map, recall, look, plan, claim, apply, settle, keep.

A block is what one look-up of the CRM covers, about a thousand records. It is settled in windows of
whole pages: the outcomes, links and counts of a window and the cursor after its last page are saved in
one transaction. A worker killed anywhere costs at most one window, and none of it is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from connector.core import outcomes as core_outcomes
from connector.core.mapping import LinkRule, Mapping, OnMissing, map_record
from connector.core.outcomes import Outcome, WriteResult, settle
from connector.core.plan import (
    Action,
    Found,
    Link,
    LinkState,
    PlannedWrite,
    Reason,
    Taken,
    fingerprint,
    own_id,
    plan_failure,
    plan_from_link,
    plan_write,
    value_hash,
)
from connector.core.records import AbsentRecord, BadRecord, MappedRecord, Page, Ref, SourceRecord, Values
from connector.errors import ConnectorError, ParentMissingError, RecordError, TryLaterError
from connector.ports import Clock, Reader, Seek, Writer
from connector.store import links, runs
from connector.store.db import Database, Session
from connector.store.links import Claimed

_CLAIM = timedelta(seconds=120)  # longer than the slowest write with its repeats

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Scope:
    """One job's view of the run it works on. ``run`` is replaced as its progress is saved."""

    database: Database
    mappings: tuple[Mapping, ...]
    reader: Reader
    writer: Writer
    clock: Clock
    owner: str
    lease: timedelta
    run: runs.Run

    def claims(self, mapping: Mapping) -> Claimed:
        """What this run claims when it writes records of this mapping."""
        run = self.run
        return Claimed(run.workspace_id, run.connection_id, mapping.source, mapping.kind, mapping.object.name)


@dataclass(slots=True)
class Item:
    """One record on its way through a block. ``plan`` is set as soon as it is decided."""

    ref: Ref
    page: int
    mapped: MappedRecord | None = None
    values: Values = field(default_factory=dict)
    link: Link | None = None
    plan: PlannedWrite | None = None
    warnings: tuple[str, ...] = ()
    new_id: str = ""
    quick: bool = False
    result: WriteResult | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The place to resume from once a window is saved."""

    kind: str
    cursor: str | None
    last: bool


Advance = Callable[[Progress | None], dict[str, Any]]
"""From the place after a window (None: stay) to the run's checkpoint."""


def process(scope: Scope, mapping: Mapping, pages: Sequence[Page], advance: Advance) -> None:
    """Take whole pages of one kind through the road; what they wrote is saved when this returns.

    Raises TryLaterError and the run-level errors of the ports; a window that was cut off is safe to repeat.
    """
    items = _map(mapping, pages)
    _recall(scope, mapping, items)
    _resolve_parents(scope, mapping, items)
    _decide_from_links(items)
    _recall_memory(scope, items)
    found = _look(scope, mapping, items)
    taken: Taken = {}
    for window, place in _windows(scope, mapping, pages, items, found, taken):
        _write(scope, mapping, window)
        _keep(scope, mapping, window, advance(place))


# --- map


def _map(mapping: Mapping, pages: Sequence[Page]) -> list[Item]:
    items: list[Item] = []
    seen: set[Ref] = set()
    for number, page in enumerate(pages):
        for record in page.items:
            item = Item(record.ref, number)
            _map_one(item, record, mapping, seen)
            items.append(item)
    return items


def _map_one(
    item: Item, record: SourceRecord | BadRecord | AbsentRecord, mapping: Mapping, seen: set[Ref]
) -> None:
    if isinstance(record, AbsentRecord):
        item.plan, item.quick = _skip(record.ref, mapping, Reason.GONE), True
        return
    if isinstance(record, BadRecord):
        item.plan = plan_failure(record.ref, mapping.object.name, _as_ours(record.ref, record.error))
        item.quick = record.ref in seen or not record.ref.id  # nothing to remember it by
        seen.add(record.ref)
        return
    if record.ref in seen:
        item.plan = _skip(record.ref, mapping, Reason.DUPLICATE)
        return
    seen.add(record.ref)
    try:
        item.mapped = map_record(record, mapping)
    except RecordError as error:
        item.plan = plan_failure(record.ref, mapping.object.name, error)
    except Exception as error:
        log.exception("a record could not be mapped", ref=str(record.ref))
        item.plan = plan_failure(record.ref, mapping.object.name, _as_ours(record.ref, error))
    else:
        if item.mapped is None:
            item.plan = _skip(record.ref, mapping, Reason.FILTERED)
        else:
            item.values = dict(item.mapped.values)


def _as_ours(ref: Ref, error: Exception) -> ConnectorError:
    if isinstance(error, ConnectorError):
        return error
    return RecordError(
        f"{ref}: a defect of the connector ({type(error).__name__}).",
        code="internal",
        remedy="Report it: the engineer finds the details in the log under this record's id.",
    )


def _skip(ref: Ref, mapping: Mapping, reason: Reason) -> PlannedWrite:
    return PlannedWrite(ref, Action.SKIP, mapping.object.name, reason=reason, title=ref.id)


# --- recall


def _recall(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    refs = [item.ref for item in items if item.plan is None or item.plan.action is Action.FAIL]
    with scope.database.reading() as session:
        known = links.find(session, scope.run.workspace_id, mapping.object.name, refs, owner=scope.run.id)
    for item in items:
        item.link = known.get(item.ref)


def _recall_memory(scope: Scope, items: Sequence[Item]) -> None:
    """What we wrote last, for the few that may be written again."""
    linked = {item.link.id: item for item in items if not item.quick and item.link and item.link.crm_id}
    if not linked:
        return
    with scope.database.reading() as session:
        known = links.memories(session, scope.run.workspace_id, [id_ for id_ in linked if id_ is not None])
    for id_, item in linked.items():
        if item.link is not None and id_ is not None:
            item.link = item.link._replace(memory=known.get(id_, item.link.memory))


# --- parents


def _resolve_parents(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    for rule in mapping.links:
        wanted = _parents_of(items, rule)
        if wanted:
            known = _parent_links(scope, rule, wanted)
            for item in items:
                _point(item, rule, known)


def _parents_of(items: Sequence[Item], rule: LinkRule) -> list[Ref]:
    refs: dict[Ref, None] = {}
    for item in items:
        if item.plan is None and item.mapped is not None:
            refs.update({ref: None for name, ref in item.mapped.parents if name == rule.spec.name and ref})
    return list(refs)


def _parent_links(scope: Scope, rule: LinkRule, wanted: list[Ref]) -> dict[Ref, Link]:
    known = _born(scope, rule, wanted)
    missing = [ref for ref in wanted if ref not in known]
    if not missing or rule.on_missing is not OnMissing.FETCH:
        return known
    _fetch_parents(scope, rule, missing)
    return known | _born(scope, rule, missing)


def _born(scope: Scope, rule: LinkRule, refs: list[Ref]) -> dict[Ref, Link]:
    """The parents' links, without those that a killed worker claimed for a create and never settled."""
    with scope.database.reading() as session:
        known = links.find(session, scope.run.workspace_id, rule.spec.target or "", refs)
    return {
        ref: link
        for ref, link in known.items()
        if link.crm_id is not None or link.state is not LinkState.LINKED
    }


def _fetch_parents(scope: Scope, rule: LinkRule, missing: Sequence[Ref]) -> None:
    """Bring absent parents into the CRM first; one that the source does not have stays absent."""
    fetched = scope.reader.fetch(rule.kind, [ref.id for ref in missing])
    mapping = next(
        one for one in scope.mappings if one.kind == rule.kind and one.object.name == rule.spec.target
    )
    wanted = tuple(record for record in fetched.values() if not _is_left_out(record, mapping))
    if wanted:
        page = Page(wanted, None, last=False)
        process(scope, mapping, [page], lambda _place: scope.run.checkpoint)


def _is_left_out(record: SourceRecord | BadRecord, mapping: Mapping) -> bool:
    # It has no link by which it would be known: told at each of its children, it would be counted again.
    with suppress(Exception):  # what is wrong with it is told on the road
        return isinstance(record, SourceRecord) and map_record(record, mapping) is None
    return False


def _point(item: Item, rule: LinkRule, known: dict[Ref, Link]) -> None:
    if item.plan is not None or item.mapped is None:
        return
    for name, ref in item.mapped.parents:
        if name != rule.spec.name:
            continue
        if ref is None:
            item.values[name] = None
        else:
            _point_at(item, rule, ref, known.get(ref))


def _point_at(item: Item, rule: LinkRule, ref: Ref, parent: Link | None) -> None:
    name = rule.spec.name
    if parent is not None and parent.crm_id and parent.state in (LinkState.LINKED, LinkState.FAILED):
        item.values[name] = parent.crm_id
    elif parent is not None and parent.state is LinkState.FAILED:
        error = ParentMissingError(f"{item.ref}: its {ref} failed, so {name} has nothing to point at.")
        item.plan = plan_failure(item.ref, item.mapped.object if item.mapped else "", error)
    elif parent is None and rule.on_missing is OnMissing.SKIP:
        item.plan = PlannedWrite(
            item.ref, Action.SKIP, item.mapped.object if item.mapped else "", reason=Reason.FILTERED
        )
    elif parent is None:
        item.values[name] = None
        item.warnings += (f"{name} is left empty: there is no {ref}, or its mapping leaves it out.",)
    else:  # it waits for a person, or a person deleted it: written without, linked later
        item.warnings += (f"{name} is left as it is: its {ref} is not in the CRM ({parent.state.value}).",)


# --- decide from links, look


def _decide_from_links(items: Sequence[Item]) -> None:
    for item in items:
        if item.plan is None and item.mapped is not None:
            item.plan = plan_from_link(item.mapped, fingerprint(item.values), item.link)
            item.quick = item.plan is not None


def _look(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> dict[Ref, Found]:
    seeks = []
    for item in items:
        if item.plan is None and item.mapped is not None:
            item.new_id = _new_id(scope, mapping, item)
            known = item.link.crm_id if item.link else None
            seeks.append(Seek.of(item.mapped, known or item.new_id, linked=known is not None))
    return scope.writer.look(mapping, seeks) if seeks else {}


def _new_id(scope: Scope, mapping: Mapping, item: Item) -> str:
    generation = item.link.generation if item.link else 0
    return own_id(scope.run.workspace_id, item.ref, mapping.object.name, generation)


# --- windows


def _windows(
    scope: Scope,
    mapping: Mapping,
    pages: Sequence[Page],
    items: Sequence[Item],
    found: dict[Ref, Found],
    taken: Taken,
) -> Iterator[tuple[list[Item], Progress]]:
    """Whole pages, gathered until they hold a full batch of writes."""
    window: list[Item] = []
    writes, at = 0, 0
    full = max(scope.writer.batch_size(), 200)
    for number, page in enumerate(pages):
        while at < len(items) and items[at].page == number:
            item = items[at]
            _plan(scope, mapping, item, found, taken)
            writes += item.plan is not None and item.plan.action in (Action.CREATE, Action.UPDATE)
            window.append(item)
            at += 1
        if writes >= full or number == len(pages) - 1:
            yield window, Progress(mapping.kind, page.cursor, page.last)
            window, writes = [], 0


def _plan(scope: Scope, mapping: Mapping, item: Item, found: dict[Ref, Found], taken: Taken) -> None:
    if item.plan is not None or item.mapped is None:
        return
    item.plan = plan_write(
        item.mapped,
        item.values,
        mapping,
        item.link or Link(item.ref, mapping.object.name),
        found.get(item.ref, Found()),
        new_id=item.new_id,
        taken=taken,
    )


# --- claim, apply


def _write(scope: Scope, mapping: Mapping, window: Sequence[Item]) -> None:
    moving = [item for item in window if _moves_link(item)]
    if not moving:
        return
    now = scope.clock()
    with scope.database.transaction() as session:
        claimed = links.claim(
            session,
            scope.claims(mapping),
            [item.ref for item in moving],
            owner=scope.run.id,
            now=now,
            until=now + _CLAIM,
        )
    for item in moving:
        _check_unmoved(item, claimed[item.ref])
        item.link = item.link or claimed[item.ref]
    _apply(scope, mapping, moving, now)


def _moves_link(item: Item) -> bool:
    plan = item.plan
    return plan is not None and not item.quick and plan.reason not in (Reason.FILTERED, Reason.DUPLICATE)


def _check_unmoved(item: Item, now: Link) -> None:
    before = (item.link.crm_id, item.link.fingerprint) if item.link else (None, None)
    if before != (now.crm_id, now.fingerprint):
        raise TryLaterError(f"{item.ref} was written by another job meanwhile.", after=0.5, code="claimed")


def _apply(scope: Scope, mapping: Mapping, moving: Sequence[Item], now: datetime) -> None:
    stamps = {spec.name: _iso(now) for spec in mapping.stamps}
    writes = {
        item.ref: item.plan._replace(values={**item.plan.values, **stamps})
        for item in moving
        if item.plan is not None and item.plan.action in (Action.CREATE, Action.UPDATE)
    }
    if not writes:
        return
    results = scope.writer.apply(mapping, list(writes.values()))
    if [result.ref for result in results] != list(writes):
        raise AssertionError("the writer's results do not match its writes")
    by_ref = {result.ref: result for result in results}
    for item in moving:
        item.result = by_ref.get(item.ref)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- settle, keep


def _keep(scope: Scope, mapping: Mapping, window: Sequence[Item], checkpoint: dict[str, Any]) -> None:
    settled = [_settle(item) for item in window]
    now = scope.clock()
    counts = core_outcomes.add(scope.run.counts, core_outcomes.tally(settled))
    choices = _add_choices(scope.run.unknown_choices, window)
    progress: dict[str, Any] = {
        "counts": counts,
        "unknown_choices": choices,
        "checkpoint": checkpoint,
        "lease_until": now + scope.lease,
    }
    with scope.database.transaction() as session:
        _keep_links(scope, session, window)
        runs.log(session, scope.run, settled, now)
        runs.save(session, scope.run, owner=scope.owner, **progress)
    progress["checkpoint_version"] = scope.run.checkpoint_version + 1
    scope.run = replace(scope.run, **progress)


def _settle(item: Item) -> Outcome:
    if item.plan is None:
        raise AssertionError(f"{item.ref} left the road without a plan")
    plan = item.plan
    if item.warnings:
        plan = plan._replace(warnings=plan.warnings + item.warnings)
    if "\x00" in plan.title:  # PostgreSQL takes none in text, and one would keep the whole window out
        plan = plan._replace(title=plan.title.replace("\x00", ""))
    return settle(plan, item.result)


def _keep_links(scope: Scope, session: Session, window: Sequence[Item]) -> None:
    number = scope.run.number
    rows = [_link_row(item, number) for item in window if _moves_link(item)]
    links.keep(session, scope.run.id, rows)
    seen = [item.link.id for item in window if item.quick and item.link and item.link.id is not None]
    links.see(session, scope.run.workspace_id, seen, number)


def _link_row(item: Item, run: int) -> dict[str, Any]:
    plan, link, result = item.plan, item.link, item.result
    if plan is None or link is None:
        raise AssertionError(f"{item.ref} is kept without a claim")
    failed = plan.action is Action.FAIL or (result is not None and result.error is not None)
    written = plan.action in (Action.CREATE, Action.UPDATE, Action.NOTHING) and not failed
    return {
        "link_id": link.id,
        "crm_id": plan.crm_id if written else link.crm_id,
        "state": LinkState.FAILED.value if failed else plan.state.value,
        "fingerprint": plan.fingerprint if written else None,
        "source_updated_at": plan.updated_at if written else link.source_updated_at,
        "memory": _memory(item, run) if written else dict(link.memory),
        "crm_created_at": (result.created_at if result else plan.created_at) or link.crm_created_at,
        "crm_updated_at": result.updated_at if result else None,
        "seen_run": run,
    }


def _memory(item: Item, run: int) -> dict[str, Any]:
    if item.plan is None or item.link is None:
        return {}
    ours = {name: (value_hash(item.values[name]), run) for name in item.plan.memory}
    return {**item.link.memory, **ours} if item.link.memory else ours


def _add_choices(known: dict[str, dict[str, int]], window: Sequence[Item]) -> dict[str, dict[str, int]]:
    found = [pair for item in window if item.mapped for pair in item.mapped.unknown_choices]
    if not found:
        return known
    total = {name: dict(values) for name, values in known.items()}
    for name, value in found:
        values = total.setdefault(name, {})
        values[value] = values.get(value, 0) + 1
    return total
