"""Soft delete, restore and destroy, one and many (recordings 340-360, 427-429, 518, 981, 1000, 1028)."""

from typing import Any

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.refusals import Refusal, not_found, too_many
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import Row, Shape


def delete_one(session: Session, shape: Shape, row_id: str) -> Row:
    row = _one(session, shape, row_id)
    if row["deletedAt"] is not None:
        raise not_found()
    return _mark(session, shape, row, deleted=True)


def restore_one(session: Session, shape: Shape, row_id: str) -> Row:
    return _mark(session, shape, _one(session, shape, row_id), deleted=False)


def destroy_one(session: Session, shape: Shape, row_id: str) -> Row:
    row = _one(session, shape, row_id)
    _destroy(session, shape, row)
    return row


def delete_many(session: Session, shape: Shape, wanted: Any) -> list[Row]:
    rows = _many(session, shape, wanted, "delete", with_deleted=False)
    return [_mark(session, shape, row, deleted=True) for row in rows]


def restore_many(session: Session, shape: Shape, wanted: Any) -> list[Row]:
    rows = _many(session, shape, wanted, "restore", with_deleted=True)
    return [_mark(session, shape, row, deleted=False) for row in rows]


def destroy_many(session: Session, shape: Shape, wanted: Any) -> list[Row]:
    rows = _many(session, shape, wanted, "destroy", with_deleted=True)
    for row in rows:
        _destroy(session, shape, row)
    return rows


def _one(session: Session, shape: Shape, row_id: str) -> Row:
    row = session.workspace.table(shape).rows.get(row_id)
    if row is None:
        raise not_found()
    return row


def _many(session: Session, shape: Shape, wanted: Any, verb: str, *, with_deleted: bool) -> list[Row]:
    if not wanted and verb != "restore":
        text = f"Filters are mandatory for bulk {verb} operations."
        text += " Please provide at least one filter to prevent accidental deletion of all records."
        raise Refusal(text, sub="INVALID_QUERY_INPUT", friendly=text)
    rows = compile_filter(shape, wanted).rows(session.workspace.table(shape), with_deleted=with_deleted)
    if len(rows) > session.cap:
        raise too_many(verb, session.cap)
    return rows


def _mark(session: Session, shape: Shape, row: Row, *, deleted: bool) -> Row:
    """Set or clear deletedAt; both move updatedAt. Rows that hang on this one follow (519)."""
    moment = clock.after(row["updatedAt"], session.now())
    new = {**row, "deletedAt": moment if deleted else None, "updatedAt": moment, "updatedBy": session.actor()}
    session.workspace.table(shape).put(new)
    action = "deleted" if deleted else "restored"
    session.tell(action, shape, new, row)
    session.count(action, shape, 1)
    for child, rows, cascade, _join in _children(session, shape, row["id"]):
        for each in rows:
            if cascade and (each["deletedAt"] is None) == deleted:
                _mark(session, child, each, deleted=deleted)
    return new


def _destroy(session: Session, shape: Shape, row: Row) -> None:
    """Remove for good; references to it are cleared without moving updatedAt (1028), or fall with it."""
    for child, rows, cascade, join in _children(session, shape, row["id"]):
        for each in rows:
            if cascade:
                _destroy(session, child, each)
            else:
                session.workspace.table(child).put({**each, join: None})
    session.workspace.table(shape).drop(row["id"])
    session.tell("destroyed", shape, row)
    session.count("destroyed", shape, 1)


def _children(session: Session, shape: Shape, row_id: str) -> list[tuple[Shape, list[Row], bool, str]]:
    """The rows that point at a row: (object, rows, whether they fall with it, their id column)."""
    found = []
    for relation in shape.relations.values():
        if not relation.single:
            child = session.workspace.target(relation)
            table = session.workspace.table(child)
            rows = [table.rows[each] for each in sorted(table.find((relation.join,), (row_id,)))]
            if rows:
                found.append((child, rows, relation.on_delete == "CASCADE", relation.join))
    return found
