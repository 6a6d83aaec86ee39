"""Planned writes on their way into full requests, over as many pages as that takes.

A page is settled when all of its writes are; the run's place moves over the settled pages at the front.
What was settled beyond that place is told apart by its link, so that no record is told twice in a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connector.core.plan import Action
from connector.core.records import Page
from connector.sync.scope import Item

_WRITES = (Action.CREATE, Action.UPDATE)


@dataclass(slots=True)
class _Open:
    """A page that was read: ``start`` counts the records before it, ``waiting`` its unsettled writes."""

    page: Page
    start: int
    waiting: int = 0
    others: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Writes of one action, at most as many as a request takes."""

    items: tuple[Item, ...]
    pages: tuple[_Open, ...]


_Waiting = deque[tuple[Item, _Open]]


class Gathering:
    """The pages of one kind that are not settled yet, and their writes that are not sent yet."""

    def __init__(self) -> None:
        self._pages: deque[_Open] = deque()
        self._queues: dict[Action, _Waiting] = {action: deque() for action in _WRITES}
        self._read = 0

    def add(self, pages: Sequence[Page], items: Sequence[Item]) -> None:
        """Pages that were read, and what is to be done with their records, in the same order."""
        opened = []
        for page in pages:
            opened.append(_Open(page, self._read))
            self._read += len(page.items)
        for item in items:
            of = opened[item.page]
            if item.plan is not None and item.plan.action in _WRITES:
                of.waiting += 1
                self._queues[item.plan.action].append((item, of))
            else:
                of.others.append(item)
        self._pages.extend(opened)

    def full(self, size: int) -> Batch | None:
        """The next full batch, if there is one."""
        for queue in self._queues.values():
            if len(queue) >= size:
                return _taken(queue, size)
        return None

    def held(self, size: int, most: int) -> Iterator[Batch]:
        """Batches, full or not, of the writes for which more than ``most`` records would be read again."""
        for queue in self._queues.values():
            while queue and self._read - queue[0][1].start > most:
                yield _taken(queue, size)

    def settle(self, batch: Batch) -> None:
        """These writes are through."""
        for page in batch.pages:
            page.waiting -= 1

    def pass_settled(self) -> tuple[list[Item], Page | None]:
        """Leave the settled pages behind: their records that needed no write, and the last of the pages."""
        items: list[Item] = []
        last = None
        while self._pages and not self._pages[0].waiting:
            left = self._pages.popleft()
            items += left.others
            last = left.page
        return items, last


def _taken(queue: _Waiting, size: int) -> Batch:
    items, pages = zip(*(queue.popleft() for _ in range(min(size, len(queue)))), strict=True)
    return Batch(items, pages)
