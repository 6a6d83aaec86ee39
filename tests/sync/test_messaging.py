"""A welcome is written once for each membership, however often it is renewed and whatever is killed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from automating import Bought, act, buys, desk_of, every, hear, the_act
from breaking import AFTER_COMMIT, AFTER_WHOP, BEFORE_COMMIT, BEFORE_WHOP, Fate, Killed
from events import a_body
from happening import LATER, happen
from scene import NOON, Scene, one
from test_act_kills import to_be_killed

from connector.errors import RefusedError
from connector.sync import switching
from connector.sync.acting import LEASE

NAME = "welcome_message"
NEEDS = ("support_chat:create", "support_chat:message:create", "support_chat:read")

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)
    scene.clock.advance(1)
    return scene


def chats(scene: Scene) -> list[str]:
    """Everything that was written, in any chat."""
    held: Any = scene.whop.app.extensions["whop"].chats
    return [one_["content"] for of in held.messages.values() for one_ in of]


def activated(scene: Scene, bought: Bought, at: str = LATER) -> dict[str, Any]:
    record = one(scene.records("memberships"), id=bought.membership)
    return a_body(scene, "membership.activated", {**record, "updated_at": at}, timestamp=at)


def test_whoever_begins_a_membership_is_written_to_by_name(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events)
    act(on)

    (written,) = chats(on)
    held = one(on.records("memberships"), id=bought.membership)
    member = one(on.records("members"), id=held["member_id"])
    assert written.startswith(f"Welcome, {member['display_name']}! Your access to ")
    assert the_act(on).state == "done"


def test_a_renewal_and_an_event_that_comes_three_times_write_nothing_more(on: Scene) -> None:
    bought = buys(on)
    hear(on, *bought.events, times=3)
    act(on)
    hear(on, activated(on, bought, "2026-11-20T12:05:00.000Z"))
    act(on, 600)

    assert len(chats(on)) == 1


def test_two_memberships_of_one_buyer_are_two_welcomes(on: Scene) -> None:
    first = buys(on)
    held = one(on.records("memberships"), id=first.membership)
    told = happen(on, "join", held["member_id"], plan_id=held["plan_id"])
    again = next(one_["record"] for one_ in told if one_["kind"] == "memberships")
    hear(
        on, *first.events, a_body(on, "membership.activated", {**again, "updated_at": LATER}, timestamp=LATER)
    )
    act(on)

    assert len(chats(on)) == 2


def test_what_ended_meanwhile_or_nobody_has_claimed_is_left(on: Scene) -> None:
    ended, unclaimed = buys(on), buys(on)
    hear(on, activated(on, ended), activated(on, unclaimed))
    on.change("memberships", ended.membership, status="expired")
    on.change("memberships", unclaimed.membership, user_id=None, member_id=None)
    act(on)

    assert chats(on) == []
    assert {str(one_.outcome).split(" ")[0] for one_ in every(on)} == {"The", "Nobody"}


def test_a_name_with_markdown_in_it_is_shown_as_it_is(on: Scene) -> None:
    bought = buys(on)
    held = one(on.records("memberships"), id=bought.membership)
    on.change("members", held["member_id"], user={"name": "[x](http://evil.example)"})
    hear(on, *bought.events)
    act(on)

    assert "[x](http://evil" not in chats(on)[0]


def test_an_answer_that_was_lost_is_looked_for_in_the_chat(on: Scene) -> None:
    hear(on, *buys(on).events)
    on.whop.dial("POST /messages", {"status": 500, "after": True})
    act(on)

    assert len(chats(on)) == 1
    assert the_act(on).state == "done"


def test_it_cannot_be_switched_on_without_the_permissions(scene: Scene) -> None:
    assert scene.connection is not None
    scene.whop.ask("POST", "/keys", {"do": "restrict", "permissions": ["company:basic:read"]})
    with pytest.raises(RefusedError) as lacks:
        switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)

    assert lacks.value.code == "act_scope"


def test_a_dry_run_shows_what_would_be_written(scene: Scene) -> None:
    bought = buys(scene)
    assert scene.connection is not None
    found = switching.dry_run(
        replace(desk_of(scene), clock=lambda: NOON), scene.connection, NAME, None, days=7
    )

    (trial,) = [trial for trial in found if trial.record_id == bought.membership]
    assert trial.why.startswith("Welcome, ")
    assert chats(scene) == []


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP])
def test_a_message_killed_at_any_seam_is_written_once(on: Scene, seam: str) -> None:
    nth, struck = 0, True
    while struck:
        nth += 1
        hear(on, activated(on, buys(on)))
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(on, desk=to_be_killed(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert len(chats(on)) == nth, f"killed {seam}, the {nth}th time"
    assert {one_.state for one_ in every(on)} == {"done"}
    assert nth > 3
