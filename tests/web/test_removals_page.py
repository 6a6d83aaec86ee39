"""Too many records are gone from Whop: the page shows which, and an admin says yes or no."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import OWNER, Desk, a_new_run, desk
from sqlalchemy import insert, update

from connector.store import audit, runs, schedules
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


def asking(at_desk: Desk, count: int = 60) -> Run:
    """A sync that found so many memberships gone."""
    where = {"workspace_id": at_desk.workspace.id, "connection_id": at_desk.connection.id, "source": "whop"}
    row = {**where, "kind": "membership", "object": "opportunity", "state": "linked", "generation": 0}
    rows = [{**row, "source_id": f"mem_{n}", "crm_id": f"crm-{n}", "seen_run": 0} for n in range(count)]
    asks = {"membership": {"from": 1, "count": count, "of": count, "object": "opportunity"}}
    with at_desk.door.parts.database.transaction() as session:
        session.execute(insert(link), rows)
        new = a_new_run(at_desk.connection, NOON)
        runs.start(session, new)
        waits = {"status": "waiting", "active_key": None, "checkpoint": {"asks": asks}}
        session.execute(update(sync_run).where(sync_run.c.id == new.id).values(waits))
        return runs.by_id(session, new.id)


def over_limit(at_desk: Desk) -> str:
    """A sync that stopped before it changed too many records."""
    told = {"code": "many_changes", "message": "It would change more than 60 % of the 90 records."}
    with at_desk.door.parts.database.transaction() as session:
        new = a_new_run(at_desk.connection, NOON)
        runs.start(session, new)
        session.execute(update(sync_run).where(sync_run.c.id == new.id).values(status="paused", error=told))
    return new.id


def press(at_desk: Desk, path: str, at: str, **form: str) -> str:
    answer = at_desk.browser.post(path, data={"csrf_token": csrf_of(at_desk.browser, at), **form})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def text_of(at_desk: Desk, path: str) -> str:
    answer = at_desk.browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def noted(at_desk: Desk) -> str:
    with at_desk.door.parts.database.reading() as session:
        return audit.shown(session, at_desk.workspace.id, "")[0].what


def test_the_page_shows_which_and_what_would_be_done(at_desk: Desk) -> None:
    run = asking(at_desk)

    text = text_of(at_desk, f"/runs/{run.id}/removals")

    assert "60 of 60" in text
    assert "mem_59" in text
    assert "Expired" in text


def test_the_sync_and_the_overview_lead_there(at_desk: Desk) -> None:
    run = asking(at_desk)

    assert f"/runs/{run.id}/removals" in text_of(at_desk, f"/runs/{run.id}")
    assert f"/runs/{run.id}/removals" in text_of(at_desk, "/")


def test_yes_starts_a_sync_that_removes(at_desk: Desk) -> None:
    run = asking(at_desk)
    page = f"/runs/{run.id}/removals"

    there = press(at_desk, f"{page}/approve", page)

    with at_desk.door.parts.database.reading() as session:
        new = runs.get(session, at_desk.workspace.id, there.rpartition("/")[2])
        assert (new.type, new.checkpoint["passed"]) == ("repair", {"membership": 1})
        assert runs.by_id(session, run.id).status == "success"
    assert noted(at_desk) == "removals_approved"


def test_no_leaves_them_and_is_kept(at_desk: Desk) -> None:
    run = asking(at_desk)
    page = f"/runs/{run.id}/removals"

    press(at_desk, f"{page}/refuse", page)

    assert "60 records left as they are" in text_of(at_desk, f"/runs/{run.id}")
    assert "Leave them as they are, said" in text_of(at_desk, page)
    assert noted(at_desk) == "removals_refused"


def test_two_admins_who_answer_at_once_are_told(at_desk: Desk) -> None:
    run = asking(at_desk)
    page = f"/runs/{run.id}/removals"
    token = csrf_of(at_desk.browser, page)
    press(at_desk, f"{page}/refuse", page)

    answer = at_desk.browser.post(f"{page}/approve", data={"csrf_token": token})

    assert answer.status_code == 303
    assert "does not wait for an answer" in text_of(at_desk, f"/runs/{run.id}")


def test_a_sync_that_would_change_too_many_says_so_and_offers_to_go_on(at_desk: Desk) -> None:
    run_id = over_limit(at_desk)

    page = text_of(at_desk, f"/runs/{run_id}")

    assert "more than 60 % of the 90 records" in page
    assert "Change the rest too" in page
    assert "unusually many records" in text_of(at_desk, "/")


def test_yes_lets_it_change_the_rest(at_desk: Desk) -> None:
    run_id = over_limit(at_desk)

    press(at_desk, f"/runs/{run_id}/changes/approve", f"/runs/{run_id}")

    with at_desk.door.parts.database.reading() as session:
        assert runs.by_id(session, run_id).status == "running"
    assert noted(at_desk) == "changes_approved"


def test_who_says_yes_second_is_told(at_desk: Desk) -> None:
    run_id = over_limit(at_desk)
    yes, page = f"/runs/{run_id}/changes/approve", f"/runs/{run_id}"
    press(at_desk, yes, page)

    press(at_desk, yes, page)

    assert "does not wait for an answer" in text_of(at_desk, page)


def test_a_run_without_a_question_has_no_such_page(at_desk: Desk) -> None:
    run = asking(at_desk)
    with at_desk.door.parts.database.transaction() as session:
        session.execute(update(sync_run).where(sync_run.c.id == run.id).values(checkpoint={}))

    assert at_desk.browser.get(f"/runs/{run.id}/removals").status_code == 404


def test_a_sync_is_cancelled_from_its_page(at_desk: Desk) -> None:
    with at_desk.door.parts.database.transaction() as session:
        new = a_new_run(at_desk.connection, NOON)
        runs.start(session, new)
        runs.lease(session, new.id, owner=OWNER, now=NOON, until=NOON)

    press(at_desk, f"/runs/{new.id}/cancel", f"/runs/{new.id}")

    with at_desk.door.parts.database.reading() as session:
        assert runs.by_id(session, new.id).status == "cancelled"
    assert "cancelled it" in text_of(at_desk, f"/runs/{new.id}")


def test_the_interval_is_chosen_on_the_page_of_the_connection(at_desk: Desk) -> None:
    page = f"/connections/{at_desk.connection.id}"

    press(at_desk, f"{page}/schedule", page, every="15")

    assert "Every 15 minutes" in text_of(at_desk, page)
    with at_desk.door.parts.database.reading() as session:
        plan = schedules.get(session, at_desk.workspace.id, at_desk.connection.id, "incremental")
    assert plan is not None
    assert plan.every == 15


def test_syncs_by_the_clock_are_switched_off_there(at_desk: Desk) -> None:
    page = f"/connections/{at_desk.connection.id}"

    press(at_desk, f"{page}/schedule", page, every="off")

    assert "what a webhook misses stays unseen" in text_of(at_desk, page)
