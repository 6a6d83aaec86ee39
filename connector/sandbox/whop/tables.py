"""A table: the records of one kind in order, with the changes made to them.

A place in an order is one whole number, ``key * 2**23 + (2**23 - 1 - index)``:
first the value sorted by, then the index, so that no two places are equal and
of equal values the newest record comes first in descending order. An order is
an ascending array of such numbers; 100,000 records take 800 kB.
"""

from array import array
from bisect import insort
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from connector.sandbox.whop.values import Record, millis

BITS: Final = 23
LOW: Final = (1 << BITS) - 1
HIGHEST_KEY: Final = (1 << 41) - 1
#: Records added later take indexes from here on, above every generated one.
ADDED: Final = 8_000_000

Key = Callable[[int], int]


def code(key: int, index: int) -> int:
    """The place of a record in an order by this key."""
    return (min(max(key, 0), HIGHEST_KEY) << BITS) | (LOW - index)


def index_of(place: int) -> int:
    """The record at this place."""
    return LOW - (place & LOW)


def sort_key(value: object) -> int:
    """A field's value as a number that sorts alike; null before everything else.

    Times in milliseconds, money and numbers in thousandths, other text by its
    first five letters (after the prefix of an id).
    """
    if value is None:
        return 0
    if isinstance(value, dict):
        return round(float(value["amount"]) * 1000)
    if isinstance(value, int | float):
        return round(value * 1000)
    try:
        return millis(str(value))
    except ValueError:
        letters = str(value).partition("_")[2] or str(value)
        return int.from_bytes(letters.encode()[:5].ljust(5, b"\0"))


class Names(Protocol):
    """Ids and back: ``ids.Ids``, or one that looks like it."""

    def of(self, index: int) -> str:
        """The id of this index."""

    def index(self, text: str) -> int | None:
        """The index behind an id; None when it is no id of this kind."""


class Table:
    """Records of one kind. ``build`` makes a generated one; ``keys`` are quick sort keys."""

    def __init__(
        self,
        ids: Names,
        indexes: Callable[[], Iterable[int]],
        exists: Callable[[int], bool],
        build: Callable[[int], Record],
        keys: dict[str, Key] | None = None,
        finish: Callable[[Record, Record], Record] | None = None,
    ) -> None:
        self.ids = ids
        self._indexes = indexes
        self._exists = exists
        self._build = build
        self._keys = keys or {}
        self._finish = finish or (lambda record, changed: record)
        self._bases: dict[str, array[int]] = {}
        self._orders: dict[str, array[int]] = {}
        self.changed: dict[int, Record] = {}
        self.removed: set[int] = set()
        self.version = 0

    def generated(self) -> Iterable[int]:
        """The indexes of the records the seed gave, removed ones included."""
        return self._indexes()

    def find(self, name: str) -> int | None:
        """The index of the record with this id; None when there is none (any more)."""
        index = self.ids.index(name)
        return index if index is not None and self.has(index) else None

    def has(self, index: int) -> bool:
        """Whether a record stands at this index today."""
        if index in self.removed:
            return False
        return index in self.changed if index >= ADDED else self._exists(index)

    def get(self, index: int) -> Record:
        """The record as it is today."""
        changed = self.changed.get(index)
        if changed is None:
            return self._finish(self._build(index), {})
        base = {} if index >= ADDED else self._build(index)
        return self._finish({**base, **changed}, changed)

    def apply(self, index: int, fields: Record | None) -> None:
        """Lay a change over a record, add one (index from ``ADDED``), or remove it (None)."""
        if fields is None:
            self.removed.add(index)
            self.changed.pop(index, None)
        else:
            self.changed[index] = {**self.changed.get(index, {}), **fields}
        self.touch()

    def touch(self) -> None:
        """Forget what was derived from the records."""
        self._orders = {}
        self.version += 1

    def next_index(self) -> int:
        """Where an added record goes; the place of a removed one is not used again."""
        used = [index for index in (*self.changed, *self.removed) if index >= ADDED]
        return max(used, default=ADDED - 1) + 1

    def key(self, field: str, index: int) -> int:
        """The sort key of one record as it is today."""
        quick = self._keys.get(field)
        if quick is not None and index not in self.changed:
            return quick(index)
        return sort_key(self.get(index).get(field))

    def order(self, field: str) -> "array[int]":
        """All places in the order by this field, ascending."""
        if not self.changed and not self.removed:
            return self._base(field)
        ready = self._orders.get(field)
        if ready is None:
            ready = self._orders[field] = self._changed_order(field)
        return ready

    def _base(self, field: str) -> "array[int]":
        if field not in self._bases:
            key = self._keys.get(field) or (lambda index: sort_key(self._build(index).get(field)))
            places = sorted(code(key(index), index) for index in self._indexes())
            self._bases[field] = array("Q", places)
        return self._bases[field]

    def _changed_order(self, field: str) -> "array[int]":
        moved = self.removed | self.changed.keys()
        places = [place for place in self._base(field) if LOW - (place & LOW) not in moved]
        for index in self.changed:
            insort(places, code(self.key(field, index), index))
        return array("Q", places)
