"""Schema changes: objects and fields made, changed, deleted (twenty-api.md section 5; recordings 105-181)."""

import re
from typing import Any

from connector.sandbox.twenty import complaints
from connector.sandbox.twenty.complaints import ShapeRefusal, complaint
from connector.sandbox.twenty.refusals import Refusal, coded
from connector.sandbox.twenty.reserved import RESERVED
from connector.sandbox.twenty.schema import Side, add_base_fields, add_field, object_wire, tie, tie_timelines
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.shape import RELATIONS, compile_shape, default_of
from connector.sandbox.twenty.workspace import Entry, Workspace, new_id

TYPES = (
    "ACTOR, ADDRESS, ARRAY, BOOLEAN, CURRENCY, DATE, DATE_TIME, EMAILS, FILES, FULL_NAME, LINKS, "
    "MORPH_RELATION, MULTI_SELECT, NUMBER, NUMERIC, PHONES, POSITION, RATING, RAW_JSON, RELATION, "
    "RICH_TEXT, SELECT, TEXT, TS_VECTOR, UUID"
)
_NAME = re.compile(r"[a-z][a-zA-Z0-9]*")
_VALUE = re.compile(r"[A-Z_][A-Z0-9_]*")
CHANGEABLE = (
    "name",
    "label",
    "description",
    "icon",
    "isActive",
    "isUnique",
    "defaultValue",
    "settings",
    "isNullable",
)
OBJECT_CHANGEABLE = (
    "nameSingular",
    "namePlural",
    "labelSingular",
    "labelPlural",
    "description",
    "icon",
    "isActive",
)


def create_object(session: Session, wanted: dict[str, Any]) -> Entry:
    """A new object with a `name` field, the base fields and relations to notes, tasks, files and timeline."""
    _check_object(session.workspace, wanted)
    workspace, now = session.workspace, session.now()
    kept = {name: wanted.get(name) for name in OBJECT_CHANGEABLE if name != "isActive"}
    entry: Entry = {"wire": object_wire(workspace, new_id(), now, kept), "standard": False, "fields": []}
    label = {"type": "TEXT", "name": "name", "label": "Name", "description": "Name", "icon": "IconAbc"}
    named = add_field(workspace, entry, now, label)
    entry["wire"]["labelIdentifierFieldMetadataId"] = named["wire"]["id"]
    add_base_fields(workspace, entry, now)
    workspace.objects[entry["wire"]["id"]] = entry
    tie_timelines(workspace, entry, now, standard_object=False)
    _settle(workspace)
    return entry


def _check_object(workspace: Workspace, wanted: dict[str, Any]) -> None:
    missing = []
    for name in ("nameSingular", "namePlural", "labelSingular", "labelPlural"):
        if not isinstance(wanted.get(name), str) or not wanted[name]:
            missing += [f"{name} should not be empty", f"{name} must be a string"]
    if missing:
        raise ShapeRefusal(missing)
    names = (wanted["nameSingular"], wanted["namePlural"])
    errors = [error for name in names if (error := _name_error(name, "INVALID_OBJECT_INPUT"))]
    if names[0] == names[1]:
        text = "The singular and plural names cannot be the same for an object"
        errors.append(complaint("INVALID_OBJECT_INPUT", text, value=names[0]))
    if set(names) & (workspace.singulars.keys() | workspace.plurals.keys()):
        errors = [complaint("OBJECT_ALREADY_EXISTS", "Object already exists")]
    if errors:
        raise complaints.object_refused(workspace, wanted, errors)


def _name_error(name: str, code: str) -> dict[str, Any] | None:
    text = None
    if not _NAME.fullmatch(name):
        text = "Name is not valid: it must start with lowercase letter and contain only alphanumeric letters"
    elif len(name) > 63:
        text = "Name is too long"
    elif name in RESERVED:
        text = 'This name is reserved. Use a different name or the system will add "Custom" suffix.'
    return complaint(code, text, value=name) if text else None


def update_object(session: Session, object_id: str, wanted: dict[str, Any]) -> Entry:
    entry = find_object(session.workspace, object_id)
    entry["wire"].update({name: wanted[name] for name in OBJECT_CHANGEABLE if name in wanted})
    entry["wire"]["updatedAt"] = session.now()
    _settle(session.workspace)
    return entry


def delete_object(session: Session, object_id: str) -> Entry:
    workspace = session.workspace
    entry = workspace.objects.get(object_id)
    if entry is None:
        raise coded("Could not find flat entity in maps", "ENTITY_NOT_FOUND", 404)
    if entry["standard"]:
        raise coded("Cannot delete standard object", "OBJECT_MUTATION_NOT_ALLOWED", 403)
    del workspace.objects[object_id]
    for other in workspace.objects.values():
        for item in [each for each in other["fields"] if (each["target"] or {}).get("object") == object_id]:
            _remove(workspace, other, item)
    _settle(workspace)
    return entry


def find_object(workspace: Workspace, object_id: str) -> Entry:
    entry = workspace.objects.get(object_id)
    if entry is None:
        raise coded("Object metadata not found", "OBJECT_METADATA_NOT_FOUND", 404)
    return entry


def find_field(workspace: Workspace, field_id: str) -> tuple[Entry, Entry]:
    found = workspace.field(field_id)
    if found is None:
        raise coded("Field metadata not found", "FIELD_METADATA_NOT_FOUND", 404)
    return found


def create_field(session: Session, wanted: dict[str, Any]) -> Entry:
    """A new field, with its reverse on the target if it is a relation; rows get its default."""
    workspace, now = session.workspace, session.now()
    if wanted.get("type") not in TYPES.split(", "):
        raise ShapeRefusal([f"type must be one of the following values: {TYPES}"])
    entry = workspace.objects.get(str(wanted.get("objectMetadataId")))
    if entry is None:
        raise complaints.no_such_object()
    _check_field(entry, wanted)
    if wanted["type"] in RELATIONS:
        item = _relate(workspace, entry, wanted, now)
    else:
        item = add_field(workspace, entry, now, _field_parts(wanted), new_id())
    _settle(workspace)
    _fill(workspace, entry, item)
    return item


def _field_parts(wanted: dict[str, Any]) -> dict[str, Any]:
    parts = {name: wanted[name] for name in CHANGEABLE if name in wanted and name != "isActive"}
    parts |= {"type": wanted["type"], "label": wanted.get("label") or wanted["name"]}
    if wanted.get("options") is not None:
        parts["options"] = with_ids(wanted["options"])
    return parts


def with_ids(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Options sent without an id get a new one, even if they existed before (137)."""
    return [{**option, "id": option.get("id") or new_id()} for option in options]


def _check_field(entry: Entry, wanted: dict[str, Any]) -> None:
    name = str(wanted.get("name"))
    taken = name in {item["wire"]["name"] for item in entry["fields"]}
    text = f'Name "{name}" is not available as it is already used by another field'
    error = (
        complaint("NOT_AVAILABLE", text, value=name) if taken else _name_error(name, "INVALID_FIELD_INPUT")
    )
    error = error or _option_error(wanted)
    if error:
        raise complaints.field_refused(entry, name, error, unique=taken and bool(wanted.get("isUnique")))


def _option_error(wanted: dict[str, Any]) -> dict[str, Any] | None:
    if wanted["type"] not in ("SELECT", "MULTI_SELECT"):
        return None
    options = wanted.get("options") or []
    if not options:
        return complaint("INVALID_FIELD_INPUT", "Options are required for enum fields", value=[])
    for option in options:
        if not _VALUE.fullmatch(str(option["value"])):
            text = f'Value must be in UPPER_CASE and follow snake_case "{option["value"]}"'
            return complaint("INVALID_FIELD_INPUT", text, value=option["value"])
    return _default_error(wanted.get("defaultValue"), options)


def _default_error(default: Any, options: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not isinstance(default, str) or default in {f"'{option['value']}'" for option in options}:
        return None
    text = f'Default value "{default}" must be one of the option values'
    return complaint("INVALID_FIELD_INPUT", text, value=default)


def _relate(workspace: Workspace, entry: Entry, wanted: dict[str, Any], now: str) -> Entry:
    """`relationCreationPayload`: the side asked for and the name of its reverse (124)."""
    payload = wanted["relationCreationPayload"]
    target = find_object(workspace, payload["targetObjectMetadataId"])
    label = payload["targetFieldLabel"]
    near = Side(entry, wanted["name"], wanted.get("label") or wanted["name"], wanted.get("icon"))
    far = Side(target, _camel(label), label, payload.get("targetFieldIcon"))
    if far.name in {item["wire"]["name"] for item in target["fields"]}:
        text = f'Name "{far.name}" is not available as it is already used by another field'
        error = complaint("NOT_AVAILABLE", text, value=far.name)
        raise complaints.field_refused(target, far.name, error, unique=False)
    if payload["type"] == "MANY_TO_ONE":
        item = tie(workspace, near, far, now, identity=new_id())
        item["wire"]["description"] = f"{label} tied to the {near.label}"
        return item
    made = tie(workspace, far, near, now, identity=new_id())
    return find_field(workspace, made["target"]["field"])[1]


def _camel(label: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", label)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name[:1].lower() + name[1:]


def _fill(workspace: Workspace, entry: Entry, item: Entry) -> None:
    wire = item["wire"]
    if wire["type"] not in RELATIONS:
        table = workspace.tables[entry["wire"]["id"]]
        workspace.rewrite(table, {wire["name"]: default_of(wire)})
        table.reshape(table.shape)
        return
    for owner, each in (find_field(workspace, wire["id"]), find_field(workspace, item["target"]["field"])):
        join = each["wire"]["settings"].get("joinColumnName")
        if join:
            workspace.rewrite(workspace.tables[owner["wire"]["id"]], {join: None})


def update_field(session: Session, field_id: str, wanted: dict[str, Any]) -> Entry:
    """Change a field; a renamed one takes its values along, a unique one must have no duplicates."""
    workspace = session.workspace
    entry, item = find_field(workspace, field_id)
    wire, before = item["wire"], dict(item["wire"])
    changes = {name: wanted[name] for name in CHANGEABLE if name in wanted}
    if "options" in wanted:
        error = _option_error({**wire, **changes, "options": wanted["options"]})
        if error:
            raise complaints.field_update_refused(entry, wire["name"], error)
        changes["options"] = with_ids(wanted["options"])
    if changes.get("isUnique") and not wire["isUnique"]:
        _check_unique(workspace, entry, {**wire, "isUnique": True})
    wire.update(changes, updatedAt=session.now())
    _rename(workspace, entry, before["name"], wire)
    _settle(workspace)
    return item


def _check_unique(workspace: Workspace, entry: Entry, wire: dict[str, Any]) -> None:
    """An index over duplicates cannot be made; nothing changes (160)."""
    table = workspace.tables[entry["wire"]["id"]]
    trial = compile_shape({**entry, "fields": [{"wire": wire, "standard": False}]}, {}).uniques[0]
    column, part = trial.path[0], trial.path[-1]
    found = [row[column][part] if len(trial.path) > 1 else row[column] for row in table.rows.values()]
    held = [value for value in found if value not in (None, "")]
    if len(set(held)) < len(held):
        text = f"Migration action 'create' for 'index' (universalIdentifier: {new_id()}) failed"
        raise Refusal(text, 500, "TEXT")


def _rename(workspace: Workspace, entry: Entry, before: str, wire: dict[str, Any]) -> None:
    if wire["name"] == before or wire["type"] in RELATIONS:
        return
    table = workspace.tables[entry["wire"]["id"]]
    for row in list(table.rows.values()):
        new = {**row, wire["name"]: row[before]}
        del new[before]
        table.rows[row["id"]] = table.dirty[row["id"]] = new


def delete_field(session: Session, field_id: str) -> Entry:
    workspace = session.workspace
    entry, item = find_field(workspace, field_id)
    if item["standard"]:
        text = f'Cannot delete standard field "{item["wire"]["name"]}"'
        raise coded(text, "FIELD_MUTATION_NOT_ALLOWED", 403)
    _remove(workspace, entry, item)
    if item["target"]:
        _remove(workspace, *find_field(workspace, item["target"]["field"]))
    _settle(workspace)
    return item


def _remove(workspace: Workspace, entry: Entry, item: Entry) -> None:
    entry["fields"].remove(item)
    column = (item["wire"]["settings"] or {}).get("joinColumnName") or item["wire"]["name"]
    workspace.rewrite(workspace.tables[entry["wire"]["id"]], {}, drop=column)


def _settle(workspace: Workspace) -> None:
    workspace.schema_changed()
