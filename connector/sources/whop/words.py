"""The words that fields of Whop's records are known to hold, today's and those of the old dialects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "product": {"visibility": "visible hidden archived quick_link"},
    "plan": {
        "plan_type": "renewal one_time",
        "visibility": "visible hidden archived quick_link",
        "release_method": "buy_now waitlist",
    },
    "member": {
        "status": "joined left drafted",
        "access_level": "no_access admin customer",
        "most_recent_action": """canceling churned finished_split_pay paused paid_subscriber paid_once
            expiring joined left trialing pending_entry renewing past_due""",
    },
    "membership": {
        "status": """trialing active past_due completed canceled expired unresolved drafted canceling""",
        "cancel_option": """too_expensive switching missing_features technical_issues bad_experience unused
            other testing""",
        "collection_method": "charge_automatically send_invoice",
        "most_recent_action": """canceled_on finished_split_pay_at canceling_on ending_on renewing_on
            past_due next_payment_attempt paused_at trial_ends_at unresolved_at trial_canceling_on""",
    },
    "payment": {
        "status": "draft open authorized paid pending uncollectible unresolved void",
        "substatus": """succeeded requires_capture pending failed blocked past_due canceled price_too_low
            uncollectible refunded auto_refunded partially_refunded dispute_warning dispute_needs_response
            dispute_warning_needs_response resolution_needs_response dispute_under_review
            dispute_warning_under_review resolution_under_review dispute_won dispute_warning_closed
            resolution_won dispute_lost dispute_closed resolution_lost drafted incomplete unresolved
            open_dispute open_resolution""",
        "billing_reason": """subscription_create subscription_cycle subscription_update one_time manual
            subscription""",
    },
    "refund": {
        "status": "pending requires_action succeeded failed canceled",
        "reason": "duplicate fraudulent requested_by_customer expired_uncaptured_charge dispute_alert",
        "failure_reason": """bank_declined expired_or_canceled_card lost_or_stolen_card insufficient_funds
            charge_disputed not_refundable merchant_request unknown""",
    },
    "dispute": {
        "status": """needs_response warning_needs_response under_review warning_under_review won lost
            prevented warning_closed closed other""",
        "reason": """fraudulent unrecognized declined_authorization product_not_received
            product_unacceptable subscription_canceled credit_not_processed duplicate processing_error
            documentation_request bank_cannot_process other""",
    },
}

KNOWN: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    kind: {field: tuple(words.split()) for field, words in of.items()} for kind, of in _WORDS.items()
}
"""Kind → field → its words, in the order in which a record comes by them."""
