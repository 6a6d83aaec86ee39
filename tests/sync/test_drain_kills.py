"""A drain killed at every seam, events doubled and in any order: the CRM ends as Whop is, nothing twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from breaking import (
    AFTER_COMMIT,
    AFTER_CRM,
    AFTER_WHOP,
    BEFORE_COMMIT,
    BEFORE_CRM,
    BEFORE_WHOP,
    DeadDatabase,
    Fate,
    Killed,
    breakable,
)
from events import a_body, events, receive, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene import Scene

from connector.sync import endings, eventruns, mirror
from connector.sync.drain import LEASE
from connector.sync.mirror import Tools

Json = dict[str, Any]
STATUS = {"past_due": "PAYMENT_FAILED", "active": "ACTIVE", "canceled": "CANCELLED", "expired": "EXPIRED"}
SEAMS = (BEFORE_COMMIT, AFTER_COMMIT, BEFORE_CRM, AFTER_CRM, BEFORE_WHOP, AFTER_WHOP)

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Everything is in step."""
    assert scene.sync().status == "success"
    return scene


def to_be_killed(scene: Scene, fate: Fate) -> Tools:
    tools = breakable(scene, fate)
    return replace(tools, database=DeadDatabase(scene.tools.database, fate))  # type: ignore[arg-type]


def some_memberships(scene: Scene, number: int) -> list[str]:
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    return [one["id"] for one in scene.records("memberships") if one["id"] in deals][:number]


def change(scene: Scene, id_: str, status: str) -> Json:
    """A membership changes; the event that tells of it."""
    fresh = scene.whop.ask("PATCH", f"/records/memberships/{id_}", {"status": status})
    return a_body(scene, "membership.updated", fresh)


def is_in_step(scene: Scene, ids: list[str]) -> bool:
    wanted = {one["id"]: STATUS[one["status"]] for one in scene.records("memberships") if one["id"] in ids}
    found = [row for row in scene.rows("opportunities") if row["whopMembershipId"] in ids]
    assert len(found) == len(ids), "none is there twice"
    return {row["whopMembershipId"]: row["whopMembershipStatus"] for row in found} == wanted


def someone_joins(scene: Scene) -> tuple[str, list[Json]]:
    """Their membership, and the events that tell of it all."""
    told = scene.whop.ask("POST", "/happen", {"what": "join", "silent": True})["told"]
    bodies = [a_body(scene, one["event"], one["record"]) for one in told]
    return next(one["record"]["id"] for one in told if one["kind"] == "memberships"), bodies


@pytest.fixture
def in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of two records, or two events, is saved at a time."""
    monkeypatch.setattr(eventruns, "KEPT", 2)
    monkeypatch.setattr(endings, "AT_ONCE", 2)


@on_sqlite
def test_others_may_write_between_what_a_drain_saves(
    synced: Scene, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def commits() -> int:
        receive(synced, *(change(synced, id_, "past_due") for id_ in ids))
        take(synced, to_be_killed(synced, fate := Fate()))
        receive(synced, *(change(synced, id_, "active") for id_ in ids))
        take(synced, to_be_killed(synced, fate))
        return fate.passed[AFTER_COMMIT]

    ids = some_memberships(synced, 6)
    whole = commits()
    request.getfixturevalue("in_small_parts")

    # Twice: three parts of records for one, and three of events for one.
    assert commits() == whole + 8


@on_sqlite
@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize("seam", SEAMS)
def test_a_drain_killed_at_any_seam_leaves_no_trace(synced: Scene, seam: str) -> None:
    ids, nth, struck = some_memberships(synced, 4), 0, True
    people = len(synced.rows("people"))
    while struck:
        nth += 1
        joined, bodies = someone_joins(synced)
        bodies += [change(synced, id_, ("past_due", "active")[nth % 2]) for id_ in ids[:4]]
        ids.append(joined)
        receive(synced, *bodies)
        fate = Fate(seam, nth)
        with suppress(Killed):
            take(synced, to_be_killed(synced, fate), owner=f"killed-{nth}")
        struck = fate.struck
        synced.clock.advance(LEASE.total_seconds() + 130)
        mirror.sweep(synced.tools)
        for _, _, named in synced.bell.rings:
            synced.advance(named["run_id"], owner="sweeper")
        synced.bell.rings.clear()
        take(synced, owner=f"next-{nth}")

        assert {event.state for event in events(synced)} == {"done"}, f"killed {seam}, the {nth}th time"
        assert is_in_step(synced, ids), f"killed {seam}, the {nth}th time"
        assert len(synced.rows("people")) == people + nth
    assert nth > 2, "the seam is passed several times"


@on_sqlite
@given(st.data())
@settings(max_examples=12, derandomize=True, suppress_health_check=list(HealthCheck))
def test_events_in_any_order_and_twice_end_in_the_state_of_whop(synced: Scene, data: st.DataObject) -> None:
    ids = some_memberships(synced, 4)
    wanted = st.lists(
        st.tuples(st.sampled_from(ids), st.sampled_from(sorted(STATUS))), min_size=2, max_size=12
    )
    bodies = [change(synced, *one) for one in data.draw(wanted)]
    told = {body["data"]["id"] for body in bodies}
    shuffled = data.draw(st.permutations([*bodies, *bodies]))
    while shuffled:
        number = data.draw(st.integers(1, len(shuffled)))
        receive(synced, *shuffled[:number])
        shuffled = shuffled[number:]
        take(synced)

    assert {event.state for event in events(synced)} == {"done"}
    assert is_in_step(synced, sorted(told))
