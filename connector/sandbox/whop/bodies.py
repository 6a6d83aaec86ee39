"""Bodies of webhooks in each dialect (section 5 of the API notes).

A dialect that knows no such record, or no such event, sends nothing.
"""

from typing import Any, Final

from connector.sandbox.whop import legacy
from connector.sandbox.whop.errors import VERSIONS
from connector.sandbox.whop.legacy import found, number_of, person
from connector.sandbox.whop.values import Record, millis, words
from connector.sandbox.whop.world import Shelf

CURRENT, LEGACY, V5, V2 = "v1", "v1-legacy", "v5", "v2"
DIALECTS: Final = (CURRENT, LEGACY, V5, V2)
OLD_NAMES: Final = {
    "membership.activated": "membership.went_valid",
    "membership.deactivated": "membership.went_invalid",
}
#: Later than the legacy dialect.
NEW_EVENTS: Final = ("payment.requires_action", "payment.authorized", "payment.canceled", "account.updated")
#: Messages have one form in both.
SAME: Final = "messages"
ACCESS: Final = ("active", "trialing", "past_due", "completed", "canceling")


def body(
    event: str, kind: str, record: Record, shelf: Shelf, *, dialect: str, message: str, stamp: str
) -> Record | None:
    """What is posted for an event about a record, None where this dialect sends nothing."""
    if dialect == CURRENT:
        return _v1(event, message, stamp, VERSIONS[-1]) | {"account_id": shelf.company.id, "data": record}
    if dialect == LEGACY:
        if event in NEW_EVENTS:
            return None
        old = record if kind == SAME else legacy.written(kind, record, shelf, single=True)
        return _v1(event, message, stamp, None) | {"company_id": shelf.company.id, "data": old}
    write = WRITERS[dialect].get(kind)
    if write is None:
        return None
    version = {"api_version": "v5"} if dialect == V5 else {}
    return {"action": OLD_NAMES.get(event, event), **version, "data": write(record, shelf)}


def _v1(event: str, message: str, stamp: str, pinned: str | None) -> Record:
    return {
        "id": message,
        "type": event,
        "api_version": "v1",
        "api_version_date": pinned,
        "timestamp": stamp,
    }


def _unix(text: str | None) -> int | None:
    return None if text is None else millis(text) // 1000


def _v5_membership(record: Record, shelf: Shelf) -> Record:
    leaving = record["cancel_at_period_end"]
    return {
        **{name: record[name] for name in words("id product_id user_id plan_id status license_key metadata")},
        "page_id": shelf.company.id,
        **_periods(record),
        "expires_at": _unix(record["current_period_end"]) if leaving else _unix(record["expires_at"]),
        "cancel_at_period_end": leaving,
        "valid": record["status"] in ACCESS,
        "quantity": 1,
        "checkout_id": None,
        "affiliate_username": None,
        "manage_url": record["manage_url"] or "",
        "company_buyer_id": None,
        "marketplace": False,
        "custom_field_responses": [],
    }


def _periods(record: Record) -> Record:
    return {
        "created_at": _unix(record["created_at"]),
        "renewal_period_start": _unix(record["current_period_start"]),
        "renewal_period_end": _unix(record["current_period_end"]),
    }


def _v5_payment(record: Record, shelf: Shelf) -> Record:
    card = (record["payment_instrument"] or {}).get("card") or {}
    return {
        **{name: record[name] for name in words("id membership_id product_id plan_id payment_method_type")},
        **_paid(record),
        "metadata": record["metadata"],
        "user_id": (record["user"] or {}).get("id"),
        "company_id": shelf.company.id,
        "amount_after_fees": number_of(record["amount_after_fees"]),
        "line_item_id": None,
        "checkout_id": None,
        "card_brand": card.get("brand"),
        "card_last_4": card.get("last4"),
        "company_buyer_id": None,
        "billing_usage_ids": [],
    }


def _paid(record: Record) -> Record:
    return {
        "status": record["status"],
        "currency": record["currency"],
        "final_amount": number_of(record["total"]),
        "subtotal": number_of(record["subtotal"]),
        "refunded_amount": number_of(record["refunded_amount"]),
        "created_at": _unix(record["created_at"]),
        "paid_at": _unix(record["paid_at"]),
        "refunded_at": _unix(record["refunded_at"]),
        "last_payment_attempt": _unix(record["last_payment_attempt_at"]),
        "next_payment_attempt": _unix(record["next_payment_attempt_at"]),
        "payments_failed": int(record["payments_failed"]),
    }


def _v5_refund(record: Record, shelf: Shelf) -> Record:
    return {
        "id": record["id"],
        "status": record["status"],
        "amount": number_of(record["original_amount"]),
        "currency": record["original_amount"]["currency"],
        "gateway_type": record["provider"],
        "created_at": _unix(record["created_at"]),
        **_of_payment(shelf, record["payment_id"]),
    }


def _v5_dispute(record: Record, shelf: Shelf) -> Record:
    return {
        "id": record["id"],
        "status": record["status"],
        "amount": record["amount"],
        "currency": record["currency"],
        "created_at": _unix(record["created_at"]),
        **_of_payment(shelf, record["payment"]["id"]),
    }


def _of_payment(shelf: Shelf, name: str) -> Record:
    paid = found(shelf, "payments", name)
    return {"payment_id": name, "payment": _v5_payment(paid, shelf) if paid else None}


def _v2_product(shelf: Shelf, name: str) -> Record:
    """v2 gave products ids of its own."""
    product = found(shelf, "products", name) or {"title": "", "visibility": "visible", "created_at": None}
    return {
        "id": name.replace("prod_", "pass_"),
        "name": product["title"],
        "visibility": product["visibility"],
        "created_at": _unix(product["created_at"]),
    }


def _v2_membership(record: Record, shelf: Shelf) -> Record:
    user, _ = person(shelf, record["member_id"])
    plan = found(shelf, "plans", record["plan_id"]) or {}
    return {
        **{
            name: record[name]
            for name in words("id status cancel_at_period_end license_key metadata manage_url")
        },
        **_periods(record),
        "expires_at": _unix(record["expires_at"]),
        "product": _v2_product(shelf, record["product_id"]),
        "access_pass": _v2_product(shelf, record["product_id"]),
        "user": {**user, "profile_pic_url": None, "social_accounts": []} if user else None,
        "email": user["email"] if user else None,
        "plan": {
            "id": record["plan_id"],
            "plan_type": plan.get("plan_type"),
            "billing_period": plan.get("billing_period"),
            "renewal_price": str(plan.get("renewal_price")),
            "initial_price": str(plan.get("initial_price")),
            "base_currency": plan.get("currency"),
        },
        "valid": record["status"] in ACCESS,
        "quantity": 1,
        "custom_fields_responses": {},
    }


def _v2_payment(record: Record, shelf: Shelf) -> Record:
    user, _ = person(shelf, record["member_id"])
    card = (record["payment_instrument"] or {}).get("card") or {}
    return {
        "id": record["id"],
        **_paid(record),
        "membership": record["membership_id"],
        "plan": record["plan_id"],
        "product": _v2_product(shelf, record["product_id"]),
        "user": {name: user[name] for name in ("id", "username", "email")} if user else None,
        "card_brand": card.get("brand"),
        "card_last_4": card.get("last4"),
        "billing_address": None,
    }


WRITERS: Final[dict[str, dict[str, Any]]] = {
    V5: {
        "memberships": _v5_membership,
        "payments": _v5_payment,
        "refunds": _v5_refund,
        "disputes": _v5_dispute,
    },
    V2: {"memberships": _v2_membership, "payments": _v2_payment},
}
