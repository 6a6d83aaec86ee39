"""A block of source pages on the one road: map, recall, look, plan, claim, apply, settle, keep.

A block is what one look-up of the CRM covers, about a thousand records. It is settled in windows of
whole pages: the outcomes, links and counts of a window and the cursor after its last page are saved in
one transaction. A worker killed anywhere costs at most one window, and none of it is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.core.mapping import Mapping
from connector.core.plan import Action, Found, Link, Taken, plan_write
from connector.core.records import Page, Ref
from connector.sync import parents, recalling, settling
from connector.sync.scope import Advance, Item, Progress, Scope


def process(scope: Scope, mapping: Mapping, pages: Sequence[Page], advance: Advance) -> None:
    """Take whole pages of one kind through the road; what they wrote is saved when this returns.

    Raises TryLaterError and the run-level errors of the ports; a window that was cut off is safe to repeat.
    """

    def bring_in(parent: Mapping, page: Page) -> None:
        process(scope, parent, [page], lambda _place: scope.run.checkpoint)

    items = recalling.map_pages(mapping, pages)
    recalling.recall(scope, mapping, items)
    parents.resolve(scope, mapping, items, bring_in)
    recalling.decide_from_links(items)
    recalling.recall_memory(scope, items)
    found = recalling.look(scope, mapping, items)
    taken: Taken = {}
    for window, place in _windows(scope, mapping, pages, items, found, taken):
        settling.write(scope, mapping, window)
        settling.keep(scope, mapping, window, advance(place))


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
            _plan(mapping, item, found, taken)
            writes += item.plan is not None and item.plan.action in (Action.CREATE, Action.UPDATE)
            window.append(item)
            at += 1
        if writes >= full or number == len(pages) - 1:
            yield window, Progress(mapping.kind, page.cursor, page.last)
            window, writes = [], 0


def _plan(mapping: Mapping, item: Item, found: dict[Ref, Found], taken: Taken) -> None:
    if item.plan is not None or item.mapped is None:
        return
    item.plan = plan_write(
        item.mapped,
        item.values,
        mapping,
        item.link or Link(item.ref, mapping.object.name),
        found.get(item.ref, Found()),
        print_=item.print_,
        new_id=item.new_id,
        taken=taken,
    )
