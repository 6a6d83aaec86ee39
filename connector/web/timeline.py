"""What happened to a membership, in the words of the pages: paid, refunded, failed, begun, ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from connector.core.sales import Paid, Sale, roll_up
from connector.store.inbox import InboxEvent
from connector.web.money import money
from connector.web.present import Status, plural

_PAYMENT: Final[Mapping[str, Status]] = {
    "paid": Status("Paid", "success", "ok"),
    "void": Status("Payment called off", "cancelled"),
    "unresolved": Status("Payment failed", "failed", "bad"),
    "uncollectible": Status("Payment given up", "failed", "bad"),
}
_UNDER_WAY: Final = Status("Payment under way", "queued", "info")
_OTHERS: Final[Mapping[str, Status]] = {
    "refund": Status("Refund", "updated", "warn"),
    "dispute": Status("Dispute", "waiting", "warn"),
}
_EVENTS: Final[Mapping[str, Status]] = {
    "membership.activated": Status("Access began", "person", "info"),
    "membership.deactivated": Status("Access ended", "leave"),
    "membership.cancel_at_period_end_changed": Status("Cancelling was asked for, or taken back", "leave"),
}


class Moment(NamedTuple):
    """One thing that happened."""

    what: Status
    text: str
    at: datetime | None


class Sum(NamedTuple):
    """What was paid in one currency, and how much of it was paid back; empty for nothing."""

    paid: str
    refunded: str


def of(sales: Iterable[Sale], events: Iterable[InboxEvent]) -> list[Moment]:
    """Everything that is known, the newest first."""
    told = [*_money(sales), *_told(events)]
    return sorted(told, key=lambda one: (one.at is not None, one.at and one.at.timestamp()), reverse=True)


def sums(sales: Sequence[Sale]) -> list[Sum]:
    """What the payments add up to, a line for each currency: currencies are never added up."""
    paid = [Paid(**{name: getattr(one, name) for name in Paid._fields}) for one in sales if _is_payment(one)]
    by_currency: Mapping[str, Any] = roll_up(paid)["by_currency"]
    return [
        Sum(_amount(**of["total_paid"]), _amount(**of["refunded"], if_none="")) for of in by_currency.values()
    ]


def _is_payment(one: Sale) -> bool:
    return one.kind == "payment"


def _money(sales: Iterable[Sale]) -> Iterator[Moment]:
    for one in sales:
        what = _PAYMENT.get(one.status or "", _UNDER_WAY) if _is_payment(one) else _OTHERS[one.kind]
        back = _amount(one.refunded, one.currency, if_none="")
        parts = [
            _amount(one.amount, one.currency),
            f"{back} of it refunded" if back else "",
            f"{plural(one.failures, 'attempt')} failed" if one.failures else "",
            (one.status or "").replace("_", " ") if not _is_payment(one) else "",
        ]
        yield Moment(
            what, " · ".join(filter(None, parts)), datetime.fromisoformat(one.at) if one.at else None
        )


def _amount(amount: str | None, currency: str | None, if_none: str | None = None) -> str:
    """An amount with its currency; ``if_none``: instead of one of nothing."""
    if not amount or not currency or (if_none is not None and not Decimal(amount)):
        return if_none or ""
    return money(int(Decimal(amount) * 1_000_000), currency.upper())


def _told(events: Iterable[InboxEvent]) -> Iterator[Moment]:
    for event in events:
        what = _EVENTS.get(event.type)
        if what is not None:
            yield Moment(what, "", event.occurred_at or event.received_at)
