"""One-time purchases: which membership a payment is for, and whether it may be ended. Pure decisions.

Ending a membership cannot be taken back for the customer, so each doubt is a no: what renews is never
touched, nor what nobody can tell to be a one-time purchase.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from connector.core.records import iso
from connector.errors import RefusedError

Fields = Mapping[str, Any]

WITHIN: Final = timedelta(minutes=10)
"""How far a payment without a name may lie from the moment that it is sought for."""

ENDED: Final = ("canceled", "expired")
_PENDING: Final = ("pending", "open", "draft", "authorized")


class Verdict(NamedTuple):
    """``act``: end it. Otherwise it is left, and ``why`` says in words why; ``ended``: it is over already."""

    act: bool
    why: str = ""
    ended: bool = False


def newest_pending(payments: Iterable[Fields], *, plan_id: str, user_id: str, at: datetime) -> Fields | None:
    """The newest payment under way of this plan by this user, made within ten minutes of ``at``."""
    earliest, latest = iso(at - WITHIN), iso(at + WITHIN)
    found = [
        one
        for one in payments
        if one.get("plan_id") == plan_id
        and (one.get("user") or {}).get("id") == user_id
        and one.get("status") in _PENDING
        and earliest <= one["created_at"] <= latest
    ]
    return max(found, key=lambda one: str(one["created_at"]), default=None)


def newest(payments: Iterable[Fields]) -> Fields | None:
    """The payment that was made last."""
    return max(payments, key=lambda one: str(one["created_at"]), default=None)


def is_paid(payments: Iterable[Fields], payment_id: str, since: str) -> bool:
    """Whether what failed is paid by now: by the same payment, or by one for the same membership after it."""
    return any(
        one.get("status") == "paid"
        and (one.get("id") == payment_id or (one.get("paid_at") or one.get("created_at") or "") > since)
        for one in payments
    )


def judge(membership: Fields | None, plan: Fields | None, plans: frozenset[str] | None) -> Verdict:
    """Whether the membership of a one-time purchase is to be ended now.

    ``plan`` is None where Whop has it no more; ``plans`` are those that were ticked, None: all. Raises
    RefusedError (code ``act_unclear``) where nothing tells whether it is a one-time purchase.
    """
    if membership is None:
        return Verdict(act=False, why="Whop has this membership no more.", ended=True)
    if plans is not None and membership["plan_id"] not in plans:
        return Verdict(act=False, why="It is on a plan that is not ticked.")
    if membership["status"] in ENDED:
        return Verdict(act=False, why="It had ended already.", ended=True)
    if _renews(membership) or (plan is not None and _is_recurring(plan)):
        return Verdict(act=False, why="It renews: what is paid again and again is never cancelled.")
    if plan is None and membership["status"] != "completed":
        raise RefusedError(
            "Its plan was deleted on Whop, and nothing else tells that it does not renew.",
            code="act_unclear",
            remedy="Look at the membership in the Whop dashboard, and cancel it there if it is to end.",
        )
    return Verdict(act=True)


def _renews(membership: Fields) -> bool:
    return any(membership.get(name) is not None for name in ("renewal_price", "billing_period_days"))


def _is_recurring(plan: Fields) -> bool:
    return plan.get("plan_type") != "one_time" or plan.get("billing_period") is not None
