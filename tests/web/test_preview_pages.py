"""A preview on the pages: it says that nothing was written, and offers nothing that would write."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
from desk import Desk, a_failure, a_person, an_update, desk

from connector.store import audit, overview
from tests.web.entering import csrf_of


@pytest.fixture
def at_desk(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as one:
        yield one


def test_the_button_starts_a_preview_beside_everything_else(at_desk: Desk) -> None:
    path = f"/connections/{at_desk.connection.id}/preview"
    form = {"csrf_token": csrf_of(at_desk.browser, "/connections")}

    answer = at_desk.browser.post(path, data=form)

    with at_desk.door.parts.database.reading() as session:
        (run,) = overview.run_page(session, at_desk.workspace.id, overview.RunFilter()).items
        told = audit.shown(session, at_desk.workspace.id, "")[0]
        assert overview.active_runs(session, at_desk.workspace.id) == {}
    assert answer.headers["Location"] == f"/runs/{run.id}"
    assert (run.type, run.status, run.active_key) == ("preview", "queued", None)
    assert told.what == "preview_started"
    assert at_desk.browser.post(path).status_code == 400


def test_the_page_of_a_preview_speaks_of_what_would_be(at_desk: Desk) -> None:
    found = [a_person(crm_id=None), an_update(), a_failure()]
    run = at_desk.run(found, type="preview")

    text = unescape(at_desk.page(f"/runs/{run.id}"))

    for words in (
        "Would be created",
        "Would be updated",
        "Would fail",
        "Would be written",
        "nothing is written",
    ):
        assert words in text
    assert "Try again" not in text
    assert "Try it again" not in text
    assert "In Twenty now" in text
    assert "added up by the first sync" in text, "no payment was read yet"


def test_the_log_of_what_happened_leaves_previews_out(at_desk: Desk) -> None:
    at_desk.run([a_person("mber_real")])
    at_desk.run([a_person("mber_thought")], type="preview")

    text = at_desk.page("/log")

    assert "mber_real" in text
    assert "mber_thought" not in text
