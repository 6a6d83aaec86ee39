"""Notes and tasks that come later than their event: after a decision, by a read, or when somebody asks."""

from __future__ import annotations

from typing import Any

import pytest
from events import events, receive, take
from happening import LATER, happen, note, notes, take_in
from scene import Json, Scene, one
from test_deciding import about, carry_out, decide, typed_pair

from connector.core.plan import Choice
from connector.sources.whop import payloads
from connector.store import connections, inbox
from connector.sync import replaying

LATER_STILL = "2026-11-20T12:00:20.000Z"
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def a_membership(scene: Scene, **wanted: Any) -> Json:
    """A membership of somebody, in the CRM."""
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    return next(
        item
        for item in scene.records("memberships")
        if item["id"] in deals and item["member_id"] and all(item[name] == of for name, of in wanted.items())
    )


def again(scene: Scene, *, quiet: bool) -> None:
    """Everything is taken again by a person."""
    assert scene.workspace is not None
    with scene.parts.database.transaction() as session:
        ids = [event.id or 0 for event in events(scene)]
        inbox.replay(session, scene.workspace.id, ids, scene.clock(), quiet=quiet)
    take(scene)


def would_leave(scene: Scene) -> int:
    assert scene.workspace is not None
    with scene.parts.database.reading() as session:
        ids = [event.id or 0 for event in events(scene)]
        return replaying.would_leave(scene.tools, session, scene.workspace.id, ids, payloads.heard)


def switch(scene: Scene, *, on: bool) -> None:
    assert scene.connection is not None
    since = scene.connection.notes_since
    with scene.parts.database.transaction() as session:
        connections.set_notes(
            session, scene.connection.workspace_id, scene.connection.id, since if on else None
        )


# --- taken again


def test_what_is_taken_again_leaves_notes_only_if_somebody_says_so(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    switch(synced, on=False)
    take_in(synced, happen(synced, "fail", found["id"]))
    switch(synced, on=True)
    assert would_leave(synced) == 2

    again(synced, quiet=True)
    assert (notes(synced), notes(synced, "tasks")) == ([], [])
    again(synced, quiet=False)

    assert len(notes(synced)) == len(notes(synced, "tasks")) == 1
    assert would_leave(synced) == 0


def test_a_quiet_event_still_closes_a_task(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]
    told = happen(synced, "dispute", paid["id"])
    take_in(synced, told)
    switch(synced, on=False)
    take_in(synced, happen(synced, "decide", told[0]["record"]["id"]), timestamp=LATER_STILL)
    switch(synced, on=True)

    again(synced, quiet=True)

    assert note(synced, "tasks")["status"] == "DONE"


def test_events_of_before_notes_were_on_would_leave_none(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    told = happen(synced, "fail", found["id"])

    take_in(synced, told, timestamp="2026-11-01T00:00:00.000Z")

    assert would_leave(synced) == 0


# --- after a decision


@on_sqlite
def test_a_note_goes_to_the_person_once_it_is_decided_who_that_is(scene: Scene) -> None:
    member, first, _ = typed_pair(scene)
    scene.sync()
    bought = a_membership(scene, member_id=member["id"])
    take_in(
        scene, [told for told in happen(scene, "pay", bought["id"]) if told["event"] == "payment.succeeded"]
    )
    assert note(scene)["beside"] == {"Opportunity": scene.deal_of(bought["id"])["id"]}
    assert replaying.wake(scene.tools) == 0

    decide(scene, about(scene, member), Choice.LINK, first)
    carry_out(scene)
    assert (replaying.wake(scene.tools), replaying.wake(scene.tools)) == (1, 0)
    take(scene)

    assert note(scene)["beside"] == {"Opportunity": scene.deal_of(bought["id"])["id"], "Person": first}
    assert replaying.wake(scene.tools) == 0


@on_sqlite
def test_a_note_of_the_person_alone_waits_for_the_decision(scene: Scene) -> None:
    member, first, _ = typed_pair(scene)
    scene.sync()
    bought = a_membership(scene, member_id=member["id"])
    take_in(scene, happen(scene, "expire", bought["id"]))
    assert notes(scene) == []

    decide(scene, about(scene, member), Choice.LINK, first)
    carry_out(scene)
    replaying.wake(scene.tools)
    take(scene)

    assert note(scene, title="Whop membership ended")["beside"] == {"Person": first}


# --- by a read


def test_a_dispute_that_a_sync_shows_decided_closes_its_task(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]
    told = happen(synced, "dispute", paid["id"])
    take_in(synced, told)
    happen(synced, "decide", told[0]["record"]["id"], status="lost")

    assert synced.sync().status == "success"

    assert note(synced, "tasks")["status"] == "DONE"


def test_a_failed_payment_that_a_sync_shows_paid_closes_its_task(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    failed = happen(synced, "fail", found["id"])
    take_in(synced, failed)
    synced.sync()
    assert note(synced, "tasks")["status"] == "TODO"
    paid = {"status": "paid", "substatus": "succeeded", "paid_at": LATER}
    synced.change("payments", failed[0]["record"]["id"], **paid)

    assert synced.sync().status == "success"

    assert note(synced, "tasks")["status"] == "DONE"


# --- old events, which show the payment


def old(scene: Scene, action: str, payment: Json) -> None:
    """An event of the old kind: it has no id and no time, and shows the payment alone."""
    body = {"action": action, "api_version": "v5", "data": {"id": payment["id"]}}
    receive(scene, body)
    take(scene)


def test_an_old_event_about_a_refund_leaves_its_note(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]
    told = happen(synced, "refund", paid["id"])
    synced.change("refunds", told[0]["record"]["id"], created_at=LATER, updated_at=LATER)

    old(synced, "payment.refunded", paid)
    take_in(synced, told)

    left = note(synced)
    assert left["title"].startswith("Refund of ")
    assert left["beside"]["Opportunity"] == synced.deal_of(found["id"])["id"]
    assert {event.state for event in events(synced)} == {"done"}


def test_old_events_about_a_dispute_open_its_task_and_close_it(synced: Scene) -> None:
    found = a_membership(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]
    made = happen(synced, "dispute", paid["id"])[0]["record"]
    synced.change("disputes", made["id"], created_at=LATER, updated_at=LATER)

    old(synced, "payment.disputed", paid)
    assert note(synced, "tasks")["status"] == "TODO"
    happen(synced, "decide", made["id"], status="won")
    synced.change("disputes", made["id"], updated_at=LATER_STILL)
    old(synced, "payment.dispute_resolved", paid)

    assert note(synced, "tasks")["status"] == "DONE"


def test_an_old_event_about_a_payment_that_has_no_refund_is_done(synced: Scene) -> None:
    paid = one(
        synced.records("payments"), id=next(x["id"] for x in synced.records("payments") if x["membership_id"])
    )

    old(synced, "payment.refunded", paid)

    assert [event.state for event in events(synced)] == ["done"]
    assert notes(synced) == []
