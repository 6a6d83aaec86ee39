"""Whoever left is a task in Twenty some days later, once, unless they are back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from automating import act, desk_of, every, hear, the_act
from breaking import AFTER_COMMIT, BEFORE_COMMIT, Fate, Killed
from events import a_body
from happening import notes
from scene import Json, Scene, one
from test_act_kills import to_be_killed

from connector.sync import switching
from connector.sync.acting import LEASE

DAYS = 14 * 86_400
LATER = "2026-11-20T13:00:00.000Z"

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def on(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    assert scene.connection is not None
    switching.switch_on(desk_of(scene), scene.connection, "win_back", {}, ())
    scene.clock.advance(1)
    return scene


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
@pytest.mark.parametrize("seam", [BEFORE_COMMIT, AFTER_COMMIT])
def test_a_task_killed_at_any_commit_is_left_once(on: Scene, seam: str) -> None:
    for nth in (1, 2, 3):
        leaves(on, nth)
        with suppress(Killed):
            act(on, DAYS + 60, desk=to_be_killed(on, Fate(seam, nth)), owner=f"killed-{nth}")
        act(on, LEASE.total_seconds() + 1, owner=f"next-{nth}")

        assert len(tasks(on)) == nth
    assert {each.state for each in every(on)} == {"done"}
