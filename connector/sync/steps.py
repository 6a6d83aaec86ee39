"""The one road of a kind: map, recall, look, plan; gather; claim, apply, settle, keep.

A block of pages is what one look-up of the CRM covers. Its writes are gathered with those of other blocks
into full requests, which are under way while the next block is read. After each request its outcomes and
links, the records of the pages that are settled with it, and the place after those pages are saved in one
transaction. A worker killed anywhere costs the requests under way, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from connector.core.case import Known
from connector.core.mapping import Mapping
from connector.core.matching import plan_write
from connector.core.plan import Found, Link, Taken
from connector.core.records import Page, Ref
from connector.errors import ConnectorError
from connector.sync import drifting, looking, parents, recalling, selling, settling
from connector.sync.gathering import Batch, Gathering
from connector.sync.limiting import Ceiling
from connector.sync.looking import Sight
from connector.sync.scope import Advance, Item, Progress, Scope
from connector.sync.sending import Sender
from connector.sync.watching import Watch

_NOTHING = -1


def process(scope: Scope, mapping: Mapping, pages: Sequence[Page], advance: Advance) -> None:
    """Take a few records through the whole road at once, however full the requests are.

    Raises TryLaterError and the run-level errors of the ports; what was cut off is safe to repeat.
    """
    with Road(scope, mapping, advance, beside=False) as road:
        road.take(pages)
        road.finish()


class Road:
    """One kind on its way in one job; requests go out beside the reading. Leaving it stops them.

    Once ``is_stopped`` says so, nothing more is sent: what is planned is read again some day.
    Its methods raise TryLaterError and the run-level errors of the ports.
    """

    def __init__(
        self,
        scope: Scope,
        mapping: Mapping,
        advance: Advance,
        *,
        beside: bool = True,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._scope = scope
        self._mapping = mapping
        self._advance = advance
        self._is_stopped = is_stopped
        self._gathering = Gathering()
        self._watch = Watch(scope, mapping)
        self._ceiling = Ceiling(scope, mapping)
        self._beside = beside
        self._open_lanes()
        self._taken: Taken = {}
        self._seen: set[Ref] = set()
        self._sure = scope.known_batch is not None
        self._moved = False

    def __enter__(self) -> Road:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        written = self._sender.stop()
        if isinstance(error, ConnectorError) and error.code != "lease_lost":
            for batch in written:
                self._keep(batch)

    def take(self, pages: Sequence[Page]) -> None:
        """Plan a block, and send what is full; the rest waits for more, unless the kind ends here."""
        self._gathering.add(pages, self._planned(pages))
        while not self._is_stopped() and (batch := self._gathering.full(self._size())):
            self._give(batch)
        for batch in self._gathering.held(self._size(), self._scope.pace.most_held):
            self._give(batch)
        self._pass()
        if pages[-1].last and not self._is_stopped():
            self.finish()

    def leave(self) -> None:
        """End the job's part: what is not sent yet is read again, unless that would be much."""
        self._keep_up(left=0)
        if self._is_stopped():
            return
        self._send_held(self._scope.pace.read_again if self._moved else _NOTHING)

    def finish(self) -> None:
        """Send and save everything."""
        self._send_held(_NOTHING)

    def _send_held(self, most: int) -> None:
        for batch in self._gathering.held(self._size(), most):
            self._give(batch)
        self._keep_up(left=0)

    # --- planning

    def _planned(self, pages: Sequence[Page]) -> list[Item]:
        scope, mapping = self._scope, self._mapping
        items = recalling.map_pages(mapping, selling.with_sums(scope, mapping, pages), self._seen)
        recalling.recall(scope, mapping, items)
        if not scope.returning:
            items = [item for item in items if not _is_told(item, scope.run.number)]
        parents.resolve(scope, mapping, items, self._bring_in)
        recalling.decide_from_links(items)
        drifting.reconsider(scope, mapping, items)
        parents.follow(scope, mapping, items, self._bring_in)
        recalling.recall_memory(scope, items)
        began = scope.clock()
        sight = looking.look(scope, mapping, items)
        for item in items:
            self._plan(item, sight)
        self._watch.add(items, began)
        return items

    def _bring_in(self, parent: Mapping, page: Page) -> None:
        process(self._scope, parent, [page], lambda _place: self._scope.run.checkpoint)

    def _plan(self, item: Item, sight: Sight) -> None:
        if item.plan is not None or item.mapped is None:
            return
        known = Known(
            item.link or Link(item.ref, self._mapping.object.name),
            sight.found.get(item.ref, Found()),
            item.print_,
            item.new_id,
            self._taken,
            item.next_id,
            item.asked.decision if item.asked else None,
            sight.holders_of(item),
        )
        item.plan = recalling.as_it_was_written(
            item, plan_write(item.mapped, item.values, self._mapping, known)
        )

    # --- requests

    def _size(self) -> int:
        return self._scope.writer.batch_size()

    def _open_lanes(self) -> None:
        lanes = self._scope.pace.in_flight(self._size()) if self._beside else 0
        self._sender = Sender(self._write, lanes)
        self._ahead = lanes + self._scope.pace.ahead

    def _give(self, batch: Batch) -> None:
        self._ceiling.add(batch.items)
        self._sender.give(batch)
        if self._sure:
            self._keep_up(left=self._ahead)
            return
        # The server's limit is only supposed: the first request finds it out alone.
        self._keep_up(left=0)
        self._sender.stop()
        self._open_lanes()
        self._sure = True

    def _write(self, batch: Batch) -> None:
        settling.write(self._scope, self._mapping, batch.items, self._watch)

    def _keep_up(self, *, left: int) -> None:
        for batch in self._sender.through(left=left):
            self._keep(batch)

    # --- keeping

    def _keep(self, batch: Batch) -> None:
        self._gathering.settle(batch)
        for item in batch.items:
            if item.mapped is not None and item.result is not None and item.result.error is not None:
                for key in item.mapped.keys:  # free again for a later record
                    self._taken.pop(key, None)
        others, page = self._gathering.pass_settled()
        self._save([*batch.items, *others], page)

    def _pass(self) -> None:
        """Save what needed no write, as far as no page before it waits."""
        self._keep_up(left=self._ahead)
        others, page = self._gathering.pass_settled()
        if page is not None:
            self._save(others, page)

    def _save(self, items: Sequence[Item], page: Page | None) -> None:
        place = Progress(self._mapping.kind, page.cursor, page.last) if page is not None else None
        self._moved = self._moved or page is not None
        settling.keep(self._scope, self._mapping, items, self._advance(place))


def _is_told(item: Item, run: int) -> bool:
    """Whether this run has settled it already, before it was cut off or left a page unfinished."""
    link = item.link
    return link is not None and link.seen_run == run and not link.resumed
