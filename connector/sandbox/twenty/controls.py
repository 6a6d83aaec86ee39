"""/sandbox/…: what tests turn and read; open to all who reach the sandbox, unknown to the connector."""

from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.twenty import auth, wire
from connector.sandbox.twenty.workspace import Workspace
from connector.sandbox.twenty.world import World

STATES = {"revoke": "revoked", "expire": "expired", "expire_token": "token_expired", "renew": "good"}
ROLES = {"read_only": "reader", "admin": "admin"}


def blueprint(world: World) -> Blueprint:
    doors = Blueprint("sandbox", __name__, url_prefix="/sandbox")

    @doors.route("/dials", methods=["GET", "POST", "DELETE"])
    def dials() -> Response:
        with world.lock:
            if request.method == "DELETE":
                world.dials.clear()
            elif request.method == "POST":
                given = request.get_json()
                for each in given if isinstance(given, list) else [given]:
                    world.dials.add(each)
            return wire.reply(200, {"dials": world.dials.shown()})

    @doors.route("/stats", methods=["GET", "DELETE"])
    def stats() -> Response:
        with world.lock:
            if request.method == "DELETE":
                world.stats.reset()
            return wire.reply(200, world.stats.shown())

    @doors.post("/keys")
    def keys() -> Response:
        with world.lock:
            return wire.reply(200, _turn_key(world, request.get_json()))

    @doors.get("/records/<plural>")
    def records(plural: str) -> Response:
        with world.lock:
            workspace = world.nth(request.args.get("workspace"))
            table = workspace.table(workspace.plurals[plural])
            rows = [table.rows[each] for each in table.ids()]
        return wire.reply(200, rows)

    return doors


def _turn_key(world: World, given: dict[str, Any]) -> dict[str, Any]:
    """{"do": revoke|expire|expire_token|renew|read_only|admin|new, "workspace"?, "key"? (id or token)}.

    "new" takes "role" ("admin" or "read_only") and "name" instead of "key".
    """
    workspace, act = world.nth(given.get("workspace")), given["do"]
    if act == "new":
        role = ROLES.get(given.get("role", "admin"), "reader")
        key = auth.new_key(workspace, role, given.get("name", "Sandbox key"), int(world.settings.now()))
    else:
        key = _key(world, workspace, given.get("key"))
        key["state"] = STATES.get(act, key["state"])
        key["role"] = ROLES.get(act, key["role"])
    workspace.changed = True
    world.save()
    told = {"id": key["id"], "role": key["role"], "state": key["state"], "workspaceId": workspace.id}
    return {**told, "key": auth.token_of(workspace, key, world.secret)}


def _key(world: World, workspace: Workspace, which: str | None) -> dict[str, Any]:
    """A key by id or token; the administrator's if None."""
    for key in workspace.keys.values():
        if which in (None, key["id"], auth.token_of(workspace, key, world.secret)):
            return key
    raise auth.no_list()
