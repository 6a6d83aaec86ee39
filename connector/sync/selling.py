"""Payments on the side of the road: kept as they are read, and added up for the memberships they belong to.

They come before the memberships, so that one pass writes both. Sums are unknown, and write nothing, until
every payment was read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from connector.core import outcomes as core_outcomes
from connector.core.mapping import Mapping
from connector.core.outcomes import failed
from connector.core.records import AbsentRecord, BadRecord, Page, SourceRecord
from connector.core.sales import roll_up, sale
from connector.store import connections, runs, sales
from connector.store.db import Session
from connector.sync import noting
from connector.sync.progress import saved
from connector.sync.scope import Scope
from connector.sync.settling import add_words

log = structlog.get_logger(__name__)

PARENT: Final = "membership"
"""The kind that payments add up for."""


def keep_pages(
    scope: Scope, kind: str, pages: Sequence[Page], checkpoint: dict[str, Any], *, last: bool
) -> None:
    """Keep pages of payments, refunds or disputes with the run's place after them. ``last``: of all kinds.

    Of each record only what is added up: they are many, and hold more of the buyer than anybody needs.
    """
    _keep_pages(scope, kind, pages, checkpoint, last=last)
    scope.sales_known = scope.sales_known or last


def keep_changed(scope: Scope, kind: str, pages: Sequence[Page], checkpoint: dict[str, Any]) -> None:
    """Keep pages of what moved lately, and note in the run's place whose sums that changes: under ``owed``
    the memberships of payments that differ from what was kept, and the payments of refunds and disputes.
    """
    run = scope.run
    found = [sale(item) for page in pages for item in page.items if isinstance(item, SourceRecord)]
    with scope.database.reading() as session:
        moved = sales.differing(session, run.workspace_id, run.connection_id, found)
    of = PARENT if kind == "payment" else "payment"
    ids = [one.membership_id if kind == "payment" else one.payment_id for one in moved]
    owed = checkpoint.get("owed", {})
    more = dict.fromkeys([*owed.get(of, ()), *filter(None, ids)])
    _keep_pages(scope, kind, pages, {**checkpoint, "owed": {**owed, of: list(more)}})


def _keep_pages(
    scope: Scope, kind: str, pages: Sequence[Page], checkpoint: dict[str, Any], *, last: bool = False
) -> None:
    run, now = scope.run, scope.clock()
    items = [item for page in pages for item in page.items]
    bad = [failed(item, kind) for item in items if isinstance(item, BadRecord)]
    counts = core_outcomes.add(run.counts, core_outcomes.tally(bad))
    progress: dict[str, Any] = {"counts": counts, "checkpoint": checkpoint, "lease_until": now + scope.lease}
    with scope.database.transaction() as session:
        keep(scope, session, items, whole=False)
        progress["unknown_choices"] = scope.run.unknown_choices
        runs.log(session, run, bad, now)
        runs.save(session, run, owner=scope.owner, **progress)
        if last:
            connections.mark_sales_read(session, run.workspace_id, run.connection_id, now)
    scope.run = saved(run, **progress)
    noting.close_settled(scope, [item for item in items if isinstance(item, SourceRecord)])


def keep(
    scope: Scope,
    session: Session,
    items: Iterable[SourceRecord | BadRecord | AbsentRecord],
    *,
    whole: bool = True,
) -> None:
    """Keep what could be read; the run is told the words of it that are new here, and saved by the caller."""
    records = [item for item in items if isinstance(item, SourceRecord)]
    found = [sale(item, whole=whole) for item in records]
    sales.keep(session, scope.run.workspace_id, scope.run.connection_id, found)
    told = [pair for item in records if not _is_mapped(scope, item.ref.kind) for pair in item.new_beside(())]
    scope.run = replace(scope.run, unknown_choices=add_words(scope.run.unknown_choices, told))


def _is_mapped(scope: Scope, kind: str) -> bool:
    """What is mapped too is read once more for that, and tells its new words then."""
    return any(mapping.kind == kind for mapping in scope.mappings)


def with_sums(scope: Scope, mapping: Mapping, pages: Sequence[Page]) -> Sequence[Page]:
    """Memberships with what their payments add up to; other kinds, and unknown sums, are left alone."""
    if mapping.kind != PARENT or not scope.sales_known:
        return pages
    ids = [item.ref.id for page in pages for item in page.items if isinstance(item, SourceRecord)]
    with scope.database.reading() as session:
        found = sales.paid(session, scope.run.workspace_id, scope.run.connection_id, ids)

    def added(item: Any) -> Any:
        if not isinstance(item, SourceRecord):
            return item
        return item._replace(fields={**item.fields, "payments": roll_up(found.get(item.ref.id, ()))})

    return [replace(page, items=tuple(map(added, page.items))) for page in pages]
