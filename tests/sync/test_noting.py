"""Events leave notes and tasks, each once, and nothing that happened before they were switched on does."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from events import a_body, events, receive, take
from happening import LATER, bodies, happen, note, notes, take_in
from scene import Json, Scene, one, remapped

from connector.core.sales import roll_up
from connector.store import connections, inbox, sales
from connector.sync.tools import Tools

PAYMENTS = int(os.environ.get("PAYMENTS", "30"))
"""1,000 take a minute; a few show the same."""


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def a_member_of(scene: Scene, **wanted: Any) -> Json:
    """A membership of somebody, in the CRM."""
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    return next(
        item
        for item in scene.records("memberships")
        if item["id"] in deals and item["member_id"] and all(item[name] == of for name, of in wanted.items())
    )


def body(row: Json) -> str:
    return str(row["bodyV2"]["markdown"])


# --- what each does in the CRM


def test_somebody_who_joins_is_brought_over_with_a_note_of_the_payment(synced: Scene) -> None:
    plan = a_member_of(synced, status="active")["plan_id"]

    told = happen(synced, "join", plan_id=plan)
    take_in(synced, told)

    bought, paid = told[-1]["record"], told[1]["record"]
    deal = synced.deal_of(bought["id"])
    person = synced.person_of(bought["member_id"])
    assert deal["whopMembershipStatus"] == "ACTIVE"
    assert deal["pointOfContactId"] == person["id"]
    assert deal["whopProductId"] == one(synced.rows("whopProducts"), whopId=bought["product_id"])["id"]
    left = note(synced)
    assert left["beside"] == {"Person": person["id"], "Opportunity": deal["id"]}
    assert paid["total"]["amount"] in left["title"]
    assert paid["id"].replace("_", "\\_") in body(left)
    assert {event.state for event in events(synced)} == {"done"}


def test_a_payment_tells_the_date_and_leaves_a_note(synced: Scene) -> None:
    found = a_member_of(synced, status="active")

    told = happen(synced, "pay", found["id"])
    synced.change("payments", told[0]["record"]["id"], paid_at=LATER)
    take_in(synced, told)

    assert synced.deal_of(found["id"])["whopLastPaymentDate"] == LATER
    assert note(synced)["title"].startswith("Paid ")


def test_a_payment_that_fails_leaves_a_note_and_a_task_and_the_membership_decides_its_status(
    synced: Scene,
) -> None:
    found = a_member_of(synced, status="active")

    told = happen(synced, "fail", found["id"])
    take_in(synced, [one_ for one_ in told if one_["event"] == "payment.failed"])

    deal = synced.deal_of(found["id"])
    assert deal["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert "The card has insufficient funds." in body(note(synced))
    task = note(synced, "tasks")
    assert (task["status"], task["dueAt"]) == ("TODO", "2026-11-23T12:00:10.000Z")
    assert task["beside"] == {"Person": deal["pointOfContactId"], "Opportunity": deal["id"]}


def test_a_task_goes_to_whom_the_mapping_names(synced: Scene) -> None:
    (member,) = synced.crm("query{workspaceMembers(first:1){edges{node{id}}}}")["workspaceMembers"]["edges"]
    found, other = [row for row in synced.records("memberships") if _may_fail(synced, row)][:2]
    synced.crm(
        "mutation($id:UUID!,$to:UUID!){updateOpportunity(id:$id,data:{ownerId:$to}){id}}",
        id=synced.deal_of(found["id"])["id"],
        to=member["node"]["id"],
    )

    def assigned(one_: Any) -> Any:
        return replace(one_, notes=tuple(replace(rule, assignee="owner") for rule in one_.notes))

    receive(
        synced, *bodies(synced, [*happen(synced, "fail", found["id"]), *happen(synced, "fail", other["id"])])
    )

    take(synced, remapped(synced.tools, assigned))

    deals = {
        synced.deal_of(one_["id"])["id"]: to for one_, to in ((found, member["node"]["id"]), (other, None))
    }
    assert {row["beside"]["Opportunity"]: row["assigneeId"] for row in notes(synced, "tasks")} == deals


def _may_fail(scene: Scene, row: Json) -> bool:
    there = {deal["whopMembershipId"] for deal in scene.rows("opportunities")}
    return row["id"] in there and row["status"] == "active" and bool(row["member_id"])


@pytest.mark.parametrize(
    ("what", "status", "word"), [("cancel", "CANCELLED", "canceled"), ("expire", "EXPIRED", "expired")]
)
def test_a_membership_that_ends_says_how_with_a_note_on_the_person(
    synced: Scene, what: str, status: str, word: str
) -> None:
    found = a_member_of(synced, status="active")

    take_in(synced, happen(synced, what, found["id"]))

    deal = synced.deal_of(found["id"])
    assert deal["whopMembershipStatus"] == status
    left = note(synced, title="Whop membership ended")
    assert left["beside"] == {"Person": deal["pointOfContactId"]}
    assert f"ended: {word}" in body(left)


def test_a_refund_leaves_one_note_however_often_it_is_told(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]

    take_in(synced, happen(synced, "refund", paid["id"]))

    assert [row["title"] for row in notes(synced)] == [f"Refund of {_amount(paid)}"]


def test_a_dispute_is_a_task_until_it_is_decided(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    paid = happen(synced, "pay", found["id"])[0]["record"]
    told = happen(synced, "dispute", paid["id"])
    take_in(synced, told)
    task = note(synced, "tasks")
    assert (task["status"], task["dueAt"]) == ("TODO", told[0]["record"]["evidence_due_at"])

    take_in(synced, happen(synced, "decide", told[0]["record"]["id"], status="lost"))

    assert [row["status"] for row in notes(synced, "tasks")] == ["DONE"]


def _amount(paid: Json) -> str:
    return f"{paid['total']['amount']} {paid['total']['currency'].upper()}"


# --- once


def test_payments_seen_three_times_leave_one_note_each(synced: Scene) -> None:
    some = [item["id"] for item in synced.records("memberships") if item["status"] == "active"][:6]
    told = [one_ for number in range(PAYMENTS) for one_ in happen(synced, "pay", some[number % len(some)])]
    paid = [one_ for one_ in told if one_["event"] == "payment.succeeded"]

    take_in(synced, paid)
    take_in(synced, list(reversed(paid)))
    assert synced.sync().status == "success"

    titles = sorted(row["title"].replace(",", "") for row in notes(synced))
    assert titles == sorted(f"Paid {_amount(one_['record'])}" for one_ in paid)
    assert len(synced.rows("noteTargets")) == 2 * len(paid)
    assert notes(synced, "tasks") == []
    assert all(_total(synced, id_) == _paid_on_whop(synced, id_) for id_ in some)


def _total(scene: Scene, membership_id: str) -> str:
    """What the membership's payments add up to, in the currency of the last."""
    assert scene.connection is not None
    ids = (scene.connection.workspace_id, scene.connection.id)
    with scene.parts.database.reading() as session:
        found = sales.paid(session, *ids, [membership_id])
    return str(roll_up(found[membership_id])["total_paid"]["amount"])


def _paid_on_whop(scene: Scene, membership_id: str) -> str:
    found = [item for item in scene.records("payments") if item["membership_id"] == membership_id]
    return str(sum(Decimal(item["total"]["amount"]) for item in found if item["status"] == "paid"))


def test_a_worker_that_dies_behind_any_request_doubles_nothing(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    told = bodies(synced, happen(synced, "fail", found["id"]))
    receive(synced, *told)

    for request in ("createNotes", "createNoteTargets", "createTasks", "createTaskTargets"):
        with pytest.raises(_Killed):
            take(synced, _dying_after(synced, request), owner=request)
        synced.clock.advance(200)
    take(synced)

    assert {event.state for event in events(synced)} == {"done"}
    assert (len(notes(synced)), len(notes(synced, "tasks"))) == (1, 1)
    assert (len(synced.rows("noteTargets")), len(synced.rows("taskTargets"))) == (2, 2)


class _Killed(BaseException):
    """The worker is gone."""


def _dying_after(scene: Scene, request: str) -> Tools:
    tools = scene.tools

    def open_noter(*args: Any) -> Any:
        noter: Any = tools.open_noter(*args)
        send = noter._client.mutate

        def mutate(query: str, variables: Any) -> Any:
            answer = send(query, variables)
            if f"{{{request}(" in query:
                raise _Killed
            return answer

        noter._client.mutate = mutate
        return noter

    return replace(tools, open_noter=open_noter)


def test_what_a_person_deleted_stays_deleted(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    told = happen(synced, "fail", found["id"])
    take_in(synced, told)
    for of, row in (("Note", note(synced)), ("Task", note(synced, "tasks"))):
        synced.crm(f"mutation($id:UUID!){{delete{of}(id:$id){{id}}}}", id=row["id"])

    take_in(synced, told)

    assert (notes(synced), notes(synced, "tasks")) == ([], [])


def test_what_a_person_destroyed_is_not_made_anew(synced: Scene) -> None:
    """Twenty knows nothing of it any more; we do."""
    told = happen(synced, "fail", a_member_of(synced, status="active")["id"])
    take_in(synced, told)
    for of, row in (("Note", note(synced)), ("Task", note(synced, "tasks"))):
        synced.crm(f"mutation($id:UUID!){{destroy{of}(id:$id){{id}}}}", id=row["id"])

    take_in(synced, told)

    assert (synced.rows("notes"), synced.rows("tasks")) == ([], [])


# --- only what is new


def test_a_full_sync_leaves_nothing(synced: Scene) -> None:
    synced.sync()

    assert [notes(synced), notes(synced, "tasks")] == [[], []]


def test_what_happened_before_the_company_was_connected_leaves_nothing(synced: Scene) -> None:
    paid = next(item for item in synced.records("payments") if item["status"] == "paid")

    receive(synced, a_body(synced, "payment.succeeded", paid, timestamp=LATER))
    take(synced)

    assert notes(synced) == []
    assert [event.state for event in events(synced)] == ["done"]


def test_while_notes_are_off_nothing_is_left_and_nothing_is_made_up_for_later(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    _switch(synced, on=False)
    told = happen(synced, "fail", found["id"])
    take_in(synced, told)
    assert notes(synced) == []

    synced.clock.advance(60)
    _switch(synced, on=True)
    _replay(synced)
    take(synced)

    assert notes(synced) == []
    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"


def _switch(scene: Scene, *, on: bool) -> None:
    assert scene.connection is not None
    ids = (scene.connection.workspace_id, scene.connection.id)
    with scene.parts.database.transaction() as session:
        connections.set_notes(session, *ids, scene.clock() if on else None)


def _replay(scene: Scene) -> None:
    assert scene.connection is not None
    with scene.parts.database.transaction() as session:
        ids = [event.id or 0 for event in events(scene)]
        inbox.replay(session, scene.connection.workspace_id, ids, scene.clock(), quiet=False)


# --- late, and settled


def test_a_failed_payment_that_is_paid_closes_its_task(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    failed = happen(synced, "fail", found["id"])
    take_in(synced, failed)
    assert note(synced, "tasks")["status"] == "TODO"

    _pay(synced, failed)

    assert note(synced, "tasks")["status"] == "DONE"


def test_a_failure_that_is_told_after_the_payment_makes_no_task(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    failed = happen(synced, "fail", found["id"])
    _pay(synced, failed)

    take_in(synced, failed)

    assert notes(synced, "tasks") == []


def _pay(scene: Scene, failed: list[Json]) -> None:
    """The payment goes through after all."""
    at = "2026-11-20T12:00:20.000Z"
    id_ = failed[0]["record"]["id"]
    scene.change("payments", id_, status="paid", substatus="succeeded", paid_at=at, updated_at=at)
    paid = one(scene.records("payments"), id=id_)
    receive(scene, a_body(scene, "payment.succeeded", {**paid, "created_at": LATER}, timestamp=at))
    take(scene)


def test_a_task_that_somebody_deleted_is_not_closed(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    failed = happen(synced, "fail", found["id"])
    take_in(synced, failed)
    row = note(synced, "tasks")
    synced.crm("mutation($id:UUID!){deleteTask(id:$id){id}}", id=row["id"])

    _pay(synced, failed)

    (kept,) = synced.rows("tasks")
    assert kept["deletedAt"]
    assert kept["status"] == "TODO"


# --- what stands in the way


def test_a_crm_that_takes_no_notes_keeps_no_record_from_being_written(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    told = bodies(synced, happen(synced, "fail", found["id"]))
    receive(synced, *told)

    tools = synced.tools

    def open_noter(*args: Any) -> Any:
        noter: Any = tools.open_noter(*args)
        noter._prefix = "nowhere"
        return noter

    take(synced, replace(tools, open_noter=open_noter))

    assert synced.deal_of(found["id"])["whopMembershipStatus"] == "PAYMENT_FAILED"
    assert {(event.state, (event.error or {}).get("code")) for event in events(synced)} >= {
        ("pending", "note_refused")
    }


def test_words_that_somebody_typed_are_no_markdown(synced: Scene) -> None:
    found = a_member_of(synced, status="active")
    told = happen(synced, "fail", found["id"], failure_message="[pay](https://evil.example) **now**")

    take_in(synced, [one_ for one_ in told if one_["event"] == "payment.failed"])

    assert r"\[pay\](https\://evil.example) \*\*now\*\*" in body(note(synced))


def test_a_note_goes_to_the_owner_of_the_round_it_came_in(synced: Scene) -> None:
    """Several memberships in one round: each note beside its own."""
    found = [item for item in synced.records("memberships") if item["status"] == "active"][:3]
    told = [one_ for item in found for one_ in happen(synced, "pay", item["id"])]

    take_in(synced, told)

    deals = {synced.deal_of(item["id"])["id"] for item in found}
    assert {row["beside"]["Opportunity"] for row in notes(synced)} == deals
