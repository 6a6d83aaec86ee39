"""The names of Whop's events: today's, the old ones and what they are called today, and those of others.

Deliveries put a dot into a name, the dashboard an underscore; hooks of apps put ``app_`` before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OF: Final[Mapping[str, str]] = {
    "membership": "activated deactivated updated trial_ending_soon cancel_at_period_end_changed",
    "member": "created updated",
    "payment": "created succeeded failed pending requires_action authorized canceled",
    "refund": "created updated",
    "dispute": "created updated",
    "dispute_alert": "created",
    "product": "created updated deleted published unpublished",
    "plan": "created updated deleted",
    "entry": "created approved denied deleted",
    "invoice": "created paid past_due voided marked_uncollectible",
    "account": "updated",
}

EVENTS: Final[Mapping[str, str]] = {
    f"{kind}.{what}": kind for kind, whats in _OF.items() for what in whats.split()
}
"""Every event of today that tells of a company's sales → the kind of record that it tells of."""

CHAT: Final = "chat.message.created"
"""Somebody wrote in a chat. It is heard where conversations are kept; what was written is read."""

_OTHERS: Final[Mapping[str, str]] = {
    "account": "financing_approved financing_denied financing_disabled",
    "export": "completed failed",
    "setup_intent": "requires_action succeeded canceled",
    "ledger_account": "funds_available",
    "financial_activity": "funds_available",
    "swap": "completed",
    "deposit": "succeeded",
    "transfer": "created completed failed",
    "payout": "created updated reversed",
    "withdrawal": "created updated reversed",
    "card": "created updated frozen canceled",
    "card_application": "created updated approved denied",
    "card_transaction": "created updated completed declined reversed",
    "course_lesson_interaction": "completed",
    "payout_method": "created",
    "payout_account": "status_updated",
    "verification": "succeeded",
    "identity_profile": "approved rejected needs_action updated",
    "resolution_center_case": "created updated decided",
    "shipment": "created updated",
    "ad_campaign": "created updated payment_failed events",
    "ad_group": "created updated",
    "ad": "created updated",
    "chat.message": "created",
    "chat.reaction": "created",
}

OTHERS: Final = frozenset(f"{of}.{what}" for of, whats in _OTHERS.items() for what in whats.split())
"""Events of today that tell nothing of what is synced."""

ALIASES: Final[Mapping[str, str]] = {
    "went_valid": "membership.activated",
    "membership.went_valid": "membership.activated",
    "membership.created": "membership.activated",
    "membership.renewed": "membership.activated",
    "went_invalid": "membership.deactivated",
    "membership.went_invalid": "membership.deactivated",
    "membership.expired": "membership.deactivated",
    "membership.cancelled": "membership.cancel_at_period_end_changed",
    "membership.canceled": "membership.cancel_at_period_end_changed",
    "membership.metadata_updated": "membership.updated",
    "membership.experience_claimed": "member.updated",
    "membership.experienced_claimed": "member.updated",
    "payment.refunded": "refund.updated",
    "payment.disputed": "dispute.created",
    "payment.dispute_resolved": "dispute.updated",
    "user.created": "member.created",
    "user.updated": "member.updated",
    "resolution.created": "resolution_center_case.created",
    "resolution.updated": "resolution_center_case.updated",
    "resolution.decided": "resolution_center_case.decided",
}
"""Old name → today's. A cancelled membership that does not go on to the end of its period was deactivated:
see ``today``."""

WITHOUT_SUCCESSOR: Final = ("payment.affiliate_reward_created", "activity.", "company.", "experience.")
"""Old names, or how they start, that nothing of today stands for."""

_AT_ONCE: Final = frozenset({"membership.cancelled", "membership.canceled"})
_UNDERSCORED: Final[Mapping[str, str]] = {
    name.replace(".", "_"): name for name in (*EVENTS, *OTHERS, *ALIASES) if "." in name
}
_NAMES: Final = frozenset((*EVENTS, *OTHERS, *ALIASES))


def today(name: str, data: Mapping[str, Any]) -> str:
    """Today's name of an event whose body has this ``data``; a name that is not known stays as it is."""
    plain = _plain(name)
    if plain in _AT_ONCE and data.get("cancel_at_period_end") is not True:
        return "membership.deactivated"
    return ALIASES.get(plain, plain)


def is_known(name: str) -> bool:
    """Whether Whop's documentation has, or had, an event of this name."""
    plain = _plain(name)
    return plain in _NAMES or plain.startswith(WITHOUT_SUCCESSOR)


def _plain(name: str) -> str:
    """The name with a dot and without the mark of an app's hook."""
    for mark in ("", "app_", "app."):
        rest = name.removeprefix(mark)
        rest = _UNDERSCORED.get(rest, rest)
        if rest in _NAMES:
            return rest
    return name
