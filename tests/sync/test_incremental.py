"""An incremental sync finds whatever moved since the last one, and costs little where nothing did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scene import Scene, one, picture

from connector.store import checkpoints, runs, sales
from connector.store.runs import Run
from connector.sync import incremental, mirror, onboarding


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    scene.clock.advance(3600)
    return scene


def start(scene: Scene) -> str:
    assert scene.connection is not None
    return onboarding.start_sync(
        scene.tools, scene.connection, "incremental", why="Every hour", correlation_id="corr-test"
    )


def catch_up(scene: Scene, **changed: Any) -> Run:
    run = scene.go_on(start(scene), tools=replace(scene.tools, **changed))
    scene.clock.advance(3600)
    return run


def covered(scene: Scene, stream: str) -> checkpoints.Covered:
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        return checkpoints.get(session, scene.connection.workspace_id, scene.connection.id, stream)


def changes(run: Run) -> int:
    return sum(of.get("updated", 0) + of.get("created", 0) for of in run.counts.values())


def test_an_hour_without_changes_writes_nothing(synced: Scene) -> None:
    before = picture(synced)

    run = catch_up(synced)

    assert (run.status, run.type, changes(run)) == ("success", "incremental", 0)
    assert picture(synced) == before


@pytest.mark.parametrize(
    ("kind", "field", "value", "plural", "shown"),
    [
        ("memberships", "status", "past_due", "opportunities", "whopMembershipStatus"),
        ("memberships", "cancel_at_period_end", True, "opportunities", "whopCancelAtPeriodEnd"),
        ("products", "title", "Renamed", "whopProducts", "name"),
    ],
)
def test_a_change_that_no_list_puts_in_order_is_found(
    synced: Scene, kind: str, field: str, value: Any, plural: str, shown: str
) -> None:
    key = {"opportunities": "whopMembershipId", "whopProducts": "whopId"}[plural]
    ids = {row[key] for row in synced.rows(plural)}
    found = next(item for item in synced.records(kind) if item["id"] in ids and item[field] != value)
    before = one(synced.rows(plural), **{key: found["id"]})[shown]
    synced.change(kind, found["id"], **{field: value})

    run = catch_up(synced)

    assert changes(run) >= 1  # a product's title is in its opportunities too
    assert one(synced.rows(plural), **{key: found["id"]})[shown] != before


def test_a_payment_that_was_made_since_reaches_its_membership(synced: Scene) -> None:
    deals = {row["whopMembershipId"] for row in synced.rows("opportunities")}
    paid = next(
        item
        for item in synced.records("payments")
        if item["status"] == "paid" and item["membership_id"] in deals and float(item["total"]["amount"])
    )
    later = "2030-11-19T08:00:00.000Z"
    synced.change("payments", paid["id"], paid_at=later)

    run = catch_up(synced)

    assert changes(run) == 1
    assert synced.deal_of(paid["membership_id"])["whopLastPaymentDate"] == later


def test_a_payment_that_left_the_open_ones_is_read_again(synced: Scene) -> None:
    deals = {row["whopMembershipId"] for row in synced.rows("opportunities")}
    found = next(
        item
        for item in synced.records("payments")
        if item["status"] in ("open", "pending") and item["membership_id"] in deals
    )
    synced.change("payments", found["id"], status="uncollectible", payments_failed=7)

    for _ in range(8):  # some in each sync, in turn
        catch_up(synced)

    assert synced.connection is not None
    with synced.parts.database.reading() as session:
        ids = (synced.connection.workspace_id, synced.connection.id)
        assert ("payment", found["id"]) not in sales.unsettled(session, *ids)


def settled_long_ago(scene: Scene) -> dict[str, Any]:
    """The oldest payment that counts."""
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    paid = [
        item
        for item in scene.records("payments")
        if item["status"] == "paid" and item["membership_id"] in deals and float(item["total"]["amount"])
    ]
    return min(paid, key=lambda item: str(item["created_at"]))


@pytest.mark.parametrize("place", [None, "bm9uZQ=="])
def test_a_payment_that_is_voided_long_after_it_was_paid_comes_up_in_turn(
    synced: Scene, place: str | None
) -> None:
    found = settled_long_ago(synced)
    before = synced.deal_of(found["membership_id"])["whopTotalPaid"]
    synced.change("payments", found["id"], status="void")
    if place is not None:  # which Whop does not know any more
        ids = (synced.workspace.id, synced.connection.id)  # type: ignore[union-attr]
        with synced.parts.database.transaction() as session:
            known = checkpoints.get(session, *ids, "payment:again")
            checkpoints.move(session, *ids, known, round_={"cursor": place})

    syncs = -(-len(synced.records("payments")) // 100)
    for _ in range(syncs):
        assert catch_up(synced).status == "success"

    assert synced.deal_of(found["membership_id"])["whopTotalPaid"] != before
    assert covered(synced, "payment:again").round == {}


def test_the_next_sync_reads_lists_from_the_checkpoint_with_an_overlap(synced: Scene) -> None:
    run = catch_up(synced)
    until = covered(synced, "payment:paid").until

    assert until == run.started_at
    job = incremental.Job(synced.tools, an_open_scope(synced), synced.clock())
    assert job.since("payment:paid") == incremental.iso(run.started_at - timedelta(minutes=15))


def an_open_scope(scene: Scene) -> Any:
    run_id = start(scene)
    now = scene.clock()
    with scene.parts.database.transaction() as session:
        run = runs.lease(session, run_id, owner="x", now=now, until=now + mirror.LEASE)
    assert run is not None
    return mirror.open_scope(scene.tools, run, "x")


def test_a_round_goes_on_where_the_sync_before_left_it(
    synced: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "ROUND", 20)
    tools = replace(synced.tools, block_pages=1)
    reader = tools.open_reader
    tools = replace(tools, open_reader=lambda *given: small_pages(reader(*given)))
    places = []
    for _ in range(4):
        synced.go_on(start(synced), tools=tools)
        places.append(covered(synced, "membership:all").round or {})
        synced.clock.advance(3600)

    assert [place.get("read") for place in places[:2]] == [20, 40]
    assert places[2]["whole"]["read"] == 60
    assert places[2]["whole"]["from"] == places[0]["from"]


def small_pages(reader: Any) -> Any:
    reader._page_size = 10
    return reader


def test_of_a_large_company_what_acted_last_comes_first(
    synced: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "_SURELY_WHOLE", 0)
    monkeypatch.setattr(incremental, "ROUND", 0)
    people = {row["whopMemberId"] for row in synced.rows("people")}
    found = next(item for item in synced.records("members") if item["id"] in people and item["user"])
    at = incremental.iso(synced.clock())
    synced.change("members", found["id"], user={"username": "renamed"}, most_recent_action_at=at)

    catch_up(synced)

    assert synced.person_of(found["id"])["whopUsername"] == "renamed"


def test_a_place_that_whop_does_not_know_any_more_begins_the_round_anew(synced: Scene) -> None:
    assert synced.connection is not None
    known = covered(synced, "membership:all")
    ids = (synced.connection.workspace_id, synced.connection.id)
    with synced.parts.database.transaction() as session:
        checkpoints.move(session, *ids, known, round_={"cursor": "bm9uZQ==", "from": 1})

    run = catch_up(synced)

    assert run.status == "success"
    assert (covered(synced, "membership:all").round or {})["whole"]["from"] == run.number


def test_a_checkpoint_in_the_future_is_put_right_and_told(synced: Scene, said: list[Any]) -> None:
    assert synced.connection is not None
    known = covered(synced, "payment:paid")
    ids = (synced.connection.workspace_id, synced.connection.id)
    with synced.parts.database.transaction() as session:
        checkpoints.move(session, *ids, known, until=synced.clock() + timedelta(days=30))

    run = catch_up(synced)

    assert covered(synced, "payment:paid").until == run.started_at
    assert run.checkpoint["told"] == ["clock"]
    assert any(line["event"].startswith("a checkpoint is in the future") for line in said)


def test_a_sync_that_is_cut_off_anywhere_ends_as_one_that_was_not(synced: Scene) -> None:
    for item in synced.records("memberships")[:5]:
        synced.change("memberships", item["id"], cancel_at_period_end=not item["cancel_at_period_end"])
    opened = synced.tools.open_reader
    step = replace(synced.tools, block_pages=1, open_reader=lambda *given: small_pages(opened(*given)))
    run_id = start(synced)
    jobs = 0
    while synced.run(run_id).active:
        slow = replace(step, clock=Stepping(synced))
        run = synced.advance(run_id, owner=f"w-{jobs}", tools=slow)
        synced.clock.now = max(synced.clock.now, run.due_at, run.lease_until or run.due_at)
        synced.clock.advance(0.001)
        jobs += 1

    run = synced.run(run_id)
    assert run.status == "success"
    assert jobs > 2
    assert changes(catch_up(synced)) == 0


class Stepping:
    """A clock by which each job's time is up after its first block."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __call__(self) -> Any:
        self._scene.clock.advance(0.7)
        return self._scene.clock.now
