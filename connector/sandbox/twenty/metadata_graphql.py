"""POST /metadata: the schema and the workspace over GraphQL (recordings 014, 067, 068, 150-154, 181, 447)."""

from collections.abc import Callable
from typing import Any

from connector.sandbox.twenty import accounts, changes, views, webhooks
from connector.sandbox.twenty.accounts import FORBIDDEN_RESOURCE, ForbiddenResource
from connector.sandbox.twenty.complaints import SchemaRefusal, ShapeRefusal
from connector.sandbox.twenty.queries import Pick, QuerySyntaxError, read_query
from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.workspace import Entry, Workspace

Args = dict[str, Any]


def execute(session: Session, body: Any) -> dict[str, Any]:
    try:
        operation = read_query(str(body.get("query") or ""), body.get("operationName"))
    except QuerySyntaxError as error:
        return {"errors": [error.body]}
    variables = operation.variables(body.get("variables"))
    data = {}
    for pick in operation.picks:
        resolve = _ROOTS.get(pick.name)
        if resolve is None:
            return _unknown(pick, operation.kind.capitalize())
        try:
            data[pick.key] = _cut(resolve(session, pick.args(variables)), pick.picks)
        except ForbiddenResource:
            return FORBIDDEN_RESOURCE
        except (Refusal, SchemaRefusal) as refusal:
            return {"errors": [refusal.graphql()], "data": None}
        except ShapeRefusal as refusal:
            bad = {"message": "; ".join(refusal.body["message"]), "extensions": {"code": "BAD_USER_INPUT"}}
            return {"errors": [bad], "data": None}
    return {"data": data}


def _unknown(pick: Pick, kind: str) -> dict[str, Any]:
    text = f'Cannot query field "{pick.name}" on type "{kind}".'
    return {"errors": [{"message": text, "locations": [{"line": pick.line, "column": pick.column}]}]}


def _cut(value: Any, picks: tuple[Pick, ...]) -> Any:
    """The selected parts of plain data; parts that need work are functions."""
    if callable(value):
        value = value()
    if isinstance(value, list):
        return [_cut(each, picks) for each in value]
    if not isinstance(value, dict) or not picks:
        return value
    return {pick.key: _cut(value.get(pick.name), pick.picks) for pick in picks}


def _connection(nodes: list[Any], args: Args) -> Any:
    paging = args.get("paging") or {}
    first, after = paging.get("first") or 10, paging.get("after")
    ids = [node["id"] for node in nodes]
    start = ids.index(after) + 1 if after in ids else 0
    cut = nodes[start : start + first]
    info: dict[str, Any] = {"hasNextPage": start + first < len(nodes), "hasPreviousPage": start > 0}
    info |= {"startCursor": cut[0]["id"] if cut else None, "endCursor": cut[-1]["id"] if cut else None}
    edges = [{"node": node, "cursor": node["id"]} for node in cut]
    return {"edges": edges, "pageInfo": info, "totalCount": len(nodes)}


def _objects(session: Session, args: Args) -> Any:
    found = [_object_node(session.workspace, entry) for entry in session.workspace.objects.values()]
    return _connection(_filtered(found, args), args)


def _fields(session: Session, args: Args) -> Any:
    entries = session.workspace.objects.values()
    found = [_field_node(session.workspace, entry, item) for entry in entries for item in entry["fields"]]
    return _connection(_filtered(found, args), args)


def _filtered(nodes: list[Any], args: Args) -> list[Any]:
    for name, condition in (args.get("filter") or {}).items():
        for operator, wanted in condition.items():
            nodes = [node for node in nodes if _holds(node.get(name), operator, wanted)]
    return nodes


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    if operator == "in":
        return value in wanted
    return bool(value is wanted) if operator == "is" else bool(value == wanted)


def _object_node(workspace: Workspace, entry: Entry) -> dict[str, Any]:
    def fields() -> list[Any]:
        return [_field_node(workspace, entry, item) for item in entry["fields"]]

    custom = {"isCustom": not entry["standard"]}
    return {
        **entry["wire"],
        **custom,
        "fieldsList": fields,
        "fields": lambda: _connection(fields(), {"paging": {"first": 1000}}),
    }


def _field_node(workspace: Workspace, entry: Entry, item: Entry) -> dict[str, Any]:
    """isUnique reads null in lists, even of unique fields (154)."""
    node = {**item["wire"], "isUnique": None, "isCustom": not item["standard"]}
    node["relation"] = (lambda: _relation(workspace, entry, item)) if item["target"] else None
    node["object"] = lambda: _object_node(workspace, entry)
    return node


def _relation(workspace: Workspace, entry: Entry, item: Entry) -> dict[str, Any]:
    owner, other = changes.find_field(workspace, item["target"]["field"])
    morph = other["wire"]["type"] == "MORPH_RELATION"
    return {
        "type": item["wire"]["settings"]["relationType"],
        "sourceObjectMetadata": entry["wire"],
        "sourceFieldMetadata": item["wire"],
        "targetObjectMetadata": owner["wire"],
        "targetFieldMetadata": {**other["wire"], "name": "target" if morph else other["wire"]["name"]},
    }


def _change(act: Callable[[Session, Args], Entry]) -> Callable[[Session, Args], Any]:
    def resolve(session: Session, args: Args) -> Any:
        session.need("DATA_MODEL")
        return dict(act(session, args.get("input") or args)["wire"])

    return resolve


_ROOTS: dict[str, Callable[[Session, Args], Any]] = {
    **accounts.ROOTS,
    **views.ROOTS,
    **webhooks.ROOTS,
    "objects": _objects,
    "fields": _fields,
    "object": lambda session, args: _object_node(
        session.workspace, changes.find_object(session.workspace, str(args.get("id")))
    ),
    "field": lambda session, args: _field_node(
        session.workspace, *changes.find_field(session.workspace, str(args.get("id")))
    ),
    "createOneObject": _change(lambda session, given: changes.create_object(session, given["object"])),
    "updateOneObject": _change(
        lambda session, given: changes.update_object(session, given["id"], given["update"])
    ),
    "deleteOneObject": _change(lambda session, given: changes.delete_object(session, given["id"])),
    "createOneField": _change(lambda session, given: changes.create_field(session, given["field"])),
    "updateOneField": _change(
        lambda session, given: changes.update_field(session, given["id"], given["update"])
    ),
    "deleteOneField": _change(lambda session, given: changes.delete_field(session, given["id"])),
}
