"""Which dialect an item speaks, told by the item: webhooks and keys carry pins of their own, and one pin
mixes dialects where resources changed at different dates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from . import hooks, legacy

CURRENT: Final = "2026-10-15-1"
LEGACY: Final = "2025-01-01"
V5: Final = "v5"
V2: Final = "v2"

Translate = Callable[[Mapping[str, Any]], dict[str, Any]]
"""An item of an old dialect → the same in today's names. Raises BadRecordError."""

NAMES_ACCOUNT: Final = frozenset({"product", "plan", "membership"})
"""The kinds that show their company as an object today; the others name its id, except a user."""

#: Names that only the legacy dialect has, for where it leaves ``company`` out.
_LEGACY_ONLY: Final[Mapping[str, str]] = {"member": "company_token_balance", "refund": "currency"}

TRANSLATIONS: Final[Mapping[str, Mapping[str, Translate]]] = {
    LEGACY: {
        "product": legacy.product,
        "plan": legacy.plan,
        "member": legacy.member,
        "membership": legacy.membership,
        "payment": legacy.payment,
        "refund": legacy.refund,
        "dispute": legacy.dispute,
    },
    V5: {
        "membership": hooks.v5_membership,
        "payment": hooks.v5_payment,
        "refund": hooks.v5_refund,
        "dispute": hooks.v5_dispute,
    },
    V2: {"membership": hooks.v2_membership, "payment": hooks.v2_payment},
}


def dialect_of(kind: str, item: Mapping[str, Any]) -> str:
    """The dialect whose names an item of this kind uses."""
    if ("account" if kind in NAMES_ACCOUNT else "account_id") in item:
        return CURRENT
    if isinstance(item.get("created_at"), int | float):  # Unix seconds
        return V2 if "user" in item or "product" in item else V5
    return LEGACY if "company" in item or _LEGACY_ONLY.get(kind, "company") in item else CURRENT
