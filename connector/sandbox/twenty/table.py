"""The rows of one object with their indexes. Rows are replaced, never changed, so readers need no copies."""

from collections.abc import Iterable
from typing import Any

from connector.sandbox.twenty.shape import Path, Row, Shape, at


class Table:
    """Rows by id. `dirty` gathers what the journal has to write; None stands for a destroyed row."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.rows: dict[str, Row] = {}
        self.dirty: dict[str, Row | None] = {}
        self.first: float = 1
        self.last: float = 0
        self._holders: dict[Path, dict[Any, str]] = {}
        self._indexes: dict[Path, dict[Any, set[str]]] = {}
        self._ids: list[str] | None = None
        self.reshape(shape)

    def reshape(self, shape: Shape) -> None:
        """Take a new schema: indexes are made again, rows stay as they are."""
        self.shape = shape
        self._indexes = {}
        self._holders = {unique.path: {} for unique in shape.uniques}
        for row in self.rows.values():
            self._hold(row)

    def holder(self, path: Path, value: Any) -> str | None:
        """The id of the row that holds a unique value, soft-deleted rows included."""
        return self._holders[path].get(value)

    def put(self, row: Row) -> None:
        old = self.rows.get(row["id"])
        if old is None:
            self._ids = None
        else:
            self._release(old)
        self.rows[row["id"]] = self.dirty[row["id"]] = row
        self._hold(row)
        for path, index in self._indexes.items():
            self._move(index, path, old, row)
        position = row["position"]
        if isinstance(position, int | float):
            self.first, self.last = min(self.first, position), max(self.last, position)

    def drop(self, row_id: str) -> None:
        old = self.rows.pop(row_id)
        self.dirty[row_id] = None
        self._ids = None
        self._release(old)
        for path, index in self._indexes.items():
            index[_key(at(old, path))].discard(row_id)

    def ids(self) -> list[str]:
        """All ids in the default order of a list, which is by id."""
        if self._ids is None:
            self._ids = sorted(self.rows)
        return self._ids

    def find(self, path: Path, values: Iterable[Any]) -> set[str]:
        """Ids of the rows whose value at `path` is one of `values`; an index is made on first use."""
        if path == ("id",):
            return {value for value in values if value in self.rows}
        if path in self._holders:
            held = self._holders[path]
            return {held[value] for value in values if value in held}
        index = self._index(path)
        found: set[str] = set()
        for value in values:
            found |= index.get(value, frozenset())
        return found

    def _index(self, path: Path) -> dict[Any, set[str]]:
        if path not in self._indexes:
            index = self._indexes[path] = {}
            for row_id, row in self.rows.items():
                index.setdefault(_key(at(row, path)), set()).add(row_id)
        return self._indexes[path]

    @staticmethod
    def _move(index: dict[Any, set[str]], path: Path, old: Row | None, row: Row) -> None:
        now = _key(at(row, path))
        if old is not None:
            before = _key(at(old, path))
            if before == now:
                return
            index[before].discard(row["id"])
        index.setdefault(now, set()).add(row["id"])

    def _hold(self, row: Row) -> None:
        for path, held in self._holders.items():
            # A field that was just made is compiled before the rows are given it.
            value = at(row, path) if path[0] in row else None
            if value not in (None, ""):
                held[value] = row["id"]

    def _release(self, row: Row) -> None:
        for path, held in self._holders.items():
            value = at(row, path)
            if held.get(value) == row["id"]:
                del held[value]


def _key(value: Any) -> Any:
    """Lists are indexed by whether they hold anything, which is all a filter asks of them."""
    return bool(value) if isinstance(value, list | dict) else value
