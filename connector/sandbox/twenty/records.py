"""Writing records: create, upsert, update (twenty-api.md sections 6, 7 and 15).

A create is one statement, all or nothing. The updates of an upsert are single statements, one after
another, then its inserts as one statement: what ran before a failure stays (331, 979).
"""

from typing import Any

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.inputs import merged, read_input
from connector.sandbox.twenty.refusals import (
    Refusal,
    dead_reference,
    duplicate,
    not_found,
    not_null,
    too_many,
)
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import Row, Shape, at
from connector.sandbox.twenty.table import Table
from connector.sandbox.twenty.workspace import new_id

#: Never taken from an upsert that updates: who and when a record was made stays as it was.
FIXED = ("id", "createdBy")


def create_many(session: Session, shape: Shape, data: Any, *, upsert: bool = False) -> list[Row]:
    """Create or upsert a batch; an upsert answers its updates first, then its inserts (322)."""
    _check_batch(session, data)
    changes = [_read(session, shape, each) for each in data]
    if not upsert:
        return _insert(session, shape, changes)
    matches = [_match(session, shape, change) for change in changes]
    pairs = list(zip(matches, changes, strict=True))
    updated: dict[str, Row] = {}
    for row_id, change in pairs:
        if row_id is not None:
            updated[row_id] = _upsert_one(session, shape, row_id, change)
    fresh = _insert(session, shape, [change for row_id, change in pairs if row_id is None])
    return [*updated.values(), *fresh]


def _read(session: Session, shape: Shape, data: Any) -> Row:
    change = read_input(session.workspace, shape, data)
    session.may_write(shape, change)
    return change


def _check_batch(session: Session, data: Any) -> None:
    if not isinstance(data, list):
        raise Refusal("args.data.forEach is not a function", error="TypeError", gql="INTERNAL_SERVER_ERROR")
    if len(data) > session.cap:
        text = f"Maximum number of records to upsert is {session.cap}."
        raise Refusal(text, sub="TOO_MANY_RECORDS_TO_UPDATE", friendly=text)


def _match(session: Session, shape: Shape, change: Row) -> str | None:
    """The one row that the id and the unique values of a record point at, soft-deleted rows included."""
    table = session.workspace.table(shape)
    keys = {"id": change["id"]} if change.get("id") else {}
    found = {change["id"]} if change.get("id") in table.rows else set()
    for unique in sorted(shape.uniques, key=lambda each: each.text):
        value = at(change, unique.path) if unique.path[0] in change else None
        if value in (None, ""):
            continue
        keys[unique.text] = value
        holder = table.holder(unique.path, value)
        found |= {holder} if holder else set()
    if len(found) > 1:
        raise _ambiguous(keys)
    return found.pop() if found else None


def _ambiguous(keys: dict[str, Any]) -> Refusal:
    told = ", ".join(f"{name}: {value}" for name, value in keys.items())
    text = f"Multiple records found with the same unique field values for {told}."
    text += " Cannot determine which record to update."
    return Refusal(text, sub="UPSERT_MULTIPLE_MATCHING_RECORDS_CONFLICT", friendly=text)


def _upsert_one(session: Session, shape: Shape, row_id: str, change: Row) -> Row:
    """An upsert that finds a row always restores it, whatever deletedAt was sent (347, 852, 984)."""
    kept = {name: value for name, value in change.items() if name not in FIXED}
    return _write(session, shape, row_id, kept | {"deletedAt": None})


def _insert(session: Session, shape: Shape, changes: list[Row]) -> list[Row]:
    """One INSERT statement: ids and unique values row by row, then the references of all (968, 1029)."""
    table = session.workspace.table(shape)
    now = session.now()
    rows = [_new_row(session, shape, change, now) for change in changes]
    taken: set[Any] = set()
    for row in rows:
        _check_nulls(shape, row)
        _check_new(shape, table, row, taken)
    for row in rows:
        _check_references(session, shape, row, shape.joins)
    for row in rows:
        row["position"] = _position(table, row["position"])
        table.put(row)
        session.tell("created", shape, row)
    session.count("created", shape, len(rows))
    return rows


def _new_row(session: Session, shape: Shape, change: Row, now: str) -> Row:
    actor = session.actor()
    start = {**shape.blank, "createdBy": actor, "createdAt": now, "position": "first"}
    row = merged(shape, start, change)
    if "createdBy" in change:
        row["createdBy"] = change["createdBy"]
    row["updatedAt"], row["updatedBy"] = now, actor
    row["id"] = change.get("id") or new_id()
    if "happensAt" in row and row["happensAt"] is None:
        row["happensAt"] = now
    return row


def _position(table: Table, wanted: Any) -> Any:
    """By default before all others (200, 209, 300); "last" is after all (823)."""
    if wanted == "last":
        return table.last + 1
    return table.first - 1 if wanted in ("first", None) else wanted


def _check_nulls(shape: Shape, row: Row) -> None:
    for name in shape.required:
        if row[name] is None:
            raise not_null(shape.table, name)


def _check_new(shape: Shape, table: Table, row: Row, taken: set[Any]) -> None:
    """The primary key is looked at first; a conflict inside the batch names nobody (954, 308)."""
    if row["id"] in table.rows or row["id"] in taken:
        raise duplicate()
    taken.add(row["id"])
    for unique in shape.uniques:
        value = at(row, unique.path)
        if value in (None, ""):
            continue
        _check_unique(shape, table, unique.path, unique.label, row)
        if (unique.path, value) in taken:
            raise duplicate()
        taken.add((unique.path, value))


def _check_unique(shape: Shape, table: Table, path: tuple[str, ...], label: str, row: Row) -> None:
    """Only a living holder is named (403, 964-967)."""
    holder = table.holder(path, at(row, path))
    if holder and holder != row["id"]:
        living = table.rows[holder]["deletedAt"] is None
        raise duplicate(label, holder, shape.singular) if living else duplicate()


def _check_references(session: Session, shape: Shape, row: Row, joins: Any) -> None:
    """A soft-deleted target is accepted, a destroyed one is not (998, 999)."""
    for join in joins:
        value = row.get(join)
        if value is not None and value not in session.workspace.tables[shape.joins[join].target].rows:
            raise dead_reference(shape.table, shape.constraint(join))


def update_one(session: Session, shape: Shape, row_id: str, data: Any) -> Row:
    """Update by id; a soft-deleted row is written and stays deleted (346, 974)."""
    change = _read(session, shape, data)
    if row_id not in session.workspace.table(shape).rows:
        raise not_found()
    return _write(session, shape, row_id, change)


def update_many(session: Session, shape: Shape, wanted: Any, data: Any) -> list[Row]:
    """Update by filter, soft-deleted rows too unless the filter speaks of deletedAt (361-363, 973, 978)."""
    change = _read(session, shape, data)
    rows = compile_filter(shape, wanted).rows(session.workspace.table(shape), with_deleted=True)
    if len(rows) > session.cap:
        raise too_many("update", session.cap)
    return [_write(session, shape, row["id"], change) for row in rows]


def _write(session: Session, shape: Shape, row_id: str, change: Row) -> Row:
    """One UPDATE statement; `updatedAt` moves even if nothing changes (855, 857)."""
    table = session.workspace.table(shape)
    old = table.rows[row_id]
    row = merged(shape, old, change)
    row["id"] = row_id
    row["updatedAt"], row["updatedBy"] = clock.after(old["updatedAt"], session.now()), session.actor()
    if "position" in change:
        row["position"] = _position(table, change["position"])
    _check_nulls(shape, row)
    for unique in shape.uniques:
        if unique.path[0] in change and at(row, unique.path) not in (None, ""):
            _check_unique(shape, table, unique.path, unique.label, row)
    _check_references(session, shape, row, [join for join in change if join in shape.joins])
    table.put(row)
    session.tell("updated", shape, row, old)
    session.count("updated", shape, 1)
    return row
