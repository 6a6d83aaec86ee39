"""What an item must look like, compiled once from the catalogue so that checking is a walk over types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from connector.core.catalogue import ValueType
from connector.core.mapping import shown
from connector.errors import BadRecordError

from .money import money
from .times import canonical_time

_NONE: Final = type(None)
_CLASSES: Final[Mapping[ValueType, frozenset[type]]] = {
    "text": frozenset({str, _NONE}),
    "id": frozenset({str, _NONE}),
    "time": frozenset({str, _NONE}),
    "number": frozenset({int, float, _NONE}),
    "amount": frozenset({int, float, _NONE}),
    "boolean": frozenset({bool, _NONE}),
    "money": frozenset({dict, _NONE}),
    "list": frozenset({list, _NONE}),
    "object": frozenset({dict, _NONE}),
}
#: What JSON is made of, for the names that a shape does not have.
_ANY: Final[frozenset[type]] = frozenset().union(*_CLASSES.values())
_WORDS: Final[Mapping[ValueType, str]] = {
    "text": "text",
    "id": "an id",
    "time": "a time like 2026-11-20T12:00:00.000Z",
    "number": "a number",
    "amount": "an amount of money",
    "boolean": "true or false",
    "money": "an amount of money with its currency",
    "list": "a list",
    "object": "an object",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The checks of one object. ``parts`` are the described objects inside it."""

    classes: Mapping[str, frozenset[type]]
    types: Mapping[str, ValueType]
    times: tuple[str, ...]
    money: tuple[str, ...]
    amounts: tuple[str, ...]
    parts: tuple[tuple[str, Shape], ...]


def compiled(paths: Mapping[str, ValueType], never_null: frozenset[str] = frozenset()) -> Shape:
    """The checks for these dotted paths. Times and amounts are expected at the top only."""
    types = {path: type_ for path, type_ in paths.items() if "." not in path}
    outer = dict.fromkeys(path.partition(".")[0] for path in paths if "." in path)
    types |= dict.fromkeys(outer, "object")
    classes = {
        name: _CLASSES[type_] - ({_NONE} if name in never_null else set()) for name, type_ in types.items()
    }
    return Shape(
        classes,
        types,
        times=tuple(name for name, type_ in types.items() if type_ == "time"),
        money=tuple(name for name, type_ in types.items() if type_ == "money"),
        amounts=tuple(name for name, type_ in types.items() if type_ == "amount"),
        parts=tuple((name, compiled(_inside(name, paths))) for name in outer),
    )


def _inside(outer: str, paths: Mapping[str, ValueType]) -> dict[str, ValueType]:
    start = f"{outer}."
    return {path.removeprefix(start): type_ for path, type_ in paths.items() if path.startswith(start)}


def check(item: Mapping[str, Any], shape: Shape, at: str = "") -> None:
    """Raises BadRecordError naming the first value that has another type than the shape gives.

    Names that the shape does not have pass, and so does every text: enums are open on Whop.
    """
    known = shape.classes.get
    for name, value in item.items():
        if value.__class__ not in known(name, _ANY):
            raise bad_value(at + name, _WORDS[shape.types.get(name, "object")], value)
    for name in shape.money:
        value = item.get(name)
        if value is not None and not (
            value.get("amount").__class__ is str and value.get("currency").__class__ is str
        ):
            raise bad_value(at + name, _WORDS["money"], value)
    for name, part in shape.parts:
        value = item.get(name)
        if value:
            check(value, part, f"{at}{name}.")


Columns = Mapping[str, Sequence[Any]]
"""The name of a field → what items have by it, those that do not have the name passed over."""


def columns(items: Sequence[dict[str, Any]]) -> Columns:
    """Items turned on their side. Nearly always all have the same names in the same order: C does it then."""
    namings = list(map(tuple, items))
    if namings and namings.count(namings[0]) == len(items):
        return dict(zip(namings[0], zip(*map(dict.values, items), strict=True), strict=True))
    return {name: [item[name] for item in items if name in item] for name in set().union(*namings)}


def fit(told: Columns, shape: Shape) -> bool:
    """Whether ``check`` passes every item of these columns."""
    known = shape.classes.get
    return (
        all(known(name, _ANY).issuperset(map(type, values)) for name, values in told.items())
        and all(_are_money(filled(told, name)) for name in shape.money)
        and all(fit(columns(list(filter(None, told.get(name, ())))), part) for name, part in shape.parts)
    )


def filled(told: Columns, name: str) -> Sequence[Any]:
    """A column without its nulls. Most have none, or nothing else that is empty: C looks for those first."""
    values = told.get(name, ())
    if all(values):
        return values
    return [value for value in values if value is not None]


_PRICE: Final = itemgetter("amount", "currency")


def _are_money(values: Sequence[dict[str, Any]]) -> bool:
    try:
        return {str}.issuperset(map(type, chain.from_iterable(map(_PRICE, values))))
    except KeyError:
        return False


def changed(item: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """What of a checked item is not in canonical form yet, in it. Raises BadRecordError."""
    found: dict[str, Any] = {}
    get = item.get
    for name in shape.times:
        value = get(name)
        if value is not None:
            try:
                canonical = canonical_time(value)
            except ValueError:
                raise bad_value(name, _WORDS["time"], value) from None
            if canonical is not value:
                found[name] = canonical
    return found | priced(item, shape) if shape.amounts else found


def priced(item: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The amounts of a checked item as money. Raises BadRecordError."""
    get = item.get
    return {
        name: _priced(name, item[name], get("currency")) for name in shape.amounts if get(name) is not None
    }


def _priced(name: str, value: float, currency: str | None) -> dict[str, str]:
    if currency is None:
        raise bad_value("currency", f"the currency of {name}", currency)
    try:
        return money(value, currency)
    except ValueError:
        raise bad_value(name, _WORDS["amount"], value) from None


def bad_value(field: str, expected: str, found: object) -> BadRecordError:
    """The error for a value of the wrong shape."""
    text = "nothing" if found is None else shown(found)
    return BadRecordError(
        f"Whop sent {text} as {field}, where {expected} should be.",
        field=field,
        expected=expected,
        found=text,
    )
