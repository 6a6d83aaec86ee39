"""Pages of the source: the next one is fetched while the present one is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice

from connector.core.records import Page
from connector.ports import Reader


def blocks(reader: Reader, kind: str, cursor: str | None, size: int) -> Iterator[list[Page]]:
    """The pages of a kind from the cursor on, so many at a time, fetched ahead."""
    return in_blocks(ahead(reader.pages(kind, cursor)), size)


def in_blocks(pages: Iterable[Page], size: int) -> Iterator[list[Page]]:
    """Pages by so many."""
    found = iter(pages)
    while block := list(islice(found, size)):
        yield block


def ahead(pages: Iterable[Page]) -> Iterator[Page]:
    """The same pages, of which one at most is fetched before it is asked for.

    What fetching a page raises is raised in its place. Whoever stops in the middle waits for no more than the
    page that is under way, and the place that was reached knows nothing of it.
    """
    source = iter(pages)
    with ThreadPoolExecutor(1, "source") as thread:

        def fetch() -> Future[Page | None]:  # with the names that log lines carry
            context = copy_context()
            return thread.submit(lambda: context.run(lambda: next(source, None)))

        coming = fetch()
        while (page := coming.result()) is not None:
            if page.last:
                yield page
                return
            coming = fetch()
            yield page
