"""Payments, refunds and disputes that come about while the sandbox runs."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from connector.sandbox.whop import edits
from connector.sandbox.whop.cards import instrument
from connector.sandbox.whop.sales_records import EVIDENCE, PAYMENT_NULLS
from connector.sandbox.whop.values import CENTS, DAY, DECIMALS, Record, decimal, iso, millis, money
from connector.sandbox.whop.world import World

#: What a dispute's status makes of its payment.
SUBSTATUS: Final = {
    "needs_response": "dispute_needs_response",
    "warning_needs_response": "dispute_warning_needs_response",
    "under_review": "dispute_under_review",
    "warning_under_review": "dispute_warning_under_review",
    "won": "dispute_won",
    "lost": "dispute_lost",
    "prevented": "dispute_closed",
    "warning_closed": "dispute_warning_closed",
}


def _save(world: World, kind: str, record: Record) -> Record:
    with world.lock:
        table = world.home.tables[kind]
        index = table.next_index()
        world.change(kind, index, {**record, "id": table.ids.of(index)})
        return table.get(index)


def _minor(text: str | float, currency: str) -> int:
    scaled = Decimal(str(text)).scaleb(DECIMALS.get(currency, 2))
    return int(scaled.quantize(Decimal(1), ROUND_HALF_UP))


def _worth(amount: Record, currency: str) -> Record:
    up, down = CENTS[currency]
    return money(_minor(amount["amount"], currency) * up // down, "usd")


def payment(world: World, bought: Record, **fields: Any) -> Record:
    """A payment for a membership, paid unless the fields say otherwise."""
    price = bought["renewal_price"] or bought["initial_price"]
    currency = price["currency"]
    nothing, at = money(0, currency), world.stamp()
    record = {
        **dict.fromkeys(PAYMENT_NULLS),
        "account_id": world.home.company.id,
        "amount_after_fees": price,
        "auto_refunded": False,
        "billing_reason": "subscription_cycle",
        "created_at": at,
        "currency": currency,
        "holds": [],
        "last_payment_attempt_at": at,
        "line_items": [],
        "member_id": bought["member_id"],
        "membership_id": bought["id"],
        "metadata": {},
        "needs_tracking": False,
        "paid_at": at,
        "payment_instrument": instrument("4242"),
        "payment_method_id": "payt_11111111111111",
        "payment_method_type": "card",
        "payment_rule_matches": [],
        "payments_failed": 0.0,
        "plan_id": bought["plan_id"],
        "presentment_total": price,
        "product_id": bought["product_id"],
        "refundable": True,
        "refunded_amount": nothing,
        "retryable": False,
        "risk_score": 12.0,
        "status": "paid",
        "substatus": "succeeded",
        "subtotal": price,
        "tax_refunded_amount": nothing,
        "three_ds_verified": False,
        "total": price,
        "updated_at": at,
        "usd_total": _worth(price, currency),
        "voidable": False,
    }
    if bought["member_id"] is None:
        record |= dict.fromkeys(("user", "customer_email", "customer_phone"))
    return _save(world, "payments", {**record, **fields})


def failed(world: World, bought: Record, **fields: Any) -> Record:
    """A payment that did not go through; Whop tries again in three days."""
    state = {
        "status": "open",
        "substatus": "past_due",
        "paid_at": None,
        "payments_failed": 1.0,
        "failure_message": "The card has insufficient funds.",
        "decline_code": "insufficient_funds",
        "next_payment_attempt_at": iso(millis(world.stamp()) + 3 * DAY),
        "refundable": False,
        "retryable": True,
        "voidable": True,
    }
    return payment(world, bought, **{**state, **fields})


def refund(
    world: World, paid: Record, *, status: str = "succeeded", partial_amount: float | None = None
) -> Record:
    """A refund of a payment, which follows it where it succeeded."""
    currency = paid["currency"]
    before, total = (_minor(paid[name]["amount"], currency) for name in ("refunded_amount", "total"))
    back = total - before if partial_amount is None else _minor(partial_amount, currency)
    at, amount = world.stamp(), money(back, currency)
    made = {
        "account_id": world.home.company.id,
        "amount": amount,
        "created_at": at,
        "failure_message": "The card has expired." if status == "failed" else None,
        "failure_reason": "expired_or_canceled_card" if status == "failed" else None,
        "metadata": {},
        "original_amount": amount,
        "payment_id": paid["id"],
        "provider": "stripe",
        "provider_created_at": at,
        "reason": "requested_by_customer",
        "reference_status": "available" if status == "succeeded" else "pending",
        "reference_type": None,
        "reference_value": None,
        "status": status,
        "updated_at": at,
        "visa_rdr": False,
    }
    if status == "succeeded":
        whole = before + back >= total
        state: Record = {"refunded_amount": money(before + back, currency), "refunded_at": at}
        state |= {"substatus": "refunded" if whole else "partially_refunded", "refundable": not whole}
        _change(world, paid["id"], state)
    return _save(world, "refunds", made)


def _change(world: World, payment_id: str, fields: Record) -> Record:
    index = world.home.tables["payments"].find(payment_id)
    if index is None:
        raise LookupError(f"payments: there is no {payment_id}")
    return edits.change(world, "payments", index, fields)


def dispute(world: World, paid: Record, *, status: str = "needs_response", **fields: Any) -> Record:
    """A dispute of a payment."""
    at, currency = world.stamp(), paid["currency"]
    minor = _minor(paid["total"]["amount"], currency)
    amount = float(decimal(minor, DECIMALS[currency]))
    warning = status.startswith("warning")
    record = {
        "acceptable": not warning,
        "account_id": world.home.company.id,
        "amount": amount,
        "created_at": at,
        "currency": currency,
        "evidence": {**dict.fromkeys(EVIDENCE), "documents": []},
        "evidence_due_at": iso(millis(at) + 14 * DAY),
        "evidence_editable": True,
        "evidence_locked_reason": None,
        "evidence_submitted_at": None,
        "fee": None if warning else money(1500, "usd"),
        "inquiry": warning,
        "issuer_comments": [],
        "line_items": [],
        "payment": {
            "amount": amount,
            "card_brand": "visa",
            "card_last4": "4242",
            "created_at": paid["created_at"],
            "currency": currency,
            "id": paid["id"],
            "payment_instrument": None,
            "payment_method_type": "card",
            "payment_processor": "stripe",
        },
        "plan_id": paid["plan_id"],
        "product_id": paid["product_id"],
        "reason": "fraudulent",
        "reason_code": None if warning else "10.4",
        "status": status,
        "updated_at": at,
    }
    made = _save(world, "disputes", {**record, **fields})
    mark_disputed(world, made)
    return made


def mark_disputed(world: World, made: Record) -> None:
    """The payment follows its dispute."""
    _change(world, made["payment"]["id"], {"substatus": SUBSTATUS.get(made["status"], "dispute_closed")})
