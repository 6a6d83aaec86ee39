"""Syncs by the clock: each hour one, whoever looks, whatever was missed, and only where it is wanted."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from events import a_body, events, receive, take
from scene import NOON, Scene

from connector.errors import RefusedError
from connector.store import hooks, inbox, runs, schedules
from connector.store.hooks import HookSecret
from connector.store.runs import Run
from connector.sync import mirror, onboarding, replaying, scheduling, steering

HOUR = timedelta(hours=1)


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """It had its first sync, and is planned."""
    assert scene.sync().status == "success"
    sweep(scene)
    return scene


def sweep(scene: Scene, every: timedelta | None = HOUR) -> int:
    return scheduling.sweep(replace(scene.tools, every=every))


def ids_of(scene: Scene) -> tuple[str, str]:
    assert scene.connection is not None
    return scene.connection.workspace_id, scene.connection.id


def plan_of(scene: Scene) -> schedules.Schedule:
    with scene.parts.database.reading() as session:
        found = schedules.get(session, *ids_of(scene), "incremental")
    assert found is not None
    return found


def by_clock(scene: Scene) -> list[Run]:
    with scene.parts.database.reading() as session:
        every = runs.of_workspace(session, ids_of(scene)[0])
    return [run for run in every if run.type == "incremental"]


def test_nothing_is_planned_before_the_first_sync(scene: Scene) -> None:
    scene.clock.advance(10_000)

    assert sweep(scene) == 0
    with scene.parts.database.reading() as session:
        assert schedules.get(session, *ids_of(scene), "incremental") is None


def test_it_is_due_an_hour_after_the_last_sync(synced: Scene) -> None:
    assert sweep(synced) == 0
    synced.clock.advance(3601)

    assert sweep(synced) == 1
    (run,) = by_clock(synced)
    assert (run.status, run.why) == ("queued", "Every hour")
    assert synced.go_on(run.id).status == "success"
    assert sweep(synced) == 0


def test_many_schedulers_start_one(synced: Scene) -> None:
    synced.clock.advance(3601)

    with ThreadPoolExecutor(6) as threads:
        started = list(threads.map(lambda _: sweep(synced), range(12)))

    assert sum(started) == 1
    assert len(by_clock(synced)) == 1


def test_hours_that_were_missed_run_once(synced: Scene) -> None:
    synced.clock.advance(9 * 3600)
    sweep(synced)
    (run,) = by_clock(synced)
    synced.go_on(run.id)

    assert sweep(synced) == 0
    assert plan_of(synced).due_at - synced.clock() > timedelta(minutes=55)


def test_it_waits_for_the_sync_under_way(synced: Scene) -> None:
    run_id = synced.start()
    synced.clock.advance(3601)

    assert sweep(synced) == 0
    synced.go_on(run_id)
    assert sweep(synced) == 1


def test_a_second_click_beside_it_is_told_so(synced: Scene) -> None:
    synced.clock.advance(3601)
    sweep(synced)

    with pytest.raises(RefusedError) as told:
        synced.start()

    assert told.value.code == "run_active"


def test_a_paused_connection_is_left_alone_and_made_up_for(synced: Scene) -> None:
    steering.pause(synced.tools, *ids_of(synced))
    synced.clock.advance(3 * 3600)
    assert sweep(synced) == 0

    steering.resume(synced.tools, *ids_of(synced))

    assert sweep(synced) == 1


def test_an_admin_switches_it_off_and_on(synced: Scene) -> None:
    scheduling.change(synced.tools, *ids_of(synced), minutes=None, enabled=False)
    synced.clock.advance(3 * 3600)
    assert sweep(synced) == 0

    scheduling.change(synced.tools, *ids_of(synced), minutes=None, enabled=True)

    assert sweep(synced) == 1


def test_the_operator_switches_it_off_for_all(synced: Scene) -> None:
    synced.clock.advance(3601)

    assert sweep(synced, every=None) == 0
    assert by_clock(synced) == []


def test_a_shorter_interval_counts_at_once(synced: Scene) -> None:
    scheduling.change(synced.tools, *ids_of(synced), minutes=5, enabled=True)
    synced.clock.advance(301)

    assert sweep(synced) == 1
    assert by_clock(synced)[0].why == "Every 5 minutes"


@pytest.mark.parametrize("minutes", [0, 4, 1441])
def test_an_interval_out_of_bounds_is_refused(synced: Scene, minutes: int) -> None:
    with pytest.raises(RefusedError) as told:
        scheduling.change(synced.tools, *ids_of(synced), minutes=minutes, enabled=True)

    assert told.value.code == "interval"


def test_a_clock_that_was_ahead_does_not_keep_syncs_away(synced: Scene, said: list[Any]) -> None:
    synced.clock.advance(400 * 86_400)
    sweep(synced)
    synced.go_on(by_clock(synced)[0].id)
    synced.clock.now = NOON + HOUR  # and the clock is put right

    assert sweep(synced) == 0
    assert plan_of(synced).due_at <= synced.clock() + HOUR
    assert any("did the clock jump" in line["event"] for line in said)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(5, "Every 5 minutes"), (60, "Every hour"), (90, "Every 90 minutes"), (1440, "Every day")],
)
def test_the_interval_is_told_in_words(minutes: int, words: str) -> None:
    assert scheduling.every(timedelta(minutes=minutes)) == words


def listens(scene: Scene, since: datetime) -> None:
    secret = HookSecret(str(uuid.uuid4()), *ids_of(scene), "standard", "sealed", since)
    with scene.parts.database.transaction() as session:
        hooks.add_secret(session, secret)


def an_incremental(scene: Scene) -> Run:
    assert scene.connection is not None
    scene.clock.advance(3600)
    run_id = onboarding.start_sync(
        scene.tools, scene.connection, "incremental", why="Every hour", correlation_id="corr-test"
    )
    return scene.go_on(run_id)


def test_what_no_event_told_is_counted_as_missed(synced: Scene) -> None:
    listens(synced, NOON - HOUR)
    deals = {row["whopMembershipId"] for row in synced.rows("opportunities")}
    found = next(item for item in synced.records("memberships") if item["id"] in deals)
    at = (synced.clock() + timedelta(minutes=20)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    synced.change(
        "memberships", found["id"], cancel_at_period_end=not found["cancel_at_period_end"], updated_at=at
    )

    run = an_incremental(synced)

    assert run.missed == 1
    with synced.parts.database.reading() as session:
        assert schedules.missed(session, *ids_of(synced), NOON) == 1


def test_a_member_without_an_event_is_counted_too(synced: Scene) -> None:
    listens(synced, NOON - HOUR)
    people = {row["whopMemberId"] for row in synced.rows("people")}
    found = next(item for item in synced.records("members") if item["id"] in people and item["user"])
    synced.change("members", found["id"], user={"username": "renamed"})

    assert an_incremental(synced).missed == 1


def test_nothing_is_missed_where_nobody_listened(synced: Scene) -> None:
    found = synced.records("products")[0]
    synced.change("products", found["id"], title="Renamed")

    assert an_incremental(synced).missed is None


def test_a_lease_of_a_clock_that_was_ahead_is_void(synced: Scene) -> None:
    run_id = synced.start()
    ahead = synced.clock() + timedelta(days=2)
    with synced.parts.database.transaction() as session:
        runs.lease(session, run_id, owner="dead", now=synced.clock(), until=ahead)

    assert mirror.sweep(synced.tools) == 1
    assert synced.advance(run_id, owner="alive").status in ("running", "success")


def test_events_of_a_clock_that_was_ahead_are_taken_when_it_is_put_right(
    synced: Scene, said: list[Any]
) -> None:
    found = next(one for one in synced.records("memberships") if one["status"] == "active")
    fresh = synced.whop.ask("PATCH", f"/records/memberships/{found['id']}", {"status": "past_due"})
    synced.clock.advance(400 * 86_400)
    receive(synced, a_body(synced, "membership.updated", fresh))
    synced.clock.now = NOON + HOUR
    assert take(synced) == 0

    assert (replaying.bring_forward(synced.tools), replaying.bring_forward(synced.tools)) == (1, 0)
    take(synced)

    assert [event.state for event in events(synced)] == ["done"]
    assert any("did the clock jump" in line["event"] for line in said)


def test_events_that_wait_for_their_next_try_keep_their_time(synced: Scene) -> None:
    receive(synced, {"type": "membership.updated", "data": {}})
    with synced.parts.database.transaction() as session:
        late = [one.id or 0 for one in events(synced)]
        inbox.put_off(session, synced.connection.workspace_id, late, synced.clock() + 6 * HOUR)  # type: ignore[union-attr]

    assert replaying.bring_forward(synced.tools) == 0
