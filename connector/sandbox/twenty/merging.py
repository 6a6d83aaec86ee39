"""Merging records (twenty-api.md section 15, "Merge"; recordings 1001-1011, 1031)."""

from typing import Any

from connector.sandbox.twenty import clock
from connector.sandbox.twenty.refusals import not_found
from connector.sandbox.twenty.removals import destroy_one
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import Row, Shape
from connector.sandbox.twenty.workspace import new_id


def merge(
    session: Session,
    shape: Shape,
    ids: list[str],
    winner: int,
    *,
    selected: set[str] | None = None,
    dry_run: bool = False,
) -> Row:
    """Keep `ids[winner]`, destroy the others, move what points at them.

    Empty fields of the survivor are filled from the losers, but only those in `selected` (None = all):
    GraphQL merges what it was asked to answer and loses the rest (1006). A dry run writes nothing (1001).
    """
    table = session.workspace.table(shape)
    rows = [table.rows.get(each) for each in ids]
    living = [row for row in rows if row is not None and row["deletedAt"] is None]
    if len(living) != len(ids):
        raise not_found("One or more records not found")
    survivor = living.pop(winner)
    merged_row = survivor
    for loser in living:
        merged_row = _filled(merged_row, loser, selected)
    if dry_run:
        return {**merged_row, "id": new_id(), "deletedAt": session.now()}
    for loser in living:
        _move_children(session, shape, loser["id"], survivor["id"])
        destroy_one(session, shape, loser["id"])
    moment = clock.after(survivor["updatedAt"], session.now())
    merged_row = {**merged_row, "updatedAt": moment, "updatedBy": session.actor()}
    table.put(merged_row)
    session.tell("updated", shape, merged_row, survivor)
    return merged_row


def _filled(survivor: Row, loser: Row, selected: set[str] | None) -> Row:
    row = dict(survivor)
    for name, value in loser.items():
        if selected is not None and name not in selected:
            continue
        if name == "emails" and value is not None:
            row[name] = _emails(row[name], value)
        elif _blank(row[name]):
            row[name] = value
    return row


def _emails(ours: Any, theirs: Any) -> Any:
    """The loser's addresses become additional ones of the survivor (1002)."""
    every = [
        ours["primaryEmail"],
        *ours["additionalEmails"],
        theirs["primaryEmail"],
        *theirs["additionalEmails"],
    ]
    found = list(dict.fromkeys(each for each in every if each))
    return {"primaryEmail": found[0] if found else "", "additionalEmails": found[1:]}


def _blank(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_blank(part) for part in value.values())
    return value in (None, "", [])


def _move_children(session: Session, shape: Shape, loser: str, survivor: str) -> None:
    """Rows of the loser point at the survivor from now on, with a new updatedAt (1004)."""
    for relation in shape.relations.values():
        if relation.single:
            continue
        table = session.workspace.table(session.workspace.target(relation))
        for row_id in sorted(table.find((relation.join,), (loser,))):
            row = table.rows[row_id]
            moment = clock.after(row["updatedAt"], session.now())
            moved = {**row, relation.join: survivor, "updatedAt": moment}
            table.put(moved)
            session.tell("updated", table.shape, moved, row)
