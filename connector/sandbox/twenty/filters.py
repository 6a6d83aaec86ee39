"""Filters: a nested filter object becomes a test of rows and, where an index helps, a set of candidates.

Source: twenty-api.md sections 6, 8 and 15; recordings 270-289, 414, 418-425, 970-994, 1034.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.refusals import Refusal, bad_filter, unknown_field
from connector.sandbox.twenty.shape import COMPOSITES, Path, Row, Shape, at
from connector.sandbox.twenty.show import show
from connector.sandbox.twenty.table import Table
from connector.sandbox.twenty.values import clean_uuid

Test = Callable[[Row], bool]
Candidates = Callable[[Table], set[str] | None]

OPERATORS = (
    "eq", "neq", "in", "containsAny", "is", "gt", "gte", "lt", "lte", "startsWith", "endsWith",
    "like", "ilike",
)  # fmt: skip
LISTS = ("additionalEmails", "additionalPhones", "secondaryLinks")


class Filter:
    """A compiled filter. `sees_deleted`: a deletedAt condition anywhere makes soft-deleted rows visible."""

    def __init__(self, test: Test | None, candidates: Candidates, sees_deleted: bool) -> None:
        self._test, self._candidates, self.sees_deleted = test, candidates, sees_deleted

    def rows(self, table: Table, *, with_deleted: bool = False) -> list[Row]:
        """The matching rows in the default order, which is by id."""
        found = self._candidates(table)
        ids = table.ids() if found is None else sorted(found)
        rows = [table.rows[each] for each in ids]
        if not (with_deleted or self.sees_deleted):
            rows = [row for row in rows if row["deletedAt"] is None]
        return [row for row in rows if self._test(row)] if self._test else rows


def compile_filter(shape: Shape, given: Any) -> Filter:
    """Compile a filter object (None and {} match everything), refusing what the server refuses."""
    if not given:
        return Filter(None, _every, False)
    test, candidates = _all_of(shape, given)
    return Filter(test, candidates, _mentions_deleted(given))


def _every(_table: Table) -> set[str] | None:
    return None


def _mentions_deleted(given: Any) -> bool:
    if isinstance(given, dict):
        return "deletedAt" in given or any(_mentions_deleted(part) for part in given.values())
    return isinstance(given, list) and any(isinstance(p, dict) and _mentions_deleted(p) for p in given)


def _all_of(shape: Shape, given: dict[str, Any]) -> tuple[Test, Candidates]:
    return _and([_part(shape, name, value) for name, value in given.items()])


def _part(shape: Shape, name: str, value: Any) -> tuple[Test, Candidates]:
    if name in ("and", "or"):
        parts = [_all_of(shape, each) for each in (value if isinstance(value, list) else [value])]
        return _and(parts) if name == "and" else _or(parts)
    if name == "not":
        inner = _all_of(shape, value)[0]
        return (lambda row: not inner(row)), _every
    return _and(
        [_condition(shape, path, kind, operators) for path, kind, operators in _leaves(shape, name, value)]
    )


def _and(parts: list[tuple[Test, Candidates]]) -> tuple[Test, Candidates]:
    if len(parts) == 1:
        return parts[0]
    tests = [test for test, _ in parts]

    def candidates(table: Table) -> set[str] | None:
        found = [each for each in (pick(table) for _, pick in parts) if each is not None]
        return min(found, key=len) if found else None

    return (lambda row: all(test(row) for test in tests)), candidates


def _or(parts: list[tuple[Test, Candidates]]) -> tuple[Test, Candidates]:
    tests = [test for test, _ in parts]

    def candidates(table: Table) -> set[str] | None:
        union: set[str] = set()
        for _, pick in parts:
            found = pick(table)
            if found is None:
                return None
            union |= found
        return union

    return (lambda row: any(test(row) for test in tests)), candidates


def _leaves(shape: Shape, name: str, value: Any) -> list[tuple[Path, str, dict[str, Any]]]:
    """The conditions below one field name: (path, type, {operator: value})."""
    if name in shape.joins:
        return [((name,), "UUID", value)]
    column = shape.columns.get(name)
    if column is None:
        raise unknown_field(shape.singular, name, in_filter=True)
    if column.type not in COMPOSITES:
        return [((name,), column.type, value)]
    for part in value:
        if part not in COMPOSITES[column.type]:
            raise bad_filter(f'Sub field "{part}" not found for composite type: {column.type}')
    return [((name, part), _part_type(part), operators) for part, operators in value.items()]


def _part_type(part: str) -> str:
    if part in LISTS:
        return "RAW_JSON"
    return "NUMBER" if part in ("amountMicros", "addressLat", "addressLng") else "TEXT"


def _condition(shape: Shape, path: Path, kind: str, operators: dict[str, Any]) -> tuple[Test, Candidates]:
    parts = []
    for operator, wanted in operators.items():
        _check_operator(path, kind, operator)
        value = _stored(path, kind, operator, wanted)
        parts.append((_test(path, operator, value), _candidates(shape, path, kind, operator, value)))
    return _and(parts) if parts else ((lambda _row: True), _every)


def _check_operator(path: Path, kind: str, operator: str) -> None:
    allowed = ("is", "like") if kind == "RAW_JSON" else OPERATORS
    if operator not in allowed:
        name, known = ".".join(path), ", ".join(allowed)
        text = f'Operator "{operator}" is not valid for field "{name}" of type {kind}'
        text += f" - Allowed operators: {known}"
        friendly = f'Invalid filter : Operator "{operator}" is not valid for this "{name}" {kind} field'
        raise bad_filter(text, friendly)


def _stored(path: Path, kind: str, operator: str, wanted: Any) -> Any:
    """The wanted value as rows hold it; ids and dates are checked, texts are compared exactly (271)."""
    if operator in ("is", "like", "ilike", "startsWith", "endsWith"):
        return wanted
    many = wanted if isinstance(wanted, list) else [wanted]
    read = [_one(path, kind, each) for each in many]
    return frozenset(read) if operator in ("in", "containsAny") else read[0]


def _one(path: Path, kind: str, wanted: Any) -> Any:
    if kind == "UUID":
        try:
            return clean_uuid(path[0], wanted)
        except Refusal as refusal:
            raise bad_filter(refusal.message, str(refusal.friendly)) from None
    if kind == "DATE_TIME" and isinstance(wanted, str):
        moment = clock.canonical(wanted)
        if moment is None:
            raise bad_filter(f'Invalid value {show(wanted)} for date-time field "{path[0]}"')
        return moment
    return wanted


def _test(path: Path, operator: str, value: Any) -> Test:
    make = _TESTS[operator]
    test = make(value)
    if len(path) == 1:
        name = path[0]
        return lambda row: test(row[name])
    return lambda row: test(at(row, path))


def _empty(value: Any) -> bool:
    """Unset text and lists are stored as NULL, though they read "" and [] (274, 990)."""
    return value is None or value in ("", [])


def _text(value: Any) -> str:
    """A value as Postgres casts it to text: lists as JSON with a blank after each comma."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode().replace('","', '", "')


def _like(pattern: str, flags: int = 0) -> Callable[[Any], bool]:
    regex = "".join({"%": ".*", "_": "."}.get(sign) or re.escape(sign) for sign in str(pattern))
    matcher = re.compile(regex, re.DOTALL | flags)
    return lambda value: not _empty(value) and matcher.fullmatch(_text(value)) is not None


def _is(wanted: Any) -> Callable[[Any], bool]:
    return (lambda value: not _empty(value)) if wanted == "NOT_NULL" else _empty


_TESTS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "eq": lambda wanted: lambda value: value == wanted and not _empty(value),
    "neq": lambda wanted: lambda value: value != wanted and not _empty(value),
    "in": lambda wanted: lambda value: not _empty(value) and value in wanted,
    "containsAny": lambda wanted: lambda value: not _empty(value) and not wanted.isdisjoint(value),
    "is": _is,
    "gt": lambda wanted: lambda value: not _empty(value) and value > wanted,
    "gte": lambda wanted: lambda value: not _empty(value) and value >= wanted,
    "lt": lambda wanted: lambda value: not _empty(value) and value < wanted,
    "lte": lambda wanted: lambda value: not _empty(value) and value <= wanted,
    "startsWith": lambda wanted: lambda value: not _empty(value) and _text(value).startswith(wanted),
    "endsWith": lambda wanted: lambda value: not _empty(value) and _text(value).endswith(wanted),
    "like": _like,
    "ilike": lambda wanted: _like(wanted, re.IGNORECASE),
}


def _candidates(shape: Shape, path: Path, kind: str, operator: str, value: Any) -> Candidates:
    """An index where one is worth having: equality of ids, texts and choices; lists by "has any"."""
    if kind == "RAW_JSON" and path[-1] in LISTS and (operator == "like" or value == "NOT_NULL"):
        return lambda table: table.find(path, (True,))
    if operator in ("eq", "in") and kind in ("UUID", "TEXT", "SELECT"):
        values = value if operator == "in" else (value,)
        return lambda table: table.find(path, values)
    return _every
