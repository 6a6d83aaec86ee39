"""Order, cursors and pages (recordings 260-268, 283-284, 422-424, 993-994).

A cursor is base64 JSON of the order's values and the id, which is always the last key of the order.
"""

import base64
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

import orjson

from connector.sandbox.twenty.refusals import Refusal, coded
from connector.sandbox.twenty.shape import COMPOSITES, Path, Row, Shape, at

Term = tuple[Path, bool, bool]


class _Reversed:
    """Turns the order of one key around."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Reversed") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(slots=True)
class Page:
    """Rows in the order of the answer; the cursors are those the server names, see `_backward`."""

    rows: list[Row]
    total: int
    start: str | None
    end: str | None
    has_next: bool
    has_previous: bool
    terms: list[Term]

    def info(self) -> dict[str, Any]:
        return {
            "startCursor": self.start,
            "endCursor": self.end,
            "hasNextPage": self.has_next,
            "hasPreviousPage": self.has_previous,
        }


@dataclass(slots=True, frozen=True)
class Window:
    """Which part of a list is asked: forwards from `after`, or backwards from `before`."""

    limit: int
    after: str | None = None
    before: str | None = None
    backwards: bool = False


def read_order(shape: Shape, given: Any) -> list[Term]:
    """[{"createdAt": "DescNullsLast"}, {"name": {"lastName": …}}] as (path, descending, nulls first)."""
    terms = []
    for item in given if isinstance(given, list) else [given] if given else []:
        for name, direction in item.items():
            terms += _terms(shape, name, direction)
    if not any(path == ("id",) for path, _, _ in terms):
        terms.append((("id",), False, True))
    return terms


def _terms(shape: Shape, name: str, direction: Any) -> list[Term]:
    column = shape.columns.get(name)
    if column is None and name not in shape.joins:
        raise coded(f'Field "{name}" does not exist or is not sortable', "FIELD_NOT_FOUND")
    if column and column.type in COMPOSITES:
        return [_term((name, part), way) for part, way in direction.items()]
    return [_term((name,), direction)]


def _term(path: Path, direction: Any) -> Term:
    return path, str(direction).startswith("Desc"), str(direction).endswith("First")


def _key(terms: list[Term], row: Row) -> tuple[Any, ...]:
    key: list[Any] = []
    for path, descending, nulls_first in terms:
        value = at(row, path)
        if value is None:
            key.append((-1 if nulls_first else 1, 0))
        else:
            key.append((0, _Reversed(value) if descending else value))
    return tuple(key)


def page(rows: list[Row], terms: list[Term], window: Window) -> Page:
    """Sort `rows` (which come by id) and cut the window out of them."""
    keyed = None
    if len(terms) > 1 or terms[0][1]:
        keyed = sorted((_key(terms, row), at_) for at_, row in enumerate(rows))
        rows = [rows[at_] for _, at_ in keyed]
    keys = [key for key, _ in keyed] if keyed else None
    if window.backwards:
        return _backward(rows, keys, terms, window)
    return _forward(rows, keys, terms, window)


def _forward(rows: list[Row], keys: list[Any] | None, terms: list[Term], window: Window) -> Page:
    start = _place(rows, keys, terms, window.after, bisect_right) if window.after else 0
    cut = rows[start : start + window.limit]
    first, last = (cursor(terms, cut[0]), cursor(terms, cut[-1])) if cut else (None, None)
    return Page(cut, len(rows), first, last, len(rows) > start + window.limit, False, terms)


def _backward(rows: list[Row], keys: list[Any] | None, terms: list[Term], window: Window) -> Page:
    """Rows come in the usual order, but the cursors are those of the walk, which went backwards (263)."""
    end = _place(rows, keys, terms, window.before, bisect_left) if window.before else len(rows)
    start = max(0, end - window.limit)
    cut = rows[start:end]
    first, last = (cursor(terms, cut[-1]), cursor(terms, cut[0])) if cut else (None, None)
    return Page(cut, len(rows), first, last, False, start > 0, terms)


def _place(rows: list[Row], keys: list[Any] | None, terms: list[Term], text: str | None, search: Any) -> int:
    wanted = _key(terms, _read_cursor(text or "", terms))
    if keys is None:
        return int(search(rows, wanted[0][1], key=lambda row: row["id"]))
    return int(search(keys, wanted))


def cursor(terms: list[Term], row: Row) -> str:
    parts: dict[str, Any] = {}
    for path, _, _ in terms:
        if len(path) == 1:
            parts[path[0]] = row[path[0]]
        else:
            parts.setdefault(path[0], {})[path[1]] = at(row, path)
    return base64.b64encode(orjson.dumps(parts)).decode()


def _read_cursor(text: str, terms: list[Term]) -> Row:
    try:
        parts = orjson.loads(base64.b64decode(text, validate=True))
        for path, _, _ in terms:
            at(parts, path)
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            f"Invalid cursor: {text}", sub="INVALID_CURSOR", friendly="An error occurred."
        ) from None
    return dict(parts)
