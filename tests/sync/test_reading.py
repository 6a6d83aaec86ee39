"""The next page is fetched while the present one is worked on; never more than that one."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import structlog

from connector.core.records import Page
from connector.errors import TryLaterError
from connector.sync.reading import ahead


def pages(number: int) -> list[Page]:
    return [Page((), str(at), last=at == number - 1) for at in range(number)]


class Source:
    """Tells which pages were fetched, and by whom; ``fails`` is raised in place of a page."""

    def __init__(self, given: list[Page], fails: int | None = None) -> None:
        self.given, self.fails = given, fails
        self.fetched: list[int] = []
        self.names: set[str] = set()
        self.next_one = threading.Event()

    def __iter__(self) -> Iterator[Page]:
        for at, page in enumerate(self.given):
            if at == self.fails:
                raise TryLaterError("The source does not answer.", code="unreachable")
            self.fetched.append(at)
            self.names.add(str(structlog.contextvars.get_contextvars().get("run")))
            if at == 1:
                self.next_one.set()
            yield page


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_every_page_comes_once_and_in_its_order(number: int) -> None:
    given = pages(number)

    assert list(ahead(Source(given))) == given


def test_the_next_page_is_fetched_while_one_is_worked_on() -> None:
    source = Source(pages(5))
    coming = ahead(source)

    next(coming)

    assert source.next_one.wait(10)
    coming.close()  # type: ignore[attr-defined]
    assert source.fetched == [0, 1]


def test_nothing_is_fetched_after_the_last_page() -> None:
    source = Source([*pages(2), *pages(1)])

    assert list(ahead(source)) == pages(2)
    assert source.fetched == [0, 1]


def test_what_fetching_a_page_raises_comes_in_its_place() -> None:
    coming = ahead(Source(pages(3), fails=1))

    assert next(coming) == pages(3)[0]
    with pytest.raises(TryLaterError):
        next(coming)


def test_log_lines_of_the_fetching_carry_the_run() -> None:
    source = Source(pages(3))

    with structlog.contextvars.bound_contextvars(run=7):
        list(ahead(source))

    assert source.names == {"7"}
