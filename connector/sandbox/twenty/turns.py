"""What tests turn: API keys, people, roles and the OAuth of the server; each turn says what it takes."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from connector.sandbox.twenty import auth, people, removals, roles
from connector.sandbox.twenty.oauth_grants import ACCESS, REFRESH
from connector.sandbox.twenty.workspace import Workspace
from connector.sandbox.twenty.world import World

Turn = Callable[[World, dict[str, Any]], dict[str, Any]]
STATES = {"revoke": "revoked", "expire": "expired", "expire_token": "token_expired", "renew": "good"}
ENDED = {"expire_access": ACCESS, "expire_refresh": REFRESH}
ROLES = {"read_only": "reader", "admin": "admin"}


def _key(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"do": revoke|expire|expire_token|renew|read_only|admin|new, "workspace"?, "key"? (id or token)}.

    "new" takes "role" ("admin" or "read_only") and "name" instead of "key".
    """
    workspace, act = world.nth(given.get("workspace")), given["do"]
    if act == "new":
        role = ROLES.get(given.get("role", "admin"), "reader")
        key = auth.new_key(workspace, role, given.get("name", "Sandbox key"), int(world.settings.now()))
    else:
        key = _found(world, workspace, given.get("key"))
        key["state"] = STATES.get(act, key["state"])
        key["role"] = ROLES.get(act, key["role"])
    workspace.changed = True
    told = {"id": key["id"], "role": key["role"], "state": key["state"], "workspaceId": workspace.id}
    return {**told, "key": auth.token_of(workspace, key, world.secret)}


def _found(world: World, workspace: Workspace, which: str | None) -> dict[str, Any]:
    """A key by id or token; the administrator's if None."""
    for key in workspace.keys.values():
        if which in (None, key["id"], auth.token_of(workspace, key, world.secret)):
            return key
    raise KeyError(which)


def _user(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"do": add|remove|role|session, "email", "role"?, "firstName"?, "lastName"?, "workspace"?}.

    Gives the person, with `session` (what their browser holds) and `homeless` (the same without a workspace).
    """
    workspace, act = world.nth(given.get("workspace")), given["do"]
    session = world.system(workspace)
    if act == "add":
        names = (given.get("firstName", ""), given.get("lastName", ""))
        user = people.add(session, given["email"], given.get("role", "member"), *names)
    else:
        user = people.named(workspace, given["email"])
    if act == "role":
        user["role"], workspace.changed = roles.find(workspace, given["role"])["id"], True
    if act == "remove":
        people.remove(session, user)
    now = int(world.settings.now())
    told = {**people.shown(user), "workspaceId": workspace.id}
    homeless = auth.homeless_token(user, world.secret, now)
    return {**told, "session": auth.session_token(workspace, user, world.secret, now), "homeless": homeless}


def _role(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"role": admin|member|reader|id, "workspace"?, and what changes: label, flags, …}."""
    workspace = world.nth(given.get("workspace"))
    role = roles.find(workspace, given["role"])
    role |= {name: value for name, value in given.items() if name in role and name != "id"}
    workspace.changed = True
    return role


def _oauth(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"access_seconds"?, "refresh_seconds"?, "do"?}.

    `do` is expire_access or expire_refresh (the tokens given out so far) or forget_clients (registrations).
    """
    grants = world.grants
    for name in ("access_seconds", "refresh_seconds"):
        setattr(grants, name, given.get(name, getattr(grants, name)))
    if given.get("do") in ENDED:
        grants.end(ENDED[given["do"]])
    if given.get("do") == "forget_clients":
        grants.clients.clear()
        grants.changed = True
    times = {"access_seconds": grants.access_seconds, "refresh_seconds": grants.refresh_seconds}
    return {**times, "clients": list(grants.clients)}


def _server(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """What `Server` holds, by name: oauth, front_url, multi_workspace, code_steps, down."""
    for name, value in given.items():
        setattr(world.server, name, value)
    return asdict(world.server)


def _trash(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"workspace"?}: destroy what is soft-deleted, as the server does after fourteen days."""
    workspace, gone = world.nth(given.get("workspace")), 0
    session = world.system(workspace)
    for shape in workspace.singulars.values():
        rows = workspace.table(shape).rows
        for row_id in [row["id"] for row in rows.values() if row["deletedAt"] is not None]:
            if row_id in rows:
                removals.destroy_one(session, shape, row_id)
                gone += 1
    return {"destroyed": gone}


TURNS: dict[str, Turn] = {
    "keys": _key,
    "users": _user,
    "roles": _role,
    "oauth": _oauth,
    "server": _server,
    "trash": _trash,
}
