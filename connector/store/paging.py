"""Pages by key: an address that names a row stays right while rows are added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: older than ``before``, or newer than ``after``; neither: the newest."""

    before: int | None = None
    after: int | None = None


NEWEST = Place()


@dataclass(frozen=True, slots=True)
class Leaf(Generic[_T]):
    """One page, newest first. ``older`` goes into the next Place's before, ``newer`` into its after.

    A leaf with few items may still have an ``older`` place: a search looks through a bounded part at a time.
    """

    items: list[_T]
    older: int | None = None
    newer: int | None = None


def from_place(query: Select[Any], key: ColumnElement[int], place: Place) -> Select[Any]:
    """The query's rows from a place on, in the direction of reading."""
    if place.after is not None:
        return query.where(key > place.after).order_by(key)
    if place.before is not None:
        query = query.where(key < place.before)
    return query.order_by(key.desc())


def newest_first(items: list[_T], place: Place) -> list[_T]:
    """Rows that were read from a place on, in the order of the page."""
    return items[::-1] if place.after is not None else items


def leaf_of(items: list[_T], keys: list[int], place: Place, *, more: bool) -> Leaf[_T]:
    """With the places on both sides; ``more`` says whether there is more in the direction of reading."""
    if not items:
        older = None if place.after is None else place.after + 1
        return Leaf(items, older, newer=None if place.before is None else place.before - 1)
    if place.after is not None:
        return Leaf(items, older=keys[-1], newer=keys[0] if more else None)
    return Leaf(items, older=keys[-1] if more else None, newer=keys[0] if place.before is not None else None)
