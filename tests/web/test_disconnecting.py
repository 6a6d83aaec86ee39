"""Disconnecting on the page: what it would do is counted first, and many records want their number typed."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
from desk import Desk, desk
from sqlalchemy import insert

from connector.core.plan import own_id
from connector.core.records import Ref
from connector.store import audit, connections, overview
from connector.store.models import link
from connector.store.runs import Run
from tests.web.entering import csrf_of


@pytest.fixture
def at_desk(database_url: str) -> Iterator[Desk]:
    with desk(database_url) as one:
        yield one


def made(at_desk: Desk, people: int, deals: int = 0) -> None:
    """So many records that we created."""
    where = {"workspace_id": at_desk.workspace.id, "connection_id": at_desk.connection.id, "source": "whop"}
    rows = []
    for kind, object_, count in (("member", "person", people), ("membership", "opportunity", deals)):
        for number in range(count):
            ref = Ref("whop", kind, f"{kind}_{number}")
            id_ = own_id(at_desk.workspace.id, ref, object_)
            named = {"kind": kind, "object": object_, "source_id": ref.id, "crm_id": id_}
            rows.append({**where, **named, "state": "linked", "generation": 0})
    with at_desk.door.parts.database.transaction() as session:
        session.execute(insert(link), rows)


def path(at_desk: Desk) -> str:
    return f"/connections/{at_desk.connection.id}/disconnect"


def press(at_desk: Desk, then: str, number: int, **more: str) -> str:
    """Press one of the buttons; the next page."""
    form = {
        "then": then,
        "number": str(number),
        "csrf_token": csrf_of(at_desk.browser, path(at_desk)),
        **more,
    }
    answer = at_desk.browser.post(path(at_desk), data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def run_of(at_desk: Desk) -> Run | None:
    with at_desk.door.parts.database.reading() as session:
        return overview.active_of(session, at_desk.workspace.id, at_desk.connection.id)


def status(at_desk: Desk) -> str:
    with at_desk.door.parts.database.reading() as session:
        return connections.get(session, at_desk.workspace.id, at_desk.connection.id).status


def test_the_page_counts_before_anything_is_chosen(at_desk: Desk) -> None:
    made(at_desk, people=3, deals=2)

    text = unescape(at_desk.page(path(at_desk)))

    for words in (
        "Disconnect, keep 5 records",
        "Disconnect and mark 2 records",
        "Disconnect and delete 5 records",
        "Whop membership status: Expired",
    ):
        assert words in text
    assert "Type " not in text


def test_deleting_starts_a_run_of_its_own(at_desk: Desk) -> None:
    made(at_desk, people=3)

    there = press(at_desk, "delete", 3)

    run = run_of(at_desk)
    assert run is not None
    assert (run.type, run.checkpoint["then"]) == ("undo", "delete")
    assert there == f"/runs/{run.id}"
    assert status(at_desk) == "revoked"
    assert "was disconnected by" in at_desk.page(there)
    with at_desk.door.parts.database.reading() as session:
        told = audit.shown(session, at_desk.workspace.id, "")[0]
    assert (told.what, told.about["records"], told.about["number"]) == ("disconnect", "delete", 3)


def test_many_records_want_their_number_typed(at_desk: Desk) -> None:
    made(at_desk, people=51)
    assert "Type 51" in unescape(at_desk.page(path(at_desk)))

    assert press(at_desk, "delete", 51) == path(at_desk)
    assert press(at_desk, "delete", 51, typed="15") == path(at_desk)
    assert status(at_desk) == "active"
    assert "The number was not typed" in at_desk.page(path(at_desk))

    press(at_desk, "delete", 51, typed="51")
    assert run_of(at_desk) is not None


def test_a_number_that_changed_meanwhile_is_shown_again(at_desk: Desk) -> None:
    made(at_desk, people=3)

    assert press(at_desk, "delete", 2) == path(at_desk)

    assert status(at_desk) == "active"
    assert "The number has changed" in at_desk.page(path(at_desk))


def test_keeping_starts_no_run(at_desk: Desk) -> None:
    made(at_desk, people=80)

    assert press(at_desk, "keep", 0) == "/connections"

    assert (status(at_desk), run_of(at_desk)) == ("revoked", None)


def test_a_choice_that_there_is_none_of_is_refused(at_desk: Desk) -> None:
    form = {"then": "destroy", "csrf_token": csrf_of(at_desk.browser, path(at_desk))}

    assert at_desk.browser.post(path(at_desk), data=form).status_code == 400
    assert status(at_desk) == "active"
