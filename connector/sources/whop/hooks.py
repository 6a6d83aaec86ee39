"""What webhooks of v5 and v2 send, in today's words: ids alone, times in Unix seconds, bare numbers.

They tell much less than today's records do; what they leave out is unknown.
"""

from __future__ import annotations

from typing import Any

from .legacy import refunded
from .translating import Item, ids, known, moments, part, prices, renamed, same

_MEMBERSHIP = "id status cancel_at_period_end license_key metadata"
_MEMBERSHIP_TIMES = {
    "created_at": "created_at",
    "current_period_start": "renewal_period_start",
    "current_period_end": "renewal_period_end",
}
_PAYMENT = "id status currency payments_failed"
_PAYMENT_TIMES = {
    "created_at": "created_at",
    "paid_at": "paid_at",
    "refunded_at": "refunded_at",
    "last_payment_attempt_at": "last_payment_attempt",
    "next_payment_attempt_at": "next_payment_attempt",
}
_PAYMENT_PRICES = {"total": "final_amount", "subtotal": "subtotal", "refunded_amount": "refunded_amount"}


def v5_membership(item: Item) -> dict[str, Any]:
    """No e-mail, no member, and the company as ``page_id``."""
    told = _membership(item) | same(item, "product_id plan_id user_id")
    return told | ({"account": {"id": item["page_id"]}} if "page_id" in item else {})


def v5_payment(item: Item) -> dict[str, Any]:
    """No member, and of the user the id alone."""
    told = same(item, f"{_PAYMENT} membership_id product_id plan_id payment_method_type metadata")
    return (
        told
        | renamed(item, {"account_id": "company_id"})
        | moments(item, _PAYMENT_TIMES)
        | prices(item, item.get("currency"), _PAYMENT_PRICES)
        | _user_of_id(item)
        | _card(item)
    )


def v5_refund(item: Item) -> dict[str, Any]:
    """Its payment is inside, whole."""
    told = same(item, "id status payment_id") | renamed(item, {"provider": "gateway_type"})
    payment = part(item, "payment") or {}
    return (
        told
        | moments(item, {"created_at": "created_at"})
        | refunded(item)
        | renamed(payment, {"account_id": "company_id"})
    )


def v5_dispute(item: Item) -> dict[str, Any]:
    """Its payment is inside, whole."""
    told = same(item, "id status amount currency") | moments(item, {"created_at": "created_at"})
    payment = part(item, "payment")
    if not payment:
        return told
    own = {"amount": "final_amount"}
    shown = (
        same(payment, "id currency payment_method_type")
        | renamed(payment, own)
        | moments(payment, {"created_at": "created_at"})
    )
    owners = {"account_id": "company_id", "product_id": "product_id", "plan_id": "plan_id"}
    return (
        told
        | {"payment": shown}
        | renamed(payment, owners)
        | {"buyer": renamed(payment, {"user_id": "user_id"})}
    )


def v2_membership(item: Item) -> dict[str, Any]:
    """Its product has an id of another kind (``pass_``), which says nothing about today's."""
    return _membership(item) | ids(item, {"plan_id": "plan", "user_id": "user"})


def v2_payment(item: Item) -> dict[str, Any]:
    """Membership and plan are ids under the names of objects."""
    told = same(item, _PAYMENT) | renamed(item, {"membership_id": "membership", "plan_id": "plan"})
    user = part(item, "user")
    return (
        told
        | moments(item, _PAYMENT_TIMES)
        | prices(item, item.get("currency"), _PAYMENT_PRICES)
        | known(item, "user", {"customer_email": "email"})
        | ({"user": same(user, "id username") if user else None} if "user" in item else {})
        | _card(item)
    )


def _membership(item: Item) -> dict[str, Any]:
    told = same(item, _MEMBERSHIP) | moments(item, _MEMBERSHIP_TIMES)
    return told | (same(item, "manage_url") if item.get("manage_url") else {})


def _user_of_id(item: Item) -> dict[str, Any]:
    if "user_id" not in item:
        return {}
    return {"user": {"id": item["user_id"]} if item["user_id"] is not None else None}


def _card(item: Item) -> dict[str, Any]:
    card = renamed(item, {"brand": "card_brand", "last4": "card_last_4"})
    return {"payment_instrument": {"card": card}} if card.get("brand") else {}
