"""The pages of events: what came, what became of it, and taking it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from desk import Desk, an_update, desk
from entering import NOON, csrf_of, send
from werkzeug.test import TestResponse

from connector.store import connections, eventbook, inbox, notes
from connector.store.inbox import InboxEvent
from connector.store.notes import NewNote


@pytest.fixture
def at_desk(database_url: str, redis_url: str) -> Iterator[Desk]:
    with desk(database_url, redis_url) as opened:
        yield opened


def receive(at: Desk, id_: str = "msg_1", **changed: Any) -> int:
    ids = (at.workspace.id, at.connection.id)
    body = json.dumps(changed.pop("body", {"data": {"id": "mem_1"}})).encode()
    type_ = changed.pop("type", "membership.activated")
    event = InboxEvent(*ids, id_, type_, "v1", body, NOON, NOON, **{"source_id": "mem_1", **changed})
    with at.door.parts.database.transaction() as session:
        inbox.add(session, [event])
    with at.door.parts.database.reading() as session:
        wanted = eventbook.EventFilter(text=id_)
        (found,) = eventbook.event_page(session, at.workspace.id, wanted).items
    return found.id or 0


def settle(at: Desk, id_: int, **of: Any) -> None:
    with at.door.parts.database.transaction() as session:
        now = NOON + timedelta(seconds=1.4)
        inbox.settle(session, at.workspace.id, [id_], of.pop("state", "done"), now=now, **of)


def park(at: Desk, id_: int) -> None:
    error = {"code": "crm_bad_value", "message": "Provided phone number is invalid"}
    with at.door.parts.database.transaction() as session:
        inbox.fail(session, at.workspace.id, id_, error, due_at=None)


def test_before_the_first_event_the_page_says_what_will_be_there(at_desk: Desk) -> None:
    assert "No event yet" in at_desk.page("/events")


def test_an_event_shows_its_state_what_came_of_it_and_how_long_it_took(at_desk: Desk) -> None:
    settle(at_desk, receive(at_desk))

    page = at_desk.page("/events")

    assert "membership.activated" in page
    assert "The record is in step" in page
    assert "1.4 s" in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [("unknown", "Tells of nothing that is brought over"), ("not_mapped", "No mapping brings this kind")],
)
def test_what_was_ignored_says_why(at_desk: Desk, reason: str, words: str) -> None:
    settle(at_desk, receive(at_desk), state="ignored", reason=reason)

    assert words in at_desk.page("/events")


def test_parked_events_are_told_first_and_counted_in_the_navigation(at_desk: Desk) -> None:
    park(at_desk, receive(at_desk))

    page = at_desk.page("/events")

    assert "1 event is parked" in page
    assert "Take 1 again" in page
    assert "waits for you" in page


def test_all_that_is_parked_is_taken_again_by_one_button(at_desk: Desk) -> None:
    first, second = receive(at_desk, "msg_1"), receive(at_desk, "msg_2")
    park(at_desk, first)
    park(at_desk, second)

    answer = send(at_desk.browser, "/events/replay", at="/events")

    assert answer.status_code == 303
    with at_desk.door.parts.database.reading() as session:
        due = inbox.pending(session, at_desk.workspace.id, at_desk.connection.id, NOON, 10)
    assert [event.id for event in due] == [first, second]
    assert "2 events taken again" in at_desk.page("/events")


def test_one_event_is_taken_again_whatever_became_of_it(at_desk: Desk) -> None:
    one, other = receive(at_desk, "msg_1"), receive(at_desk, "msg_2")
    settle(at_desk, one)
    settle(at_desk, other)

    send(at_desk.browser, "/events/replay", at="/events", event=str(one))

    with at_desk.door.parts.database.reading() as session:
        due = inbox.pending(session, at_desk.workspace.id, at_desk.connection.id, NOON, 10)
    assert [event.id for event in due] == [one]


def pending(at: Desk) -> list[InboxEvent]:
    with at.door.parts.database.reading() as session:
        return inbox.pending(session, at.workspace.id, at.connection.id, NOON + timedelta(days=1), 10)


def take_again(at: Desk, *events: int, **fields: str) -> TestResponse:
    """As from the page, with as many events as are ticked."""
    data = {"csrf_token": csrf_of(at.browser, "/events"), "event": [str(one) for one in events], **fields}
    return at.browser.post("/events/replay", data=data, headers={"Referer": "http://localhost/events"})


def test_those_that_are_ticked_are_taken_again(at_desk: Desk) -> None:
    ids = [receive(at_desk, f"msg_{number}") for number in range(3)]
    for id_ in ids:
        settle(at_desk, id_)

    assert take_again(at_desk, *ids[:2], some="1").status_code == 303

    assert [event.id for event in pending(at_desk)] == ids[:2]
    assert "2 events taken again" in at_desk.page("/events")


def test_a_button_pressed_with_nothing_ticked_takes_nothing(at_desk: Desk) -> None:
    park(at_desk, receive(at_desk))

    take_again(at_desk, some="1")

    assert pending(at_desk) == []
    assert "No event was chosen" in at_desk.page("/events")


def test_where_notes_would_be_left_it_is_asked_first_how_many(at_desk: Desk) -> None:
    with at_desk.door.parts.database.transaction() as session:
        connections.set_notes(session, at_desk.workspace.id, at_desk.connection.id, NOON - timedelta(days=1))
    failed = {"type": "payment.failed", "timestamp": NOON.isoformat(), "data": {"id": "pay_1"}}
    id_ = receive(at_desk, body=failed, type="payment.failed", source_id="pay_1")
    settle(at_desk, id_)

    page = take_again(at_desk, id_)

    assert page.status_code == 200
    assert "Leave up to 2 notes and tasks as well?" in page.text
    assert pending(at_desk) == []
    for wish, quiet in (("no", True), ("leave", False)):
        take_again(at_desk, id_, notes=wish)
        assert [event.quiet for event in pending(at_desk)] == [quiet]


def test_an_event_lists_what_it_changed_and_the_notes_it_left(at_desk: Desk) -> None:
    id_ = receive(at_desk)
    run = at_desk.run([an_update("mem_1"), an_update("mem_2", title="Somebody else")])
    ids = (at_desk.workspace.id, at_desk.connection.id)
    left = NewNote("membership/membership_ended", "mem_1", "note", "crm-note-1", id_)
    with at_desk.door.parts.database.transaction() as session:
        notes.begin(session, *ids, [left], NOON)
        notes.left(session, at_desk.workspace.id, 1, {"crm-note-1": None})
    settle(at_desk, id_, run=run.number)

    page = at_desk.page(f"/events/{id_}")

    assert "What it changed in Twenty" in page
    assert "Updated" in page
    assert "mem_2" not in page
    assert "Membership ended" in page
    assert "/object/note/crm-note-1" in page


@pytest.mark.parametrize("named", ["x", "-1", "1; DROP", "9" * 30])
def test_an_event_that_is_no_number_takes_nothing_again(at_desk: Desk, named: str) -> None:
    park(at_desk, receive(at_desk))

    assert send(at_desk.browser, "/events/replay", at="/events", event=named).status_code == 400
    assert "1 event is parked" in at_desk.page("/events")


def test_the_filters_are_the_address(at_desk: Desk) -> None:
    settle(at_desk, receive(at_desk, "msg_1", type="payment.failed"))
    park(at_desk, receive(at_desk, "msg_2"))

    assert "payment.failed</a>" not in at_desk.page("/events?state=parked")
    assert "membership.activated</a>" not in at_desk.page("/events?type=payment.failed")
    assert "No event fits these filters" in at_desk.page("/events?q=nothing")
    assert "membership.activated</a>" in at_desk.page("/events?q=msg_2")
    assert "payment.failed</a>" not in at_desk.page("/events?q=msg_2")
    assert "payment.failed</a>" in at_desk.page(f"/events?connection={at_desk.connection.id}")
    assert "No event fits these filters" in at_desk.page("/events?connection=another")


@pytest.mark.parametrize(
    ("scheme", "words"),
    [("standard", "Standard Webhooks"), ("legacy", "the old X-Whop-Signature header")],
)
def test_one_event_shows_what_stands_in_its_way_and_its_body_covered(
    at_desk: Desk, scheme: str, words: str
) -> None:
    body = {
        "data": {
            "id": "mem_1",
            "email": "ada@example.com",
            "license_key": "NWTC-7K2M",
            "note": "<script>alert(1)</script>",
        }
    }
    id_ = receive(at_desk, body=body, scheme=scheme)
    park(at_desk, id_)

    page = at_desk.page(f"/events/{id_}")

    assert "Provided phone number is invalid" in page
    assert f"<dt>Signed as</dt><dd>{words}, in the words of v1</dd>" in page
    assert "<dt>Tries that failed</dt><dd>1</dd>" in page
    assert "ada@example.com" not in page
    assert "NWTC-7K2M" not in page
    assert "<script>alert" not in page
    assert "mem_1" in page


def test_an_event_of_nobody_is_not_found(at_desk: Desk) -> None:
    at_desk.page("/events/4711", status=404)
