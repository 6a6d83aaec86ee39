"""Payments, refunds and disputes, told from the charges of the memberships.

A payment's chance (``payment_bits`` modulo 97) decides what became of it:
0 refunded in full, 1 refunded in part, 2 a refund on its way, 3 a refund that
failed, 4 disputed. A refund and a dispute carry the index of their payment.
"""

from typing import Final

from connector.sandbox.whop.cards import instrument, last4
from connector.sandbox.whop.company import CHARGES, Company
from connector.sandbox.whop.facts import Charge, Facts
from connector.sandbox.whop.ids import mix, word
from connector.sandbox.whop.values import (
    DAY,
    DECIMALS,
    Record,
    in_cents,
    iso,
    iso_or_none,
    money,
    number,
    taxed,
    words,
)

FULL, PARTIAL, PENDING, FAILED, DISPUTED = range(5)
#: dispute status, reason, substatus of the payment
DISPUTES: Final = [
    ("needs_response", "fraudulent", "dispute_needs_response"),
    ("won", "product_not_received", "dispute_won"),
    ("lost", "subscription_canceled", "dispute_lost"),
    ("warning_needs_response", "unrecognized", "dispute_warning_needs_response"),
    ("under_review", "duplicate", "dispute_under_review"),
]
PAYMENT_NULLS: Final = words(
    "billing_address checkout_configuration_id client_secret decline_code dispute_alerted_at "
    "failure_message financing_installments_count ip_address next_payment_attempt_at promo_code_id "
    "quote_id recovery_url refunded_at risk_signals settlement_time_at shipment_id shipping_address "
    "tax_amount tax_behavior verification_checks"
)
EVIDENCE: Final = words(
    "access_activity_log billing_address cancellation_policy_attachment "
    "cancellation_policy_disclosure customer_communication_attachment customer_email_address "
    "customer_name notes product_description refund_policy_attachment refund_policy_disclosure "
    "refund_refusal_explanation service_date uncategorized_attachment"
)


def fate(company: Company, index: int, charge: Charge) -> int | None:
    """What became of a payment, one of the five above, or None: just paid."""
    chance = company.payment_bits(index) % 97
    settled = charge.state == "paid" and charge.minor > 0
    return chance if settled and chance <= DISPUTED else None


def given_back(company: Company, index: int, charge: Charge, currency: str) -> int:
    """The minor units a refund gives back: all, or a fifth and a bit (5.029 of 25.125)."""
    total = taxed(charge.minor, currency)[2]
    return total // 5 + 4 if fate(company, index, charge) == PARTIAL else total


def payment(company: Company, index: int) -> Record:
    """One Payment; ``user`` and the customer fields are filled in from today's member."""
    told = company.facts(index // CHARGES)
    charge = company.charge(index)
    assert charge is not None  # noqa: S101 - the tables ask only for payments that exist
    currency = told.plan.currency
    subtotal, tax, total = taxed(charge.minor, currency)
    record = _plain(company, index, told, charge)
    record["subtotal"] = money(subtotal, currency)
    record["total"] = record["presentment_total"] = money(total, currency)
    record["usd_total"] = money(in_cents(total, currency), "usd")
    if tax:
        record["tax_amount"] = money(tax, currency)
        record["tax_behavior"] = "inclusive" if currency == "jpy" else "exclusive"
    record.update(_state(company, index, charge, currency))
    return record


def _plain(company: Company, index: int, told: Facts, charge: Charge) -> Record:
    currency = told.plan.currency
    paid = charge.state == "paid"
    at = iso(charge.at + 30_000)
    total = taxed(charge.minor, currency)[2]
    card = paid and company.payment_bits(index) % 5 != 0
    place = company.catalogue.place(told.plan)
    return {
        **dict.fromkeys(PAYMENT_NULLS),
        "account_id": company.id,
        "amount_after_fees": money(total - _fees(total, currency) if paid else 0, currency),
        "auto_refunded": False,
        "billing_reason": _reason(told, charge),
        "created_at": iso(charge.at),
        "currency": currency,
        "customer_email": None,
        "customer_phone": None,
        "holds": [],
        "id": company.ids["payments"].of(index),
        "last_payment_attempt_at": at,
        "line_items": [line_item(company, index, told, taxed(charge.minor, currency)[0])],
        "member_id": company.ids["members"].of(told.owner) if told.owner is not None else None,
        "membership_id": company.ids["memberships"].of(told.number),
        "metadata": {},
        "needs_tracking": False,
        "paid_at": at if paid else None,
        "payment_instrument": instrument(last4(company.payment_bits(index))) if card else None,
        "payment_method_id": "payt_" + word(company.payment_bits(index)) if card else None,
        "payment_method_type": "card" if card or not paid else "paypal",
        "payment_rule_matches": [],
        "payments_failed": 0.0 if paid else 2.0,
        "plan_id": company.ids["plans"].of(place),
        "product_id": company.ids["products"].of(told.plan.product),
        "refundable": paid and total > 0,
        "refunded_amount": money(0, currency),
        "retryable": not paid,
        "risk_score": 12.0,
        "status": "paid",
        "substatus": "succeeded",
        "tax_refunded_amount": money(0, currency),
        "three_ds_verified": False,
        "updated_at": at,
        "user": None,
        "voidable": not paid,
    }


def _reason(told: Facts, charge: Charge) -> str:
    if not told.plan.renews:
        return "one_time"
    return "subscription_cycle" if charge.nth else "subscription_create"


def _fees(total: int, currency: str) -> int:
    """Whop keeps about 5.7 %, and 30 cents where the currency has cents."""
    if total == 0:
        return 0
    return (total * 57 + 500) // 1000 + (30 if DECIMALS[currency] == 2 else 0)


def _state(company: Company, index: int, charge: Charge, currency: str) -> Record:
    """The fields that tell a payment that did not just succeed."""
    if charge.state == "open":
        return {
            "status": "open",
            "substatus": "past_due",
            "next_payment_attempt_at": iso(company.now + 3 * DAY),
            "failure_message": "The card has insufficient funds.",
            "decline_code": "insufficient_funds",
        }
    if charge.state == "unresolved":
        return {"status": "unresolved", "substatus": "unresolved"}
    happened = fate(company, index, charge)
    if happened in (FULL, PARTIAL):
        back = given_back(company, index, charge, currency)
        at = iso(_later(company, charge))
        state = {"refunded_amount": money(back, currency), "refunded_at": at, "updated_at": at}
        substatus = "refunded" if happened == FULL else "partially_refunded"
        return {**state, "substatus": substatus, "refundable": happened == PARTIAL}
    if happened == DISPUTED:
        return {"substatus": _dispute_kind(company, index)[2]}
    return {}


def _later(company: Company, charge: Charge) -> int:
    return min(company.now, charge.at + 3 * DAY)


def _dispute_kind(company: Company, index: int) -> tuple[str, str, str]:
    return DISPUTES[(company.payment_bits(index) >> 20) % len(DISPUTES)]


def line_item(company: Company, index: int, told: Facts, minor: int) -> Record:
    """What was bought: frozen at the sale, it keeps the old title when the product is renamed."""
    place = company.catalogue.place(told.plan)
    return {
        "id": "li_" + word(mix(11, index)),
        "label": told.plan.title or company.catalogue.products[told.plan.product].title,
        "plan_id": company.ids["plans"].of(place),
        "plan_title": told.plan.title,
        "product_id": company.ids["products"].of(told.plan.product),
        "product_title": company.catalogue.products[told.plan.product].title,
        "quantity": 1.0,
        "sku": None,
        "subtotal": money(minor, told.plan.currency),
    }


def refund(company: Company, index: int) -> Record:
    """One Refund. It names no user and no membership: join through the payment."""
    told, charge = company.facts(index // CHARGES), company.charge(index)
    assert charge is not None  # noqa: S101 - as above
    happened = fate(company, index, charge)
    amount = money(given_back(company, index, charge, told.plan.currency), told.plan.currency)
    made = _later(company, charge)
    state = {PENDING: "pending", FAILED: "failed"}.get(happened or 0, "succeeded")
    done = state == "succeeded"
    return {
        "account_id": company.id,
        "amount": amount,
        "created_at": iso(made),
        "failure_message": "The card has expired." if state == "failed" else None,
        "failure_reason": "expired_or_canceled_card" if state == "failed" else None,
        "id": company.ids["refunds"].of(index),
        "metadata": {},
        "original_amount": amount,
        "payment_id": company.ids["payments"].of(index),
        "provider": "stripe",
        "provider_created_at": iso(made),
        "reason": "requested_by_customer",
        "reference_status": "available" if done else "pending",
        "reference_type": "acquirer_reference_number" if done else None,
        "reference_value": "74627422216000013837" if done else None,
        "status": state,
        "updated_at": iso(min(company.now, made + 60_000)),
        "visa_rdr": False,
    }


def dispute(company: Company, index: int) -> Record:
    """One Dispute: its amount is a JSON number; ``buyer`` is filled in from the member."""
    told, charge = company.facts(index // CHARGES), company.charge(index)
    assert charge is not None  # noqa: S101 - as above
    status, reason, _ = _dispute_kind(company, index)
    open_ = status.endswith("needs_response")
    warning = status.startswith("warning")
    made = _later(company, charge)
    subtotal, _, total = taxed(charge.minor, told.plan.currency)
    return {
        "acceptable": status == "needs_response",
        "account_id": company.id,
        "amount": number(total, told.plan.currency),
        "buyer": None,
        "created_at": iso(made),
        "currency": told.plan.currency,
        "evidence": {**dict.fromkeys(EVIDENCE), "documents": []},
        "evidence_due_at": iso_or_none(made + 14 * DAY),
        "evidence_editable": open_,
        "evidence_locked_reason": None if open_ else "submitted",
        "evidence_submitted_at": None,
        "fee": None if warning else money(1500, "usd"),
        "id": company.ids["disputes"].of(index),
        "inquiry": warning,
        "issuer_comments": [],
        "line_items": [line_item(company, index, told, subtotal)],
        "payment": _disputed(company, index, charge, told.plan.currency),
        "plan_id": company.ids["plans"].of(company.catalogue.place(told.plan)),
        "product_id": company.ids["products"].of(told.plan.product),
        "reason": reason,
        "reason_code": None if warning else "10.4",
        "status": status,
        "updated_at": iso(min(company.now, made + 60_000)),
    }


def _disputed(company: Company, index: int, charge: Charge, currency: str) -> Record:
    return {
        "amount": number(taxed(charge.minor, currency)[2], currency),
        "card_brand": "visa",
        "card_last4": last4(company.payment_bits(index)),
        "created_at": iso(charge.at),
        "currency": currency,
        "id": company.ids["payments"].of(index),
        "payment_instrument": None,
        "payment_method_type": "card",
        "payment_processor": "stripe",
    }
