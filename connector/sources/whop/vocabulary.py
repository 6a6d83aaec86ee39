"""The words that Whop's fields are known to hold. Any other passes as it is; that it is new is told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from connector.core.records import SourceRecord

from .shapes import Columns

log = structlog.get_logger(__name__)

_MOST_TOLD: Final = 1_000
_LONGEST: Final = 80

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

WORDS: Final[Mapping[str, tuple[tuple[str, frozenset[str | None]], ...]]] = {
    kind: tuple((field, frozenset([None, *words.split()])) for field, words in of.items())
    for kind, of in _WORDS.items()
}
"""Kind → its fields that hold one of a list of words, with that list (today's and the old dialects')."""


class NewWords:
    """Marks records with the words that are not in the lists; the log has each once in a life of this."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str, object]] = set()

    def marked(self, record: SourceRecord) -> SourceRecord:
        """The record, with what is new in it."""
        kind, fields = record.ref.kind, record.fields
        new = [field for field, known in WORDS.get(kind, ()) if fields.get(field) not in known]
        if not new:
            return record
        for field in new:
            self._tell(kind, field, fields[field])
        return record._replace(new_words=tuple((field, str(fields[field])[:_LONGEST]) for field in new))

    def marked_all(self, kind: str, records: Sequence[SourceRecord], told: Columns) -> Sequence[SourceRecord]:
        """The same for many of one kind: where their columns hold known words alone, as they are."""
        if all(known.issuperset(told.get(name, ())) for name, known in WORDS.get(kind, ())):
            return records
        return [self.marked(record) for record in records]

    def _tell(self, kind: str, field: str, word: object) -> None:
        if (kind, field, word) in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add((kind, field, word))
        log.warning("Whop sent a word that is new here; it is kept", kind=kind, field=field, word=word)
