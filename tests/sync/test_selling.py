"""What members have paid reaches their opportunity: by a full sync, by events, and never twice."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from events import a_body, events, receive, take
from scene import Scene, Service, built, environment, one

from connector.store import runs

Json = dict[str, Any]
NOWHERE = "unix:///nowhere/redis.sock"


@pytest.fixture
def synced(scene: Scene) -> Scene:
    assert scene.sync().status == "success"
    return scene


def a_paid_one(scene: Scene) -> Json:
    """A payment that counts, of a membership that is in the CRM."""
    deals = {row["whopMembershipId"] for row in scene.rows("opportunities")}
    return next(
        item
        for item in scene.records("payments")
        if item["status"] == "paid" and item["membership_id"] in deals and float(item["total"]["amount"])
    )


def last_paid(scene: Scene, membership_id: str) -> str | None:
    return max(
        (
            item["paid_at"]
            for item in scene.records("payments")
            if item["membership_id"] == membership_id
            and item["status"] == "paid"
            and float(item["total"]["amount"])
        ),
        default=None,
    )


def test_a_full_sync_tells_when_each_membership_was_paid_last(synced: Scene) -> None:
    rows = synced.rows("opportunities")

    assert any(row["whopLastPaymentDate"] for row in rows)
    assert all(row["whopLastPaymentDate"] == last_paid(synced, row["whopMembershipId"]) for row in rows)


def test_a_full_sync_tells_exactly_what_was_paid(synced: Scene) -> None:
    wanted: dict[str, Decimal] = {}
    for item in synced.records("payments"):
        if item["status"] == "paid" and item["membership_id"]:
            of = item["membership_id"]
            wanted[of] = wanted.get(of, Decimal()) + Decimal(item["total"]["amount"])

    told = {
        row["whopMembershipId"]: row["whopTotalPaid"]["amountMicros"] for row in synced.rows("opportunities")
    }

    assert any(told.values())
    assert all(int(told[of] or 0) == total * 1_000_000 for of, total in wanted.items() if of in told)


def test_a_second_sync_writes_nothing(synced: Scene) -> None:
    run = synced.sync()

    assert sum(of.get("updated", 0) + of.get("created", 0) for of in run.counts.values()) == 0


def test_a_payment_event_moves_its_membership(synced: Scene) -> None:
    found = a_paid_one(synced)
    later = "2026-11-19T08:00:00.000Z"
    synced.change("payments", found["id"], paid_at=later)

    receive(synced, a_body(synced, "payment.succeeded", one(synced.records("payments"), id=found["id"])))
    take(synced)

    assert synced.deal_of(found["membership_id"])["whopLastPaymentDate"] == later
    (event,) = events(synced)
    assert (event.state, event.attempts) == ("done", 0)


def test_a_word_that_is_new_in_an_event_stands_on_the_page_of_its_run(synced: Scene) -> None:
    found = a_paid_one(synced)
    body = one(synced.records("payments"), id=found["id"]) | {"substatus": "under_a_spell"}

    receive(synced, a_body(synced, "payment.succeeded", body))
    take(synced)

    assert synced.connection is not None
    with synced.parts.database.reading() as session:
        run = runs.of_workspace(session, synced.connection.workspace_id, limit=1)[0]
    assert (run.type, run.unknown_choices) == ("webhook", {"payment.substatus": {"under_a_spell": 1}})


def test_the_same_payment_again_changes_nothing(synced: Scene) -> None:
    found = a_paid_one(synced)
    body = one(synced.records("payments"), id=found["id"])
    for _ in range(3):
        receive(synced, a_body(synced, "payment.succeeded", body))
    before = synced.rows("opportunities")

    take(synced)

    assert synced.rows("opportunities") == before
    assert {event.state for event in events(synced)} == {"done"}


def test_a_refund_reads_its_payment_again(synced: Scene) -> None:
    found = a_paid_one(synced)
    synced.change("payments", found["id"], paid_at="2026-11-18T08:00:00.000Z")
    refund = {
        "id": "rf_unknown",
        "account_id": synced.company,
        "payment_id": found["id"],
        "status": "succeeded",
        "amount": found["total"],
        "created_at": "2026-11-19T08:00:00.000Z",
        "updated_at": "2026-11-19T08:00:00.000Z",
    }

    receive(synced, a_body(synced, "refund.created", refund))
    take(synced)

    (event,) = events(synced)
    assert event.state == "done"


def test_a_payment_without_a_membership_is_kept_and_done(synced: Scene) -> None:
    found = a_paid_one(synced)
    alone = {**one(synced.records("payments"), id=found["id"]), "membership_id": None}

    receive(synced, a_body(synced, "payment.succeeded", {**alone, "id": "pay_alone"}))
    take(synced)

    assert [(event.state, event.error) for event in events(synced)] == [("done", None)]


def test_until_all_payments_were_read_sums_are_left_alone(scene: Scene) -> None:
    found = next(item for item in scene.records("payments") if item["status"] == "paid")

    receive(scene, a_body(scene, "payment.succeeded", found))
    take(scene)

    (row,) = [row for row in scene.rows("opportunities") if row["whopMembershipId"] == found["membership_id"]]
    assert row["whopLastPaymentDate"] is None


def test_payments_that_may_not_be_read_are_passed_over(scene: Scene) -> None:
    allowed = [
        "company:basic:read",
        "access_pass:basic:read",
        "plan:basic:read",
        "member:basic:read",
        "member:email:read",
        "member:phone:read",
    ]
    scene.whop.ask("POST", "/keys", {"do": "restrict", "permissions": allowed})

    assert scene.sync().status == "success"

    assert all(row["whopLastPaymentDate"] is None for row in scene.rows("opportunities"))


@pytest.fixture
def with_payments(database_url: str, whop: Service, twenty: Service, tmp_path: Path) -> Iterator[Scene]:
    """The shipped mappings, and the one of the handbook that makes a record of each payment."""
    root = Path(__file__).parents[2]
    shutil.copytree(root / "mappings", tmp_path / "mappings")
    page = (root / "docs" / "mapping.md").read_text(encoding="utf-8")
    (sample,) = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: payment}" in one]
    (tmp_path / "mappings" / "payment.yaml").write_text(sample, encoding="utf-8")
    env = environment(database_url, whop.url, NOWHERE, MAPPINGS_DIR=str(tmp_path / "mappings"))
    with closing(built(env)) as parts:
        yield Scene(whop, twenty, parts).connect()


def test_payments_become_records_of_their_own_where_a_file_says_so(with_payments: Scene) -> None:
    scene = with_payments
    tagged = scene.records("payments")[0]["id"]
    scene.change("payments", tagged, metadata={"campaign": "spring"})

    run = scene.sync()

    assert run.status == "success"
    assert one(scene.rows("whopPayments"), whopId=tagged)["campaign"] == "spring"
    wanted = {item["id"]: item["status"].upper() for item in scene.records("payments")}
    assert {row["whopId"] for row in scene.rows("whopPayments")} == wanted.keys()


def test_an_event_moves_the_payment_and_its_membership(with_payments: Scene) -> None:
    scene = with_payments
    scene.sync()
    found, later = a_paid_one(scene), "2026-11-19T08:00:00.000Z"
    scene.change("payments", found["id"], paid_at=later)

    receive(scene, a_body(scene, "payment.succeeded", one(scene.records("payments"), id=found["id"])))
    take(scene)

    assert one(scene.rows("whopPayments"), whopId=found["id"])["paidAt"] == later
    assert scene.deal_of(found["membership_id"])["whopLastPaymentDate"] == later
    assert [event.state for event in events(scene)] == ["done"]
