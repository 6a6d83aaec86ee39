"""Money and time as Whop writes them (API version 2026-10-15-1).

Amounts are whole minor units inside the sandbox (cents, yen, fils) and exact
decimal strings on the wire; times are milliseconds since 1970 inside and ISO
8601 in UTC with three decimals outside.
"""

import datetime
from functools import lru_cache
from typing import Any, Final

Record = dict[str, Any]

DAY: Final = 86_400_000
DECIMALS: Final = {"usd": 2, "eur": 2, "jpy": 0, "kwd": 3}
#: What one minor unit is worth in US cents, as a fraction. Invented and fixed.
CENTS: Final = {"usd": (1, 1), "eur": (108, 100), "jpy": (67, 100), "kwd": (325, 1000)}


def money(minor: int, currency: str) -> Record:
    """The Money object: ``{"amount": "49.00", "currency": "usd", "decimals": 2, …}``."""
    places = DECIMALS[currency]
    return {
        "amount": decimal(minor, places),
        "currency": currency,
        "decimals": places,
        "display_decimals": places,
    }


def decimal(minor: int, places: int) -> str:
    """Minor units as a decimal text, with no detour over floating point."""
    if places == 0:
        return str(minor)
    whole, part = divmod(minor, 10**places)
    return f"{whole}.{part:0{places}}"


def number(minor: int, currency: str) -> float:
    """A JSON number in major units: plan prices and dispute amounts still are numbers."""
    return float(decimal(minor, DECIMALS[currency]))


def in_cents(minor: int, currency: str) -> int:
    """The worth in US cents, rounded half up."""
    up, down = CENTS[currency]
    return (minor * up * 2 + down) // (down * 2)


def taxed(minor: int, currency: str) -> tuple[int, int, int]:
    """Subtotal, tax and total: inclusive tax in yen, exclusive in dinars, none elsewhere."""
    if currency == "jpy":
        tax = minor // 11
        return minor - tax, tax, minor
    tax = minor // 200 if currency == "kwd" else 0
    return minor, tax, minor + tax


def iso(moment: int) -> str:
    """Milliseconds as ``2026-11-20T12:00:00.000Z``."""
    days, rest = divmod(moment, DAY)
    seconds, thousandths = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_date(days)}T{hour:02}:{minute:02}:{second:02}.{thousandths:03}Z"


@lru_cache(4096)
def _date(days: int) -> str:
    """Days since 1970 as ``2026-11-20``."""
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=days)).isoformat()


def iso_or_none(moment: int | None) -> str | None:
    """The same, letting None through."""
    return None if moment is None else iso(moment)


def millis(text: str) -> int:
    """ISO 8601 to milliseconds; raises ValueError. A time without zone is taken as UTC."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return round(moment.timestamp() * 1000)


def noon(day: datetime.date) -> int:
    """The moment the sandbox takes for now: noon UTC of its day."""
    return millis(f"{day.isoformat()}T12:00:00+00:00")


def words(text: str) -> list[str]:
    """A list of names, written as a text with spaces."""
    return text.split()
