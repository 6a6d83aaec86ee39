"""Views of an object, with their filters and columns (recordings 1012-1023), by REST and by GraphQL.

Every object comes with two of the server's own, which are made up when they are read.
"""

from typing import Any

from connector.sandbox.twenty import roles
from connector.sandbox.twenty.refusals import Refusal, coded
from connector.sandbox.twenty.schema import BORN
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.workspace import Entry, Workspace, new_id

Args = dict[str, Any]
Wire = dict[str, Any]
SECOND = "universalIdentifier"
KINDS = ("views", "viewFilters", "viewFields")
#: So many columns a view of the server's own has.
COLUMNS = 9

_VIEW: Wire = {
    "key": None,
    "createdByUserWorkspaceId": None,
    "name": "",
    "type": "TABLE",
    "icon": None,
    "position": 0,
    "isCompact": False,
    "openRecordIn": "SIDE_PANEL",
    **dict.fromkeys(("kanbanAggregateOperation", "kanbanAggregateOperationFieldMetadataId")),
    **dict.fromkeys(("anyFieldFilterValue", "calendarLayout", "calendarFieldMetadataId")),
    "visibility": "WORKSPACE",
    "mainGroupByFieldMetadataId": None,
    "shouldHideEmptyGroups": False,
    "kanbanColumnWidth": None,
    "isActive": True,
    "objectMetadataId": None,
    "isCustom": True,
    "objectMetadataUniversalIdentifier": None,
    **dict.fromkeys(("calendarFieldMetadataUniversalIdentifier", "universalOverrides")),
    **dict.fromkeys(
        (
            "kanbanAggregateOperationFieldMetadataUniversalIdentifier",
            "mainGroupByFieldMetadataUniversalIdentifier",
        )
    ),
}
_FILTER: Wire = {
    "viewId": None,
    "fieldMetadataId": None,
    "operand": "IS",
    "value": None,
    **dict.fromkeys(("viewFilterGroupId", "positionInViewFilterGroup", "subFieldName")),
    "relationTargetFieldMetadataId": None,
    **dict.fromkeys(("fieldMetadataUniversalIdentifier", "viewUniversalIdentifier")),
    **dict.fromkeys(("relationTargetFieldMetadataUniversalIdentifier", "viewFilterGroupUniversalIdentifier")),
}
_FIELD: Wire = {
    "isVisible": True,
    "size": 150,
    "position": 0,
    **dict.fromkeys(("aggregateOperation", "viewFieldGroupId", "fieldMetadataId", "viewId")),
    "isActive": True,
    **dict.fromkeys(("fieldMetadataUniversalIdentifier", "viewUniversalIdentifier")),
    **dict.fromkeys(("viewFieldGroupUniversalIdentifier", "universalOverrides")),
    "isOverridden": False,
}
#: What else a workspace's own row says (1016).
_ROW: Wire = {
    **dict.fromkeys(("logo", "logoFileId", "deletedAt", "suspendedAt", "customDomain")),
    **dict.fromkeys(("allowImpersonation", "isPublicInviteLinkEnabled", "useRecommendedModels"), True),
    **{f"is{way}AuthEnabled": True for way in ("Google", "Password", "Microsoft")},
    **{f"is{way}AuthBypassEnabled": False for way in ("Google", "Password", "Microsoft")},
    **dict.fromkeys(("isTwoFactorAuthenticationEnforced", "isCustomDomainEnabled"), False),
    "isInternalMessagesImportEnabled": False,
    "workspaceDiscoverability": "PUBLIC",
    "editableProfileFields": ["email", "profilePicture", "firstName", "lastName"],
    "fastModel": "default-fast-model",
    "smartModel": "default-smart-model",
    "aiAdditionalInstructions": None,
    "enabledAiModelIds": [],
    "routerModel": "auto",
}
_BLANKS = {"views": _VIEW, "viewFilters": _FILTER, "viewFields": _FIELD}
_SETTABLE = {
    "views": ("id", "name", "type", "icon", "position", "objectMetadataId", "visibility", "isCompact"),
    "viewFilters": ("id", "viewId", "fieldMetadataId", "operand", "value", "subFieldName"),
    "viewFields": ("id", "viewId", "fieldMetadataId", "isVisible", "size", "position", "aggregateOperation"),
}
#: Lists of ids that a view carries; only these two are ever filled here.
_LISTS = ("viewField", "viewFieldGroup", "viewFilter", "viewGroup", "viewFilterGroup", "viewSort")
_PART_OF = {"viewField": "viewFields", "viewFilter": "viewFilters"}


def answer(
    session: Session, method: str, kind: str, identity: str, query: dict[str, str], body: Args
) -> tuple[int, Any]:
    """Answer `method /rest/metadata/{kind}/{identity}`."""
    if method == "POST" and not identity:
        return 201, create(session, kind, body)
    if method == "GET" and identity:
        return 200, _read(session.workspace, kind, _found(session.workspace, kind, identity))
    if method == "GET":
        wires = _all(session.workspace, kind)
        wanted = {name: value for name, value in query.items() if name in ("objectMetadataId", "viewId")}
        kept = [each for each in wires if all(each[name] == value for name, value in wanted.items())]
        return 200, [_read(session.workspace, kind, each) for each in kept]
    raise Refusal(f"Cannot {method} /rest/metadata/{kind}/{identity}", 404, "NOT_FOUND")


def create(session: Session, kind: str, given: Args) -> Wire:
    """A new view, filter or column; whether names repeat is nobody's concern (1022)."""
    workspace, role = session.workspace, session.caller.role
    if role is None or "VIEWS" not in roles.flags(role):
        text = "You do not have permission to create workspace-level views"
        raise coded(text, "VIEW_CREATE_PERMISSION_DENIED")
    kept = workspace.layout.setdefault(kind, {})
    wanted = {name: given[name] for name in _SETTABLE[kind] if name in given}
    wire = _wire(workspace, kind, wanted.pop("id", None) or new_id(), session.now(), wanted)
    if wire["id"] in kept:
        text = 'duplicate key value violates unique constraint "PK_86cfb9e426c77d60b900fe2b543"'
        raise Refusal(text)
    kept[wire["id"]] = wire
    workspace.schema_changed()
    return _listing(workspace, wire) if kind == "views" else wire


def _wire(workspace: Workspace, kind: str, identity: str, born: str, wanted: Wire) -> Wire:
    own = workspace.fixed_id("application", "custom")
    head = {"id": identity, "workspaceId": workspace.id, "applicationId": own}
    head |= {"universalIdentifier": workspace.fixed_id("universal", identity)}
    side = {} if kind == "viewFilters" else {"isSystemSideEffect": False}
    times = {"createdAt": born, "updatedAt": born, "deletedAt": None}
    wire = {**head, **side, **_BLANKS[kind], "applicationUniversalIdentifier": own, **times, **wanted}
    if kind == "views":
        return wire | _identified(workspace, "objectMetadata", wire["objectMetadataId"])
    _found(workspace, "views", wire["viewId"])
    if workspace.field(wire["fieldMetadataId"]) is None:
        raise coded("Field metadata not found", "FIELD_METADATA_NOT_FOUND", 404)
    parts = _identified(workspace, "fieldMetadata", wire["fieldMetadataId"])
    return wire | parts | _identified(workspace, "view", wire["viewId"])


def _identified(workspace: Workspace, what: str, identity: str) -> Wire:
    """The second id that each thing has, under the name of what it is."""
    found = workspace.field(identity) if what == "fieldMetadata" else None
    entry = found[1] if found else workspace.objects.get(identity)
    second = entry["wire"]["universalIdentifier"] if entry else workspace.fixed_id("universal", identity)
    return {f"{what}UniversalIdentifier": second}


def _found(workspace: Workspace, kind: str, identity: Any) -> Wire:
    for wire in _all(workspace, kind):
        if wire["id"] == identity:
            return wire
    raise coded(f"{kind[:-1].capitalize()} not found", "NOT_FOUND", 404)


def _all(workspace: Workspace, kind: str) -> list[Wire]:
    own = [wire for entry in workspace.objects.values() for wire in _own(workspace, entry, kind)]
    return [*own, *workspace.layout.get(kind, {}).values()]


def _own(workspace: Workspace, entry: Entry, kind: str) -> list[Wire]:
    """The two views of the server's own that an object has, and their columns (1017)."""
    wire = entry["wire"]
    if kind == "viewFilters" or wire["isSystem"]:
        return []
    index = {"name": f"All {wire['labelPlural']}", "key": "INDEX", "icon": "IconList"}
    page = {
        "name": f"{wire['labelSingular']} Record Page Fields",
        "type": "FIELDS_WIDGET",
        "icon": "IconList",
    }
    made = []
    for mark, wanted in (("index", index), ("page", page)):
        identity = workspace.fixed_id(wire["id"], "view", mark)
        if kind == "views":
            head = _head(workspace, identity, wire["createdAt"])
            parts = {"objectMetadataId": wire["id"], **_identified(workspace, "objectMetadata", wire["id"])}
            made.append({**_VIEW, **head, "isCustom": False, **wanted, **parts})
        else:
            made += _columns(workspace, entry, identity)
    return made


def _head(workspace: Workspace, identity: str, born: str) -> Wire:
    own = workspace.fixed_id("application")
    return {
        "id": identity,
        "workspaceId": workspace.id,
        "applicationId": own,
        "universalIdentifier": workspace.fixed_id("universal", identity),
        "isSystemSideEffect": True,
        "applicationUniversalIdentifier": own,
        "createdAt": born,
        "updatedAt": born,
        "deletedAt": None,
    }


def _columns(workspace: Workspace, entry: Entry, view_id: str) -> list[Wire]:
    listed = [item["wire"] for item in entry["fields"] if not item["wire"]["isSystem"]][:COLUMNS]
    made = []
    for position, field in enumerate(listed):
        head = _head(workspace, workspace.fixed_id(view_id, field["id"]), field["createdAt"])
        wanted = {"viewId": view_id, "fieldMetadataId": field["id"], "position": position}
        parts = _identified(workspace, "fieldMetadata", field["id"])
        made.append({**_FIELD, **head, **wanted, **parts, **_identified(workspace, "view", view_id)})
    return made


def _read(workspace: Workspace, kind: str, wire: Wire) -> Wire:
    """A view reads back with its columns, a filter with its view and the whole workspace (1015, 1016)."""
    if kind == "views":
        parts: Wire = {f"{name}s": [] for name in _LISTS}
        for name in _PART_OF.values():
            parts[name] = [each for each in _all(workspace, name) if each["viewId"] == wire["id"]]
        return {**_listing(workspace, wire), **parts}
    if kind == "viewFilters":
        plain = {name: value for name, value in wire.items() if SECOND[1:] not in name}
        view = _found(workspace, "views", wire["viewId"])
        bare = {name: value for name, value in view.items() if name == SECOND or SECOND[1:] not in name}
        overrides = {"overrides": bare.pop("universalOverrides")}
        told = {"workspace": _workspace(workspace), "view": bare | overrides, "viewFilterGroup": None}
        return {**plain, SECOND: wire[SECOND], **told}
    return wire


def _listing(workspace: Workspace, wire: Wire) -> Wire:
    lists: Wire = {}
    for name in _LISTS:
        parts = _all(workspace, _PART_OF[name]) if name in _PART_OF else []
        mine = [each for each in parts if each["viewId"] == wire["id"]]
        lists[f"{name}Ids"] = [each["id"] for each in mine]
        lists[f"{name}UniversalIdentifiers"] = [each["universalIdentifier"] for each in mine]
    return {**wire, **lists}


def _workspace(workspace: Workspace) -> Wire:
    """The workspace's own row, with the secret that invites people: not to be logged (1016)."""
    return {
        **_ROW,
        "id": workspace.id,
        "displayName": workspace.name,
        "createdAt": BORN,
        "updatedAt": BORN,
        "databaseSchema": f"workspace_{workspace.id.replace('-', '')[:25]}",
        "workspaceCustomApplicationId": workspace.fixed_id("application", "custom"),
        "inviteHash": workspace.fixed_id("invite"),
        "trashRetentionDays": 14,
        "eventLogRetentionDays": 90,
        "activationStatus": "ACTIVE",
        "metadataVersion": workspace.version,
        "subdomain": workspace.name.lower(),
        "defaultRoleId": workspace.fixed_id("role", "member"),
    }


def _create_many(session: Session, args: Args) -> list[Wire]:
    return [create(session, "viewFields", each) for each in args["inputs"]]


ROOTS = {
    "createView": lambda session, args: create(session, "views", args["input"]),
    "createViewFilter": lambda session, args: create(session, "viewFilters", args["input"]),
    "createViewField": lambda session, args: create(session, "viewFields", args["input"]),
    "createManyViewFields": _create_many,
}
