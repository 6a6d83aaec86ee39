"""Reading the data of a create or update: every value checked before anything is written (305, 326)."""

from typing import Any

from connector.sandbox.twenty.filters import compile_filter
from connector.sandbox.twenty.refusals import Refusal, bad_data, unknown_field
from connector.sandbox.twenty.shape import COMPOSITES, Relation, Row, Shape
from connector.sandbox.twenty.values import clean, clean_uuid
from connector.sandbox.twenty.workspace import Workspace

#: What the server keeps for itself; sent values are dropped without a word.
SERVER_ONLY = ("searchVector", "updatedAt", "updatedBy")


def read_input(workspace: Workspace, shape: Shape, data: Any) -> Row:
    """What to write: whole values of plain fields and id columns, parts to overwrite of composites."""
    change: Row = {}
    for name, value in data.items():
        column = shape.columns.get(name)
        if column is not None:
            if name not in SERVER_ONLY:
                change[name] = clean(column, value) if name != "position" else value
        elif name in shape.joins:
            change[name] = clean_uuid(name, value)
        else:
            relation = shape.relations.get(name)
            if relation is None or not relation.single:
                raise unknown_field(shape.singular, name)
            change[relation.join] = _connect(workspace, relation, value)
    return change


def _connect(workspace: Workspace, relation: Relation, value: Any) -> str | None:
    """`{"connect": {"where": {unique field: value}}}`: exactly one living row (226-228, 1032)."""
    if value is None or (isinstance(value, dict) and value.get("disconnect")):
        return None
    try:
        where = value["connect"]["where"]
    except (KeyError, TypeError):
        raise bad_data(f'Invalid relation value for field "{relation.name}"') from None
    target = workspace.target(relation)
    found = compile_filter(target, _equals(target, where)).rows(workspace.table(target))
    if len(found) != 1:
        raise _unconnected(relation.name, len(found), _told(where))
    return str(found[0]["id"])


def _equals(target: Shape, where: dict[str, Any]) -> dict[str, Any]:
    """{"emails": {"primaryEmail": "a@b.c"}} as a filter."""
    wanted = {}
    for name, value in where.items():
        nested = isinstance(value, dict)
        wanted[name] = {part: {"eq": each} for part, each in value.items()} if nested else {"eq": value}
    return wanted


def _told(where: dict[str, Any]) -> str:
    parts = []
    for name, value in where.items():
        pairs = value.items() if isinstance(value, dict) else [(None, value)]
        parts += [f"{name}.{part} = {each}" if part else f"{name} = {each}" for part, each in pairs]
    return " and ".join(parts)


def _unconnected(name: str, count: int, told: str) -> Refusal:
    text = f"Expected 1 record to connect to {name}, but found {count} for {told}"
    friendly = f"Can't connect to {name}. No unique record found with condition: {told}"
    return Refusal(text, friendly=friendly)


def merged(shape: Shape, base: Row, change: Row) -> Row:
    """`base` with `change`: composites part by part, everything else whole."""
    row = {**base, **change}
    for name in change:
        column = shape.columns.get(name)
        if column is not None and column.type in COMPOSITES and base[name] is not None:
            row[name] = {**base[name], **change[name]}
    return row
