"""The refunds and disputes of one payment: what an old event about the payment is really about."""

from __future__ import annotations

from typing import Any, Final

from . import client
from .paging import parts, path_of

_MOST: Final = 100
_MOST_PAGES: Final = 5
"""Of disputes, the newest first: there are few, and an event tells of one that has just moved."""


def behind(session: client.Session, kind: str, payment_id: str, company: str) -> list[Any]:
    """The items of this kind, refund or dispute, that belong to the payment. Raises as a list of Whop's."""
    path, cursor, found = path_of(kind), None, []
    params: client.Params = {
        "account_id": company,
        "first": _MOST,
        "order": "created_at",
        "direction": "desc",
    }
    if kind == "refund":  # disputes cannot be asked for by their payment
        params = {**params, "payment_id": payment_id}
    for _ in range(_MOST_PAGES):
        body = client.get(session, path, params if cursor is None else {**params, "after": cursor})
        items, cursor, last = parts(path, body)
        found += [item for item in items if _payment_of(item) == payment_id]
        if last or cursor is None:
            break
    return found


def _payment_of(item: Any) -> Any:
    if not isinstance(item, dict):
        return None
    payment = item.get("payment")
    return item.get("payment_id") or (payment.get("id") if isinstance(payment, dict) else None)
