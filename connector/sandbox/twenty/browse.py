"""Plain pages to look at what is in the CRM: counts, lists, one record with its relations.

Addresses are those of a real Twenty (``/object/person/{id}``), so that links from elsewhere lead somewhere
here too. They only read, and like ``/sandbox`` they are open to all who reach the sandbox. Rows are replaced
and never changed, so a page takes them under the lock and works on them outside it.
"""

from typing import Any

from flask import Blueprint, Response, render_template, request
from werkzeug.exceptions import NotFound

from connector.sandbox.twenty import faces
from connector.sandbox.twenty.shape import Relation, Row, Shape
from connector.sandbox.twenty.workspace import Workspace
from connector.sandbox.twenty.world import World

PAGE = 50
#: So many related records are shown of each kind.
MOST_RELATED = 20
#: What most objects have too many of to be looked at.
HIDDEN_RELATIONS = ("timelineActivities", "attachments", "favorites")
#: Records that only tie a note or a task to what it is about.
TIES = ("noteTarget", "taskTarget")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def blueprint(world: World) -> Blueprint:
    doors = Blueprint(
        "browse", __name__, template_folder="templates", static_folder="static", static_url_path="/browse"
    )

    @doors.get("/")
    def home() -> Response:
        with world.lock:
            workspaces = [(each, _counts(each)) for each in world.workspaces.values()]
        return _page("home", workspaces=workspaces)

    @doors.get("/objects/<plural>")
    def listing(plural: str) -> Response:
        with world.lock:
            workspace = _asked(world)
            shape = _known(workspace.plurals, plural)
            rows = list(workspace.table(shape).rows.values())
            targets = {name: _names(workspace, each) for name, each in shape.relations.items() if each.single}
        return _page("list", **_list(workspace, shape, rows, targets))

    @doors.get("/object/<singular>/<row_id>")
    def record(singular: str, row_id: str) -> Response:
        with world.lock:
            workspace = _holding(world, singular, row_id)
            shape = workspace.singulars[singular]
            row = workspace.table(shape).rows[row_id]
            related = [_related(workspace, each, row) for each in shape.relations.values()]
        told = [(column.label, faces.face(column, row.get(column.name))) for column in faces.shown(shape)]
        return _page(
            "record",
            workspace=workspace,
            shape=shape,
            row=row,
            heading=faces.spaced(shape.plural),
            label=faces.label(row),
            told=told,
            related=[each for each in related if each["links"]],
        )

    doors.register_error_handler(NotFound, _missing)
    return doors


def _page(name: str, *, status: int = 200, **shown: Any) -> Response:
    return Response(render_template(f"browse/{name}.html", **shown), status, headers=HEADERS)


def _missing(error: Exception) -> Response:
    return _page("missing", status=404)


def _known(shapes: dict[str, Shape], name: str) -> Shape:
    if name not in shapes:
        raise NotFound
    return shapes[name]


def _asked(world: World) -> Workspace:
    """The workspace that the address names, or the first."""
    try:
        return world.nth(request.args.get("workspace"))
    except (IndexError, KeyError, ValueError):
        raise NotFound from None


def _holding(world: World, singular: str, row_id: str) -> Workspace:
    """The workspace that has this record: ids are those of one workspace alone."""
    for workspace in world.workspaces.values():
        shape = workspace.singulars.get(singular)
        if shape is not None and row_id in workspace.table(shape).rows:
            return workspace
    raise NotFound


def _counts(workspace: Workspace) -> list[dict[str, Any]]:
    """The objects that people work with, and how many records each has."""
    found = []
    for entry in workspace.objects.values():
        wire = entry["wire"]
        if not wire["isSystem"]:
            rows = workspace.tables[wire["id"]].rows.values()
            deleted = sum(row["deletedAt"] is not None for row in rows)
            told = {"plural": wire["namePlural"], "label": wire["labelPlural"]}
            found.append({**told, "alive": len(rows) - deleted, "deleted": deleted})
    return found


def _names(workspace: Workspace, relation: Relation) -> tuple[str, dict[str, Row]]:
    """What a relation leads to: the name for addresses, and the rows by id."""
    target = workspace.target(relation)
    return target.singular, workspace.table(target).rows


def _list(
    workspace: Workspace, shape: Shape, rows: list[Row], targets: dict[str, tuple[str, dict[str, Row]]]
) -> dict[str, Any]:
    """One page of a list: the newest first, and of those that hold the text asked for."""
    wanted = request.args.get("q", "").strip()
    if wanted:
        rows = [row for row in rows if faces.holds(shape, row, wanted)]
    rows.sort(key=lambda row: (row["createdAt"], row["id"]), reverse=True)
    page = max(1, request.args.get("page", 1, int))
    shown = rows[(page - 1) * PAGE : page * PAGE]
    columns = faces.worth_showing(shape, shown)
    joins = [name for name in targets if any(row.get(shape.relations[name].join) for row in shown)]
    lines = [
        {
            "row": row,
            "label": faces.label(row),
            "faces": [faces.face(column, row.get(column.name)) for column in columns],
            "links": [_link(*targets[name], row.get(shape.relations[name].join)) for name in joins],
        }
        for row in shown
    ]
    paging = {"page": page, "wanted": wanted, "total": len(rows), "more": page * PAGE < len(rows)}
    headings = [column.label for column in columns] + [faces.spaced(name) for name in joins]
    told = {"workspace": workspace, "shape": shape, "heading": faces.spaced(shape.plural)}
    return {**told, "lines": lines, "headings": headings, **paging}


def _link(singular: str, rows: dict[str, Row], row_id: str | None) -> dict[str, Any] | None:
    """A way to another record; None where there is none."""
    row = rows.get(row_id or "")
    if row is None:
        return None
    return {"singular": singular, "id": row["id"], "label": faces.label(row), "deleted": row["deletedAt"]}


def _related(workspace: Workspace, relation: Relation, row: Row) -> dict[str, Any]:
    """The records at the other end of a relation; those that only tie two others stand for the far one."""
    ids = _ids(workspace, relation, row)
    ends = [_end(workspace, relation, each) for each in ids[:MOST_RELATED]]
    links = [found for end in ends for found in end if found is not None]
    return {"label": faces.spaced(relation.name), "links": links, "more": max(0, len(ids) - MOST_RELATED)}


def _end(workspace: Workspace, relation: Relation, row_id: str) -> list[dict[str, Any] | None]:
    target = workspace.target(relation)
    rows = workspace.table(target).rows
    if target.singular not in TIES:
        return [_link(target.singular, rows, row_id)]
    ends = [each for each in target.joins.values() if each.join != relation.join]
    return [_link(*_names(workspace, each), rows[row_id][each.join]) for each in ends]


def _ids(workspace: Workspace, relation: Relation, row: Row) -> list[str]:
    if relation.single:
        return [row[relation.join]] if row.get(relation.join) else []
    if relation.name in HIDDEN_RELATIONS:
        return []
    return sorted(workspace.table(workspace.target(relation)).find((relation.join,), [row["id"]]))
