"""The first steps: map each record, and recall what we know of it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from connector.core.ending import ends_at
from connector.core.mapping import Mapping, map_record
from connector.core.plan import (
    Action,
    PlannedWrite,
    Reason,
    fingerprint,
    plan_failure,
    plan_from_link,
)
from connector.core.records import AbsentRecord, BadRecord, Page, Ref, SourceRecord
from connector.errors import ConnectorError, RecordError
from connector.store import intents, links
from connector.sync.scope import Item, Scope

log = structlog.get_logger(__name__)


def map_pages(mapping: Mapping, pages: Sequence[Page], seen: set[Ref]) -> list[Item]:
    """An item for each record; one that is in ``seen``, which is added to, is a duplicate."""
    items: list[Item] = []
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
    item.ends_at = ends_at(record.ref.kind, record.fields)
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


def recall(scope: Scope, mapping: Mapping, items: Sequence[Item]) -> None:
    refs = [item.ref for item in items if item.plan is None or item.plan.action is Action.FAIL]
    with scope.database.reading() as session:
        known = links.find(session, scope.run.workspace_id, mapping.object.name, refs, owner=scope.run.id)
    for item in items:
        item.link = known.get(item.ref)


def recall_memory(scope: Scope, items: Sequence[Item]) -> None:
    """What we wrote last, for the few that may be written again."""
    linked = {item.link.id: item for item in items if not item.quick and item.link and item.link.crm_id}
    if not linked:
        return
    with scope.database.reading() as session:
        known = links.memories(session, scope.run.workspace_id, [id_ for id_ in linked if id_ is not None])
    for id_, item in linked.items():
        if item.link is not None and id_ is not None:
            item.link = item.link._replace(memory=known.get(id_, item.link.memory))
    _recall_intents(scope, [item for item in linked.values() if item.link and item.link.resumed])


def _recall_intents(scope: Scope, resumed: Sequence[Item]) -> None:
    """What the worker that died was about to write."""
    if not resumed:
        return
    with scope.database.reading() as session:
        known = intents.of_run(session, scope.run.workspace_id, scope.run.number)
    for item in resumed:
        item.ahead = known.get((item.ref.kind, item.ref.id))


def as_it_was_written(item: Item, plan: PlannedWrite) -> PlannedWrite:
    """The plan of an update that is done already, with what it wrote and over what."""
    if item.ahead is None or plan.finished is not Action.UPDATE or plan.action is not Action.NOTHING:
        return plan
    before, after, reason, drift = item.ahead
    return plan._replace(before=before, values=after, reason=plan.reason or reason, drift=tuple(drift))


def decide_from_links(items: Sequence[Item]) -> None:
    for item in items:
        if item.plan is None and item.mapped is not None:
            item.print_ = fingerprint(item.values)
            item.plan = plan_from_link(item.mapped, item.print_, item.link)
            item.quick = item.plan is not None
