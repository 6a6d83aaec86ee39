"""Making schema documents: the fields every object has, the standard objects, relations on both sides.

Source: recordings 100-105, 114-128, 144 (shapes of objects and fields), 124 (relations).
"""

from typing import Any

from connector.sandbox.twenty import standard, standard_marks, ties
from connector.sandbox.twenty.workspace import Entry, Workspace

BORN = "2026-01-01T00:00:00.000Z"
STANDARD_ACTOR = {"name": "'System'", "source": "'MANUAL'", "workspaceMemberId": None}
CUSTOM_ACTOR = {"name": "''", "source": "'MANUAL'"}

#: The fields of every object: type, name, label, icon, default, nullable.
BASE: tuple[tuple[str, str, str, str, Any, bool], ...] = (
    ("UUID", "id", "Id", "Icon123", "uuid", False),
    ("DATE_TIME", "createdAt", "Creation date", "IconCalendar", "now", False),
    ("DATE_TIME", "updatedAt", "Last update", "IconCalendarClock", "now", False),
    ("DATE_TIME", "deletedAt", "Deleted at", "IconCalendarMinus", None, True),
    ("POSITION", "position", "Position", "IconHierarchy2", 0, False),
    ("ACTOR", "createdBy", "Created by", "IconCreativeCommonsSa", None, False),
    ("ACTOR", "updatedBy", "Updated by", "IconUserCircle", None, False),
    ("TS_VECTOR", "searchVector", "Search vector", "IconSearch", None, True),
)


def object_wire(workspace: Workspace, identity: str, born: str, more: dict[str, Any]) -> dict[str, Any]:
    """An object as the metadata API shows it, without its fields."""
    return {
        "id": identity,
        "universalIdentifier": workspace.fixed_id("universal", identity),
        "applicationId": workspace.fixed_id("application"),
        "description": None,
        "icon": None,
        "isRemote": False,
        "isActive": True,
        "isSystem": False,
        "isUIEditable": True,
        "isUICreatable": True,
        "isUIReadOnly": False,
        "isSearchable": True,
        "isLabelSyncedWithName": False,
        "workspaceId": workspace.id,
        "labelIdentifierFieldMetadataId": None,
        "imageIdentifierFieldMetadataId": None,
        "createdAt": born,
        "updatedAt": born,
        **more,
    }


def field_wire(entry: Entry, identity: str, born: str, more: dict[str, Any]) -> dict[str, Any]:
    """A field as the metadata API shows it."""
    wire = entry["wire"]
    return {
        "id": identity,
        "universalIdentifier": identity,
        "applicationId": wire["applicationId"],
        "description": None,
        "icon": None,
        "isActive": True,
        "isSystem": False,
        "isUIEditable": True,
        "isUIReadOnly": False,
        "isNullable": True,
        "isUnique": False,
        "defaultValue": None,
        "options": None,
        "settings": None,
        "workspaceId": wire["workspaceId"],
        "objectMetadataId": wire["id"],
        "isLabelSyncedWithName": False,
        "createdAt": born,
        "updatedAt": born,
        **more,
    }


def add_field(
    workspace: Workspace, entry: Entry, born: str, more: dict[str, Any], identity: str | None = None
) -> Entry:
    """Append a field to an object; ids of what the server makes itself are fixed per workspace."""
    made = identity or workspace.fixed_id(entry["wire"]["id"], more["name"])
    item: Entry = {"wire": field_wire(entry, made, born, more), "standard": identity is None, "target": None}
    entry["fields"].append(item)
    return item


def add_base_fields(workspace: Workspace, entry: Entry, born: str) -> None:
    for kind, name, label, icon, default, nullable in BASE:
        editable = entry["standard"] and kind in ("POSITION", "TS_VECTOR")
        more: dict[str, Any] = {
            "type": kind,
            "name": name,
            "label": label,
            "icon": icon,
            "description": label,
        }
        more |= {"isSystem": True, "isNullable": nullable, "defaultValue": default}
        more |= {"isUIEditable": editable, "isUIReadOnly": not editable}
        if kind == "ACTOR":
            more["defaultValue"] = STANDARD_ACTOR if entry["standard"] else CUSTOM_ACTOR
        if kind == "DATE_TIME" and entry["standard"]:
            more["settings"] = {"displayFormat": "RELATIVE"}
        add_field(workspace, entry, born, more)


class Side:
    """One end of a relation to be made: which object, and how the field is called there."""

    def __init__(self, entry: Entry, name: str, label: str, icon: str | None = None) -> None:
        self.entry, self.name, self.label, self.icon = entry, name, label, icon

    def more(self, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
        texts = {"name": self.name, "label": self.label, "icon": self.icon, "description": self.label}
        return {"type": kind, "settings": settings, **texts}


def tie(
    workspace: Workspace,
    many: Side,
    one: Side,
    born: str,
    *,
    kind: str = "RELATION",
    on_delete: str = "SET_NULL",
    identity: str | None = None,
) -> Entry:
    """Make a many-to-one relation and its reverse; returns the field of the many side."""
    join = {"onDelete": on_delete, "relationType": "MANY_TO_ONE", "joinColumnName": f"{many.name}Id"}
    far = many.more(kind, join) | {"isUIEditable": True}
    item = add_field(workspace, many.entry, born, far, identity)
    back_id = workspace.fixed_id(item["wire"]["id"], "reverse") if identity else None
    back = add_field(
        workspace, one.entry, born, one.more("RELATION", {"relationType": "ONE_TO_MANY"}), back_id
    )
    item["target"] = {"object": one.entry["wire"]["id"], "field": back["wire"]["id"]}
    back["target"] = {"object": many.entry["wire"]["id"], "field": item["wire"]["id"]}
    return item


def tie_timelines(workspace: Workspace, target: Entry, born: str, standard_object: bool) -> None:
    """Every object gets notes, tasks, attachments and a timeline, hence a column on each of those."""
    by_name = {entry["wire"]["nameSingular"]: entry for entry in workspace.objects.values()}
    name = target["wire"]["nameSingular"]
    for many, reverse, label, icon in ties.MORPHS:
        entry = by_name[many]
        far = Side(entry, f"target{name[:1].upper()}{name[1:]}", target["wire"]["labelSingular"], icon)
        near = Side(target, reverse, label, icon)
        rule = "CASCADE" if many.endswith("Target") else "SET_NULL"
        identity = None if standard_object else workspace.fixed_id(entry["wire"]["id"], far.name)
        tie(workspace, far, near, born, kind="MORPH_RELATION", on_delete=rule, identity=identity)


def furnish(workspace: Workspace) -> None:
    """Give a fresh workspace its standard objects."""
    for made in standard.OBJECTS:
        _add_standard(workspace, made)
    by_name = {entry["wire"]["nameSingular"]: entry for entry in workspace.objects.values()}
    for link in ties.TIES:
        many = Side(by_name[link.many], link.field, link.label, "IconLink")
        one = Side(by_name[link.one], link.reverse, link.reverse_label, "IconLink")
        tie(workspace, many, one, BORN, on_delete=link.on_delete)
    for name in ties.MORPH_TARGETS:
        tie_timelines(workspace, by_name[name], BORN, standard_object=True)
    for name in ties.TIMELINE_TARGETS:
        far = Side(by_name["timelineActivity"], f"target{name[:1].upper()}{name[1:]}", name.capitalize())
        near = Side(by_name[name], "timelineActivities", "Timeline Activities", "IconTimelineEvent")
        tie(workspace, far, near, BORN, kind="MORPH_RELATION")
    for name in ties.ATTACHED:
        far = Side(by_name["attachment"], f"target{name.capitalize()}", name.capitalize())
        near = Side(by_name[name], "attachments", "Attachments", "IconFileImport")
        tie(workspace, far, near, BORN, kind="MORPH_RELATION")
    for name, more in standard_marks.EXTRAS.items():
        by_name[name]["wire"] |= more
    for (name, field), more in standard_marks.FIELD_EXTRAS.items():
        _extend(by_name[name], field, more)
    _give_people_a_face(by_name["person"])
    workspace.compile()


def _extend(entry: Entry, field: str, more: dict[str, Any]) -> None:
    wire = next(item["wire"] for item in entry["fields"] if item["wire"]["name"] == field)
    wire |= (
        {**more, "settings": {**(wire["settings"] or {}), **more["settings"]}} if "settings" in more else more
    )


def _give_people_a_face(person: Entry) -> None:
    ids = {item["wire"]["name"]: item["wire"]["id"] for item in person["fields"]}
    person["wire"]["imageIdentifierFieldMetadataId"] = ids["avatarUrl"]


def _add_standard(workspace: Workspace, made: standard.Standard) -> None:
    identity = workspace.fixed_id("object", made.singular)
    names = {"nameSingular": made.singular, "namePlural": made.plural}
    labels = {"labelSingular": made.label, "labelPlural": made.labels, "icon": made.icon}
    flags = {"isSystem": made.system, "isSearchable": not made.system, "description": made.label}
    wire = object_wire(workspace, identity, BORN, names | labels | flags)
    entry: Entry = {"wire": wire, "standard": True, "fields": []}
    add_base_fields(workspace, entry, BORN)
    for own in made.fields:
        texts = {"label": own.label, "description": own.description, "icon": own.icon}
        more = {"type": own.type, "name": own.name, **texts, **own.more}
        if own.more.get("options"):
            more["options"] = _with_ids(workspace, identity, own)
        add_field(workspace, entry, BORN, more)
    _name_the_label_field(entry)
    workspace.objects[identity] = entry


def _with_ids(workspace: Workspace, identity: str, own: standard.Own) -> list[dict[str, Any]]:
    options: Any = own.more["options"]
    return [{"id": workspace.fixed_id(identity, own.name, option["value"]), **option} for option in options]


def _name_the_label_field(entry: Entry) -> None:
    ids = {item["wire"]["name"]: item["wire"]["id"] for item in entry["fields"]}
    entry["wire"]["labelIdentifierFieldMetadataId"] = ids.get("name") or ids.get("title") or ids["id"]
