"""Which membership an act is about: by the payment's id, then the membership, then the buyer and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from connector.core.automation import record_of
from connector.core.purchases import WITHIN, newest, newest_pending
from connector.core.records import SourceRecord
from connector.errors import RefusedError
from connector.ports.acts import SourceActs
from connector.store.acts import Act


class Matched(NamedTuple):
    """The membership, how it was found, and the payment itself as it is now (None: the source has it not)."""

    membership_id: str
    how: str
    payment: SourceRecord | None


def match(source: SourceActs, act: Act) -> Matched:
    """Find it. Raises RefusedError (code ``act_unmatched``) where nothing leads to one."""
    if act.kind == "membership":
        return Matched(record_of(act.source_id), "The event names the membership.", None)
    payment = source.record("payment", act.source_id)
    if payment is not None and (named := payment.fields.get("membership_id")):
        return Matched(str(named), "The payment was found by its id.", payment)
    if told := act.facts.get("membership_id"):
        known = payment is not None or newest(one.fields for one in source.payments_of(told)) is not None
        beside = "" if known else ", which has no payment yet"
        return Matched(str(told), f"The event names the membership{beside}.", payment)
    if found := _by_buyer(source, act, payment.fields if payment else {}):
        how = f"By the newest pending payment of the same buyer for the same plan ({found[1]})."
        return Matched(found[0], how, payment)
    raise RefusedError(
        f"Nothing on Whop tells to which membership the payment {act.source_id} belongs.",
        code="act_unmatched",
        remedy="Look the payment up in the Whop dashboard, and cancel the membership of its buyer there.",
    )


def _by_buyer(source: SourceActs, act: Act, paid: Mapping[str, Any]) -> tuple[str, str] | None:
    """Membership and payment."""
    user = (paid.get("user") or {}).get("id") or act.facts.get("user_id")
    plan = paid.get("plan_id") or act.facts.get("plan_id")
    if not (user and plan):
        return None
    at = datetime.fromisoformat(act.fact_at)
    made = [one.fields for one in source.payments_by(user, plan, at - WITHIN)]
    found = newest_pending(made, plan_id=plan, user_id=user, at=at)
    return (found["membership_id"], found["id"]) if found and found.get("membership_id") else None
