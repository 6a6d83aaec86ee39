"""A record and the CRM records that it may be, field by field, so that what tells them apart is seen."""

from __future__ import annotations

from typing import Any, NamedTuple

from connector.store.reviews import Review
from connector.web.present import Value, value
from connector.web.vocabulary import Vocabulary

_TELLING = ("name", "emails", "phones")  # shown even where Whop says nothing of them


class Cell(NamedTuple):
    """What one of them says; ``fits`` where it is what the record is recognised by."""

    value: Value
    same: bool
    fits: bool = False


class Row(NamedTuple):
    """One field: what Whop says, and what each candidate holds."""

    field: str
    said: Value
    cells: list[Cell]


def side_by_side(one: Review, words: Vocabulary) -> list[Row]:
    """The fields in which any of them says something, the recognising ones first."""
    keys = {field for candidate in one.candidates for field in candidate["fits"]}
    ordered = sorted({**dict.fromkeys(_TELLING), **one.said}, key=lambda name: name not in keys)
    held = [candidate["values"] for candidate in one.candidates]
    return [
        Row(
            words.field(one.object, name),
            value(one.said.get(name)),
            [_cell(one, candidate, name) for candidate in one.candidates],
        )
        for name in ordered
        if name in one.said or any(name in values for values in held)
    ]


def _cell(one: Review, candidate: dict[str, Any], name: str) -> Cell:
    held = candidate["values"].get(name)
    further = candidate["further"].get(name, [])
    shown = value([held, *further] if further else held)
    return Cell(shown, held is not None and held == one.said.get(name), name in candidate["fits"])
