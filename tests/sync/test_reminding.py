"""Whoever is about to be charged again is told so some days before, once for each period."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from automating import act, desk_of, every
from breaking import AFTER_COMMIT, AFTER_WHOP, BEFORE_COMMIT, BEFORE_WHOP, Fate, Killed
from scene import Json, Scene, one
from test_act_kills import to_be_killed
from test_messaging import NEEDS, chats

from connector.core.records import iso
from connector.sync import reminding, switching
from connector.sync.acting import LEASE

NAME = "renewal_reminder"
DAY = 86_400.0

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def renewing(scene: Scene, days: float, place: int = 0) -> Json:
    """A membership that is renewed in so many days, as a sync has seen it."""
    held = [
        each
        for each in scene.records("memberships")
        if each["status"] == "active" and each["renewal_price"] and each["user_id"] and each["member_id"]
    ][place]
    end = iso(scene.clock() + timedelta(days=days))
    scene.change(
        "memberships", held["id"], current_period_end=end, cancel_at_period_end=False, expires_at=None
    )
    return one(scene.records("memberships"), id=held["id"])


def on(scene: Scene) -> None:
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, NAME, {}, NEEDS)


def reminds(scene: Scene, days: float = 0, *, times: int = 3) -> int:
    """The clock goes on, and is looked at so many times."""
    scene.clock.advance(days * DAY)
    return sum(reminding.sweep(scene.tools) for _ in range(times))


@pytest.fixture
def held(scene: Scene) -> Json:
    """One that renews in four days, with the automation on; nothing else is near."""
    for each in scene.records("memberships"):
        scene.change("memberships", each["id"], current_period_end=None, expires_at=None)
    found = renewing(scene, 4)
    assert scene.sync().status == "success"
    on(scene)
    return found


def test_three_days_before_a_renewal_its_buyer_is_written_to_once(scene: Scene, held: Json) -> None:
    assert reminds(scene, 0.5) == 0
    assert reminds(scene, 0.6) == 1
    act(scene, 0)

    (written,) = chats(scene)
    assert "renews on" in written
    (done,) = every(scene)
    assert (done.state, done.membership_id, done.event) == ("done", held["id"], None)
    assert reminds(scene, 1) == 0


def test_the_next_period_is_reminded_of_again(scene: Scene, held: Json) -> None:
    reminds(scene, 1.1)
    act(scene, 0)
    end = iso(scene.clock() + timedelta(days=30))
    scene.change("memberships", held["id"], current_period_end=end)
    assert scene.sync().status == "success"
    assert reminds(scene, 20) == 0
    assert reminds(scene, 7.5) == 1
    act(scene, 0)

    assert len(chats(scene)) == 2


def test_what_was_near_already_when_it_was_switched_on_is_left(scene: Scene) -> None:
    renewing(scene, 2)
    assert scene.sync().status == "success"
    on(scene)

    reminds(scene, 0)
    assert every(scene) == []


def test_nothing_is_done_while_it_is_off(scene: Scene) -> None:
    renewing(scene, 4)
    assert scene.sync().status == "success"

    assert reminds(scene, 1.1) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"cancel_at_period_end": True},
        {"current_period_end": "2027-06-01T00:00:00.000Z"},
        {"status": "past_due"},
    ],
)
def test_what_does_not_renew_then_any_more_is_left(scene: Scene, held: Json, changed: Json) -> None:
    reminds(scene, 1.1)
    scene.change("memberships", held["id"], **changed)
    act(scene, 0)

    assert chats(scene) == []
    assert [each.state for each in every(scene)] == ["skipped"]


@on_sqlite
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT, BEFORE_WHOP, AFTER_WHOP])
def test_a_reminder_killed_at_any_seam_is_written_once(scene: Scene, held: Json, seam: str) -> None:
    reminds(scene, 1.1)
    nth, struck = 0, True
    while struck:
        nth += 1
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(scene, 0, desk=to_be_killed(scene, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(scene, LEASE.total_seconds() + 1, owner=f"next-{nth}")
        assert len(chats(scene)) == nth
        assert {each.state for each in every(scene)} == {"done"}
        end = iso(scene.clock() + timedelta(days=3, minutes=1))
        scene.change("memberships", held["id"], current_period_end=end)
        assert scene.sync().status == "success"
        reminds(scene, 0.01)
    assert nth > 3
