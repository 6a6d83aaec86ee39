"""The people of a workspace: who they are, their role, and the member record of each (065, 070)."""

from typing import Any

from connector.sandbox.twenty import records, removals
from connector.sandbox.twenty.session import Session
from connector.sandbox.twenty.workspace import User, Workspace


def add(session: Session, email: str, role: str, first: str = "", last: str = "") -> User:
    """A new person; whoever was added first runs the server as well."""
    workspace = session.workspace
    mark = () if not workspace.users else (email,)
    user: User = {
        "id": workspace.fixed_id("user", *mark),
        "member": workspace.fixed_id("member", *mark),
        "seat": workspace.fixed_id("seat", *mark),
        "email": email,
        "firstName": first,
        "lastName": last,
        "role": role,
        "runsServer": not workspace.users,
    }
    workspace.users[user["id"]] = user
    workspace.changed = True
    shape = workspace.singulars["workspaceMember"]
    if user["member"] not in workspace.table(shape).rows:
        row = {"name": {"firstName": first, "lastName": last}, "userEmail": email, "userId": user["id"]}
        records.create_many(session.as_system(), shape, [{"id": user["member"], **row}])
    return user


def remove(session: Session, user: User) -> None:
    """Tokens of this person stay good and open nothing from now on (883-886)."""
    workspace = session.workspace
    del workspace.users[user["id"]]
    workspace.changed = True
    removals.destroy_one(session.as_system(), workspace.singulars["workspaceMember"], user["member"])


def named(workspace: Workspace, which: str) -> User:
    """A person by id, member id or e-mail; KeyError if nobody."""
    for user in workspace.users.values():
        if which in (user["id"], user["member"], user["email"]):
            return user
    raise KeyError(which)


def shown(user: User) -> dict[str, Any]:
    return {name: user[name] for name in ("id", "email", "firstName", "lastName", "role", "member")}
