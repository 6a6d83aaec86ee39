"""Amounts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector.core.currencies import places

_SIGNS: Final[Mapping[str, str]] = {"USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥"}


def money(micros: int, currency: str) -> str:
    """An amount with as many decimals as its currency has."""
    amount = f"{micros / 1_000_000:,.{places(currency)}f}"
    sign = _SIGNS.get(currency)
    return f"{sign}{amount}" if sign else f"{currency} {amount}"
