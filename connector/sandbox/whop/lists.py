"""Lists: reading the query, choosing the records, cutting the page.

Pages follow the connection pattern of the reference: ``first``/``after`` and
``last``/``before``, ``page_info`` with the cursor of the last record also on
the last page. Undocumented by Whop and chosen here: 20 records when no size is
asked for, sizes above 100 give 100, ``first`` with ``last`` is refused, newest
first, and null sorts as the smallest value.
"""

import base64
import binascii
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

import orjson

from connector.sandbox.whop import errors
from connector.sandbox.whop.filters import FILTERS, ORDER_FIELDS, ORDERS, Filter
from connector.sandbox.whop.legacy_filters import FILTERS_THEN, NEED_COMPANY, ORDERS_THEN
from connector.sandbox.whop.tables import BITS, LOW, Table, code, index_of
from connector.sandbox.whop.values import Record, millis
from connector.sandbox.whop.world import Shelf

PAGE: Final = 20
MOST: Final = 100
KEPT_SELECTIONS: Final = 32
PAGING: Final = ("first", "after", "last", "before", "order", "direction", "created_after", "created_before")

#: A query string: each name with all its values.
Args = dict[str, list[str]]
Places = array  # of "Q": see ``tables``


class Query(NamedTuple):
    """A list's query string, understood."""

    kind: str
    known: Mapping[str, Filter]
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    field: str
    descending: bool
    since: int | None
    until: int | None
    first: int | None
    last: int | None
    after: str | None
    before: str | None


class Page(NamedTuple):
    """The records of a page and its ``page_info``."""

    records: list[Record]
    info: Record


def parse(kind: str, args: Args, *, legacy: bool = False) -> Query:
    """Understand a query string; raises the 400 of the API for what it does not know."""
    known = (FILTERS_THEN if legacy else FILTERS)[kind]
    owner = "company_id" if legacy else "account_id"
    for name in args:
        if name not in known and name not in PAGING and (name != owner or kind == "accounts"):
            raise errors.unknown_param(name)
    if legacy and kind in NEED_COMPANY and owner not in args:
        raise errors.bad_param(owner, f"{owner} is required.")
    first, last = _size(args, "first"), _size(args, "last")
    if first is not None and last is not None:
        raise errors.bad_param("last", "first and last can't be used together.")
    order = _one_of(args, "order", (ORDERS_THEN if legacy else ORDERS)[kind])
    return Query(
        kind=kind,
        known=known,
        filters=tuple((name, _values(known[name], name, args)) for name in known if name in args),
        field=ORDER_FIELDS.get(order, order),
        descending=_one_of(args, "direction", ("desc", "asc")) == "desc",
        since=_moment(args, "created_after"),
        until=_moment(args, "created_before"),
        first=first if last is not None else first or PAGE,
        last=last,
        after=_last(args, "after"),
        before=_last(args, "before"),
    )


def _last(args: Args, name: str) -> str | None:
    return args[name][-1] if name in args else None


def _size(args: Args, name: str) -> int | None:
    text = _last(args, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise errors.bad_param(name, f"{name} must be an integer between 1 and {MOST}.")
    return min(int(text), MOST)


def _one_of(args: Args, name: str, allowed: tuple[str, ...]) -> str:
    """The value, or the first allowed one when none is given."""
    value = _last(args, name) or allowed[0]
    if value not in allowed:
        raise errors.bad_param(name, f"{name} must be one of {', '.join(allowed)}.")
    return value


def _values(wanted: Filter, name: str, args: Args) -> tuple[str, ...]:
    values = tuple(args[name]) if wanted.many else (args[name][-1],)
    for value in values:
        if wanted.allowed is not None and value not in wanted.allowed:
            raise errors.bad_param(name, f"{name} must be one of {', '.join(wanted.allowed)}.")
    return values


def _moment(args: Args, name: str) -> int | None:
    try:
        return millis(args[name][-1]) if name in args else None
    except ValueError:
        raise errors.bad_param(name, f"{name} must be an ISO 8601 timestamp.") from None


class Selections:
    """Chooses the places a query asks for, remembering the costly choices."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Places[int]] = OrderedDict()

    def places(self, query: Query, shelf: Shelf, table: Table) -> "Places[int]":
        """The matching places, ascending by the query's order."""
        if not query.filters and query.since is None and query.until is None:
            return table.order(query.field)
        if table is not shelf.tables[query.kind]:  # several companies as one: not what the key names
            return _matching(query, shelf, table, table.order(query.field))
        sought = self._sought(query, shelf, table)
        if sought is not None:
            return _matching(query, shelf, table, sought)
        version = tuple(known.version for known in shelf.tables.values())
        key = (id(shelf), version, query.kind, query.filters, query.field, query.since, query.until)
        if key not in self._kept:
            self._kept[key] = _matching(query, shelf, table, table.order(query.field))
            while len(self._kept) > KEPT_SELECTIONS:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _sought(self, query: Query, shelf: Shelf, table: Table) -> "Places[int] | None":
        """The places of the few records one of the filters points at, if one does."""
        for name, values in query.filters:
            seek = query.known[name].seek
            if seek is not None:
                indexes = {index for index in seek(values, shelf) if table.has(index)}
                indexes |= table.changed.keys()
                return array("Q", sorted(code(table.key(query.field, index), index) for index in indexes))
        return None


def _matching(query: Query, shelf: Shelf, table: Table, places: "Places[int]") -> "Places[int]":
    tests = [(query.known[name].test, set(values)) for name, values in query.filters]
    places = _dated(query, table, places)
    if not tests:
        return places
    records = ((place, table.get(index_of(place))) for place in places)
    return array(
        "Q",
        (place for place, record in records if all(test(record, values, shelf) for test, values in tests)),
    )


def _dated(query: Query, table: Table, places: "Places[int]") -> "Places[int]":
    """Those made after ``since`` and before ``until``, both excluded."""
    if query.since is None and query.until is None:
        return places
    low = -1 if query.since is None else query.since
    high = 1 << 41 if query.until is None else query.until
    if query.field in ("created_at", "joined_at"):
        return places[bisect_right(places, (low << BITS) | LOW) : bisect_left(places, high << BITS)]
    return array("Q", (p for p in places if low < table.key("created_at", index_of(p)) < high))


def page(query: Query, table: Table, places: "Places[int]") -> Page:
    """The page the query asks for; raises the 400 of the API for a foreign cursor."""
    after = _place(query, table, "after", query.after)
    before = _place(query, table, "before", query.before)
    lower, upper = (after, before) if not query.descending else (before, after)
    low = 0 if lower is None else bisect_right(places, lower)
    high = len(places) if upper is None else bisect_left(places, upper)
    low, high = _window(query, low, max(low, high))
    chosen = places[low:high]
    ahead, behind = high < len(places), low > 0
    if query.descending:
        chosen.reverse()
        ahead, behind = behind, ahead
    info = {
        "end_cursor": cursor(query, table, chosen[-1]) if chosen else None,
        "start_cursor": cursor(query, table, chosen[0]) if chosen else None,
        "has_next_page": ahead,
        "has_previous_page": behind,
    }
    return Page([table.get(index_of(place)) for place in chosen], info)


def _window(query: Query, low: int, high: int) -> tuple[int, int]:
    """Cut to size from the end that the direction and ``first`` or ``last`` name."""
    size = query.first or query.last or PAGE
    from_top = query.descending == (query.last is None)
    return (max(low, high - size), high) if from_top else (low, min(high, low + size))


def cursor(query: Query, table: Table, place: int) -> str:
    """Opaque to the caller: the order, the value there and the record's id."""
    parts = [query.field, place >> BITS, table.ids.of(index_of(place))]
    return base64.b64encode(orjson.dumps(parts)).decode()


def _place(query: Query, table: Table, name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        field, key, record = orjson.loads(base64.b64decode(text, validate=True))
        index = table.ids.index(record)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise errors.bad_cursor(name) from None
    if field != query.field or not isinstance(key, int) or index is None or index > LOW:
        raise errors.bad_cursor(name)
    return code(key, index)
