"""One installation of real processes, one browser, and for each test a fresh profile of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from installation import Installation, running
from person import Person
from playwright.sync_api import Browser, sync_playwright

SWITCHES = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need an installation where nothing is connected yet come before those that connect."""
    ours = [place for place, item in enumerate(items) if item.path.is_relative_to(Path(__file__).parent)]
    ordered = sorted((items[place] for place in ours), key=_is_late)
    for place, item in zip(ours, ordered, strict=True):
        items[place] = item


def _is_late(item: pytest.Item) -> bool:
    return "unconnected" not in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Chrome. Where there is none the tests are skipped; in CI they fail."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        reason = "Pages are not tried in a browser: install chromium or google-chrome"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def installation(browser: Browser) -> Iterator[Installation]:
    """Every process of an installation and both sandboxes; without a browser none is started."""
    # A socket's path may have little more than 100 characters, so not below tmp_path.
    with tempfile.TemporaryDirectory(prefix="web-", dir="/tmp") as folder, running(Path(folder)) as found:
        yield found


@pytest.fixture
def unconnected(installation: Installation) -> Installation:
    """The installation before a company was ever connected."""
    assert not installation.connections(), "a test that connects came before this one"
    return installation


@pytest.fixture
def connected(installation: Installation) -> Iterator[Installation]:
    """The installation with one company connected, whose first sync has ended; no fault outlasts the test."""
    installation.connect()
    yield installation
    installation.clear_dials()
    installation.wait_until_idle()


@pytest.fixture
def somebody(browser: Browser, installation: Installation) -> Iterator[Callable[[], Person]]:
    """People with a browser each, whose pages did nothing that we would not allow."""
    with ExitStack() as stack:
        people: list[Person] = []

        def come() -> Person:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            stack.callback(context.close)
            people.append(Person(context, installation))
            return people[-1]

        yield come
        assert [one.complaints for one in people if one.complaints] == []


@pytest.fixture
def marta(somebody: Callable[[], Person]) -> Person:
    """Somebody who is signed in."""
    person = somebody()
    person.sign_in()
    return person
