"""The validation tree of schema changes (recordings 106-112, 129-136, 151, 153, 171, 177)."""

from typing import Any

from connector.sandbox.twenty.workspace import Entry, Workspace, new_id

Errors = dict[str, list[dict[str, Any]]]
MANY = "Many validation errors"
BASE_NAMES = (
    "name", "id", "createdAt", "createdBy", "deletedAt", "position", "searchVector", "updatedAt", "updatedBy",
    "timelineActivities", "attachments", "noteTargets", "taskTargets",
)  # fmt: skip


class SchemaRefusal(Exception):
    """A schema change that the validator refused; both doors send the same tree."""

    def __init__(self, doing: str, errors: Errors, friendly: str = MANY) -> None:
        super().__init__(doing)
        self.message = f"Multiple validation errors occurred while {doing}"
        self.errors, self.friendly = errors, friendly
        counts = {name: len(items) for name, items in errors.items()}
        self.summary = {"totalErrors": sum(counts.values()), **counts}

    def rest(self) -> dict[str, Any]:
        tree = {"message": self.message, "errors": self.errors, "summary": self.summary}
        shape = {"statusCode": 400, "error": "METADATA_VALIDATION_ERROR"}
        return {**shape, **tree, "userFriendlyMessage": self.friendly}

    def graphql(self) -> dict[str, Any]:
        extensions = {
            "code": "METADATA_VALIDATION_FAILED",
            "errors": self.errors,
            "summary": self.summary,
            "userFriendlyMessage": self.friendly,
            "message": f"Validation failed for {_told(self.errors)}",
        }
        return {"message": self.message, "extensions": extensions}


class ShapeRefusal(Exception):
    """The request body is not of the expected form (112, 133)."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("; ".join(messages))
        self.body: dict[str, Any] = {"message": messages, "error": "Bad Request", "statusCode": 400}


def _told(errors: Errors) -> str:
    plurals = {"index": "indices", "fieldMetadata": "fieldMetadata", "objectMetadata": "objectMetadata"}
    plurals["searchFieldMetadata"] = "searchFieldMetadata"
    parts = []
    for name, items in errors.items():
        parts.append(f"{len(items)} {plurals.get(name, name + 's') if len(items) > 1 else name}")
    return ", ".join(parts)


def complaint(code: str, text: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "message": text, "userFriendlyMessage": text, **more}


def _failed(
    kind: str, about: dict[str, Any], *errors: dict[str, Any], doing: str = "create"
) -> dict[str, Any]:
    told = {"universalIdentifier": new_id(), **about}
    head = {"status": "fail", "errors": list(errors)}
    return {**head, "flatEntityMinimalInformation": told, "metadataName": kind, "type": doing}


def field_refused(entry: Entry, name: str, error: dict[str, Any], *, unique: bool) -> SchemaRefusal:
    """A refused field drags the columns of the object's two views with it, and its unique index."""
    about = {"name": name, "objectMetadataUniversalIdentifier": entry["wire"]["universalIdentifier"]}
    view = complaint("INVALID_VIEW_DATA", "Field metadata not found")
    ids = {"viewUniversalIdentifier": new_id(), "fieldMetadataUniversalIdentifier": new_id()}
    errors: Errors = {
        "fieldMetadata": [_failed("fieldMetadata", about, error)],
        "viewField": [_failed("viewField", ids, view) for _ in range(2)],
    }
    if unique:
        lost = complaint("INDEX_FIELD_NOT_FOUND", "Could not find index field related field metadata")
        errors["index"] = [_failed("index", {"name": f"IDX_UNIQUE_{new_id()}"}, lost)]
    return SchemaRefusal("creating fields", errors)


def field_update_refused(entry: Entry, name: str, error: dict[str, Any]) -> SchemaRefusal:
    about = {"name": name, "objectMetadataUniversalIdentifier": entry["wire"]["universalIdentifier"]}
    errors = {"fieldMetadata": [_failed("fieldMetadata", about, error, doing="update")]}
    return SchemaRefusal("updating field", errors, error["message"])


def no_such_object() -> SchemaRefusal:
    error = complaint("OBJECT_METADATA_NOT_FOUND", "Provided object metadata id does not exist")
    error["userFriendlyMessage"] = "Created field metadata, parent object metadata not found"
    item: dict[str, Any] = {"errors": [error], "type": "create", "metadataName": "fieldMetadata"}
    item["flatEntityMinimalInformation"] = {"id": ""}
    return SchemaRefusal("creating field", {"fieldMetadata": [item]}, error["userFriendlyMessage"])


def object_refused(
    workspace: Workspace, wanted: dict[str, Any], errors: list[dict[str, Any]]
) -> SchemaRefusal:
    """The cause is among 35 errors: everything that hangs on the object fails with it (106)."""
    names = {"namePlural": wanted["namePlural"], "nameSingular": wanted["nameSingular"]}
    orphan = complaint("OBJECT_METADATA_NOT_FOUND", "Object metadata not found")
    orphan["userFriendlyMessage"] = "Field to create related object not found"
    fields = [_failed("fieldMetadata", {"name": name}, orphan) for name in BASE_NAMES]
    far = f"target{wanted['nameSingular'][:1].upper()}{wanted['nameSingular'][1:]}"
    taken = complaint(
        "NOT_AVAILABLE", f'Name "{far}" is not available as it is already used by another field'
    )
    aimless = complaint("OBJECT_METADATA_NOT_FOUND", "Relation target object metadata not found")
    aimless["userFriendlyMessage"] = "Object targeted by the relation not found"
    known = wanted["nameSingular"] in workspace.singulars
    fields += [_failed("fieldMetadata", {"name": far}, taken if known else aimless) for _ in range(4)]
    view = complaint("INVALID_VIEW_DATA", "Object metadata not found")
    column = complaint("INVALID_VIEW_DATA", "Field metadata not found")
    index = complaint("INDEX_OBJECT_NOT_FOUND", "Could not find index related object metadata")
    search = complaint("FIELD_METADATA_NOT_FOUND", "Field metadata not found")
    tree: Errors = {
        "fieldMetadata": fields,
        "objectMetadata": [_failed("objectMetadata", names, *errors)],
        "view": [_failed("view", {}, view) for _ in range(2)],
        "viewField": [_failed("viewField", {}, column) for _ in range(9)],
        "index": [_failed("index", {}, index) for _ in range(5)],
        "searchFieldMetadata": [_failed("searchFieldMetadata", {}, search)],
    }
    return SchemaRefusal("creating object", tree)
