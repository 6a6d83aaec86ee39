"""The dialect of 2025-01-01 in today's words: a company instead of an account, objects instead of ids,
bare numbers instead of money."""

from __future__ import annotations

from typing import Any

from .translating import Item, ids, known, part, prices, renamed, same

_USER = {"id": "id", "name": "name", "username": "username"}


def product(item: Item) -> dict[str, Any]:
    """A product says the same by the same names, but for its company."""
    told = same(
        item,
        """id title route headline description visibility external_identifier custom_cta custom_cta_url
        custom_statement_descriptor global_affiliate_status global_affiliate_percentage
        member_affiliate_status member_affiliate_percentage member_count published_reviews_count verified
        gallery_images metadata owner_user product_tax_code created_at updated_at""",
    )
    return told | renamed(item, {"account": "company"})


def plan(item: Item) -> dict[str, Any]:
    """A plan says the same by the same names, but for its company."""
    told = same(
        item,
        """id title description plan_type currency visibility release_method purchase_url internal_notes
        tax_type three_ds_level billing_period trial_period_days expiration_days initial_price renewal_price
        stock member_count split_pay_required_payments unlimited_stock adaptive_pricing_enabled collect_tax
        custom_fields metadata invoice payment_method_configuration product created_at updated_at""",
    )
    return told | renamed(item, {"account": "company"})


def member(item: Item) -> dict[str, Any]:
    """A member has its e-mail in its user. Its ``updated_at`` has no successor."""
    told = same(item, "id access_level status most_recent_action most_recent_action_at created_at joined_at")
    return (
        told
        | renamed(item, {"phone_number": "phone", "token_balance": "company_token_balance"})
        | ids(item, {"account_id": "company"})
        | prices(item, "usd", {"usd_total_spent": "usd_total_spent"})
        | known(item, "user", {"email": "email"})
        | _user(item)
    )


def membership(item: Item) -> dict[str, Any]:
    """A membership names plan, member and user by objects."""
    told = same(
        item,
        """id status cancel_at_period_end canceled_at cancellation_reason license_key manage_url metadata
        created_at updated_at""",
    )
    if item.get("cancel_option") != "other":  # it stands for options that have names of their own today
        told |= same(item, "cancel_option")
    new = {"current_period_start": "renewal_period_start", "current_period_end": "renewal_period_end"}
    owned = {
        "product_id": "product",
        "plan_id": "plan",
        "member_id": "member",
        "user_id": "user",
        "promo_code_id": "promo_code",
    }
    product_ = part(item, "product")
    told |= {"product": same(product_, "id title")} if product_ else {}
    return told | renamed(item, {"account": "company"}) | renamed(item, new) | ids(item, owned)


def payment(item: Item) -> dict[str, Any]:
    """A payment shows the buyer's e-mail and phone in user and member, and its card in two places."""
    told = same(
        item,
        """id status substatus billing_reason currency payment_method_type failure_message tax_behavior
        payments_failed financing_installments_count refundable retryable voidable auto_refunded
        checkout_configuration_id billing_address metadata created_at updated_at paid_at refunded_at
        dispute_alerted_at""",
    )
    attempts = {
        "last_payment_attempt_at": "last_payment_attempt",
        "next_payment_attempt_at": "next_payment_attempt",
    }
    owners = {
        "account_id": "company",
        "membership_id": "membership",
        "member_id": "member",
        "plan_id": "plan",
        "product_id": "product",
        "promo_code_id": "promo_code",
        "payment_method_id": "payment_method",
    }
    return (
        told
        | renamed(item, attempts)
        | ids(item, owners)
        | _paid(item)
        | known(item, "user", {"customer_email": "email"})
        | known(item, "member", {"customer_phone": "phone"})
        | _user(item)
        | _instrument(item)
    )


def refund(item: Item) -> dict[str, Any]:
    """A refund names no company, and has one amount where there are two today."""
    told = same(
        item,
        """id status provider reference_status reference_type reference_value created_at
        provider_created_at""",
    )
    return told | ids(item, {"payment_id": "payment"}) | refunded(item)


def refunded(item: Item) -> dict[str, Any]:
    """The amount of a refund; it is the payment's own money too where both have one currency."""
    currency = item.get("currency")
    payment_ = part(item, "payment") or {}
    names = {"amount": "amount"}
    if payment_.get("currency") == currency:
        names["original_amount"] = "amount"
    return prices(item, currency, names)


def dispute(item: Item) -> dict[str, Any]:
    """A dispute shows its buyer in its payment. Its amount is a number today too."""
    told = same(item, "id status reason amount currency created_at")
    new = {"evidence_due_at": "needs_response_by", "evidence_editable": "editable"}
    owners = {"account_id": "company", "plan_id": "plan", "product_id": "product"}
    payment_ = part(item, "payment")
    if payment_:
        told["payment"] = same(payment_, "id currency payment_method_type created_at") | renamed(
            payment_, {"amount": "total"}
        )
        told |= {"buyer": buyer} if (buyer := _buyer(payment_)) else {}
    return told | renamed(item, new) | ids(item, owners)


def _buyer(payment_: Item) -> dict[str, Any]:
    names = {"user_id": "id", "email": "email", "name": "name", "username": "username"}
    return known(payment_, "user", names) | ids(payment_, {"member_id": "member"})


def _user(item: Item) -> dict[str, Any]:
    if "user" not in item:
        return {}
    user = part(item, "user")
    return {"user": renamed(user, _USER) if user else None}


def _paid(item: Item) -> dict[str, Any]:
    currency = item.get("currency")
    names = ["total", "subtotal", "tax_amount", "refunded_amount", "tax_refunded_amount"]
    if item.get("settlement_currency") == currency:  # otherwise it is not said which of the two it is in
        names.append("amount_after_fees")
    return prices(item, currency, dict(zip(names, names, strict=True))) | prices(
        item, "usd", {"usd_total": "usd_total"}
    )


def _instrument(item: Item) -> dict[str, Any]:
    method = part(item, "payment_method") or {}
    card = same(part(method, "card") or {}, "brand exp_month exp_year last4") or renamed(
        item, {"brand": "card_brand", "last4": "card_last4"}
    )
    return {"payment_instrument": {"card": card}} if card.get("brand") else {}
