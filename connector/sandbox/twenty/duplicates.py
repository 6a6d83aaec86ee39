"""Finding duplicates of people and companies (recordings 365, 366, 431)."""

from typing import Any

from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.shape import Path, Row, Shape, at
from connector.sandbox.twenty.workspace import Workspace

#: The server's `duplicateCriteria` (recording 101); all paths of one line must be equal.
CRITERIA: dict[str, tuple[tuple[Path, ...], ...]] = {
    "person": (
        (("name", "firstName"), ("name", "lastName")),
        (("linkedinLink", "primaryLinkUrl"),),
        (("emails", "primaryEmail"),),
    ),
    "company": ((("name",),), (("domainName", "primaryLinkUrl"),)),
}


def duplicates(workspace: Workspace, shape: Shape, args: dict[str, Any]) -> list[list[Row]]:
    """One list of rows per record asked about, which is given by `data` or by `ids`."""
    table = workspace.table(shape)
    ids = args.get("ids") or []
    asked = args.get("data") or [table.rows[each] for each in ids if each in table.rows]
    return [_alike(workspace, shape, record) for record in asked]


def _alike(workspace: Workspace, shape: Shape, record: Row) -> list[Row]:
    lines = [line for line in CRITERIA.get(shape.singular, ()) if all(_has(record, path) for path in line)]
    if not lines:
        return []
    wanted = {"or": [{"and": [_equal(path, at(record, path)) for path in line]} for line in lines]}
    rows = compile_filter(shape, wanted).rows(workspace.table(shape))
    return [row for row in rows if row["id"] != record.get("id")]


def _has(record: Row, path: Path) -> bool:
    part = record.get(path[0])
    value = part.get(path[1]) if len(path) > 1 and isinstance(part, dict) else part
    return value not in (None, "")


def _equal(path: Path, value: Any) -> dict[str, Any]:
    return {path[0]: {path[1]: {"eq": value}} if len(path) > 1 else {"eq": value}}
