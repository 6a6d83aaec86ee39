"""The fields of Whop's records, in the names of today's dialect (API version 2026-10-15-1).

Each line is a value type and the fields of that type, for lists and single reads together. What Whop
does not describe further is an ``object``, so that every path inside it is free. An ``amount`` is sent as
a bare number and becomes money here, in the currency that stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.core.catalogue import SourceCatalogue, ValueType

from .events import EVENTS
from .words import KNOWN

_FIELDS: Final[Mapping[str, Mapping[ValueType, str]]] = {
    "product": {
        "id": "id account.id default_plan.id owner_user.id product_tax_code.id",
        "text": """
            title route headline description visibility external_identifier marketplace_status
            custom_cta custom_cta_url custom_statement_descriptor global_affiliate_status
            member_affiliate_status account.title account.route default_plan.title
            default_plan.plan_type default_plan.visibility owner_user.name owner_user.username
            product_tax_code.name product_tax_code.product_type""",
        "number": """
            member_count average_review_rating published_reviews_count global_affiliate_percentage
            member_affiliate_percentage default_plan.billing_period default_plan.expiration_days""",
        "boolean": "verified default_plan.unlimited_stock",
        "time": "created_at updated_at",
        "money": "default_plan.initial_price default_plan.renewal_price",
        "list": "labels gallery_images variants",
        "object": "metadata variant_attributes",
    },
    "plan": {
        "id": "id account.id product.id",
        "text": """
            title description plan_type currency formatted_price visibility release_method
            purchase_url internal_notes sku tax_type three_ds_level account.title product.title""",
        "number": """
            billing_period trial_period_days expiration_days stock member_count
            split_pay_required_payments cancel_discount_intervals cancel_discount_percentage""",
        "amount": """
            initial_price renewal_price strike_through_initial_price strike_through_renewal_price""",
        "boolean": "unlimited_stock adaptive_pricing_enabled collect_tax deletable offer_cancel_discount",
        "time": "created_at updated_at",
        "money": "initial_price_due",
        "list": "custom_fields",
        "object": """
            metadata attributes checkout_styling image invoice payment_method_configuration
            effective_payment_method_configuration""",
    },
    "member": {
        "id": "id account_id user.id",
        "text": """
            display_name email phone_number status access_level most_recent_action
            user.name user.username user.profile_picture.url""",
        "number": "token_balance",
        "time": "created_at joined_at last_accessed_at most_recent_action_at",
        "money": "usd_total_spent",
    },
    "membership": {
        "id": "id account.id product.id product_id plan_id member_id user_id promo_code_id",
        "text": """
            status cancel_option cancellation_reason collection_method license_key manage_url
            most_recent_action phone_number account.title account.route account.logo_url
            product.title product.logo_url""",
        "number": "billing_period_days split_pay_current_payments split_pay_required_payments",
        "boolean": "cancel_at_period_end",
        "time": """
            created_at updated_at canceled_at current_period_start current_period_end expires_at
            most_recent_action_at""",
        "money": "initial_price renewal_price",
        "object": "metadata affiliate feedback_option member",
    },
    "payment": {
        "id": """
            id account_id user.id member_id membership_id plan_id product_id promo_code_id
            payment_method_id shipment_id checkout_configuration_id quote_id""",
        "text": """
            status substatus billing_reason currency customer_email customer_phone payment_method_type
            decline_code failure_message tax_behavior ip_address recovery_url
            user.name user.username user.profile_picture.url""",
        "number": "payments_failed financing_installments_count risk_score",
        "boolean": """
            refundable retryable voidable auto_refunded needs_tracking three_ds_verified""",
        "time": """
            created_at updated_at paid_at refunded_at last_payment_attempt_at next_payment_attempt_at
            dispute_alerted_at settlement_time_at""",
        "money": """
            total subtotal tax_amount amount_after_fees refunded_amount tax_refunded_amount usd_total
            presentment_total""",
        "list": "line_items holds payment_rule_matches",
        "object": """
            metadata payment_instrument billing_address shipping_address risk_signals
            verification_checks""",
    },
    "refund": {
        "id": "id account_id payment_id",
        "text": """
            status reason failure_reason failure_message provider reference_status reference_type
            reference_value""",
        "boolean": "visa_rdr",
        "time": "created_at updated_at provider_created_at",
        "money": "amount original_amount",
        "object": "metadata",
    },
    "dispute": {
        "id": "id account_id product_id plan_id payment.id buyer.user_id buyer.member_id",
        "text": """
            status reason reason_code currency evidence_locked_reason buyer.email buyer.name
            buyer.username payment.currency payment.card_brand payment.card_last4
            payment.payment_method_type payment.payment_processor payment.created_at""",
        "number": "payment.amount",
        "amount": "amount",
        "boolean": "inquiry acceptable evidence_editable",
        "time": "created_at updated_at evidence_due_at evidence_submitted_at",
        "money": "fee",
        "list": "line_items issuer_comments",
        "object": "evidence payment.payment_instrument",
    },
    "user": {
        "id": "id",
        "text": "name username email bio profile_picture.url",
        "time": "created_at",
        "list": "social_links",
        "object": "banner level verification",
    },
}

ROLL_UPS: Final[Mapping[str, ValueType]] = {
    "payments.last_paid_at": "time",
    "payments.total_paid": "money",
    "payments.refunded": "money",
    "payments.failed_count": "number",
}
"""What the payments of a membership add up to. Whop does not send these: they are unknown until
payments are read."""


def _paths(lines: Mapping[ValueType, str]) -> dict[str, ValueType]:
    return {path: type_ for type_, paths in lines.items() for path in paths.split()}


SENT: Final[Mapping[str, Mapping[str, ValueType]]] = {kind: _paths(of) for kind, of in _FIELDS.items()}
"""What Whop itself sends. ``user``, the public side of a person, is read by id alone: Whop lists no
company's users, so people are mapped from members."""


def _mapped(kind: str) -> dict[str, ValueType]:
    return {path: "money" if type_ == "amount" else type_ for path, type_ in SENT[kind].items()}


_ORDER: Final = ("product", "plan", "member", "membership", "payment", "refund", "dispute")

CATALOGUE: Final = SourceCatalogue(
    "whop",
    {kind: {**_mapped(kind), **(ROLL_UPS if kind == "membership" else {})} for kind in _ORDER},
    order=_ORDER,
    events={name: kind for name, kind in EVENTS.items() if kind in _ORDER},
    short={"payment": {"amount": "total"}},
    words={kind: KNOWN.get(kind, {}) for kind in _ORDER},
)
