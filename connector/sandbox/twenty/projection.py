"""Rows as answers: the selection of a GraphQL query, or the whole row of REST with depth 0 or 1.

Source: twenty-api.md sections 6, 8 and 15; recordings 229, 409, 426, 434, 507, 517, 998, 1009.
"""

from collections.abc import Callable
from typing import Any

from connector.sandbox.twenty.queries import Pick
from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.shape import COMPOSITES, Relation, Row, Shape
from connector.sandbox.twenty.workspace import Workspace

Projector = Callable[[Row], dict[str, Any]]
#: Rows of a one-to-many relation in one answer.
SUBLIST = 60


def projector(
    workspace: Workspace, shape: Shape, picks: tuple[Pick, ...], *, inside_list: bool = False
) -> Projector:
    """A function from a row to its selected parts."""
    plain, steps = [], []
    for pick in picks:
        relation = shape.relations.get(pick.name)
        if relation is not None:
            steps.append(_relation(workspace, relation, pick, picks, inside_list=inside_list))
        elif pick.name == "__typename":
            steps.append(_constant(pick.key, shape.singular[:1].upper() + shape.singular[1:]))
        elif pick.picks and _is_composite(shape, pick.name):
            steps.append(_composite(pick))
        else:
            plain.append((pick.key, pick.name))

    def project(row: Row) -> dict[str, Any]:
        answer = {key: row.get(name) for key, name in plain}
        for step in steps:
            step(row, answer)
        return answer

    return project


Step = Callable[[Row, dict[str, Any]], None]


def _is_composite(shape: Shape, name: str) -> bool:
    column = shape.columns.get(name)
    return column is not None and column.type in COMPOSITES


def _constant(key: str, value: str) -> Step:
    def step(_row: Row, answer: dict[str, Any]) -> None:
        answer[key] = value

    return step


def _composite(pick: Pick) -> Step:
    key, name = pick.key, pick.name
    parts = [(part.key, part.name) for part in pick.picks]

    def step(row: Row, answer: dict[str, Any]) -> None:
        value = row.get(name)
        answer[key] = value and {part_key: value.get(part) for part_key, part in parts}

    return step


def _relation(
    workspace: Workspace, relation: Relation, pick: Pick, siblings: tuple[Pick, ...], *, inside_list: bool
) -> Step:
    target = workspace.target(relation)
    if relation.single:
        joined = [each.key for each in siblings if each.name == relation.join]
        project = projector(workspace, target, pick.picks, inside_list=inside_list)
        return _single(workspace, relation, pick.key, joined, project)
    if inside_list:
        text = "Query complexity is too high. One-to-Many relation cannot be nested in another One-to-Many"
        raise Refusal(f"{text} relation.", sub="TOO_COMPLEX_QUERY", friendly="An error occurred.")
    return _several(
        workspace, relation, pick.key, connection(workspace, target, pick.picks, inside_list=True)
    )


def _single(
    workspace: Workspace, relation: Relation, key: str, joined: list[str], project: Projector
) -> Step:
    """A soft-deleted target reads null, and with it the id column that is selected beside it (998)."""

    def step(row: Row, answer: dict[str, Any]) -> None:
        target = living_target(workspace, relation, row)
        answer[key] = project(target) if target else None
        if target is None:
            answer.update(dict.fromkeys(joined))

    return step


def living_target(workspace: Workspace, relation: Relation, row: Row) -> Row | None:
    target = workspace.tables[relation.target].rows.get(row[relation.join])
    return target if target is not None and target["deletedAt"] is None else None


def children(workspace: Workspace, relation: Relation, row: Row) -> list[Row]:
    """The living rows of a one-to-many relation, in the order of their ids."""
    table = workspace.tables[relation.target]
    rows = (table.rows[each] for each in sorted(table.find((relation.join,), (row["id"],))))
    return [each for each in rows if each["deletedAt"] is None][:SUBLIST]


Lister = Callable[[list[Row], dict[str, Any], list[str] | None], dict[str, Any]]


def _several(workspace: Workspace, relation: Relation, key: str, list_rows: Lister) -> Step:
    def step(row: Row, answer: dict[str, Any]) -> None:
        found = children(workspace, relation, row)
        answer[key] = list_rows(found, {"totalCount": len(found)}, None)

    return step


def connection(
    workspace: Workspace, shape: Shape, picks: tuple[Pick, ...], *, inside_list: bool = False
) -> Lister:
    """A function from (rows, totals and page info, cursors) to {totalCount pageInfo edges{cursor node}}."""
    nodes = tuple(
        node for pick in picks if pick.name == "edges" for node in pick.picks if node.name == "node"
    )
    projects = {node.key: projector(workspace, shape, node.picks, inside_list=inside_list) for node in nodes}

    def list_rows(rows: list[Row], facts: dict[str, Any], cursors: list[str] | None) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for pick in picks:
            if pick.name == "edges":
                answer[pick.key] = [
                    _edge(pick, projects, row, cursors[at] if cursors else None)
                    for at, row in enumerate(rows)
                ]
            elif pick.picks:
                answer[pick.key] = {part.key: facts.get(pick.name, {}).get(part.name) for part in pick.picks}
            else:
                answer[pick.key] = facts.get(pick.name)
        return answer

    return list_rows


def _edge(pick: Pick, projects: dict[str, Projector], row: Row, cursor: str | None) -> dict[str, Any]:
    edge: dict[str, Any] = {}
    for part in pick.picks:
        edge[part.key] = projects[part.key](row) if part.name == "node" else cursor
    return edge


def wants_cursors(picks: tuple[Pick, ...]) -> bool:
    return any(part.name == "cursor" for pick in picks if pick.name == "edges" for part in pick.picks)


def whole(workspace: Workspace, shape: Shape, row: Row, depth: int) -> Row:
    """A row by REST: depth 0 has the id columns, depth 1 the related rows as well (229, 507, 514)."""
    if depth == 0:
        return row
    answer = dict(row)
    for relation in shape.relations.values():
        if relation.single:
            target = living_target(workspace, relation, row)
            answer[relation.name] = target
            answer[relation.join] = target["id"] if target else None
        else:
            answer[relation.name] = children(workspace, relation, row)
    return answer
