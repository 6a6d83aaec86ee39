"""Comparisons: what they find, that they write nothing, what mends it, and that being cut off is survived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scene import NOWHERE, Scene, Service, built, environment, picture
from test_drifting import edit
from test_full_sync import a_membership, forget_requests, on_sqlite, writes

from connector.core.reconciling import Standing, count, share
from connector.errors import RefusedError
from connector.store import connections, differences, inbox, reconcile_plans, reconciliations
from connector.store.differences import DifferenceFilter, Kept
from connector.store.inbox import InboxEvent
from connector.store.paging import Place
from connector.store.reconciliations import Reconciliation
from connector.sync import reconcile_job, reconciling
from connector.sync.tools import Tools


@pytest.fixture
def synced(scene: Scene) -> Scene:
    scene.sync()
    scene.clock.advance(3600)  # nothing is fresh any more
    return scene


def started(scene: Scene) -> str:
    assert scene.workspace is not None
    assert scene.connection is not None
    with scene.parts.database.reading() as session:
        one = connections.get(session, scene.workspace.id, scene.connection.id)
    return reconciling.start(scene.tools, one, why="The test", correlation_id="corr-test")


def found(scene: Scene, id_: str) -> Reconciliation:
    with scene.parts.database.reading() as session:
        return reconciliations.by_id(session, id_)


def go_on(scene: Scene, id_: str, tools: Tools | None = None) -> Reconciliation:
    for number in range(60):
        reconcile_job.advance(tools or scene.tools, id_, owner=f"worker-{number}")
        one = found(scene, id_)
        if not one.active:
            return one
        scene.clock.now = max(scene.clock.now, one.due_at, one.lease_until or one.due_at)
        scene.clock.advance(0.001)
    raise AssertionError(f"the comparison did not end: {one}")


def compared(scene: Scene) -> Reconciliation:
    return go_on(scene, started(scene))


def told(scene: Scene, one: Reconciliation, **wanted: str) -> list[Kept]:
    with scene.parts.database.reading() as session:
        filter_ = DifferenceFilter(**wanted)
        return differences.page(session, one.workspace_id, one.number, filter_, Place(), 1000).items


def test_what_was_synced_is_in_step_and_every_record_is_counted(synced: Scene) -> None:
    one = compared(synced)

    assert (one.status, share(one.counts), told(synced, one)) == ("done", 1.0, [])
    read = sum(len(synced.records(kind)) for kind in ("products", "members", "memberships"))
    assert sum(count(one.counts, standing) for standing in Standing) == read


def test_a_comparison_writes_nothing(synced: Scene) -> None:
    edit(synced, "opportunity", synced.rows("opportunities")[0]["id"], whopPlanId="plan_wrong")
    before = picture(synced)
    forget_requests(synced)

    compared(synced)

    assert (writes(synced), picture(synced)) == ({}, before)


@on_sqlite
def test_every_kind_of_difference_is_told_with_its_cause(synced: Scene) -> None:
    drifted = a_membership(synced, status="active")
    behind = a_membership(synced, status="past_due")
    edit(synced, "opportunity", synced.deal_of(drifted["id"])["id"], whopPlanId="plan_wrong")
    synced.change("memberships", behind["id"], status="canceled", updated_at="2026-11-20T12:00:00.000Z")
    gone = synced.whop.ask("POST", "/records/memberships", {"plan_id": drifted["plan_id"]})
    synced.sync()
    edit(synced, "opportunity", synced.deal_of(drifted["id"])["id"], whopPlanId="plan_wrong")
    synced.change("memberships", behind["id"], status="expired", updated_at="2026-11-20T12:30:00.000Z")
    synced.whop.ask("DELETE", f"/records/memberships/{gone['id']}")
    new = synced.whop.ask("POST", "/records/memberships", {"plan_id": drifted["plan_id"]})
    synced.clock.advance(30 * 86400)

    one = compared(synced)

    causes = {(each.source_id, each.cause, each.field) for each in told(synced, one)}
    assert causes == {
        (drifted["id"], "drift", "whopPlanId"),
        (behind["id"], "behind", "whopMembershipStatus"),
        (new["id"], "missing", None),
        (gone["id"], "no_source", None),
    }
    assert count(one.counts, Standing.DIFFERS) == 3
    assert count(one.counts, Standing.NO_SOURCE) == 1
    assert [each.source_id for each in told(synced, one, cause="missing")] == [new["id"]]


def test_an_edit_of_a_field_that_people_own_is_in_step(synced: Scene) -> None:
    edit(synced, "opportunity", synced.rows("opportunities")[0]["id"], name="Our best customer")

    assert share(compared(synced).counts) == 1.0


@on_sqlite
def test_a_record_of_which_an_event_waits_is_counted_apart(synced: Scene) -> None:
    membership = a_membership(synced, status="active")
    edit(synced, "opportunity", synced.deal_of(membership["id"])["id"], whopPlanId="plan_wrong")
    an_event_waits(synced, membership["id"])

    one = compared(synced)

    assert (count(one.counts, Standing.IN_FLIGHT), told(synced, one)) == (1, [])


@on_sqlite
@pytest.mark.parametrize(("age", "in_flight"), [(60, 1), (600, 0)])
def test_what_changed_a_moment_ago_is_counted_apart(synced: Scene, age: float, in_flight: int) -> None:
    membership = a_membership(synced, status="active")
    at = (synced.clock() - timedelta(seconds=age)).isoformat(timespec="milliseconds")
    synced.change("memberships", membership["id"], status="canceled", updated_at=at.replace("+00:00", "Z"))

    one = compared(synced)

    assert (count(one.counts, Standing.IN_FLIGHT), bool(told(synced, one))) == (in_flight, not in_flight)


def an_event_waits(scene: Scene, membership_id: str) -> None:
    assert scene.connection is not None
    event = InboxEvent(
        workspace_id=scene.connection.workspace_id,
        connection_id=scene.connection.id,
        event_id="evt_1",
        type="membership.activated",
        dialect="v1",
        body=b"{}",
        received_at=scene.clock(),
        due_at=scene.clock(),
        kind="membership",
        source_id=membership_id,
    )
    with scene.parts.database.transaction() as session:
        inbox.add(session, [event])


@on_sqlite
def test_a_repair_mends_just_what_differs_and_the_next_comparison_is_whole(synced: Scene) -> None:
    membership = a_membership(synced, status="active")
    edit(synced, "opportunity", synced.deal_of(membership["id"])["id"], whopPlanId="plan_wrong")
    one = compared(synced)

    run_id = reconciling.repair(
        synced.tools, one.workspace_id, one.id, why="The test", correlation_id="corr-test"
    )
    run = synced.go_on(run_id)

    assert (run.type, run.counts) == ("repair", {"opportunity": {"updated": 1}})
    assert found(synced, one.id).repair_run == run_id
    assert share(compared(synced).counts) == 1.0


def test_where_nothing_differs_there_is_nothing_to_repair(synced: Scene) -> None:
    one = compared(synced)

    with pytest.raises(RefusedError, match="mended by a sync"):
        reconciling.repair(synced.tools, one.workspace_id, one.id, why="", correlation_id="")


def test_a_second_click_says_that_one_is_under_way(synced: Scene) -> None:
    started(synced)

    with pytest.raises(RefusedError) as refused:
        started(synced)
    assert refused.value.code == "reconcile_active"


def test_a_cancelled_comparison_keeps_what_it_found_and_makes_room_for_another(synced: Scene) -> None:
    id_ = started(synced)
    assert synced.workspace is not None

    reconciling.cancel(synced.tools, synced.workspace.id, id_, who="Ada")

    one = found(synced, id_)
    assert (one.status, one.active, one.lease_owner) == ("cancelled", False, None)
    assert "Ada cancelled it" in (one.error or {})["message"]
    assert compared(synced).status == "done"
    with pytest.raises(RefusedError) as refused:
        reconciling.cancel(synced.tools, synced.workspace.id, id_, who="Bob")
    assert refused.value.code == "reconcile_over"


def test_a_comparison_stands_beside_a_sync(synced: Scene) -> None:
    id_ = started(synced)

    assert synced.sync().status == "success"
    assert go_on(synced, id_).status == "done"


class Dies(BaseException):
    """The process is killed."""


@pytest.fixture
def in_small_pages(database_url: str, whop: Service, twenty: Service) -> Iterator[Scene]:
    env = environment(database_url, whop.url, NOWHERE, WHOP_SYNC_BATCH_SIZE="10")
    with closing(built(env)) as parts:
        scene = Scene(whop, twenty, parts).connect()
        scene.sync()
        scene.clock.advance(3600)
        yield scene


@on_sqlite
@pytest.mark.parametrize("at", range(0, 24, 3))
def test_a_worker_that_dies_costs_a_block_and_doubles_nothing(in_small_pages: Scene, at: int) -> None:
    synced = in_small_pages
    edit(synced, "opportunity", synced.rows("opportunities")[0]["id"], whopPlanId="plan_wrong")
    whole = compared(synced)
    id_, tools = started(synced), replace(synced.tools, block_pages=1, ends=lambda: True)

    with pytest.raises(Dies):
        go_on(synced, id_, replace(tools, clock=Dying(synced, at)))
    synced.clock.advance(60)
    one = go_on(synced, id_, tools)

    assert one.counts == whole.counts
    assert [(each.source_id, each.field) for each in told(synced, one)] == [
        (each.source_id, each.field) for each in told(synced, whole)
    ]


def test_a_worker_at_a_comparison_that_is_cancelled_saves_nothing_more(in_small_pages: Scene) -> None:
    scene, asked = in_small_pages, 0
    id_ = started(scene)
    before: Reconciliation | None = None

    def ends() -> bool:  # asked after each block
        nonlocal asked, before
        asked, before = asked + 1, before or found(scene, id_)
        if asked == 1:
            reconciling.cancel(scene.tools, before.workspace_id, id_, who="Ada")
        return False

    reconcile_job.advance(replace(scene.tools, block_pages=1, ends=ends), id_, owner="worker")

    one = found(scene, id_)
    assert before is not None
    assert before.counts
    assert (one.status, one.counts, asked) == ("cancelled", before.counts, 1)


class Dying:
    """A clock that the process does not survive being asked so often."""

    def __init__(self, scene: Scene, left: int) -> None:
        self.scene = scene
        self.left = left

    def __call__(self) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Dies
        return self.scene.clock()


def test_a_crm_that_does_not_answer_is_waited_for(synced: Scene) -> None:
    synced.twenty.dial("POST /graphql", {"kind": "status", "status": 500}, times=None)
    id_ = started(synced)

    reconcile_job.advance(synced.tools, id_, owner="worker")
    waits = found(synced, id_)
    synced.twenty.undial()

    assert waits.active
    assert waits.error is not None
    assert waits.due_at > synced.clock()
    assert go_on(synced, id_).status == "done"


# --- by itself


def swept(scene: Scene) -> list[Reconciliation]:
    reconciling.sweep(scene.tools)
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return reconciliations.page(session, scene.workspace.id).items


def test_a_connection_is_compared_in_the_night_after_its_first_sync(synced: Scene) -> None:
    assert swept(synced) == []
    synced.clock.advance(86400)

    (one,) = swept(synced)

    assert one.why == "Every night"
    assert ("reconcile", "full", {"reconciliation_id": one.id}) in synced.bell.rings


def test_nights_that_were_missed_come_once(synced: Scene) -> None:
    swept(synced)
    synced.clock.advance(5 * 86400)

    (one,) = swept(synced)
    go_on(synced, one.id)

    assert len(swept(synced)) == 1


def test_it_can_be_switched_off(synced: Scene) -> None:
    swept(synced)
    assert synced.workspace is not None
    assert synced.connection is not None
    reconciling.plan(synced.tools, synced.workspace.id, synced.connection.id, 0)
    synced.clock.advance(5 * 86400)

    assert swept(synced) == []


def test_of_two_schedulers_one_starts_it(synced: Scene) -> None:
    swept(synced)
    synced.clock.advance(86400)
    now = synced.clock()
    with synced.parts.database.reading() as session:
        (due,) = reconcile_plans.due(session, now)

    with synced.parts.database.transaction() as session:
        taken = [reconcile_plans.take(session, due, now) for _ in range(2)]

    assert taken == [True, False]


def test_what_a_dead_worker_left_is_rung_for(synced: Scene) -> None:
    id_ = started(synced)
    synced.bell.rings.clear()

    swept(synced)

    assert synced.bell.rings == [("reconcile", "full", {"reconciliation_id": id_})]
