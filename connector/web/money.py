"""Amounts in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SIGNS: Final[Mapping[str, str]] = {"USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def money(micros: int, currency: str) -> str:
    """An amount with as many decimals as its currency has."""
    amount = f"{micros / 1_000_000:,.{_DECIMALS.get(currency, 2)}f}"
    sign = _SIGNS.get(currency)
    return f"{sign}{amount}" if sign else f"{currency} {amount}"
