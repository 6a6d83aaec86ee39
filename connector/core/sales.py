"""Payments, refunds and disputes: what is kept of each, and what a membership's payments add up to.

Amounts are exact: decimal text in major units, never summed over currencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from connector.core.records import SourceRecord

KINDS: Final = ("payment", "refund", "dispute")
_NOT_KEPT: Final[Mapping[str, Any]] = MappingProxyType({})


class Sale(NamedTuple):
    """One payment, refund or dispute as it is kept.

    ``amount`` and ``refunded`` are decimal text in ``currency``. ``failures`` counts the attempts to
    collect a payment that failed. ``at`` is when it was paid, or made. ``fields`` is the whole canonical
    record where somebody may want to read it again, and else empty.
    """

    kind: str
    id: str
    payment_id: str | None
    membership_id: str | None
    status: str | None
    currency: str | None
    amount: str | None
    refunded: str | None
    failures: int
    at: str | None
    updated_at: str | None
    fields: Mapping[str, Any] = _NOT_KEPT


def sale(record: SourceRecord, *, whole: bool = True) -> Sale:
    """What is kept of a record of one of ``KINDS``, which must be complete: all, or what is added up."""
    fields, kind = record.fields, record.ref.kind
    money = fields.get("total" if kind == "payment" else "amount")
    amount, currency = _money(money)
    refunded, _ = _money(fields.get("refunded_amount"))
    return Sale(
        kind,
        record.ref.id,
        record.ref.id if kind == "payment" else _payment_of(fields),
        fields.get("membership_id"),
        fields.get("status"),
        currency or fields.get("currency"),
        amount,
        refunded,
        int(fields.get("payments_failed") or 0),
        fields.get("paid_at") or fields.get("created_at"),
        record.updated_at,
        fields if whole else _NOT_KEPT,
    )


class Paid(NamedTuple):
    """The part of a payment that counts."""

    status: str | None
    currency: str | None
    amount: str | None
    refunded: str | None
    failures: int
    at: str | None


def roll_up(payments: Iterable[Paid]) -> dict[str, Any]:
    """What a membership's payments add up to, as fields of the membership below ``payments``.

    ``total_paid`` and ``refunded`` are in the currency of the latest payment that was paid, and
    ``by_currency`` has them for each. A payment of nothing, as a trial has it, is no payment.
    """
    found, failures = list(payments), 0
    paid: dict[str, list[Paid]] = {}
    for one in found:
        failures += one.failures
        if one.status == "paid" and one.currency and one.amount and Decimal(one.amount):
            paid.setdefault(one.currency, []).append(one)
    by_currency = {currency: _sums(currency, of) for currency, of in sorted(paid.items())}
    latest = max((one for of in paid.values() for one in of), key=lambda one: one.at or "", default=None)
    main = by_currency.get(latest.currency or "", {}) if latest else {}
    return {
        "last_paid_at": latest.at if latest else None,
        "total_paid": main.get("total_paid"),
        "refunded": main.get("refunded"),
        "failed_count": failures,
        "by_currency": by_currency,
    }


def _sums(currency: str, of: Iterable[Paid]) -> dict[str, Any]:
    found = list(of)
    total = sum((Decimal(one.amount or 0) for one in found), Decimal())
    refunded = sum((Decimal(one.refunded or 0) for one in found), Decimal())
    return {
        "total_paid": {"amount": str(total), "currency": currency},
        "refunded": {"amount": str(refunded), "currency": currency},
    }


def _money(value: Any) -> tuple[str | None, str | None]:
    if not isinstance(value, Mapping):
        return None, None
    return value.get("amount"), value.get("currency")


def _payment_of(fields: Mapping[str, Any]) -> str | None:
    found = fields.get("payment_id") or (fields.get("payment") or {}).get("id")
    return found if isinstance(found, str) else None
