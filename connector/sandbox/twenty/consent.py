"""The consent page at /authorize, as a person at the browser meets it.

Signing in is choosing who one is: there are no passwords here. "Authorize" goes back to the application
with a code, and with `theme` as Twenty's front end adds it; "Cancel" only opens the CRM, and the application
hears nothing.
"""

from typing import Any

from flask import Blueprint, Response, render_template, request
from itsdangerous import BadSignature, URLSafeSerializer

from connector.sandbox.twenty import browse, roles
from connector.sandbox.twenty.refusals import Refusal
from connector.sandbox.twenty.workspace import User, Workspace
from connector.sandbox.twenty.world import World


def blueprint(world: World) -> Blueprint:
    doors = Blueprint("consent", __name__)
    sealer = URLSafeSerializer(world.secret, "consent")

    @doors.get("/authorize")
    def authorize() -> Response:
        asked = request.args.to_dict()
        with world.lock:
            try:
                client, address = world.grants.check(_as_mutation(asked))
            except Refusal as refusal:
                return _refused(refusal.message)
            workspaces = [(each, _people(each)) for each in world.workspaces.values()]
        shown: dict[str, Any] = {"client": client, "address": address, "workspaces": workspaces}
        return _page("authorize", goes_to=address, sealed=sealer.dumps(asked), **shown)

    @doors.post("/authorize")
    def decide() -> Response:
        try:
            asked = sealer.loads(request.form.get("request", ""))
        except BadSignature:
            return _refused("This form is not one that we made. Start again from the app.")
        if request.form.get("decision") != "authorize":
            return _away("/")
        with world.lock:
            return _authorized(world, asked)

    return doors


def _people(workspace: Workspace) -> list[tuple[User, str]]:
    """Everybody who may sign in, with the label of their role."""
    return [(user, roles.find(workspace, user["role"])["label"]) for user in workspace.users.values()]


def _authorized(world: World, asked: dict[str, str]) -> Response:
    workspace_id, _, user_id = request.form.get("person", "").partition("/")
    workspace = world.workspaces.get(workspace_id)
    user = workspace.users.get(user_id) if workspace else None
    if workspace is None or user is None:
        return _refused("Choose who you are.")
    try:
        goal = world.grants.allow(workspace, user, _as_mutation(asked))
    except Refusal as refusal:
        return _refused(refusal.message)
    world.save()
    return _away(f"{goal}&theme=light")


def _as_mutation(asked: dict[str, str]) -> dict[str, Any]:
    """What the page hands to authorizeApp; the scope of the address is not passed on."""
    return {
        "clientId": asked.get("client_id"),
        "redirectUrl": asked.get("redirect_uri"),
        "codeChallenge": asked.get("code_challenge"),
        "state": asked.get("state"),
    }


def _refused(why: str) -> Response:
    return _page("refused", status=400, why=why)


def _away(goal: str) -> Response:
    return Response(status=303, headers={**browse.HEADERS, "Location": goal})


def _page(name: str, *, status: int = 200, goes_to: str = "", **shown: Any) -> Response:
    """A page; browsers check the whole way of its form, which ends at the application."""
    made = Response(render_template(f"browse/{name}.html", goes_to=goes_to, **shown), status)
    policy = browse.HEADERS["Content-Security-Policy"]
    origin = "/".join(goes_to.split("/")[:3])
    more = {
        "Content-Security-Policy": policy.replace(
            "form-action 'self'", f"form-action 'self' {origin}".strip()
        )
    }
    made.headers.update({**browse.HEADERS, **more})
    return made
