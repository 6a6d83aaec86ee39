"""Events that are wrong in any way are settled with a word on what is wrong, and disturb no other."""

from __future__ import annotations

from typing import Any

import pytest
from events import a_body, events, receive, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutating import mutated_bodies
from scene import Scene

from connector.store import inbox, sales
from connector.store.inbox import InboxEvent

Json = dict[str, Any]

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def synced(scene: Scene) -> Scene:
    """Everything is in step."""
    assert scene.sync().status == "success"
    return scene


def a_good_one(scene: Scene) -> tuple[str, Json]:
    """A change of a membership that is in the CRM, and its event."""
    deals = {row["whopMembershipId"]: row for row in scene.rows("opportunities")}
    id_ = next(one["id"] for one in scene.records("memberships") if one["id"] in deals)
    status = "active" if deals[id_]["whopMembershipStatus"] == "PAYMENT_FAILED" else "past_due"
    fresh = scene.whop.ask("PATCH", f"/records/memberships/{id_}", {"status": status})
    return id_, a_body(scene, "membership.updated", fresh)


def status_of(scene: Scene, id_: str) -> str:
    return str(scene.deal_of(id_)["whopMembershipStatus"])


def raw_events(scene: Scene, raws: list[bytes]) -> None:
    """As the door keeps them, whatever is in them."""
    assert scene.connection is not None
    now, ids = scene.clock(), (scene.connection.workspace_id, scene.connection.id)
    known = len(events(scene))
    with scene.parts.database.transaction() as session:
        inbox.add(
            session,
            [InboxEvent(*ids, f"raw_{known}_{n}", "x", "v1", raw, now, now) for n, raw in enumerate(raws)],
        )


@on_sqlite
@given(st.data())
@settings(max_examples=25, derandomize=True, suppress_health_check=list(HealthCheck))
def test_mutated_bodies_of_every_dialect_disturb_no_other(synced: Scene, data: st.DataObject) -> None:
    raws = data.draw(st.lists(mutated_bodies(), min_size=1, max_size=6))
    raws.append(data.draw(st.binary(max_size=50)))
    id_, good = a_good_one(synced)
    raw_events(synced, raws)
    receive(synced, good)

    take(synced)

    assert (
        status_of(synced, id_) == {"past_due": "PAYMENT_FAILED", "active": "ACTIVE"}[good["data"]["status"]]
    )
    for event in events(synced)[-len(raws) - 1 :]:
        assert event.state in ("done", "ignored", "parked") or event.error, event
        assert (event.error or {}).get("code") != "internal", event


def test_a_refund_larger_than_what_was_paid_is_kept_as_it_is(synced: Scene) -> None:
    paid = next(one for one in synced.records("payments") if one["status"] == "paid" and one["membership_id"])
    total = paid["total"]
    more = {"amount": str(int(float(total["amount"])) + 1_000), "currency": total["currency"]}
    synced.change("payments", paid["id"], refunded_amount=more)
    fresh = next(one for one in synced.records("payments") if one["id"] == paid["id"])

    receive(synced, a_body(synced, "payment.succeeded", fresh))
    take(synced)

    assert [event.state for event in events(synced)] == ["done"]
    assert synced.connection is not None
    ids = (synced.connection.workspace_id, synced.connection.id)
    with synced.parts.database.reading() as session:
        kept = sales.paid(session, *ids, [paid["membership_id"]])[paid["membership_id"]]
    assert more["amount"] in {one.refunded for one in kept}


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"api_version_date": "2031-01-01-1"}, "done"),
        ({"api_version": "v9", "api_version_date": "2031-01-01-1", "spare": {"new": 1}}, "done"),
        ({"account_id": "biz_other"}, "parked"),
        ({"type": "membership.teleported"}, "done"),
    ],
)
def test_what_is_new_to_us_is_read_as_far_as_it_goes(synced: Scene, changed: Json, state: str) -> None:
    id_, good = a_good_one(synced)
    before = status_of(synced, id_)

    receive(synced, {**good, **changed})
    take(synced)

    assert [event.state for event in events(synced)] == [state]
    assert (status_of(synced, id_) == before) is (state == "parked")


def test_a_currency_nobody_knows_fails_its_own_record_alone(synced: Scene) -> None:
    first, good = a_good_one(synced)
    other = next(one for one in synced.records("memberships") if one["id"] != first and one["renewal_price"])
    price = {"amount": "12.00", "currency": "zzz"}
    fresh = synced.whop.ask("PATCH", f"/records/memberships/{other['id']}", {"renewal_price": price})
    receive(synced, a_body(synced, "membership.updated", fresh), good)

    take(synced)

    strange, fine = events(synced)
    assert fine.state == "done"
    assert strange.state == "done" or (strange.error or {}).get("message")
    assert (strange.error or {}).get("code") != "internal"
