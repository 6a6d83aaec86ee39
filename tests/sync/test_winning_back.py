"""Whoever left is a task in Twenty some days later, once, unless they are back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from automating import act, desk_of, every, hear, the_act
from breaking import AFTER_CRM, BEFORE_CRM, Fate, Killed
from events import a_body
from happening import notes
from scene import Json, Scene, one
from test_act_kills import SEAMS, to_be_killed

from connector.sync import switching
from connector.sync.acting import LEASE

DAYS = 14 * 86_400
LATER = "2026-11-20T13:00:00.000Z"

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def switched(scene: Scene, name: str) -> Scene:
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, name, {}, ())
    scene.clock.advance(1)
    return scene


@pytest.fixture
def on(synced: Scene) -> Scene:
    return switched(synced, "win_back")


def leaves(scene: Scene, place: int = 0) -> str:
    """A membership of somebody who is in the CRM ends; the event of it comes in, three times."""
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    held = [
        each
        for each in scene.records("memberships")
        if each["id"] in deals and each["member_id"] and each["status"] == "active"
    ]
    id_ = str(held[place]["id"])
    ended = {**held[place], "status": "canceled", "updated_at": LATER}
    scene.change("memberships", id_, status="canceled")
    scene.change("members", held[place]["member_id"], access_level="no_access")
    hear(scene, a_body(scene, "membership.deactivated", ended, timestamp=LATER), times=3)
    return id_


def tasks(scene: Scene) -> list[Json]:
    return notes(scene, "tasks")


def member_of(scene: Scene, id_: str) -> dict[str, Any]:
    member_id = one(scene.records("memberships"), id=id_)["member_id"]
    return one(scene.records("members"), id=member_id)


def test_a_task_is_left_two_weeks_after_somebody_left(on: Scene) -> None:
    id_ = leaves(on)
    assert act(on, DAYS - 60) == 0
    act(on, 120)

    (task,) = tasks(on)
    assert task["title"].startswith("Win back ")
    assert task["beside"] == {
        "Opportunity": on.deal_of(id_)["id"],
        "Person": on.person_of(member_of(on, id_)["id"])["id"],
    }
    assert the_act(on).state == "done"


def test_who_has_access_again_is_no_task(on: Scene) -> None:
    id_ = leaves(on)
    on.change("members", member_of(on, id_)["id"], access_level="customer")
    act(on, DAYS + 60)

    assert tasks(on) == []
    assert the_act(on).outcome == "Its buyer has access again."


def test_a_membership_that_goes_on_is_no_task(on: Scene) -> None:
    id_ = leaves(on)
    on.change("memberships", id_, status="active")
    act(on, DAYS + 60)

    assert (tasks(on), the_act(on).state) == ([], "skipped")


@on_sqlite
@pytest.mark.parametrize(("name", "wait"), [("win_back", DAYS + 60), ("ended_membership", 1)])
@pytest.mark.parametrize("seam", [*SEAMS, BEFORE_CRM, AFTER_CRM])
def test_a_task_killed_at_any_seam_is_left_once(synced: Scene, name: str, wait: int, seam: str) -> None:
    on, nth, struck = switched(synced, name), 0, True
    while struck:
        leaves(on, 0)
        nth += 1
        fate = Fate(seam, nth)
        with suppress(Killed):
            act(on, wait, desk=to_be_killed(on, fate), owner=f"killed-{nth}")
        struck = fate.struck
        act(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert len(tasks(on)) == nth, f"killed {seam}, the {nth}th time"
    assert {each.state for each in every(on)} == {"done"}
    assert nth > 1, "the seam is passed"
