"""/sandbox/…: what tests turn and read; open to all who reach the sandbox, unknown to the connector."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from connector.sandbox.twenty import wire
from connector.sandbox.twenty.postman import Postman
from connector.sandbox.twenty.turns import TURNS, Turn
from connector.sandbox.twenty.world import World


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

    for name, turn in TURNS.items():
        doors.add_url_rule(f"/{name}", name, _turning(world, turn), methods=["POST"])

    @doors.post("/webhooks")
    def webhooks() -> Response:
        """Without the lock: who receives them may ask the sandbox meanwhile."""
        return wire.reply(200, _turn_webhooks(world.postman, request.get_json()))

    @doors.get("/records/<plural>")
    def records(plural: str) -> Response:
        with world.lock:
            workspace = world.nth(request.args.get("workspace"))
            table = workspace.table(workspace.plurals[plural])
            rows = [table.rows[each] for each in table.ids()]
        return wire.reply(200, rows)

    return doors


def _turning(world: World, turn: Turn) -> Callable[[], Response]:
    def turned() -> Response:
        with world.lock:
            try:
                told = turn(world, request.get_json())
            except KeyError as error:
                return wire.reply(400, {"error": f"no such {error.args[0]}"})
            world.save()
        return wire.reply(200, told)

    return turned


def _turn_webhooks(postman: Postman, given: dict[str, Any]) -> dict[str, Any]:
    """{"held"?: bool, "do"?: release (with "order"?: places of what waits) or flush}.

    `flush` waits until all that was let go is delivered. Gives what waits, and what became of the rest.
    """
    postman.held = given.get("held", postman.held)
    if given.get("do") == "release":
        postman.release(given.get("order"))
    if given.get("do") == "flush":
        postman.flush()
    return {"waiting": [letter.body for letter in postman.waiting], "sent": postman.sent()}
