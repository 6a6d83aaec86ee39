"""What sets an automation off, and whether a membership may be ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.core import rules
from connector.core.automation import (
    Automation,
    Cause,
    Heard,
    Step,
    Switched,
    causes,
    ends_of,
    first_due,
    is_meant,
    paid_for,
    record_of,
    waiting_for_payment,
)
from connector.core.events import Told
from connector.core.mapping import Filter
from connector.core.purchases import Verdict, is_paid, judge, newest, newest_pending
from connector.core.records import Ref, SourceRecord
from connector.errors import RefusedError

NOON = "2026-11-20T12:00:00.000Z"
AFTER = "2026-11-20T12:00:10.000Z"
BEFORE = "2026-11-20T11:59:59.000Z"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAID = Filter("status", rules.filtered(rules.path("status")), frozenset({"paid"}), negated=False)


def an_automation(**changed: Any) -> Automation:
    values: dict[str, Any] = {
        "name": "once",
        "title": "Once",
        "about": "",
        "on": frozenset({"payment.succeeded"}),
        "fact": "payment",
        "steps": (Step("cancel", "now", timedelta(seconds=5)),),
        "when": (PAID,),
        "chooses_plans": True,
        "job": (timedelta(seconds=10), timedelta(seconds=30)),
    }
    return Automation(**values | changed)


def heard(name: str = "payment.succeeded", at: str = AFTER, id_: str = "pay_1", **fields: Any) -> Heard:
    kind = name.partition(".")[0]
    ref = Ref("whop", kind, id_)
    told = {"id": id_, "status": "paid", "plan_id": "plan_1", "paid_at": at, "created_at": at, **fields}
    record = SourceRecord(ref, told, at)
    return Heard(7, Told(name, name, "v1", "msg_1", None, at, ref, record, complete=True), AFTER)


def set_off(
    *events: Heard, since: str = NOON, plans: tuple[str, ...] = ("plan_1",), **changed: Any
) -> list[Cause]:
    return causes([an_automation(**changed)], {"once": Switched(since, frozenset(plans))}, events)


def test_a_payment_on_a_ticked_plan_sets_it_off_once() -> None:
    found = set_off(heard(), heard(), heard(user={"id": "user_1"}))

    assert [(one.id, one.event, one.at) for one in found] == [("pay_1", 7, AFTER)]
    assert found[0].fields["plan_id"] == "plan_1"


def test_who_bought_is_kept_by_id_alone() -> None:
    (found,) = set_off(heard(user={"id": "user_1", "name": "Ada"}, customer_email="ada@example.com"))

    assert found.fields["user_id"] == "user_1"
    assert "Ada" not in str(found)
    assert "ada@example.com" not in str(found)


@pytest.mark.parametrize("at", [BEFORE, NOON])
def test_nothing_from_before_it_was_switched_on_does(at: str) -> None:
    assert set_off(heard(at=at)) == []


@pytest.mark.parametrize(
    "event",
    [heard(plan_id="plan_2"), heard(status="open"), heard("payment.failed"), heard("membership.activated")],
)
def test_what_the_file_does_not_mean_does_not(event: Heard) -> None:
    assert set_off(event) == []


def test_it_is_off_until_it_is_switched_on() -> None:
    assert causes([an_automation()], {}, [heard()]) == []


def test_what_an_old_event_does_not_tell_is_looked_at_later() -> None:
    bare = heard()._replace(
        told=Told("payment.succeeded", "x", "v2", None, None, AFTER, Ref("whop", "payment", "pay_2"))
    )

    assert [(one.id, one.fields) for one in set_off(bare)] == [("pay_2", {})]


def test_an_event_about_nothing_sets_nothing_off() -> None:
    nothing = Heard(1, Told("payment.succeeded", "x", "v1", None, None, AFTER, None), AFTER)

    assert set_off(nothing) == []


def test_a_file_without_choosing_takes_every_plan() -> None:
    assert len(set_off(heard(plan_id="plan_9"), plans=(), chooses_plans=False)) == 1


def test_what_is_read_now_has_to_say_that_it_is_meant() -> None:
    assert is_meant(an_automation(), {"status": "paid"})
    assert not is_meant(an_automation(), {"status": "void"})
    assert not is_meant(an_automation(), {})


def test_waits_come_to_an_end() -> None:
    one = an_automation()

    assert first_due(one, AT) == AT + timedelta(seconds=5)
    assert [one.wait_after(tries) for tries in (1, 2, 3)] == [
        timedelta(seconds=10),
        timedelta(seconds=30),
        None,
    ]
    assert (one.step(0), one.step(1)) == (one.steps[0], None)


# --- which may be ended


def a_membership(**changed: Any) -> dict[str, Any]:
    bare = {"plan_id": "plan_1", "status": "completed", "renewal_price": None, "billing_period_days": None}
    return bare | changed


ONCE = {"plan_type": "one_time", "billing_period": None}
MONTHLY = {"plan_type": "renewal", "billing_period": 30}


def test_what_was_bought_once_on_a_ticked_plan_is_ended() -> None:
    assert judge(a_membership(), ONCE, frozenset({"plan_1"})) == Verdict(act=True)
    assert judge(a_membership(status="active"), ONCE, None) == Verdict(act=True)


@pytest.mark.parametrize(
    ("membership", "plan"),
    [
        (a_membership(), MONTHLY),
        (a_membership(), {**ONCE, "billing_period": 30}),
        (a_membership(), {}),
        (a_membership(renewal_price={"amount": "49.00", "currency": "usd"}), ONCE),
        (a_membership(billing_period_days=30), ONCE),
        (a_membership(billing_period_days=30), None),
    ],
)
def test_what_renews_is_never_ended(membership: dict[str, Any], plan: dict[str, Any] | None) -> None:
    found = judge(membership, plan, None)

    assert not found.act
    assert "renews" in found.why


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_what_has_ended_is_left(status: str) -> None:
    found = judge(a_membership(status=status), ONCE, None)

    assert (found.act, found.ended) == (False, True)


def test_a_membership_that_is_gone_is_left() -> None:
    assert judge(None, None, None).ended


def test_a_plan_that_is_not_ticked_any_more_is_left() -> None:
    assert not judge(a_membership(), ONCE, frozenset({"plan_2"})).act


def test_where_the_plan_was_deleted_the_membership_has_to_tell() -> None:
    assert judge(a_membership(), None, None).act
    with pytest.raises(RefusedError) as caught:
        judge(a_membership(status="active"), None, None)
    assert caught.value.code == "act_unclear"


# --- which payment


def a_payment(id_: str, at: str, **changed: Any) -> dict[str, Any]:
    bare = {"id": id_, "created_at": at, "plan_id": "plan_1", "user": {"id": "user_1"}, "status": "pending"}
    return bare | changed


def sought(*payments: dict[str, Any]) -> str | None:
    found = newest_pending(payments, plan_id="plan_1", user_id="user_1", at=AT)
    return found["id"] if found else None


def test_the_newest_pending_payment_of_the_buyer_is_found() -> None:
    older, newer = a_payment("a", "2026-11-20T11:55:00.000Z"), a_payment("b", "2026-11-20T11:59:00.000Z")

    assert sought(newer, older) == "b"


@pytest.mark.parametrize(
    "other",
    [
        a_payment("x", "2026-11-20T11:49:59.000Z"),
        a_payment("x", "2026-11-20T12:10:01.000Z"),
        a_payment("x", NOON, plan_id="plan_2"),
        a_payment("x", NOON, user={"id": "user_2"}),
        a_payment("x", NOON, user=None),
        a_payment("x", NOON, status="paid"),
    ],
)
def test_no_other_payment_is_taken_for_it(other: dict[str, Any]) -> None:
    assert sought(other) is None


def test_the_newest_of_a_membership_is_the_one_made_last() -> None:
    found = newest([a_payment("b", NOON), a_payment("a", BEFORE)])

    assert found is not None
    assert found["id"] == "b"
    assert newest([]) is None


# --- what waits until it is paid


def test_an_event_of_a_payment_wakes_what_waits_for_it_or_for_its_membership() -> None:
    told = [
        heard(membership_id="mem_1"),
        heard(id_="pay_2"),
        heard("payment.failed", id_="pay_3"),
        Heard(1, Told("payment.succeeded", "x", "v1", None, None, None, None), AFTER),
        Heard(
            1, Told("payment.succeeded", "x", "v1", None, None, None, Ref("whop", "payment", "pay_4")), AFTER
        ),
    ]

    assert paid_for(told) == {"pay_1", "mem_1", "pay_2", "pay_4"}


def test_steps_that_wait_for_a_payment_are_known_by_automation_and_place() -> None:
    steps = (Step("pause", "now"), Step("resume", "now", until_paid=True))

    assert waiting_for_payment([an_automation(), an_automation(name="two", steps=steps)]) == [("two", 1)]


@pytest.mark.parametrize(
    ("payments", "paid"),
    [
        ([], False),
        ([{"id": "pay_1", "status": "open", "paid_at": None}], False),
        ([{"id": "pay_1", "status": "paid", "paid_at": BEFORE}], True),
        ([{"id": "pay_2", "status": "paid", "paid_at": BEFORE}], False),
        ([{"id": "pay_2", "status": "paid", "paid_at": AFTER}], True),
        ([{"id": "pay_2", "status": "paid", "paid_at": None, "created_at": AFTER}], True),
        ([{"id": "pay_2", "status": "paid"}], False),
    ],
)
def test_what_failed_is_paid_by_itself_or_by_a_later_payment(
    payments: list[dict[str, Any]], paid: bool
) -> None:
    assert is_paid(payments, "pay_1", NOON) is paid


def test_an_act_about_a_period_names_its_membership_and_the_end() -> None:
    about = f"mem_1@{AFTER}"

    assert (record_of(about), ends_of(about)) == ("mem_1", AFTER)
    assert (record_of("pay_1"), ends_of("pay_1")) == ("pay_1", None)
