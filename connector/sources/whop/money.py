"""Amounts as exact text. No sum is done with a float anywhere: a float is only what JSON made of a text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

Money = dict[str, str]

_CENTS: Final = 2
#: Currencies that are not counted in hundredths, of those that Whop sells in.
_PLACES: Final = {
    **dict.fromkeys(("clp", "jpy", "krw", "pyg", "rwf", "vnd", "xof"), 0),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3),
}
#: So many digits survive the way through a float; what stands behind them is noise of the sender's sums.
_DIGITS: Final = 15


def money(value: float | str, currency: str) -> Money:
    """An amount in major units, a JSON number or its text, as ``{"amount": "49.00", "currency": "usd"}``.

    No digit is lost; fewer than the currency has are filled up, as today's dialect writes them. Raises
    ValueError for what is no finite number.
    """
    return {"amount": _exact(value, _PLACES.get(currency.lower(), _CENTS)), "currency": currency}


@lru_cache(maxsize=4096, typed=True)  # a company has few prices
def _exact(value: float | str, places: int) -> str:
    text = f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("no number") from None
    if not amount.is_finite():
        raise ValueError("not finite")
    digits = format(amount or Decimal(), "f")  # no zero is negative
    whole, _, parts = digits.partition(".")
    parts = parts.rstrip("0").ljust(places, "0")
    return f"{whole}.{parts}" if parts else whole
