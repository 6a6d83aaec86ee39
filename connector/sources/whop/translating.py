"""How the words of an old dialect are put into today's: by copying, renaming, lifting out and converting.

What is absent stays absent, which means unknown. None of these takes a value of a wrong shape for a right
one: BadRecordError.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from .money import money
from .shapes import bad_value

Item = Mapping[str, Any]
Names = Mapping[str, str]
"""Today's name → the old one."""


def same(item: Item, names: str) -> dict[str, Any]:
    """What goes by the same name."""
    return {name: item[name] for name in names.split() if name in item}


def renamed(item: Item, names: Names) -> dict[str, Any]:
    """What only changed its name."""
    return {new: item[old] for new, old in names.items() if old in item}


def part(item: Item, name: str) -> Item | None:
    """An object inside, None where it is null or absent."""
    value = item.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise bad_value(name, "an object", value)


def ids(item: Item, names: Names) -> dict[str, Any]:
    """The ids of objects inside, under names of their own; no object, no id."""
    found = {}
    for new, old in names.items():
        if old in item:
            inside = part(item, old)
            if inside is None or "id" in inside:
                found[new] = inside["id"] if inside else None
    return found


def known(item: Item, name: str, names: Names) -> dict[str, Any]:
    """Fields of an object inside; where there is no such object, nothing is known of them."""
    return renamed(part(item, name) or {}, names)


def prices(item: Item, currency: object, names: Names) -> dict[str, Any]:
    """Amounts that are bare numbers, as money of this currency."""
    found: dict[str, Any] = {}
    for new, old in names.items():
        value = item.get(old)
        if value is not None:
            found[new] = _price(old, value, currency)
        elif old in item:
            found[new] = None
    return found


def _price(name: str, value: object, currency: object) -> dict[str, str]:
    if not isinstance(currency, str):
        raise bad_value("currency", f"the currency of {name}", currency)
    if not _is_number(value):
        raise bad_value(name, "an amount of money", value)
    try:
        return money(value, currency)
    except ValueError:
        raise bad_value(name, "an amount of money", value) from None


def moments(item: Item, names: Names) -> dict[str, Any]:
    """Times that are Unix seconds, as text in UTC."""
    return {new: _moment(old, item[old]) for new, old in names.items() if old in item}


def _moment(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not _is_number(value):
        raise bad_value(name, "a time in Unix seconds", value)
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise bad_value(name, "a time in Unix seconds", value) from None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
