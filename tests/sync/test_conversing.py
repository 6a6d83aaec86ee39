"""What buyers write back to their welcome is kept once, whatever tells of it, and settles their talk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from automating import act, buys, desk_of, hear
from events import a_body, events
from happening import happen, notes
from scene import Scene, one
from sqlalchemy import update
from talking import NAME, ends, every, look, replies, says, talk_desk, the_talk, told, welcome, welcoming

from connector.core.conversations import PATIENCE
from connector.core.records import iso
from connector.store import connections
from connector.store.models import link


@pytest.fixture
def on(scene: Scene) -> Scene:
    return welcoming(scene)


def test_whoever_is_welcomed_has_a_conversation_that_waits_for_an_answer(on: Scene) -> None:
    bought = welcome(on)

    talk = the_talk(on, bought)
    held = one(on.records("memberships"), id=bought.membership)
    assert (talk.state, talk.member_id, talk.user_id) == ("open", held["member_id"], held["user_id"])
    assert talk.text.startswith("Welcome, ")
    assert talk.times_out_at - talk.begun_at == PATIENCE
    assert replies(on, talk) == []


def test_an_answer_is_found_within_the_hour_where_no_event_tells_it(on: Scene) -> None:
    bought = welcome(on)
    says(on, the_talk(on), "Thank you! Where do I begin?")
    assert look(on, 60) == 0, "it is not looked at all the time"

    assert look(on) == 1

    talk = the_talk(on, bought)
    (reply,) = replies(on, talk)
    assert (talk.state, reply.text) == ("answered", "Thank you! Where do I begin?")
    assert talk.last_at is not None


def test_an_event_has_the_chat_looked_at_now_and_three_of_it_leave_one_answer(on: Scene) -> None:
    welcome(on)
    message = says(on, the_talk(on), "Hello!")

    told(on, message, times=3)
    assert look(on, 0) == 1
    told(on, message)
    look(on, 0)

    assert [each.text for each in replies(on, the_talk(on))] == ["Hello!"]
    chats = [event for event in events(on) if event.type == "chat.message.created"]
    assert {(event.state, event.reason) for event in chats} == {("ignored", "chat")}


@pytest.mark.parametrize(
    "names",
    [
        {"user": {"id": "user_somebody"}, "channel_id": "THE CHAT"},
        {"user": None, "feed_id": "THE CHAT"},
        {"user": None, "user_id": "THE USER"},
    ],
)
def test_an_event_may_name_the_chat_or_the_writer(on: Scene, names: dict[str, Any]) -> None:
    welcome(on)
    talk = the_talk(on)
    message = says(on, talk, "Hello!")
    known = {"THE CHAT": talk.channel, "THE USER": talk.user_id}

    told(on, message, **{name: known.get(str(value), value) for name, value in names.items()})
    assert look(on, 0) == 1

    assert the_talk(on).state == "answered"


def test_an_event_about_somebody_else_has_nothing_looked_at(on: Scene) -> None:
    welcome(on)
    message = says(on, the_talk(on), "Hello!")

    told(on, message, user={"id": "user_somebody"})

    assert look(on, 0) == 0


def test_what_was_said_before_the_welcome_and_what_the_company_says_is_no_answer(on: Scene) -> None:
    first = welcome(on)
    talk = the_talk(on)
    says(on, talk, "Long ago", talk.begun_at - timedelta(days=1))
    company = on.whop.app.extensions["whop"].chats.messages[talk.channel][0]["user"]
    says(on, talk, "May I help?", user=company)
    says(on, talk, "A note by Whop", message_type="system")

    look(on)

    assert (the_talk(on, first).state, replies(on, the_talk(on, first))) == ("open", [])


def test_an_answer_belongs_to_the_newest_welcome_of_the_chat(on: Scene) -> None:
    first = welcome(on)
    says(on, the_talk(on), "To the first")
    look(on)
    held = one(on.records("memberships"), id=first.membership)
    again = happen(on, "join", held["member_id"], plan_id=held["plan_id"])
    new = next(one_["record"] for one_ in again if one_["kind"] == "memberships")
    at = the_talk(on).begun_at + timedelta(hours=3)
    on.clock.now = at
    hear(on, a_body(on, "membership.activated", {**new, "updated_at": iso(at)}, timestamp=iso(at)))
    act(on, 0)
    second = next(each for each in every(on) if each.membership_id == new["id"])
    wrote = on.whop.app.extensions["whop"].chats.messages[second.channel][-1]
    wrote["created_at"] = iso(second.begun_at)
    look(on, 0)
    says(on, second, "To the second", second.begun_at + timedelta(minutes=5))
    look(on)

    found = {each.membership_id: [reply.text for reply in replies(on, each)] for each in every(on)}
    assert found == {first.membership: ["To the first"], new["id"]: ["To the second"]}


def test_a_conversation_without_an_answer_times_out_on_the_minute(on: Scene) -> None:
    welcome(on)
    times_out_at = the_talk(on).times_out_at
    for _ in range(3):
        look(on)
    assert the_talk(on).state == "open"

    on.clock.now = times_out_at - timedelta(seconds=1)
    look(on, 0)
    assert the_talk(on).state == "open"
    look(on, 1)

    talk = the_talk(on)
    assert (talk.state, talk.state_at, talk.due_at) == ("timed_out", times_out_at, None)


def test_a_file_may_say_how_long_an_answer_is_waited_for(on: Scene) -> None:
    hear(on, *buys(on).events)
    desk = desk_of(on)
    (own,) = [each for each in desk.automations if each.name == NAME]
    hasty = replace(own, steps=(replace(own.steps[0], patience=timedelta(hours=2)),))
    act(on, 0, desk=replace(desk, automations=(hasty,)))
    look(on, 0)
    look(on, 7_201)

    talk = the_talk(on)
    assert (talk.state, talk.times_out_at - talk.begun_at) == ("timed_out", timedelta(hours=2))


def test_an_answer_that_comes_too_late_is_an_answer_still(on: Scene) -> None:
    welcome(on)
    look(on, PATIENCE.total_seconds() + 1)
    assert the_talk(on).state == "timed_out"
    message = says(on, the_talk(on), "Sorry, I was away.")

    told(on, message)
    look(on, 0)

    assert the_talk(on).state == "answered"


def test_who_wrote_before_the_time_was_up_has_answered_however_late_is_looked(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "In time")

    look(on, PATIENCE.total_seconds() + 60)

    assert the_talk(on).state == "answered"


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_one_whose_membership_ended_is_closed_with_what_was_said_last(on: Scene, status: str) -> None:
    bought = welcome(on)
    says(on, the_talk(on), "I am leaving.")

    hear(on, ends(on, bought, status))
    assert look(on, 0) == 1

    talk = the_talk(on)
    assert (talk.state, talk.due_at) == ("closed", None)
    assert [each.text for each in replies(on, talk)] == ["I am leaving."]
    assert talk.last_at is not None


def test_one_whose_membership_ended_is_closed_where_no_event_tells_it(on: Scene) -> None:
    bought = welcome(on)
    on.change("memberships", bought.membership, status="expired")

    look(on)

    assert the_talk(on).state == "closed"


def test_a_closed_one_is_not_woken_again(on: Scene) -> None:
    bought = welcome(on)
    hear(on, ends(on, bought))
    look(on, 0)

    told(on, says(on, the_talk(on), "Hello?"))

    assert look(on, 0) == 0


def test_a_payment_that_is_late_ends_no_conversation(on: Scene) -> None:
    bought = welcome(on)
    on.change("memberships", bought.membership, status="past_due")

    look(on)

    assert the_talk(on).state == "open"


def test_an_answered_one_is_looked_at_often_for_a_while_and_then_once_a_day(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "Hello!")
    look(on)
    soon = the_talk(on)
    look(on, PATIENCE.total_seconds())
    late = the_talk(on)

    assert soon.due_at is not None
    assert late.due_at is not None
    assert soon.due_at - on.clock() < timedelta(hours=1)
    assert late.due_at == on.clock() + timedelta(days=1)


def test_nothing_is_looked_at_of_a_company_that_is_paused(on: Scene) -> None:
    welcome(on)
    talk = the_talk(on)
    with on.parts.database.transaction() as session:
        connections.set_paused(session, talk.workspace_id, talk.connection_id, paused=True)

    assert look(on) == 0


def test_a_permission_that_is_missing_is_told_and_tried_again(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "Hello!")
    on.whop.dial("GET /messages", {"status": 403})
    look(on)
    failed = the_talk(on)
    look(on)

    assert failed.error is not None
    assert failed.error["code"] == "act_scope"
    assert (the_talk(on).error, the_talk(on).state) == (None, "answered")


def test_a_whop_that_does_not_answer_is_asked_again_soon(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "Hello!")
    on.whop.dial("GET /messages", {"status": 500})
    look(on)
    assert the_talk(on).error is not None

    look(on, 121)

    assert the_talk(on).state == "answered"


def test_many_answers_are_read_page_after_page_and_kept_once(on: Scene) -> None:
    welcome(on)
    talk = the_talk(on)
    for number in range(230):
        says(on, talk, f"Line {number}", on.clock() + timedelta(minutes=1, seconds=number))

    look(on)
    look(on)

    assert [each.text for each in replies(on, the_talk(on))] == [f"Line {number}" for number in range(230)]


def test_hostile_text_is_kept_as_text(on: Scene) -> None:
    welcome(on)
    says(on, the_talk(on), "\x00<script>alert(1)</script>\n# Head\n[x](http://evil.example) " + "x" * 20_000)
    says(on, the_talk(on), None, on.clock() + timedelta(minutes=1))

    look(on)

    first, second = replies(on, the_talk(on))
    assert "\x00" not in first.text
    assert first.text.startswith("<script>alert(1)</script>\n# Head")
    assert len(first.text) < 10_100
    assert second.text.startswith("(no text")


# --- notes


def test_each_answer_is_a_note_beside_the_person_and_the_opportunity_once(scene: Scene) -> None:
    scene.sync()
    on = welcoming(scene)
    bought = welcome(on)
    held = one(on.records("memberships"), id=bought.membership)
    message = says(on, the_talk(on), "Hi\n[x](http://evil.example)")
    told(on, message, times=3)
    look(on, 3)
    look(on)

    (note,) = [each for each in notes(on) if each["title"].startswith("Reply on Whop from")]
    assert note["beside"] == {
        "Person": on.person_of(held["member_id"])["id"],
        "Opportunity": on.deal_of(bought.membership)["id"],
    }
    body = note["bodyV2"]["markdown"]
    assert body.startswith("Hi\n\n")
    assert "[x](http://evil" not in body


def test_a_note_that_somebody_deleted_stays_deleted(scene: Scene) -> None:
    scene.sync()
    on = welcoming(scene)
    welcome(on)
    says(on, the_talk(on), "Hi")
    look(on)
    (note,) = [each for each in notes(on) if each["title"].startswith("Reply on Whop from")]
    on.crm("mutation($id:UUID!){deleteNote(id:$id){id}}", id=note["id"])
    says(on, the_talk(on), "And more")
    look(on)

    left = [each for each in notes(on) if each["title"].startswith("Reply on Whop from")]
    assert len(left) == 1
    assert left[0]["id"] != note["id"]


def test_a_note_waits_for_the_person_it_stands_beside_and_not_for_ever(on: Scene) -> None:
    welcome(on)
    say_linked(on, "review")
    says(on, the_talk(on), "Hi")
    look(on)
    assert [each.note for each in replies(on, the_talk(on))] == ["pending"]

    say_linked(on, "linked")
    look(on)
    assert [each.note for each in replies(on, the_talk(on))] == ["left"]

    say_linked(on, "review")
    says(on, the_talk(on), "Hi again")
    on.clock.advance(PATIENCE.total_seconds())
    look(on)
    first = the_talk(on)
    look(on, 3 * 86_400)
    assert first.due_at is not None
    assert first.due_at - on.clock() < timedelta(0), "it is tried each hour"
    assert the_talk(on).due_at == on.clock() + timedelta(days=1)


def say_linked(scene: Scene, state: str) -> None:
    """As if a person had, or had not, decided about every record."""
    with scene.parts.database.transaction() as session:
        session.execute(update(link).values(state=state))


def test_where_notes_are_switched_off_none_is_left(scene: Scene) -> None:
    scene.sync()
    on = welcoming(scene)
    welcome(on)
    talk = the_talk(on)
    with on.parts.database.transaction() as session:
        connections.set_notes(session, talk.workspace_id, talk.connection_id, None)
    says(on, talk, "Hi")
    look(on)

    assert [each.note for each in replies(on, the_talk(on))] == ["none"]
    assert [each for each in notes(on) if each["title"].startswith("Reply")] == []


def test_a_message_to_somebody_who_is_unclaimed_begins_no_conversation(on: Scene) -> None:
    bought = buys(on)
    on.change("memberships", bought.membership, user_id=None, member_id=None)
    hear(on, *bought.events)
    act(on)

    assert every(on) == []
    assert look(on, 0, desk=talk_desk(on)) == 0
