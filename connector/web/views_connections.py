"""The connections of the workspace: how they stand, sync now, pause, resume, disconnect."""

from __future__ import annotations

import flask
from flask import Blueprint, abort, g, render_template, url_for
from flask.typing import ResponseReturnValue

from connector.errors import ConnectorError, RefusedError
from connector.store import connections, overview
from connector.store.connections import Connection
from connector.sync import connecting, keys, onboarding, rehearsing, scheduling, steering
from connector.sync.rehearsing import Wanted
from connector.web import (
    access,
    by_clock,
    error_registry,
    notes,
    permissions,
    present,
    shell,
    standing,
    views_runs,
)

blueprint = access.protect(Blueprint("connections", __name__))


@blueprint.get("/connections")
def listing() -> str:
    """Every connection, with what can be done about it."""
    with shell.parts().database.reading() as session:
        known = standing.of_workspace(session, shell.workspace_id(), shell.parts().tools.clock())
        found = [views_runs.with_pace(session, one) for one in known]
    return render_template("pages/connections.html", standings=found, connect=standing.connect_link)


@blueprint.get("/connections/<id_>")
def show(id_: str) -> str:
    """One connection: how it stands, how it has access, and what it may read on Whop."""
    one = found_or_404(id_)
    with shell.parts().database.reading() as session:
        found = standing.of_workspace(session, one.workspace_id, shell.parts().tools.clock())
        clock = by_clock.of(session, one, shell.parts().tools)
    return render_template(
        "pages/connection.html",
        clock=clock,
        standing=next(each for each in found if each.connection.id == one.id),
        permissions=permissions.of(one),
        leaves=notes.left_by_events(shell.mappings()),
        ended=error_registry.entry(one.ended_code) if one.status == "expired" else None,
        connect=standing.connect_link,
    )


@blueprint.post("/connections/<id_>/schedule")
def schedule(id_: str) -> ResponseReturnValue:
    """Say how often it is synced by the clock, or that it is not."""
    one, wanted = found_or_404(id_), flask.request.form.get("every", "")
    minutes = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else None
    try:
        scheduling.change(
            shell.parts().tools, one.workspace_id, one.id, minutes=minutes, enabled=wanted != "off"
        )
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", id_=id_), 303)
    _record("schedule_changed", one)
    told = "Only webhooks and the buttons bring changes now." if wanted == "off" else "It counts from now on."
    shell.tell("The interval is changed", told)
    return flask.redirect(url_for(".show", id_=id_), 303)


@blueprint.post("/connections/<id_>/notes")
def switch_notes(id_: str) -> ResponseReturnValue:
    """Have events leave notes and tasks from now on, or not any more."""
    one, on = found_or_404(id_), flask.request.form.get("on") == "yes"
    steering.switch_notes(shell.parts().tools, one.workspace_id, one.id, on=on)
    _record("notes_on" if on else "notes_off", one)
    told = (
        "What happens from now on leaves them; nothing from before does." if on else "Those in Twenty stay."
    )
    shell.tell(f"Notes and tasks are {'on' if on else 'off'}", told)
    return flask.redirect(url_for(".show", id_=id_), 303)


@blueprint.post("/connections/<id_>/permissions")
def look_again(id_: str) -> ResponseReturnValue:
    """Ask Whop by name what the connection may read."""
    one, parts = found_or_404(id_), shell.parts()
    try:
        now = keys.look_again(parts.tools, parts.desk.asked, one)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", id_=id_), 303)
    lacks = len(connecting.missing(parts.desk, now))
    told = (
        f"{present.plural(lacks, 'permission')} missing" if lacks else "Everything that is needed is granted"
    )
    shell.tell(told, "Whop was asked just now.", tone="warn" if lacks else "ok")
    return flask.redirect(url_for(".show", id_=id_), 303)


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


@blueprint.post("/connections/<id_>/preview")
def preview(id_: str) -> ResponseReturnValue:
    """Have a sync told record by record, with nothing written, and show it."""
    one = found_or_404(id_)
    try:
        run_id = rehearsing.start(
            shell.parts().tools, one, Wanted(), why=by_hand(), correlation_id=g.correlation_id
        )
    except ConnectorError as error:
        return refused(error, one.id, url_for(".listing"))
    _record("preview_started", one)
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


def found_or_404(id_: str) -> Connection:
    """A connection of this workspace."""
    try:
        with shell.parts().database.reading() as session:
            return connections.get(session, shell.workspace_id(), id_)
    except RefusedError:
        abort(404)


def by_hand() -> str:
    """Why a run starts that somebody asked for."""
    return f"Manually by {g.person.name}"


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
