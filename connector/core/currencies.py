"""How many decimals a currency has."""

from __future__ import annotations

from typing import Final

_CENTS: Final = 2
_OTHERS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def places(currency: str) -> int:
    """The decimals that an amount in it is written with."""
    return _OTHERS.get(currency.upper(), _CENTS)
