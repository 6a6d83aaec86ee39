"""The connections of the workspace: how they stand, sync now, pause, resume, disconnect."""

from __future__ import annotations

import flask
from flask import Blueprint, abort, g, render_template, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, RefusedError
from connector.store import connections, overview
from connector.store.connections import Connection
from connector.sync import onboarding, steering
from connector.web import access, present, shell, standing, views_runs

blueprint = access.protect(Blueprint("connections", __name__))


@blueprint.get("/connections")
def listing() -> str:
    """Every connection, with what can be done about it."""
    with shell.parts().database.reading() as session:
        known = standing.of_workspace(session, shell.workspace_id())
        found = [views_runs.with_pace(session, one) for one in known]
    return render_template("pages/connections.html", standings=found, connect=standing.connect_link)


@blueprint.post("/connections/<id_>/sync")
def sync(id_: str) -> ResponseReturnValue:
    """Start a full sync and show it; where one is under way, show that one."""
    one = found_or_404(id_)
    try:
        run_id = onboarding.start_sync(
            shell.parts().tools, one, "full", why=by_hand(), correlation_id=g.correlation_id
        )
    except ConnectorError as error:
        return refused(error, one.id, url_for(".listing"))
    _record("sync_started", one)
    shell.tell("Sync started", "You may close this page; it goes on by itself.")
    return flask.redirect(url_for("runs.show", run_id=run_id), 303)


@blueprint.post("/connections/<id_>/pause")
def pause(id_: str) -> ResponseReturnValue:
    """Stop its syncs for the time being."""
    one = found_or_404(id_)
    steering.pause(shell.parts().tools, one.workspace_id, one.id)
    _record("sync_paused", one)
    shell.tell("Paused", f"Syncs of {present.company(one)} stop after the records in hand. Nothing is lost.")
    return flask.redirect(access.came_from(), 303)


@blueprint.post("/connections/<id_>/resume")
def resume(id_: str) -> ResponseReturnValue:
    """Let its syncs go on where they stopped."""
    one = found_or_404(id_)
    steering.resume(shell.parts().tools, one.workspace_id, one.id)
    _record("sync_resumed", one)
    shell.tell("Resumed", f"Syncs of {present.company(one)} go on.")
    return flask.redirect(access.came_from(), 303)


@blueprint.get("/connections/<id_>/disconnect")
def ask_disconnect(id_: str) -> str:
    """What disconnecting does, and the button for it."""
    one = found_or_404(id_)
    with shell.parts().database.reading() as session:
        health = overview.health(session, one.workspace_id).get(one.id, overview.Health())
        active = overview.active_runs(session, one.workspace_id).get(one.id)
    if one.status == "revoked":
        abort(404)
    return render_template(
        "pages/disconnect.html", one=one, title=present.company(one), health=health, active=active
    )


@blueprint.post("/connections/<id_>/disconnect")
def disconnect(id_: str) -> ResponseReturnValue:
    """Forget the access; what was synced stays."""
    one = found_or_404(id_)
    parts = shell.parts()
    steering.disconnect(parts.tools, parts.openers.keeper, one.workspace_id, one.id)
    _record("disconnect", one)
    shell.tell(f"{present.company(one)} is disconnected", "Its access was forgotten. What was synced stays.")
    return flask.redirect(url_for(".listing"), 303)


def found_or_404(id_: str) -> Connection:
    """A connection of this workspace."""
    try:
        with shell.parts().database.reading() as session:
            return connections.get(session, shell.workspace_id(), id_)
    except RefusedError:
        abort(404)


def by_hand() -> str:
    """Why a run starts that somebody asked for."""
    return f"Manually by {g.operator.name}"


def refused(error: ConnectorError, connection_id: str, back: str) -> ResponseReturnValue:
    """Back with the reason; where another run is under way, to that run."""
    with shell.parts().database.reading() as session:
        active = overview.active_runs(session, shell.workspace_id()).get(connection_id)
    if error.code == "run_active" and active is not None:
        shell.tell("A sync is under way already", "It is this one; no second one was started.", tone="")
        return flask.redirect(url_for("runs.show", run_id=active.id), 303)
    known = error.code in ("connection_inactive", "connection_paused")
    link, label = (url_for("connections.listing"), "Open connections") if known else ("", "")
    shell.tell_error(error, link=link, label=label)
    return flask.redirect(back, 303)


def _record(what: str, one: Connection) -> None:
    with shell.parts().database.transaction() as session:
        access.record(session, what, company=present.company(one), connection=one.id)
