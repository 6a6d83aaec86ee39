"""One round of events of one connection: understood, brought down to records, written, settled.

An event is done when its record is in line, whatever that took; it fails with its record, and is parked
when that has failed often enough. What cannot be written now leaves its events as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from connector.core import mapping as core
from connector.core.events import Told, newest
from connector.core.outcomes import Outcome, Result
from connector.core.records import AbsentRecord, BadRecord, Page, Ref, SourceRecord, iso
from connector.core.sales import Sale, sale
from connector.errors import ConnectorError, RecordError, TryLaterError
from connector.store import links
from connector.store.inbox import InboxEvent
from connector.sync import noting, selling, steps
from connector.sync.endings import Endings
from connector.sync.scope import Scope

log = structlog.get_logger(__name__)

Item = SourceRecord | BadRecord | AbsentRecord


@dataclass(slots=True)
class _Round:
    """What a round has understood.

    ``of`` has the events of each record, ``tells`` what each event tells, ``found`` the records as they are.
    ``behind`` has what an old event about a payment is really about: the payment's refunds or disputes.
    """

    scope: Scope
    endings: Endings
    of: dict[Ref, list[InboxEvent]] = field(default_factory=dict)
    behind: dict[int, list[Told]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    tells: dict[int, Told] = field(default_factory=dict)
    found: dict[Ref, SourceRecord] = field(default_factory=dict)

    def learn(self, items: Iterable[Item]) -> None:
        """Remember what was read."""
        self.found.update((item.ref, item) for item in items if isinstance(item, SourceRecord))


def take(scope: Scope, events: Sequence[InboxEvent]) -> None:
    """Bring the records of these events in line.

    Raises TryLaterError and the run-level errors of the ports; the events that were not settled by then are
    pending still.
    """
    round_ = _Round(scope, Endings(scope))
    try:
        _take(round_, events)
    except ConnectorError:
        round_.endings.write_down()
        raise


def _take(round_: _Round, events: Sequence[InboxEvent]) -> None:
    for event in events:
        _understand(round_, event)
    dirty = _keep_sales(round_)
    round_.endings.write_down()
    for mapping in round_.scope.mappings:
        told = [one for one in round_.told if one.ref is not None and one.ref.kind == mapping.kind]
        owing = dirty if mapping.kind == selling.PARENT else {}
        if told or owing:
            _bring(round_, mapping, told, owing)
            round_.endings.write_down()


def _understand(round_: _Round, event: InboxEvent) -> None:
    """File an event under its record, or settle it where there is nothing to do."""
    try:
        told = round_.scope.reader.told(event.body)
    except RecordError as error:
        round_.endings.fail([event], error, parked=True)
        return
    kinds = {mapping.kind for mapping in round_.scope.mappings} | set(round_.scope.kept)
    if told.ref is None or told.ref.kind not in kinds:
        round_.endings.end([event], "ignored", _unwanted(told))
        return
    round_.told.append(told)
    round_.tells[event.id or 0] = told
    round_.of.setdefault(told.ref, []).append(event)


def _unwanted(told: Told) -> str:
    if told.chat or told.writer:
        return "chat"
    return "unknown" if told.ref is None else "not_mapped"


def _keep_sales(round_: _Round) -> dict[Ref, None]:
    """Keep what payments, refunds and disputes tell; the memberships whose sums moved with them.

    Their events go the way of the membership: that is where what they tell is seen. One that belongs to
    none is done when it is kept.
    """
    scope, dirty = round_.scope, dict[Ref, None]()
    for kind in scope.kept:
        told = [one for one in round_.told if one.ref is not None and one.ref.kind == kind]
        if told:
            kept = _kept(round_, kind, told)
            if kind == "payment":
                _keep_behind(round_, told)
            dirty.update(_owed(round_, kept, [one.ref for one in told if one.ref is not None]))
    return dirty


def _kept(round_: _Round, kind: str, told: Sequence[Told]) -> list[Sale]:
    """What these events are about, as it is now; with a refund or a dispute goes its payment."""
    scope, work = round_.scope, newest(told, {})
    found = [*work.use.values(), *(_fetched(scope, kind, work.read) if scope.reader.may_read(kind) else ())]
    round_.learn(found)
    kept = [sale(item) for item in found if isinstance(item, SourceRecord)]
    payments = {one.payment_id: None for one in kept if kind != "payment" and one.payment_id}
    paid = [
        item
        for item in scope.reader.fetch("payment", list(payments)).values()
        if isinstance(item, SourceRecord)
    ]
    with scope.database.transaction() as session:
        selling.keep(scope, session, [*found, *paid])
    return [*kept, *map(sale, paid)]


def _keep_behind(round_: _Round, told: Iterable[Told]) -> None:
    """Old events tell of a refund or a dispute by showing its payment: those are read, and kept too."""
    scope, known = round_.scope, dict[tuple[str, str], list[SourceRecord]]()
    for one in told:
        kind = one.name.partition(".")[0]
        if kind in ("refund", "dispute") and one.ref is not None and scope.reader.may_read(kind):
            key = (kind, one.ref.id)
            if key not in known:
                items = scope.reader.behind(*key)
                known[key] = [item for item in items if isinstance(item, SourceRecord)]
                with scope.database.transaction() as session:
                    selling.keep(scope, session, known[key])
            round_.learn(known[key])
            really = [replace(one, ref=item.ref, record=item, complete=True) for item in known[key]]
            round_.behind.update((id_, really) for id_, tells in round_.tells.items() if tells is one)


def _owed(round_: _Round, kept: Sequence[Sale], refs: Sequence[Ref]) -> dict[Ref, None]:
    memberships = {one.payment_id: one.membership_id for one in kept if one.kind == "payment"}
    of = {one.id: memberships.get(one.payment_id) for one in kept}
    dirty: dict[Ref, None] = {}
    for ref in dict.fromkeys(refs):
        events, owner = round_.of.pop(ref, []), of.get(ref.id)
        if owner is None:
            round_.endings.end(events, "done", None if ref.id in of else "gone")
        else:
            parent = Ref(ref.source, selling.PARENT, owner)
            round_.of.setdefault(parent, []).extend(events)
            dirty[parent] = None
    return dirty


def _bring(round_: _Round, mapping: core.Mapping, told: Sequence[Told], owing: Mapping[Ref, None]) -> None:
    scope = round_.scope
    refs = list({one.ref: None for one in told if one.ref is not None})
    scope.reader.forget(mapping.kind, [ref.id for ref in refs])
    work = newest(told, _known(scope, mapping, refs))
    for ref in owing:
        if ref not in work.use:
            work.read[ref] = None
            work.stale.pop(ref, None)
    sought = {one.ref: one.sought for one in told if one.ref is not None and one.sought}
    records = [*work.use.values(), *_fetched(scope, mapping.kind, work.read, sought)]
    round_.learn(records)
    done: dict[Ref, str | None] = dict.fromkeys(work.stale, "stale")
    for ref, outcome in _process(scope, mapping, records).items():
        if _is_through(round_, ref, outcome):
            done[ref] = outcome.reason if outcome else None
    _end(round_, mapping, done)


def _end(round_: _Round, mapping: core.Mapping, done: Mapping[Ref, str | None]) -> None:
    """The events of records that are in line leave their notes, and are done."""
    ended = [(ref, event) for ref in done for event in round_.of.get(ref, ())]
    happened = [one for ref, event in ended for one in _happened(round_, ref, event)]
    failed = noting.leave(round_.scope, mapping, happened)
    for ref, event in ended:
        if (error := failed.get(event.id or 0)) is not None:
            round_.endings.fail([event], error)
        else:
            round_.endings.end([event], "done", done[ref])


def _happened(round_: _Round, ref: Ref, event: InboxEvent) -> Iterator[noting.Happened]:
    id_, found = event.id or 0, round_.found
    owner = found.get(ref) or round_.tells[id_].record
    for told in round_.behind.get(id_) or [round_.tells[id_]]:
        record = found.get(told.ref or ref)
        yield noting.Happened(id_, told, iso(event.received_at), record, ref, owner, event.quiet)


def _known(scope: Scope, mapping: core.Mapping, refs: Sequence[Ref]) -> dict[Ref, str]:
    """When each record had changed that was brought in line last."""
    with scope.database.reading() as session:
        found = links.find(session, scope.run.workspace_id, mapping.object.name, refs)
    return {ref: link.source_updated_at for ref, link in found.items() if link.source_updated_at}


def _fetched(
    scope: Scope, kind: str, refs: Iterable[Ref], sought: Mapping[Ref, str] | None = None
) -> list[Item]:
    """These records as they are on Whop now; by the id in ``sought`` where that finds the same record."""
    wanted, others = list(refs), sought or {}
    if not wanted:
        return []
    many = scope.reader.fetch(kind, [others[ref] for ref in wanted if ref in others])
    found = {record.ref: record for record in many.values()}
    single = scope.reader.fetch(kind, [ref.id for ref in wanted if ref not in found])
    return [found.get(ref) or single.get(ref.id) or AbsentRecord(ref) for ref in wanted]


def _process(scope: Scope, mapping: core.Mapping, records: Sequence[Item]) -> dict[Ref, Outcome | None]:
    """What became of each record; None for one that another job is at just now."""
    if not records:
        return {}
    found: dict[Ref, Outcome | None] = {}
    outcomes = scope.outcomes = {}
    try:
        steps.process(
            scope, mapping, [Page(tuple(records), None, last=False)], lambda _: scope.run.checkpoint
        )
    except TryLaterError as error:
        if error.code != "claimed":
            raise
        if len(records) > 1:
            return _halves(scope, mapping, records)
        return {records[0].ref: None}
    except ConnectorError:
        raise
    except Exception as error:
        # A defect that one of these records meets must not hold the others up: each for itself, and the
        # one that meets it again fails by it.
        log.exception("a round of events broke off", records=len(records))
        if len(records) > 1:
            return _halves(scope, mapping, records)
        outcomes[records[0].ref] = _defect(mapping, records[0].ref, error)
    found.update(outcomes)
    return found


def _halves(scope: Scope, mapping: core.Mapping, records: Sequence[Item]) -> dict[Ref, Outcome | None]:
    middle = len(records) // 2
    return {
        **_process(scope, mapping, records[:middle]),
        **_process(scope, mapping, records[middle:]),
    }


def _defect(mapping: core.Mapping, ref: Ref, error: Exception) -> Outcome:
    told = RecordError(
        f"{ref}: a defect of the connector ({type(error).__name__}).",
        code="internal",
        remedy="Report it: the engineer finds the details in the log under this record's id.",
    )
    return Outcome(ref, mapping.object.name, Result.FAILED, error=told)


def _is_through(round_: _Round, ref: Ref, outcome: Outcome | None) -> bool:
    """Whether a record is in line, and its events are done with it; otherwise they go its way."""
    events = round_.of.get(ref, [])  # none: a parent that was brought in on the way
    if outcome is None:
        round_.endings.put_off(events)
    elif outcome.error is not None:
        round_.endings.fail(events, outcome.error)
    return bool(events) and outcome is not None and outcome.error is None
