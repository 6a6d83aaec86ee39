"""Sync runs: the list of them, and one with its progress, its causes of failure and its records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import flask
from flask import Blueprint, Response, abort, g, render_template, url_for
from flask.typing import ResponseReturnValue

from connector.core.outcomes import Result, sum_of
from connector.errors import ConnectorError, RefusedError
from connector.store import connections, logbook, overview, runs, workspaces
from connector.store.db import Session
from connector.store.runs import Run
from connector.sync import answering, limiting, steering
from connector.sync.waiting import side_in_trouble
from connector.web import (
    access,
    downloads,
    error_registry,
    filters,
    pace,
    present,
    progress,
    shell,
    standing,
    undoing,
    views_log,
    views_mapping,
)
from connector.web.present import Status
from connector.web.standing import Standing

blueprint = access.protect(Blueprint("runs", __name__))

_PAGE = 50
_FILTERS = ("status", "type", "connection")
WOULD_BE: Final[Mapping[str, Status]] = {
    "created": Status("Would be created", "created", "ok"),
    "updated": Status("Would be updated", "updated", "info"),
    "unchanged": Status("Unchanged", "none"),
    "skipped": Status("Would be skipped", "none"),
    "failed": Status("Would fail", "failed", "bad"),
}


@blueprint.get("/runs")
def listing() -> str:
    """Runs, newest first; those that changed nothing are hidden until asked for."""
    desk, wanted = shell.workspace_id(), filters.run_filter()
    with shell.parts().database.reading() as session:
        leaf = overview.run_page(session, desk, wanted, filters.place(), _PAGE)
        known = connections.of_workspace(session, desk)
        hidden = overview.idle_runs(session, desk) if wanted.hide_idle else 0
    return render_template(
        "pages/runs.html",
        leaf=leaf,
        hidden=hidden,
        titles={one.id: present.company(one) for one in known},
        any_filter=filters.is_filtered(*_FILTERS),
        error_of=error_registry.entry,
        here=filters.here,
        args=filters.word,
        **run_words(),
    )


@blueprint.get("/runs/<run_id>")
def show(run_id: str) -> str:
    """One run, live while it is under way."""
    desk = shell.workspace_id()
    with shell.parts().database.reading() as session:
        run = _found(session, run_id)
        wanted = filters.entry_filter(run.number)
        leaf = logbook.entry_page(session, desk, wanted, filters.place(), views_log.PAGE)
        connection = connections.get(session, desk, run.connection_id)
        changing = _live(session, run) | undoing.about(session, run)
    return render_template(
        "pages/run.html",
        connection=connection,
        title=present.company(connection),
        any_filter=filters.is_filtered("q", "result", "object", "reason", "error"),
        run_id_of=lambda _entry: run.id,
        version_name=views_mapping.version_name,
        **(views_log.shown(leaf) | changing),
    )


@blueprint.post("/runs/<run_id>/cancel")
def cancel(run_id: str) -> ResponseReturnValue:
    """End a run before it is through."""
    with shell.parts().database.reading() as session:
        run = _found(session, run_id)
    try:
        steering.cancel(shell.parts().tools, run.workspace_id, run.id, who=g.person.name)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", run_id=run_id), 303)
    with shell.parts().database.transaction() as session:
        access.record(session, "run_cancelled", run=run.number, connection=run.connection_id)
    shell.tell("Cancelled", "What it had brought stays. What it had left comes with the next sync.")
    return flask.redirect(url_for(".show", run_id=run_id), 303)


@blueprint.post("/runs/<run_id>/changes/approve")
def agree(run_id: str) -> ResponseReturnValue:
    """Have a run change the rest too, though that is more than it may without asking."""
    with shell.parts().database.reading() as session:
        run = _found(session, run_id)
    try:
        answering.agree(shell.parts().tools, run.workspace_id, run.id)
    except ConnectorError as error:
        shell.tell_error(error)
        return flask.redirect(url_for(".show", run_id=run_id), 303)
    with shell.parts().database.transaction() as session:
        access.record(session, "changes_approved", run=run.number, connection=run.connection_id)
    shell.tell("Approved", "The sync goes on where it stopped.")
    return flask.redirect(url_for(".show", run_id=run_id), 303)


@blueprint.get("/runs/<run_id>/live")
def live(run_id: str) -> str:
    """The part of the page that changes while the run is under way."""
    with shell.parts().database.reading() as session:
        found = _live(session, _found(session, run_id))
    return render_template("parts/live.html", **found)


@blueprint.get("/runs/<run_id>/entries.<form>")
def download(run_id: str, form: str) -> Response:
    """The run's entries that fit the filter as a file, csv or json."""
    with shell.parts().database.reading() as session:
        run = _found(session, run_id)
    wanted = filters.entry_filter(run.number)
    found = downloads.entries(shell.parts().database, shell.workspace_id(), wanted)
    return views_log.as_file(form, found, f"sync-{run.number}")


def _found(session: Session, run_id: str) -> Run:
    try:
        return runs.get(session, shell.workspace_id(), run_id)
    except RefusedError:
        abort(404)


def _live(session: Session, run: Run) -> dict[str, Any]:
    now = shell.parts().tools.clock()
    failed = sum_of(run.counts, Result.FAILED)
    how_far, slowed = followed(session, run, now) if run.active else (None, None)
    return {
        "run": run,
        "now": now,
        "progress": how_far,
        "pace": slowed,
        "causes": logbook.causes(session, run.workspace_id, run.number) if failed else [],
        "failed": failed,
        **_held(session, run),
        "waits_for": _waits_for(run, now),
        "asks": limiting.asks(run),
        "sums_known": connections.get(session, run.workspace_id, run.connection_id).sales_read_at is not None,
        "next_try": lambda left: _next_try(run, left),
        "error_of": error_registry.entry,
        "words": shell.vocabulary(),
        **run_words(),
        "outcomes": WOULD_BE if run.type == "preview" else present.OUTCOME,
    }


def _held(session: Session, run: Run) -> dict[str, Any]:
    """Why a paused run waits for a person who lets us in again, and where they do; None for any other."""
    connection = connections.get(session, run.workspace_id, run.connection_id)
    refusal = workspaces.get(session, run.workspace_id).crm_refusal
    if run.status != "paused":
        return {"held": None}
    if connection.status == "expired":
        known = error_registry.entry(connection.ended_code or "reconnect")
        return {"held": known, "mend": standing.connect_link(connection.id)}
    if refusal is not None:
        return {"held": error_registry.entry(refusal.get("code")), "mend": url_for("crm.listing")}
    return {"held": None}


def followed(session: Session, run: Run, now: datetime) -> tuple[progress.Progress, pace.Pace | None]:
    """How far a run under way is, and what Twenty's limit makes of it where that slows it down."""
    former = overview.last_complete(session, run.workspace_id, run.connection_id)
    how_far = progress.of_run(run, shell.vocabulary(), former, now)
    standing = shell.parts().openers.crm_limit(run.workspace_id)
    slowed = pace.of_run(run, how_far, standing, workspaces.get(session, run.workspace_id).batch_cap)
    return (how_far._replace(left=slowed.left) if slowed else how_far), slowed


def with_pace(session: Session, one: Standing) -> Standing:
    """A connection, with what Twenty's limit makes of its sync."""
    if one.active is None:
        return one
    return one._replace(pace=followed(session, one.active, shell.parts().tools.clock())[1])


def _waits_for(run: Run, now: datetime) -> timedelta | None:
    """How long a run that was put off waits yet, 0 while it tries again; None for one that goes on."""
    if run.active and run.error and run.lease_owner is None and run.due_at > now:
        return run.due_at - now
    return timedelta() if side_in_trouble(run) else None


def _next_try(run: Run, left: timedelta) -> str:
    if not left:
        return "It is being tried now."
    begin = "The next try is" if side_in_trouble(run) else "It goes on"
    return f"{begin} in {present.duration(left)}."


def run_words() -> dict[str, Any]:
    """What a template needs to show runs."""
    return {
        "statuses": present.RUN,
        "status_of": present.run_status,
        "types": present.RUN_TYPE,
        "type_of": present.run_type,
        "outcomes": present.OUTCOME,
        "run_name": present.run_name,
        "sum_of": lambda run, result=None: sum_of(run.counts, Result(result) if result else None),
        "spent": lambda run: run.ended_at - run.started_at if run.started_at and run.ended_at else None,
    }
