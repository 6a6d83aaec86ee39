"""The same records as the dialect of 2025-01-01 writes them (section 4 of the API notes).

A company instead of an account, objects instead of ids, numbers instead of money. What an object shows of
another one (the plan in a membership, the payment in a refund) is looked up as it is today.
"""

from typing import Any, Final

from connector.sandbox.whop.values import Record, words
from connector.sandbox.whop.world import Shelf

PRODUCT: Final = words(
    "id created_at external_identifier headline member_count metadata published_reviews_count route title "
    "updated_at verified visibility custom_cta custom_cta_url custom_statement_descriptor description "
    "gallery_images global_affiliate_percentage global_affiliate_status member_affiliate_percentage "
    "member_affiliate_status owner_user product_tax_code"
)
PLAN: Final = words(
    "id adaptive_pricing_enabled billing_period created_at currency custom_fields description "
    "expiration_days initial_price internal_notes invoice member_count metadata "
    "payment_method_configuration plan_type product purchase_url release_method renewal_price "
    "split_pay_required_payments stock three_ds_level title trial_period_days unlimited_stock updated_at "
    "visibility collect_tax tax_type"
)
MEMBER: Final = words("id access_level created_at joined_at most_recent_action most_recent_action_at status")
MEMBERSHIP: Final = words(
    "id cancel_at_period_end cancel_option canceled_at cancellation_reason created_at license_key "
    "manage_url metadata status updated_at"
)
PAYMENT: Final = words(
    "id auto_refunded billing_address billing_reason checkout_configuration_id created_at currency "
    "dispute_alerted_at failure_message financing_installments_count metadata paid_at payment_method_type "
    "payments_failed refundable refunded_at retryable status substatus tax_behavior updated_at voidable"
)
PAYMENT_SUMS: Final = words(
    "amount_after_fees refunded_amount subtotal tax_amount tax_refunded_amount total usd_total"
)
REFUND: Final = words(
    "id created_at provider provider_created_at reference_status reference_type reference_value status"
)
EVIDENCE_HIDDEN: Final = "documents"
#: Fields that only single reads have.
SINGLE_ONLY: Final = {
    "products": words(
        "custom_cta custom_cta_url custom_statement_descriptor description gallery_images "
        "global_affiliate_percentage global_affiliate_status member_affiliate_percentage "
        "member_affiliate_status owner_user product_tax_code company"
    ),
    "plans": ["collect_tax", "custom_fields", "tax_type"],
    "members": ["company"],
    "memberships": ["custom_field_responses"],
    "payments": words(
        "disputes resolutions financing_transactions financing_installments_count settlement_amount "
        "settlement_exchange_rate tax_refunded_amount"
    ),
}


def _only(record: Record, names: list[str]) -> Record:
    return {name: record.get(name) for name in names}


def _company(shelf: Shelf, *, route: bool = True) -> Record:
    company = shelf.company
    return {"id": company.id, "title": company.identity.title} | (
        {"route": company.identity.route} if route else {}
    )


def number_of(money: Record | None) -> float | None:
    """Money as the number it used to be."""
    if money is None:
        return None
    return float(money["amount"]) if money["decimals"] else int(money["amount"])


def found(shelf: Shelf, kind: str, name: str | None) -> Record | None:
    """The record of this id as it is today."""
    table = shelf.tables[kind]
    index = table.find(name) if name else None
    return table.get(index) if index is not None else None


def person(shelf: Shelf, member_id: str | None) -> tuple[Record | None, Record | None]:
    """User with e-mail, and member, as they stand inside other objects."""
    member = found(shelf, "members", member_id)
    if member is None:
        return None, None
    user = member["user"]
    shown = {**_only(user, ["id", "name", "username"]), "email": member["email"]} if user else None
    return shown, {"id": member["id"], "phone": member["phone_number"]}


def account(record: Record, shelf: Shelf) -> Record:
    """A Company."""
    shown = words("id created_at description metadata route send_customer_emails social_links title")
    return {
        **_only(record, shown),
        "affiliate_instructions": None,
        "featured_affiliate_product": None,
        "logo": {"url": record["logo_url"]},
        "member_count": shelf.company.members,
        "owner_user": _only(record["owner"], ["id", "name", "username"]),
        "published_reviews_count": 0,
        "target_audience": None,
        "updated_at": record["created_at"],
        "verified": False,
    }


def product(record: Record, shelf: Shelf) -> Record:
    """A Product."""
    return {**_only(record, PRODUCT), "company": _company(shelf)}


def plan(record: Record, shelf: Shelf) -> Record:
    """A Plan."""
    return {**_only(record, PLAN), "company": _company(shelf, route=False)}


def member(record: Record, shelf: Shelf) -> Record:
    """A Member: the e-mail is in the user."""
    user = record["user"]
    return {
        **_only(record, MEMBER),
        "company_token_balance": record["token_balance"],
        "phone": record["phone_number"],
        "updated_at": record["most_recent_action_at"] or record["created_at"],
        "usd_total_spent": number_of(record["usd_total_spent"]),
        "user": {**_only(user, ["id", "name", "username"]), "email": record["email"]} if user else None,
        "company": _company(shelf),
    }


def membership(record: Record, shelf: Shelf) -> Record:
    """A Membership: plan, product, member and user are objects."""
    user, holder = person(shelf, record["member_id"])
    price = record["renewal_price"] or record["initial_price"]
    return {
        **_only(record, MEMBERSHIP),
        "checkout_configuration_id": None,
        "company": _company(shelf, route=False),
        "currency": price["currency"],
        "custom_field_responses": [],
        "joined_at": record["created_at"],
        "member": {"id": holder["id"]} if holder else None,
        "payment_collection_paused": record["most_recent_action"] == "paused_at",
        "plan": {"id": record["plan_id"], "metadata": {}},
        "product": {**_only(record["product"], ["id", "title"]), "metadata": {}},
        "promo_code": None,
        "renewal_period_end": record["current_period_end"],
        "renewal_period_start": record["current_period_start"],
        "user": user,
    }


def payment(record: Record, shelf: Shelf) -> Record:
    """A Payment: all sums are numbers, and it holds its disputes."""
    user, holder = person(shelf, record["member_id"])
    bought = found(shelf, "memberships", record["membership_id"])
    card = (record["payment_instrument"] or {}).get("card") or {}
    return {
        **_only(record, PAYMENT),
        **{name: number_of(record[name]) for name in PAYMENT_SUMS},
        "application_fee": None,
        "card_brand": card.get("brand"),
        "card_last4": card.get("last4"),
        "company": _company(shelf),
        "last_payment_attempt": record["last_payment_attempt_at"],
        "member": holder,
        "membership": {"id": bought["id"], "phone_number": None, "status": bought["status"]}
        if bought
        else None,
        "next_payment_attempt": record["next_payment_attempt_at"],
        "payment_method": _method(record, card),
        "plan": {"id": record["plan_id"], "internal_notes": None, "metadata": {}},
        "product": _bought(shelf, record["product_id"]),
        "promo_code": None,
        "settlement_amount": number_of(record["total"]),
        "settlement_currency": record["currency"],
        "settlement_exchange_rate": 1.0,
        "user": user,
        "disputes": [],
        "resolutions": [],
        "financing_transactions": [],
    }


def _method(record: Record, card: Record) -> Record | None:
    if record["payment_method_id"] is None:
        return None
    return {
        "id": record["payment_method_id"],
        "card": _only(card, ["brand", "exp_month", "exp_year", "last4"]) if card else None,
        "created_at": record["created_at"],
        "payment_method_type": record["payment_method_type"],
    }


def _bought(shelf: Shelf, product_id: str) -> Record:
    record = found(shelf, "products", product_id) or {"title": "", "route": "", "metadata": {}}
    return {**_only(record, ["title", "route", "metadata"]), "id": product_id}


def refund(record: Record, shelf: Shelf) -> Record:
    """A Refund: one amount, and its payment inside."""
    paid = found(shelf, "payments", record["payment_id"])
    return {
        **_only(record, REFUND),
        "amount": number_of(record["original_amount"]),
        "currency": record["original_amount"]["currency"],
        "payment": _inside(paid, shelf) if paid else {"id": record["payment_id"]},
    }


def dispute(record: Record, shelf: Shelf) -> Record:
    """A Dispute: its evidence is flat, and its payment tells the buyer."""
    paid = found(shelf, "payments", record["payment"]["id"])
    evidence = {name: text for name, text in record["evidence"].items() if name != EVIDENCE_HIDDEN}
    return {
        **_only(record, ["id", "amount", "created_at", "currency", "reason", "status"]),
        **evidence,
        "company": _company(shelf, route=False),
        "editable": record["evidence_editable"],
        "needs_response_by": record["evidence_due_at"],
        "payment": _inside(paid, shelf) if paid else {"id": record["payment"]["id"]},
        "plan": {"id": record["plan_id"]},
        "product": _only(_bought(shelf, record["product_id"]), ["id", "title"]),
        "visa_rdr": False,
    }


def _inside(record: Record, shelf: Shelf) -> Record:
    """A payment inside a refund or a dispute."""
    whole = payment(record, shelf)
    return _only(
        whole,
        words(
            "id billing_reason card_brand card_last4 created_at currency dispute_alerted_at paid_at "
            "payment_method_type subtotal total usd_total user metadata tax_amount tax_behavior "
            "tax_refunded_amount member membership plan product"
        ),
    )


WRITERS: Final[dict[str, Any]] = {
    "accounts": account,
    "products": product,
    "plans": plan,
    "members": member,
    "memberships": membership,
    "payments": payment,
    "refunds": refund,
    "disputes": dispute,
}


def written(kind: str, record: Record, shelf: Shelf, *, single: bool) -> Record:
    """The record in this dialect; lists leave out some of it, and the insides of a payment."""
    old: Record = WRITERS[kind](record, shelf)
    if single:
        return old
    for name in SINGLE_ONLY.get(kind, ()):
        old.pop(name, None)
    if kind in ("refunds", "disputes"):
        old["payment"] = {"id": old["payment"]["id"]}
        for name in record.get("evidence", {}):
            old.pop(name, None)
    return old
