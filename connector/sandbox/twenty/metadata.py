"""/rest/metadata/…: the schema over REST, in both answer shapes (twenty-api.md section 5).

New workspaces answer plain (`{data: […]}`, a flat object); older ones wrap (`{data: {objects: […]}}`,
`{data: {createOneObject: {…}}}`). Keys that are null are left out of what is read.
"""

from collections.abc import Callable
from typing import Any

from connector.sandbox.twenty import changes, views, webhooks
from connector.sandbox.twenty.refusals import Refusal, coded
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.values import is_uuid
from connector.sandbox.twenty.workspace import Entry, Workspace, new_id

Answer = tuple[int, Any]
#: Shown in the answer of a write even when null (114, 105).
KEPT = ("defaultValue", "options", "imageIdentifierFieldMetadataId")


def answer(
    session: Session, method: str, path: str, query: dict[str, str], body: Any, *, plain: bool
) -> Answer:
    """Answer `method /rest/metadata/{path}`; objects and fields need the permission DATA_MODEL (446)."""
    kind, _, identity = path.strip("/").partition("/")
    given = body if isinstance(body, dict) else {}
    if kind in views.KINDS:
        return views.answer(session, method, kind, identity, query, given)
    if kind == "webhooks":
        return webhooks.answer(session, method, identity, given)
    if session.caller.kind == "app" and session.caller.role is None:
        raise coded(f"Could not find application {new_id()}", "APPLICATION_NOT_FOUND", 404)
    session.need("DATA_MODEL", status=403)
    if kind not in ("objects", "fields"):
        raise Refusal(f"Cannot {method} /rest/metadata/{path}", 404, "NOT_FOUND")
    if method == "GET" and not identity:
        return _list(session.workspace, kind, query, plain=plain)
    act = _ACTS.get((method, kind, bool(identity)))
    if act is None:
        raise Refusal(f"Cannot {method} /rest/metadata/{path}", 404, "NOT_FOUND")
    status, name, wire = act(session, identity, given)
    return status, wire if plain else {"data": {name: wire}}


def _list(workspace: Workspace, kind: str, query: dict[str, str], *, plain: bool) -> Answer:
    wires = [object_read(entry) for entry in workspace.objects.values()]
    if kind == "fields":
        wires = [field for wire in wires for field in wire["fields"]]
    total, start = len(wires), 0
    wires.sort(key=lambda wire: str(wire["id"]), reverse=True)
    after = query.get("starting_after")
    if after is not None:
        start = _place(wires, after)
    limit = int(query.get("limit") or 60)
    cut = wires[start : start + limit]
    info = {"hasNextPage": start + limit < total}
    ends = {"startCursor": cut[0]["id"], "endCursor": cut[-1]["id"]} if cut else {}
    data: Any = cut if plain else {kind: cut}
    return 200, {"data": data, "pageInfo": {**info, **ends}, "totalCount": total}


def _place(wires: list[dict[str, Any]], after: str) -> int:
    if not is_uuid(after):
        raise Refusal(f'invalid input syntax for type uuid: "{after}"', 500, "TEXT")
    return sum(1 for wire in wires if wire["id"] >= after)


def field_read(item: Entry) -> dict[str, Any]:
    return {name: value for name, value in item["wire"].items() if value is not None}


def object_read(entry: Entry) -> dict[str, Any]:
    wire = {name: value for name, value in entry["wire"].items() if value is not None}
    return {**wire, "fields": [field_read(item) for item in entry["fields"]]}


def _written(wire: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wire.items() if value is not None or name in KEPT}


def _object_written(entry: Entry) -> dict[str, Any]:
    return {**_written(entry["wire"]), "fields": [field_read(item) for item in entry["fields"]]}


Act = Callable[[Session, str, dict[str, Any]], tuple[int, str, dict[str, Any]]]


def _create_object(session: Session, _identity: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 201, "createOneObject", _object_written(changes.create_object(session, body))


def _update_object(session: Session, identity: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "updateOneObject", _object_written(changes.update_object(session, identity, body))


def _delete_object(session: Session, identity: str, _body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "deleteOneObject", _written(changes.delete_object(session, identity)["wire"])


def _get_object(session: Session, identity: str, _body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "object", object_read(changes.find_object(session.workspace, identity))


def _create_field(session: Session, _identity: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 201, "createOneField", _written(changes.create_field(session, body)["wire"])


def _update_field(session: Session, identity: str, body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "updateOneField", _written(changes.update_field(session, identity, body)["wire"])


def _delete_field(session: Session, identity: str, _body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "deleteOneField", _written(changes.delete_field(session, identity)["wire"])


def _get_field(session: Session, identity: str, _body: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
    return 200, "field", field_read(changes.find_field(session.workspace, identity)[1])


_ACTS: dict[tuple[str, str, bool], Act] = {
    ("POST", "objects", False): _create_object,
    ("GET", "objects", True): _get_object,
    ("PATCH", "objects", True): _update_object,
    ("PUT", "objects", True): _update_object,
    ("DELETE", "objects", True): _delete_object,
    ("POST", "fields", False): _create_field,
    ("GET", "fields", True): _get_field,
    ("PATCH", "fields", True): _update_field,
    ("PUT", "fields", True): _update_field,
    ("DELETE", "fields", True): _delete_field,
}
