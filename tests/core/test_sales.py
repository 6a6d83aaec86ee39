"""What a membership's payments add up to: exact, per currency, whatever their order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.core.records import Ref, SourceRecord
from connector.core.sales import Paid, roll_up, sale


def a_payment(amount: str = "49.00", currency: str = "usd", **changed: Any) -> Paid:
    values = {
        "status": "paid",
        "currency": currency,
        "amount": amount,
        "refunded": "0.00",
        "failures": 0,
        "at": "2026-11-01T00:00:00.000Z",
    }
    return Paid(**{**values, **changed})


def test_payments_add_up_exactly() -> None:
    found = roll_up([a_payment("0.10"), a_payment("0.20"), a_payment("0.30", refunded="0.07")])

    assert found["total_paid"] == {"amount": "0.60", "currency": "usd"}
    assert found["refunded"] == {"amount": "0.07", "currency": "usd"}


def test_each_currency_is_added_up_by_itself_and_the_latest_leads() -> None:
    yen = a_payment("4400", "jpy", at="2026-11-05T00:00:00.000Z", refunded="0")
    found = roll_up([a_payment("49.00"), yen, a_payment("25.125", "kwd", refunded="5.005")])

    assert found["total_paid"] == {"amount": "4400", "currency": "jpy"}
    assert found["by_currency"]["kwd"]["refunded"] == {"amount": "5.005", "currency": "kwd"}
    assert found["last_paid_at"] == "2026-11-05T00:00:00.000Z"


def test_what_was_not_paid_counts_only_as_failed_attempts() -> None:
    found = roll_up([a_payment(status="open", failures=3), a_payment(status="void"), a_payment("0.00")])

    assert found == {
        "last_paid_at": None,
        "total_paid": None,
        "refunded": None,
        "failed_count": 3,
        "by_currency": {},
    }


def test_a_refund_larger_than_what_was_paid_is_told_as_it_is() -> None:
    assert roll_up([a_payment("10.00", refunded="12.00")])["refunded"]["amount"] == "12.00"


AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=3).map(str)


@given(st.lists(AMOUNTS, min_size=1), st.randoms())
def test_the_order_of_payments_does_not_matter_and_nothing_is_lost(amounts: list[str], random: Any) -> None:
    found = [a_payment(amount, "kwd") for amount in amounts]
    shuffled = random.sample(found, len(found))

    total = roll_up(found)["total_paid"]

    assert total == roll_up(shuffled)["total_paid"]
    assert Decimal((total or {"amount": 0})["amount"]) == sum(map(Decimal, amounts))


def test_a_refund_names_its_payment_and_its_own_amount() -> None:
    fields = {"id": "rf_1", "payment_id": "pay_1", "status": "succeeded", "created_at": "2026-11-01"}
    record = SourceRecord(
        Ref("whop", "refund", "rf_1"),
        {**fields, "amount": {"amount": "5.00", "currency": "usd"}},
        "2026-11-02",
    )

    kept = sale(record)

    assert (kept.kind, kept.id, kept.payment_id, kept.amount, kept.currency) == (
        "refund",
        "rf_1",
        "pay_1",
        "5.00",
        "usd",
    )


def test_a_dispute_finds_its_payment_inside() -> None:
    record = SourceRecord(Ref("whop", "dispute", "dspt_1"), {"id": "dspt_1", "payment": {"id": "pay_1"}})

    assert sale(record).payment_id == "pay_1"
