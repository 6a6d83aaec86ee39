"""Who asks: an API key, a person at the browser, or an application that acts for a person."""

from dataclasses import dataclass
from typing import Any

from connector.sandbox.twenty import roles
from connector.sandbox.twenty.roles import Role
from connector.sandbox.twenty.workspace import User, Workspace

SYSTEM = {"source": "MANUAL", "workspaceMemberId": None, "name": "System", "context": None}


@dataclass(frozen=True, slots=True)
class Caller:
    """`kind` is key, app, user or system; `actor` is what createdBy shows.

    `role` is None for an application without a person, or of a person who was removed: it may do nothing.
    """

    workspace: Workspace
    kind: str
    actor: dict[str, Any]
    role: Role | None
    user: User | None = None


def system(workspace: Workspace) -> Caller:
    """The server itself."""
    return Caller(workspace, "system", SYSTEM, roles.find(workspace, "admin"))


def by_key(workspace: Workspace, key: dict[str, Any]) -> Caller:
    """An API key writes under its own name (200)."""
    actor = {"source": "API", "workspaceMemberId": None, "name": key["name"], "context": {}}
    return Caller(workspace, "key", actor, roles.find(workspace, key["role"]))


def by_person(workspace: Workspace, user: User | None, kind: str) -> Caller:
    """A person, or an application in their name: what it writes looks typed by them (071, 091)."""
    if user is None:
        return Caller(workspace, kind, SYSTEM, None)
    name = f"{user['firstName']} {user['lastName']}"
    actor = {"source": "MANUAL", "workspaceMemberId": user["member"], "name": name, "context": {}}
    return Caller(workspace, kind, actor, roles.find(workspace, user["role"]), user)
