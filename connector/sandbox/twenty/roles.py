"""Roles and what they allow (recordings 001, 065, 075, 085; permissions of one role 870-881).

A role is plain data. `objects` and `fields` hold what differs from its general permissions, by object and
field id. Admin and Member come with every workspace; Reader is the read-only role of the recordings.
"""

from typing import Any

from connector.sandbox.twenty.workspace import Entry, Workspace

Role = dict[str, Any]

#: Everything that a person may be allowed besides records (065).
FLAGS = (
    "API_KEYS_AND_WEBHOOKS", "WORKSPACE", "WORKSPACE_MEMBERS", "ROLES", "DATA_MODEL", "SECURITY", "WORKFLOWS",
    "APPLICATIONS", "LAYOUTS", "VIEWS", "BILLING", "AI_SETTINGS", "AI", "UPLOAD_FILE", "DOWNLOAD_FILE",
    "SEND_EMAIL_TOOL", "CREATE_CALENDAR_EVENT_TOOL", "HTTP_REQUEST_TOOL", "CODE_INTERPRETER_TOOL",
    "IMPORT_CSV", "EXPORT_CSV", "CONNECTED_ACCOUNTS", "IMPERSONATE", "SSO_BYPASS", "PROFILE_INFORMATION",
    "MARKETPLACE_APPS",
)  # fmt: skip
#: What the built-in role Member has of it (085).
MEMBER_FLAGS = (
    "VIEWS", "AI", "UPLOAD_FILE", "DOWNLOAD_FILE", "SEND_EMAIL_TOOL", "CREATE_CALENDAR_EVENT_TOOL",
    "HTTP_REQUEST_TOOL", "CODE_INTERPRETER_TOOL", "IMPORT_CSV", "EXPORT_CSV", "CONNECTED_ACCOUNTS",
    "PROFILE_INFORMATION",
)  # fmt: skip
ACTS = ("Read", "Update", "SoftDelete", "Destroy")
GENERAL = tuple(f"can{act}AllObjectRecords" for act in ACTS)
SETTABLE = ("label", "canUpdateAllSettings", *GENERAL, "canBeAssignedToUsers", "canBeAssignedToApiKeys")

_NAMED: dict[str, Role] = {
    "member": {
        **dict.fromkeys((*GENERAL, "canBeAssignedToUsers", "isEditable"), True),
        "label": "Member",
        "flags": list(MEMBER_FLAGS),
    },
    "admin": {
        **dict.fromkeys((*GENERAL, "canBeAssignedToUsers", "canBeAssignedToApiKeys"), True),
        "label": "Admin",
        "canUpdateAllSettings": True,
    },
    "reader": {
        **dict.fromkeys((GENERAL[0], "canBeAssignedToUsers", "canBeAssignedToApiKeys", "isEditable"), True),
        "label": "Reader",
    },
}


def make(identity: str, **given: Any) -> Role:
    no = dict.fromkeys((*SETTABLE[1:], "canBeAssignedToAgents", "isEditable"), False)
    return {"id": identity, **no, "flags": [], "objects": {}, "fields": {}, **given}


def find(workspace: Workspace, which: str) -> Role:
    """A role by id, or one of the named ones, which is made when it is first needed."""
    found: Role | None = workspace.roles.get(which)
    if found is None and which in _NAMED:
        identity = workspace.fixed_id("role", which)
        found = workspace.roles.setdefault(identity, make(identity, **_NAMED[which]))
        workspace.changed = True
    if found is None:
        raise KeyError(which)
    return found


def flags(role: Role) -> list[str]:
    return list(FLAGS) if role["canUpdateAllSettings"] else list(role["flags"])


def may(role: Role, object_id: str, act: str) -> bool:
    """Whether records of an object may be read, updated, soft-deleted or destroyed."""
    general = bool(role[f"can{act}AllObjectRecords"])
    return bool(role["objects"].get(object_id, {}).get(f"can{act}ObjectRecords", general))


def withheld(role: Role, entry: Entry, right: str) -> set[str]:
    """The fields of an object that may not be read or updated; `right` is Read or Update."""
    ids = {
        identity for identity, told in role["fields"].items() if not told.get(f"can{right}FieldValue", True)
    }
    return {_column(item) for item in entry["fields"] if item["wire"]["id"] in ids}


def _column(item: Entry) -> str:
    settings = item["wire"].get("settings") or {}
    return str(settings.get("joinColumnName") or item["wire"]["name"])
