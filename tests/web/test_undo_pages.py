"""Undo in the console: first what it would do, then done; what is held is listed, and let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from desk import Desk, a_person, an_update, desk
from sqlalchemy import update

from connector.core.outcomes import Result
from connector.core.records import Ref
from connector.store import audit, holds, runs
from connector.store.models import link, sync_run
from connector.store.runs import Run
from tests.web.entering import NOON, csrf_of


@pytest.fixture
def at_desk(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as one:
        yield one


@pytest.fixture
def backend() -> str:
    return "sqlite"  # the store's own tests take care of the other


def press(at_desk: Desk, path: str, at: str, **form: str) -> str:
    answer = at_desk.browser.post(path, data={"csrf_token": csrf_of(at_desk.browser, at), **form})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def shown(at_desk: Desk, run: Run, *, status: str = "success", type_: str = "preview") -> Run:
    """What a preview, or the undo itself, came to."""
    told = [
        a_person("mber_1", Result.UPDATED, reason="unmade", after={"deletedAt": "2026-11-20T12:00:00Z"}),
        an_update("mem_1", reason="taken_back"),
        an_update("mem_2", reason="kept", warnings=("stage: sync 9 wrote it since.",))._replace(
            result=Result.SKIPPED
        ),
    ]
    place = {"of": run.number, "of_id": run.id, "removed": 1}
    return at_desk.run(told, type=type_, status=status, checkpoint=place)


def last_run(at_desk: Desk) -> Run:
    with at_desk.door.parts.database.reading() as session:
        return runs.of_workspace(session, at_desk.workspace.id, limit=1)[0]


def noted(at_desk: Desk) -> list[str]:
    with at_desk.door.parts.database.reading() as session:
        return [one.what for one in audit.shown(session, at_desk.workspace.id, "")]


def held(at_desk: Desk, run: Run, *ids: str) -> None:
    at_desk.linked(*ids)
    with at_desk.door.parts.database.transaction() as session:
        session.execute(update(link).where(link.c.source_id.in_(ids)).values(held_run=run.number))


def test_a_sync_leads_to_what_undoing_it_would_do(at_desk: Desk) -> None:
    run = at_desk.run([a_person()])
    at = f"/runs/{run.id}"
    assert "Undo: show what that would do" in at_desk.page(at)

    to = press(at_desk, f"{at}/undo/preview", at)

    started = last_run(at_desk)
    assert to == f"/runs/{started.id}"
    assert (started.type, started.checkpoint["of"]) == ("preview", run.number)
    assert "undo_previewed" in noted(at_desk)


def test_a_sync_that_changed_nothing_offers_no_undo(at_desk: Desk) -> None:
    run = at_desk.run([a_person(result=Result.SKIPPED, reason="filtered", after=None)])

    assert "/undo/preview" not in at_desk.page(f"/runs/{run.id}")


def test_an_undo_of_nothing_leads_to_no_empty_list(at_desk: Desk) -> None:
    of = at_desk.run([a_person()])
    seen = at_desk.run([], type="preview", checkpoint={"of": of.number, "of_id": of.id, "removed": 0})

    page = at_desk.page(f"/runs/{seen.id}")

    assert "No records would be put back" in page
    assert "reason=taken_back" not in page


def test_a_preview_says_what_would_happen_and_begins_it(at_desk: Desk) -> None:
    seen = shown(at_desk, at_desk.run([a_person()]))
    at = f"/runs/{seen.id}"

    page = at_desk.page(at)

    assert "1 record</a> that the sync had made would be moved to the bin of Twenty" in page
    assert "1 record</a> would be put back" in page
    assert "1 record</a> would stay as they are" in page
    assert "Nothing was written for this" in page
    assert "Stage: sync 9 wrote it since." in page, "fields are called as Twenty calls them"
    press(at_desk, f"{at}/undo", at)
    started = last_run(at_desk)
    assert (started.type, started.checkpoint["agreed"]) == ("undo", 1)
    assert "undo_started" in noted(at_desk)


def test_a_preview_counts_and_lists_notes_and_tasks(at_desk: Desk) -> None:
    gone: dict[str, Any] = {"reason": "unmade", "after": {"deletedAt": "2026-11-20T12:00:00Z"}}
    note = an_update("note_1", **gone)._replace(ref=Ref("whop", "note", "note_1"), object="note")
    task = an_update("task_1", reason="kept", warnings=("Somebody changed it in Twenty since.",))._replace(
        ref=Ref("whop", "task", "task_1"), object="task", result=Result.SKIPPED
    )
    of = at_desk.run([a_person()])
    place = {"of": of.number, "of_id": of.id, "removed": 0}
    seen = at_desk.run([note, task], type="preview", status="success", checkpoint=place)

    page = at_desk.page(f"/runs/{seen.id}")

    assert "1 record</a> that the sync had made would be moved to the bin of Twenty" in page
    assert "Among them is 1 note that it had left." in page
    assert "Somebody changed it in Twenty since." in page
    assert "/records/note/" not in page, "a note has no page of its own"


@pytest.mark.parametrize("status", ["failed", "cancelled", None])
def test_a_preview_that_did_not_come_to_its_end_begins_nothing(at_desk: Desk, status: Any) -> None:
    seen = shown(at_desk, at_desk.run([a_person()]), status=status)
    at = f"/runs/{seen.id}"
    assert f"{at}/undo" not in at_desk.page(at)

    press(at_desk, f"{at}/undo", at)

    assert last_run(at_desk).id == seen.id
    assert "Look at what would be undone first" in at_desk.page(at)


def test_a_sync_that_was_undone_says_so(at_desk: Desk) -> None:
    run = at_desk.run([a_person()])
    done = shown(at_desk, run, type_="undo")

    page = at_desk.page(f"/runs/{run.id}")

    assert "This sync was undone" in page
    assert f"/runs/{done.id}" in page
    assert "/undo/preview" not in page


def test_what_cannot_be_undone_any_more_is_answered_in_words(at_desk: Desk) -> None:
    run = at_desk.run([a_person()])
    at = f"/runs/{run.id}"
    token = csrf_of(at_desk.browser, at)
    with at_desk.door.parts.database.transaction() as session:
        session.execute(update(sync_run).where(sync_run.c.id == run.id).values(pruned_at=NOON))

    at_desk.browser.post(f"{at}/undo/preview", data={"csrf_token": token})

    page = at_desk.page(at)
    assert "This sync is too long ago to be undone" in page
    assert "/undo/preview" not in page


def test_previews_are_not_told_in_the_log_as_if_they_had_written(at_desk: Desk) -> None:
    shown(at_desk, at_desk.run([a_person("mber_5", title="Somebody Else")]))

    page = at_desk.page("/log")

    assert "Somebody Else" in page
    assert "mem_1" not in page


def test_held_records_are_listed_and_let_go_one_by_one_or_all(at_desk: Desk) -> None:
    done = shown(at_desk, at_desk.run([a_person()]), type_="undo")
    held(at_desk, done, "mber_1", "mber_2", "mber_3")

    page = at_desk.page("/held")
    assert "Let go of all 3" in page
    assert "Ada Bergström" in page
    press(at_desk, "/held/let-go", "/held", record="mber_2")

    with at_desk.door.parts.database.reading() as session:
        left = [one.source_id for one in holds.page(session, at_desk.workspace.id).items]
    assert sorted(left) == ["mber_1", "mber_3"]
    started = last_run(at_desk)
    assert (started.type, started.checkpoint["refs"]) == ("repair", {"member": ["mber_2"]})
    press(at_desk, "/held/let-go", "/held", all="yes")
    assert "Nothing is held" in at_desk.page("/held")
    assert last_run(at_desk).id == started.id, "one is under way: the next sync takes them"
    assert noted(at_desk).count("undo_let_go") == 2


def test_a_form_that_names_nothing_lets_nothing_go(at_desk: Desk) -> None:
    token = csrf_of(at_desk.browser, "/held")

    assert at_desk.browser.post("/held/let-go", data={"csrf_token": token}).status_code == 400
