"""Events reach the CRM: late, twice, in any order, with a worker that dies and a CRM that is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from events import a_body, events, receive, take
from scene import Scene, one, picture, remapped

from connector.core.outcomes import WriteResult
from connector.errors import TryLaterError
from connector.store import connections, drains, inbox, overview, runs
from connector.store.runs import NewRun, Run
from connector.sync import mirror
from connector.sync.drain import LEASE
from connector.sync.tools import Tools

Json = dict[str, Any]


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Everything is in step."""
    assert scene.sync().status == "success"
    return scene


def a_membership(scene: Scene, number: int = 0) -> Json:
    return scene.records("memberships")[number]


def changed(scene: Scene, kind: str, id_: str, **fields: Any) -> Json:
    """Change a record on Whop; how it is afterwards."""
    scene.change(kind, id_, **fields)
    return one(scene.records(kind), id=id_)


def webhook_runs(scene: Scene) -> list[Run]:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        return [run for run in runs.of_workspace(session, scene.workspace.id) if run.type == "webhook"]


def whop_requests(scene: Scene) -> dict[str, int]:
    return dict(scene.whop.ask("GET", "/stats")["requests"])


def crm_requests(scene: Scene) -> int:
    return int(scene.twenty.ask("GET", "/stats")["requests"]["total"])


def test_a_complete_body_is_written_without_asking_whop(synced: Scene) -> None:
    found = a_membership(synced)
    fresh = changed(synced, "memberships", found["id"], status="past_due")

    receive(synced, a_body(synced, "membership.deactivated", fresh))
    synced.whop.ask("DELETE", "/stats")
    take(synced)

    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert not [line for line in whop_requests(synced) if "memberships" in line]
    (event,) = events(synced)
    (run,) = webhook_runs(synced)
    assert (event.state, event.run) == ("done", run.number)
    assert event.settled_at
    assert (run.status, run.counts) == ("success", {"opportunity": {"updated": 1}})


def test_a_member_is_read_because_its_body_has_no_time_of_change(synced: Scene) -> None:
    found = synced.records("members")[3]
    stale = {**found, "user": {**(found["user"] or {}), "username": "from-the-body"}}
    changed(synced, "members", found["id"], user={"username": "from-whop"})

    receive(synced, a_body(synced, "member.updated", stale))
    take(synced)

    assert synced.person_of(found["id"])["whopUsername"] == "from-whop"


def test_an_event_older_than_what_is_known_changes_nothing_and_says_so(synced: Scene) -> None:
    found = a_membership(synced)
    late = {**found, "status": "expired", "updated_at": "2020-01-01T00:00:00.000Z"}
    before = picture(synced)

    receive(synced, a_body(synced, "membership.deactivated", late))
    take(synced)

    assert picture(synced) == before
    assert [(event.state, event.reason) for event in events(synced)] == [("done", "stale")]


def test_events_of_one_record_in_any_order_end_in_its_newest_state(synced: Scene) -> None:
    found = a_membership(synced)
    first = changed(synced, "memberships", found["id"], status="past_due")
    second = changed(synced, "memberships", found["id"], status="active")

    receive(
        synced, a_body(synced, "membership.activated", second), a_body(synced, "membership.updated", first)
    )
    take(synced)

    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "ACTIVE"
    assert {event.state for event in events(synced)} == {"done"}


def test_an_older_event_is_stale_though_the_newer_one_changed_nothing(synced: Scene) -> None:
    found = next(one for one in synced.records("memberships") if one["status"] == "active")
    first = changed(synced, "memberships", found["id"], status="past_due")
    second = changed(synced, "memberships", found["id"], status="active")

    receive(synced, a_body(synced, "membership.activated", second))
    take(synced)
    receive(synced, a_body(synced, "membership.updated", first))
    take(synced)

    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "ACTIVE"
    assert [event.reason for event in events(synced)] == [None, "stale"]


def test_a_membership_of_somebody_new_brings_person_and_product_first(scene: Scene) -> None:
    found = a_membership(scene)

    receive(scene, a_body(scene, "membership.activated", found))
    take(scene)

    deal = scene.deal_of(found["id"])
    assert deal["pointOfContactId"] == scene.person_of(found["member_id"])["id"]
    assert deal["whopProductId"] == one(scene.rows("whopProducts"), whopId=found["product_id"])["id"]


def test_a_record_that_is_gone_on_whop_is_left_alone(synced: Scene) -> None:
    found = synced.records("members")[3]
    synced.whop.ask("DELETE", f"/records/members/{found['id']}")
    before = picture(synced)

    receive(synced, a_body(synced, "member.updated", found))
    take(synced)

    assert picture(synced) == before
    assert [(event.state, event.reason) for event in events(synced)] == [("done", "gone")]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("gift.redeemed", {"id": "gift_1"}, "unknown"),
        ("payout.created", {}, "unknown"),
        ("plan.updated", {"id": "plan_1"}, "not_mapped"),
    ],
)
def test_what_no_mapping_wants_is_kept_and_ignored(scene: Scene, name: str, data: Json, reason: str) -> None:
    receive(scene, a_body(scene, name, data))

    take(scene)

    assert [(event.state, event.reason) for event in events(scene)] == [("ignored", reason)]


def test_what_was_ignored_is_written_once_a_mapping_wants_it_and_it_is_taken_again(scene: Scene) -> None:
    found = scene.records("products")[0]
    receive(scene, a_body(scene, "product.updated", found))
    take(scene, remapped(scene.tools, lambda one_: None if one_.kind == "product" else one_))
    assert [(event.state, event.reason) for event in events(scene)] == [("ignored", "not_mapped")]
    assert scene.rows("whopProducts") == []

    with scene.parts.database.transaction() as session:
        (event,) = events(scene)
        inbox.replay(session, event.workspace_id, [event.id or 0], scene.clock(), quiet=True)
    take(scene)

    assert [row["whopId"] for row in scene.rows("whopProducts")] == [found["id"]]
    assert [event.state for event in events(scene)] == ["done"]


def test_an_event_of_another_company_is_parked_at_once(scene: Scene) -> None:
    found = a_membership(scene)

    receive(scene, a_body(scene, "membership.activated", found, account_id="biz_other"))
    take(scene)

    (event,) = events(scene)
    assert event.state == "parked"
    assert (event.error or {})["code"] == "bad_record"
    assert scene.rows("opportunities") == []


# --- failures


def test_a_record_that_fails_is_tried_again_and_then_parked(synced: Scene) -> None:
    found = a_membership(synced)
    bad = changed(synced, "memberships", found["id"], initial_price={"amount": "x", "currency": "usd"})
    receive(synced, a_body(synced, "membership.updated", {**bad, "renewal_price": bad["initial_price"]}))

    waits = []
    for _ in range(8):
        take(synced)
        (event,) = events(synced)
        waits.append((event.state, event.attempts))
        synced.clock.now = max(synced.clock.now, event.due_at)

    assert waits == [*(("pending", number) for number in range(1, 8)), ("parked", 8)]
    (event,) = events(synced)
    assert event.error
    assert event.error["message"]


def test_one_that_fails_does_not_hold_its_neighbours_up(synced: Scene) -> None:
    bad, good = synced.records("memberships")[:2]
    spoilt = changed(synced, "memberships", bad["id"], status="past_due")
    fresh = changed(synced, "memberships", good["id"], status="past_due")
    broken = {**spoilt, "renewal_price": {"amount": "x", "currency": "usd"}}

    receive(synced, a_body(synced, "membership.updated", broken), a_body(synced, "membership.updated", fresh))
    take(synced)

    assert synced.deal_of(good["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert [event.state for event in events(synced)] == ["pending", "done"]


def writing_with(scene: Scene, wrap: Callable[[Any], Any]) -> Tools:
    tools = scene.tools
    return replace(tools, open_writer=lambda *args: wrap(tools.open_writer(*args)))


class _Poisoned:
    """A writer that meets a defect, or another error, with one record."""

    def __init__(self, inner: Any, of: str, error: Exception | None = None) -> None:
        self._inner, self._of, self._error = inner, of, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def apply(self, mapping: Any, writes: Any) -> list[WriteResult]:
        if any(write.ref.id == self._of for write in writes):
            raise self._error or ZeroDivisionError(self._of)
        return list(self._inner.apply(mapping, writes))


def test_a_defect_fails_its_own_event_and_no_other(synced: Scene) -> None:
    found = synced.records("memberships")[:5]
    fresh = [changed(synced, "memberships", item["id"], status="past_due") for item in found]
    receive(synced, *(a_body(synced, "membership.updated", item) for item in fresh))

    take(synced, writing_with(synced, lambda writer: _Poisoned(writer, found[2]["id"])))

    assert [event.state for event in events(synced)] == ["done", "done", "pending", "done", "done"]
    assert (events(synced)[2].error or {})["code"] == "internal"


def test_unknown_words_about_one_record_do_not_hold_the_other_events_for_ever(synced: Scene) -> None:
    found = synced.records("memberships")[:5]
    fresh = [
        changed(synced, "memberships", item["id"], status="past_due", plan_id=f"plan_{number}")
        for number, item in enumerate(found)
    ]
    receive(synced, *(a_body(synced, "membership.updated", item) for item in fresh))
    error = TryLaterError("Twenty cannot answer now (200): Who knows", code="crm_unavailable")
    tools = writing_with(synced, lambda writer: _Poisoned(writer, found[2]["id"], error))

    for _ in range(7):
        take(synced, tools)
        synced.clock.advance(60)

    assert [event.state for event in events(synced)] == ["done", "done", "pending", "done", "done"]
    assert (events(synced)[2].error or {})["code"] == "crm_unknown_refusal"


def test_while_the_crm_is_down_events_wait_and_nobody_is_blamed(synced: Scene) -> None:
    found = a_membership(synced)
    fresh = changed(synced, "memberships", found["id"], status="past_due")
    synced.twenty.dial("POST /graphql", {"status": 500, "body": "down"}, times=None)
    receive(synced, a_body(synced, "membership.updated", fresh))

    take(synced)
    (waiting,) = events(synced)
    synced.twenty.undial()
    synced.clock.advance(60)
    take(synced)

    assert (waiting.state, waiting.attempts) == ("pending", 0)
    assert [event.state for event in events(synced)] == ["done"]
    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"


def test_what_stands_in_the_way_of_all_is_said_and_makes_no_run(synced: Scene) -> None:
    assert synced.connection is not None
    ids = (synced.connection.workspace_id, synced.connection.id)
    synced.twenty.ask("POST", "/keys", {"do": "revoke"})
    receive(synced, a_body(synced, "membership.updated", a_membership(synced)))

    take(synced)

    with synced.parts.database.reading() as session:
        found = drains.get(session, *ids)
    assert found is not None
    assert (found.error or {})["code"] == "crm_credential"
    assert webhook_runs(synced) == []
    assert [event.state for event in events(synced)] == ["pending"]


def test_a_record_that_a_sync_is_at_is_taken_in_a_later_round(synced: Scene) -> None:
    found = a_membership(synced)
    fresh = changed(synced, "memberships", found["id"], status="past_due")
    receive(synced, a_body(synced, "membership.updated", fresh))
    busy = [True]

    class Busy(_Poisoned):
        def apply(self, mapping: Any, writes: Any) -> list[WriteResult]:
            if busy.pop() if busy else False:
                raise TryLaterError("It is being written.", code="claimed")
            return list(self._inner.apply(mapping, writes))

    take(synced, writing_with(synced, lambda writer: Busy(writer, "")))
    synced.clock.advance(1)
    take(synced)

    (event,) = events(synced)
    assert (event.state, event.attempts) == ("done", 0)


# --- workers that die


class _Killed(BaseException):
    """The worker is gone."""


def test_a_worker_that_dies_loses_no_event_and_doubles_nothing(synced: Scene) -> None:
    found, before = synced.records("memberships")[:10], len(synced.rows("opportunities"))
    fresh = [changed(synced, "memberships", item["id"], status="past_due") for item in found]
    receive(synced, *(a_body(synced, "membership.updated", item) for item in fresh))

    class Dying(_Poisoned):
        def apply(self, mapping: Any, writes: Any) -> list[WriteResult]:
            self._inner.apply(mapping, writes)
            raise _Killed

    with pytest.raises(_Killed):
        take(
            synced,
            replace(synced.tools, open_writer=lambda *args: Dying(synced.tools.open_writer(*args), "")),
        )
    assert {event.state for event in events(synced)} == {"pending"}
    synced.clock.advance(LEASE.total_seconds() + 130)
    mirror.sweep(synced.tools)
    for _, _, ids in synced.bell.rings:
        synced.advance(ids["run_id"], owner="sweeper")
    take(synced, owner="drain-2")

    assert {event.state for event in events(synced)} == {"done"}
    assert all(synced.deal_of(item["id"])["whopMembershipStatus"] == "PAYMENT_FAILED" for item in found)
    assert len(synced.rows("opportunities")) == before
    assert all(not run.active for run in webhook_runs(synced))


def test_the_run_of_a_worker_that_died_is_closed_and_says_why(synced: Scene) -> None:
    assert synced.connection is not None
    ids, now = (synced.connection.workspace_id, synced.connection.id), synced.clock()
    with synced.parts.database.transaction() as session:
        runs.start(session, NewRun("dead", *ids, "webhook", "Events", "corr", now, alone=False))
        runs.lease(session, "dead", owner="gone", now=now, until=now + LEASE)

    synced.clock.advance(LEASE.total_seconds() + 1)
    assert mirror.sweep(synced.tools) == 1
    run = synced.advance("dead", owner="sweeper")

    assert (run.status, (run.error or {})["code"]) == ("cancelled", "cut_off")


def test_two_drainers_do_not_take_the_same_events(synced: Scene) -> None:
    assert synced.connection is not None
    ids = (synced.connection.workspace_id, synced.connection.id)
    receive(synced, a_body(synced, "membership.updated", a_membership(synced)))
    now = synced.clock()
    with synced.parts.database.transaction() as session:
        assert drains.lease(session, *ids, owner="other", now=now, until=now + LEASE)

    assert take(synced) == 0
    synced.clock.advance(LEASE.total_seconds() + 1)
    assert take(synced) == 1


def test_events_of_an_expired_connection_wait_until_it_is_connected_again(synced: Scene) -> None:
    assert synced.connection is not None
    ids = (synced.connection.workspace_id, synced.connection.id)
    receive(synced, a_body(synced, "membership.updated", a_membership(synced)))
    with synced.parts.database.transaction() as session:
        connections.mark(session, *ids, "expired")
    assert take(synced) == 0

    with synced.parts.database.transaction() as session:
        connections.mark(session, *ids, "active")

    assert take(synced) == 1


def test_events_are_taken_beside_a_full_sync(synced: Scene) -> None:
    run_id = synced.start()
    found = a_membership(synced)
    fresh = changed(synced, "memberships", found["id"], status="past_due")

    receive(synced, a_body(synced, "membership.updated", fresh))
    take(synced)

    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert synced.go_on(run_id).status == "success"


def test_many_events_of_few_records_cost_few_requests(synced: Scene) -> None:
    found = synced.records("memberships")[:20]
    bodies = []
    for status in ("past_due", "active", "past_due"):
        bodies += [
            a_body(synced, "membership.updated", changed(synced, "memberships", item["id"], status=status))
            for item in found
        ]
    before = crm_requests(synced)

    receive(synced, *reversed(bodies))
    take(synced)

    assert {event.state for event in events(synced)} == {"done"}
    assert all(synced.deal_of(item["id"])["whopMembershipStatus"] == "PAYMENT_FAILED" for item in found)
    assert crm_requests(synced) - before <= 6


def test_quiet_means_no_run_and_no_request(synced: Scene) -> None:
    assert synced.workspace is not None
    before = crm_requests(synced)

    assert take(synced) == 0

    assert webhook_runs(synced) == []
    assert crm_requests(synced) == before
    with synced.parts.database.reading() as session:
        assert not overview.active_runs(session, synced.workspace.id)
