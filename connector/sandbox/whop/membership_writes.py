"""What the API does to a membership, in today's dialect and in the old one, and the webhooks it causes."""

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, g, request

from connector.sandbox.whop import api, edits, errors
from connector.sandbox.whop.happenings import Told, cancelled
from connector.sandbox.whop.values import DAY, Record, iso, millis
from connector.sandbox.whop.world import World

MOST_DAYS: Final = 1095

Write = Callable[[World, int, Record], Record]


def tell(told: list[Told]) -> None:
    """Post what happened to the hooks of the first company."""
    parts = api.parts()
    for one in told:
        parts.hooks.tell(one.event, one.kind, one.record, parts.world.home, parts.world.stamp())


def _index(name: str) -> int:
    """The membership to be changed, which only the first company keeps."""
    home = api.world().home
    for shelf in api.within_reach():
        index = shelf.tables["memberships"].find(name)
        if index is not None and shelf is not home:
            raise errors.not_built("The sandbox changes memberships of the first company only.")
        if index is not None:
            return index
    raise errors.not_found("memberships")


def patch(world: World, index: int, body: Record) -> Record:
    """PATCH /memberships/{id}: an edit of the flag is told, one of the metadata is not."""
    before = world.home.tables["memberships"].get(index)["cancel_at_period_end"]
    record = edits.patch_membership(world, index, body)
    if record["cancel_at_period_end"] != before:
        tell([Told("membership.cancel_at_period_end_changed", "memberships", record)])
    return record


def cancel(world: World, index: int, body: Record) -> Record:
    """POST …/cancel, which the old dialect asks for by ``cancellation_mode``."""
    if g.legacy:
        at_end = body.get("cancellation_mode", "at_period_end") == "at_period_end"
        body = {"cancel_at_period_end": at_end}
    record = edits.cancel_membership(world, index, body)
    tell(cancelled(record))
    return record


def uncancel(world: World, index: int, body: Record) -> Record:
    """POST …/uncancel, in the old dialect."""
    return patch(world, index, {"cancel_at_period_end": False})


def pause(world: World, index: int, body: Record) -> Record:
    """POST …/pause: the status stays, and no event tells it."""
    return _act(world, index, "paused_at", world.stamp())


def resume(world: World, index: int, body: Record) -> Record:
    """POST …/resume."""
    record = world.home.tables["memberships"].get(index)
    return _act(world, index, "renewing_on", record["current_period_end"])


def _act(world: World, index: int, action: str, at: str | None) -> Record:
    return edits.change(
        world, "memberships", index, {"most_recent_action": action, "most_recent_action_at": at}
    )


def extend(world: World, index: int, body: Record) -> Record:
    """POST …/extend, and …/add_free_days in the old dialect: the period ends later."""
    days = body.get("free_days" if g.legacy else "days")
    if not isinstance(days, int) or not 1 <= days <= MOST_DAYS:
        raise errors.bad_param("days", f"days must be an integer between 1 and {MOST_DAYS}.")
    end = world.home.tables["memberships"].get(index)["current_period_end"]
    if end is None:
        raise errors.unprocessable("A membership without an end can't be extended.")
    return edits.change(world, "memberships", index, {"current_period_end": iso(millis(end) + days * DAY)})


def _route(write: Write, needed: str) -> Callable[[str], Response]:
    def view(name: str) -> Response:
        api.caller().need(needed)
        body: Any = request.get_json(silent=True)
        record = write(api.world(), _index(name), {} if body is None else body)
        return api.answer(api.written("memberships", record, api.world().home, single=True))

    return view


def create_blueprint() -> Blueprint:
    """All routes that change a membership."""
    routes = Blueprint("memberships", __name__, url_prefix="/api/v1/memberships/<name>")
    for method, path, write, needed in (
        ("PATCH", "", patch, "member:manage"),
        ("POST", "/cancel", cancel, "membership:cancel"),
        ("POST", "/uncancel", uncancel, "membership:cancel"),
        ("POST", "/pause", pause, "member:manage"),
        ("POST", "/resume", resume, "member:manage"),
        ("POST", "/extend", extend, "member:manage"),
        ("POST", "/add_free_days", extend, "member:manage"),
    ):
        view = _route(write, needed)
        routes.add_url_rule(path, f"{method}{path}".replace("/", "_"), view, methods=[method])
    return routes
